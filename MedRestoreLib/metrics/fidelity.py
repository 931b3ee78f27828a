"""How close an image is to its reference.

Both are arrays of one shape, ``(rows, columns)`` or with any axes in front (slices, frames). ``mask`` is a boolean
array of that shape: only voxels inside it are compared. All sums are in float64.
"""

from __future__ import annotations

import numpy as np

# Wang, Simoncelli and Bovik, Asilomar 2003: the weight of each of the five scales.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 13(4), 2004.
SSIM_WINDOW = 11
SSIM_SIGMA = 1.5
SSIM_K1, SSIM_K2 = 0.01, 0.03


def rmse(image: np.ndarray, reference: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Root of the mean squared error, in the images' unit.

    >>> rmse(np.zeros((2, 2)), np.full((2, 2), 3.0))
    3.0
    """
    return float(np.sqrt(_mean_squared_error(image, reference, mask)))


def psnr(
    image: np.ndarray, reference: np.ndarray, *, data_range: float, mask: np.ndarray | None = None, border: int = 0
) -> float:
    """Peak signal-to-noise ratio in dB: ``10 log10(data_range² / MSE)``, with one MSE for the whole array.

    Args:
        data_range: the peak D, in the images' unit (1 on [0, 1], 255 on 8 bit).
        mask: the voxels to compare, e.g. the foreground of an MRI; all by default.
        border: how many rows and columns to leave out on each side (in super-resolution, the upscaling factor).

    Returns:
        dB; infinity for equal images, NaN if either holds a NaN.
    """
    if border:
        inner = (..., slice(border, -border), slice(border, -border))
        image, reference = np.asarray(image)[inner], np.asarray(reference)[inner]
        mask = None if mask is None else np.asarray(mask)[inner]
    error = _mean_squared_error(image, reference, mask)
    return float("inf") if error == 0 else float(10.0 * np.log10(data_range**2 / error))


def ssim(image: np.ndarray, reference: np.ndarray, *, data_range: float, mask: np.ndarray | None = None) -> float:
    """Structural similarity, 1 for equal images: the mean over slices, each compared in 2-D.

    Gaussian window 11x11 of sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance. Only windows that lie wholly inside
    the image count; with ``mask``, only those whose centre lies in it.

    Raises:
        ValueError: shapes differ, a side is shorter than 11, or the mask leaves nothing.
    """
    pairs = _slices(image, reference)
    maps = np.stack([_ssim_map(a, b, data_range, SSIM_K1) for a, b in pairs])
    if mask is None:
        return float(maps.mean())
    margin = SSIM_WINDOW // 2
    flat_mask = np.reshape(mask, (-1, *np.shape(mask)[-2:]))
    return float(_selected(maps, flat_mask[:, margin:-margin, margin:-margin]).mean())


def ms_ssim(image: np.ndarray, reference: np.ndarray, *, data_range: float) -> float:
    """Multi-scale structural similarity, five scales, mean over slices (Wang et al., Asilomar 2003, eq. 7).

    If the mean contrast-structure term is negative at some scale, it is set to 0.

    Raises:
        ValueError: shapes differ, or a side is shorter than 176, so that the coarsest scale has no whole window.
    """
    pairs = _slices(image, reference)
    if min(pairs[0][0].shape) < SSIM_WINDOW * 2 ** (len(MS_SSIM_WEIGHTS) - 1):
        raise ValueError(f"MS-SSIM needs at least 176 rows and columns, got {pairs[0][0].shape}")
    scores = []
    for a, b in pairs:
        score = 1.0
        for scale, weight in enumerate(MS_SSIM_WEIGHTS):
            last = scale == len(MS_SSIM_WEIGHTS) - 1
            # Only the coarsest scale has a luminance term; a huge K1 turns it into 1 at the others.
            similarity = _ssim_map(a, b, data_range, SSIM_K1 if last else 1e6).mean()
            score *= max(similarity, 0.0) ** weight
            a, b = _halved(a), _halved(b)
        scores.append(score)
    return float(np.mean(scores))


def poisson_deviance(counts: np.ndarray, rate: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Mean Poisson deviance of observed ``counts`` under the expected ``rate``, both in counts.

    The mean of ``2 (c ln(c / r) - c + r)`` for counts c and rates r: 0 if each count equals its rate, about 1 for
    Poisson counts whose rate is right and not too low, infinite if there are counts where the rate is 0.

    Raises:
        ValueError: a count or a rate is negative.
    """
    observed, expected = _selected(counts, mask), _selected(rate, mask)
    if observed.min(initial=0) < 0 or expected.min(initial=0) < 0:
        raise ValueError("counts and rates must not be negative")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_term = np.where(observed > 0, observed * np.log(observed / expected), 0.0)
    return float(np.mean(2.0 * (log_term - observed + expected)))


def count_bias(restored: np.ndarray, counts: np.ndarray, *, mask: np.ndarray | None = None) -> float:
    """Relative change of the total, ``(sum restored - sum counts) / sum counts``; ``mask`` may be an organ or a lesion.

    Raises:
        ValueError: the counts sum to 0.

    >>> count_bias(np.array([1.0, 2.0]), np.array([2.0, 2.0]))
    -0.25
    """
    before = _selected(counts, mask).sum()
    if before == 0:
        raise ValueError("the counts sum to 0: there is nothing to compare with")
    return float((_selected(restored, mask).sum() - before) / before)


def _selected(array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    values = np.asarray(array, dtype=np.float64)
    if mask is None:
        return values
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != values.shape or not mask.any():
        raise ValueError(f"the mask of shape {mask.shape} selects nothing of an array of shape {values.shape}")
    return values[mask]


def _mean_squared_error(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None) -> float:
    if np.shape(image) != np.shape(reference):
        raise ValueError(f"shapes differ: {np.shape(image)} and {np.shape(reference)}")
    return float(np.mean((_selected(image, mask) - _selected(reference, mask)) ** 2))


def _slices(image: np.ndarray, reference: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The two arrays as pairs of 2-D slices."""
    if np.shape(image) != np.shape(reference):
        raise ValueError(f"shapes differ: {np.shape(image)} and {np.shape(reference)}")
    flat = [np.reshape(np.asarray(a, np.float64), (-1, *np.shape(a)[-2:])) for a in (image, reference)]
    return list(zip(*flat, strict=True))


def _ssim_map(image: np.ndarray, reference: np.ndarray, data_range: float, k1: float) -> np.ndarray:
    """SSIM of every whole window of a 2-D image: ``(rows - 10, columns - 10)``."""
    from skimage.metrics import structural_similarity

    _, full = structural_similarity(
        image,
        reference,
        data_range=data_range,
        gaussian_weights=True,
        sigma=SSIM_SIGMA,
        use_sample_covariance=False,
        K1=k1,
        K2=SSIM_K2,
        full=True,
    )
    margin = SSIM_WINDOW // 2
    return full[margin:-margin, margin:-margin]


def _halved(image: np.ndarray) -> np.ndarray:
    """Mean of each 2x2 block; an odd last row or column is left out."""
    rows, columns = (side // 2 for side in image.shape)
    return image[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
