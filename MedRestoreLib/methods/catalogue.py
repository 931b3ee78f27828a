"""One table of every method. Reading it imports neither torch nor a method.

Rows stand in the order of preference; ``pipeline.choice`` compares those that are meant for a study.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..noise import IDS as EVERY_NOISE
from .row import FirstChoice, Method
from .validity import Validity

VOLUME = "volume"  # many slices, not much thicker than wide
CINE = "cine"  # many frames


def find(id: str) -> Method:
    """The method named ``id``; KeyError for another name."""
    for method in METHODS:
        if method.id == id:
            return method
    raise KeyError(id)


def making(factor: int) -> list[Method]:
    """The methods that make rows and columns so many times as many, in the order of preference; 1 keeps the grid.

    >>> [method.id for method in making(2)][-1]
    'bicubic'
    """
    return [method for method in METHODS if method.makes(factor)]


def recommended(modality: str, noise: str, shapes: Collection[str], sure: bool = True) -> list[tuple[Method, str]]:
    """The methods to recommend and why, in the order of preference; none for an unknown noise model.

    Args:
        modality: DICOM code.
        noise: id of the noise model.
        shapes: VOLUME and CINE, if the study is one.
        sure: whether the level of the noise is.

    A volume gets methods that were made for volumes, where there are any: what single slices hide, others show.

    >>> [method.id for method, reason in recommended("MR", "rician", {VOLUME})]
    ['bm4d']
    """
    found = [(method, choice) for method in METHODS if (choice := method.first_choice(modality, noise, shapes, sure))]
    deep = [(method, choice) for method, choice in found if choice.shape == VOLUME]
    return [(method, choice.reason) for method, choice in deep or found]


ONE_STRENGTH = ("gaussian", "poisson", "reconstructed", "rician")  # everywhere, once it is stabilised and evened

EVERY_MODALITY = ("NM", "MR", "US", "OT")
VOLUMES = ("NM", "MR", "OT")  # modalities with volumes
ULTRASOUND = ("US", "OT")
BUT_COUNTS = ("MR", "US", "OT")  # a larger picture holds no more counts
BUT_CT = ("MR", "PT", "OT")  # among volumes that are neither counts nor echoes

SIMILAR_CUBES = "BM4D finds what looks alike in all three dimensions"

UNET_ATT = 'After "Speckle suppression by attention and structural distillation" (in Chinese); changes are ours'
STUDENT = 'After Zhao, Yuan and Fan, "Ultrasound super-resolution by video fusion" (in Chinese); changes are ours'
BLIND = (
    'After "Blind ultrasound image enhancement via self-supervised physics-guided degradation", 2026; details are ours'
)
MANJON = "Manjón, Coupé, Buades, Collins and Robles, Medical Image Analysis 16(1), 2012"

DABOV = "Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007"
MAGGIONI = "Maggioni, Katkovnik, Egiazarian and Foi, IEEE TIP 22(1), 2013"

# What the networks were measured on (Resources/cards).
BONE_SCANS = Validity(
    "simulated bone scans and a real one",
    ("NM",),
    peak_counts=(26, 2600),
    pixel_mm=(2.0, 5.0),
    views=("STATIC", "WHOLE BODY"),
)
ECHOES = Validity("ultrasound frames of breasts, fetal heads and hips of infants", ("US",))
CLIPS = Validity("clips of lungs, muscle and phantoms of wires, and frames of breasts", ("US",))
HEADS = Validity("volumes of heads in T1w, T2w and FLAIR, a spine and a thorax", ("MR",), pixel_mm=(0.5, 2.0))
SLICES = Validity("slices of MR, most of them of heads", ("MR",))
T1W_HEADS = Validity("slices of T1-weighted heads with noise that was added", ("MR",))

# What the networks of a domain share. Those of counts and speckle work on blocks of 16 voxels (``networks.counts``,
# ``networks.speckle``), those of the stabilised domain on blocks of 4.
_NETWORK = {"dimensions": (2,), "patch": 16, "align": 16}
_WHITE = ("gaussian", "poisson", "rician")
_NETWORKS: dict[str, dict[str, Any]] = {
    "rate": {**_NETWORK, "implementation": "learned:rate", "noises": ("poisson",)},
    "linear": {**_NETWORK, "implementation": "learned:linear", "noises": ("speckle",), "blind": True},
    "stabilised": {**_NETWORK, "implementation": "learned:stabilised", "noises": _WHITE, "align": 4},
}


def network(domain: str, **row: Any) -> Method:
    """The row of a network: ``row`` holds the fields that what its domain's networks share leaves open."""
    return Method(domain=domain, **{**_NETWORKS[domain], **row})


METHODS = (
    Method(
        id="emanet",
        title="EMANet",
        summary="A network for counts, joined with BM3D and refined by another: recommended where it beats BM3D.",
        citation=f"After Yu, Luo, Chen, Guo and Luo, Journal of Optoelectronics Laser 34(7), 2023; joined with {DABOV}",
        implementation="refined:counts",
        domain="rate",
        dimensions=(2,),
        modalities=("NM",),
        noises=("poisson",),
        reach=144,  # 96 of EMANet; beyond 48 more nothing above rounding was seen
        patch=16,
        bytes_per_voxel=400,
        least_bytes=180_000_000,
        align=48,
        recommended_for=(FirstChoice("EMANet was trained for it", modalities=("NM",)),),
        validity=BONE_SCANS,
        weights="counts",
        pilot="emanet_bone",
    ),
    network(
        "rate",
        id="dncnn_bone",
        title="DnCNN for bone scans",
        summary="A smaller network trained on the same simulated bone scans: quicker, and less exact.",
        citation="After Zhang, Zuo, Chen, Meng and Zhang, IEEE TIP 26(7), 2017; changes are ours",
        modalities=("NM",),
        reach=40,  # the strict bound
        bytes_per_voxel=220,
        recommended_for=(FirstChoice("DnCNN for bone scans was trained for it", modalities=("NM",)),),
        validity=BONE_SCANS,
        bfloat16=True,
        weights="dncnn_bone",
    ),
    network(
        "linear",
        id="unet_att_small",
        title="UNet-Att",
        summary="A network trained on ultrasound of several organs: first choice for frames and loops; needs no level.",
        citation=UNET_ATT,
        modalities=ULTRASOUND,
        reach=120,  # the strict bound
        bytes_per_voxel=250,
        recommended_for=(
            FirstChoice("UNet-Att was trained for it and is quick enough for a cine", ULTRASOUND, CINE),
            FirstChoice("UNet-Att was trained for it", ULTRASOUND),
        ),
        validity=ECHOES,
        weights="unet_att_small",
    ),
    network(
        "linear",
        id="swin_conv",
        title="Sharpen and calm (blind)",
        summary="A network takes out noise and blur of unknown kind; its option sharpen goes from 0 (calm only) to 1.",
        citation=BLIND,
        implementation="learned:calm_and_sharp",
        modalities=ULTRASOUND,
        reach=240,  # 195 of the network; of narrowed echoes, beyond 45 more nothing above rounding was seen
        align=64,
        bytes_per_voxel=520,
        deblurs=True,
        validity=ECHOES,
        weights="swin_conv",
    ),
    Method(
        id="volume",
        title="BM4D, refined",
        summary="BM4D, joined with the general network and refined by a third from five slices: for MR volumes.",
        citation=f"After {MAGGIONI}, and Manjón and Coupé, Patch-MI 2018; changes are ours",
        implementation="refined:refined",
        coloured=True,
        domain="stabilised",
        dimensions=(3,),
        modalities=("MR", "OT"),
        noises=("gaussian", "rician"),
        reach=64,  # 39 of three steps of BM4D; beyond 25 more nothing above rounding was seen
        patch=4,
        bytes_per_voxel=80,
        least_bytes=330_000_000,
        align=4,
        window_gb=1.5,
        look="odct3d",
        validity=HEADS,
        bfloat16=True,  # 29 % less time; they differ by 0.6 % of the noise at most
        weights="volume",
        pilot="general",
    ),
    Method(
        id="prinlm3d",
        title="PRI-NLM3D",
        summary="Averages voxels whose surroundings look alike: quick, and first choice for CT and its faint lesions.",
        citation=f"{MANJON}; weights are ours",
        implementation="prinlm3d:prinlm3d",
        coloured=True,
        domain="stabilised",
        dimensions=(3,),
        modalities=VOLUMES,
        noises=ONE_STRENGTH,
        reach="prinlm3d:reach",
        patch=4,
        bytes_per_voxel=90,
        keeps_means=True,
        # As little error as BM4D's there, and more of the contrast of faint lesions (docs/mr.md); less noise and more
        # contrast where reconstructions have noise as smooth as anatomy (docs/nuclear.md).
        recommended_for=(
            FirstChoice("PRI-NLM3D keeps more of faint lesions", ("CT",), VOLUME, "gaussian"),
            FirstChoice("PRI-NLM3D does most where noise is smooth", (), VOLUME, "reconstructed", sure=False),
        ),
    ),
    Method(
        id="odct3d",
        title="ODCT3D",
        summary="Filters overlapping cubes by their cosine spectra: the quickest good method for MR volumes.",
        citation=MANJON,
        implementation="odct3d:odct3d",
        coloured=True,
        domain="stabilised",
        dimensions=(3,),
        modalities=VOLUMES,
        noises=ONE_STRENGTH,
        reach="odct3d:reach",
        patch=4,
        bytes_per_voxel=50,
    ),
    Method(
        id="bm4d",
        title="BM4D",
        summary="BM3D in three dimensions finds similar cubes and denoises them as one: first choice for most volumes.",
        citation=MAGGIONI,
        implementation="bm4d:bm4d",
        coloured=True,
        domain="stabilised",
        dimensions=(3,),
        modalities=VOLUMES,
        noises=ONE_STRENGTH,
        reach="bm4d:reach",
        patch=4,
        bytes_per_voxel=70,
        least_bytes=230_000_000,
        align=2,
        look="odct3d",  # a twelfth of the time; a fifth of what is removed differs
        keeps_means=True,
        # Not compared with others: it does best in nearly all MR (docs/mr.md), more surely than a few pieces can tell.
        recommended_for=(
            FirstChoice(SIMILAR_CUBES, (*BUT_CT, "CT"), VOLUME, "rician"),
            FirstChoice(SIMILAR_CUBES, BUT_CT, VOLUME, "gaussian"),
            FirstChoice(SIMILAR_CUBES, shape=VOLUME, noise="reconstructed", sure=True),
        ),
    ),
    Method(
        id="srad",
        title="Speckle-reducing anisotropic diffusion",
        summary="Smooths speckle and keeps borders and bright reflectors: quick enough for ultrasound cine loops.",
        citation="Yu and Acton, IEEE TIP 11(11), 2002",
        implementation="srad:speckle_reducing_diffusion",
        domain="linear",
        dimensions=(2,),
        modalities=ULTRASOUND,
        noises=("speckle",),
        reach="srad:reach",
        patch=3,
        bytes_per_voxel=80,
        stencil=True,
        recommended_for=(FirstChoice("SRAD is quick enough for a cine", shape=CINE),),
        compressed=True,
    ),
    Method(
        id="nllr",
        title="Non-local low-rank",
        summary="Removes ultrasound speckle by comparing similar patches; the most careful of the ultrasound methods.",
        citation="After Zhu, Fu, Brown and Heng, CVPR 2017; parameters are ours",
        implementation="nllr:nonlocal_low_rank",
        domain="linear",
        dimensions=(2,),
        modalities=ULTRASOUND,
        noises=("speckle",),
        reach="nllr:reach",
        patch=20,
        bytes_per_voxel=300,
        least_bytes=90_000_000,
        align=4,
        recommended_for=(FirstChoice("NLLR is the most careful despeckler"),),
        compressed=True,
    ),
    Method(
        id="general",
        title="General network",
        summary="BM3D and a network trained on images of many kinds, joined and refined by another: for single slices.",
        citation=f"After {DABOV}, and Zhang, Zuo and Zhang, IEEE TIP 27(9), 2018; changes are ours",
        implementation="refined:slices",
        coloured=True,
        domain="stabilised",
        dimensions=(2,),
        modalities=("NM", "MR", "OT"),
        noises=_WHITE,
        reach=130,  # 90 of BM3D; beyond 40 more nothing above rounding was seen
        patch=8,
        bytes_per_voxel=400,
        least_bytes=180_000_000,
        align=12,
        recommended_for=(FirstChoice("General network was trained on such slices", ("MR",)),),
        validity=SLICES,
        weights="slices",
        pilot="general",
    ),
    network(
        "stabilised",
        id="disentangled",
        title="Disentangled network",
        summary="A network trained on heads without pairs of noisy and clean images: below BM3D, and here to compare.",
        citation="After Lu, Chen and Chellappa, CVPR 2019, for noise in place of blur; changes are ours",
        modalities=("MR",),
        reach=77,  # the strict bound
        bytes_per_voxel=200,
        validity=T1W_HEADS,
        weights="disentangled",
    ),
    Method(
        id="bm3d",
        title="BM3D",
        summary="Finds similar patches and denoises them together: the reference among methods without learning.",
        citation=DABOV,
        implementation="bm3d:bm3d",
        coloured=True,
        domain="stabilised",
        dimensions=(2,),
        modalities=EVERY_MODALITY,
        noises=EVERY_NOISE,
        reach=90,
        patch=8,
        bytes_per_voxel=60,
        least_bytes=180_000_000,
        align=3,
        recommended_for=(FirstChoice("BM3D is the best of the methods without learning for single slices"),),
    ),
    Method(
        id="wnnm",
        title="WNNM",
        summary="Restores groups of similar patches by their main components: sharper texture than BM3D, and slower.",
        citation="Gu, Zhang, Zuo and Feng, CVPR 2014; parameters are ours",
        implementation="wnnm:wnnm",
        domain="stabilised",
        dimensions=(2,),
        modalities=EVERY_MODALITY,
        noises=EVERY_NOISE,
        reach=96,  # the strict bound is wnnm.reach; beyond this nothing above 1.2e-4 was seen
        patch=24,
        bytes_per_voxel=200,
        least_bytes=60_000_000,
        align=4,
    ),
    Method(
        id="adf",
        title="Anisotropic diffusion",
        summary="Smooths inside regions and stops at edges: the fastest, for a first look or very large volumes.",
        citation="Perona and Malik, IEEE TPAMI 12(7), 1990",
        implementation="adf:anisotropic_diffusion",
        domain="stabilised",
        dimensions=(2, 3),
        modalities=EVERY_MODALITY,
        noises=EVERY_NOISE,
        reach="adf:reach",
        patch=3,
        bytes_per_voxel=50,
        stencil=True,
    ),
    Method(
        id="enlarge",
        title="Learned enlargement",
        summary="A small network adds what is likely between pixels; reduced again, the result is the study.",
        citation=STUDENT,
        implementation="enlarging:enlarge",
        domain="grey",
        dimensions=(2,),
        modalities=("US",),
        noises=("speckle",),
        reach=34,  # 20 of the network, and of the rounds that make it consistent
        patch=1,
        bytes_per_voxel=1500,  # at factor 4
        factors=(2, 3, 4),
        across="steadying:steadied",
        blind=True,
        validity=CLIPS,
        weights="student_x{factor}",
    ),
    # The last of those that enlarge: every other one is preferred.
    Method(
        id="bicubic",
        title="Bicubic enlargement",
        summary="Interpolates between pixels: adds nothing, and is what other enlargements are compared with.",
        citation="Keys, IEEE TASSP 29(6), 1981",
        implementation="bicubic:bicubic",
        domain="grey",
        dimensions=(2,),
        modalities=BUT_COUNTS,
        noises=("speckle", "rician", "gaussian", "reconstructed"),
        reach=2,
        patch=1,
        bytes_per_voxel=300,  # at factor 4
        stencil=True,
        factors=(2, 3, 4),
        blind=True,
    ),
)
