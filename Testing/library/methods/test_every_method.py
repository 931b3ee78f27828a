"""Claims that every method without weights shares, in each number of dimensions that it works in.

``pipeline/test_rows`` holds the methods against what the catalogue says of them: reach, smallest size, options.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.options import Option, known
from Testing.support import phantoms
from Testing.support.denoising import assert_same, psnr, restored, tensor

SIGMA = 0.1


class Case(NamedTuple):
    """A method in 2 or 3 dimensions."""

    row: catalogue.Method
    dimensions: int

    def restored(self, image: np.ndarray, sigma: float = SIGMA, **options) -> np.ndarray:
        with torch.inference_mode():
            return restored(self.row.load(), image, sigma, **options)

    def clean(self, *sides: int) -> np.ndarray:
        """A part of a photograph or of a simulated brain, in [0, 1]."""
        return np.ascontiguousarray(picture(sides))

    def noisy(self, *sides: int, seed: int = 0) -> np.ndarray:
        """The same with the noise that the method is made for."""
        spoilt = phantoms.speckled if self.row.domain == "linear" else phantoms.noisy
        return spoilt(self.clean(*sides), SIGMA, seed)

    @property
    def sides(self) -> tuple[int, ...]:
        return (64, 56) if self.dimensions == 2 else (12, 30, 26)

    def assert_same(self, image: np.ndarray, expected: np.ndarray) -> None:
        """Equal up to rounding, which may make two equally similar blocks change places."""
        swaps = self.row.align > 1
        assert_same(image, expected, rms=3e-4 if swaps else 2e-5, most=2e-2 if swaps else 2e-3)


@cache
def brain() -> np.ndarray:
    return phantoms.simulated_brain(24, 64, 160)


def picture(sides: tuple[int, ...]) -> np.ndarray:
    """A photograph, or the middle of a brain."""
    if len(sides) == 2:
        return phantoms.camera(*sides)
    return brain()[tuple(slice((n - side) // 2, (n + side) // 2) for n, side in zip(brain().shape, sides, strict=True))]


CASES = [Case(row, d) for row in catalogue.making(1) if not row.learned for d in row.dimensions]
OPTIONS = [
    pytest.param(row, option, id=f"{row.id}-{option.name}")
    for row in catalogue.making(1)
    if not row.learned
    for option in known(row.load()).values()
]

every_method = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row.id}-{case.dimensions}")


@every_method
def test_noise_goes(case):
    clean, image = case.clean(*case.sides), case.noisy(*case.sides)
    assert psnr(case.restored(image), clean) > psnr(image, clean) + 4


@every_method
def test_a_border_keeps_its_place_and_its_contrast(case):
    clean = np.full((96, 96) if case.dimensions == 2 else (12, 24, 64), 0.2, np.float32)
    clean[..., 37:] = 0.8
    spoilt = phantoms.speckled if case.row.domain == "linear" else phantoms.noisy
    profile = case.restored(spoilt(clean, SIGMA)).mean(tuple(range(case.dimensions - 1)))
    assert profile[36] < 0.35 < 0.65 < profile[37]
    assert profile[:33].mean() == pytest.approx(0.2, abs=0.02)
    assert profile[41:].mean() == pytest.approx(0.8, abs=0.02)


@every_method
def test_a_constant_image_of_any_size_returns_itself(case):
    @settings(max_examples=6)
    @given(
        value=st.floats(0.25, 1), sigma=st.floats(0.01, 0.1), sides=st.tuples(*[st.integers(0, 20)] * case.dimensions)
    )
    def check(value: float, sigma: float, sides: tuple[int, ...]) -> None:
        image = np.full([case.row.patch + side for side in sides], value, np.float32)
        result = case.restored(image, sigma)
        assert result.shape == image.shape
        np.testing.assert_allclose(result, image, rtol=0, atol=1e-5 + 0.03 * sigma**2)  # BM3D's filter of the mean

    check()


@every_method
@pytest.mark.parametrize("sigma", [0.0, 1e-6])
def test_without_noise_nothing_changes(case, sigma):
    image = case.clean(*case.sides)
    assert_same(case.restored(image, sigma), image, rms=1e-3 * float(image.std()), most=1e-2)


@every_method
def test_the_mean_is_kept(case):
    image = case.noisy(*case.sides)
    assert case.restored(image).mean() == pytest.approx(image.mean(), rel=0.01)


@every_method
def test_turning_the_image_turns_the_result(case):
    """Up to the references, whose lattice begins at the other end of a turned axis."""
    sides = (61, 61) if case.dimensions == 2 else (13, 29, 29)  # both ends of an axis see the same references
    image = case.noisy(*sides)
    plain = case.restored(image)
    error = np.sqrt(np.mean((plain - case.clean(*sides)) ** 2))
    for turn in (np.flipud, np.fliplr, np.transpose):
        difference = turn(case.restored(turn(image))) - plain
        assert np.sqrt(np.mean(difference**2)) < 0.3 * error


@every_method
def test_an_aligned_tile_equals_the_whole(case):
    halo = case.row.reach_at(SIGMA)
    start = case.row.align * (20 // case.row.align)
    length, core = start + 2 * halo + 16 + 20, slice(halo, halo + 16)
    sides = (32,) if case.dimensions == 2 else (8, 9)
    image = np.resize(case.noisy(*sides, 160), (*sides, length))
    for axis in range(case.dimensions):
        turned = np.moveaxis(image, -1, axis)
        whole = np.moveaxis(case.restored(turned), axis, -1)
        tile = turned.take(range(start, start + 2 * halo + 16), axis)
        case.assert_same(np.moveaxis(case.restored(tile), axis, -1)[..., core], whole[..., start:][..., core])


@every_method
def test_an_image_of_a_batch_is_restored_as_if_it_were_alone(case):
    images = [case.noisy(*case.sides, seed=seed) for seed in range(2)]
    images.append(np.zeros_like(images[0]))
    with torch.inference_mode():
        together = case.row.load()(torch.cat([tensor(image) for image in images]), SIGMA)
    assert together.shape == (3, 1, *case.sides)
    for image, result in zip(images, together.numpy(), strict=True):
        case.assert_same(result[0], case.restored(image))


@every_method
def test_the_number_of_threads_does_not_matter_to_the_last_bit(case):
    image, threads = case.noisy(*(3 * side // 2 for side in case.sides)), torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3, 1):
            torch.set_num_threads(count)
            results.append(case.restored(image))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@every_method
@pytest.mark.parametrize("sigma", [1e-9, 0.1, 10.0])
@pytest.mark.parametrize("kind", ["zeros", "saturated", "step", "point"])
def test_extreme_images_give_numbers_near_their_range(case, kind, sigma):
    sides = [max(side, case.row.patch) for side in (32, 28, 24)[-case.dimensions :]]
    image = np.zeros(sides, np.float32)
    if kind == "saturated":
        image[...] = np.triu(np.ones(sides[-2:]))
    elif kind == "step":
        image[: sides[0] // 2] = 1
    elif kind == "point":
        image[tuple(side // 2 for side in sides)] = 1
    result = case.restored(image, sigma)
    assert np.isfinite(result).all()
    assert image.min() - 0.5 <= result.min() <= result.max() <= image.max() + 0.5


@every_method
@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf"), "strong", None])
def test_a_level_that_is_no_number_of_0_or_more_is_refused(case, sigma):
    with pytest.raises(InvalidPlan, match=case.row.id) as caught:
        case.row.load()(torch.zeros(1, 1, *[case.row.patch] * case.dimensions), sigma)
    assert caught.value.field == "level"


@pytest.mark.parametrize(("row", "option"), OPTIONS)
@pytest.mark.parametrize("value", ["many", -1, float("nan"), {"a": 1}], ids=str)
def test_a_bad_option_is_refused_by_name_with_what_it_takes(row: catalogue.Method, option: Option, value):
    with pytest.raises(InvalidPlan) as caught:
        row.load()(torch.zeros(1, 1, *[row.patch] * row.dimensions[0]), SIGMA, **{option.name: value})
    assert caught.value.field == "options"
    for word in (row.id, option.name):
        assert word in str(caught.value)


@every_method
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_agrees_with_a_cpu(case):
    image = case.noisy(*case.sides)
    with torch.inference_mode():
        result = case.row.load()(tensor(image).cuda(), SIGMA)[0, 0].cpu().numpy()
    case.assert_same(result, case.restored(image))
