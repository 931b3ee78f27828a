"""The worker: warm, cancellable, outliving bad requests, and leaving nothing behind however it ends."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.pipeline.device import is_out_of_memory
from MedRestoreLib.service.exchange import Exchange, command, search_path
from Testing.support.paths import REPOSITORY


def study(side: int = 64, frames: int = 1) -> mr.Image:
    rng = np.random.default_rng(0)
    return mr.Image.from_array(rng.normal(100, 5, (frames, 1, side, side)), modality="MR")


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A temporary folder of its own, so that what is left behind can be seen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    monkeypatch.setattr(tempfile, "tempdir", None)


def start(folder: Path, search: str = "") -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [search, search_path()]))}
    return subprocess.Popen(
        command(sys.executable, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=environment,
    )


@pytest.fixture
def served(scratch):
    """An exchange and a worker that serves it."""
    with Exchange() as exchange:
        process = start(exchange.folder)
        assert reply(process)["event"] == "ready"
        yield exchange, process
        process.stdin.close()
        assert process.wait(20) == 0
        process.stdout.close()


def send(process: subprocess.Popen, request: dict | str) -> None:
    process.stdin.write((request if isinstance(request, str) else json.dumps(request)) + "\n")
    process.stdin.flush()


def reply(process: subprocess.Popen) -> dict:
    return json.loads(process.stdout.readline())


def done(process: subprocess.Popen, request: dict) -> dict:
    """Send a request and take its answer, which must be that it is done."""
    send(process, request)
    told = last_reply(process)
    assert (told["event"], told["id"]) == ("done", request["id"]), told
    return told


def last_reply(process: subprocess.Popen) -> dict:
    while (told := reply(process))["event"] == "progress":
        pass
    return told


def test_it_gives_what_restore_gives_and_stays_warm(scratch):
    image = study()
    expected = mr.restore(image, method="adf", noise="gaussian", level=5.0)
    heard = []
    with mr.Worker() as worker:
        restored, report = worker.restore(
            image, method="adf", noise="gaussian", level=5.0, progress=lambda f, m: heard.append(f)
        )
        first = worker.pid
        again, _ = worker.restore(image, mr.recommend(image, method="adf", noise="gaussian", level=5.0))
        assert worker.pid == first
    np.testing.assert_allclose(restored.voxels, expected.image.voxels, atol=1e-4)
    np.testing.assert_array_equal(again.voxels, restored.voxels)
    assert report["plan"]["method"] == "adf"
    assert heard[-1] == 1.0
    assert not list(scratch.iterdir())


def test_errors_come_back_as_what_they_are_and_it_goes_on(scratch):
    with mr.Worker() as worker:
        with pytest.raises(mr.InvalidPlan, match="did you mean 'bm3d'"):
            worker.restore(study(), method="bm3b")
        with pytest.raises(mr.OutOfMemory) as raised:
            worker.restore(study(256), method="adf", level=5.0, memory_gb=1e-6)
        with pytest.raises(mr.OutOfMemory) as expected:
            mr.restore(study(256), method="adf", level=5.0, memory_gb=1e-6)
        assert (str(raised.value), raised.value.field) == (str(expected.value), expected.value.field)
        restored, _ = worker.restore(study(), method="adf", noise="gaussian", level=5.0)
        assert restored.voxels.shape == (1, 1, 64, 64)


def test_cancelling_stops_it_within_a_tile_and_it_goes_on(scratch):
    frames = study(64, frames=400)  # each a window of a few milliseconds

    def stop(fraction, message):
        if fraction > 0:
            raise mr.Cancelled("enough")

    with mr.Worker() as worker:
        worker.restore(study(), method="adf", noise="gaussian", level=5.0)  # warm
        pid = worker.pid
        begun = time.monotonic()
        with pytest.raises(mr.Cancelled, match="enough"):
            worker.restore(frames, method="adf", noise="gaussian", level=5.0, memory_gb=0.0002, progress=stop)
        assert time.monotonic() - begun < 30
        worker.restore(study(), method="adf", noise="gaussian", level=5.0)
        assert worker.pid == pid


def test_a_killed_worker_is_said_and_replaced(scratch):
    with mr.Worker() as worker:
        worker.restore(study(), method="adf", noise="gaussian", level=5.0)
        first = worker.pid

        def kill(fraction, message):
            os.kill(first, signal.SIGKILL)

        with pytest.raises(mr.WorkerStopped, match="try again"):
            worker.restore(study(256, 8), method="bm3d", noise="gaussian", level=5.0, progress=kill)
        worker.restore(study(), method="adf", noise="gaussian", level=5.0)
        assert worker.pid != first
    assert not list(scratch.iterdir())


def test_bad_requests_are_answered_and_survived(served):
    exchange, process = served
    np.save(exchange.folder / "8-in.npy", study().voxels)
    for request, kind in [
        ("this is not JSON", "BadRequest"),
        ("[1, 2]", "BadRequest"),
        ({"id": 5, "do": "dance"}, "InvalidPlan"),
        ({"id": 6, "do": "restore"}, "UnsupportedImage"),
        ({"id": 7, "do": "restore", "input": "../../etc/passwd"}, "UnsupportedImage"),
        ({"id": 8, "do": "restore", "input": "8-in.npy", "plan": {"level": 5.0}, "image": []}, "Unexpected"),
    ]:
        send(process, request)
        answer = reply(process)
        assert (answer["event"], answer["kind"]) == ("error", kind)
    upload = exchange.send(study().voxels, {"modality": "MR"})
    done(process, exchange.request("restore", upload, method="adf", noise="gaussian", level=5.0))


def test_it_recommends_without_restoring(served):
    exchange, process = served
    upload = exchange.send(study().voxels, {"modality": "MR"})
    plan = done(process, exchange.request("recommend", upload, noise="gaussian"))["plan"]
    assert plan["method"] == "bm3d"
    assert plan["level"] == pytest.approx(5.0, rel=0.1)


def test_a_float_study_is_read_where_it_lies_and_let_go_when_forgotten(served):
    def memory() -> dict[str, int]:
        """Bytes of its own and of files that the worker keeps in memory."""
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        return {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines if line.startswith("Rss")}

    exchange, process = served
    small, large = exchange.send(study(64).voxels, {}), exchange.send(study(1024, frames=24).voxels, {})
    done(process, exchange.request("restore", small, method="adf", level=5.0))  # torch is there now
    before = memory()
    done(process, exchange.request("recommend", large))
    kept = memory()
    assert kept["RssFile"] - before["RssFile"] > 0.9 * large.path.stat().st_size
    assert kept["RssAnon"] - before["RssAnon"] < 0.3 * large.path.stat().st_size
    send(process, exchange.forget_upload(large))
    done(process, exchange.request("recommend", small))
    assert memory()["RssFile"] - before["RssFile"] < 0.1 * 24 * 4 * 1024**2


def test_it_leaves_and_cleans_up_when_its_caller_dies(scratch):
    """The caller is killed in mid-job: the worker hears the end of its input, stops and removes the folder."""
    script = (
        "import numpy as np, os, signal, MedRestoreLib as mr\n"
        "image = mr.Image.from_array(np.random.default_rng(0).normal(100, 5, (60, 1, 256, 256)))\n"
        "worker = mr.Worker()\n"
        "def die(f, m):\n"
        "    print(worker.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "worker.restore(image, method='bm3d', level=5.0, memory_gb=0.1, progress=die)\n"
    )
    caller = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert caller.returncode == -signal.SIGKILL
    pid = int(caller.stdout.split()[0])
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{pid}").exists()
    assert not list(scratch.iterdir())


def test_what_both_left_behind_is_swept_by_the_next_caller(scratch):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = scratch / f"medrestore-{dead.pid}-abc"
    left.mkdir()
    (left / "1-in.npy").write_bytes(b"voxels")
    alive = scratch / f"medrestore-{os.getpid()}-abc"
    alive.mkdir()
    with Exchange():
        assert not left.exists()
        assert alive.exists()


def test_running_out_of_memory_is_known_in_all_its_forms():
    import torch

    for allocate in (np.empty, torch.empty):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate(1 << 50)
        assert is_out_of_memory(caught.value)
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
