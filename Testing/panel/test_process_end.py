"""The panel's worker process: how it starts and ends, and that nothing is left behind however a job ends."""

from __future__ import annotations

import os
import resource
import signal
import stat
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.service import conversation
from Testing.support.worker_process import (  # noqa: F401  (fixtures)
    ADF,
    LONG,
    REPOSITORY,
    Heard,
    ask,
    files,
    finished,
    host_fixture,
    is_alive,
    program,
    running,
    study,
    upload,
    worker_fixture,
)


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


def test_a_stuck_worker_is_killed_some_time_after_a_cancel(host, launched, monkeypatch):
    monkeypatch.setattr(conversation, "GRACE_SECONDS", 0.3)
    worker = launched
    sent = upload(host, worker, [study(1, 64, 64)] * 400)
    id, heard = ask(worker, "restore", sent, **LONG)
    host.wait_until(lambda: heard.progress)
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    worker.cancel(id)
    _, after = ask(worker, "recommend", sent, noise="gaussian")  # waits for a fresh worker
    finished(host, heard)
    assert heard.cancelled
    host.wait_until(lambda: not is_alive(pid))  # its launcher may be seen to end first
    assert finished(host, after).reply
    assert worker.pid != pid
    assert files(worker) == {sent.path.name}


def test_a_killed_worker_is_a_sentence_and_the_next_job_works(host, worker):
    sent = upload(host, worker, [study(1, 64, 64)] * 400)
    _, lost = ask(worker, "restore", sent, **LONG)
    _, waiting = ask(worker, "recommend", sent, noise="gaussian")
    host.wait_until(lambda: lost.progress)
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
    wrong = finished(host, ask(worker, "restore", small, method="bm3b")[1])
    assert "did you mean 'bm3d'" in wrong.message
    assert type(wrong.error) is mr.InvalidPlan
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
        assert finished(host, ask(worker, "recommend", sent, noise="gaussian")[1]).reply["plan"]["method"] == "general"
        assert "install the PyTorch extension" in finished(host, ask(worker, "restore", sent, **ADF)[1]).message
        assert (
            "install the PyTorch extension" in finished(host, ask(worker, "preview", sent, at=(0, 0), **ADF)[1]).message
        )


@pytest.mark.parametrize("moment", ["starting", "stuck"])
def test_closing_at_any_moment_is_quick_and_leaves_nothing(host, worker, monkeypatch, moment):
    from MedRestorePanel import process

    heard, job = Heard(), Heard()
    if moment == "starting":
        worker.start()
    else:
        sent = upload(host, worker, [study(1, 64, 64)] * 400)
        id, first = ask(worker, "restore", sent, **ADF)
        finished(host, first)
        _, job = ask(worker, "restore", sent, **LONG)
        ask(worker, "recommend", sent)
        host.wait_until(lambda: job.progress)
        worker.receive(id, [np.zeros((1, 64, 64), np.float32)] * 400, **heard.copying())
        worker.upload([study(64, 512, 512)], {}, **heard.copying())
        os.kill(worker.pid, signal.SIGSTOP)
    pid, folder = worker.pid, worker.exchange.folder
    monkeypatch.setattr(process, "CLOSE_MS", 3_600_000)  # not that it waits in vain and kills only then
    worker.close()
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
