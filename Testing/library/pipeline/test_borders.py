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


@pytest.mark.parametrize("method", ["unet_att_small", "srad"])
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


@given(
    MARGINS,
    st.lists(st.floats(0.0, 0.03), min_size=4, max_size=4),
    st.integers(1, borders.NEARLY_BLACK),
    st.integers(0, 2**32 - 1),
)
def test_lines_between_tissue_and_black_belong_to_the_border(margins, dims, lines, seed):
    tissue = np.random.default_rng(seed).uniform(80, 255, (60, 64)).astype(np.float32)
    top, bottom, left, right = dims
    dimmed = tissue.copy()
    dimmed[:lines] *= top
    dimmed[-lines:] *= bottom
    dimmed[:, :lines] *= left
    dimmed[:, -lines:] *= right
    above, below, before, behind = margins
    found = borders.filled(np.pad(dimmed, ((above, below), (before, behind)))[None, None])[0, 0]
    widths = ((above + lines, below + lines), (before + lines, behind + lines))
    inside = slice(lines, -lines)
    np.testing.assert_array_equal(found, np.pad(tissue[inside, inside], widths, mode="symmetric"))


@pytest.mark.parametrize("centre", [0, -30, -150])
def test_the_round_edge_of_a_sector_stays(centre):
    rows, columns = np.mgrid[:200, -100:100]
    radius = np.hypot(rows - centre, columns)
    inside = (radius > 20 - centre) & (radius < 195 - centre) & (abs(columns) < 0.9 * (rows - centre))
    frame = np.where(inside, np.random.default_rng(0).uniform(60, 255, rows.shape), 0).astype(np.float32)
    restored = np.full((1, 1, *frame.shape), -1, np.float32)
    borders.put_back(frame[None, None], restored)
    lines = [np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0)]
    assert (restored[0, 0, lines[0][0] : lines[0][-1] + 1, lines[1][0] : lines[1][-1] + 1] == -1).all()


RESIZED = [f"infant_hip/standard_{number}.png" for number in (10, 11, 25)] + ["cine_lung/Reg_Image_181432_crop.mp4"]


@pytest.mark.parametrize("name", RESIZED)
def test_frames_that_were_resized_are_not_darkened_along_their_right_border(data_folder, name):
    frame = mr.read(data_folder / "ultrasound" / name).voxels[0, 0]
    removed = mr.restore(mr.Image.from_array(frame, modality="US"), level=0.15).removed.voxels[0, 0]
    last = np.flatnonzero(removed.any(axis=0))[-1] + 1
    strip = frame[:, last - 12 : last]
    assert abs(removed[:, last - 12 : last][strip > 16].mean()) < 1.5


def test_a_dark_band_of_tissue_along_an_edge_is_no_border():
    frame = np.random.default_rng(0).uniform(180, 255, (1, 1, 64, 64)).astype(np.float32)
    frame[..., :6, :] *= 0.1
    assert borders.filled(frame) is frame
