"""The name of a file and the JSON beside it tell what its header cannot."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.files.studies import read, write
from MedRestoreLib.image import Image

NOISE = np.random.default_rng(0).uniform(-1, 1, (4, 30, 30))


def study(path: Path, array: np.ndarray = NOISE) -> Path:
    return write(Image.from_array(array.astype(np.float32)), path)


@pytest.mark.parametrize(
    ("part", "called"), [("phase", "phase"), ("real", "real part"), ("imag", "imaginary part"), ("mag", "")]
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_parts_of_complex_numbers_are_known_by_their_bids_name(
    part: str, called: str, suffix: str, tmp_path: Path
) -> None:
    path = study(tmp_path / f"sub-01_part-{part}_bold{suffix}")
    if not called:
        read(path)
        return
    with pytest.raises(UnsupportedImage, match=f"is the {called} of a complex image"):
        read(path)


@pytest.mark.parametrize("kinds", [["ORIGINAL", "PRIMARY", "P", "ND"], ["DERIVED", "PRIMARY", "T1", "PHASE"]])
def test_phase_is_known_by_the_image_type_beside_it(kinds: list[str], tmp_path: Path) -> None:
    path = study(tmp_path / "scan.nii.gz")
    (tmp_path / "scan.json").write_text(json.dumps({"Modality": "MR", "ImageType": kinds}))
    with pytest.raises(UnsupportedImage, match="phase"):
        read(path)
    (tmp_path / "scan.json").write_text(json.dumps({"Modality": "MR", "ImageType": ["ORIGINAL", "PRIMARY", "M"]}))
    assert read(path).modality == "MR"


@pytest.mark.parametrize("turn", [(-np.pi, np.pi), (-np.pi * 1000, np.pi * 1000), (0, 4095), (-4096, 4094), (0, 360)])
@pytest.mark.parametrize("name", ["fmap_phase", "fmap_e2_ph", "sub-01_phasediff", "sub-01_phase2"])
def test_a_name_that_ends_in_phase_counts_where_values_fill_a_turn(
    turn: tuple[float, float], name: str, tmp_path: Path
) -> None:
    low, high = turn
    wrapped = low + (NOISE + 1) / 2 * (high - low)
    with pytest.raises(UnsupportedImage, match="phase"):
        read(study(tmp_path / f"{name}.nii.gz", wrapped))
    read(study(tmp_path / "fmap.nii.gz", wrapped))
    read(study(tmp_path / "liver_portal_phase.nii.gz", 700 * NOISE))  # a phase of contrast


@pytest.mark.parametrize(
    "text", ["[1, 2]", "{", '{"Modality": 3, "ImageType": 7}', '{"Modality": "MR\\n"}', "[" * 99999]
)
def test_what_is_no_sidecar_is_passed_over(text: str, tmp_path: Path) -> None:
    path = study(tmp_path / "scan.nii")
    (tmp_path / "scan.json").write_text(text)
    assert read(path).modality == "OT"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_in_the_place_of_a_sidecar_blocks_nothing(tmp_path: Path) -> None:
    path = study(tmp_path / "scan.nii")
    os.mkfifo(tmp_path / "scan.json")
    assert read(path).modality == "OT"
