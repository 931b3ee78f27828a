"""Measures of an image without a reference. A region is an array of any shape: the voxels of a homogeneous area.

Measure contrast on linear data (envelope, counts). Log compression and other monotone grey maps change contrast ratio
and CNR, though an observer sees no more or less than before; only ``gcnr`` is invariant to them.
"""

from __future__ import annotations

import numpy as np

GCNR_BINS = 100


def entropy(image: np.ndarray, *, low: float, high: float) -> float:
    """Shannon entropy of the grey values in bits, from the 256-bin histogram of the image shown in 8 bits.

    Warning: entropy does not measure quality. Noise raises it (10 % of noise on a two-level phantom: from 1 bit to more
    than 4), and so do ghosts, a brighter background and more contrast. Report it only next to that of the noisy image.

    Args:
        low, high: the grey values shown as 0 and 255; values outside are clipped.

    Raises:
        ValueError: ``high`` is not above ``low``.

    >>> entropy(np.array([[0.0, 1.0], [0.0, 1.0]]), low=0, high=1)
    1.0
    """
    if not high > low:
        raise ValueError(f"the window must not be empty: {low} to {high}")
    shown = np.clip(np.rint((np.asarray(image, np.float64) - low) * (255.0 / (high - low))), 0, 255)
    share = np.bincount(shown.astype(np.uint8).ravel(), minlength=256) / shown.size
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum()) + 0.0


def snr(region: np.ndarray) -> float:
    """Mean over standard deviation of a homogeneous region; 1.91 for the envelope of fully developed speckle."""
    region = np.asarray(region, np.float64)
    deviation = region.std()
    return float("inf") if deviation == 0 else float(region.mean() / deviation)


def enl(region: np.ndarray) -> float:
    """Equivalent number of looks of a homogeneous region of linear data: ``(mean / std)²``."""
    return snr(region) ** 2


def contrast_ratio(inside: np.ndarray, outside: np.ndarray) -> float:
    """``20 log10(mean inside / mean outside)`` in dB, for linear data with positive means."""
    return float(20.0 * np.log10(np.mean(inside, dtype=np.float64) / np.mean(outside, dtype=np.float64)))


def cnr(inside: np.ndarray, outside: np.ndarray) -> float:
    """Contrast-to-noise ratio: ``|mean inside - mean outside| / sqrt(var inside + var outside)``."""
    inside, outside = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    spread = np.sqrt(inside.var() + outside.var())
    difference = abs(inside.mean() - outside.mean())
    if spread == 0:
        return float("inf") if difference > 0 else 0.0
    return float(difference / spread)


def gcnr(inside: np.ndarray, outside: np.ndarray) -> float:
    """Generalised CNR, 0 to 1: one minus the overlap of the two normalised histograms.

    An ideal observer assigns the share ``(1 + gCNR) / 2`` of the voxels to the right region (Rodriguez-Molares et al.,
    IEEE TUFFC 67(4), 2020). The edges of the 100 bins are quantiles of both regions together, so that no monotone grey
    map changes the result.
    """
    inside, outside = np.ravel(inside), np.ravel(outside)
    edges = np.unique(np.quantile(np.concatenate([inside, outside]), np.linspace(0, 1, GCNR_BINS + 1), method="lower"))
    edges = np.append(edges, np.inf)  # the maximum gets its own bin: many voxels may be saturated
    shares = [np.histogram(region, edges)[0] / region.size for region in (inside, outside)]
    return float(1.0 - np.minimum(*shares).sum())


def edge_preservation(image: np.ndarray, reference: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Edge preservation index: the correlation of the two images' 3x3 Laplacians (taken in each slice); 1 is best.

    Args:
        image, reference: ``(..., rows, columns)``.
        mask: the voxels to compare; all by default.

    Returns:
        -1 to 1; NaN if either image has no edge at all.
    """
    from scipy.ndimage import laplace

    inner = np.ones(np.shape(image), bool) if mask is None else np.asarray(mask, bool)
    edges = [laplace(np.asarray(a, np.float64), axes=(-2, -1), mode="nearest")[inner] for a in (image, reference)]
    a, b = (e - e.mean() for e in edges)
    scale = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / scale) if scale > 0 else float("nan")


def flicker(frames: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Flicker of a cine in its own unit: the root mean square of its temporal high-pass, in tissue that does not move.

    The high-pass is each frame minus the mean of its two neighbours, scaled so that noise that is independent from
    frame to frame, of standard deviation s, gives s.

    Args:
        frames: ``(frames, ...)``, at least 3 frames.
        mask: ``(...)``, where nothing moves; everywhere by default.

    Raises:
        ValueError: there are fewer than 3 frames.
    """
    cine = np.asarray(frames, np.float64)
    if len(cine) < 3:
        raise ValueError(f"flicker needs at least 3 frames, got {len(cine)}")
    change = (cine[1:-1] - (cine[:-2] + cine[2:]) / 2) / np.sqrt(1.5)
    return float(np.sqrt(np.mean((change if mask is None else change[:, np.asarray(mask, bool)]) ** 2)))
