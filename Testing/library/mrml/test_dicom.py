"""A result as derived DICOM: written by the library from the files that its source was loaded from."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core has no wheel for this Python or this machine")

import slicer
import slicer.util

import MedRestoreLib as mr
from MedRestoreLib import mrml
from MedRestoreLib.errors import OutputError
from Testing.support.dicom_studies import brain
from Testing.support.mrml_scene import add_volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture
def series(scene, tmp_path, monkeypatch):
    """A series on disk and in Slicer's database: the image, and the instance UIDs in the order of its slices."""
    from pydicom import dcmread

    from training.simulate.dicom import as_mr

    folder = tmp_path / "series"
    as_mr(brain(), folder)
    files = {dcmread(path, stop_before_pixels=True).SOPInstanceUID: path for path in sorted(folder.glob("*.dcm"))}
    database = SimpleNamespace(
        isOpen=True, fileForInstance=lambda uid: str(files.get(uid, "")), instanceValue=lambda *_: ""
    )
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return SimpleNamespace(image=mr.read(folder), uids=list(files), database=database)


def loaded(series, turned: bool = False):
    """The series as Slicer's DICOM module loads it, its slices stacked upwards or downwards."""
    image, voxels = series.image, series.image.voxels[0]
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.direction, (3, 3)) * image.spacing
    matrix[:3, 3] = image.origin
    if turned:
        matrix[:3, 3] += matrix[:3, 2] * (len(voxels) - 1)
        matrix[:3, 2] *= -1
        voxels = voxels[::-1]
    node = add_volume(np.ascontiguousarray(voxels), matrix=LPS_TO_RAS @ matrix)
    node.SetAttribute("DICOM.instanceUIDs", " ".join(series.uids))
    return node


def restored(node, report):
    output = mrml.Output(node)
    output.arrays[0][...] = slicer.util.arrayFromVolume(node) * np.float32(0.5) + 20
    return output.add(report)


@pytest.mark.parametrize("turned", [False, True])
def test_the_derived_series_lies_where_its_source_lies_and_holds_the_result(series, report, tmp_path, turned):
    from pydicom import dcmread

    folder = mrml.export_dicom(restored(loaded(series, turned), report), tmp_path / "derived")
    again = mr.read(folder)
    assert again.same_grid(series.image)
    np.testing.assert_allclose(again.voxels, series.image.voxels * 0.5 + 20, atol=0.5)
    header = dcmread(next(folder.glob("*.dcm")))
    assert header.ImageType[0] == "DERIVED"
    assert "adf" in header.DerivationDescription
    assert {item.ReferencedSOPInstanceUID for item in header.SourceImageSequence} <= set(series.uids)
    assert header.SOPInstanceUID not in series.uids


def test_without_the_files_it_says_what_to_do(series, report, tmp_path):
    result = restored(loaded(series), report)
    series.database.fileForInstance = lambda uid: ""
    assert mrml.source_files(result) == []
    with pytest.raises(OutputError, match="DICOM database"):
        mrml.export_dicom(result, tmp_path / "derived")
    assert not (tmp_path / "derived").exists()


def test_a_result_that_was_moved_off_its_grid_is_refused(series, report, tmp_path):
    result = restored(loaded(series), report)
    result.SetSpacing(5.0, 5.0, 5.0)
    with pytest.raises(OutputError, match="grid"):
        mrml.export_dicom(result, tmp_path / "derived")


@pytest.mark.parametrize("turned", [False, True])
def test_an_enlarged_result_is_exported_in_its_new_size_and_place(series, tmp_path, turned):
    node = loaded(series, turned)
    result = mrml.restore(node, method="bicubic", factor=2, level=5.0, modality="MR")
    again = mr.read(mrml.export_dicom(result, tmp_path / "derived"))
    wanted = series.image.enlarged(2)
    assert again.same_grid(wanted, tolerance=1e-5)
    np.testing.assert_allclose(again.voxels, wanted.voxels, atol=np.ptp(wanted.voxels) / 50000)
