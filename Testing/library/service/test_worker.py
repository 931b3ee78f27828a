"""The worker: warm, cancellable, outliving bad requests, and leaving nothing behind however it ends."""

from __future__ import annotations

import errno
import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.pipeline.device import is_out_of_memory
from MedRestoreLib.service import client, folders, worker
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
        assert process.wait(120) == 0
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


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_cancelling_stops_it_within_a_tile_and_it_goes_on(scratch, monkeypatch):
    monkeypatch.setattr(client, "GRACE_SECONDS", 600.0)  # on a busy machine it takes longer, and may
    frames = study(64, frames=400)  # each a window of a few milliseconds
    plan = {"method": "adf", "noise": "gaussian", "level": 5.0, "memory_gb": 0.00025, "together": False}

    def stop(fraction, message):
        if fraction > 0:
            raise mr.Cancelled("enough")

    with mr.Worker() as worker:
        worker.restore(study(), method="adf", noise="gaussian", level=5.0)  # warm
        pid, before = worker.pid, cpu_seconds(worker.pid)
        with pytest.raises(mr.Cancelled, match="enough"):
            worker.restore(frames, progress=stop, **plan)
        stopped = cpu_seconds(pid) - before
        worker.restore(frames, **plan)
        assert worker.pid == pid
        assert stopped < 0.5 * (cpu_seconds(pid) - before - stopped)


@pytest.mark.parametrize(
    "launcher",
    [
        "#!/bin/sh\n'{python}' \"$@\"\nexit $?\n",
        "#!/bin/sh\nsetsid '{python}' \"$@\"\n",
        "#!/bin/sh\nunshare --pid --fork '{python}' \"$@\"\n",
    ],
    ids=["child", "another session", "another PID namespace"],
)
def test_a_launcher_does_not_hide_a_stuck_worker_from_the_kill(scratch, monkeypatch, tmp_path_factory, launcher):
    if "unshare" in launcher and subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("this user may not make PID namespaces")
    monkeypatch.setattr(client, "GRACE_SECONDS", 0.5)
    path = tmp_path_factory.mktemp("launcher") / "python"
    path.write_text(launcher.format(python=sys.executable))
    path.chmod(0o700)

    def freeze(fraction, message):
        for pid in workers_of(scratch):
            os.kill(pid, signal.SIGSTOP)
        raise mr.Cancelled("enough")

    with mr.Worker(str(path)) as worker:
        with pytest.raises(mr.Cancelled, match="enough"):
            worker.restore(study(256, 8), method="bm3d", noise="gaussian", level=5.0, progress=freeze)
        wait_until(lambda: not workers_of(scratch))
        worker.restore(study(), method="adf", noise="gaussian", level=5.0)
    wait_until(lambda: not workers_of(scratch))
    assert not list(scratch.iterdir())


def wait_until(holds, seconds: float = 60.0) -> None:
    """Wait for what must come soon; the limit only keeps a failing test from waiting for ever."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers_of(scratch: Path) -> list[int]:
    """Running processes whose command names a folder of ``scratch``, launchers among them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if bytes(scratch) in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


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
        ("[" * 100_000, "BadRequest"),
        ('{"id": [1], "do": "cancel"}', "BadRequest"),
        ("", "BadRequest"),
        ({"id": 5, "do": "dance"}, "InvalidPlan"),
        ({"id": 5, "do": ["restore"]}, "Unexpected"),
        ({"id": 6, "do": "restore"}, "UnsupportedImage"),
        ({"id": 7, "do": "restore", "input": "../../etc/passwd"}, "UnsupportedImage"),
        ({"id": 7, "do": "restore", "input": "a\0b"}, "UnsupportedImage"),
        ({"id": 8, "do": "restore", "input": "8-in.npy", "plan": {"level": 5.0}, "image": []}, "Unexpected"),
        ({"id": 9, "do": "restore", "input": "8-in.npy", "plan": [5]}, "Unexpected"),
    ]:
        send(process, request)
        answer = reply(process)
        assert (answer["event"], answer["kind"]) == ("error", kind), request
    upload = exchange.send(study().voxels, {"modality": "MR"})
    done(process, exchange.request("restore", upload, method="adf", noise="gaussian", level=5.0))


def test_it_survives_any_line(served):
    """Random bytes, and a request with random bytes in it; then a job is done as ever."""
    exchange, process = served
    upload = exchange.send(study().voxels, {"modality": "MR"})
    request = exchange.request("restore", upload, method="adf", noise="gaussian", level=5.0)
    line, rng = json.dumps({**request, "id": "no"}).encode(), random.Random(0)
    for _ in range(200):
        start = rng.randrange(len(line))
        noise = rng.randbytes(rng.randrange(1, 6)).replace(b"\n", b"")
        text = rng.choice([noise, line[:start] + noise + line[start + len(noise) :]])
        process.stdin.buffer.write(text + b"\n")
    process.stdin.buffer.write(json.dumps(request).encode() + b"\n")
    process.stdin.buffer.flush()
    while (told := reply(process)).get("id") != request["id"] or told["event"] == "progress":
        pass
    assert told["event"] == "done"


def test_a_line_without_an_end_is_refused_and_the_next_is_heard(monkeypatch):
    monkeypatch.setattr(worker, "LONGEST_LINE", 100)
    long, next_one = list(worker._lines(io.BytesIO(b"x" * 1000 + b"\n" + b"{}\n")))
    with pytest.raises(ValueError, match="too long"):
        worker._request(long)
    assert worker._request(next_one) == {}


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
        "worker.restore(image, method='bm3d', level=5.0, progress=die)\n"
    )
    caller = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True)
    assert caller.returncode == -signal.SIGKILL
    pid = int(caller.stdout.split()[0])
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert not list(scratch.iterdir())


def test_what_both_left_behind_is_swept_by_the_next_caller(scratch):
    """What belongs to somebody else, or is nothing of ours, stays: it may not even get in the way."""
    code = "import sys, time; from MedRestoreLib.service import folders; print(folders.make()[0], flush=True); "
    caller = subprocess.Popen([sys.executable, "-c", f"{code}time.sleep(600)"], cwd=REPOSITORY, stdout=subprocess.PIPE)
    held = Path(caller.stdout.readline().decode().strip())
    (held / "1-in.npy").write_bytes(b"voxels")
    precious = scratch / "precious"
    precious.mkdir()
    (scratch / f"{folders.PREFIX}link").symlink_to(precious)
    os.mkfifo(scratch / f"{folders.PREFIX}pipe")
    (scratch / "medrestore-results").mkdir()
    (scratch / "medrestore-99999999999999999999-a").mkdir()
    strange = {path.name for path in scratch.iterdir()} - {held.name}
    if os.geteuid() == 0:
        (scratch / f"{folders.PREFIX}other").mkdir()
        os.chown(scratch / f"{folders.PREFIX}other", 12345, 12345)
        strange.add(f"{folders.PREFIX}other")
    with Exchange() as exchange, Exchange() as second:
        assert held.exists(), "its caller lives, whatever its number is"
        assert exchange.folder.exists()
        assert stat.S_IMODE(second.folder.stat().st_mode) == 0o700
    caller.kill()
    caller.communicate()
    with Exchange():
        assert not held.exists()
    assert {path.name for path in scratch.iterdir()} == strange


def test_running_out_of_memory_is_known_in_all_its_forms():
    import torch

    for allocate in (np.empty, torch.empty):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate(1 << 50)
        assert is_out_of_memory(caught.value)
    assert is_out_of_memory(OSError(errno.ENOMEM, "Cannot allocate memory"))
    assert not is_out_of_memory(RuntimeError("shapes differ"))
