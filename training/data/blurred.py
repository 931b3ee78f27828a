"""The degradation of blind ultrasound enhancement: a point spread function, then noise of a kind drawn by chance.

After the abstract of "Blind ultrasound image enhancement via self-supervised physics-guided degradation modeling"
(2026): a Gaussian point spread function, then Gaussian noise or perturbed magnitudes and phases of the Fourier
coefficients. The abstract gives no numbers; those here are ours. Two forms:

- ``literal``: as the abstract says; the point spread function is isotropic.
- ``recommended``: it is wider across the beam than along it (the beam runs along the rows) and grows with depth, one
  image in ten is not blurred, speckle is a third kind of noise, and some images have reflectors smaller than a pixel,
  as wires are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from MedRestoreLib.noise.bmode import simulate_envelope

from . import WHITE

# Standard deviations of point spread functions, pixels: literal; along the beam, how much wider across it, and how much
# wider still at the bottom of the patch than at its top.
ISOTROPIC, AXIAL, WIDER, DEEPER = (0.5, 2.5), (0.4, 1.5), (1.0, 3.0), (0.0, 1.0)
UNBLURRED = 0.1  # share of the images
LEAST = 0.3  # pixels: standard deviation of the point spread function of simulated echoes

# Noise at the level 1: standard deviation of Gaussian noise (literal, recommended) and of the white part of Fourier
# noise, grey values of 255; of magnitudes (relative) and of phases (radians); of multiplicative speckle.
GAUSSIAN, WHITE_PART = {"literal": 50.0, "recommended": 75.0}, 25.0
MAGNITUDE, PHASE, SPECKLE = 0.5, 0.5, 0.75
LOOKS, DYNAMIC_RANGES = (1, 5), (40.0, 80.0)  # of simulated B-mode, the latter in dB

# The target of a frame is the despeckled one with this share of its own texture: without, faint edges are lost.
KEPT = 0.2
OWN = 0.5  # share of the frames that are degraded with all of their own speckle, which is then noise, too

# Reflectors smaller than a pixel, in this share of the images that are no frames: how many; the grey of their blurred
# peaks, which from 1 on saturates the display; the share that have a second one beside them, so many deviations apart.
REFLECTORS, MOST_REFLECTORS, PEAKS = 0.3, 16, (0.15, 1.5)
TWINS, APART = 0.3, (2.5, 5.0)
NARROWER, HIGHER = 0.5, 1.3  # their targets: width and peak relative to the blurred ones

Degraded = dict[str, np.ndarray]


@dataclass(frozen=True)
class PointSpread:
    """A Gaussian point spread function.

    Attributes:
        axial, lateral: standard deviations along rows and columns at the top, pixels.
        deeper: the lateral one is 1 + ``deeper`` times as large at the bottom.
    """

    axial: float
    lateral: float
    deeper: float = 0.0

    @classmethod
    def drawn(cls, form: str, rng: np.random.Generator) -> PointSpread:
        if form == "literal":
            sigma = rng.uniform(*ISOTROPIC)
            return cls(sigma, sigma)
        if rng.random() < UNBLURRED:
            return cls(0.0, 0.0)
        axial = rng.uniform(*AXIAL)
        return cls(axial, axial * rng.uniform(*WIDER), rng.uniform(*DEEPER))

    def of(self, image: np.ndarray) -> np.ndarray:
        """``image`` ``(rows, columns)`` as it spreads it; between top and bottom it is a mean of both."""
        from scipy.ndimage import gaussian_filter

        top, bottom = (
            gaussian_filter(image, (self.axial, lateral), mode="nearest")
            for lateral in (self.lateral, self.lateral * (1 + self.deeper))
        )
        depth = np.linspace(0, 1, len(image), dtype=np.float32)[:, None]
        return top + depth * (bottom - top)


def blurred(
    clean: np.ndarray,
    level: float,
    rng: np.random.Generator,
    smooth: np.ndarray | None = None,
    form: str = "recommended",
) -> Degraded:
    """``noisy``, blurred and noisy; ``clean``, the target; ``calm``, the target blurred alike but without noise.

    Args:
        clean: in [0, 1], ``(rows, columns)``.
        level: of the noise, 0 to 1.
        smooth: an ultrasound frame ``clean`` without its own speckle; None for photographs.
        form: "literal" or "recommended".
    """
    target = clean if smooth is None else smooth
    seen = target
    if smooth is not None and form == "recommended":
        target = smooth + np.float32(KEPT) * (clean - smooth)
        seen = clean if rng.random() < OWN else target
    spread = PointSpread.drawn(form, rng)
    calm = spread.of(target)
    if smooth is None and form == "recommended" and rng.random() < REFLECTORS:
        wide, narrow = reflectors(target.shape, spread, rng)
        target, calm = np.clip(target + narrow, 0, 1), np.clip(calm + wide, 0, 1)
        seen = target
    kinds = NOISES if form == "recommended" else NOISES[:2]
    kind = kinds[rng.integers(len(kinds))]
    if kind is _speckle and rng.random() < 0.5:
        noisy, calm = bmode(target, spread, rng)
    else:
        noisy = kind(spread.of(seen) if seen is not target else calm, level, rng, form)
    return {"noisy": np.clip(noisy, 0, 1), "clean": target, "calm": calm}


def reflectors(shape: tuple[int, int], spread: PointSpread, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points as ``spread`` shows them, and as they shall be shown: half as wide. A single pixel would be invisible."""
    rows, columns = shape
    points = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, MOST_REFLECTORS + 1)):
        row, column, grey = rng.integers(rows), rng.integers(columns), np.float32(rng.uniform(*PEAKS))
        points[row, column] = grey
        if rng.random() < TWINS:
            apart = max(2, round(rng.uniform(*APART) * spread.lateral))
            points[row, min(column + apart, columns - 1)] = grey
    half = PointSpread(NARROWER * spread.axial, NARROWER * spread.lateral, spread.deeper)
    return _with_peaks(spread, points), _with_peaks(half, np.float32(HIGHER) * points)


def _with_peaks(spread: PointSpread, points: np.ndarray) -> np.ndarray:
    """Points through ``spread``, their peaks as high as they are."""
    alone = spread.of((points > 0).astype(np.float32))  # of close points a little more than each one's own
    return spread.of(np.divide(points, alone, out=np.zeros_like(points), where=points > 0))


def _gaussian(image: np.ndarray, level: float, rng: np.random.Generator, form: str) -> np.ndarray:
    return image + np.float32(level * GAUSSIAN[form] / WHITE) * rng.standard_normal(image.shape, np.float32)


def _fourier(image: np.ndarray, level: float, rng: np.random.Generator, form: str) -> np.ndarray:
    return perturbed(image, level * MAGNITUDE, level * PHASE, level * WHITE_PART / float(WHITE), rng)


def _speckle(image: np.ndarray, level: float, rng: np.random.Generator, form: str) -> np.ndarray:
    return image * (1 + np.float32(level * SPECKLE) * rng.standard_normal(image.shape, np.float32))


NOISES: tuple[Callable[..., np.ndarray], ...] = (_gaussian, _fourier, _speckle)


def perturbed(image: np.ndarray, magnitude: float, phase: float, white: float, rng: np.random.Generator) -> np.ndarray:
    """``image`` with Fourier coefficients ``Y (1 + a) exp(i p)``, plus white noise; real, and its mean is kept.

    It convolves the image with a random kernel: an error that is correlated and depends on the signal, as speckle does.

    Args:
        magnitude: standard deviation of a, relative; even in frequency, so that the result is real.
        phase: of p in radians; odd in frequency.
        white: of the noise, on the image's scale.
        rng: source of randomness.
    """
    a = magnitude * _symmetric(rng.standard_normal(image.shape), 1)
    p = phase * _symmetric(rng.standard_normal(image.shape), -1)
    a[0, 0] = p[0, 0] = 0
    noise = white * rng.standard_normal(image.shape)
    changed = np.fft.ifft2(np.fft.fft2(image) * (1 + a) * np.exp(1j * p)).real
    return (changed + noise - noise.mean()).astype(np.float32)


def _symmetric(field: np.ndarray, sign: int) -> np.ndarray:
    """A field of unit variance with ``f(-k) = sign * f(k)``; where k is its own opposite, ``field`` or 0."""
    opposite = np.roll(field[::-1, ::-1], 1, (0, 1))
    alone = np.zeros(field.shape, bool)
    alone[np.ix_(*([0, side // 2] if side % 2 == 0 else [0] for side in field.shape))] = True
    return np.where(alone, field if sign > 0 else 0, (field + sign * opposite) / np.sqrt(2))


def bmode(tissue: np.ndarray, spread: PointSpread, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Simulated B-mode, and the same without speckle: scatterers, point spread, envelope, logarithmic display.

    ``tissue`` is what the display shows of the tissue's echoes, in [0, 1].
    """
    from scipy.ndimage import gaussian_filter
    from scipy.special import digamma

    shown, looks = np.float32(rng.uniform(*DYNAMIC_RANGES)), int(rng.integers(*LOOKS))
    axial, lateral = max(spread.axial, LEAST), max(spread.lateral * (1 + spread.deeper / 2), LEAST)
    echoes = np.where(tissue > 0, 10 ** (shown / 20 * (tissue - 1)), np.float32(0))
    bias = np.exp((digamma(looks) - np.log(looks)) / 2)  # the mean logarithm is below the logarithm of the mean
    envelope = simulate_envelope(echoes, rng, axial, lateral, looks=looks) / np.float32(bias)
    # Energies spread by the square of the point spread function, which is narrower.
    energy = gaussian_filter(echoes**2, (axial / np.sqrt(2), lateral / np.sqrt(2)), mode="nearest")
    return _displayed(envelope**2, shown), _displayed(energy, shown)


def _displayed(energy: np.ndarray, shown: np.float32) -> np.ndarray:
    return np.clip(1 + 10 * np.log10(np.maximum(energy, np.float32(1e-30))) / shown, 0, 1).astype(np.float32)
