"""The panel's worker process: Slicer's window stays alive, and nothing is left behind however a job ends."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr

REPOSITORY = Path(__file__).resolve().parent.parent
ADF = {"method": "adf", "noise": "gaussian", "level": 5.0}
# Hundreds of windows of a few milliseconds: long enough to be cancelled, and quick to hear it.
LONG = {**ADF, "memory_gb": 0.0002}


class Heard:
    """Takes a job's callbacks and keeps what they were told."""

    def __init__(self):
        self.reply, self.message, self.cancelled, self.progress = None, None, False, []

    @property
    def ended(self):
        return self.reply is not None or self.message is not None or self.cancelled

    def callbacks(self):
        return {
            "onDone": lambda reply=True: setattr(self, "reply", reply),
            "onProgress": lambda fraction, message: self.progress.append((fraction, message)),
            "onError": lambda message: setattr(self, "message", message),
            "onCancelled": lambda: setattr(self, "cancelled", True),
        }

    def copying(self):
        return {name: self.callbacks()[name] for name in ("onDone", "onError")}


@pytest.fixture
def host(slicer_app, monkeypatch, tmp_path):
    """The host, with a temporary folder that must be empty at the end."""
    from Testing import host

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.syspath_prepend(str(REPOSITORY / "MedRestore"))
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield host
    assert not list(scratch.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", None)


@contextlib.contextmanager
def running(python=None):
    """A worker process, closed at the end; its process is gone then."""
    from MedRestorePanel.process import WorkerProcess

    worker = WorkerProcess(python)
    try:
        yield worker
    finally:
        pid = worker.pid
        worker.close()
    assert pid is None or not is_alive(pid)
    assert not worker.isBusy


@pytest.fixture
def worker(host):
    with running() as worker:
        yield worker


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def study(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 5, shape).astype(np.int16)


def upload(host, worker, frames, **described):
    heard = Heard()
    worker.upload(frames, {"modality": "MR", **described}, **heard.copying())
    host.wait_until(lambda: heard.ended)
    assert heard.message is None
    return heard.reply


def ask(worker, do, upload, **plan) -> tuple[int, Heard]:
    heard = Heard()
    return worker.submit(worker.exchange.request(do, upload, **plan), **heard.callbacks()), heard


def finished(host, heard: Heard, timeout: float = 60) -> Heard:
    host.wait_until(lambda: heard.ended, timeout)
    return heard


def restored(host, worker, frames, about, **plan) -> list[np.ndarray]:
    """What the worker makes of the frames, as the panel gets it: colour in its own type, else float32."""
    id, heard = ask(worker, "restore", upload(host, worker, frames, **about), **plan)
    assert finished(host, heard).message is None
    arrays = [np.zeros(f.shape, f.dtype if f.ndim == 4 else np.float32) for f in frames]
    copied = Heard()
    worker.receive(id, arrays, **copied.copying())
    assert finished(host, copied).message is None
    return arrays


def files(worker) -> set[str]:
    return {path.name for path in worker.exchange.folder.iterdir()}


def test_the_window_stays_alive_while_a_large_study_is_restored(host, worker):
    import qt

    frames, out = [study(256, 384, 384)], [np.zeros((256, 384, 384), np.float32)]
    beats, heard, copied = [], Heard(), Heard()
    heartbeat = qt.QTimer()
    heartbeat.setInterval(10)
    heartbeat.timeout.connect(lambda: beats.append((time.perf_counter(), time.thread_time())))

    def submit(sent):
        request = worker.exchange.request("restore", sent, options={"iterations": 1}, **ADF)
        worker.submit(request, **{**heard.callbacks(), "onDone": receive})

    def receive(reply):
        worker.receive(reply["id"], out, **copied.copying())

    heartbeat.start()
    worker.upload(frames, {"modality": "MR"}, onDone=submit, onError=heard.callbacks()["onError"])
    assert worker.isBusy
    host.wait_until(lambda: copied.ended or heard.ended, 240)
    heartbeat.stop()
    gaps, busy = 1000 * np.diff(beats, axis=0).T
    print(f"longest gap between heartbeats: {gaps.max():.0f} ms, longest work between them: {busy.max():.0f} ms")
    assert heard.message is None
    assert copied.message is None
    assert busy.max() < 100
    assert np.quantile(gaps, 0.99) < 100
    assert gaps.max() < 1000  # other programs may hold the processor; below 100 where there are none
    fractions = [fraction for fraction, _ in heard.progress]
    assert len(fractions) > 5
    assert fractions == sorted(fractions)
    assert 3 < out[0].std() < 5  # the noise of 5, less


def test_what_comes_back_is_what_restore_gives(host, worker):
    rng = np.random.default_rng(3)
    colour = [rng.integers(0, 255, (1, 40, 36, 3), dtype=np.uint8) for _ in range(3)]
    cine = [rng.integers(20, 255, (1, 40, 36), dtype=np.uint8) for _ in range(10)]
    thick, mask = {"modality": "MR", "spacing": (0.5, 0.5, 2.0)}, np.zeros((5, 40, 36), bool)
    mask[1:4, 5:30, 8:28] = True
    for frames, about, plan in (
        ([study(5, 40, 36)], thick, ADF),
        ([study(5, 40, 36).astype(np.float64)], thick, ADF),
        ([study(5, 40, 36)], thick, {**ADF, "mask": mask}),
        (colour, {"modality": "US"}, {"method": "srad", "level": 0.2}),
        (cine, {"modality": "US"}, {"level": 0.2}),
    ):
        image = mr.Image.from_array(np.stack(frames), axes="fzyxc" if frames is colour else "fzyx", **about)
        expected = mr.restore(image, **plan).image
        if "mask" in plan:
            plan = {**plan, "mask": upload(host, worker, [mask])}
        got = restored(host, worker, frames, about, **plan)
        np.testing.assert_array_equal(np.stack(got), expected.stored() if frames is colour else expected.voxels)


def test_one_study_serves_many_requests_in_turn(host, worker):
    sent = upload(host, worker, [study(3, 64, 64)])
    _, recommended = ask(worker, "recommend", sent, noise="gaussian")
    id, seen = ask(worker, "preview", sent, at=(0, 1), **ADF)
    made_id, made = ask(worker, "restore", sent, **ADF)
    assert worker.isBusy
    plan = finished(host, recommended).reply["plan"]
    assert plan["level"] == pytest.approx(5, rel=0.1)
    finished(host, made)
    assert seen.reply is not None
    assert worker.exchange.result(id).shape == (1, 1, 64, 64)
    again_id, again = ask(worker, "restore", sent, plan=plan, level=4.0)  # a plan that was recommended, edited
    report = finished(host, again).reply["report"]
    assert (report["plan"]["method"], report["plan"]["level"], report["noise"]["estimated"]) == ("bm3d", 4.0, False)
    worker.receive(again_id, [np.zeros((3, 64, 64), np.float32)], **Heard().copying()).stop()
    assert not worker.isBusy
    assert files(worker) == {sent.path.name, f"{made_id}-out.npy"}


def test_a_forgotten_study_is_gone_and_the_other_stays(host, worker):
    first, second = (upload(host, worker, [study(3, 64, 64, seed=s).astype(np.float32)]) for s in (1, 2))
    for sent in (first, second, first):
        assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply
    assert first.path.name in Path(f"/proc/{worker.pid}/maps").read_text()
    worker.forgetUpload(first)
    assert files(worker) == {second.path.name}
    host.wait_until(lambda: first.path.name not in Path(f"/proc/{worker.pid}/maps").read_text())
    assert finished(host, ask(worker, "recommend", second, noise="gaussian")[1]).reply
    assert "not a file" in finished(host, ask(worker, "recommend", first)[1]).message


def test_a_job_that_waits_is_cancelled_at_once(host, worker):
    sent = upload(host, worker, [study(3, 64, 64)])
    first, one = ask(worker, "restore", sent, **ADF)
    second, two = ask(worker, "restore", sent, **ADF)
    worker.cancel(second)
    assert two.cancelled
    assert f"{second}-out.npy" not in files(worker)
    assert finished(host, one).reply
    assert two.progress == []
    worker.cancel(first)  # too late: harmless
    assert one.reply
    assert not one.cancelled


def test_a_job_under_way_hears_a_cancel_and_the_worker_stays(host, worker):
    sent = upload(host, worker, [study(1, 64, 64)] * 400)
    id, heard = ask(worker, "restore", sent, **LONG)
    host.wait_until(lambda: heard.progress, 60)
    pid = worker.pid
    worker.cancel(id)
    _, after = ask(worker, "recommend", sent, noise="gaussian")
    assert finished(host, heard).cancelled
    assert finished(host, after).reply
    assert worker.pid == pid
    assert files(worker) == {sent.path.name}


@pytest.fixture
def launched(host, tmp_path):
    """A worker behind a launcher that starts it and waits, as PythonSlicer does."""
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text(
        f"#!{sys.executable}\nimport subprocess, sys\nsubprocess.run([{sys.executable!r}, *sys.argv[1:]])\n"
    )
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    with running(str(launcher)) as worker:
        yield worker


def test_a_stuck_worker_is_killed_two_seconds_after_a_cancel(host, launched):
    worker = launched
    sent = upload(host, worker, [study(1, 64, 64)] * 400)
    id, heard = ask(worker, "restore", sent, **LONG)
    host.wait_until(lambda: heard.progress, 60)
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    worker.cancel(id)
    _, after = ask(worker, "recommend", sent, noise="gaussian")  # waits for a fresh worker
    finished(host, heard)
    assert heard.cancelled
    assert 1.9 < time.monotonic() - begun < 3
    assert not is_alive(pid)
    assert finished(host, after).reply
    assert worker.pid != pid
    assert files(worker) == {sent.path.name}


def test_a_killed_worker_is_a_sentence_and_the_next_job_works(host, worker):
    sent = upload(host, worker, [study(1, 64, 64)] * 400)
    _, lost = ask(worker, "restore", sent, **LONG)
    _, waiting = ask(worker, "recommend", sent, noise="gaussian")
    host.wait_until(lambda: lost.progress, 60)
    os.kill(worker.pid, signal.SIGKILL)
    assert "try again" in finished(host, lost).message
    assert finished(host, waiting).reply
    assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply
    assert files(worker) == {sent.path.name}


def test_a_worker_that_dies_while_idle_is_replaced(host, worker):
    sent = upload(host, worker, [study(3, 64, 64)])
    assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    host.wait_until(lambda: worker.pid is None)
    assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply


def test_an_error_is_a_sentence_and_the_worker_stays(host, worker):
    large, small = upload(host, worker, [study(40, 512, 512)]), upload(host, worker, [study(3, 64, 64)])
    assert finished(host, ask(worker, "restore", small, **ADF)[1]).reply
    pid = worker.pid
    assert "did you mean 'bm3d'" in finished(host, ask(worker, "restore", small, method="bm3b")[1]).message
    now = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (now + 10_000_000, resource.RLIM_INFINITY))
    assert "not enough memory" in finished(host, ask(worker, "restore", large, **ADF)[1]).message
    resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert "raise the limit" in finished(host, ask(worker, "restore", large, memory_gb=1e-6, **ADF)[1]).message
    assert finished(host, ask(worker, "restore", small, **ADF)[1]).reply
    assert worker.pid == pid


def test_where_torch_is_missing_it_recommends_and_says_what_restoring_needs(host, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent("""
            from importlib.machinery import PathFinder
            find = PathFinder.find_spec
            PathFinder.find_spec = lambda name, *rest: None if name.split(".")[0] == "torch" else find(name, *rest)
        """)
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with running() as worker:
        sent = upload(host, worker, [study(3, 64, 64)])
        assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply["plan"]["method"] == "bm3d"
        assert "install the PyTorch extension" in finished(host, ask(worker, "restore", sent, **ADF)[1]).message
        assert (
            "install the PyTorch extension" in finished(host, ask(worker, "preview", sent, at=(0, 0), **ADF)[1]).message
        )


@pytest.mark.parametrize("moment", ["starting", "stuck"])
def test_closing_at_any_moment_is_quick_and_leaves_nothing(host, worker, moment):
    heard, job = Heard(), Heard()
    if moment == "starting":
        worker.start()
    else:
        sent = upload(host, worker, [study(1, 64, 64)] * 400)
        id, first = ask(worker, "restore", sent, **ADF)
        finished(host, first)
        _, job = ask(worker, "restore", sent, **LONG)
        ask(worker, "recommend", sent)
        host.wait_until(lambda: job.progress, 60)
        worker.receive(id, [np.zeros((1, 64, 64), np.float32)] * 400, **heard.copying())
        worker.upload([study(64, 512, 512)], {}, **heard.copying())
        os.kill(worker.pid, signal.SIGSTOP)
    pid, folder, begun = worker.pid, worker.exchange.folder, time.monotonic()
    worker.close()
    assert time.monotonic() - begun < 2
    assert not folder.exists()
    assert pid is None or not is_alive(pid)
    host.process_events(0.3)
    assert not heard.ended
    assert not job.ended
    assert not worker.isBusy


def test_a_closed_worker_begins_anew(host, worker):
    for _ in range(2):
        sent = upload(host, worker, [study(3, 64, 64)])
        assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply
        worker.close()


def program(tmp_path, text: str) -> str:
    """A program in the place of Python."""
    path = tmp_path / "program"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time, json\n{textwrap.dedent(text)}")
    path.chmod(0o700)
    return str(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "did not start"),
        ("sys.exit('No module named numpy')", "No module named numpy"),
        ("os._exit(3)", "it said nothing"),
    ],
)
def test_a_worker_that_cannot_start_is_said_each_time(host, tmp_path, text, says):
    with running(str(tmp_path / "absent") if text is None else program(tmp_path, text)) as worker:
        sent = upload(host, worker, [study(3, 64, 64)])
        for _ in range(2):
            assert says in finished(host, ask(worker, "recommend", sent)[1]).message
        assert files(worker) == {sent.path.name}


def test_replies_may_come_in_pieces_and_several_at_once(host, tmp_path):
    talkative = program(
        tmp_path,
        """
        def say(*texts):
            for text in texts:
                os.write(1, text.encode())
                time.sleep(0.05)
        say('PythonSlicer: a greeting of the launcher' + chr(10))
        say('{"event": "re', 'ady", "pid": %d}' % os.getpid() + chr(10))
        id = json.loads(sys.stdin.readline())["id"]
        line = '{"id": %d, "event": "progress", "fraction": 0.%d, "message": "caf' + chr(92) + 'u00e9"}' + chr(10)
        say(line % (id, 1) + line % (id, 2) + '{"id"', ': %d, "event": "done", "plan": {}}' % id + chr(10))
        sys.stdin.read()
        """,
    )
    with running(talkative) as worker:
        _, heard = ask(worker, "recommend", upload(host, worker, [study(3, 64, 64)]))
        assert finished(host, heard).reply["plan"] == {}
        assert heard.progress == [(0.1, "café"), (0.2, "café")]
        assert "greeting" in worker.details


def test_the_worker_has_slicers_environment_and_a_neutral_folder(host, worker, monkeypatch, tmp_path):
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/slicer/lib")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    neutral = Path(tempfile.gettempdir())
    trap = neutral / "numpy.py"
    trap.write_text("raise ImportError('from the working directory')")
    worker.start()
    host.wait_until(lambda: worker.pid is not None)
    trap.unlink()
    environment = dict(e.split("=", 1) for e in Path(f"/proc/{worker.pid}/environ").read_text().split("\0") if "=" in e)
    assert environment["LD_LIBRARY_PATH"] == "/opt/slicer/lib"
    assert environment["PYTHONPATH"].split(os.pathsep) == [str(REPOSITORY), str(tmp_path)]
    assert Path(f"/proc/{worker.pid}/cwd").resolve() == neutral.resolve()


def test_details_are_the_end_of_what_the_worker_wrote(host, tmp_path):
    with running(program(tmp_path, "sys.stderr.write('x' * 9000 + ' the end')\nsys.exit(1)")) as worker:
        finished(host, ask(worker, "recommend", upload(host, worker, [study(3, 64, 64)]))[1])
        assert worker.details.endswith("the end")
        assert len(worker.details) == 4096


def test_a_full_disk_is_a_sentence(host, worker):
    heard = Heard()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        worker.upload([study(64, 512, 512)], {}, **heard.copying())
        finished(host, heard)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "make room" in heard.message
    assert files(worker) == set()
