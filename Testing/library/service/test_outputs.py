"""What the outputs of a batch are called: each its own name, in every case, short enough for every disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from MedRestoreLib.service.inputs import Study
from MedRestoreLib.service.outputs import LONGEST_NAME, output_paths, record_of

SUFFIXES = {".nrrd": ".nrrd", ".nhdr": ".nhdr", ".nii.gz": ".nii.gz", ".jpg": ".png", ".png": ".png", ".avi": ".nrrd"}


def study(name: str, folder: str = "") -> Study:
    """A study as ``inputs.find`` would find it: an image file, DICOM or, without a suffix, a series."""
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    if suffix:
        stem, written = name.removesuffix(suffix), SUFFIXES[suffix]
    elif name.startswith("series-"):
        stem, written = name, ""
    else:
        stem, written = name.removesuffix(".dcm"), ".dcm"
    path = Path(folder, name)
    return Study(path, (path,), Path(folder), name, stem, written)


def names(*studies: Study | str) -> list[str]:
    return [path.as_posix() for path in output_paths([study(s) if isinstance(s, str) else s for s in studies])]


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["a.nrrd", "b.nii.gz"], ["a.nrrd", "b.nii.gz"]),
        (["1.2.840.113.1", "1.2.840.113.2"], ["1.2.840.113.1.dcm", "1.2.840.113.2.dcm"]),
        (["IM1", "IM1.dcm"], ["IM1-2.dcm", "IM1.dcm"]),
        (["scan.jpg", "scan.png"], ["scan.jpg.png", "scan.png"]),
        (["cine.avi", "cine.nrrd", "cine.nhdr"], ["cine.avi.nrrd", "cine.nrrd", "cine.nhdr"]),
        (["Scan.nrrd", "scan.nrrd"], ["Scan.nrrd", "scan-2.nrrd"]),
        (["a.nhdr", "A.NHDR.nhdr"], ["a.nhdr", "A.NHDR.nhdr"]),
        (["\u00e4.nrrd", "a\u0308.nrrd"], ["\u00e4.nrrd", "a\u0308-2.nrrd"]),
    ],
)
def test_names_stay_and_are_told_apart(inputs, outputs):
    assert names(*inputs) == outputs


def test_a_series_has_no_folder_of_other_studies():
    found = names("series-1", study("x.nrrd", "series-1"))
    assert found == ["series-1-2", "series-1/x.nrrd"]


FOLDERS = st.sampled_from(["", "a", "A", "a/b", "series-1", "a/series-2"])
NAMES = st.one_of(
    st.builds(
        lambda stem, suffix: stem + suffix,
        st.sampled_from(["x", "X", "x.y", "1.2.3", "ä", "\udcff", "n" * 240, "ü" * 125, "x.nrrd"]),
        st.sampled_from([*SUFFIXES, "", ".dcm"]),
    ),
    st.sampled_from(["series-1", "series-2"]),
)


@given(st.lists(st.tuples(FOLDERS, NAMES), min_size=1, max_size=20, unique=True))
@example([("", "x.jpg"), ("", "x.png"), ("", "x.jpg.png")])
@example([("", "1.2.3"), ("", "1.2.3.dcm"), ("", "1.2.3.dcm.dcm")])
def test_no_two_outputs_meet_whatever_the_inputs_are_called(places):
    studies = [study(name, folder) for folder, name in places]
    outputs = output_paths(studies)
    files = [*outputs, *map(record_of, outputs)]
    files += [path.with_suffix(".raw.gz") for path in outputs if path.suffix == ".nhdr"]
    folded = [path.as_posix().casefold() for path in files]
    assert len(set(folded)) == len(folded)
    folders = {folder.as_posix().casefold() for output in outputs for folder in output.parents}
    assert not folders & set(folded)
    for place, output in zip(studies, outputs, strict=True):
        assert output.parent == place.folder
        assert output.name.endswith(place.suffix)
    assert all(len(os.fsencode(path.name)) <= LONGEST_NAME for path in files)
    assert output_paths(studies) == outputs


def test_names_that_are_cut_stay_apart_and_keep_their_beginning():
    first, second = names(f"{'a' * 249}1.nrrd", f"{'a' * 249}2.nrrd")
    assert first != second
    assert first.startswith("a" * 230)
    assert first.endswith(".nrrd")
    (cut,) = names(f"{'ü' * 125}.nrrd")
    assert set(cut.split("-")[0]) == {"ü"}, "no character is cut in two"
