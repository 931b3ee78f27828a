"""An Image gives back the very numbers it was made of, whatever their type, and refuses what it cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.image import Image

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64, np.uint64]


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from([*INTEGERS, np.float16, np.float32, np.float64, np.bool_])))
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=4, max_side=5))
    limits = {"min_value": -(2**53) + 1, "max_value": 2**53 - 1} if dtype.itemsize == 8 and dtype.kind == "i" else {}
    limits = {"max_value": 2**53 - 1} if dtype == np.uint64 else limits
    finite = {"allow_nan": False, "allow_infinity": False, "min_value": -(2.0**100), "max_value": 2.0**100}
    finite = {**finite, "min_value": -60000.0, "max_value": 60000.0} if dtype.itemsize == 2 else finite
    elements = hnp.from_dtype(dtype, **(finite if dtype.kind == "f" else limits))
    return draw(hnp.arrays(dtype, shape, elements=elements))


@settings(max_examples=150)
@given(arrays())
def test_untouched_voxels_come_back_bit_for_bit_in_their_type(array):
    image = Image.from_array(array)
    stored = image.stored()
    assert stored.dtype == (np.float32 if array.dtype == np.float16 else array.dtype)
    np.testing.assert_array_equal(stored.reshape(array.shape), array)


@settings(max_examples=50)
@given(
    hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 4)] * 3, st.sampled_from([3, 4]))),
)
def test_colour_comes_back_bit_for_bit_and_brightening_keeps_the_hue(array):
    image = Image.from_array(array, axes="fyxc")
    np.testing.assert_array_equal(image.stored()[:, 0], array)
    brighter = image.with_voxels(image.voxels + 10).stored()[:, 0].astype(int)
    room = (array[..., :3] <= 245).all(axis=-1)
    assert (brighter[..., :3][room] - array[..., :3][room] == 10).all()
    if array.shape[-1] == 4:
        np.testing.assert_array_equal(brighter[..., 3], array[..., 3])


def test_the_brightness_of_colour_is_the_luma_of_bt_601():
    primaries = 200 * np.eye(3, dtype=np.uint8)[None]
    np.testing.assert_allclose(Image.from_array(primaries, axes="yxc").voxels.ravel(), [59.8, 117.4, 22.8], rtol=1e-6)


def test_fractions_are_kept_when_an_integer_study_is_restored():
    image = Image.from_array(np.arange(6, dtype=np.int16).reshape(2, 3))
    restored = image.with_voxels(image.voxels + 0.25)
    assert restored.stored().dtype == np.float32
    np.testing.assert_array_equal(restored.stored(), restored.voxels)


def test_voxels_cannot_be_changed_in_place():
    image = Image.from_array(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="read-only"):
        image.voxels[0, 0, 0, 0] = 1


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"spacing": (1, 0, 1)}, "spacing"),
        ({"spacing": (1, np.nan, 1)}, "spacing"),
        ({"direction": (1, 0, 0, 1, 0, 0, 0, 0, 1)}, "perpendicular"),
        ({"frame_times": (0.0, 1.0)}, "frame times"),
    ],
)
def test_impossible_geometry_is_refused(attributes, message):
    with pytest.raises(UnsupportedImage, match=message):
        Image.from_array(np.zeros((4, 4)), **attributes)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2), dtype="M8[s]"), np.zeros((0, 3)), np.array([["a"]])])
def test_what_is_no_image_is_refused(array):
    with pytest.raises(UnsupportedImage):
        Image.from_array(array)


def test_axes_may_come_in_any_order():
    array = np.arange(24).reshape(2, 3, 4)
    np.testing.assert_array_equal(Image.from_array(array, axes="xyf").voxels[:, 0], array.transpose(2, 1, 0))


def test_the_same_grid_is_told_from_another():
    image = Image.from_array(np.zeros((3, 8, 9)), spacing=(1, 1, 2))
    assert image.same_grid(Image.from_array(np.ones((3, 8, 9)), spacing=(1, 1, 2)))
    assert not image.same_grid(Image.from_array(np.ones((3, 8, 9)), spacing=(1, 1, 2), origin=(0, 0, 1)))
    assert not image.same_grid(Image.from_array(np.ones((3, 8, 9)), spacing=(1, 1.01, 2)))
