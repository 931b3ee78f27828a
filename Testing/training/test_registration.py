"""Claims about frames that are laid over one another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from training.data.registration import correlation, register


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """Speckle of a few pixels, 120 x 160; both sides are sizes of fast Fourier transforms."""
    rng = np.random.default_rng(0)
    noise = ndimage.gaussian_filter(rng.standard_normal((120, 160)), 2.0)
    return (0.5 + 0.2 * noise / noise.std()).clip(0, 1).astype(np.float32)


def moved(image: np.ndarray, rows: float, columns: float) -> np.ndarray:
    return ndimage.shift(image, (rows, columns), order=3, mode="mirror").astype(np.float32)


@pytest.mark.parametrize("shift", [(0.4, -0.7), (3.0, 2.0), (-9.0, 12.0)])
def test_a_shifted_frame_comes_back(reference, shift):
    frame = moved(reference, *shift)
    found = register(frame[None], reference)
    inner = (slice(16, -16),) * 2
    assert found.fits[0] > 0.85
    assert np.abs(found.frames[0] - reference)[inner].mean() < 0.25 * np.abs(frame - reference)[inner].mean()


def test_a_still_frame_stays_as_it_is(reference):
    assert np.array_equal(register(reference[None], reference).frames[0], reference)


def test_a_frame_of_something_else_is_replaced_by_the_reference(reference):
    other = np.random.default_rng(1).random(reference.shape).astype(np.float32)
    found = register(other[None], reference)
    assert found.fits[0] < 0.3
    assert np.array_equal(found.frames[0], reference)


def test_neither_argument_is_changed(reference):
    frames, target = moved(reference, 2, 3)[None], reference.copy()
    before = frames.copy()
    register(frames, target)
    assert np.array_equal(frames, before)
    assert np.array_equal(target, reference)


def test_the_number_of_threads_changes_nothing(reference):
    import cv2

    frames, threads = moved(reference, 1.3, -2.2)[None], cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4):
            cv2.setNumThreads(count)
            results.append(register(frames, reference).frames)
    finally:
        cv2.setNumThreads(threads)
    assert all(np.array_equal(results[0], other) for other in results[1:])


def test_correlation_of_a_constant_image_is_none(reference):
    assert correlation(np.ones_like(reference), reference) == 0
