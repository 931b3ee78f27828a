"""What the catalogue says of a method, and what a method is."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from .. import weights as files
from . import options
from .validity import Validity

if TYPE_CHECKING:
    from torch import Tensor, nn


class Denoiser(Protocol):
    """What a method is: one function of tensors. It knows no study, no unit and no geometry."""

    def __call__(self, images: Tensor, sigma: float, /, **options: Any) -> Tensor:
        """Denoise images that are independent of each other.

        It is a local operation: a voxel of the result depends on voxels within ``Method.reach_at`` alone, and on no
        statistic of the whole tensor, so that a study may be cut into windows.

        Args:
            images: float32, ``(N, 1, rows, columns)`` or ``(N, 1, slices, rows, columns)``, about [0, 1] on the scale
                of ``Method.domain``, on any device; not changed.
            sigma: the noise level on that scale: the noise's standard deviation; in the domain "linear" the speckle's,
                relative to the signal.
            options: the method's own parameters, by keyword, each with a default. One that enlarges is also told the
                ``factor``.

        Returns:
            A tensor like ``images``; of a method that enlarges with ``factor`` times as many rows and columns.

        Raises:
            InvalidPlan: an option is out of range.
        """


@dataclass(frozen=True)
class FirstChoice:
    """Studies that a method may be recommended for, among those whose noise it handles: it is compared on them.

    Attributes:
        reason: why, as a part of a sentence.
        modalities: DICOM codes; empty for all.
        shape: VOLUME, CINE, or "" for all.
        noise: id of the noise model; "" for all.
        sure: whether their noise is told for sure, or not; None for both.
    """

    reason: str
    modalities: tuple[str, ...] = ()
    shape: str = ""
    noise: str = ""
    sure: bool | None = None


@dataclass(frozen=True)
class Method:
    """One row of the catalogue.

    Attributes:
        id: what users type.
        title, summary: for a radiologist; the summary is one sentence.
        citation: the source.
        implementation: ``"module:function"`` of a ``Denoiser`` below this package, imported when it is first needed.
        domain: the scale of values that it is made for; see ``pipeline.domains``. "stabilised": white Gaussian noise;
            "linear": the speckled study itself; "rate": counts.
        dimensions: 2 (slice by slice), 3 (a volume) or both; the first is the default.
        modalities: DICOM codes of the studies it is meant for; "OT" is any other.
        noises: ids of the noise models it handles; the first is the default.
        reach: how many voxels away a voxel can influence the result; or ``"module:function"`` of sigma and the options,
            which says so.
        patch: the smallest side of an image that it takes, voxels.
        bytes_per_voxel: peak working memory per voxel.
        least_bytes: and what it takes besides, on one thread, however small the image: tables of chunks.
        window_gb: working memory of a window on a CPU where nobody limits it; 0 for the device's usual. More where the
            reach is so large that small windows would cost more time than memory.
        stencil: each voxel comes of its surroundings by the same arithmetic, wherever it stands, so that windows of
            any size give the same bytes.
        align: windows must begin at multiples of this, voxels, so that they share the whole image's grid of blocks.
        recommended_for: the studies on which it is compared with others, and recommended where it does best.
        coloured: its function takes the spectrum of noise that is not white; others are told the noise to be as strong
            as it is at low frequencies.
        compressed: it has an option ``compressed``, the dynamic range of a log-compressed display in dB, which
            ``recommend`` fills in.
        deblurs: it has an option ``sharpen``, 0 to 1: how much of the blur it takes out, which ``recommend`` sets.
        keeps_means: it has an option ``keep_means``, by which small regions keep their means, and which ``recommend``
            sets for reconstructions.
        factors: by which it makes rows and columns more; empty for methods that keep the grid, 2 alone in dimensions.
        across: ``"module:function"`` that lets frames of a clip share what it added to each, such as
            ``steadying.steadied``; "" where each frame is for itself. The frames are then "together" (``Plan``).
        bfloat16: a network that ``Plan.precision`` "auto" runs in bfloat16 where the processor has it; measured
            (``Testing/benchmarks/precision.py``) to be at least 1.5 times as fast, and to differ by less than 0.02
            standard deviations of the noise.
        blind: it ignores ``Plan.level``, which only the report uses.
        look: a quicker method for the same studies, or "". In this one's stead it gives the first look at a slice, and
            tells whether frames are better restored together.
        validity: the studies that a learned method was measured on; None for methods without learning.
        weights: name of its weights in the manifest, which its function gets as ``weights``; "" for methods without.
            Where they differ from factor to factor, ``{factor}`` stands for it.
        pilot: name of the weights of another network, whose result its own refines and which its function gets as
            ``pilot``; "" for methods without.
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
    reach: int | str
    patch: int
    bytes_per_voxel: int
    least_bytes: int = 0
    align: int = 1
    window_gb: float = 0.0
    stencil: bool = False
    recommended_for: tuple[FirstChoice, ...] = ()
    coloured: bool = False
    compressed: bool = False
    deblurs: bool = False
    keeps_means: bool = False
    factors: tuple[int, ...] = ()
    across: str = ""
    bfloat16: bool = False
    blind: bool = False
    look: str = ""
    validity: Validity | None = None
    weights: str = ""
    pilot: str = ""
    licence: str = "Apache-2.0"

    @property
    def learned(self) -> bool:
        """Whether it needs weights."""
        return self.weights != ""

    def makes(self, factor: int) -> bool:
        """Whether it makes rows and columns so many times as many; a method that keeps the grid makes 1."""
        return factor in (self.factors or (1,))

    def weights_at(self, factor: int = 1) -> str:
        """The name of its weights for a factor; "" for methods without."""
        return self.weights.format(factor=factor)

    def networks(self, factor: int = 1) -> tuple[str, ...]:
        """The names of all weights that it needs for a factor; the last are those that can be adapted to a study."""
        return tuple(name for name in (self.weights_at(factor), self.pilot) if name)

    def load(self, factor: int = 1) -> Denoiser:
        """The function, imported now, with its weights' names and, where it enlarges, the factor."""
        told: dict[str, Any] = {"weights": self.weights_at(factor)} if self.learned else {}
        told |= {"pilot": self.pilot} if self.pilot else {}
        told |= {"factor": factor} if self.factors else {}
        function = _imported(self.implementation)
        return partial(function, **told) if told else function

    def load_across(self, factor: int) -> Callable[[Tensor, Tensor], Tensor]:
        """The function ``across``, imported now, with the factor."""
        return partial(_imported(self.across), factor=factor)

    def load_with(self, network: nn.Module) -> Denoiser:
        """The function of a method that needs weights, with another network in place of the last of ``networks``."""
        return partial(self.load(), **{"pilot" if self.pilot else "weights": network})

    def parsed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options given, in the types that its function takes; imports the method.

        Raises:
            InvalidPlan: it has no such option, or the option takes no such value.
        """
        return options.parse(_imported(self.implementation), given, self.id)

    def reach_at(self, sigma: float, **chosen: Any) -> int:
        """How many voxels away a voxel can influence the result at this level and with these options."""
        return self.reach if isinstance(self.reach, int) else _imported(self.reach)(sigma, **chosen)

    def voxels_within(self, gigabytes: float) -> int:
        """How many voxels it restores at once within so much working memory; 0 if none."""
        return max(0, int((1e9 * gigabytes - self.least_bytes) / self.bytes_per_voxel))

    def installed(self, factor: int = 1) -> bool:
        """Whether its weights are there, if it needs any."""
        return all(files.installed(name) for name in self.networks(factor))

    def first_choice(self, modality: str, noise: str, shapes: Collection[str], sure: bool = True) -> FirstChoice | None:
        """Why it is the first choice for such studies; None if it is not, or its weights are not installed."""
        if noise not in self.noises or not self.installed():
            return None
        for choice in self.recommended_for:
            fits = modality in (choice.modalities or (modality,)) and choice.noise in ("", noise)
            if fits and choice.shape in ("", *shapes) and choice.sure in (None, sure):
                return choice
        return None


def _imported(name: str) -> Callable:
    return pkgutil.resolve_name(f"{__package__}.{name}")
