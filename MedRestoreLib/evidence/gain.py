"""What a restoration is worth, without a reference: the expected gain, and how totals and region means moved.

The audit of what was removed is in ``audit``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ..noise import Noise

SAMPLE_VOXELS = 4_000_000  # evidence on more voxels says the same and takes longer
BLOCK = 8  # side of the blocks whose errors count as independent
LAGS = 5
PROBE_STEP = (
    0.05  # of the noise's standard deviation: thresholds inside a denoiser need more than an infinitesimal step
)
EXCESS_CORRELATION = 0.1  # beyond what white noise leaves: a tenth of the residual is not noise

REGIONS = ("background", "dark", "medium", "bright", "brightest")
REGION_WINDOW = 7
FOREGROUND_SHARE = 0.1  # of the brightest: below is background


@dataclass(frozen=True)
class Gain:
    """Expected gain of a restoration at full strength, estimated from the noisy study alone.

    Attributes:
        estimator: "SURE", "PURE", or "" where none holds.
        available: False where no estimator holds; all numbers are then None.
        domain: what the risks are mean squared errors of.
        input_risk, expected_risk: mean squared error of the noisy and of the restored study against the truth.
        standard_error: of ``input_risk - expected_risk``, by a block bootstrap.
        gain_db: ``10 log10(input_risk / expected_risk)``; None where the estimate is not positive.
        best_strength: the strength, 0 to 1, whose blend with the noisy study has the least expected error.
        reliable: the gain is more than one standard error, and the residual is as white as the noise model says.
        sentence: for a person.
    """

    estimator: str
    available: bool
    domain: str
    input_risk: float | None
    expected_risk: float | None
    standard_error: float | None
    gain_db: float | None
    best_strength: float | None
    reliable: bool
    sentence: str

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """A number before and after; ``percent`` is None where there was nothing before."""

    before: float
    after: float

    @property
    def percent(self) -> float | None:
        return 100.0 * (self.after - self.before) / abs(self.before) if self.before else None

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {"before": self.before, "after": self.after, "percent": self.percent}


@dataclass(frozen=True)
class Totals:
    """Sums and means before and after, nothing clipped.

    Attributes:
        unit: of a voxel, "" when unknown.
        total: sum over the whole study.
        frames: sum of each frame.
        regions: mean of each brightness region that is not empty, by the names in ``REGIONS``.
        sizes: of those regions, in ``size_unit``: cm² for single slices, ml for volumes.
    """

    unit: str
    total: Change
    frames: tuple[Change, ...]
    regions: dict[str, Change]
    sizes: dict[str, float]
    size_unit: str

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {
            "unit": self.unit,
            "total": self.total.to_dict(),
            "frames": [frame.to_dict() for frame in self.frames],
            "size_unit": self.size_unit,
            "regions": {name: {"size": self.sizes[name], **mean.to_dict()} for name, mean in self.regions.items()},
        }


def expected_gain(
    noisy: np.ndarray, denoise: Callable[[np.ndarray], np.ndarray], noise: Noise, *, seed: int = 0, probes: int = 2
) -> Gain:
    """Estimate what ``denoise`` gains on this study, without knowing the truth.

    Gaussian and Rician noise: Stein's unbiased risk estimate (Stein, 1981) on the stabilised scale, its divergence by
    Monte Carlo (Ramani, Blu and Unser, IEEE TIP 17(9), 2008). Poisson noise: PURE (Luisier, Vonesch, Blu and Unser,
    Signal Processing 90(2), 2010) in counts, its output for one count less to second order (``_with_one_count_less``).
    The best strength minimises the same risk over all blends, in closed form.

    Runs ``denoise`` ``1 + probes`` times; hand in part of a large study (``sample_planes``).

    Args:
        noisy: float32 ``(frames, slices, rows, columns)`` in the study's unit.
        denoise: stabilised voxels (noise of standard deviation 1) to stabilised voxels, same shape, full strength.
        noise: the model, bound to the study.
        probes: random perturbations to average over.
    """
    if not noise.risk:
        return _unavailable(
            "The gain cannot be estimated: speckle is correlated, and no unbiased estimate holds for it."
        )
    if min(noisy.shape[-2:]) <= BLOCK:
        return _unavailable("No reliable gain: the study is too small to estimate one.")
    where = noise.covers(noisy)
    if not (noisy if noise.risk == "PURE" else where).any():
        return _unavailable("No reliable gain: no part of the study shows this noise.")
    stable = noise.stabilise(noisy)
    denoised = denoise(stable)
    rng = np.random.default_rng(seed)
    slope, slope_squared, white = np.zeros_like(stable), np.zeros_like(stable), np.zeros(LAGS)
    for _ in range(probes):
        probe = rng.choice(np.array([-1, 1], np.float32), noisy.shape)
        response = (denoise(stable + PROBE_STEP * probe) - denoised) / PROBE_STEP
        white += autocorrelation(probe - response, where) / probes
        response *= probe
        slope_squared += slope * response  # products of different probes only: their errors are independent
        slope += response
    slope /= probes
    slope_squared /= max(probes * (probes - 1) / 2, 1)
    excess = float((autocorrelation(stable - denoised, where) - white).max()) - 3 / np.sqrt(max(where.sum(), 1))

    # Risk of the blend y + a (f - y): mean of power - 2 a removable + a² removed, for every model below.
    unit = 1.0
    if noise.risk == "PURE":
        estimator, domain, where = "PURE", "counts squared", np.ones_like(where)  # where no count is seen is no plateau
        power = noisy * noise.level
        restored, change = _with_one_count_less(noisy, stable, denoised, slope, slope_squared, noise)
        removable = power * (1 - change)
        removed = (restored - power) ** 2
    else:
        estimator, domain = "SURE", "stabilised units squared (noise variance 1)"
        power = np.ones_like(stable)
        removable = 1 - slope
        removed = (denoised - stable) ** 2
        if noise.linear:
            domain, unit = "the study's unit squared", float(noise.std(np.zeros(1, np.float32))[0]) ** 2
    input_risk = _block_mean(power, where)[0]
    improvement, error = _block_mean(2 * removable - removed, where)
    if not np.isfinite(improvement):
        return _unavailable("No reliable gain: the method returned values that are not numbers.")
    best = _block_mean(removable, where)[0] / max(_block_mean(removed, where)[0], np.finfo(np.float32).tiny)
    return _judged(estimator, domain, unit, input_risk, improvement, error, best, excess)


def totals(before: np.ndarray, after: np.ndarray, *, spacing: tuple[float, float, float], unit: str) -> Totals:
    """How sums and region means moved from ``before`` to ``after``.

    Args:
        before, after: ``(frames, slices, rows, columns)`` in ``unit``.
        spacing: of the columns, rows and slices, mm.
    """
    sums = [[float(f.sum(dtype=np.float64)) for f in study] for study in (before, after)]
    old, new = sample_planes(before), sample_planes(after)
    labels = brightness_regions(new)
    volume = before.shape[1] > 1
    voxel = np.prod(spacing) / 1000 if volume else spacing[0] * spacing[1] / 100
    regions, sizes = {}, {}
    for number, name in enumerate(REGIONS):
        inside = labels == number
        if inside.any():
            regions[name] = Change(*(float(study[inside].mean(dtype=np.float64)) for study in (old, new)))
            sizes[name] = float(inside.mean() * before[0].size * voxel)
    frames = tuple(Change(*pair) for pair in zip(*sums, strict=True))
    return Totals(unit, Change(sum(sums[0]), sum(sums[1])), frames, regions, sizes, "ml" if volume else "cm²")


def plane_numbers(shape: tuple[int, ...], limit: int = SAMPLE_VOXELS) -> np.ndarray:
    """Which planes ``sample_planes`` takes, counted through frames and slices."""
    planes = shape[0] * shape[1]
    wanted = min(planes, max(1, limit // (shape[2] * shape[3])))
    return ((np.arange(wanted) + 0.5) * planes / wanted).astype(int)


def sample_planes(voxels: np.ndarray, limit: int = SAMPLE_VOXELS) -> np.ndarray:
    """Evenly spread planes of a study, at most ``limit`` voxels but one at least: ``(planes, rows, columns)``."""
    return voxels.reshape(-1, *voxels.shape[2:])[plane_numbers(voxels.shape, limit)]


def brightness_regions(planes: np.ndarray) -> np.ndarray:
    """Number of the brightness region of each voxel, an index into ``REGIONS``: background and quarters of the rest.

    The means of 7x7 windows are what is sorted: a voxel's own noise must not choose its region, or every region would
    look biased.
    """
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(planes, size=(1, REGION_WINDOW, REGION_WINDOW), mode="nearest")
    darkest, brightest = np.quantile(smooth, [0.01, 0.995])
    floor = darkest + FOREGROUND_SHARE * (brightest - darkest)
    foreground = smooth[smooth > floor]
    if not foreground.size:
        return np.zeros(planes.shape, np.int8)
    return np.digitize(smooth, [floor, *np.quantile(foreground, [0.25, 0.5, 0.75])], right=True).astype(np.int8)


def autocorrelation(residual: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Autocorrelation at lags 1 to 5, mean of rows and columns, over pairs that both lie in ``where``: ``(5,)``."""
    if not where.any():
        return np.zeros(LAGS)
    centred = np.where(where, residual - residual[where].mean(dtype=np.float64), 0).astype(np.float32)
    variance = np.square(centred).sum(dtype=np.float64) / where.sum()
    if variance == 0:
        return np.zeros(LAGS)
    result = np.zeros(LAGS)
    for lag in range(1, LAGS + 1):
        total = pairs = 0.0
        for axis in (-1, -2):
            head, tail = (_cut(a, lag, axis) for a in (centred, where))
            total += float((head[0] * head[1]).sum(dtype=np.float64))
            pairs += float((tail[0] & tail[1]).sum())
        result[lag - 1] = total / pairs / variance if pairs else 0.0
    return result


def _with_one_count_less(
    noisy: np.ndarray,
    stable: np.ndarray,
    denoised: np.ndarray,
    slope: np.ndarray,
    slope_squared: np.ndarray,
    noise: Noise,
) -> tuple[np.ndarray, np.ndarray]:
    """The output in counts, and how much it falls at a voxel when that voxel holds one count less.

    The step of one count is exact on the stabilised scale; the denoiser is taken to first order there and the inverse
    to second. At few counts, one count is too far for a first order in counts, which PURE is usually given with.
    """
    step = stable - noise.stabilise(np.maximum(noisy - np.float32(1 / noise.level), 0))
    reach = np.float32(0.25)
    here, above, below = (
        noise.unbiased_inverse(d) * noise.level for d in (denoised, denoised + reach, denoised - reach)
    )
    first, second = (above - below) / (2 * reach), (above + below - 2 * here) / reach**2
    return here, first * step * slope - second * step**2 * slope_squared / 2


def _cut(array: np.ndarray, lag: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The array without its last and without its first ``lag`` rows or columns."""
    moved = np.moveaxis(array, axis, 0)
    return moved[:-lag], moved[lag:]


def _block_mean(values: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """Mean over ``where``, and its standard error by a block bootstrap.

    Blocks of 8x8 voxels are resampled among four neighbours, so that noise counts and the difference between one part
    of the anatomy and another does not. The variance over all resamples has a closed form, so none are drawn.
    """
    sums, sizes = (_blocks(np.where(where, values, 0)), _blocks(where))
    mean = sums.sum() / sizes.sum()
    strata = sums - mean * sizes
    rows, columns = (side // 2 for side in strata.shape[-2:])
    strata = strata[..., : 2 * rows, : 2 * columns].reshape(-1, rows, 2, columns, 2)
    seen = 4 * strata[..., 0, :, 0].size / sums.size  # an odd last row or column of blocks has no neighbour
    variance = 4 / 3 * np.square(strata - strata.mean(axis=(2, 4), keepdims=True)).sum() / seen
    return float(mean), float(np.sqrt(variance) / sizes.sum())


def _blocks(values: np.ndarray) -> np.ndarray:
    """Sums over 8x8 blocks of each plane."""
    rows, columns = values.shape[-2:]
    down = np.add.reduceat(values, np.arange(0, rows, BLOCK), axis=-2, dtype=np.float64)
    return np.add.reduceat(down, np.arange(0, columns, BLOCK), axis=-1)


def _unavailable(sentence: str) -> Gain:
    return Gain("", False, "", None, None, None, None, None, False, sentence)


def _judged(
    estimator: str,
    domain: str,
    unit: float,
    input_risk: float,
    improvement: float,
    error: float,
    best: float,
    excess: float,
) -> Gain:
    """The numbers as a Gain, with the sentence that says what to make of them."""
    risk = input_risk - improvement
    decibel = float(10 * np.log10(input_risk / risk)) if risk > 0 else None
    strength = float(np.clip(best, 0, 1))
    reliable = False
    if excess > EXCESS_CORRELATION:
        sentence = (
            f"No reliable gain: neighbouring voxels of what was removed are correlated ({excess:.2f} more than white "
            "noise leaves), so the noise model or its level does not fit, or structure was removed."
        )
    elif decibel is None:
        sentence = "No reliable gain: less error than none is expected, so the noise level is probably too high."
    elif improvement <= error:
        sentence = f"No reliable gain: the expected change of {decibel:+.1f} dB is within its standard error or a loss."
    else:
        reliable = True
        # d(10 log10 R) = 4.34 dR / R
        spread = max(4.34 * error / risk, 0.1)
        sentence = (
            f"At full strength the error is expected to fall by {decibel:.1f} dB (± {spread:.1f}, {estimator}); "
            f"the best strength is {strength:.2f}."
        )
    return Gain(
        estimator, True, domain, input_risk * unit, risk * unit, error * unit, decibel, strength, reliable, sentence
    )
