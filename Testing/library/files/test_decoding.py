"""Decoders in a child process: what goes wrong there is an error here, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedRestoreLib.errors import MissingPackage, OutputError, UnsupportedImage
from MedRestoreLib.files import decoding
from MedRestoreLib.files.decoding import Undecodable, run
from MedRestoreLib.files.studies import read
from Testing.support.paths import REPOSITORY

# Jobs for a child, found there by this module's name.


def echo(path: str, value: Any, *arrays: np.ndarray) -> Iterator[Any]:
    print("to standard output")
    print("to standard error", file=sys.stderr)
    os.write(1, b"past Python")
    os.write(2, b"past Python")
    yield {"path": path, "value": value}
    yield from arrays


def fail(path: str, kind: str) -> Iterator[Any]:
    yield {}
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "hang":
        time.sleep(60)
    while kind == "busy":
        pass
    if kind == "memory":
        yield {"held": np.ones(1 << 30, np.float64).sum()}
    if kind == "ours":
        raise OutputError("ours", field="level")
    if kind == "missing":
        import no_such_package  # noqa: F401
    raise ValueError("a patient's name")


JOBS = {"echo": f"{__name__}:echo", "fail": f"{__name__}:fail"}


@pytest.fixture(autouse=True)
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children that know the jobs of this file as well."""
    decoding._end_all()
    table = {name: f"test_decoding_jobs:{name}" for name in JOBS}
    setup = (
        "import sys, importlib.util as u;"
        f"spec = u.spec_from_file_location('test_decoding_jobs', {__file__!r});"
        "module = u.module_from_spec(spec); sys.modules[spec.name] = module; spec.loader.exec_module(module);"
        f"from MedRestoreLib.files import decoding; decoding.JOBS.update({table!r}); decoding._WORK = 1;"
        "decoding.serve()"
    )
    monkeypatch.setattr(decoding, "_COMMAND", setup)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    yield
    decoding._end_all()


def test_values_and_arrays_come_back_and_nothing_printed_does(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arrays = (np.arange(6, dtype=np.int16).reshape(2, 3), np.ones((3, 0)), np.asfortranarray(np.eye(3)))
    about, *back = run("echo", tmp_path / "x", {"a": [1, None]}, arrays=arrays)
    assert about == {"path": str(tmp_path / "x"), "value": {"a": [1, None]}}
    for sent, got in zip(arrays, back, strict=True):
        np.testing.assert_array_equal(sent, got)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["crash", "hang", "busy", "memory", "anything else"])
def test_a_child_that_fails_is_an_error_and_the_next_job_works(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind in ("memory", "busy") and not sys.platform.startswith("linux"):
        pytest.skip("only Linux limits a child's memory and work")
    list(run("echo", tmp_path, 0))  # warm, so that a short patience is enough
    monkeypatch.setattr(decoding, "_PATIENCE", 2.0 if kind == "hang" else 60.0)
    with pytest.raises(Undecodable, match="x is damaged") as error:
        list(run("fail", tmp_path / "x", kind))
    assert "patient" not in str(error.value)
    monkeypatch.undo()


def test_the_next_job_after_a_crash_works(tmp_path: Path) -> None:
    for _ in range(3):
        with pytest.raises(Undecodable):
            list(run("fail", tmp_path / "x", "crash"))
        assert len(list(run("echo", tmp_path, 0))) == 1


def test_errors_of_ours_cross_the_border(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="ours") as error:
        list(run("fail", tmp_path / "x", "ours"))
    assert error.value.field == "level"
    with pytest.raises(MissingPackage, match="no_such_package"):
        list(run("fail", tmp_path / "x", "missing"))


def test_a_child_is_kept_warm_and_replaced_when_it_was_killed(tmp_path: Path) -> None:
    list(run("echo", tmp_path, 0))
    (child,) = decoding._idle
    list(run("echo", tmp_path, 0))
    assert decoding._idle == [child]
    child._process.kill()
    child._process.wait()
    assert len(list(run("echo", tmp_path, 0))) == 1
    assert decoding._idle != [child]


def test_a_caller_that_loses_interest_leaves_no_stale_answer(tmp_path: Path) -> None:
    messages = run("echo", tmp_path, 0, arrays=(np.ones(3),))
    next(messages)
    messages.close()
    assert decoding._idle == []
    (about,) = run("echo", tmp_path, 1)
    assert about["value"] == 1


def test_threads_have_a_child_each_and_standard_error_stays_theirs(tmp_path: Path) -> None:
    def one(number: int) -> int:
        about, array = run("echo", tmp_path, number, arrays=(np.full(1000, number),))
        assert (array == number).all()
        return about["value"]

    before = os.fstat(2)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(40))) == list(range(40))
    assert os.fstat(2) == before


def test_reading_from_many_threads_leaves_warnings_and_standard_error_as_they_were(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    import pydicom  # noqa: F401 - it imports requests where that is installed, which changes the filters for good

    files = ["nuclear/bone_scan_whole_body.dcm", "ultrasound/dicom/US1_J2KR.dcm", "nuclear/quality_control/Jaszack.dcm"]
    before, filters = os.fstat(2), list(warnings.filters)
    with ThreadPoolExecutor(6) as pool:
        shapes = list(pool.map(lambda name: read(data_folder / name).voxels.shape, files * 4))
    assert len(set(shapes)) == 3
    assert os.fstat(2) == before
    assert warnings.filters == filters


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_has_children_of_its_own(tmp_path: Path) -> None:
    list(run("echo", tmp_path, 0))
    code = (
        "import os, sys, warnings; warnings.simplefilter('ignore')\n"
        "from pathlib import Path\nfrom MedRestoreLib.files.studies import read\n"
        f"path = Path({str(tmp_path)!r}) / 'a.png'\nread(path)\n"
        "pid = os.fork()\n"
        "ok = read(path).voxels.shape == (1, 1, 4, 5)\n"
        "os._exit(not ok) if pid == 0 else sys.exit(not ok or os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    from MedRestoreLib.files.studies import write
    from MedRestoreLib.image import Image

    write(Image.from_array(np.ones((4, 5), np.uint8)), tmp_path / "a.png")
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_children_end_with_their_parent(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom MedRestoreLib.files import decoding\n"
        "child = decoding._take(); print(child._process.pid, flush=True)\n"
        "import os; os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    gone = threading.Event()
    for _ in range(600):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                gone.set()
        except ProcessLookupError:
            gone.set()
        if gone.wait(0.05):
            break
    assert gone.is_set()


def test_a_damaged_file_of_every_compression_is_an_error(tmp_path: Path) -> None:
    import pydicom.data

    names = ("MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm")
    for name in names:
        data = bytearray((Path(pydicom.data.__file__).parent / "test_files" / name).read_bytes())
        data[-len(data) // 3 :] = bytes(len(data[-len(data) // 3 :]))
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnsupportedImage):
            read(tmp_path / name)
