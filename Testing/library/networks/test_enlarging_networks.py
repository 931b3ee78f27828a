"""What is particular to networks that enlarge: bicubic resampling, and the student."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib import resampling
from MedRestoreLib.networks import resizing
from MedRestoreLib.networks.student import Student
from Testing.support.small_networks import made


def keys(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -1/2, as the documentation of MATLAB's imresize defines it."""
    x = np.abs(distance)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def along_rows(image: np.ndarray, count: int) -> np.ndarray:
    """A column of pixels resized to ``count`` with antialiasing, one weight at a time."""
    scale = count / len(image)
    narrow = min(scale, 1)
    places = (np.arange(count) + 0.5) / scale - 0.5
    around = np.arange(-20, len(image) + 20)
    weights = keys((places[:, None] - around) * narrow)
    mirrored = np.pad(image, ((20, 20), (0, 0)), mode="symmetric")
    return weights / weights.sum(axis=1, keepdims=True) @ mirrored


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("resized", [resizing.reduced, resizing.enlarged])
def test_bicubic_is_that_of_matlab(resized, factor):
    image = np.random.default_rng(0).random((24, 36)).astype(np.float32)
    found = resized(torch.from_numpy(image)[None, None], factor)[0, 0].numpy()
    expected = along_rows(along_rows(image, found.shape[0]).T, found.shape[1]).T
    assert np.allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bicubic_is_that_of_the_path_of_studies(factor):
    """Which judges what networks add, and has no torch."""
    image = np.random.default_rng(0).random((1, 1, 24, 36)).astype(np.float32)
    images = torch.from_numpy(image)
    assert np.allclose(resizing.enlarged(images, factor).numpy(), resampling.enlarged(image, factor), atol=2e-6)
    assert np.allclose(resizing.reduced(images, factor).numpy(), resampling.reduced(image, factor), atol=2e-6)


@pytest.mark.parametrize(("factor", "expected"), [(2, 167_328), (3, 168_768), (4, 170_784)])
def test_the_student_is_as_large_as_the_paper_says(factor, expected):
    assert sum(weight.numel() for weight in Student(factor).parameters()) == expected


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_an_untrained_student_is_bicubic_to_a_grey_value(factor):
    images = torch.rand(2, 1, 17, 23, generator=torch.Generator().manual_seed(0))
    network = made(lambda: Student(factor, layers=4))
    with torch.inference_mode():
        difference = network(images) - resizing.enlarged(images, factor)
    assert difference.shape == (2, 1, 17 * factor, 23 * factor)
    assert difference.abs().max() < 2 / 255


def test_a_student_that_grew_gives_the_same_image():
    images = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    small = made(lambda: Student(2, width=8, layers=3))
    with torch.inference_mode():
        assert torch.equal(small.grown(7)(images), small(images))
    assert len(small.grown(7).middle) == 7


def test_a_pixel_depends_on_no_input_beyond_the_reach():
    network = made(lambda: Student(2, width=8, layers=6))
    images = torch.rand(1, 1, 41, 41, generator=torch.Generator().manual_seed(0)).requires_grad_()
    network(images)[0, 0, 40, 40].backward()
    touched = images.grad[0, 0].nonzero() - 20
    assert touched.abs().max() <= 6 + 2
