"""An enlarged result lies where its input lies, voxel edge on voxel edge, and can be measured beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer
import slicer.util

import MedRestoreLib as mr
from MedRestoreLib import mrml, resampling
from MedRestoreLib.errors import InvalidPlan
from Testing.support.mrml_scene import add_sequence, add_volume, ijk_to_ras, matrix_of, node_ids

PLAN = {"method": "bicubic", "noise": "gaussian", "level": 5.0}


def blob(shape=(2, 20, 24), seed=0) -> np.ndarray:
    _, y, x = np.indices(shape)
    clean = 60 + 100 * ((y - 9.5) ** 2 + (x - 12) ** 2 < 30)
    return (clean + np.random.default_rng(seed).normal(0, 2, shape)).astype(np.int16)


def corners(node) -> np.ndarray:
    """Of the field of view in RAS, from the voxels' own extent."""
    x0, x1, y0, y1, z0, z1 = node.GetImageData().GetExtent()
    ends = [(x, y, z, 1) for x in (x0 - 0.5, x1 + 0.5) for y in (y0 - 0.5, y1 + 0.5) for z in (z0, z1)]
    return (matrix_of(node) @ np.array(ends).T).T


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    factor=st.integers(2, 4),
    angles=st.tuples(*[st.floats(-3, 3)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 4)] * 3),
    origin=st.tuples(*[st.floats(-200, 200)] * 3),
    first=st.tuples(*[st.integers(-5, 9)] * 3),
)
def test_the_field_of_view_stays_whatever_the_axes_and_the_first_index(
    scene, report, factor, angles, spacing, origin, first
):
    node = add_volume(blob((2, 6, 7)), matrix=ijk_to_ras(angles, spacing, origin))
    data = node.GetImageData()
    data.SetExtent(*(edge for start, size in zip(first, (7, 6, 2), strict=True) for edge in (start, start + size - 1)))
    output = mrml.Output(node, factor=factor)
    assert output.arrays[0].shape == (2, 6 * factor, 7 * factor)
    restored = output.add(report)
    np.testing.assert_allclose(corners(restored), corners(node), atol=1e-6)
    np.testing.assert_allclose(restored.GetSpacing(), np.array(node.GetSpacing()) / [factor, factor, 1], rtol=1e-9)


def test_what_the_console_makes_is_what_the_library_makes(scene):
    node = add_volume(blob())
    restored = mrml.restore(node, factor=3, keep_removed=True, trust=True, modality="MR", **PLAN)
    wanted = mr.restore(mrml.image_of(node, "MR"), factor=3, **PLAN)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(restored), wanted.image.voxels[0], atol=1e-4)
    made = mrml.image_of(restored)
    assert made.same_grid(wanted.image, tolerance=1e-6)
    removed = mrml.removed_of(restored)
    assert mrml.image_of(removed).same_grid(made, tolerance=1e-6)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(removed), 0, atol=1e-3)
    invented = mrml.trust_of(restored)["invented"]
    np.testing.assert_allclose(slicer.util.arrayFromVolume(invented), wanted.invented.voxels[0], atol=1e-5)
    assert "enlarged 3 times" in mrml.report_of(restored)["derivation"]


def test_a_method_that_enlarges_needs_no_factor_and_one_that_does_not_refuses_it(scene):
    node = add_volume(blob())
    assert mrml.restore(node, modality="MR", **PLAN).GetImageData().GetDimensions() == (48, 40, 2)
    before = node_ids(scene)
    with pytest.raises(InvalidPlan, match="does not enlarge"):
        mrml.restore(node, method="adf", noise="gaussian", level=5.0, factor=2, modality="MR")
    assert node_ids(scene) == before


def test_a_colour_cine_is_enlarged_frame_by_frame_in_its_browser(scene):
    colours = [np.stack([blob((1, 20, 24), seed)] * 3, axis=-1).clip(0, 255).astype(np.uint8) for seed in range(3)]
    sequence, browser = add_sequence(colours)
    restored = mrml.restore(sequence, method="bicubic", level=0.2, factor=2, modality="US", keep_removed=True)
    made = mrml.sequence_of(restored)[1]
    assert mrml.sequence_of(restored)[0] is browser
    assert made.GetNumberOfDataNodes() == 3
    for number in range(3):
        fine, coarse = made.GetNthDataNode(number), sequence.GetNthDataNode(number)
        assert fine.GetImageData().GetDimensions() == (48, 40, 1)
        assert fine.GetImageData().GetNumberOfScalarComponents() == 3
        np.testing.assert_allclose(corners(fine), corners(coarse), atol=1e-6)
    np.testing.assert_allclose(
        slicer.util.arrayFromVolume(made.GetNthDataNode(1))[0].astype(float),
        np.moveaxis(resampling.enlarged(np.moveaxis(colours[1][0], 2, 0), 2), 0, 2).clip(0, 255),
        atol=1.5,
    )
    assert mrml.removed_of(restored).GetImageData().GetDimensions() == (48, 40, 1)
    browser.SetSelectedItemNumber(2)
    np.testing.assert_allclose(corners(restored), corners(sequence.GetNthDataNode(2)), atol=1e-6)


def test_a_second_factor_takes_the_place_of_the_first(scene):
    node = add_volume(blob())
    first = mrml.restore(node, factor=2, modality="MR", **PLAN)
    again = mrml.restore(node, output=first, factor=4, modality="MR", **PLAN)
    assert again is first
    assert again.GetImageData().GetDimensions() == (96, 80, 2)
    np.testing.assert_allclose(corners(again), corners(node), atol=1e-6)
    back = mrml.restore(node, output=first, method="adf", noise="gaussian", level=5.0, modality="MR")
    np.testing.assert_allclose(matrix_of(back), matrix_of(node), atol=1e-9)


def test_segments_are_measured_on_both_grids_in_millimetres(scene):
    node = add_volume(blob())
    restored = mrml.restore(node, factor=2, modality="MR", **PLAN)
    table = mrml.segment_alike(node, restored, lower=110.0)
    before, after = (mrml.column_of(table, f"Volume {when}")[0] for when in ("before", "after"))
    assert after == pytest.approx(before, rel=0.1)
    assert mrml.column_of(table, "Dice")[0] > 0.93
    assert mrml.column_of(table, "HD95")[0] < 1.0
    drawn = table.GetNthNodeReference("segmentation", 0)
    measured = mrml.measure(drawn, [node, restored])
    volumes, voxels = (mrml.column_of(measured, name) for name in ("Volume mL", "Voxels"))
    assert voxels[1] == 4 * voxels[0]  # the same segment, cut into finer voxels
    assert volumes[1] == pytest.approx(volumes[0], rel=1e-6)
