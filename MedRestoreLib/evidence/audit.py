"""An audit of what a restoration removed: was it noise, and noise alone? (Buades, Coll and Morel's "method noise".)"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..noise import Noise
from ..noise.constant import constant_areas
from ..progress import stop_if_asked
from .blobs import Grid, Place, UnitGrid, find
from .correlation import LAGS, autocorrelation
from .findings import Audit, Finding
from .sampling import REGION_WINDOW, REGIONS, brightness_regions, sample_planes

SAMPLE = 500_000  # voxels; blobs are looked for in all
VARIANCE_WINDOW = 15  # voxels
TOO_MUCH, TOO_LITTLE = 1.2, 0.5  # local mean of the squared standardised residual; noise alone gives just below 1
CORRELATED = 0.1  # a denoiser keeps a little noise and so leaves a negative correlation, but hardly a positive one

LEAK_BLOCK = 32  # voxels
LEAK_BLOCKS = 256  # the blocks with the strongest edges are tested
LEAK_VOXELS = 768  # of a block's 1024; blocks with fewer are left out
LEAK_LEVEL = 0.01
STEEPEST = 0.05  # of the judged voxels are those with the steepest edges

FINE, COARSE = 1.0, 2.0  # voxels: widths of the two Gaussians whose difference is the matched filter
EDGE_SNR = 4.0  # from here the output has an edge
NO_EDGE_SNR = 2.0  # below, the input has none
UNSUPPORTED_SHARE = 0.05  # of the output's edges; by chance, 2.3 % of those at 4 are below 2 in the input

DISTINCT = 0.5  # in standard deviations of the noise: regions closer in brightness are one
HARMFUL = 1.5  # mean of the squared standardised residual there; noise alone gives 1, good methods leave 0.7 to 0.9


@dataclass(frozen=True)
class Limits:
    """What is flagged beyond these limits.

    Attributes:
        too_much_share: of the voxels that lose more than ``TOO_MUCH``.
        bias: of a region, in standard deviations of the noise; below, it may be significant but means nothing.
    """

    too_much_share: float
    bias: float


WHITE = Limits(too_much_share=0.1, bias=0.1)  # by chance alone a few windows of white noise exceed TOO_MUCH

# Of speckle, measured: 5 % of 44 frames of breasts, heads of foetuses and infants' hips exceed each when the
# recommended network and SRAD restore them. Speckle is no white noise of one strength.
SPECKLE = Limits(too_much_share=0.32, bias=0.3)

# Grains of speckle are finer than the difference of these Gaussians, voxels. Of a frame's contrast at that size, what
# is removed as usual is up to 0.1, and 0.11 to 0.18 by a Gaussian filter of width 2.5, 0.46 to 0.62 by one of 5.
CONTRAST = (2.0, 6.0)
CONTRAST_LOST, CONTRAST_HARM = 0.11, 0.25


@dataclass(frozen=True, eq=False)
class Residual:
    """What was removed from the planes that are judged, all arrays ``(planes, rows, columns)``.

    Attributes:
        observed, expected: noisy values and what they would be without noise if the restoration were right.
        std: of the noise.
        where: boolean, the voxels that are judged: restored, and with the noise that the model describes.
        regions: number of the brightness region (``REGIONS``).
        standardised: ``(observed - expected) / std``, 0 outside ``where``.
    """

    observed: np.ndarray
    expected: np.ndarray
    std: np.ndarray
    where: np.ndarray
    regions: np.ndarray
    standardised: np.ndarray

    @classmethod
    def of(cls, noisy: np.ndarray, restored: np.ndarray, noise: Noise) -> Residual:
        """Of planes in the study's unit."""
        where = noise.covers(noisy)
        changed = _restored_part(restored - noisy)
        if changed.any():
            where &= changed
        regions = brightness_regions(restored)
        observed, expected, std = noise.standardisation(noisy, restored, where, regions)
        standardised = np.where(where, (observed - expected) / std, 0).astype(np.float32)
        return cls(observed, expected, std, where, regions, standardised)


def audit(before: np.ndarray, after: np.ndarray, noise: Noise, *, grid: Grid | None = None, seed: int = 0) -> Audit:
    """Judge what was removed from a study, on at most half a million voxels in evenly spread planes.

    The residual is divided by the noise's standard deviation (``Noise.standardisation``). Voxels without noise
    (``Noise.covers``) and those that were not restored (outside a mask) are left out. Blobs are looked for in all
    planes.

    Args:
        before, after: float32 ``(frames, slices, rows, columns)`` in the study's unit.
        noise: the model, bound to ``before``.
        grid: where the voxels lie, such as the Image that ``before`` is from; None where that is unknown.
        seed: of the permutations that test for structure.

    Raises:
        ValueError: ``after`` holds values that are not numbers; no comparison with them would ever raise a flag.
    """
    noisy, restored = sample_planes(before, SAMPLE), sample_planes(after, SAMPLE)
    if not np.isfinite(restored).all():
        raise ValueError("the restored study holds values that are not numbers")
    residual = Residual.of(noisy, restored, noise)
    stop_if_asked()
    if not residual.where.any():
        return Audit({}, 0, len(noisy))
    limits = WHITE if noise.risk else SPECKLE  # speckle alone has no estimate of the risk, nor a null of its residual
    findings = {}
    findings["variance"] = _variance(residual, limits)
    stop_if_asked()
    findings["whiteness"] = _whiteness(residual, noise)
    stop_if_asked()
    if noise.risk:
        findings["leakage"] = _leakage(_whitened(residual, noise), np.random.default_rng(seed))
    else:
        findings["leakage"] = _lost_contrast(noisy, restored)
    stop_if_asked()
    findings["unsupported"] = _unsupported(residual)
    findings["bias"] = _bias(residual, limits)
    stop_if_asked()
    places = tuple(find(before, after, noise, grid or UnitGrid()))
    if noise.blob_thresholds:
        findings["blobs"] = _blobs(places, grid or UnitGrid())
    return Audit(findings, int(residual.where.sum()), len(noisy), places)


def _restored_part(change: np.ndarray) -> np.ndarray:
    """Where the study was changed: all but areas of 5x5 pixels or more without change."""
    changed = change != 0
    return changed | ~constant_areas(changed)


def _variance(residual: Residual, limits: Limits) -> Finding:
    from scipy.ndimage import uniform_filter

    window = (1, VARIANCE_WINDOW, VARIANCE_WINDOW)
    squares, where = np.square(residual.standardised), residual.where
    covered = uniform_filter(where.astype(np.float32), window)
    known = where & (covered > 0.5)
    values = (uniform_filter(squares, window) / np.maximum(covered, 0.5))[known] if known.any() else squares[where]
    middle, above = float(np.median(values)), float(np.mean(values > TOO_MUCH))
    below = float(np.mean(values < TOO_LITTLE))
    if above > limits.too_much_share:
        sentence = f"More than the noise was removed in {100 * above:.0f} % of the study: structure may be lost there."
    elif middle < TOO_LITTLE:
        sentence = f"Only {100 * middle:.0f} % of the noise's variance was removed: the study is still noisy."
    else:
        sentence = f"{100 * middle:.0f} % of the noise's variance was removed, and nowhere much more than noise."
    measures = {"median": middle, "share_above_1.2": above, "share_below_0.5": below}
    flagged = above > limits.too_much_share or middle < TOO_LITTLE
    return Finding("Residual variance", flagged, sentence, measures)


def _whitened(residual: Residual, noise: Noise) -> Residual:
    """With the residual filtered so that noise of a known spectrum would be white in it."""
    if noise.spectrum is None:
        return residual
    white = noise.spectrum.in_plane.whitened(residual.standardised[:, None])[:, 0]
    return replace(residual, standardised=np.where(residual.where, white, 0))


def _whiteness(residual: Residual, noise: Noise) -> Finding:
    """Correlation of neighbours, beyond that of the noise where its spectrum is known."""
    where, expected_white = residual.where, noise.white
    lags = autocorrelation(residual.standardised, where)
    if noise.spectrum is not None:
        lags = lags - np.maximum(noise.spectrum.autocorrelation(LAGS), 0)
    pairs = sum(float((a & b).sum()) for a, b in ((where[:, 1:], where[:, :-1]), (where[..., 1:], where[..., :-1])))
    limit = float(2 / np.sqrt(where.sum()))
    measures: dict[str, Any] = {
        "autocorrelation": [round(float(v), 5) for v in lags],
        "limit": limit,
        "flatness": _flatness(residual),
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
    return Finding("Residual whiteness", flagged, sentence, measures)


def _flatness(residual: Residual) -> float | None:
    """Geometric over arithmetic mean of the radially averaged periodogram, 1 for white; None without whole blocks."""
    blocks, valid = _cut_blocks(residual.standardised), _cut_blocks(residual.where)
    whole = blocks[valid.all(axis=(1, 2))]
    if not len(whole):
        return None
    power = np.mean(np.abs(np.fft.fft2(whole - whole.mean(axis=(1, 2), keepdims=True))) ** 2, axis=0)
    frequency = np.fft.fftfreq(LEAK_BLOCK) * LEAK_BLOCK
    radius = np.rint(np.hypot(frequency[:, None], frequency)).astype(int)
    rings = (np.bincount(radius.ravel(), power.ravel()) / np.bincount(radius.ravel()))[1 : LEAK_BLOCK // 2 + 1]
    return float(np.exp(np.log(rings).mean()) / rings.mean()) if rings.min() > 0 else 0.0


def _leakage(residual: Residual, rng: np.random.Generator) -> Finding:
    """Greatest correlation of |residual| with the output's gradient in any block, against shuffled residuals.

    The null distribution is that of the maximum over all blocks, which corrects for testing many.
    """
    output = residual.expected / residual.std
    rows, columns = np.gradient(output, axis=(1, 2)) if min(output.shape[1:]) > 1 else (output, output)
    slope, size, valid = (
        _cut_blocks(a) for a in (np.hypot(rows, columns), np.abs(residual.standardised), residual.where)
    )
    counts = valid.sum(axis=(1, 2))
    usable = np.flatnonzero(counts >= LEAK_VOXELS)
    if not usable.size:
        return Finding("Structure in the residual", False, "The study is too small to look for removed structure.", {})
    strength = (slope * valid).sum(axis=(1, 2))[usable] / counts[usable]
    chosen = usable[np.argsort(-strength, kind="stable")[:LEAK_BLOCKS]]
    # The same number of voxels from each block, drawn at random from its valid ones.
    lots = rng.random((len(chosen), LEAK_BLOCK**2))
    picks = np.where(valid[chosen].reshape(lots.shape), lots, 2).argsort(axis=1)[:, :LEAK_VOXELS]
    slope, size = (_unit(np.take_along_axis(a[chosen].reshape(lots.shape), picks, axis=1)) for a in (slope, size))
    correlation = np.einsum("bv,bv->b", slope, size)
    # The voxels stand in random order, so every cyclic shift of them is a permutation; one transform gives them all.
    spectra = np.conj(np.fft.rfft(slope, axis=1)) * np.fft.rfft(size, axis=1)
    null = np.fft.irfft(spectra, LEAK_VOXELS, axis=1)[:, 1:].max(axis=0)
    greatest = float(correlation.max())
    p = float((1 + (null >= greatest).sum()) / (1 + len(null)))
    share = float(np.mean(correlation > np.quantile(null, 1 - LEAK_LEVEL)))
    flagged = p < LEAK_LEVEL
    power = _power_at_edges(residual, np.hypot(rows, columns))
    if flagged and power > HARMFUL:
        sentence = "At edges, more structure than noise was removed."
    elif flagged:
        sentence = f"More was removed at edges than beside them in {100 * share:.0f} % of {len(chosen)} blocks."
    else:
        sentence = f"Edges left no trace in what was removed ({len(chosen)} blocks, p = {p:.2g})."
    measures: dict[str, Any] = {
        "greatest_correlation": greatest,
        "p": p,
        "blocks": len(chosen),
        "share_of_blocks": share,
        "power_at_edges": power,
        "harmful": int(power > HARMFUL),
    }
    return Finding("Structure in the residual", flagged, sentence, measures)


def _lost_contrast(noisy: np.ndarray, restored: np.ndarray) -> Finding:
    """How much of the contrast between places a few grains of speckle wide was removed."""
    from scipy.ndimage import gaussian_filter

    def band(planes: np.ndarray) -> np.ndarray:
        fine, coarse = (gaussian_filter(planes, (0, width, width)) for width in CONTRAST)
        return fine - coarse

    contrast = float(np.square(band(noisy)).mean(dtype=np.float64))
    share = float(np.square(band(noisy - restored)).mean(dtype=np.float64)) / max(contrast, 1e-12)
    flagged = share > CONTRAST_LOST
    if flagged:
        sentence = f"{100 * share:.0f} % of the contrast coarser than speckle was removed: structure was lost."
    else:
        sentence = f"The contrast coarser than speckle was kept, but for {100 * share:.1f} %."
    measures = {"share_of_contrast": share, "harmful": int(share > CONTRAST_HARM)}
    return Finding("Structure in the residual", flagged, sentence, measures)


def _power_at_edges(residual: Residual, slope: np.ndarray) -> float:
    """Mean of the squared standardised residual where the output is steepest."""
    slopes, squares = slope[residual.where], np.square(residual.standardised[residual.where])
    return float(squares[slopes >= np.quantile(slopes, 1 - STEEPEST)].mean(dtype=np.float64))


def _unsupported(residual: Residual) -> Finding:
    """Edges of the output that the input does not support, both seen through the same matched filter."""
    from scipy.ndimage import gaussian_filter

    def band(a: np.ndarray) -> np.ndarray:
        return gaussian_filter(a, (0, FINE, FINE)) - gaussian_filter(a, (0, COARSE, COARSE))

    impulse = np.zeros((1, 33, 33), np.float32)
    impulse[0, 16, 16] = 1
    norm = float(np.sqrt(np.square(band(impulse)).sum()))
    spread = norm * np.sqrt(
        np.maximum(gaussian_filter(np.square(residual.std), (0, FINE, FINE)), np.finfo(np.float32).tiny)
    )
    output, support = band(residual.expected) / spread, band(residual.observed) / spread
    edges = residual.where & (np.abs(output) > EDGE_SNR)
    unsupported = edges & (support * np.sign(output) < NO_EDGE_SNR)
    number, total = int(unsupported.sum()), int(edges.sum())
    share = number / total if total else 0.0
    flagged = share > UNSUPPORTED_SHARE
    if flagged:
        sentence = f"{100 * share:.0f} % of the restored edges have no counterpart in the noisy study."
    else:
        sentence = "The restored edges are all supported by the noisy study, but for chance."
    return Finding("Unsupported edges", flagged, sentence, {"voxels": number, "edges": total, "share": share})


def _bias(residual: Residual, limits: Limits) -> Finding:
    means, errors = [], []
    for voxels in _distinct(residual):
        values = residual.standardised[voxels]
        means.append(float(values.mean(dtype=np.float64)))
        errors.append(float(2 * values.std(dtype=np.float64) / np.sqrt(values.size)))
    biased = [abs(m) > max(e, limits.bias) for m, e in zip(means, errors, strict=True)]
    if any(biased):
        worst = max(means, key=abs)
        direction = "lowered" if worst > 0 else "raised"
        regions = f"{sum(biased)} of {len(means)} regions"
        sentence = f"Grey values were {direction} by up to {abs(worst):.2f} noise standard deviations in {regions}."
    else:
        sentence = "Mean grey values were kept in dark and bright regions alike."
    return Finding("Mean shift", any(biased), sentence, {"mean_in_sigma": means, "two_standard_errors": errors})


def _distinct(residual: Residual) -> list[np.ndarray]:
    """The judged voxels of each brightness region, dark to bright; regions that the noise hides are taken as one.

    What a method leaves of the noise sorts the voxels of a flat area into regions, and every one would look biased.
    """
    regions: list[np.ndarray] = []
    level = residual.expected / residual.std
    for number in range(len(REGIONS)):
        voxels = residual.where & (residual.regions == number)
        if np.count_nonzero(voxels) <= REGION_WINDOW**2:
            continue
        if regions and level[voxels].mean() - level[regions[-1]].mean() < DISTINCT:
            voxels |= regions.pop()
        regions.append(voxels)
    return regions


def _blobs(places: tuple[Place, ...], grid: Grid) -> Finding:
    """What the list of places says in one sentence."""
    lost = sum(place.change == "lost" for place in places)
    measures = {"lost": lost, "added": len(places) - lost, "greatest_score": places[0].score if places else None}
    if not places:
        return Finding("Lost and added blobs", False, "No small structure was lost or added.", measures)
    first = places[0]
    x, y, z = first.position_mm
    frame, slice_, row, column = (number + 1 for number in first.voxel)
    unit, position = ("mm", f" (LPS {x:.1f}, {y:.1f}, {z:.1f} mm)") if grid.spacing_known else ("pixels", "")
    sentence = (
        f"{lost} small structures were lost and {len(places) - lost} added. The clearest is {first.polarity}, "
        f"{first.width_mm:.3g} {unit} wide and was {first.change}: frame {frame}, slice {slice_}, row {row}, "
        f"column {column}{position}."
    )
    return Finding("Lost and added blobs", True, sentence, measures)


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
