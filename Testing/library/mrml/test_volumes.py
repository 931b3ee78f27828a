"""Volume nodes as studies: what is read off them, and what is refused with which advice."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib import mrml
from MedRestoreLib.errors import InvalidPlan, UnsupportedImage
from Testing.support.mrml_scene import add_volume, hierarchy, ijk_to_ras, matrix_of

DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]
ONE_SCENE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

angles = st.floats(-np.pi, np.pi)
spacings = st.floats(0.01, 20.0)
matrices = st.builds(
    ijk_to_ras,
    st.tuples(angles, angles, angles),
    st.tuples(spacings, spacings, spacings),
    st.tuples(*[st.floats(-500, 500)] * 3),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
)


def voxels(shape=(3, 12, 14), dtype="int16", seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


def on_scene(image: mr.Image, k: int, j: int, i: int) -> np.ndarray:
    """Where an image puts a voxel, in RAS."""
    axes = np.reshape(image.direction, (3, 3))
    return np.array([-1, -1, 1]) * (axes @ (np.array([i, j, k]) * image.spacing) + image.origin)


@ONE_SCENE
@given(matrix=matrices, dtype=st.sampled_from(DTYPES), shape=st.tuples(*[st.integers(1, 6)] * 3))
def test_every_voxel_keeps_its_value_and_its_place_through_image_and_output(scene, report, matrix, dtype, shape):
    node = add_volume(voxels(shape, dtype), matrix=matrix)
    image = mrml.image_of(node)
    assert np.array_equal(image.voxels[0], voxels(shape, dtype))
    last = np.subtract(shape, 1)
    assert np.allclose(on_scene(image, *last), (matrix @ [*last[::-1], 1])[:3], atol=1e-6)
    assert np.allclose(image.spacing, np.linalg.norm(matrix[:3, :3], axis=0), atol=1e-9)

    output = mrml.Output(node)
    output.arrays[0][...] = image.voxels[0]
    restored = output.add(report)
    assert np.abs(matrix_of(restored) - matrix).max() < 1e-6
    assert restored.GetImageData().GetScalarType() == vtk.VTK_FLOAT
    assert np.array_equal(slicer.util.arrayFromVolume(restored), voxels(shape, dtype))
    scene.RemoveNode(restored)


def test_an_array_that_does_not_start_at_index_zero_lies_where_its_node_says(scene, report):
    node = add_volume(voxels())
    before = mrml.image_of(node)
    data = vtk.vtkImageData()
    data.DeepCopy(node.GetImageData())
    data.SetExtent(5, 18, -2, 9, 7, 9)
    node.SetAndObserveImageData(data)
    moved = (matrix_of(node) @ [5, -2, 7, 1])[:3]
    assert np.allclose(on_scene(mrml.image_of(node), 0, 0, 0), moved, atol=1e-9)
    assert not np.allclose(before.origin, mrml.image_of(node).origin)
    assert mrml.Output(node).add(report).GetImageData().GetExtent() == (5, 18, -2, 9, 7, 9)


def test_frames_are_the_nodes_own_memory_and_images_are_not(scene):
    node = add_volume(voxels(dtype="float32"))
    image = mrml.image_of(node)
    slicer.util.arrayFromVolume(node)[...] = 7
    assert (mrml.frames_of(node)[0] == 7).all()
    assert np.array_equal(image.voxels[0], voxels(dtype="float32"))


def test_a_description_completes_the_voxels_to_the_image(scene):
    node = add_volume(voxels())
    mrml.set_modality(node, "MR")
    image = mr.Image.from_array(mrml.frames_of(node)[0], **mrml.describe(node))
    assert image.same_grid(mrml.image_of(node), 1e-9)
    assert (image.modality, image.frame_times) == ("MR", ())
    assert mrml.describe(node, "CT")["modality"] == "CT"


@pytest.mark.parametrize("components", [3, 4])
def test_a_colour_volume_is_its_luma_and_goes_back_to_the_same_colours(scene, components):
    colours = voxels((1, 12, 14, components), "uint8")
    image = mrml.image_of(add_volume(colours))
    assert image.colour.shape == (1, 1, 12, 14, components)
    assert np.array_equal(image.stored()[0], colours)


@pytest.mark.parametrize(
    ("code", "meaning", "unit"),
    [("[hnsf'U]", "Hounsfield unit", "HU"), ("{SUVbw}g/ml", "Standardized Uptake Value", "SUVbw"), ("ms", "", "ms")],
)
def test_the_unit_is_that_of_the_node(scene, code, meaning, unit):
    node = add_volume(voxels())
    assert mrml.describe(node)["unit"] == ""
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning(code, "UCUM", meaning)
    node.SetVoxelValueUnits(units)
    assert mrml.describe(node)["unit"] == unit


def test_a_linear_transform_above_a_volume_is_left_out(scene):
    node = add_volume(voxels())
    before = mrml.describe(node)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(ijk_to_ras((1, 1, 1), (2, 2, 2))))
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert mrml.describe(node) == before


# What is refused


def test_no_volume_is_refused():
    with pytest.raises(UnsupportedImage, match="no volume is chosen"):
        mrml.describe(None)


def test_a_label_map_is_refused(scene):
    node = slicer.util.addVolumeFromArray(voxels(), nodeClassName="vtkMRMLLabelMapVolumeNode")
    with pytest.raises(UnsupportedImage, match=r"label map.*choose the image"):
        mrml.describe(node)


@pytest.mark.parametrize("allocated", [False, True])
def test_a_volume_without_voxels_is_refused(scene, allocated):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
    if allocated:
        node.SetAndObserveImageData(vtk.vtkImageData())
    with pytest.raises(UnsupportedImage, match="'hollow' is empty"):
        mrml.describe(node)


def test_sheared_axes_are_refused(scene):
    matrix = ijk_to_ras()
    matrix[:3, 2] += 0.3 * matrix[:3, 1]
    with pytest.raises(UnsupportedImage, match=r"sheared.*resample"):
        mrml.describe(add_volume(voxels(), matrix=matrix))


def test_a_transform_that_bends_is_refused(scene):
    node = add_volume(voxels())
    transform = scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    spline = slicer.vtkOrientedBSplineTransform()
    grid = vtk.vtkImageData()
    grid.SetDimensions(6, 6, 6)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    spline.SetCoefficientData(grid)
    transform.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(UnsupportedImage, match="non-linear transform 'warp'"):
        mrml.describe(node)


@pytest.mark.parametrize("components", [2, 9])
def test_vectors_that_are_no_colours_are_refused(scene, components):
    with pytest.raises(UnsupportedImage, match=f"vectors of {components} components"):
        mrml.describe(add_volume(voxels((3, 4, 5, components), "float32")))


def test_three_components_in_space_are_no_colour(scene):
    node = add_volume(voxels((3, 4, 5, 3), "float32"))
    node.SetVoxelVectorType(node.VoxelVectorTypeSpatial)
    with pytest.raises(UnsupportedImage, match="not colours"):
        mrml.describe(node)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_voxels_that_are_no_numbers_are_refused_by_the_library(scene, value):
    array = voxels(dtype="float64")
    array[1, 2, 3] = value
    with pytest.raises(UnsupportedImage, match="1 voxels are not numbers"):
        mrml.restore(add_volume(array), modality="MR")


def test_values_near_the_end_of_their_type_survive(scene):
    array = voxels(dtype="uint32")
    array[0, 0, :2] = 4_000_000_000, 4_294_967_295
    image = mrml.image_of(add_volume(array))
    assert np.array_equal(image.stored()[0], array)


# Modality


def test_a_persons_answer_beats_the_hierarchy_beats_the_database_beats_nothing(scene, monkeypatch):
    node = add_volume(voxels())
    assert mrml.modality_of(node) == ""

    database = SimpleNamespace(isOpen=True, instanceValue=lambda uid, tag: {("1.2.3", "0008,0060"): "MR"}[uid, tag])
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    assert mrml.modality_of(node) == ""
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert mrml.modality_of(node) == "MR"
    database.isOpen = False
    assert mrml.modality_of(node) == ""
    database.isOpen = True

    tree = hierarchy(scene)
    series = tree.CreateFolderItem(tree.CreateStudyItem(tree.GetSceneItemID(), "study"), "series")
    item = tree.CreateItem(series, node)
    tree.SetItemAttribute(series, "DICOM.Modality", "PT")
    assert mrml.modality_of(node) == "PT"
    tree.SetItemAttribute(item, "DICOM.Modality", "NM")
    assert mrml.modality_of(node) == "NM"

    mrml.set_modality(node, "US")
    assert mrml.modality_of(node) == "US"
    mrml.set_modality(node, "")
    assert mrml.modality_of(node) == "NM"


def test_the_volumes_of_a_study_are_its_images_alone(scene, report):
    tree = hierarchy(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    inside = [add_volume(voxels(), "first"), add_volume(voxels((1, 8, 8, 3), "uint8"), "second")]
    labels = slicer.util.addVolumeFromArray(voxels(), nodeClassName="vtkMRMLLabelMapVolumeNode")
    elsewhere = add_volume(voxels(), "elsewhere")
    for node in (inside[0], labels, inside[1]):
        tree.CreateItem(study, node)
    tree.CreateItem(tree.CreateStudyItem(tree.GetSceneItemID(), "another"), elsewhere)
    mrml.Output(inside[0]).add(report)
    assert mrml.study_volumes(inside[1]) == inside
    assert mrml.study_volumes(elsewhere) == [elsewhere]
    alone = add_volume(voxels(), "alone")
    assert mrml.study_volumes(alone) == [alone]


# Masks


def drawn(shape=(3, 12, 14)) -> np.ndarray:
    inside = np.zeros(shape, bool)
    inside[1:, 3:7, 5:13] = True
    return inside


def add_segment(node, inside: np.ndarray, name: str = "lesion") -> slicer.vtkMRMLSegmentationNode:
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "findings")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
    id = segmentation.GetSegmentation().AddEmptySegment("", name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(inside.astype(np.uint8), segmentation, id, node)
    return segmentation


def test_a_segment_is_a_mask_by_its_id_or_its_name(scene):
    node = add_volume(voxels())
    segmentation = add_segment(node, drawn())
    ids = [segmentation.GetSegmentation().GetNthSegmentID(0), "lesion"]
    nodes = scene.GetNumberOfNodes()
    for id in ids:
        assert np.array_equal(mrml.mask_of(segmentation, id, node), drawn())
    assert scene.GetNumberOfNodes() == nodes


def test_a_segment_drawn_on_another_grid_lands_where_it_was_drawn(scene):
    coarse = ijk_to_ras()
    fine = (
        coarse
        @ np.diag([0.5, 0.5, 0.5, 1])
        @ np.array([[1, 0, 0, -0.5], [0, 1, 0, -0.5], [0, 0, 1, -0.5], [0, 0, 0, 1]])
    )
    segmentation = add_segment(add_volume(voxels(), matrix=coarse), drawn())
    target = add_volume(voxels((6, 24, 28)), matrix=fine)
    expected = drawn().repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert np.array_equal(mrml.mask_of(segmentation, "lesion", target), expected)


def test_segments_that_share_their_voxels_are_told_apart(scene):
    node = add_volume(voxels())
    segmentation = add_segment(node, drawn())
    other = np.zeros_like(drawn())
    other[0, 8:, :4] = True
    id = segmentation.GetSegmentation().AddEmptySegment("", "other")
    slicer.util.updateSegmentBinaryLabelmapFromArray(other.astype(np.uint8), segmentation, id, node)
    slicer.modules.segmentations.logic().CollapseBinaryLabelmaps(segmentation, True)
    assert np.array_equal(mrml.mask_of(segmentation, "other", node), other)
    assert np.array_equal(mrml.mask_of(segmentation, "lesion", node), drawn())


def ball(centre: tuple[float, float, float], radius: float) -> vtk.vtkPolyData:
    source = vtk.vtkSphereSource()
    source.SetCenter(centre)
    source.SetRadius(radius)
    source.SetThetaResolution(60)
    source.SetPhiResolution(60)
    source.Update()
    return source.GetOutput()


def test_segments_that_are_surfaces_alone_are_masks(scene):
    node = add_volume(voxels((20, 40, 40)), matrix=np.diag([-1.0, -1.0, 2.0, 1.0]))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces")
    segmentation.AddSegmentFromClosedSurfaceRepresentation(ball((-12, -12, 20), 8), "small", [1, 0, 0])
    segmentation.AddSegmentFromClosedSurfaceRepresentation(ball((-26, -26, 20), 10), "large", [0, 1, 0])
    for name, radius in (("large", 10), ("small", 8)):
        volume = 2 * mrml.mask_of(segmentation, name, node).sum()
        assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.05)


def test_transforms_of_segmentation_and_volume_count(scene):
    node = add_volume(voxels())
    segmentation = add_segment(node, drawn())
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    shift = np.eye(4)
    shift[:3, 3] = matrix_of(node)[:3, 0]  # one column along
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shift))
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    assert np.array_equal(mrml.mask_of(segmentation, "lesion", node), np.roll(drawn(), 1, axis=2))
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert np.array_equal(mrml.mask_of(segmentation, "lesion", node), drawn())


def test_a_label_map_is_a_mask_as_a_whole_or_by_label(scene):
    node = add_volume(voxels())
    labels = drawn().astype(np.uint8)
    labels[0, 0, 0] = 5
    label_map = slicer.util.addVolumeFromArray(labels, ijk_to_ras(), nodeClassName="vtkMRMLLabelMapVolumeNode")
    assert np.array_equal(mrml.mask_of(label_map, "", node), labels > 0)
    assert np.array_equal(mrml.mask_of(label_map, "1", node), drawn())
    with pytest.raises(InvalidPlan, match="not the number of a label"):
        mrml.mask_of(label_map, "lesion", node)


def test_a_mask_that_would_restore_nothing_is_refused(scene):
    node = add_volume(voxels())
    segmentation = add_segment(node, drawn())
    segmentation.GetSegmentation().AddEmptySegment("", "blank")
    far = add_volume(voxels(), "far", ijk_to_ras(origin=(5000, 0, 0)))
    with pytest.raises(InvalidPlan, match="no segment 'tumour'"):
        mrml.mask_of(segmentation, "tumour", node)
    with pytest.raises(InvalidPlan, match="'blank' has no voxel inside 'scan'"):
        mrml.mask_of(segmentation, "blank", node)
    with pytest.raises(InvalidPlan, match="no voxel inside 'far'"):
        mrml.mask_of(segmentation, "lesion", far)
    with pytest.raises(InvalidPlan, match="is no mask"):
        mrml.mask_of(node, "", node)
