"""What a batch finds below a folder: every study once, whole, and nothing that would stop it."""

from __future__ import annotations

import os
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.service import inputs
from MedRestoreLib.service.inputs import Passed, Study, find
from Testing.support.dicom_studies import brain, edit
from training.simulate.dicom import as_mr


def found(source: Path) -> dict[str, Study]:
    return {f"{s.folder / s.stem}{s.suffix}": s for s in find(source) if isinstance(s, Study)}


def passed(source: Path) -> dict[str, str]:
    return {one.path.as_posix(): one.reason for one in find(source) if isinstance(one, Passed)}


def still(path: Path, uid: str, instance: int) -> Path:
    """A secondary capture without a place in space."""
    from pydicom.uid import generate_uid

    folder = path.parent / "making"
    as_mr(brain(1), folder)
    shutil.move(next(folder.iterdir()), path)
    folder.rmdir()

    def change(dataset):
        dataset.Modality, dataset.SOPClassUID = "US", "1.2.840.10008.5.1.4.1.1.6.1"
        dataset.SeriesInstanceUID, dataset.InstanceNumber = uid, instance
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(path)])
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        del dataset.ImagePositionPatient, dataset.ImageOrientationPatient

    return edit(path, change)


def test_stills_that_share_a_series_are_studies_of_their_own(tmp_path):
    for number in range(3):
        still(tmp_path / f"1.2.840.113.{number}", "1.2.3", number)
    assert set(found(tmp_path)) == {f"1.2.840.113.{number}.dcm" for number in range(3)}


def junk(folder: Path, kind: str) -> str:
    """Put something that is no slice among those of a series; its name."""
    slices = sorted(folder.glob("*.dcm"))
    name = "junk.dcm"
    path = folder / name
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("Dear colleague, ...")
    elif kind == "cut header":
        path.write_bytes(slices[0].read_bytes()[:180])
    elif kind == "copy":
        shutil.copy(slices[0], path)
    elif kind == "resource fork":
        name = "._IM00001.dcm"
        (folder / name).write_bytes(b"\0\5\26\7Mac OS X")
    elif kind in ("damaged attribute", "other size", "report"):
        shutil.copy(slices[0], path)

        def change(dataset):
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
            if kind == "damaged attribute":
                dataset["ImagePositionPatient"]._value = ["a", "b", "c"]
            elif kind == "other size":
                dataset.Rows, dataset.Columns, dataset.PixelData = 4, 5, bytes(40)
            else:
                dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
                for element in ("Rows", "Columns", "PixelData"):
                    delattr(dataset, element)

        edit(path, change)
    return name


@pytest.mark.parametrize(
    "kind",
    ["empty", "text", "cut header", "copy", "resource fork", "damaged attribute", "other size", "report"],
)
def test_junk_in_a_series_does_not_tear_it_apart(tmp_path, kind):
    folder = as_mr(brain(5), tmp_path / "mr")
    slices = set(folder.glob("*.dcm"))
    name = junk(folder, kind)
    studies = found(tmp_path)
    (series,) = (study for study in studies.values() if len(study.files) > 1)
    assert set(series.files) == slices
    others = {study.name for study in studies.values()} - {series.name}
    assert others == ({name} if kind in ("empty", "text", "cut header", "damaged attribute", "other size") else set())
    if kind == "report":
        assert "holds no image" in passed(tmp_path)[f"mr/{name}"]
    np.testing.assert_array_equal(mr.read(series.source).voxels[0], brain(5).voxels[0])


def test_two_series_of_one_folder_and_one_series_of_two_folders_are_two_studies(tmp_path):
    as_mr(brain(3), tmp_path / "a")
    as_mr(brain(4), tmp_path / "b")
    for path in (tmp_path / "b").iterdir():
        path.rename(tmp_path / "a" / f"other-{path.name}")
    shutil.copytree(tmp_path / "a", tmp_path / "a" / "copied")
    sizes = {name: len(study.files) for name, study in found(tmp_path).items()}
    assert sizes == {"a/series-1": 3, "a/series-2": 4, "a/copied/series-1": 3, "a/copied/series-2": 4}


def test_what_cannot_be_read_is_passed_over_and_listed(tmp_path):
    mr.write(brain(2), tmp_path / "good.nrrd")
    os.mkfifo(tmp_path / "pipe.nrrd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "nowhere.nii").symlink_to(tmp_path / "absent")
    (tmp_path / "loop.dcm").symlink_to(tmp_path / "loop.dcm")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / ".hidden.nrrd").write_text("no study")
    (tmp_path / "letter.txt").write_text("Dear colleague, ...")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's name is short
        try:
            server.bind("socket.dcm")
        finally:
            os.chdir(here)
        assert set(found(tmp_path)) == {"good.nrrd"}
        assert set(passed(tmp_path)) == {"pipe.nrrd", "pipe", "nowhere.nii", "loop.dcm", "round", "socket.dcm"}


def test_a_folder_that_stays_shut_is_listed(tmp_path, monkeypatch):
    """The super-user may open every folder, so the system's answer is put in its mouth."""
    mr.write(brain(2), tmp_path / "good.nrrd")
    (tmp_path / "shut").mkdir()
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert set(found(tmp_path)) == {"good.nrrd"}
    assert "Permission denied" in passed(tmp_path)["shut"]


def test_the_sidecar_of_a_study_is_one_of_its_files(tmp_path):
    """What stands there may change what is made of it."""
    mr.write(brain(2), tmp_path / "a.nii.gz")
    (tmp_path / "a.json").write_text("{}")
    (study,) = find(tmp_path)
    assert study.files == (tmp_path / "a.nii.gz", tmp_path / "a.json")


def test_a_study_has_all_its_files(tmp_path):
    pair = mr.write(brain(2), tmp_path / "pair.nhdr")
    (study,) = found(tmp_path).values()
    assert set(study.files) == {pair, tmp_path / "pair.raw.gz"}


def test_processes_find_what_one_finds_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "FILES_A_LOOK", 3)
    for number in range(5):
        as_mr(brain(2), tmp_path / f"{number}")
    (tmp_path / "nowhere.nii").symlink_to(tmp_path / "absent")
    alone = find(tmp_path)
    assert len(alone) == 6
    with ThreadPoolExecutor(3) as threads:
        assert find(tmp_path, threads) == alone
    threads = ThreadPoolExecutor(1, initializer=int, initargs=("no number",))  # it breaks
    assert find(tmp_path, threads) == alone
