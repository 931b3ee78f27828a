"""Segments on real MRML: measured on the volumes, and those made before compared with those made after."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from MedRestoreLib import mrml
from MedRestoreLib.errors import InvalidPlan, UnsupportedImage
from MedRestoreLib.metrics import segmentation
from Testing.support.mrml_scene import add_sequence, add_volume, hierarchy, ijk_to_ras, node_ids
from Testing.support.segmented import SHAPE, add_segmentation, add_transform, ball, box, coarser, middle, noise, rows

ONE_SCENE = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

angles = st.tuples(*[st.floats(-np.pi, np.pi)] * 3)
spacings = st.tuples(*[st.floats(0.2, 6.0)] * 3)
matrices = st.builds(ijk_to_ras, angles, spacings, st.tuples(*[st.floats(-300, 300)] * 3))


@st.composite
def boxes(draw, shape=SHAPE) -> np.ndarray:
    low = [draw(st.integers(0, size - 2)) for size in shape]
    high = [draw(st.integers(a + 1, size)) for a, size in zip(low, shape, strict=True)]
    return box(low, high, shape)


def measured(masks, volume, matrix=None) -> list[dict]:
    return rows(mrml.measure(add_segmentation(masks, matrix), [volume]))


# Measuring


@ONE_SCENE
@given(mask=boxes(), matrix=matrices, seed=st.integers(0, 99))
def test_a_box_measures_what_numpy_says_on_any_grid(scene, mask, matrix, seed):
    voxels = noise(seed=seed)
    node = add_volume(voxels, matrix=matrix)
    drawn = add_segmentation({"box": mask}, matrix)
    row = rows(mrml.measure(drawn, [node]))[0]
    inside = voxels[mask].astype(np.float64)
    assert row["Voxels"] == mask.sum()
    assert row["Volume mm3"] == pytest.approx(mask.sum() * abs(np.linalg.det(matrix[:3, :3])), rel=1e-6)
    assert row["Volume mL"] == pytest.approx(row["Volume mm3"] / 1000)
    assert row["Mean"] == pytest.approx(inside.mean(), rel=1e-6)
    assert row["SD"] == pytest.approx(inside.std(), abs=1e-5)
    assert (row["Minimum"], row["Maximum"]) == (inside.min(), inside.max())
    scene.RemoveNode(node)
    scene.RemoveNode(drawn)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.9, 2.4), (4.8, 4.8, 4.8)])
def test_the_background_is_the_shell_around_the_segment_outside_every_segment(scene, spacing):
    matrix = ijk_to_ras(spacing=spacing)
    voxels = noise()
    masks = {"lesion": box((5, 9, 8), (9, 15, 14)), "organ": box((5, 10, 16), (9, 14, 20))}
    row = measured(masks, add_volume(voxels, matrix=matrix), matrix)[0]
    distance = ndimage.distance_transform_edt(~masks["lesion"], sampling=spacing[::-1])
    far = max(5.0, 2.0 + 2 * min(spacing))
    around = voxels[(distance >= 2 - 1e-5) & (distance <= far + 1e-5) & ~masks["organ"]].astype(np.float64)
    mean = voxels[masks["lesion"]].mean(dtype=np.float64)
    assert row["Background mean"] == pytest.approx(around.mean())
    assert row["Background SD"] == pytest.approx(around.std())
    assert row["Contrast"] == pytest.approx((mean - around.mean()) / around.std(), abs=1e-6)
    assert row["Ratio"] == pytest.approx(mean / around.mean())


def test_every_segment_has_a_row_on_every_volume_and_empty_ones_say_so(scene):
    before, after = add_volume(noise(), "scan"), add_volume(noise(seed=1), "scan restored")
    masks = {"lesion": box((5, 9, 8), (9, 15, 14)), "nothing": np.zeros(SHAPE, bool)}
    found = rows(mrml.measure(add_segmentation(masks), [before, after]))
    images = ["scan", "scan restored"]
    assert [(r["Segment"], r["Image"]) for r in found] == [(s, i) for s in masks for i in images]
    assert found[0]["Mean"] != found[1]["Mean"]
    for row in found[2:]:
        assert (row["Voxels"], row["Volume mm3"]) == (0, 0.0)
        assert {row["Mean"], row["SD"], row["Minimum"], row["Contrast"]} == {""}
        assert "empty" in row["Remark"]


def test_a_segment_outside_the_volume_is_empty_there(scene):
    matrix = ijk_to_ras(origin=(5000, 0, 0))
    assert measured({"far": box((5, 9, 8), (9, 15, 14))}, add_volume(noise()), matrix)[0]["Voxels"] == 0


def test_a_segment_that_fills_the_volume_has_no_background(scene):
    row = measured({"all": np.ones(SHAPE, bool)}, add_volume(noise()))[0]
    assert row["Voxels"] == np.prod(SHAPE)
    assert row["Contrast"] == ""
    assert "background" in row["Remark"]


def test_the_table_has_units_titles_and_explanations_and_lies_beside_the_restored_volume(scene):
    before, after = add_volume(noise()), add_volume(noise(), "restored")
    counts = slicer.vtkCodedEntry()
    counts.SetValueSchemeMeaning("{counts}", "UCUM", "counts")
    before.SetVoxelValueUnits(counts)
    tree = hierarchy(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    tree.CreateItem(study, after)
    table = mrml.measure(add_segmentation({"box": box((1, 1, 1), (4, 4, 4))}), [before, after])
    assert table.GetColumnTitle("Mean") == "Mean", "Slicer adds the unit"
    assert table.GetColumnUnitLabel("Mean") == "counts"
    assert (table.GetColumnTitle("Volume mm3"), table.GetColumnUnitLabel("Volume mm3")) == ("Volume", "mm³")
    assert table.GetUseColumnTitleAsColumnHeader()
    assert "2 to 5 mm" in table.GetColumnDescription("Contrast")
    assert isinstance(table.GetTable().GetColumnByName("Mean"), vtk.vtkDoubleArray)
    assert tree.GetItemParent(tree.GetItemByDataNode(table)) == study


def test_measuring_again_updates_the_table_and_adds_no_node(scene):
    volumes = [add_volume(noise()), add_volume(noise(seed=1))]
    drawn = add_segmentation({"box": box((1, 1, 1), (4, 4, 4))})
    assert mrml.table_of([drawn], volumes) is None
    table = mrml.measure(drawn, volumes)
    mean, nodes = rows(table)[0]["Mean"], node_ids(scene)
    slicer.util.arrayFromVolume(volumes[0])[...] += 5
    assert mrml.measure(drawn, volumes) is table
    assert node_ids(scene) == nodes
    assert rows(table)[0]["Mean"] == pytest.approx(mean + 5)
    assert mrml.table_of([drawn], volumes) is table
    assert mrml.measure(drawn, volumes[:1]) is not table


def test_measuring_leaves_the_segmentation_and_the_scene_as_they_were(scene):
    node, drawn = add_volume(noise()), add_segmentation({"box": box((1, 1, 1), (4, 4, 4))})
    nodes, modified = node_ids(scene), drawn.GetSegmentation().GetMTime()
    table = mrml.measure(drawn, [node])
    scene.RemoveNode(table)
    assert node_ids(scene) == nodes
    assert drawn.GetSegmentation().GetMTime() == modified


# Grids that differ, transforms, surfaces


def test_an_oversampled_segmentation_counts_the_volumes_own_voxels(scene):
    matrix = ijk_to_ras()
    fine = matrix.copy()
    fine[:3, :3] /= 2
    fine[:3, 3] -= matrix[:3, :3] @ [0.25, 0.25, 0.25]
    mask = box((5, 9, 8), (9, 15, 14))
    voxels = noise()
    row = measured({"box": np.kron(mask, np.ones((2, 2, 2), bool))}, add_volume(voxels, matrix=matrix), fine)[0]
    assert row["Voxels"] == mask.sum()
    assert row["Mean"] == pytest.approx(voxels[mask].mean(dtype=np.float64))


def test_volumes_on_different_grids_are_measured_each_on_its_own(scene):
    matrix, mask = ijk_to_ras(), box((4, 8, 8), (10, 16, 14))
    fine, coarse = add_volume(noise(), "fine", matrix), add_volume(noise((7, 13, 12)), "coarse", coarser(matrix))
    found = rows(mrml.measure(add_segmentation({"box": mask}, matrix), [fine, coarse]))
    assert [row["Voxels"] for row in found] == [mask.sum(), mask.sum() / 8]
    assert found[0]["Volume mm3"] == pytest.approx(found[1]["Volume mm3"])


def test_parent_transforms_of_volume_and_segmentation_count(scene):
    mask, voxels, matrix = box((5, 9, 8), (9, 15, 14)), noise(), ijk_to_ras()
    moved = ijk_to_ras((0.7, 0.1, -0.4), (1, 1, 1), (40, -20, 10))
    node = add_volume(voxels, matrix=matrix)
    node.SetAndObserveTransformNodeID(add_transform(moved).GetID())
    expected = pytest.approx(voxels[mask].mean(dtype=np.float64))
    assert measured({"box": mask}, node, moved @ matrix)[0]["Mean"] == expected
    beside = add_segmentation({"box": mask}, matrix)
    assert rows(mrml.measure(beside, [node]))[0]["Voxels"] != mask.sum()
    beside.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    assert rows(mrml.measure(beside, [node]))[0]["Mean"] == expected


def test_a_transform_that_scales_the_volume_scales_what_is_measured(scene):
    mask, matrix = box((5, 9, 8), (9, 15, 14)), ijk_to_ras(spacing=(1, 1, 1))
    node = add_volume(noise(), matrix=matrix)
    drawn = add_segmentation({"box": mask}, matrix)
    double = add_transform(np.diag([2.0, 2.0, 2.0, 1.0])).GetID()
    node.SetAndObserveTransformNodeID(double)
    drawn.SetAndObserveTransformNodeID(double)
    row = rows(mrml.measure(drawn, [node]))[0]
    assert row["Voxels"] == mask.sum()
    assert row["Volume mm3"] == pytest.approx(8 * mask.sum())


def test_a_bent_volume_is_refused_with_a_sentence(scene):
    node = add_volume(noise())
    node.SetAndObserveTransformNodeID(scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode").GetID())
    with pytest.raises(UnsupportedImage, match="non-linear"):
        measured({"box": box((1, 1, 1), (4, 4, 4))}, node)


def test_a_segmentation_of_surfaces_alone_is_measured_and_stays_as_it_is(scene):
    shape, matrix = (30, 40, 40), ijk_to_ras(spacing=(1.0, 1.0, 1.4))
    centre = middle(matrix, shape)
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(centre)
    sphere.SetRadius(12)
    sphere.SetThetaResolution(90)
    sphere.SetPhiResolution(90)
    sphere.Update()
    drawn = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    drawn.CreateDefaultDisplayNodes()
    drawn.SetSourceRepresentationToClosedSurface()
    drawn.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "ball", (0, 1, 0))
    row = rows(mrml.measure(drawn, [add_volume(noise(shape), matrix=matrix)]))[0]
    assert row["Volume mm3"] == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.02)
    assert not drawn.GetSegmentation().ContainsRepresentation("Binary labelmap")


def test_a_segmentation_without_segments_is_refused_with_a_sentence(scene):
    with pytest.raises(InvalidPlan, match="Segment Editor"):
        measured({}, add_volume(noise()))


def test_single_slices_colours_and_frames_on_show_are_measured(scene):
    mask = box((0, 9, 8), (1, 15, 14), (1, 26, 24))
    flat = noise((1, 26, 24))
    row = measured({"box": mask}, add_volume(flat))[0]
    assert row["Mean"] == pytest.approx(flat[mask].mean(dtype=np.float64))
    assert np.isfinite(row["Contrast"])

    colour = np.stack([np.full(mask.shape, v, np.uint8) for v in (100, 200, 50)], axis=-1)
    assert measured({"box": mask}, add_volume(colour))[0]["Mean"] == pytest.approx(0.299 * 100 + 0.587 * 200 + 5.7)

    frames = [noise((1, 26, 24), seed) for seed in range(3)]
    sequence, browser = add_sequence(frames)
    shown = browser.GetProxyNode(sequence)
    for number in (0, 2):
        browser.SetSelectedItemNumber(number)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        expected = frames[number][mask].mean(dtype=np.float64)
        assert measured({"box": mask}, shown)[0]["Mean"] == pytest.approx(expected)


# Comparing


def compared(before: dict, after: dict, matrix=None) -> list[dict]:
    volumes = [add_volume(noise(), "scan", matrix), add_volume(noise(seed=1), "restored", matrix)]
    return rows(mrml.compare(*(add_segmentation(masks, matrix) for masks in (before, after)), *volumes))


@ONE_SCENE
@given(before=boxes(), after=boxes(), matrix=matrices)
def test_boxes_overlap_as_their_numbers_say(scene, before, after, matrix):
    row = compared({"box": before}, {"box": after}, matrix)[0]
    common, either = (before & after).sum(), (before | after).sum()
    assert row["Dice"] == pytest.approx(2 * common / (before.sum() + after.sum()))
    assert row["IoU"] == pytest.approx(common / either)
    assert row["Precision"] == pytest.approx(common / after.sum())
    assert row["Recall"] == pytest.approx(common / before.sum())
    assert row["HD95"] == pytest.approx(
        segmentation.hd95(after, before, spacing=np.linalg.norm(matrix[:3, :3], axis=0))
    )
    scene.Clear(True)


@pytest.mark.parametrize("apart", [0.0, 3.0, 10.0])
def test_overlapping_balls_have_the_analytic_dice(scene, apart):
    shape, matrix, radius = (70, 70, 70), ijk_to_ras(spacing=(0.5, 0.5, 0.5)), 12.0
    centre = middle(matrix, shape)
    before, after = (ball(radius, centre + side * np.array([apart / 2, 0, 0]), matrix, shape) for side in (-1, 1))
    lens = np.pi * (4 * radius + apart) * (2 * radius - apart) ** 2 / 12
    volumes = [add_volume(noise(shape), name, matrix) for name in ("scan", "restored")]
    table = mrml.compare(*(add_segmentation({"ball": m}, matrix) for m in (before, after)), *volumes)
    row = rows(table)[0]
    assert row["Dice"] == pytest.approx(lens / (4 / 3 * np.pi * radius**3), abs=0.005)
    assert row["Volume before"] == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.01)
    assert row["HD95"] <= apart + 0.5


def test_each_segment_is_measured_on_its_own_volume(scene):
    mask, other = box((5, 9, 8), (9, 15, 14)), box((5, 9, 8), (9, 15, 16))
    row = compared({"box": mask}, {"box": other})[0]
    assert row["Mean before"] == pytest.approx(noise()[mask].mean(dtype=np.float64))
    assert row["Mean after"] == pytest.approx(noise(seed=1)[other].mean(dtype=np.float64))
    assert row["SD after"] == pytest.approx(noise(seed=1)[other].std(dtype=np.float64))
    voxel = abs(np.linalg.det(ijk_to_ras()[:3, :3]))
    assert row["Volume after"] == pytest.approx(other.sum() * voxel / 1000)


def test_segments_are_matched_by_name_then_by_order_and_the_table_says_which(scene):
    boxes = [box((1 + 3 * k, 3, 3), (3 + 3 * k, 9, 9)) for k in range(4)]
    before = {"liver": boxes[0], "left": boxes[1], "right": boxes[2]}
    after = {"links": boxes[1], "liver": boxes[0]}
    found = [(r["Segment"], r["Matched"], r["Dice"]) for r in compared(before, after)]
    assert found[:2] == [("liver", "by name", "1"), ("left / links", "by order", "1")]
    assert found[2] == ("right", "only before", "")
    found = compared({"a": boxes[0]}, {"b": boxes[1], "a": boxes[0]})
    assert [(r["Segment"], r["Matched"]) for r in found] == [("a", "by name"), ("b", "only after")]
    assert found[1]["Volume before"] == ""
    assert found[1]["Volume after"] > 0


def test_empty_segments_compare_without_an_error(scene):
    empty, mask = np.zeros(SHAPE, bool), box((5, 9, 8), (9, 15, 14))
    found = compared({"a": empty, "b": empty}, {"a": mask, "b": empty})
    assert (found[0]["Dice"], found[0]["HD95"]) == (0.0, np.inf)
    assert (found[1]["Dice"], found[1]["HD95"]) == (1.0, 0.0)


def test_a_restored_volume_on_another_grid_compares_in_the_originals(scene):
    matrix, mask = ijk_to_ras(), box((4, 8, 8), (10, 16, 14))
    volumes = add_volume(noise(), "scan", matrix), add_volume(noise((7, 13, 12)), "coarse", coarser(matrix))
    row = rows(mrml.compare(*(add_segmentation({"box": mask}, matrix) for _ in "ab"), *volumes))[0]
    assert row["Dice"] == 1.0
    assert row["Volume after"] == pytest.approx(row["Volume before"])


def test_comparing_again_updates_the_table(scene):
    volumes = add_volume(noise()), add_volume(noise(seed=1))
    pair = [add_segmentation({"box": box((1, 1, 1), (9, 9, 9))}) for _ in "ab"]
    table = mrml.compare(*pair, *volumes)
    assert mrml.compare(*pair, *volumes) is table is mrml.table_of(pair, volumes)
    assert mrml.compare(*pair[::-1], *volumes) is not table


def test_tables_survive_saving_and_loading_the_scene(scene, tmp_path):
    volumes = [add_volume(noise()), add_volume(noise(seed=1))]
    drawn = add_segmentation({"box": box((1, 1, 1), (4, 4, 4))})
    mrml.measure(drawn, volumes)
    ids = [node.GetID() for node in (drawn, *volumes)]
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    scene.Clear(False)
    scene.Connect()
    reloaded, *again = (scene.GetNodeByID(i) for i in ids)
    assert mrml.table_of([reloaded], again) is not None
