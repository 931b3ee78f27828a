"""The report of a problem says what helps, and tells of nobody."""

from __future__ import annotations

import getpass
import logging
import os
import platform
from pathlib import Path

import pytest

from Testing.support.panel_user import add_head

NAME = "Doe^Jane 12345"


def test_it_says_what_helps(user, head):
    user.open(head, method="adf")
    text = user.panel.problem.text()
    for expected in (
        "MedRestore ",
        "Slicer 5.",
        "Python 3.",
        "torch ",
        "numpy ",
        "method: adf",
        "(64, 64, 4)",
        "## Log",
    ):
        assert expected in text


def test_it_holds_no_identity(user, tmp_path):
    import slicer

    from MedRestoreLib import mrml

    head, other = add_head(NAME), add_head("Mueller liver")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Roe")
    hierarchy.SetItemAttribute(patient, "DICOM.PatientName", "Poe^Edgar")
    hierarchy.SetItemAttribute(patient, "DICOM.PatientID", "HOSP-77")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(head), patient)
    user.open(head, method="wnnm")
    user.press("applyButton")
    slicer.mrmlScene.RemoveNode(head)
    user.rest()
    assert NAME in user.ui.statusLabel.text
    user.open(other, method="adf")
    mrml.set_modality(other, "MR")
    user.panel.restoring.say(
        f"'{NAME}' was deleted; /home/jane/secret/scan.nrrd cannot be written (C:\\Users\\jane\\x y.nii)."
    )
    worker = user.panel.workers.first
    worker._note(b'File "/home/jane/.venv/lib/python3.12/site-packages/torch/nn.py", line 3, in forward\n')
    worker._note(b"ValueError: could not convert string to float: 'Poe^Edgar' 1.2.840.113619.2.55.3 19470312 HOSP-77\n")
    logging.getLogger().warning("MedRestore: %s at %s of Roe, jane.doe@example.org", "Mueller liver", tmp_path)
    text = user.panel.problem.text()
    told = (NAME, "Doe", "Jane", "jane", "Poe", "Edgar", "HOSP-77", "Mueller", "Roe", "secret", "Users", str(tmp_path))
    told += ("1.2.840", "19470312", "example.org", str(Path.home()) + os.sep, platform.node())
    assert [one for one in told if one in text] == []
    assert getpass.getuser() not in text.split()
    assert "site-packages/torch/nn.py" in text, "where in the code it happened is no secret"
    assert "ValueError" in text
    assert "MedRestore:" in text


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("/data/PAT 01/a.dcm", ""),
        ('"/data/Jane Doe/a b.dcm" is damaged', "is damaged"),
        (r"D:\studies\doe.nii is damaged", "is damaged"),
        (r"\\server\share\doe.nii is damaged", "is damaged"),
        ("~/scans/doe.nrrd is damaged", "is damaged"),
        ("born 1947-03-12 in", "born"),
        ('File "/opt/x/MedRestoreLib/pipeline/plan.py", line 9', "MedRestoreLib/pipeline/plan.py"),
        ("lower/upper thresholds, 3/4 done, 1.5 mm", "lower/upper thresholds, 3/4 done, 1.5 mm"),
    ],
)
def test_what_tells_of_somebody_goes_and_the_rest_stays(user, told, kept):
    from MedRestorePanel.problem import anonymous

    text = anonymous(told)
    assert kept in text
    for secret in ("PAT", "Jane", "Doe", "doe", "studies", "server", "scans", "1947", "/opt"):
        assert secret not in text


@pytest.mark.parametrize(
    "path", ["/home/jane/secret/scan.nrrd", "/data/home/jane.nii", r"C:\home\jane\secret", "~/home/jane"]
)
def test_a_path_that_holds_a_name_goes_as_a_whole(user, path):
    from MedRestorePanel.problem import anonymous

    assert anonymous(f"{path} is damaged", ["home"]) == "<path> is damaged"


def test_the_text_can_be_copied_and_saved(user, head, tmp_path):
    import slicer

    user.open(head, method="adf")
    user.press("problemButton")
    dialog = user.panel.problem.dialog
    assert dialog.visible
    assert "## Versions" in dialog.edit.plainText
    dialog.edit.plainText += "what I did"
    dialog.copyButton.click()
    assert slicer.app.clipboard().text() == dialog.edit.plainText
    user.panel.problem.askFile = lambda: str(tmp_path / "problem.md")
    dialog.saveButton.click()
    assert (tmp_path / "problem.md").read_text() == dialog.edit.plainText
    dialog.closeButton.click()
    assert not dialog.visible


def test_help_leads_to_the_documentation(user):
    import slicer

    for text in (user.ui.helpLabel.text, slicer.modules.medrestore.helpText):
        assert "SlicerMedRestore#tutorial" in text
        assert "#troubleshooting" in text
    assert user.ui.helpLabel.openExternalLinks
