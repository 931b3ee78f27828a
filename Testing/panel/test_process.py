"""The panel's worker process: Slicer's window stays alive, one study serves many requests, a cancel is heard."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from Testing.support.worker_process import (  # noqa: F401  (fixtures)
    ADF,
    LONG,
    Heard,
    ask,
    files,
    finished,
    host_fixture,
    restored,
    study,
    upload,
    worker_fixture,
)


@pytest.fixture
def patched():
    """Changes that a test takes back before the worker is closed."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_the_window_stays_alive_while_a_large_study_is_restored(host, worker, patched):
    import qt

    frames, out = [study(256, 384, 384)], [np.zeros((256, 384, 384), np.float32)]
    beats, heard, copied = [], Heard(), Heard()
    heartbeat = qt.QTimer()
    heartbeat.setInterval(10)
    heartbeat.timeout.connect(lambda: beats.append(time.thread_time()))
    for name in ("waitForStarted", "waitForReadyRead", "waitForBytesWritten", "waitForFinished"):
        patched.setattr(qt.QProcess, name, lambda *arguments: pytest.fail("the window waited"))

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
    patched.undo()
    assert heard.message is None
    assert copied.message is None
    assert 1000 * np.diff(beats).max() < 100, "milliseconds of processor time between two heartbeats"
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
    assert (report["plan"]["method"], report["plan"]["level"], report["noise"]["estimated"]) == (
        plan["method"],
        4.0,
        False,
    )
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
    host.wait_until(lambda: heard.progress)
    pid = worker.pid
    worker.cancel(id)
    _, after = ask(worker, "recommend", sent, noise="gaussian")
    assert finished(host, heard).cancelled
    assert finished(host, after).reply
    assert worker.pid == pid
    assert files(worker) == {sent.path.name}
