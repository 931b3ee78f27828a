"""Sequences: frames and times in, a restored sequence beside its input in the same browser out."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer

import MedRestoreLib as mr
from MedRestoreLib import mrml
from MedRestoreLib.errors import Cancelled, InvalidPlan, UnsupportedImage
from Testing.support.mrml_scene import add_sequence, add_volume, hierarchy, ijk_to_ras, matrix_of, node_ids

QUICK = {"method": "adf", "noise": "gaussian", "level": 6.0, "modality": "US"}


def frames(count=4, shape=(1, 24, 30)) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(80 + 10 * k + rng.normal(0, 6, shape)).clip(0, 255).astype(np.uint8) for k in range(count)]


def shown(browser, sequence, item: int) -> np.ndarray:
    """What the scene shows of a sequence at an item of the browser."""
    browser.SetSelectedItemNumber(item)
    return slicer.util.arrayFromVolume(browser.GetProxyNode(sequence)).copy()


# In


def test_a_sequence_is_found_from_the_volume_that_shows_it(scene):
    add_sequence(frames(), "other")
    sequence, browser = add_sequence(frames())
    second = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "second of this browser")
    for k in range(4):
        second.SetDataNodeAtValue(sequence.GetNthDataNode(k), sequence.GetNthIndexValue(k))
    browser.AddSynchronizedSequenceNodeID(second.GetID())
    assert mrml.sequence_of(browser.GetProxyNode(sequence)) == (browser, sequence)
    assert mrml.sequence_of(browser.GetProxyNode(second)) == (browser, second)
    assert mrml.sequence_of(second) == (browser, second)
    assert mrml.sequence_of(add_volume(frames()[0])) == (None, None)


def test_frames_are_all_of_a_sequence_and_one_of_the_volume_that_shows_it(scene):
    sequence, browser = add_sequence(frames())
    browser.SetSelectedItemNumber(2)
    found = mrml.frames_of(sequence)
    assert np.array_equal(found, frames())
    assert found[1].base is not None
    found[1][0, 0, 0] += 1
    assert np.array_equal(mrml.frames_of(sequence)[1], found[1])
    assert np.array_equal(mrml.frames_of(browser.GetProxyNode(sequence)), frames()[2:3])


@pytest.mark.parametrize(
    ("unit", "times"), [("s", (0.0, 40.0, 95.0)), ("ms", (0.0, 0.04, 0.095)), ("mm", ()), ("", ())]
)
def test_frame_times_are_milliseconds_where_the_index_is_a_time(scene, unit, times):
    sequence, _ = add_sequence(frames(3), values=["0", "0.04", "0.095"], unit=unit)
    assert mrml.image_of(sequence).frame_times == pytest.approx(times)


def test_an_index_of_words_is_no_time_and_stays_an_index_of_words(scene, report):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "phases")
    sequence.SetIndexType(sequence.TextIndex)
    sequence.SetIndexUnit("s")
    for k, phase in enumerate(["rest", "stress"]):
        sequence.SetDataNodeAtValue(add_volume(frames()[k]), phase)
    assert mrml.describe(sequence)["frame_times"] == ()
    assert mrml.image_of(sequence).voxels.shape == (2, 1, 24, 30)
    restored = mrml.sequence_of(mrml.Output(sequence).add(report))[1]
    assert restored.GetIndexType() == sequence.TextIndex
    assert [restored.GetNthIndexValue(k) for k in range(2)] == ["rest", "stress"]


def test_frames_in_quick_succession_stay_apart(scene, report):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "fast")
    sequence.SetNumericIndexValueTolerance(1e-7)
    for k, frame in enumerate(frames()):
        sequence.SetDataNodeAtValue(add_volume(frame), f"{2e-4 * k:.4f}")
    restored = mrml.sequence_of(mrml.Output(sequence).add(report))[1]
    assert restored.GetNumberOfDataNodes() == 4


def test_a_cine_is_one_image_in_the_place_of_its_frames(scene):
    sequence, browser = add_sequence(frames())
    image = mrml.image_of(sequence, "US")
    assert image.voxels.shape == (4, 1, 24, 30)
    assert image.modality == "US"
    assert image.same_grid(mrml.image_of(browser.GetProxyNode(sequence)))


def test_a_persons_answer_holds_for_the_sequence_and_for_what_shows_it_in_any_frame(scene):
    sequence, browser = add_sequence(frames())
    mrml.set_modality(browser.GetProxyNode(sequence), "US")
    browser.SetSelectedItemNumber(3)
    assert mrml.modality_of(browser.GetProxyNode(sequence)) == "US"
    assert mrml.modality_of(sequence) == "US"


def test_the_modality_of_a_sequence_is_that_of_the_series_it_is_shown_in(scene):
    sequence, browser = add_sequence(frames())
    tree = hierarchy(scene)
    item = tree.CreateItem(tree.GetSceneItemID(), browser.GetProxyNode(sequence))
    tree.SetItemAttribute(item, "DICOM.Modality", "US")
    assert mrml.modality_of(sequence) == "US"


# What is refused


def test_a_sequence_of_unequal_frames_is_refused(scene):
    sequence, _ = add_sequence([*frames(2), frames(1, (1, 24, 31))[0]])
    with pytest.raises(UnsupportedImage, match="frame 3 of 'cine' differs"):
        mrml.describe(sequence)


def test_a_sequence_without_frames_is_refused(scene):
    with pytest.raises(UnsupportedImage, match="'empty' has no frames"):
        mrml.describe(scene.AddNewNodeByClass("vtkMRMLSequenceNode", "empty"))


def test_a_sequence_of_something_else_is_refused(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "motion")
    sequence.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")
    with pytest.raises(UnsupportedImage, match="not a sequence of volumes"):
        mrml.describe(sequence)


def test_a_sequence_of_label_maps_is_refused(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "labels")
    node = slicer.util.addVolumeFromArray(frames()[0], nodeClassName="vtkMRMLLabelMapVolumeNode")
    sequence.SetDataNodeAtValue(node, "0")
    with pytest.raises(UnsupportedImage, match="label map"):
        mrml.describe(sequence)


def test_a_volume_that_shows_a_sequence_takes_no_single_result(scene):
    sequence, browser = add_sequence(frames())
    with pytest.raises(InvalidPlan, match="frames of a sequence"):
        mrml.Output(add_volume(frames()[0]), target=browser.GetProxyNode(sequence))
    with pytest.raises(InvalidPlan, match="overwrite its input"):
        mrml.Output(sequence, target=browser.GetProxyNode(sequence))


def test_a_sequence_does_not_fit_into_a_volume(scene):
    sequence, _ = add_sequence(frames())
    target = add_volume(frames()[0])
    with pytest.raises(InvalidPlan, match="shows no sequence"):
        mrml.restore(sequence, output=target, **QUICK)


def test_another_result_takes_the_place_of_an_earlier_one_and_of_its_removed_part(scene, report):
    sequence, browser = add_sequence(frames())
    first = mrml.restore(sequence, keep_removed=True, **QUICK)
    removed = mrml.removed_of(first)
    before, nodes = shown(browser, mrml.sequence_of(first)[1], 2), node_ids(scene)
    again = mrml.restore(sequence, output=first, keep_removed=True, **QUICK | {"level": 20.0})
    assert again is first
    assert mrml.removed_of(first) is removed
    assert node_ids(scene) == nodes, "nothing was added"
    after = shown(browser, mrml.sequence_of(first)[1], 2)
    assert not np.array_equal(after, before)
    assert np.allclose(after + shown(browser, mrml.sequence_of(removed)[1], 2), frames()[2], atol=1e-3)
    assert mrml.report_of(first)["plan"]["level"] == 20.0
    mrml.restore(sequence, output=first, keep_removed=False, **QUICK)
    assert mrml.removed_of(first) is None
    assert removed.GetScene() is None
    assert len(node_ids(scene)) == len(nodes) - 3, "the sequence, what showed it, and its display"


def test_a_result_takes_as_many_frames_as_its_input_has_by_now(scene):
    sequence, _ = add_sequence(frames(4))
    first = mrml.restore(sequence, **QUICK)
    sequence.RemoveDataNodeAtValue(sequence.GetNthIndexValue(3))
    mrml.restore(sequence, output=first, **QUICK)
    assert mrml.sequence_of(first)[1].GetNumberOfDataNodes() == 3


def test_the_restored_sequence_runs_beside_its_input_in_the_same_browser(scene, report):
    sequence, browser = add_sequence(frames(), unit="ms")
    sequence.SetIndexName("trigger")
    output = mrml.Output(sequence)
    for array, frame in zip(output.arrays, frames(), strict=True):
        array[...] = frame + 0.25
    browser.SetSelectedItemNumber(1)
    proxy = output.add(report)
    found, restored = mrml.sequence_of(proxy)
    assert found is browser
    assert restored is not sequence
    assert browser.GetMasterSequenceNode() is sequence
    assert browser.GetSelectedItemNumber() == 1
    assert (restored.GetIndexName(), restored.GetIndexUnit()) == ("trigger", "ms")
    assert restored.GetIndexType() == sequence.GetIndexType()
    indices = [[s.GetNthIndexValue(k) for k in range(4)] for s in (sequence, restored)]
    assert indices[0] == indices[1]
    for k, frame in enumerate(frames()):
        assert np.array_equal(shown(browser, restored, k), frame + np.float32(0.25))
        assert np.array_equal(shown(browser, sequence, k), frame)
        assert np.abs(matrix_of(restored.GetNthDataNode(k)) - matrix_of(sequence.GetNthDataNode(k))).max() < 1e-6
    assert browser.GetProxyNode(restored) is proxy


def test_adding_a_sequence_adds_no_stray_node_and_copies_no_frame(scene, report):
    sequence, _ = add_sequence(frames())
    nodes = set(node_ids(scene))
    output = mrml.Output(sequence)
    proxy = output.add(report)
    kinds = sorted(scene.GetNodeByID(id).GetClassName() for id in set(node_ids(scene)) - nodes)
    assert kinds == [
        "vtkMRMLScalarVolumeDisplayNode",
        "vtkMRMLScalarVolumeNode",
        "vtkMRMLSequenceNode",
        "vtkMRMLVolumeArchetypeStorageNode",
    ]
    output.arrays[3][...] = 77
    assert (slicer.util.arrayFromVolume(mrml.sequence_of(proxy)[1].GetNthDataNode(3)) == 77).all()


def test_any_frame_says_how_it_was_made_and_the_sequence_has_the_report(scene, report):
    sequence, browser = add_sequence(frames(), "echo")
    for k in range(4):
        sequence.GetNthDataNode(k).SetAttribute("DICOM.instanceUIDs", f"1.2.{k}")
    proxy = mrml.Output(sequence).add(report)
    restored = mrml.sequence_of(proxy)[1]
    browser.SetSelectedItemNumber(2)
    assert restored.GetName() == proxy.GetName() == "echo restored (Anisotropic diffusion)"
    for node in (proxy, restored):
        assert node.GetAttribute("MedRestore.method") == "adf"
        assert node.GetAttribute("MedRestore.part") == "restored"
        assert node.GetDescription().endswith(report["verdict"])
        assert node.GetAttribute("DICOM.instanceUIDs") is None
        assert mrml.report_of(node) == report
    assert proxy.GetAttribute("DICOM.derivedFromInstanceUIDs") == "1.2.2"
    assert restored.GetAttribute("DICOM.derivedFromInstanceUIDs") == "1.2.0 1.2.1 1.2.2 1.2.3"


def test_the_restored_sequence_looks_as_its_input_in_every_frame(scene, report):
    sequence, browser = add_sequence(frames())
    source = browser.GetProxyNode(sequence)
    source.CreateDefaultDisplayNodes()
    source.GetDisplayNode().AutoWindowLevelOff()
    source.GetDisplayNode().SetWindowLevel(77.0, 99.0)
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("{echo}", "UCUM", "echoes")
    source.SetVoxelValueUnits(units)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    source.SetAndObserveTransformNodeID(transform.GetID())
    tree = hierarchy(scene)
    study = tree.CreateStudyItem(tree.GetSceneItemID(), "study")
    tree.CreateItem(study, source)
    proxy = mrml.Output(sequence).add(report)
    for item in (0, 3):
        browser.SetSelectedItemNumber(item)
        display = proxy.GetDisplayNode()
        assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (77.0, 99.0, 0)
        assert proxy.GetParentTransformNode() is transform
        assert proxy.GetVoxelValueUnits().GetCodeMeaning() == "echoes"
        assert tree.GetItemParent(tree.GetItemByDataNode(proxy)) == study
    assert mrml.describe(mrml.sequence_of(proxy)[1])["unit"] == "echoes"


def test_the_removed_part_of_a_sequence_is_a_third_sequence(scene, report):
    sequence, browser = add_sequence(frames())
    output = mrml.Output(sequence)
    for array in output.arrays:
        array[...] = 5
    output.add(report, keep_removed=True)
    removed = scene.GetFirstNode("cine removed", "vtkMRMLSequenceNode")
    assert np.array_equal(shown(browser, removed, 2), frames()[2] - np.float32(5))
    assert browser.GetProxyNode(removed).GetDisplayNode().GetLevel() == 0


def test_a_second_result_has_a_name_of_its_own(scene, report):
    sequence, _ = add_sequence(frames())
    names = [mrml.sequence_of(mrml.Output(sequence).add(report))[1].GetName() for _ in range(2)]
    assert len(set(names)) == 2


def test_one_frame_can_be_restored_alone(scene, report):
    sequence, browser = add_sequence(frames())
    proxy = browser.GetProxyNode(sequence)
    browser.SetSelectedItemNumber(2)
    output = mrml.Output(proxy)
    assert len(output.arrays) == 1
    alone = output.add(report)
    assert mrml.sequence_of(alone) == (None, None)
    whole = mrml.Output(proxy, whole_sequence=True)
    assert len(whole.arrays) == 4
    assert mrml.sequence_of(whole.add(report))[0] is browser


def test_a_sequence_that_no_browser_shows_gets_one_for_both(scene, report):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "loose")
    for k, frame in enumerate(frames()):
        node = add_volume(frame)
        sequence.SetDataNodeAtValue(node, str(k))
        scene.RemoveNode(node)
    proxy = mrml.Output(sequence).add(report)
    browser, restored = mrml.sequence_of(proxy)
    assert mrml.sequence_of(sequence) == (browser, sequence)
    assert restored.GetNumberOfDataNodes() == 4


def test_frames_that_lie_elsewhere_stay_where_they_are(scene, report):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "sweep")
    matrices = [ijk_to_ras(origin=(k, 2.0 * k, 0)) for k in range(3)]
    for k, matrix in enumerate(matrices):
        node = add_volume(frames()[k], matrix=matrix)
        sequence.SetDataNodeAtValue(node, str(k))
        scene.RemoveNode(node)
    restored = mrml.sequence_of(mrml.Output(sequence).add(report))[1]
    for k, matrix in enumerate(matrices):
        assert np.abs(matrix_of(restored.GetNthDataNode(k)) - matrix).max() < 1e-6


def test_a_dropped_output_leaves_neither_node_nor_data(scene):
    sequence, browser = add_sequence(frames())
    nodes, synchronised = node_ids(scene), browser.GetNumberOfSynchronizedSequenceNodes(True)
    output = mrml.Output(sequence)
    output.arrays[0][...] = 1
    del output
    assert node_ids(scene) == nodes
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == synchronised


# In this process


def test_restoring_a_sequence_restores_every_frame_with_progress(scene):
    sequence, browser = add_sequence(frames())
    seen = []
    proxy = mrml.restore(
        browser.GetProxyNode(sequence),
        whole_sequence=True,
        progress=lambda fraction, message: seen.append(fraction),
        **QUICK,
    )
    restored = mrml.sequence_of(proxy)[1]
    expected = mr.restore(mrml.image_of(sequence, "US"), **{k: v for k, v in QUICK.items() if k != "modality"})
    for k in range(4):
        assert np.array_equal(shown(browser, restored, k), expected.image.voxels[k])
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_colour_cine_stays_a_colour_cine(scene):
    colours = [np.stack([f, f // 2, f // 3], axis=-1) for f in frames()]
    sequence, browser = add_sequence(colours)
    proxy = mrml.restore(sequence, **QUICK)
    assert proxy.IsA("vtkMRMLVectorVolumeNode")
    restored = shown(browser, mrml.sequence_of(proxy)[1], 3)
    assert restored.dtype == np.uint8
    assert restored.shape == (1, 24, 30, 3)
    assert 0 < np.abs(restored.astype(int) - colours[3]).max() < 60


def test_a_mask_drawn_on_the_frame_on_show_holds_for_all_frames(scene):
    sequence, browser = add_sequence(frames())
    inside = np.zeros((1, 24, 30), np.uint8)
    inside[0, 5:15, 5:20] = 1
    label_map = slicer.util.addVolumeFromArray(inside, ijk_to_ras(), nodeClassName="vtkMRMLLabelMapVolumeNode")
    restored = mrml.sequence_of(mrml.restore(sequence, mask=label_map, **QUICK))[1]
    for k, frame in enumerate(frames()):
        after = shown(browser, restored, k)
        assert np.array_equal(after[inside == 0], frame[inside == 0])
        assert not np.array_equal(after, frame)


def test_a_cancelled_sequence_leaves_the_scene_as_it_was(scene):
    def progress(fraction: float, message: str) -> None:
        if fraction > 0.2:
            raise Cancelled("enough")

    sequence, browser = add_sequence(frames())
    nodes = node_ids(scene)
    with pytest.raises(Cancelled):
        mrml.restore(sequence, progress=progress, **QUICK)
    assert node_ids(scene) == nodes
    assert browser.GetNumberOfSynchronizedSequenceNodes(True) == 1
