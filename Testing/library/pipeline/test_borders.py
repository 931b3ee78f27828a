"""Black borders of display frames: methods for speckle neither see them nor change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import MedRestoreLib as mr
from MedRestoreLib.pipeline import borders

MARGINS = st.tuples(*[st.integers(0, 9)] * 4)
TISSUE = arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.floats(8, 255, width=32))


@given(TISSUE, MARGINS)
def test_what_lies_inside_stays_and_what_lies_outside_is_its_mirror_image(tissue, margins):
    top, bottom, left, right = margins
    voxels = np.pad(tissue, ((top, bottom), (left, right)))[None, None]
    found = borders.filled(voxels)
    assert (found is voxels) == (not any(margins))
    np.testing.assert_array_equal(found[0, 0], np.pad(tissue, ((top, bottom), (left, right)), mode="symmetric"))
    restored = found + 1
    borders.put_back(voxels, restored)
    np.testing.assert_array_equal(restored[0, 0], np.pad(tissue + 1, ((top, bottom), (left, right))))


def test_planes_have_borders_of_their_own_and_empty_ones_none():
    voxels = np.full((2, 2, 6, 6), 9, np.float32)
    voxels[0, 1, 0] = 0.1  # as compressed video has it
    voxels[1, 0] = 0
    found = borders.filled(voxels)
    assert (found[0, 1] == 9).all()
    assert not found[1, 0].any()


@pytest.mark.parametrize("method", ["unet_att_small", "unet_att", "srad"])
def test_tissue_beside_a_black_line_is_restored_like_tissue_elsewhere(method):
    rng = np.random.default_rng(0)
    frame = np.uint8(np.clip(rng.normal(140, 15, (2, 96, 112)), 1, 255))
    framed = np.pad(frame, ((0, 0), (1, 2), (3, 0)))
    image = mr.Image.from_array(framed, axes="fyx", modality="US")
    restored = mr.restore(image, method=method, noise="speckle", level=0.1).image.voxels[:, 0]
    inside = restored[:, 1:-2, 3:]
    assert np.count_nonzero(restored) == np.count_nonzero(inside)
    strips = inside[:, :12], inside[:, -12:], inside[:, :, :12]
    assert [strip.mean() for strip in strips] == pytest.approx([inside.mean()] * 3, rel=0.02)


def test_a_bordered_frame_of_a_real_scanner_is_not_darkened_along_its_border(data_folder):
    head = mr.read(data_folder / "ultrasound" / "hc18_native" / "001_HC.png")
    head = mr.Image.from_array(head.voxels[0, 0], axes="yx", modality="US")
    removed = mr.restore(head, method="unet_att_small", noise="speckle", level=0.1).removed.voxels[0, 0]
    assert not removed[-1].any()
    assert not removed[:, :3].any()
    assert abs(removed[-17:-1, 100:400].mean()) < 1  # was 5 grey values
