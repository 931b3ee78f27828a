"""Both volumes segmented alike on real MRML: by a threshold, or grown from seeds."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from scipy import ndimage
from skimage.filters import threshold_otsu

from MedRestoreLib import mrml
from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.metrics import segmentation
from Testing.support.mrml_scene import add_volume, ijk_to_ras, matrix_of, node_ids
from Testing.support.segmented import SHAPE, add_segmentation, add_transform, ball, box, middle, noise, rows


def hot_ball(matrix=None, shape=SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """A bright ball in noise, and the ball."""
    matrix = ijk_to_ras(spacing=(1, 1, 1)) if matrix is None else matrix
    mask = ball(5, middle(matrix, shape), matrix, shape)
    return noise(shape) + 100 * mask.astype(np.float32), mask


def test_the_same_threshold_makes_the_same_segments_on_both(scene):
    voxels, _ = hot_ball()
    matrix = ijk_to_ras(spacing=(1, 1, 1))
    before, after = add_volume(voxels, "scan", matrix), add_volume(voxels + 20, "restored", matrix)
    table = mrml.segment_alike(before, after, lower=150, upper=230)
    made = [table.GetNthNodeReference("segmentation", k) for k in range(2)]
    assert [node.GetName() for node in made] == ["scan (before)", "scan (after)"]
    for node, array in zip(made, (voxels, voxels + 20), strict=True):
        found = slicer.util.arrayFromSegmentBinaryLabelmap(node, node.GetSegmentation().GetNthSegmentID(0), before)
        assert np.array_equal(found > 0, (array >= 150) & (array <= 230))
        assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is before
    names = [(s.GetName(), s.GetColor()) for s in (n.GetSegmentation().GetNthSegment(0) for n in made)]
    assert names[0] == names[1]
    assert rows(table)[0]["Dice"] == pytest.approx(
        segmentation.dice(*((a >= 150) & (a <= 230) for a in (voxels, voxels + 20)))
    )


def test_the_default_threshold_is_otsus_of_the_original(scene):
    voxels, mask = hot_ball()
    before, after = add_volume(voxels), add_volume(voxels * 0.99)
    lower, upper = mrml.default_thresholds(before, after)
    assert lower == pytest.approx(threshold_otsu(voxels), abs=float(np.ptp(voxels)) / 256)
    assert upper == voxels.max()
    row = rows(mrml.segment_alike(before, after))[0]
    assert row["Volume before"] == pytest.approx(mask.sum() * abs(np.linalg.det(matrix_of(before)[:3, :3])) / 1000)
    assert row["Dice"] > 0.99


def test_segmenting_alike_again_fills_the_same_nodes_and_renamed_ones_are_kept(scene):
    voxels, _ = hot_ball()
    before, after = add_volume(voxels, "scan"), add_volume(voxels, "restored")
    table = mrml.segment_alike(before, after, lower=150)
    nodes, size = node_ids(scene), rows(table)[0]["Volume before"]
    assert mrml.segment_alike(before, after, lower=105) is table
    assert node_ids(scene) == nodes
    assert rows(table)[0]["Volume before"] > size
    kept = table.GetNthNodeReference("segmentation", 0)
    kept.SetName("kept")
    assert mrml.segment_alike(before, after, lower=150) is not table
    assert kept.GetSegmentation().GetNumberOfSegments() == 1
    assert len(node_ids(scene)) > len(nodes)


@pytest.mark.parametrize("limits", [(900, 1000), (300, 200)])
def test_a_threshold_that_selects_nothing_tells_the_ranges_and_adds_no_node(scene, limits):
    voxels, _ = hot_ball()
    before, after = add_volume(voxels, "scan"), add_volume(voxels / 2, "restored")
    nodes = node_ids(scene)
    with pytest.raises(InvalidPlan, match=f"{voxels.min():g} to {voxels.max():g} in 'scan' and .* in 'restored'"):
        mrml.segment_alike(before, after, lower=limits[0], upper=limits[1])
    assert node_ids(scene) == nodes


def test_a_flat_volume_has_no_default_threshold(scene):
    node = add_volume(np.ones(SHAPE, np.float32))
    with pytest.raises(InvalidPlan, match="same value"):
        mrml.segment_alike(node, node)


def seeds_for(mask: np.ndarray, matrix) -> slicer.vtkMRMLSegmentationNode:
    """One seed in the middle of a mask, one along the border of the image."""
    border = ~ndimage.binary_erosion(np.ones(mask.shape, bool), np.ones((1, 3, 3), bool))
    core = ndimage.binary_erosion(mask, np.ones((1, 3, 3), bool), iterations=3)
    return add_segmentation({"ball": core, "rest": border}, matrix)


@pytest.mark.parametrize("shape", [(14, 26, 24), (1, 26, 24)])
def test_seeds_grow_to_where_brightness_changes(scene, shape):
    matrix = ijk_to_ras(spacing=(1, 1, 1))
    mask = ball(7, middle(matrix, shape), matrix, shape)
    clean = 100 + 100 * mask.astype(np.float32)
    before = add_volume(clean + np.random.default_rng(0).normal(0, 8, shape).astype(np.float32), "scan", matrix)
    after = add_volume(clean, "restored", matrix)
    table = mrml.segment_alike(before, after, "grow", seeds=seeds_for(mask, matrix))
    made = table.GetNthNodeReference("segmentation", 1).GetSegmentation()
    assert [made.GetNthSegment(k).GetName() for k in range(2)] == ["ball", "rest"]
    assert made.GetNthSegment(0).GetColor() == (1.0, 0.0, 0.0)
    grown = slicer.util.arrayFromSegmentBinaryLabelmap(
        table.GetNthNodeReference("segmentation", 1), made.GetNthSegmentID(0), after
    )
    assert np.array_equal(grown > 0, mask)
    display = table.GetNthNodeReference("segmentation", 1).GetDisplayNode()
    shown = [display.GetSegmentVisibility(made.GetNthSegmentID(k)) for k in range(2)]
    assert shown == [True, False], "a background that is shown would hide the image"
    row = rows(table)[0]
    assert row["Volume after"] == pytest.approx(mask.sum() / 1000)
    assert row["Dice"] > 0.9


def test_growth_finds_no_way_around_along_the_border(scene):
    row = np.repeat([100, 350, 100, 1000, 10], 4).astype(np.float32)  # left, wall, middle, higher wall, right
    voxels = np.tile(row, (3, 6, 1))
    left, right = box((0, 0, 0), (3, 6, 2), voxels.shape), box((0, 0, 18), (3, 6, 20), voxels.shape)
    volumes = [add_volume(voxels, name) for name in ("scan", "restored")]
    table = mrml.segment_alike(*volumes, "grow", seeds=add_segmentation({"left": left, "right": right}))
    made = table.GetNthNodeReference("segmentation", 0)
    grown = slicer.util.arrayFromSegmentBinaryLabelmap(made, made.GetSegmentation().GetNthSegmentID(0), volumes[0])
    assert grown[:, :, 8:12].all(), "the middle belongs to the side of the lower wall"


def test_a_volume_that_does_not_start_at_index_zero_is_segmented_and_measured_where_it_lies(scene):
    voxels, _ = hot_ball()
    before, after = (add_volume(voxels, name) for name in ("scan", "restored"))
    for node in (before, after):
        data = vtk.vtkImageData()
        data.DeepCopy(node.GetImageData())
        data.SetExtent(5, 5 + SHAPE[2] - 1, -2, -2 + SHAPE[1] - 1, 7, 7 + SHAPE[0] - 1)
        node.SetAndObserveImageData(data)
    table = mrml.segment_alike(before, after, lower=150)
    row = rows(mrml.measure(table.GetNthNodeReference("segmentation", 0), [before]))[0]
    assert row["Voxels"] == (voxels >= 150).sum()
    assert row["Minimum"] >= 150


def test_growing_needs_two_seeds(scene):
    voxels, mask = hot_ball()
    before, after = add_volume(voxels), add_volume(voxels)
    empty = np.zeros(SHAPE, bool)
    for seeds in (None, add_segmentation({"one": mask}), add_segmentation({"one": mask, "none": empty})):
        nodes = node_ids(scene)
        with pytest.raises(InvalidPlan, match="at least two"):
            mrml.segment_alike(before, after, "grow", seeds=seeds)
        assert node_ids(scene) == nodes


def test_a_transformed_volume_keeps_its_segments_in_place(scene):
    voxels, _ = hot_ball()
    volumes = [add_volume(voxels, name) for name in ("scan", "restored")]
    for node in volumes:
        node.SetAndObserveTransformNodeID(add_transform(ijk_to_ras(spacing=(1, 1, 1))).GetID())
    table = mrml.segment_alike(*volumes, lower=150)
    assert rows(table)[0]["Dice"] == 1.0
    assert (
        rows(mrml.measure(table.GetNthNodeReference("segmentation", 0), volumes))[1]["Voxels"] == (voxels >= 150).sum()
    )
