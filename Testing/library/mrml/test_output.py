"""What a restoration adds to the scene, and that it adds nothing when it ends early."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer
import vtk

import MedRestoreLib as mr
from MedRestoreLib import mrml
from MedRestoreLib.errors import Cancelled, InvalidPlan, MedRestoreError, UnknownNoise
from Testing.support.mrml_scene import add_volume, hierarchy, ijk_to_ras, matrix_of, node_ids

QUICK = {"method": "adf", "noise": "gaussian", "level": 6.0}


def noisy(shape=(3, 32, 36), seed=0) -> np.ndarray:
    z, y, x = np.indices(shape[:3])
    clean = 100 + 60 * ((y - 16) ** 2 + (x - 18) ** 2 < 100) + 5 * z
    return (clean + np.random.default_rng(seed).normal(0, 6, shape[:3])).clip(0).astype(np.int16)


def colourful(seed=0) -> np.ndarray:
    grey = noisy((1, 32, 36), seed)[..., None]
    return np.clip(grey * [1.0, 0.8, 0.5], 0, 255).astype(np.uint8)


def coded(value: str, meaning: str) -> slicer.vtkCodedEntry:
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, "DCM", meaning)
    return entry


# Where it lies and how it looks


def test_the_output_lies_under_the_same_transform(scene, report):
    node = add_volume(noisy())
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(ijk_to_ras((1, 2, 3))))
    node.SetAndObserveTransformNodeID(transform.GetID())
    restored = mrml.Output(node).add(report)
    assert restored.GetParentTransformNode() is transform
    assert np.array_equal(matrix_of(restored), matrix_of(node))


@pytest.mark.parametrize("automatic", [False, True])
def test_the_output_looks_as_its_input(scene, report, automatic):
    node = add_volume(noisy())
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeIron")
    display.SetInterpolate(False)
    display.SetAutoWindowLevel(automatic)
    if not automatic:
        display.SetWindowLevel(120.0, 80.0)
    display.SetApplyThreshold(True)
    display.SetThreshold(20, 200)
    output = mrml.Output(node)
    output.arrays[0][...] = 1000  # whatever the voxels are
    shown = output.add(report).GetDisplayNode()
    assert shown is not display
    assert not shown.GetAutoWindowLevel()
    assert (shown.GetWindow(), shown.GetLevel()) == (display.GetWindow(), display.GetLevel())
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeIron"
    assert not shown.GetInterpolate()
    assert (shown.GetApplyThreshold(), shown.GetLowerThreshold(), shown.GetUpperThreshold()) == (1, 20, 200)


def test_colours_stay_colours_of_the_same_kind(scene, report):
    node = add_volume(colourful())
    node.SetVoxelVectorType(node.VoxelVectorTypeColorRGB)
    restored = mrml.Output(node).add(report)
    assert restored.GetVoxelVectorType() == node.VoxelVectorTypeColorRGB
    assert restored.GetDisplayNode().IsA("vtkMRMLVectorVolumeDisplayNode")


def test_an_input_that_was_never_shown_is_no_hindrance(scene, report):
    node = add_volume(noisy())
    scene.RemoveNode(node.GetDisplayNode())
    assert mrml.Output(node).add(report).GetDisplayNode() is not None


def test_the_output_keeps_what_its_voxels_measure(scene, report):
    node = add_volume(noisy())
    node.SetVoxelValueQuantity(coded("110852", "Counts"))
    node.SetVoxelValueUnits(coded("{counts}", "Counts"))
    restored = mrml.Output(node).add(report)
    for code in (restored.GetVoxelValueQuantity(), restored.GetVoxelValueUnits()):
        assert code.GetCodeMeaning() == "Counts"
    restored.GetVoxelValueUnits().SetCodeMeaning("other")
    assert node.GetVoxelValueUnits().GetCodeMeaning() == "Counts"
    assert mrml.describe(restored)["unit"] == "counts"


def test_the_output_is_filed_in_the_study_of_its_input(scene, report):
    tree = hierarchy(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    node = add_volume(noisy())
    tree.CreateItem(study, node)
    output = mrml.Output(node)
    restored = output.add(report, keep_removed=True)
    removed = slicer.util.getFirstNodeByName("scan removed")
    for made in (restored, removed):
        assert tree.GetItemParent(tree.GetItemByDataNode(made)) == study


def test_an_output_that_slicer_filed_elsewhere_moves_to_the_study(scene, report):
    tree = hierarchy(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    node, target = add_volume(noisy()), add_volume(noisy(), "chosen")
    tree.CreateItem(study, node)
    tree.CreateItem(tree.GetSceneItemID(), target)
    mrml.Output(node, target=target).add(report)
    assert tree.GetItemParent(tree.GetItemByDataNode(target)) == study


# What it says about itself


def test_the_output_says_how_it_was_made(scene, report):
    node = add_volume(noisy(), "head")
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    restored = mrml.Output(node).add(report)
    assert restored.GetName() == "head restored (Anisotropic diffusion)"
    told = {name: restored.GetAttribute(name) for name in restored.GetAttributeNames()}
    assert json.loads(told.pop("MedRestore.report")) == report
    assert told == {
        "MedRestore.method": "adf",
        "MedRestore.noise": "gaussian",
        "MedRestore.level": "4.0",
        "MedRestore.strength": "0.75",
        "MedRestore.version": mr.__version__,
        "MedRestore.inputSHA256": report["study"]["sha256"],
        "MedRestore.part": "restored",
        "MedRestore.Modality": "MR",
        "DICOM.derivedFromInstanceUIDs": "1.2.3 1.2.4",
    }
    description = restored.GetDescription()
    assert description.startswith("adf, gaussian noise, level 4, strength 0.75; ")
    assert description.endswith(report["verdict"])
    assert "\n" not in description
    assert mrml.report_of(restored) == report
    assert mrml.report_of(node) is None


def test_a_restored_volume_restored_again_still_names_the_first_files(scene, report):
    node = add_volume(noisy())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    twice = mrml.Output(mrml.Output(node).add(report)).add(report)
    assert twice.GetAttribute("DICOM.derivedFromInstanceUIDs") == "1.2.3"
    assert twice.GetAttribute("DICOM.instanceUIDs") is None
    assert mrml.modality_of(twice) == "MR"


def test_names_are_told_apart(scene, report):
    node = add_volume(noisy())
    names = [mrml.Output(node).add(report).GetName() for _ in range(2)]
    assert len(set(names)) == 2
    assert mrml.Output(node, name="mine").add(report).GetName() == "mine"


def test_what_a_node_says_survives_saving_and_loading_the_scene(scene, report):
    node = add_volume(noisy(), "a")
    restored = mrml.Output(node).add(report)
    scene.SetSaveToXMLString(1)
    scene.Commit()
    loaded = slicer.vtkMRMLScene()
    loaded.SetLoadFromXMLString(1)
    loaded.SetSceneXMLString(scene.GetSceneXMLString())
    loaded.Import()
    again = loaded.GetFirstNodeByName(restored.GetName())
    assert mrml.report_of(again) == report
    assert again.GetDescription() == restored.GetDescription()


# The removed part


def test_the_removed_part_is_before_minus_after_around_zero(scene, report):
    node = add_volume(noisy())
    output = mrml.Output(node)
    output.arrays[0][...] = noisy(seed=1)
    output.add(report, keep_removed=True)
    removed = slicer.util.getNode("scan removed")
    assert np.array_equal(slicer.util.arrayFromVolume(removed), noisy().astype(np.float32) - noisy(seed=1))
    assert np.array_equal(matrix_of(removed), matrix_of(node))
    display = removed.GetDisplayNode()
    assert display.GetLevel() == 0
    deviation = (noisy().astype(float) - noisy(seed=1)).std()
    assert display.GetWindow() == pytest.approx(8 * deviation, rel=0.02)
    assert removed.GetAttribute("MedRestore.method") == "adf"


def test_nothing_removed_is_mid_grey_whatever_the_colours_of_the_study(scene, report):
    node = add_volume(noisy())
    node.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeInvertedGrey")
    output = mrml.Output(node)
    output.add(report, keep_removed=True)
    shown = output.removed.GetDisplayNode()
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    assert shown.GetLevel() == 0


def test_the_removed_part_can_be_worked_out_in_steps(scene, report):
    node = add_volume(noisy((40, 256, 256)))
    output = mrml.Output(node)
    output.arrays[0][...] = 3
    assert sum(1 for _ in output.removing()) > 2
    output.add(report, keep_removed=True)
    assert np.array_equal(slicer.util.array("scan removed"), noisy((40, 256, 256)) - np.float32(3))


def test_the_removed_part_of_colours_is_their_luma(scene, report):
    node = add_volume(colourful())
    output = mrml.Output(node)
    output.arrays[0][...] = colourful(1)
    output.add(report, keep_removed=True)
    weights = [0.299, 0.587, 0.114]
    expected = colourful() @ weights - colourful(1) @ weights
    assert np.allclose(slicer.util.array("scan removed"), expected, atol=1e-3)


# Nothing half-made


def test_nothing_is_in_the_scene_before_the_end(scene):
    node = add_volume(noisy())
    nodes = node_ids(scene)
    output = mrml.Output(node)
    output.arrays[0][...] = 1
    assert node_ids(scene) == nodes
    del output
    assert node_ids(scene) == nodes


def test_an_input_removed_in_the_meantime_is_a_message_and_no_node(scene, report):
    node = add_volume(noisy())
    output = mrml.Output(node)
    scene.RemoveNode(node)
    nodes = node_ids(scene)
    output.arrays[0][...] = 1
    with pytest.raises(MedRestoreError, match="removed from the scene"):
        output.add(report)
    assert node_ids(scene) == nodes


def test_a_scene_closed_in_the_meantime_is_a_message_and_no_node(scene, report):
    output = mrml.Output(add_volume(noisy()))
    scene.Clear(False)
    nodes = node_ids(scene)
    with pytest.raises(MedRestoreError, match="removed from the scene"):
        output.add(report)
    assert node_ids(scene) == nodes


# An output that a person chose


def test_a_chosen_output_takes_everything_but_keeps_its_name(scene, report):
    node = add_volume(noisy())
    chosen = add_volume(np.zeros((9, 5, 4), np.float64), "chosen", np.eye(4))
    chosen.SetAttribute("DICOM.instanceUIDs", "9.9")
    output = mrml.Output(node, target=chosen)
    output.arrays[0][...] = noisy()
    nodes = node_ids(scene)
    assert output.add(report) is chosen
    assert node_ids(scene) == nodes
    assert chosen.GetName() == "chosen"
    assert np.array_equal(matrix_of(chosen), matrix_of(node))
    assert np.array_equal(slicer.util.arrayFromVolume(chosen), noisy())
    assert chosen.GetAttribute("DICOM.instanceUIDs") is None


def test_an_output_that_cannot_take_the_result_is_refused(scene):
    node = add_volume(noisy())
    with pytest.raises(InvalidPlan, match="overwrite its input"):
        mrml.Output(node, target=node)
    with pytest.raises(InvalidPlan, match="of another kind"):
        mrml.Output(node, target=add_volume(colourful(), "colours"))


# In this process


@pytest.mark.parametrize("make", [noisy, colourful])
def test_restoring_a_node_is_restoring_its_image(scene, make):
    node = add_volume(make())
    node.SetAttribute("mine", "kept")
    before = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
    restored = mrml.restore(node, modality="MR", **QUICK)
    result = mr.restore(mrml.image_of(node, "MR"), **QUICK)
    assert np.array_equal(slicer.util.arrayFromVolume(restored), result.image.stored()[0])
    assert mrml.report_of(restored)["study"]["sha256"] == result.report.study.sha256
    assert np.array_equal(slicer.util.arrayFromVolume(node), make())
    assert {name: node.GetAttribute(name) for name in node.GetAttributeNames()} == before
    assert restored.GetImageData().GetScalarType() == (vtk.VTK_FLOAT if make is noisy else vtk.VTK_UNSIGNED_CHAR)


def test_voxels_outside_a_mask_stay_as_they_are(scene):
    node = add_volume(noisy())
    inside = np.zeros((3, 32, 36), np.uint8)
    inside[:, 4:20, 4:20] = 1
    label_map = slicer.util.addVolumeFromArray(inside, ijk_to_ras(), nodeClassName="vtkMRMLLabelMapVolumeNode")
    restored = slicer.util.arrayFromVolume(mrml.restore(node, mask=label_map, **QUICK))
    assert np.array_equal(restored[inside == 0], noisy()[inside == 0])
    assert not np.array_equal(restored, noisy())
    same = slicer.util.arrayFromVolume(mrml.restore(node, mask=inside > 0, **QUICK))
    assert np.array_equal(restored, same)


@pytest.mark.parametrize("stop", [0.0, 0.5, 1.0])
def test_a_cancelled_restoration_leaves_the_scene_as_it_was(scene, stop):
    def progress(fraction: float, message: str) -> None:
        if fraction >= stop:
            raise Cancelled("enough")

    node = add_volume(noisy())
    nodes = node_ids(scene)
    with pytest.raises(Cancelled):
        mrml.restore(node, progress=progress, keep_removed=True, **QUICK)
    assert node_ids(scene) == nodes


def test_a_plan_that_does_not_fit_leaves_the_scene_as_it_was(scene):
    node = add_volume(noisy())
    nodes = node_ids(scene)
    with pytest.raises(UnknownNoise, match=re.escape("no noise model 'pink'")):
        mrml.restore(node, noise="pink")
    assert node_ids(scene) == nodes


def test_counts_keep_their_total(scene):
    counts = np.random.default_rng(0).poisson(noisy((1, 48, 48))).astype(np.uint16)
    node = add_volume(counts)
    mrml.set_modality(node, "NM")
    restored = mrml.restore(node, method="bm3d", level=1.0)
    total = slicer.util.arrayFromVolume(restored).sum(dtype=np.float64)
    assert total == pytest.approx(counts.sum(), rel=1e-5)
    assert mrml.modality_of(restored) == "NM"
