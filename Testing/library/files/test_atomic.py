"""What is written is there whole or not at all, and belongs to whoever holds it, until that process ends."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.files import held
from MedRestoreLib.files.atomic import PARTIAL, remove_partials, staged, write_bytes
from MedRestoreLib.files.held import alone, hold
from MedRestoreLib.files.parts import parts
from MedRestoreLib.files.studies import check_writable
from Testing.support.dicom_studies import brain
from Testing.support.paths import REPOSITORY
from training.simulate.dicom import as_mr

HOLD = "import sys, time; from pathlib import Path; from MedRestoreLib.files.held import hold; "


def volume(slices: int) -> mr.Image:
    return mr.Image.from_array(np.random.default_rng(slices).integers(0, 255, (slices, 6, 7), np.uint8))


@pytest.mark.parametrize("fails", [1, 2])
def test_a_header_never_stands_beside_data_that_are_not_its_own(tmp_path, monkeypatch, fails):
    path = mr.write(volume(3), tmp_path / "pair.nhdr")
    replace, calls = os.replace, []

    def failing(source, target):
        calls.append(target)
        if len(calls) == fails:
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(mr.OutputError):
        mr.write(volume(5), path)
    assert not path.exists()
    monkeypatch.undo()
    mr.write(volume(5), path)
    np.testing.assert_array_equal(mr.read(path).voxels, volume(5).voxels)
    assert {entry.name for entry in tmp_path.iterdir()} == {"pair.nhdr", "pair.raw.gz"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, umask):
    image = mr.read(as_mr(brain(3), tmp_path / "in"))
    former = os.umask(umask)
    try:
        mr.write(image, tmp_path / "out.nrrd")
        mr.write(image, tmp_path / "out")
    finally:
        os.umask(former)
    for path in (tmp_path / "out.nrrd", *(tmp_path / "out").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o777 & ~umask


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd", ".png", ".mp4", ""])
def test_a_file_that_a_quota_cuts_is_an_error_and_nothing_is_left(tmp_path, suffix):
    """The limit of a process stands in for a quota: a write beyond it is cut short or fails."""
    as_mr(brain(3), tmp_path / "in")
    (tmp_path / "out").mkdir()
    code = f"""
import resource, sys
import numpy as np
import MedRestoreLib as mr
noise = np.random.default_rng(0).integers(0, 255, (1, 400, 400), np.uint8)
if {suffix!r} == "":
    image = mr.read({str(tmp_path / "in")!r})
elif {suffix!r} == ".mp4":
    image = mr.Image.from_array(np.repeat(noise, 8, axis=0), axes="fyx", frame_times=range(0, 320, 40))
else:
    image = mr.Image.from_array(noise)
limit = 20_000 if {suffix!r} else 500
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    mr.write(image, {str(tmp_path / "out" / "cut") + suffix!r})
except mr.OutputError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.stdout.count("\n") == 1, run.stderr
    assert not list((tmp_path / "out").iterdir())


def test_what_another_process_is_writing_stays_until_that_process_ends(tmp_path):
    folder, file = tmp_path / f"{PARTIAL}folder", tmp_path / "deep" / f"{PARTIAL}file.lock"
    folder.mkdir()
    file.parent.mkdir()
    file.touch()
    (folder / "half").write_text("half")
    code = f"{HOLD}kept = [hold(Path(name)) for name in sys.argv[1:]]; print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code, str(folder), str(file)]
    writer = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    writer.stdout.readline()
    with staged(tmp_path / "mine") as mine:
        remove_partials(tmp_path)
        assert (folder / "half").exists()
        assert file.exists()
        assert mine.path.parent.exists()
        mine.path.write_text("whole")
    writer.kill()
    writer.communicate()
    remove_partials(tmp_path)
    assert not folder.exists()
    assert not file.exists()
    assert (tmp_path / "mine").read_text() == "whole"


def test_a_process_that_was_forked_off_does_not_go_on_holding(tmp_path):
    path = tmp_path / "held"
    code = (
        f"import os; {HOLD}kept = hold(Path(sys.argv[1]), create=True)\n"
        "if os.fork() == 0:\n    print(os.getpid(), flush=True); time.sleep(600)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    parent.wait()
    try:
        holder = hold(path)
        assert holder is not None
        holder.release()
    finally:
        os.kill(child, 9)
        parent.stdout.close()


def test_one_works_alone_and_the_others_wait_their_turn(tmp_path, monkeypatch):
    monkeypatch.setattr(held, "WAITING_SECONDS", 0.001)
    path, inside, most, waits = tmp_path / "lock", [], [], []

    def work() -> None:
        with alone(path, lambda: waits.append(1)):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
    assert waits
    assert not path.exists()


def test_waiting_can_be_ended(tmp_path):
    def enough() -> None:
        raise mr.Cancelled("enough")

    with alone(tmp_path / "lock", enough), pytest.raises(mr.Cancelled), alone(tmp_path / "lock", enough):
        pass


def test_where_nobody_can_tell_who_holds_a_file_only_an_old_one_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(held, "_lock", lambda descriptor: None)
    young, old = tmp_path / f"{PARTIAL}young", tmp_path / f"{PARTIAL}old"
    young.mkdir()
    old.mkdir()
    os.utime(old, (0, 0))
    remove_partials(tmp_path)
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("pair.nhdr", "pair.nhdr"),
        ("other.nhdr", "pair.nhdr"),
        ("series", "series/IM00002.dcm"),
        ("link.nrrd", "single.nrrd"),
        ("single.nrrd", "link.nrrd"),
        ("series/IM00001.dcm", "series"),
    ],
)
def test_no_output_takes_the_place_of_an_input(tmp_path, source, output):
    mr.write(volume(3), tmp_path / "pair.nhdr")
    mr.write(volume(3), tmp_path / "single.nrrd")
    text = (tmp_path / "pair.nhdr").read_text()
    (tmp_path / "other.nhdr").write_text(text)  # which names pair.raw.gz
    (tmp_path / "link.nrrd").symlink_to(tmp_path / "single.nrrd")
    series = as_mr(brain(3), tmp_path / "series")
    for number, path in enumerate(sorted(series.iterdir()), 1):
        path.rename(series / f"IM{number:05d}.dcm")
    with pytest.raises(mr.OutputError, match="overwrite"):
        check_writable(tmp_path / output, tmp_path / source)
    check_writable(tmp_path / "free.nhdr", tmp_path / source)


def test_bytes_replace_a_file_in_one_step(tmp_path):
    path = write_bytes(tmp_path / "x", b"first")
    assert write_bytes(path, b"second").read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_the_parts_of_a_study_are_all_files_that_hold_it(tmp_path):
    pair, single = mr.write(volume(3), tmp_path / "pair.nhdr"), mr.write(volume(3), tmp_path / "single.nrrd")
    series = as_mr(brain(3), tmp_path / "series")
    (series / "notes.txt").write_text("no part")
    meta = tmp_path / "meta.mhd"
    meta.write_text("ObjectType = Image\nNDims = 3\nElementDataFile = meta.raw\n")
    (tmp_path / "meta.raw").write_bytes(b"voxels")
    listed = tmp_path / "listed.nhdr"
    listed.write_text("NRRD0004\ntype: uchar\nDATA FILE: LIST 2\npair.raw.gz\nmeta.raw\nabsent.raw\n")
    (tmp_path / "damaged.nrrd").write_bytes(b"NRRD0004\ndata file: pair.raw.gz\n\xff\xff")

    def names(path: Path) -> set[str]:
        return {part.name for part in parts(path)}

    assert names(pair) == {"pair.nhdr", "pair.raw.gz"}
    assert names(single) == {"single.nrrd"}
    assert names(meta) == {"meta.mhd", "meta.raw"}
    assert names(listed) == {"listed.nhdr", "pair.raw.gz", "meta.raw"}
    assert names(tmp_path / "damaged.nrrd") == {"damaged.nrrd", "pair.raw.gz"}
    assert names(series) == {path.name for path in series.glob("*.dcm")}
    assert parts(tmp_path / "absent.nii") == []
