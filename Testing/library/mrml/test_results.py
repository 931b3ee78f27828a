"""A result knows the study it was made from and the part that was removed; replacing it replaces both."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer
import slicer.util

from MedRestoreLib import mrml
from Testing.support.mrml_scene import add_sequence, add_volume


def noisy(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 6, (3, 16, 18)).astype(np.float32)


def restored(node, report, **options):
    """A result of a node, and the part that was removed."""
    output = mrml.Output(node, target=options.pop("target", None))
    for array in output.arrays:
        array[...] = options.get("value", 90)
    return output.add(report, options.get("keep_removed", True)), output.removed


def names() -> list[str]:
    return [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")]


def test_a_result_leads_to_its_source_and_its_removed_part(scene, report):
    for node in (add_volume(noisy(), "one"), add_volume(noisy(1), "two")):
        result, removed = restored(node, report)
        assert mrml.source_of(result) is node
        assert mrml.removed_of(result) is removed
        assert (result.GetAttribute("MedRestore.part"), removed.GetAttribute("MedRestore.part")) == (
            "restored",
            "removed",
        )
    assert mrml.source_of(node) is None
    assert mrml.removed_of(node) is None


def test_what_is_gone_is_none(scene, report):
    node = add_volume(noisy())
    result, removed = restored(node, report)
    for gone in (node, removed):
        scene.RemoveNode(gone)
    assert mrml.source_of(result) is None
    assert mrml.removed_of(result) is None


def test_a_restored_sequence_leads_there_in_every_frame(scene, report):
    sequence, browser = add_sequence([noisy(k) for k in range(3)])
    result, removed = restored(sequence, report)
    for frame in (0, 2):
        browser.SetSelectedItemNumber(frame)
        assert mrml.source_of(result) is browser.GetProxyNode(sequence)
        assert mrml.removed_of(result) is removed
        assert result.GetAttribute("MedRestore.part") == "restored"


def test_a_scene_that_is_added_to_another_keeps_its_own_together(scene, report):
    restored(add_volume(noisy(), "one"), report)
    scene.SetSaveToXMLString(1)
    scene.Commit()
    scene.SetLoadFromXMLString(1)
    scene.SetSceneXMLString(scene.GetSceneXMLString())
    scene.Import()
    first, second = (n for n in slicer.util.getNodesByClass("vtkMRMLVolumeNode") if " restored" in n.GetName())
    assert mrml.source_of(first) is not mrml.source_of(second)
    assert mrml.removed_of(first) is not mrml.removed_of(second)
    assert None not in (mrml.source_of(second), mrml.removed_of(second))


def test_replacing_a_result_replaces_its_removed_part(scene, report):
    node = add_volume(noisy())
    result, removed = restored(node, report)
    again, removed_again = restored(node, report, target=result, value=80)
    assert again is result
    assert removed_again is removed
    assert names() == ["scan", "scan restored (Anisotropic diffusion)", "scan removed"]
    assert np.allclose(slicer.util.arrayFromVolume(removed), noisy() - 80, atol=1e-4)


def test_replacing_a_result_without_keeping_leaves_no_removed_part_of_the_former(scene, report):
    node = add_volume(noisy())
    result, _ = restored(node, report)
    again, removed = restored(node, report, target=result, keep_removed=False)
    assert removed is None
    assert mrml.removed_of(again) is None
    assert names() == ["scan", "scan restored (Anisotropic diffusion)"]


def test_a_replaced_result_is_called_after_its_method_unless_a_person_named_it(scene, report):
    node = add_volume(noisy())
    result, _ = restored(node, report)
    other = {**report, "plan": {**report["plan"], "method": "bm3d"}}
    restored(node, other, target=result)
    assert result.GetName() == "scan restored (BM3D)"
    result.SetName("mine")
    restored(node, report, target=result)
    assert result.GetName() == "mine"


# The map of trust


def test_the_map_of_trust_lies_beside_the_result_and_has_the_library_s_numbers(scene):
    import MedRestoreLib as mr

    node = add_volume(noisy())
    plain = mrml.restore(node, method="adf", noise="gaussian", level=6.0)
    result = mrml.restore(node, method="adf", noise="gaussian", level=6.0, trust=True)
    assert np.array_equal(slicer.util.arrayFromVolume(result), slicer.util.arrayFromVolume(plain))
    assert mrml.report_of(result)["trust"] is not None
    assert mrml.report_of(plain)["trust"] is None
    assert mrml.trust_of(plain) == {}
    image = mrml.image_of(node)
    plan = mr.recommend(image, method="adf", noise="gaussian", level=6.0)
    expected = mr.trust(mr.restore(image, plan), plan)
    for part, volume in mrml.trust_of(result).items():
        assert np.allclose(slicer.util.arrayFromVolume(volume), getattr(expected, part).voxels[0], rtol=1e-4)
        assert volume.GetAttribute("MedRestore.part") == part
    assert set(mrml.trust_of(result)) == {"half_width", "method_share"}


def test_the_map_of_trust_is_replaced_and_goes_with_its_result(scene):
    node = add_volume(noisy())
    plan = {"method": "adf", "noise": "gaussian"}
    first = mrml.restore(node, level=6.0, trust=True, **plan)
    maps = mrml.trust_of(first)
    again = mrml.restore(node, level=9.0, trust=True, output=first, **plan)
    assert mrml.trust_of(again) == maps
    count = len(names())
    mrml.restore(node, level=9.0, output=first, **plan)
    assert mrml.trust_of(first) == {}
    assert len(names()) == count - len(maps)


def test_a_cine_has_a_map_of_trust_for_every_frame(scene):
    sequence, browser = add_sequence([noisy(k)[:1] for k in range(3)])
    result = mrml.restore(sequence, method="adf", noise="gaussian", level=6.0, trust=True)
    for volume in mrml.trust_of(result).values():
        frames = []
        for frame in range(3):
            browser.SetSelectedItemNumber(frame)
            frames.append(slicer.util.arrayFromVolume(volume).copy())
        assert not np.array_equal(frames[0], frames[2])
