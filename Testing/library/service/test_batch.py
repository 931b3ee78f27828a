"""A batch does every study once, survives being killed, and ends as if it never had been."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import PIL.Image
import pydicom
import pytest

import MedRestoreLib as mr
from MedRestoreLib.files import studies as files
from MedRestoreLib.files.atomic import PARTIAL
from MedRestoreLib.service.batch import Task
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
    assert "no NRRD file" in failed.message
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


def test_threads_and_processes_give_the_same_files(studies, tmp_path):
    """Eight threads at once, several times: what is swapped for a whole process must come back in order."""
    mr.batch(studies, tmp_path / "one", **EDITS)
    expected = hashes(tmp_path / "one")
    before = (list(warnings.filters), pydicom.config.settings.reading_validation_mode, os.fstat(2))
    pools = [ThreadPoolExecutor(8)] * 3 + [ProcessPoolExecutor(2, mp_context=get_context("spawn"))]
    for number, pool in enumerate(pools):
        out = tmp_path / f"out{number}"
        rows = mr.batch(studies, out, executor=pool, **EDITS)
        assert [r.status for r in rows].count("restored") == 5
        assert hashes(out) == expected
    for pool in pools:
        pool.shutdown()
    assert (list(warnings.filters), pydicom.config.settings.reading_validation_mode, os.fstat(2)) == before


@pytest.mark.parametrize("method", ["bm3d", "srad", "emanet"])
def test_threads_do_not_change_what_a_method_gives(tmp_path, method):
    modality = {"srad": "US", "emanet": "NM"}.get(method, "MR")
    (tmp_path / "in").mkdir()
    for seed in range(8):
        image = mr.Image.from_array(noisy(seed, slices=1, side=64).voxels, modality=modality)
        mr.write(image, tmp_path / "in" / f"{seed}.nrrd")
    mr.batch(tmp_path / "in", tmp_path / "one", method=method, level=1.0)
    with ThreadPoolExecutor(8) as pool:
        rows = mr.batch(tmp_path / "in", tmp_path / "eight", executor=pool, method=method, level=1.0)
    assert {row.status for row in rows} == {"restored"}, rows
    assert hashes(tmp_path / "one") == hashes(tmp_path / "eight")


class Crashing(Executor):
    """Processes that die when they are given a study of a certain name, as a decoder or a lack of memory kills them."""

    def __init__(self, name: str) -> None:
        self.pool, self.name = ProcessPoolExecutor(2, mp_context=get_context("spawn")), name

    def submit(self, task, *arguments):
        bad = isinstance(task, Task) and task.output.name == self.name
        return self.pool.submit(os._exit, 1) if bad else self.pool.submit(task, *arguments)


def test_a_process_that_crashes_costs_no_study_but_its_own(studies, tmp_path):
    rows = mr.batch(studies, tmp_path / "out", executor=Crashing("two.nii.gz"), **EDITS)
    assert [row.status for row in rows].count("restored") == 5, "it was the process that was bad, not the study"
    mr.batch(studies, tmp_path / "one", **EDITS)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "one")


def test_a_study_that_crashes_every_process_is_one_row(studies, tmp_path, monkeypatch):
    """Whoever opens the bad study dies."""
    crash = tmp_path / "crash"
    crash.mkdir()
    (crash / "sitecustomize.py").write_text(
        "import os, pathlib\nread = pathlib.Path.open\n"
        "pathlib.Path.open = lambda self, *a, **k: os._exit(1) if self.name == 'two.nii.gz' else read(self, *a, **k)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(crash))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        rows = mr.batch(studies, tmp_path / "out", executor=pool, **EDITS)
    failed = {row.study: row.message for row in rows if row.status == "failed"}
    assert set(failed) == {"a/broken.nrrd", "a/two.nii.gz"}
    assert "crashed" in failed["a/two.nii.gz"]
    assert [row.status for row in rows].count("restored") == 4
    assert not list((tmp_path / "out").rglob(f"{PARTIAL}*"))


@pytest.mark.parametrize(
    "error", [StopIteration(), RuntimeError("boom"), MemoryError(), RecursionError(), OSError(5, "Input/output error")]
)
def test_whatever_goes_wrong_with_a_study_the_others_are_done(studies, tmp_path, monkeypatch, error):
    read = files.read

    def failing(source, **options):
        if source == studies / "a" / "two.nii.gz":
            raise error
        return read(source, **options)

    monkeypatch.setattr(files, "read", failing)
    rows = mr.batch(studies, tmp_path / "out", **EDITS)
    row = next(row for row in rows if row.study == "a/two.nii.gz")
    assert row.status == "failed"
    assert row.message
    assert "boom" not in row.message, "the text of such an error may hold what a header says of a patient"
    assert [row.status for row in rows].count("restored") == 4


def test_what_cannot_be_read_is_a_row_of_its_own(studies, tmp_path):
    (studies / "nowhere.nii").symlink_to(tmp_path / "absent")
    (studies / "bad\udcff.nrrd").write_text("Dear colleague, ...")
    rows = {row.study: row for row in mr.batch(studies, tmp_path / "out", **EDITS)}
    assert rows["nowhere.nii"].status == "skipped"
    assert rows["nowhere.nii"].message == "nowhere.nii is a link to nowhere."
    assert rows["bad\N{REPLACEMENT CHARACTER}.nrrd"].status == "failed"
    json.dumps([row.to_dict() for row in rows.values()], ensure_ascii=False).encode()


def test_studies_of_like_names_do_not_overwrite_each_other(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    pictures = {"scan.png": 1, "scan.bmp": 2, "Scan.nrrd": 3, "scan.nrrd": 4, f"{'n' * 250}.nrrd": 5}
    for name, seed in pictures.items():
        mr.write(mr.Image.from_array(noisy(seed).voxels[0, 0].clip(0, 255).astype(np.uint8)), source / "made.png")
        made = source / "made.png"
        if name.endswith(".nrrd"):
            made = mr.write(noisy(seed), source / "made.nrrd")
        elif name.endswith(".bmp"):
            PIL.Image.open(made).save(source / "made.bmp")
            made = source / "made.bmp"
        made.rename(source / name)
    (source / "made.png").unlink(missing_ok=True)
    for number in (1, 2, 3):
        as_nm(noisy(number, "NM", slices=1, side=64), source / f"1.2.840.113.{number}")
    rows = mr.batch(source, tmp_path / "out", **EDITS)
    assert {row.status for row in rows} == {"restored"}, rows
    assert len({row.study for row in rows}) == len(rows) == 8
    assert len(hashes(tmp_path / "out")) == 8
    assert all((tmp_path / "out" / row.study).exists() for row in rows)
    assert {row.status for row in mr.batch(source, tmp_path / "out", **EDITS)} == {"already done"}


def test_an_output_that_was_changed_or_is_incomplete_is_done_again(studies, tmp_path):
    mr.write(noisy(6), studies / "pair.nhdr")
    out = tmp_path / "out"
    mr.batch(studies, out, **EDITS)
    first = hashes(out)
    damaged = [out / "one.nrrd", out / "pair.raw.gz", out / "a" / "series" / "series-1" / "IM00002.dcm"]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    (out / "a" / "b" / "counts.dcm").unlink()
    (out / "a" / "b" / "more.dcm.json").write_text('["no record"]')
    rows = {row.study: row.status for row in mr.batch(studies, out, **EDITS)}
    again = {study for study, status in rows.items() if status == "restored"}
    assert again == {"one.nrrd", "pair.nhdr", "a/series/series-1", "a/b/counts.dcm", "a/b/more.dcm"}
    assert hashes(out) == first


def test_what_changes_an_output_before_its_record_stands_is_noticed(studies, tmp_path, monkeypatch):
    """The record says what was written, not what lay there afterwards."""
    out, put = tmp_path / "out", os.replace

    def put_and_damage(source, target):
        put(source, target)
        if Path(target).name == "one.nrrd":
            Path(target).write_bytes(Path(target).read_bytes()[:-100])

    monkeypatch.setattr(os, "replace", put_and_damage)
    mr.batch(studies, out, **EDITS)
    monkeypatch.undo()
    rows = {row.study: row.status for row in mr.batch(studies, out, **EDITS)}
    assert [study for study, status in rows.items() if status == "restored"] == ["one.nrrd"]


def test_memory_that_is_allowed_counts_for_reading_too(tmp_path):
    """A header that declares more than any file may take is believed where as much is allowed."""
    (tmp_path / "in").mkdir()
    header = "NRRD0005\ntype: uint8\ndimension: 3\nsizes: 30000 30000 1\nencoding: gzip\n\n"
    (tmp_path / "in" / "large.nrrd").write_bytes(header.encode() + gzip.compress(os.urandom(900_000)))
    (row,) = mr.batch(tmp_path / "in", tmp_path / "out", **EDITS)
    assert "allow as much memory" in row.message
    (row,) = mr.batch(tmp_path / "in", tmp_path / "out", memory_gb=8.0, **EDITS)
    assert "truncated" in row.message


def test_a_study_is_done_again_when_its_data_file_or_the_mask_changes(tmp_path):
    (tmp_path / "in").mkdir()
    mr.write(noisy(1), tmp_path / "in" / "pair.nhdr")
    first, second = np.zeros((2, 48, 48), bool), np.zeros((2, 48, 48), bool)
    first[:, 8:40, 8:40], second[:, 8:40, 8:39] = True, True

    def status(mask) -> str:
        (row,) = mr.batch(tmp_path / "in", tmp_path / "out", mask=mask, **EDITS)
        return row.status

    assert [status(first), status(first), status(second)] == ["restored", "already done", "restored"]
    header = (tmp_path / "in" / "pair.nhdr").read_bytes()
    mr.write(noisy(2), tmp_path / "in" / "pair.nhdr")
    assert (tmp_path / "in" / "pair.nhdr").read_bytes() == header
    assert status(second) == "restored"


def test_a_record_goes_before_its_output_is_replaced(studies, tmp_path, monkeypatch):
    out = tmp_path / "out"
    mr.batch(studies, out, **EDITS)
    write, seen = files.write_hashed, []

    def watching(image, path, **about):
        seen.append((path.exists(), path.with_name(f"{path.name}.json").exists()))
        raise mr.OutputError("the disk is full")

    monkeypatch.setattr(files, "write_hashed", watching)
    mr.batch(studies, out, method="adf", strength=0.5)
    assert seen == [(True, False)] * 5
    monkeypatch.setattr(files, "write_hashed", write)
    assert [row.status for row in mr.batch(studies, out, **EDITS)].count("restored") == 5


def test_batches_that_share_a_folder_do_not_harm_each_other(studies, tmp_path):
    mr.batch(studies, tmp_path / "one", **EDITS)
    out, code = tmp_path / "out", "import sys, MedRestoreLib as mr\n"
    code += "print(*sorted(row.status for row in mr.batch(sys.argv[1], sys.argv[2], method='adf')), sep=',')"
    command = [sys.executable, "-c", code, str(studies), str(out)]
    both = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0].strip().split(",") for process in both]
    assert all(len(statuses) == 6 and statuses.count("failed") == 1 for statuses in said)
    assert sum(statuses.count("restored") for statuses in said) == 5, "what one does, the others wait for"
    assert hashes(out) == hashes(tmp_path / "one")
    assert not list(out.rglob(f"{PARTIAL}*"))


def test_a_batch_goes_on_after_every_kill_as_if_nothing_had_happened():
    """A seeded part of what ``make kills`` does."""
    run = subprocess.run(
        [sys.executable, "-m", "Testing.kills", "--kills", "24"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[0]) >= 16, "those before a change never miss"


@pytest.mark.parametrize("where", ["link", "above"])
def test_no_output_lies_among_the_inputs(tmp_path, where):
    source = tmp_path / "in"
    (source / "in").mkdir(parents=True)
    mr.write(noisy(1), source / "in" / "one.nrrd")
    before = hashes(tmp_path)
    target = tmp_path
    if where == "link":
        target = tmp_path / "out"
        target.mkdir()
        (target / "in").symlink_to(source / "in")
    with pytest.raises(mr.OutputError, match="among the studies"):
        mr.batch(source, target, **EDITS)
    assert hashes(tmp_path) == before


def test_a_cancel_is_heard_while_others_work(studies, tmp_path):
    """The executor never finishes a study, so only the waiting can hear."""
    heard = []

    def stop(fraction, message):
        heard.append(fraction)
        if len(heard) > 3:
            raise mr.Cancelled("enough")

    class Idle(Executor):
        def submit(self, task, *arguments):
            return Future()

    with pytest.raises(mr.Cancelled):
        mr.batch(studies, tmp_path / "out", executor=Idle(), progress=stop, **EDITS)


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
