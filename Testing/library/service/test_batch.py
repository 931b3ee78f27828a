"""A batch does every study once, survives being killed, and ends as if it never had been."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from Testing.support.paths import REPOSITORY
from training.simulate.dicom import as_mr, as_nm

EDITS = {"method": "adf"}


def noisy(seed: int, modality: str = "MR", slices: int = 2, side: int = 48) -> mr.Image:
    y, x = np.mgrid[:side, :side] - side / 2
    clean = np.stack([np.where(np.hypot(y, x) < side / 3 + k, 100.0, 30.0) for k in range(slices)])
    noise, level = ("rician", 5.0) if modality == "MR" else ("poisson", 1.0)
    image = mr.Image.from_array(clean, modality=modality, unit="counts" if modality == "NM" else "")
    return mr.add_noise(image, noise, level, seed=seed)


@pytest.fixture
def studies(tmp_path) -> Path:
    """Six studies in four formats and three folders, one of them broken, and a letter that is no study."""
    source = tmp_path / "in"
    (source / "a" / "b").mkdir(parents=True)
    mr.write(noisy(1), source / "one.nrrd")
    mr.write(noisy(2), source / "a" / "two.nii.gz")
    as_mr(noisy(3, slices=4), source / "a" / "series")
    as_nm(noisy(4, "NM", slices=1, side=96), source / "a" / "b" / "counts.dcm")
    as_nm(noisy(5, "NM", slices=1, side=96), source / "a" / "b" / "more.dcm")
    (source / "a" / "broken.nrrd").write_text("Dear colleague, ...")
    (source / "letter.txt").write_text("Dear colleague, ...")
    return source


def hashes(folder: Path) -> dict[str, str]:
    """Of every study written; reports hold times, so they may differ."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".json")
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_every_study_is_restored_in_its_place_and_format(studies, tmp_path):
    rows = mr.batch(studies, tmp_path / "out", **EDITS)
    states = {r.study.replace(os.sep, "/"): r.status for r in rows}
    assert states == {
        "one.nrrd": "restored",
        "a/two.nii.gz": "restored",
        "a/series/series-1": "restored",
        "a/b/counts.dcm": "restored",
        "a/b/more.dcm": "restored",
        "a/broken.nrrd": "failed",
    }
    failed = next(r for r in rows if r.status == "failed")
    assert "damaged" in failed.message
    for row in rows:
        if row.status == "restored":
            before = mr.read(studies / row.study.replace("series-1", ""))
            after = mr.read(tmp_path / "out" / row.study)
            assert after.same_grid(before, tolerance=1e-4)
            assert (after.voxels != before.voxels).any()
            record = json.loads((tmp_path / "out" / f"{row.study}.json").read_text())
            assert record["report"]["plan"]["method"] == "adf"


def test_what_is_done_is_skipped_and_what_changed_is_done_again(studies, tmp_path):
    out = tmp_path / "out"
    mr.batch(studies, out, **EDITS)
    first = hashes(out)
    rows = mr.batch(studies, out, **EDITS)
    assert {r.status for r in rows} == {"already done", "failed"}
    assert hashes(out) == first
    mr.write(noisy(99), studies / "one.nrrd")
    again = {r.study: r.status for r in mr.batch(studies, out, **EDITS)}
    assert again["one.nrrd"] == "restored"
    assert sum(status == "restored" for status in again.values()) == 1
    other = mr.batch(studies, out, method="adf", strength=0.5)
    assert sum(r.status == "restored" for r in other) == 5
    assert hashes(out) != first


def test_any_executor_gives_the_same_files(studies, tmp_path):
    mr.batch(studies, tmp_path / "one", **EDITS)
    with ThreadPoolExecutor(2) as pool:
        rows = mr.batch(studies, tmp_path / "two", executor=pool, **EDITS)
    assert [r.status for r in rows].count("restored") == 5
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_killed_at_twenty_moments_it_ends_like_an_undisturbed_run(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    for k in range(6):
        mr.write(noisy(k, side=96), source / f"{k}.nrrd")
    as_mr(noisy(3, slices=6), source / "series")
    as_nm(noisy(4, "NM", slices=1, side=96), source / "counts.dcm")
    mr.batch(source, tmp_path / "undisturbed", **EDITS)
    expected = hashes(tmp_path / "undisturbed")

    out = tmp_path / "out"
    script = (
        "import sys, torch, MedRestoreLib as mr\n"
        "print('ready', flush=True)\n"
        "mr.batch(sys.argv[1], sys.argv[2], method='adf')\n"
    )
    randomly = random.Random(0)
    killed = 0
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(source), str(out)], cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(randomly.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
        for name, digest in hashes(out).items() if out.exists() else ():
            if ".medrestore-partial-" not in name:
                assert expected[name] == digest, f"{name} is half-written"
    assert killed >= 10
    rows = mr.batch(source, out, **EDITS)
    assert {r.status for r in rows} <= {"restored", "already done"}
    assert hashes(out) == expected
    assert not list(out.rglob(".medrestore-partial-*"))


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("absent", "out", mr.UnsupportedImage),
        ("in/one.nrrd", "out", mr.UnsupportedImage),
        ("in", "in", mr.OutputError),
        ("in", "in/out", mr.OutputError),
        ("in", "absent/deep/out", mr.OutputError),
    ],
)
def test_folders_that_do_not_fit_are_refused(studies, source, target, error):
    root = studies.parent
    with pytest.raises(error):
        mr.batch(root / source, root / target, **EDITS)
    assert not (root / "out").exists()


def test_a_plan_that_fits_no_study_is_refused_before_any_work(studies, tmp_path):
    with pytest.raises(mr.InvalidPlan, match="did you mean 'bm3d'"):
        mr.batch(studies, tmp_path / "out", method="bm3b")
    assert not (tmp_path / "out").exists()


def test_cancelling_keeps_what_is_done(studies, tmp_path):
    def stop(fraction, message):
        if fraction > 0.5:
            raise mr.Cancelled("enough")

    with pytest.raises(mr.Cancelled):
        mr.batch(studies, tmp_path / "out", progress=stop, **EDITS)
    done = hashes(tmp_path / "out")
    assert done
    mr.batch(studies, tmp_path / "out", **EDITS)
    assert done.items() <= hashes(tmp_path / "out").items()
