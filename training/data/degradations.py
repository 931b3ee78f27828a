"""Noise models of training, added to clean images on the fly by a generator that the caller seeds.

Levels of counts are 1 to 50 grey values of 255: the noise's standard deviation where the image is 1 (``p_peak``), or
the noise's mean and its variance (``p_lit``). Levels of speckle are standard deviations relative to the signal, 0.1 to
0.8. Levels of Gaussian noise are standard deviations in grey values of 255. Levels of Rician noise are percent of the
study's maximum. They are not comparable and share no table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from MedRestoreLib.noise import poisson, rice
from MedRestoreLib.noise.bmode import simulate_envelope
from MedRestoreLib.noise.gaussian import Gaussian
from MedRestoreLib.noise.rician import Rician
from MedRestoreLib.noise.speckle import Speckle
from MedRestoreLib.pipeline.domains import NOISE_ABOVE
from MedRestoreLib.pipeline.plan import BMODE_DYNAMIC_RANGE_DB

from . import GREY, WHITE
from .blurred import blurred
from .displays import annotated as with_annotations
from .displays import within_field
from .reduced import reduced

# Simulated B-mode images, within the range of real scanners: standard deviations of the point spread function in
# pixels, number of looks, dynamic range of the display in dB.
AXIAL, LATERAL = (0.5, 1.5), (1.0, 3.0)
LOOKS = range(1, 9)
DYNAMIC_RANGES = (40.0, 80.0)
TISSUE = 1 / 3  # grey of average tissue (BUSI's mean grey), to which the level of a B-mode image refers
BMODE_LEVELS = (0.05, 0.4)  # about 8 looks at 80 dB to one look at 40 dB
EDGE_SCALE, EDGE_SLOPE = 1.5, 0.012  # pixels; grey per pixel, less than in the steepest tenth of a frame
SECTOR = 50.0  # degrees: half of the widest sector

BELOW_AIR = 1.3  # standard deviations: so far below air's mean do means of 3x3 voxels of a slice reach

Degraded = dict[str, np.ndarray]


def p_peak(clean: np.ndarray, level: float, rng: np.random.Generator, capped: bool = False) -> Degraded:
    """``Poisson(K clean) / K`` with K = (255 / level)²: K counts are expected where ``clean`` is 1.

    ``capped``: what exceeds the scale by more than the noise does is cut off, as the library does before a network.
    """
    noisy = poisson.add_peak(clean, poisson.peak_counts(level), rng)
    if not capped:
        return {"noisy": noisy}
    most = np.float32(1 + NOISE_ABOVE * level / GREY)
    return {"noisy": np.minimum(noisy, most), "clean": np.minimum(clean, most)}


def p_lit(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``clip(clean + Poisson(level) / 255, 0, 1)`` on 8-bit grey values: mostly an offset of ``level``.

    The noise of the published table of Yu et al. (2023), inferred from the PSNR that it prints for noisy pictures.
    """
    grey = np.rint(np.clip(clean, 0, 1) * WHITE)
    return {"noisy": poisson.add_literal(grey, level, rng) / WHITE}


def p_thin(clean: np.ndarray, level: float, rng: np.random.Generator, fraction: float = 0.5) -> Degraded:
    """Counts split into two independent parts: ``fraction`` of them is the input, the remainder is the target.

    ``level`` is that of the thinned part, so the scan before thinning has 1 / ``fraction`` times its counts. The
    remainder replaces ``clean``. A real scan can be split likewise (Noise2Noise: Lehtinen et al., ICML 2018).
    """
    kept = poisson.peak_counts(level)
    counts = rng.poisson(np.asarray(clean, np.float64) * (kept / fraction)).astype(np.float32)
    part = poisson.thin(counts, fraction, rng)
    rest = kept * (1 - fraction) / fraction
    return {"noisy": part / np.float32(kept), "clean": (counts - part) / np.float32(rest)}


def speckle(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``clean (1 + n)``, n normal of standard deviation ``level``, independent from pixel to pixel; not clipped."""
    return {"noisy": Speckle.add(clean, level, rng)}


def speckle_8bit(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``speckle`` as an 8-bit file holds it: clipped to [0, 1], in steps of 1/255. Brighter pixels lose more."""
    noisy = Speckle.add(clean, level, rng, clip=True)
    return {"noisy": np.rint(noisy * WHITE) / WHITE}


def bmode(
    clean: np.ndarray,
    level: float,
    rng: np.random.Generator,
    smooth: np.ndarray | None = None,
    kept: float = 0.0,
    kept_at_edges: float = 0.0,
    turned: float = 0.0,
    axial: Sequence[float] = AXIAL,
    lateral: Sequence[float] = LATERAL,
) -> Degraded:
    """Speckle as a scanner makes it: scatterers, point spread function, envelope, log compression; correlated.

    ``smooth``, the image without its own speckle, or else ``clean``, is taken for the display of the tissue's echoes.
    Looks and dynamic range are chosen such that speckle on tissue of average grey has a standard deviation of ``level``
    times that grey, as nearly as scanners allow; ``level`` in the result is the one that was reached. ``clean`` in the
    result is seen through the same point spread function: the task is to remove speckle, not to sharpen. It keeps the
    share ``kept`` of the speckle, and up to ``kept_at_edges`` where the tissue's grey changes: a network trained to
    remove all of it blurs fine edges. In the share ``turned`` of the cases the beam does not run along the rows, but at
    any angle up to ``SECTOR`` from them, as in the frame of a sector. The point spread function is drawn from ``axial``
    and ``lateral``.
    """
    from scipy.ndimage import gaussian_filter
    from scipy.special import digamma

    tissue = np.asarray(clean if smooth is None else smooth, np.float32)
    angle = float(rng.uniform(-SECTOR, SECTOR)) if turned and rng.random() < turned else 0.0
    shape = tissue.shape
    if angle:
        tissue = _turned(np.pad(tissue, [(side // 4 + 2,) * 2 for side in shape], mode="symmetric"), angle)
    looks, shown = _scanner(level)
    along, across = rng.uniform(*axial), rng.uniform(*lateral)
    echoes = np.where(tissue > 0, 10 ** (np.float32(shown / 20) * (tissue - 1)), np.float32(0))
    envelope = simulate_envelope(echoes, rng, along, across, looks=looks)
    bias = np.exp((digamma(looks) - np.log(looks)) / 2)  # the mean logarithm is below the logarithm of the mean
    behind = np.sqrt(gaussian_filter(echoes**2, (along / np.sqrt(2), across / np.sqrt(2)), mode="nearest"))
    noisy, target = _displayed(envelope / np.float32(bias), shown), _displayed(behind, shown)
    if angle:
        noisy, target = (_turned(image, -angle)[_middle(image.shape, shape)] for image in (noisy, target))
    return {
        "noisy": noisy,
        "clean": _keeping(noisy, target, kept, kept_at_edges),
        "level": np.float32(_decibels(looks) / shown / TISSUE),
    }


def _keeping(noisy: np.ndarray, target: np.ndarray, kept: float, at_edges: float) -> np.ndarray:
    """``target`` with the share ``kept`` of the speckle, and up to ``at_edges`` at its edges."""
    stays = np.float32(kept)
    if at_edges > kept:
        stays = stays + np.float32(at_edges - kept) * _edges(target)
    return target + stays * (noisy - target)


def _edges(image: np.ndarray) -> np.ndarray:
    """Near 1 at edges of ``image`` ``(rows, columns)``, 0 in even parts, float32."""
    import cv2

    down, across = np.gradient(cv2.GaussianBlur(image, (0, 0), EDGE_SCALE))
    energy = cv2.GaussianBlur(down**2 + across**2, (0, 0), EDGE_SCALE)
    return energy / (energy + np.float32(EDGE_SLOPE**2))


def _turned(image: np.ndarray, angle: float) -> np.ndarray:
    """``image`` ``(rows, columns)`` turned around its middle by ``angle`` degrees, linearly interpolated."""
    import cv2

    rows, columns = image.shape
    matrix = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), angle, 1.0)
    return cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _middle(whole: tuple[int, ...], part: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice((a - b) // 2, (a - b) // 2 + b) for a, b in zip(whole, part, strict=True))


def gaussian(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``clean + level / 255 n``, n standard normal, independent from pixel to pixel; not clipped."""
    return {"noisy": Gaussian.add(clean, level / GREY, rng)}


def rician(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """Magnitudes of ``clean`` with ``level`` percent of 1, the study's maximum, in each channel; not clipped."""
    return {"noisy": Rician(level=level, reference=1.0).drawn(clean, rng)}


def rician_stabilised(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """``rician`` after the variance-stabilising transform, in about [0, 1]; the noise has ``level`` percent of 1.

    ``clean`` in the result is the mean of what many acquisitions would give.
    """
    noise = Rician(level=level, reference=1.0)
    low, sigma = np.float32(rice.table().expected[0] - BELOW_AIR), np.float32(level / 100)
    mean = rice.expected(clean / sigma)
    noisy = noise.stabilise(noise.drawn(clean, rng))
    return {"noisy": (noisy - low) * sigma, "clean": ((mean - low) * sigma).astype(np.float32)}


def as_is(clean: np.ndarray, level: float, rng: np.random.Generator) -> Degraded:
    """No noise is added: a real frame has its own speckle, and some sources acquire their samples."""
    return {"noisy": clean}


def mixed(
    clean: np.ndarray,
    level: float,
    rng: np.random.Generator,
    smooth: np.ndarray | None = None,
    share: float = 0.5,
    own: float = 0.0,
    **arguments: Any,
) -> Degraded:
    """``bmode`` at a level within ``BMODE_LEVELS`` in the share ``share`` of the cases, else ``speckle`` at ``level``.

    The target is the tissue without speckle for the first, the image with its own texture for the second; a network can
    tell which from the correlation of the noise. In the share ``own`` the image stays as it is, and its own speckle is
    what is to go, as far as ``smooth`` lacks it. An image of which ``smooth`` is not known always gets ``speckle``.
    """
    chance = 1.0 if smooth is None else rng.random()
    if chance < share:
        return bmode(clean, rng.uniform(*BMODE_LEVELS), rng, smooth, **arguments)
    if chance < share + own:
        kept, at_edges = arguments.get("kept", 0.0), arguments.get("kept_at_edges", 0.0)
        return {"noisy": clean, "clean": _keeping(clean, smooth, kept, at_edges)}
    return speckle(clean, level, rng)


def _scanner(level: float) -> tuple[int, float]:
    """(looks, dynamic range in dB) for a level: the looks whose range is nearest to the usual one."""
    wanted = max(level, 1e-3) * TISSUE
    looks = min(LOOKS, key=lambda k: abs(np.log(_decibels(k) / wanted / BMODE_DYNAMIC_RANGE_DB)))
    return looks, float(np.clip(_decibels(looks) / wanted, *DYNAMIC_RANGES))


def _decibels(looks: int) -> float:
    """Standard deviation of log-compressed speckle in dB: 5.57 for one look."""
    from scipy.special import polygamma

    return float(10 / np.log(10) * np.sqrt(polygamma(1, looks)))


def _displayed(amplitude: np.ndarray, shown: float) -> np.ndarray:
    decibel = 20 * np.log10(np.maximum(amplitude, np.float32(1e-30)))
    return np.clip(1 + decibel / np.float32(shown), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Model:
    """One noise model; called with ``(clean, level, rng)`` it returns ``noisy`` and whatever else it changes.

    Attributes:
        title: for tables and cards.
        domain: of networks trained on it (see ``MedRestoreLib.pipeline.domains``); "" where the library has no such
            noise, so that they cannot ship.
        unit: levels are divided by it before a network sees them.
        validated: (model, level) pairs at which networks trained on it are validated.
        smooth: whether it also takes the source's image without speckle, as ``smooth=``.
    """

    degrade: Callable[..., Degraded]
    title: str
    domain: str
    unit: float
    validated: tuple[tuple[str, float], ...]
    smooth: bool = False

    def __call__(self, clean: np.ndarray, level: float, rng: np.random.Generator, **arguments: Any) -> Degraded:
        return self.degrade(clean, level, rng, **arguments)


COUNTS, GREYS = (50.0, 30.0, 20.0, 10.0), (0.25, 0.5, 0.75)  # 26, 72, 163 and 650 counts; the levels of the papers
PERCENT = (5.0, 15.0, 30.0)

MODELS: dict[str, Model] = {
    "p_peak": Model(
        p_peak, "counts: Poisson(K x) / K, K = (255 / level)²", "rate", GREY, tuple(("p_peak", at) for at in COUNTS)
    ),
    "p_lit": Model(
        p_lit,
        "the paper's own: x + Poisson(level) on 8-bit grey values, mostly an offset",
        "",
        GREY,
        tuple(("p_lit", at) for at in COUNTS),
    ),
    "p_thin": Model(  # its targets are noisy: validated on the same kind of noise against the noise-free image
        p_thin, "the real scan, thinned", "rate", GREY, tuple(("p_peak", at) for at in COUNTS)
    ),
    "speckle": Model(
        speckle,
        "the paper's own: x (1 + n), n normal, independent from pixel to pixel, not clipped",
        "linear",
        1.0,
        tuple(("speckle", at) for at in GREYS),
    ),
    "speckle_8bit": Model(
        speckle_8bit,
        "x (1 + n), n normal, clipped and rounded to 8 bits",
        "linear",
        1.0,
        tuple(("speckle_8bit", at) for at in GREYS),
    ),
    "bmode": Model(
        bmode,
        "simulated B-mode: correlated speckle on despeckled frames, logarithmic display",
        "linear",
        1.0,
        (("bmode", 0.15), ("bmode", 0.3)),
        smooth=True,
    ),
    "gaussian": Model(
        gaussian,
        "x + level / 255 n, n normal, independent from pixel to pixel, not clipped",
        "stabilised",
        GREY,
        tuple(("gaussian", at) for at in (7.65, 15.0, 25.0, 38.25)),
    ),
    "rician": Model(
        rician,
        "magnitudes: |x + s (n1 + i n2)|, s percent of the study's maximum",
        "",
        100.0,
        tuple(("rician", at) for at in PERCENT),
    ),
    "rician_stabilised": Model(
        rician_stabilised,
        "magnitudes, s percent of the study's maximum, after the variance-stabilising transform",
        "stabilised",
        100.0,
        tuple(("rician_stabilised", at) for at in PERCENT),
    ),
    "as_is": Model(as_is, "real frames with the speckle that they have", "linear", 1.0, (("as_is", 0.0),)),
    "acquired": Model(  # by the source: see data/pilots.py
        as_is,
        "Rician or Gaussian, white, or coloured by zero-filling or a Fermi filter, stabilised: its variance is 1",
        "stabilised",
        1.0,
        (("acquired", 1.0),),
    ),
    "counted": Model(  # by the source: see data/counted.py
        as_is,
        "Poisson counts on Anscombe's scale, where their variance is about 1",
        "rate",
        1.0,
        (("counted", 1.0),),
    ),
    "mixed": Model(
        mixed,
        "half x (1 + n), half simulated B-mode",
        "linear",
        1.0,
        (*(("speckle", at) for at in GREYS), ("bmode", 0.15), ("bmode", 0.3)),
        smooth=True,
    ),
    "blurred": Model(
        blurred,
        "a point spread function, then Gaussian noise, perturbed Fourier coefficients or speckle",
        "linear",
        1.0,
        tuple(("blurred", at) for at in (0.2, 0.5, 1.0)),
        smooth=True,
    ),
    "reduced": Model(
        reduced,
        "reduced by the factor, bicubic with antialiasing; 8-bit",
        "grey",
        1.0,
        tuple(("reduced", factor) for factor in (2.0, 3.0, 4.0)),
    ),
}


def draw(
    sample: dict[str, Any],
    rng: np.random.Generator,
    *,
    model: str,
    levels: tuple[float, ...],
    even: bool = False,
    brightness: float = 0.0,
    annotated: float = 0.0,
    ticks: float = 0.0,
    outside: float = 0.0,
    **arguments: Any,
) -> dict[str, Any]:
    """A training sample from a clean one: draws a level, then the noise.

    Args:
        sample: holds ``clean``, ``(rows, columns)``, at most about 1; whatever else it holds is passed on, except
            ``smooth``, which only the model uses, and ``other``, a clean image of somebody else: it becomes the target
            that it would be under the same noise.
        levels: the lowest and the highest; drawn log-uniformly between them, or uniformly if ``even``.
        brightness: see ``training.recipe.Degradation``. It makes networks robust to the estimate of the brightness by
            which a study is divided: counts scale along, so the level stays right while the maximum differs from 1.
        annotated: share of the samples that get text, free of noise and blur, in ``noisy`` and its targets alike.
        ticks: share of these that get the ticks of a scale instead.
        outside: share of the samples that reach beyond the field of view, where all is black.

    Returns:
        The sample with ``noisy``, and ``level`` as networks take it (divided by the model's unit, float32).
    """
    level = float(rng.uniform(*levels) if even else np.exp(rng.uniform(*np.log(levels))))
    factor = np.exp(rng.uniform(-1, 1) * np.log1p(brightness))
    sample = {**sample, "clean": sample["clean"] * np.float32(factor)}
    smooth = sample.pop("smooth", None)
    if smooth is not None:
        smooth = smooth * np.float32(factor)
    if "mean" in sample:
        sample["mean"] = np.float32(sample["mean"] * factor)
    sample |= degrade(model, sample["clean"], level, rng, smooth, **arguments)
    if "other" in sample:
        sample["other"] = degrade(model, sample["other"], level, rng, **arguments)["clean"]
    images = {name: sample[name] for name in ("noisy", "clean", "calm") if name in sample}
    if outside and rng.random() < outside:
        images = within_field(images, rng)
    if annotated and rng.random() < annotated:
        images = with_annotations(images, rng, ticks)
    return sample | images


def degrade(
    model: str,
    clean: np.ndarray,
    level: float,
    rng: np.random.Generator,
    smooth: np.ndarray | None = None,
    **arguments: Any,
) -> Degraded:
    """``noisy`` by the model of that name, ``clean``, the target, and ``level`` as networks take it."""
    row = MODELS[model]
    if row.smooth:
        arguments["smooth"] = smooth
    return {"clean": clean, "level": np.float32(level / row.unit), **row(clean, level, rng, **arguments)}
