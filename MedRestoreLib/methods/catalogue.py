"""One table of every method. Reading it imports neither torch nor a method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Method:
    """One row of the catalogue.

    Attributes:
        id: what users type.
        title, summary: for a radiologist; the summary is one sentence.
        citation: the source.
        implementation: ``"module:function"`` below this package, imported on use. The function is
            ``f(images, sigma, **options) -> images``: a float32 tensor ``(N, 1, H, W)`` or ``(N, 1, D, H, W)`` in
            [0, 1] on any device, and the standard deviation of its noise on that scale; the same shape comes back.
            The N images are independent. It is a local operation: no statistic of the whole tensor, so tiles agree.
        domain: "gaussian": wants additive noise of one standard deviation and runs in the stabilised domain;
            "speckle": wants the speckled study itself; ``sigma`` is then the speckle's relative standard deviation;
            "counts": wants the study divided by its clean brightness, not clipped; ``sigma`` is the standard deviation
            there, 1/sqrt(K) for K counts. It gives expected counts on that scale, so nothing is inverted.
        dimensions: which of 2 and 3 it works in.
        modalities: DICOM codes it is meant for; "OT" is any other.
        noises: noise models it can be used for.
        halo: how many voxels away a voxel can influence the result, or ``"module:function"`` of sigma and the options
            that tells.
        options: names of the function's own parameters, for experts; "reference" is filled in by ``restore``.
        align: tile origins must be multiples of this, so that block grids coincide.
        patch: smallest image side it accepts.
        bytes_per_voxel: peak working memory per input voxel, measured on 512 x 512; tiles are sized by it.
        blind: whether it finds the noise level itself; the plan's serves the evidence alone and need not be known.
        quick: of the methods with weights, whether it is the one to recommend for a cine.
        weights: name of its weights in the manifest, handed to the function as ``weights``; "" for classical methods.
        licence: of the implementation.
    """

    id: str
    title: str
    summary: str
    citation: str
    implementation: str
    domain: str
    dimensions: tuple[int, ...]
    modalities: tuple[str, ...]
    noises: tuple[str, ...]
    halo: int | str
    patch: int
    bytes_per_voxel: int
    options: tuple[str, ...] = ()
    align: int = 1
    blind: bool = False
    quick: bool = False
    weights: str = ""
    licence: str = "Apache-2.0"

    @property
    def learned(self) -> bool:
        """Whether it needs weights."""
        return self.weights != ""

    def load(self) -> Callable:
        """The implementation, imported now."""
        function = _imported(self.implementation)
        return partial(function, weights=self.weights) if self.learned else function

    def reach(self, sigma: float, **options: Any) -> int:
        """How many voxels away a voxel can influence the result."""
        return self.halo if isinstance(self.halo, int) else _imported(self.halo)(sigma, **options)


def _imported(name: str) -> Callable:
    module, function = name.split(":")
    return getattr(import_module(f".{module}", __package__), function)


METHODS = (
    Method(
        id="adf",
        title="Anisotropic diffusion",
        summary="Smooths inside regions and stops at edges: the fastest, for a first look or very large volumes.",
        citation="Perona and Malik, IEEE TPAMI 12(7), 1990",
        implementation="adf:anisotropic_diffusion",
        domain="gaussian",
        dimensions=(2, 3),
        modalities=("NM", "MR", "US", "OT"),
        noises=("gaussian", "poisson", "rician", "speckle"),
        halo="adf:reach",
        options=("iterations", "conductance", "function"),
        patch=3,
        bytes_per_voxel=40,
    ),
    Method(
        id="srad",
        title="Speckle-reducing anisotropic diffusion",
        summary="Smooths speckle and keeps borders and bright reflectors: quick enough for ultrasound cine loops.",
        citation="Yu and Acton, IEEE TIP 11(11), 2002",
        implementation="srad:speckle_reducing_diffusion",
        domain="speckle",
        dimensions=(2,),
        modalities=("US", "OT"),
        noises=("speckle",),
        halo="srad:reach",
        options=("iterations", "compressed"),
        patch=3,
        bytes_per_voxel=90,
    ),
    Method(
        id="emanet",
        title="EMANet",
        summary="A network trained on simulated bone scans: first choice for raw counts of scintigraphy.",
        citation="After Yu, Luo, Chen, Guo and Luo, Journal of Optoelectronics Laser 34(7), 2023; changes are ours",
        implementation="learned:counts",
        domain="counts",
        dimensions=(2,),
        modalities=("NM",),
        noises=("poisson",),
        halo=96,  # beyond this nothing above rounding was seen
        patch=16,
        align=16,
        bytes_per_voxel=310,
        weights="emanet_bone",
    ),
    Method(
        id="dncnn_bone",
        title="DnCNN for bone scans",
        summary="A smaller network trained on the same simulated bone scans: quicker, and less exact.",
        citation="After Zhang, Zuo, Chen, Meng and Zhang, IEEE TIP 26(7), 2017; changes are ours",
        implementation="learned:counts",
        domain="counts",
        dimensions=(2,),
        modalities=("NM",),
        noises=("poisson",),
        halo=40,  # the strict bound
        patch=16,
        align=16,
        bytes_per_voxel=130,
        weights="dncnn_bone",
    ),
    Method(
        id="unet_att_small",
        title="UNet-Att, small",
        summary="A network trained on breast ultrasound: first choice for frames and cine loops; needs no level.",
        citation='After "Speckle suppression by attention and structural distillation" (in Chinese); changes are ours',
        implementation="learned:grey",
        domain="speckle",
        dimensions=(2,),
        modalities=("US", "OT"),
        noises=("speckle",),
        halo=117,  # the strict bound
        patch=16,
        align=16,
        bytes_per_voxel=200,
        blind=True,
        quick=True,
        weights="unet_att_small",
    ),
    Method(
        id="unet_att",
        title="UNet-Att",
        summary="The same network, twice as wide: half as quick, and so far no better.",
        citation='After "Speckle suppression by attention and structural distillation" (in Chinese); changes are ours',
        implementation="learned:grey",
        domain="speckle",
        dimensions=(2,),
        modalities=("US", "OT"),
        noises=("speckle",),
        halo=117,  # the strict bound
        patch=16,
        align=16,
        bytes_per_voxel=400,
        blind=True,
        weights="unet_att",
    ),
    Method(
        id="bm3d",
        title="BM3D",
        summary="Finds similar patches and denoises them together: the reference among methods without learning.",
        citation="Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007",
        implementation="bm3d:bm3d",
        domain="gaussian",
        dimensions=(2,),
        modalities=("NM", "MR", "US", "OT"),
        noises=("gaussian", "poisson", "rician", "speckle"),
        halo=90,
        options=("profile", "psd"),
        patch=8,
        align=3,
        bytes_per_voxel=800,
    ),
    Method(
        id="bm4d",
        title="BM4D",
        summary="BM3D in three dimensions: finds similar cubes; thorough on MR volumes, and slower.",
        citation="Maggioni, Katkovnik, Egiazarian and Foi, IEEE TIP 22(1), 2013",
        implementation="bm4d:bm4d",
        domain="gaussian",
        dimensions=(3,),
        modalities=("NM", "MR", "OT"),
        noises=("gaussian", "poisson", "rician"),
        halo=26,
        options=("profile",),
        patch=4,
        align=2,
        bytes_per_voxel=250,
    ),
    Method(
        id="wnnm",
        title="WNNM",
        summary="Restores groups of similar patches by their main components: sharper texture than BM3D, and slower.",
        citation="Gu, Zhang, Zuo and Feng, CVPR 2014; parameters are ours",
        implementation="wnnm:wnnm",
        domain="gaussian",
        dimensions=(2,),
        modalities=("NM", "MR", "US", "OT"),
        noises=("gaussian", "poisson", "rician", "speckle"),
        halo=96,  # the strict bound is wnnm.reach; beyond this nothing above 1.2e-4 was seen
        options=("iterations",),
        patch=24,
        align=4,
        bytes_per_voxel=700,
    ),
    Method(
        id="odct3d",
        title="ODCT3D",
        summary="Filters overlapping cubes by their cosine spectra: the quickest good method for MR volumes.",
        citation="Manjón, Coupé, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012",
        implementation="odct3d:odct3d",
        domain="gaussian",
        dimensions=(3,),
        modalities=("NM", "MR", "OT"),
        noises=("gaussian", "poisson", "rician"),
        halo="odct3d:reach",
        options=("wiener",),
        patch=4,
        bytes_per_voxel=40,
    ),
    Method(
        id="prinlm3d",
        title="PRI-NLM3D",
        summary="Averages voxels whose surroundings look alike in all three dimensions: first choice for MR volumes.",
        citation="Manjón, Coupé, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012; weights are ours",
        implementation="prinlm3d:prinlm3d",
        domain="gaussian",
        dimensions=(3,),
        modalities=("NM", "MR", "OT"),
        noises=("gaussian", "poisson", "rician"),
        halo="prinlm3d:reach",
        options=("radius",),
        patch=4,
        bytes_per_voxel=70,
    ),
    Method(
        id="nllr",
        title="Non-local low-rank",
        summary="Removes ultrasound speckle by comparing similar patches; the most careful of the ultrasound methods.",
        citation="After Zhu, Fu, Brown and Heng, CVPR 2017; parameters are ours",
        implementation="nllr:nonlocal_low_rank",
        domain="speckle",
        dimensions=(2,),
        modalities=("US", "OT"),
        noises=("speckle",),
        halo="nllr:reach",
        options=("iterations", "compressed"),
        patch=20,
        align=4,
        bytes_per_voxel=1200,
    ),
)


def find(id: str) -> Method:
    """The method named ``id``; KeyError for another name."""
    for method in METHODS:
        if method.id == id:
            return method
    raise KeyError(id)
