"""The panel's worker process and what its tests ask of it: real processes, real files."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from Testing.support.paths import REPOSITORY

ADF = {"method": "adf", "noise": "gaussian", "level": 5.0}
# Hundreds of windows of a few milliseconds: long enough to be cancelled, and quick to hear it.
LONG = {**ADF, "memory_gb": 0.00025, "together": False}


class Heard:
    """Takes a job's callbacks and keeps what they were told."""

    def __init__(self):
        self.reply, self.error, self.cancelled, self.progress = None, None, False, []

    @property
    def message(self):
        return None if self.error is None else str(self.error)

    @property
    def ended(self):
        return self.reply is not None or self.error is not None or self.cancelled

    def callbacks(self):
        return {
            "onDone": lambda reply=True: setattr(self, "reply", reply),
            "onProgress": lambda fraction, message: self.progress.append((fraction, message)),
            "onError": lambda error: setattr(self, "error", error),
            "onCancelled": lambda: setattr(self, "cancelled", True),
        }

    def copying(self):
        return {name: self.callbacks()[name] for name in ("onDone", "onError")}


@pytest.fixture(name="host")
def host_fixture(slicer_app, monkeypatch, tmp_path):
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
    end = time.monotonic() + 120
    while pid is not None and is_alive(pid):  # on a busy machine a killed process takes a while
        assert time.monotonic() < end, "the worker outlives its closing"
        time.sleep(0.01)
    assert not worker.isBusy


@pytest.fixture(name="worker")
def worker_fixture(host):
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


def finished(host, heard: Heard, timeout: float = 120) -> Heard:
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


def program(tmp_path, text: str) -> str:
    """A program in the place of Python."""
    path = tmp_path / "program"
    path.write_text(f"#!{sys.executable}\nimport os, sys, time, json\n{textwrap.dedent(text)}")
    path.chmod(0o700)
    return str(path)
