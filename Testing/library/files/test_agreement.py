"""Other programs find what we write where we say that it is, with the values that we say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from Testing.agreement import JUDGES, STUDIES, Found, restored

FAR, OFF = 1e-5, 1e-6  # mm, which NIfTI's 32-bit floats leave, and part of the range
FAR_MOSAIC = 1e-3  # of a mosaic dcm2niix takes the normal of slices as Siemens states it, rounded
OFF_DRAWN = 2e-3  # dcm2pnm draws values rounded to whole numbers, of which the studies have about a thousand


@pytest.mark.parametrize("name", STUDIES)
def test_other_programs_find_the_same_values_in_the_same_places(name: str, tmp_path: Path) -> None:
    study = restored(STUDIES[name], tmp_path / "study")
    found = {judge: said for judge, look in JUDGES.items() if (said := look(*study)) is not None}
    if not found:
        pytest.skip("none of the programs that judge this study is installed")
    for judge, said in found.items():
        assert said.faults == (), judge
        assert not said.place > (FAR_MOSAIC if "mosaic" in name else FAR), judge
        assert not said.values > (OFF_DRAWN if judge == "dcmtk" else OFF), judge


def test_a_judge_notices_what_is_moved_and_what_is_changed(tmp_path: Path) -> None:
    source, out, image = restored(STUDIES["NRRD"], tmp_path / "study")
    moved = type(image)(image.voxels, **{**_geometry(image), "origin": np.add(image.origin, (0.0, 0.2, 0.0))})
    brighter = image.with_voxels(image.voxels * np.float32(1.01))
    assert JUDGES["simpleitk"](source, out, moved).place == pytest.approx(0.2, rel=1e-6)
    assert JUDGES["simpleitk"](source, out, brighter).values == pytest.approx(0.01, rel=0.05)
    assert isinstance(JUDGES["simpleitk"](source, out, image), Found)


def _geometry(image) -> dict:
    return {"spacing": image.spacing, "direction": image.direction}
