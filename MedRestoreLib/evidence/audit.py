"""An audit of what a restoration removed: was it noise, and noise alone? (Buades, Coll and Morel's "method noise".)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..noise import Noise
from .gain import (
    LAGS,
    REGION_WINDOW,
    REGIONS,
    autocorrelation,
    brightness_regions,
    plane_numbers,
    sample_planes,
)

VARIANCE_WINDOW = 15
TOO_MUCH, TOO_LITTLE = 1.2, 0.5  # local mean of the squared standardised residual; noise alone gives just below 1
TOO_MUCH_SHARE = 0.1  # of the voxels; by chance alone a few windows exceed 1.2
CORRELATED = 0.1  # a denoiser keeps a little noise and so leaves a negative correlation, but hardly a positive one

LEAK_BLOCK = 32
LEAK_BLOCKS = 256  # the blocks with the strongest edges are tested
LEAK_VOXELS = 768  # of a block's 1024; blocks with fewer are left out
LEAK_SHUFFLES = 1000
LEAK_LEVEL = 0.01

FINE, COARSE = 1.0, 2.0  # voxels: widths of the two Gaussians whose difference is the matched filter
EDGE_SNR = 4.0  # the output has an edge
NO_EDGE_SNR = 2.0  # the input has none
INVENTED_SHARE = 0.05  # of the output's edges; chance alone hides 2.3 % of those at 4 below 2

BIAS_FLOOR = 0.1  # in standard deviations of the noise: below, a bias is significant but means nothing


@dataclass(frozen=True)
class Finding:
    """One test of the audit.

    Attributes:
        title: what was tested.
        flagged: whether a person should look.
        sentence: the outcome in plain words.
        measures: the numbers behind it, plain values.
    """

    title: str
    flagged: bool
    sentence: str
    measures: Mapping[str, float | int | list[float] | None]

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {
            "title": self.title,
            "flagged": self.flagged,
            "sentence": self.sentence,
            "measures": dict(self.measures),
        }


@dataclass(frozen=True, eq=False)
class Audit:
    """What the residual (before minus after) tells.

    Attributes:
        findings: by name: "variance", "whiteness", "leakage", "invented", "bias"; empty if nothing could be judged.
        voxels: how many were judged.
        planes: which were looked at, counted through frames and slices.
        variance_map: float32 ``(planes, rows, columns)``: local mean of the squared standardised residual, about 1
            where noise was removed; NaN where it could not be judged.
    """

    findings: Mapping[str, Finding]
    voxels: int
    planes: tuple[int, ...]
    variance_map: np.ndarray = field(repr=False)

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the findings that a person should look at."""
        return tuple(name for name, finding in self.findings.items() if finding.flagged)

    def to_dict(self) -> dict:
        """Plain values for JSON, without the map."""
        findings = {name: finding.to_dict() for name, finding in self.findings.items()}
        return {"voxels": self.voxels, "planes": len(self.planes), "flags": list(self.flags), "findings": findings}


def audit(before: np.ndarray, after: np.ndarray, noise: Noise, *, seed: int = 0) -> Audit:
    """Judge what was removed from a study, on at most 4 million voxels in evenly spread planes.

    The residual is divided by the noise's standard deviation. For Rician noise the difference is taken on the
    stabilised scale. Speckle's standard deviation depends on an unknown display curve: there it is measured from the
    residual in five brightness regions, so that only its local differences can be judged. Voxels without noise
    (``Noise.covers``) and those that were not restored (outside a mask) are left out.

    Args:
        before, after: float32 ``(frames, slices, rows, columns)`` in the study's unit.
        noise: the model, bound to ``before``.
        seed: of the permutations that test for structure.

    Raises:
        ValueError: ``after`` holds values that are not numbers; no comparison with them would ever raise a flag.
    """
    y, x = sample_planes(before), sample_planes(after)
    if not np.isfinite(x).all():
        raise ValueError("the restored study holds values that are not numbers")
    planes = tuple(int(n) for n in plane_numbers(before.shape))
    where = noise.covers(y)
    changed = _restored_part(x - y)
    if changed.any():
        where &= changed
    if not where.any():
        return Audit({}, 0, planes, np.full(y.shape, np.nan, np.float32))
    labels = brightness_regions(x)
    observed, expected, std = noise.standardisation(y, x, where, labels)
    residual = np.where(where, (observed - expected) / std, 0).astype(np.float32)
    map_, variance = _variance(residual, where)
    findings = {
        "variance": variance,
        "whiteness": _whiteness(residual, where, expected_white=noise.white),
        "leakage": _leakage(residual, expected / std, where, np.random.default_rng(seed)),
        "invented": _invented(observed, expected, std, where),
        "bias": _bias(residual, labels, where),
    }
    return Audit(findings, int(where.sum()), planes, map_)


def _restored_part(change: np.ndarray) -> np.ndarray:
    """Where something was done: all but plateaus of no change."""
    from scipy.ndimage import maximum_filter

    touched = maximum_filter(change != 0, size=(1, 5, 5))
    return ~maximum_filter(~touched, size=(1, 5, 5))


def _variance(residual: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, Finding]:
    from scipy.ndimage import uniform_filter

    window = (1, VARIANCE_WINDOW, VARIANCE_WINDOW)
    covered = uniform_filter(where.astype(np.float32), window)
    known = where & (covered > 0.5)
    local = np.where(known, uniform_filter(np.square(residual), window) / np.maximum(covered, 0.5), np.nan)
    values = local[known] if known.any() else np.square(residual[where])
    middle, above = float(np.median(values)), float(np.mean(values > TOO_MUCH))
    below = float(np.mean(values < TOO_LITTLE))
    if above > TOO_MUCH_SHARE:
        sentence = f"More than the noise was removed in {100 * above:.0f} % of the study: structure may be lost there."
    elif middle < TOO_LITTLE:
        sentence = f"Only {100 * middle:.0f} % of the noise's variance was removed: the study is still noisy."
    else:
        sentence = f"{100 * middle:.0f} % of the noise's variance was removed, and nowhere much more than noise."
    measures = {"median": middle, "share_above_1.2": above, "share_below_0.5": below}
    flagged = above > TOO_MUCH_SHARE or middle < TOO_LITTLE
    return local, Finding("Amount removed", flagged, sentence, measures)


def _whiteness(residual: np.ndarray, where: np.ndarray, *, expected_white: bool) -> Finding:
    lags = autocorrelation(residual, where)
    pairs = sum(float((a & b).sum()) for a, b in ((where[:, 1:], where[:, :-1]), (where[..., 1:], where[..., :-1])))
    limit = float(2 / np.sqrt(where.sum()))
    measures = {
        "autocorrelation": [round(float(v), 5) for v in lags],
        "limit": limit,
        "flatness": _flatness(residual, where),
        "moran_z": float(lags[0] * np.sqrt(pairs)),
    }
    largest = float(lags.max())
    flagged = expected_white and largest > max(CORRELATED, limit)
    if not expected_white:
        sentence = f"Speckle is itself correlated (here {lags[0]:.2f} between neighbours): no sign of lost structure."
    elif flagged:
        sentence = f"What was removed is correlated (up to {largest:.2f}): correlated noise, or structure."
    else:
        sentence = f"What was removed shows no pattern: correlation at 1 to {LAGS} voxels is at most {largest:.2f}."
    return Finding("Whiteness", flagged, sentence, measures)


def _flatness(residual: np.ndarray, where: np.ndarray) -> float | None:
    """Geometric over arithmetic mean of the radially averaged periodogram, 1 for white; None without whole blocks."""
    blocks, valid = _cut_blocks(residual), _cut_blocks(where)
    whole = blocks[valid.all(axis=(1, 2))]
    if not len(whole):
        return None
    power = np.mean(np.abs(np.fft.fft2(whole - whole.mean(axis=(1, 2), keepdims=True))) ** 2, axis=0)
    frequency = np.fft.fftfreq(LEAK_BLOCK) * LEAK_BLOCK
    radius = np.rint(np.hypot(frequency[:, None], frequency)).astype(int)
    rings = (np.bincount(radius.ravel(), power.ravel()) / np.bincount(radius.ravel()))[1 : LEAK_BLOCK // 2 + 1]
    return float(np.exp(np.log(rings).mean()) / rings.mean()) if rings.min() > 0 else 0.0


def _leakage(residual: np.ndarray, output: np.ndarray, where: np.ndarray, rng: np.random.Generator) -> Finding:
    """Greatest correlation of |residual| with the output's gradient in any block, against shuffled residuals.

    The null distribution is that of the maximum over all blocks, which corrects for testing many.
    """
    rows, columns = np.gradient(output, axis=(1, 2)) if min(output.shape[1:]) > 1 else (output, output)
    slope, size, valid = (_cut_blocks(a) for a in (np.hypot(rows, columns), np.abs(residual), where))
    counts = valid.sum(axis=(1, 2))
    usable = np.flatnonzero(counts >= LEAK_VOXELS)
    if not usable.size:
        return Finding("Structure removed", False, "The study is too small to look for removed structure.", {})
    strength = (slope * valid).sum(axis=(1, 2))[usable] / counts[usable]
    chosen = usable[np.argsort(-strength, kind="stable")[:LEAK_BLOCKS]]
    # The same number of voxels from each block, drawn at random from its valid ones.
    lots = rng.random((len(chosen), LEAK_BLOCK**2))
    picks = np.where(valid[chosen].reshape(lots.shape), lots, 2).argsort(axis=1)[:, :LEAK_VOXELS]
    slope, size = (_unit(np.take_along_axis(a[chosen].reshape(lots.shape), picks, axis=1)) for a in (slope, size))
    correlation = np.einsum("bv,bv->b", slope, size)
    null = np.array(
        [np.einsum("bv,bv->b", slope, size[:, rng.permutation(LEAK_VOXELS)]).max() for _ in range(LEAK_SHUFFLES)]
    )
    greatest = float(correlation.max())
    p = float((1 + (null >= greatest).sum()) / (1 + LEAK_SHUFFLES))
    share = float(np.mean(correlation > np.quantile(null, 1 - LEAK_LEVEL)))
    flagged = p < LEAK_LEVEL
    if flagged:
        sentence = f"More was removed at edges than beside them in {100 * share:.0f} % of {len(chosen)} blocks."
    else:
        sentence = f"Edges left no trace in what was removed ({len(chosen)} blocks, p = {p:.2g})."
    measures = {"greatest_correlation": greatest, "p": p, "blocks": len(chosen), "share_of_blocks": share}
    return Finding("Structure removed", flagged, sentence, measures)


def _invented(observed: np.ndarray, expected: np.ndarray, std: np.ndarray, where: np.ndarray) -> Finding:
    """Edges of the output that the input does not support, both seen through the same matched filter."""
    from scipy.ndimage import gaussian_filter

    def band(a: np.ndarray) -> np.ndarray:
        return gaussian_filter(a, (0, FINE, FINE)) - gaussian_filter(a, (0, COARSE, COARSE))

    impulse = np.zeros((1, 33, 33), np.float32)
    impulse[0, 16, 16] = 1
    norm = float(np.sqrt(np.square(band(impulse)).sum()))
    spread = norm * np.sqrt(np.maximum(gaussian_filter(np.square(std), (0, FINE, FINE)), np.finfo(np.float32).tiny))
    output, support = band(expected) / spread, band(observed) / spread
    edges = where & (np.abs(output) > EDGE_SNR)
    invented = edges & (support * np.sign(output) < NO_EDGE_SNR)
    number, total = int(invented.sum()), int(edges.sum())
    share = number / total if total else 0.0
    flagged = share > INVENTED_SHARE
    if flagged:
        sentence = f"{100 * share:.0f} % of the restored edges have no counterpart in the noisy study."
    else:
        sentence = "The restored edges are all supported by the noisy study, but for chance."
    return Finding("Structure invented", flagged, sentence, {"voxels": number, "edges": total, "share": share})


def _bias(residual: np.ndarray, labels: np.ndarray, where: np.ndarray) -> Finding:
    means, errors = [], []
    for number in range(len(REGIONS)):
        values = residual[where & (labels == number)]
        if values.size > REGION_WINDOW**2:
            means.append(float(values.mean(dtype=np.float64)))
            errors.append(float(2 * values.std(dtype=np.float64) / np.sqrt(values.size)))
    biased = [abs(m) > max(e, BIAS_FLOOR) for m, e in zip(means, errors, strict=True)]
    if any(biased):
        worst = max(means, key=abs)
        direction = "lowered" if worst > 0 else "raised"
        regions = f"{sum(biased)} of {len(means)} regions"
        sentence = f"Grey values were {direction} by up to {abs(worst):.2f} noise standard deviations in {regions}."
    else:
        sentence = "Mean grey values were kept in dark and bright regions alike."
    return Finding("Mean kept", any(biased), sentence, {"mean_in_sigma": means, "two_standard_errors": errors})


def _cut_blocks(planes: np.ndarray) -> np.ndarray:
    """Whole 32x32 blocks of all planes: ``(blocks, 32, 32)``."""
    rows, columns = (side // LEAK_BLOCK for side in planes.shape[1:])
    whole = planes[:, : rows * LEAK_BLOCK, : columns * LEAK_BLOCK]
    cut = whole.reshape(len(planes), rows, LEAK_BLOCK, columns, LEAK_BLOCK).swapaxes(2, 3)
    return cut.reshape(len(planes) * rows * columns, LEAK_BLOCK, LEAK_BLOCK)


def _unit(blocks: np.ndarray) -> np.ndarray:
    """Each row centred and scaled to length 1; a constant row becomes zeros."""
    centred = blocks - blocks.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(centred).sum(axis=1, keepdims=True))
    return centred / np.where(length > 0, length, 1)
