"""The whole panel, as a person works it: a study is chosen, read, restored and reported on."""

from __future__ import annotations

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from Testing.support.compare_user import panes
from Testing.support.panel_user import add_cine, add_head, add_segment, add_volume, names


def test_choosing_a_volume_tells_what_it_is_and_what_is_recommended(user, head):
    user.open(head)
    assert (user.p.modality, user.p.noise) == ("MR", "rician")
    assert user.p.level == pytest.approx(100 * 8 / 220, rel=0.3)
    assert "64 × 64 × 4" in user.ui.recognisedLabel.text
    assert "%" in user.ui.levelLabel.text
    assert not user.ui.whyLabel.visible
    user.press("whyButton")
    assert user.ui.whyLabel.visible
    assert "noise is what MR studies have" in user.ui.whyLabel.text
    user.press("whyButton")
    assert user.ui.methodComboBox.currentText.endswith("(recommended)")
    assert user.ui.applyButton.enabled


def test_choosing_a_volume_shows_it_and_what_is_on_show_is_chosen_at_first(user):
    first, second = (add_volume(ramp(), name, modality="CT", shown=False) for name in ("first", "second"))
    user.open(first)
    assert {background for _, background, _ in panes()} == {"first"}
    user.open(second)
    assert {background for _, background, _ in panes()} == {"second"}
    user.leave()
    user.p.inputVolume = None
    user.come_back()
    user.wait_until_read()
    assert user.p.inputVolume is second


def ramp() -> np.ndarray:
    """A slice without noise: no level can be read off it."""
    return np.add.outer(np.arange(64.0), np.arange(64.0)).astype(np.float32)[None]


def test_a_result_lies_beside_its_input_with_geometry_window_and_evidence(user, head):
    import slicer
    import vtk

    from MedRestoreLib import mrml

    head.GetDisplayNode().SetAutoWindowLevel(False)
    head.GetDisplayNode().SetWindowLevel(150, 90)
    before = slicer.util.arrayFromVolume(head).copy()
    user.open(head, method="adf")
    restored = user.apply()
    matrices = [vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()]
    head.GetIJKToRASMatrix(matrices[0]), restored.GetIJKToRASMatrix(matrices[1])
    difference = [matrices[0].GetElement(i, j) - matrices[1].GetElement(i, j) for i in range(4) for j in range(4)]
    assert np.abs(difference).max() < 1e-6
    assert (restored.GetDisplayNode().GetWindow(), restored.GetDisplayNode().GetLevel()) == (150, 90)
    assert np.array_equal(slicer.util.arrayFromVolume(head), before)
    assert slicer.util.arrayFromVolume(restored)[2, 20:30, 20:30].std() < 0.7 * before[2, 20:30, 20:30].std()
    sums = slicer.util.arrayFromVolume(restored) + slicer.util.arrayFromVolume(mrml.removed_of(restored))
    assert np.allclose(sums, before, atol=1e-3)
    report = json.loads(restored.GetAttribute("MedRestore.report"))
    assert report["plan"]["method"] == "adf"
    assert report["word"].capitalize() in user.ui.verdictLabel.text
    assert not user.ui.evidenceBrowser.visible
    user.press("detailsButton")
    assert user.ui.evidenceBrowser.visible
    assert "research use" in user.ui.evidenceBrowser.plainText
    assert len(user.exchanged()) == 1, "only the study stays, for the next request"


def test_the_panel_restores_what_the_console_restores(user, head):
    import slicer

    user.open(head, method="adf")
    shown = user.apply()
    direct = slicer.util.getModuleLogic("MedRestore").restore(head, method="adf", noise="rician", level=user.p.level)
    arrays = [slicer.util.arrayFromVolume(node) for node in (shown, direct)]
    assert np.allclose(*arrays, atol=1e-4 * arrays[0].max())


def test_a_person_s_choices_outlive_a_new_estimate(user, head):
    user.open(head, method="bm3d", strength=0.5)
    user.press("estimateButton")
    user.wait_until_read()
    assert (user.p.method, user.p.strength) == ("bm3d", 0.5)


def test_another_noise_model_gets_a_level_of_its_own(user, head):
    user.open(head, method="bm3d")
    rician = user.p.level
    user.choose(noise="gaussian")
    user.wait(lambda: user.p.level > 0)
    assert 2 < user.p.level < 12, "in the study's unit; air, where Rician noise is narrower, counts too"
    assert user.p.level != rician


def test_a_volume_without_a_modality_is_asked_about_and_the_answer_is_kept(user):
    from MedRestoreLib import mrml

    node = add_head("unknown")
    mrml.set_modality(node, "")
    user.open(node)
    assert user.p.modality == ""
    assert user.ui.modalityComboBox.currentText == "Not known: please choose"
    assert "Modality is not known" in user.ui.statusLabel.text
    assert user.p.noise == "gaussian"
    assert user.ui.applyButton.enabled
    user.choose(modality="MR")
    assert user.p.noise == "rician"
    assert "Modality" not in user.ui.statusLabel.text
    assert mrml.modality_of(node) == "MR"


@pytest.mark.parametrize("modality", ["NM", "MR", "PT", "CT"])
def test_where_no_level_can_be_read_a_usual_one_is_there_to_start_from(user, modality):
    user.open(add_volume(ramp(), "ramp", modality=modality))
    assert user.p.level > 0
    assert user.ui.levelSlider.value == pytest.approx(user.p.level, rel=0.01)
    assert "No noise level could be read" in user.ui.statusLabel.text
    assert user.ui.applyButton.enabled
    user.choose(method="adf")
    user.choose(level=user.p.level * 2)
    assert user.ui.statusLabel.text == ""
    user.apply()


def test_without_a_level_the_button_says_what_is_missing(user):
    user.open(add_volume(ramp(), "ramp", modality="CT"), level=0.0)
    assert not user.ui.applyButton.enabled
    assert "Set the noise level" in user.ui.statusLabel.text
    assert "Set the noise level" in user.ui.applyButton.toolTip


def test_a_network_that_finds_the_level_itself_does_not_ask_for_one(user):
    from MedRestoreLib import mrml

    user.open(add_volume(ramp(), "ramp", modality="US"))
    assert user.p.level == 0
    assert "by itself" in user.ui.levelLabel.text
    assert mrml.report_of(user.apply())["plan"]["method"] == "unet_att_small"
    user.choose(method="srad")
    assert user.p.level > 0
    assert user.ui.applyButton.enabled


def test_a_sector_in_a_black_surround_is_restored(user):
    """As a scanner stores it: what lies outside the sector is exactly black."""
    from MedRestoreLib import mrml

    y, x = np.mgrid[0:96, -48:48]
    sector = (np.abs(x) < 0.7 * y) & (np.hypot(x, y) < 90)
    frames = [
        (sector * 90 * np.random.default_rng(k).gamma(16, 1 / 16, sector.shape)).clip(0, 255).astype(np.uint8)[None]
        for k in range(3)
    ]
    shown, _ = add_cine(frames)
    user.open(shown)
    assert user.p.method == "unet_att_small"
    assert user.ui.applyButton.enabled
    assert mrml.report_of(user.apply())["plan"]["method"] == "unet_att_small"


def test_the_line_beside_the_button_belongs_to_the_study_on_show(user, head):
    head.SetName("lower case")
    user.open(head, method="adf")
    user.apply()
    assert "'lower case restored (Anisotropic diffusion)' is done" in user.ui.statusLabel.text
    user.choose(level=0.0)
    assert user.ui.statusLabel.text.startswith("Set the noise level")
    user.open(add_volume(ramp(), "ramp", modality="CT"))
    assert "lower case" not in user.ui.statusLabel.text
    assert "No noise level could be read" in user.ui.statusLabel.text


def test_no_text_of_the_panel_names_a_flag_of_the_command_line(user, head):
    user.open(head, method="adf")
    user.p.level = 1e6
    user.press("applyButton")
    user.wait(lambda: not user.panel.restoring.isRunning)
    assert "level" in user.ui.statusLabel.text
    assert "--" not in user.ui.statusLabel.text


def test_a_study_that_cannot_be_restored_is_a_sentence(user):
    import slicer

    user.choose(inputVolume=slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
    assert not user.ui.applyButton.enabled
    assert "empty" in user.ui.recognisedLabel.text or "no voxels" in user.ui.recognisedLabel.text.lower()
    user.choose(inputVolume=add_volume(np.ones((1, 32, 32), np.float32), "constant"))
    assert "same value" in user.ui.recognisedLabel.text
    assert not user.ui.applyButton.enabled


def test_all_frames_of_a_sequence_are_restored_beside_it(user):
    import slicer

    from MedRestoreLib import mrml

    shown = mrml.sample("MedRestoreCine")
    user.open(shown, method="adf")
    assert user.ui.wholeSequenceCheckBox.visible
    restored = user.apply()
    browser, sequence = mrml.sequence_of(restored)
    original = mrml.sequence_of(shown)
    assert browser is original[0]
    assert sequence.GetNumberOfDataNodes() == original[1].GetNumberOfDataNodes()
    assert user.ui.saveReportButton.enabled
    assert slicer.util.arrayFromVolume(restored).shape == slicer.util.arrayFromVolume(shown).shape


def test_inside_a_segment_only(user, head):
    import slicer

    inside = np.zeros((4, 64, 64), bool)
    inside[:, 10:40, 10:40] = True
    segmentation, segment = add_segment(head, inside)
    user.open(head, method="adf", maskSegmentation=segmentation)
    assert not user.ui.applyButton.enabled, "which segment?"
    user.choose(maskSegment=segment)
    before = slicer.util.arrayFromVolume(head)
    after = slicer.util.arrayFromVolume(user.apply())
    assert np.array_equal(after[~inside], before[~inside])
    assert not np.array_equal(after, before)


def test_going_away_and_coming_back_keeps_the_choices(user, head):
    user.open(head, method="bm3d", strength=0.4, level=7.0)
    user.leave()
    user.rest()
    user.come_back()
    user.wait_until_read()
    assert (user.p.method, user.p.strength, user.p.level) == ("bm3d", 0.4, 7.0)


def test_a_second_apply_offers_to_replace_the_first_result(user, head):
    from MedRestoreLib import mrml

    user.open(head, method="adf")
    assert not user.ui.replaceCheckBox.visible
    first = user.apply()
    removed = mrml.removed_of(first)
    assert user.ui.replaceCheckBox.visible
    assert first.GetName() in user.ui.replaceCheckBox.toolTip
    assert user.apply() is not first
    user.choose(lastOutput=first, replaceResult=True, strength=0.5)
    assert user.apply() is first
    assert mrml.removed_of(first) is removed
    assert len(names()) == 5
    assert mrml.report_of(first)["plan"]["strength"] == 0.5


def test_a_restored_cine_is_replaced_with_its_removed_part(user):
    from MedRestoreLib import mrml

    frames = [np.random.default_rng(k).gamma(16, 5, (1, 48, 48)).astype(np.uint8) for k in range(3)]
    shown, _ = add_cine(frames)
    user.open(shown, method="adf")
    first = user.apply()
    removed = mrml.removed_of(first)
    assert first.GetName() in user.ui.replaceCheckBox.toolTip
    before = names()
    user.choose(replaceResult=True, strength=0.5)
    assert user.apply() is first
    assert mrml.removed_of(first) is removed
    assert names() == before
    assert mrml.report_of(first)["plan"]["strength"] == 0.5
    user.choose(wholeSequence=False)
    assert not user.ui.replaceCheckBox.visible, "one frame does not take the place of all"
    single = user.apply()
    assert single is not first
    assert user.ui.replaceCheckBox.visible


def test_report_is_saved_as_a_page_and_as_json(user, head, tmp_path):
    user.open(head, method="adf")
    user.apply()
    asked = user.panel.evidence.askFile
    for name, mark in (("report.html", "<!doctype html>"), ("report.json", '"verdict"')):
        user.panel.evidence.askFile = lambda name=name: str(tmp_path / name)
        user.press("saveReportButton")
        assert mark in (tmp_path / name).read_text()
    user.panel.evidence.askFile = lambda: str(tmp_path / "missing" / "report.html")
    user.press("saveReportButton")
    user.panel.evidence.askFile = asked
    assert "cannot be written" in user.ui.statusLabel.text


def test_a_result_is_exported_as_derived_dicom_where_its_source_came_from_the_database(user, tmp_path, monkeypatch):
    import slicer
    from pydicom import dcmread

    import MedRestoreLib as mr
    from training.simulate.dicom import as_mr

    rng = np.random.default_rng(0)
    image = mr.Image.from_array(rng.integers(50, 900, (4, 32, 40)).astype(np.uint16), modality="MR")
    as_mr(image, tmp_path / "series")
    files = {dcmread(p, stop_before_pixels=True).SOPInstanceUID: str(p) for p in (tmp_path / "series").glob("*.dcm")}
    database = SimpleNamespace(isOpen=True, fileForInstance=files.get, instanceValue=lambda uid, tag: "")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume(mr.read(tmp_path / "series").voxels[0], "series", np.diag([-1.0, -1, 1, 1]), "MR")
    user.open(node, method="adf", level=3.0)
    user.apply()
    assert not user.ui.exportButton.enabled
    assert "DICOM database" in user.ui.exportButton.toolTip
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    user.apply()
    user.panel.evidence.askFolder = lambda: str(tmp_path)
    for name in ("MedRestore_adf", "MedRestore_adf_2"):
        user.press("exportButton")
        assert str(tmp_path / name) in user.ui.statusLabel.text
        written = list((tmp_path / name).glob("*.dcm"))
        assert len(written) == 4
        assert dcmread(written[0]).ImageType[0] == "DERIVED"
    imported = import_into(database, monkeypatch, tmp_path / "database")
    user.press("databaseButton")
    assert "is in the DICOM database" in user.ui.statusLabel.text
    assert [dcmread(path).ImageType[0] for path in imported] == ["DERIVED"] * 4
    assert len({dcmread(path).SeriesInstanceUID for path in imported}) == 1
    import_into(database, monkeypatch, None)
    user.press("databaseButton")
    assert "could not be added" in user.ui.statusLabel.text


def import_into(database, monkeypatch, folder) -> list:
    """Stands in for Slicer's importer: copies files into the database's folder; with None it fails, as it does."""
    imported = []

    def importDicom(dicomDataDir, dicomDatabase=None, copyFiles=False):
        assert copyFiles, "the files were written to a temporary folder"
        if folder is None:
            return False
        shutil.copytree(dicomDataDir, folder)
        imported.extend(sorted(folder.rglob("*.dcm")))
        return True

    module = SimpleNamespace(DICOMUtils=SimpleNamespace(importDicom=importDicom))
    monkeypatch.setitem(sys.modules, "DICOMLib", module)
    return imported


def test_self_test_of_the_module_passes_here_as_far_as_the_host_goes(user, monkeypatch):
    import slicer

    tests = sys.modules[type(user.panel).__module__].MedRestoreTest
    if not hasattr(slicer.app, "coreIOManager"):  # saving whole scenes takes Slicer itself
        monkeypatch.delattr(tests, "test_saved_scene_keeps_the_result_and_the_choices")
    test = tests()
    monkeypatch.setattr(test, "delayDisplay", lambda *arguments: None, raising=False)
    test.runTest()


# The panel's size


def test_the_panel_is_narrow_and_what_is_needed_fits_a_screen(user, head):
    """Without scrolling, on a screen of 1,080 lines: volume, modality, method, Apply, compare, and the verdict."""
    head.SetName("a study whose name somebody made as long as names of studies may well become")
    user.open(head, method="adf")
    user.apply()
    user.press("removedButton")
    user.rest()
    assert user.panel.parent.minimumSizeHint.width() < 400
    user.panel.parent.resize(400, 900)
    user.rest()
    assert user.panel.parent.sizeHint.height() < 900
    user.press("formerLayoutButton")


def test_the_panel_is_narrow_with_everything_unfolded(user, head):
    user.open(head, method="adf")
    user.apply()
    for name in ("segmentsCollapsibleButton", "severalCollapsibleButton", "advancedCollapsibleButton"):
        getattr(user.ui, name).collapsed = False
    user.press("whyButton")
    user.press("detailsButton")
    user.rest()
    assert user.panel.parent.minimumSizeHint.width() < 400
    user.panel.parent.resize(400, 2000)
    user.rest()
    label = user.ui.whyLabel
    assert label.height >= label.heightForWidth(label.width), "what is wrapped is read to its end"
    user.press("whyButton")
    user.press("detailsButton")


def test_boxes_are_as_wide_as_the_panel_whatever_they_held_at_first(user, head):
    user.open(head)
    user.panel.parent.resize(420, 900)
    user.rest()
    narrow = user.ui.methodComboBox.width
    user.panel.parent.resize(700, 900)
    user.rest()
    assert user.ui.methodComboBox.width - narrow > 200
    items = user.ui.methodComboBox.view()
    assert items.minimumWidth >= items.sizeHintForColumn(0)
