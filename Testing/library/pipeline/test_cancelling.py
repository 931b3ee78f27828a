"""Every method hears a cancel while it works, long before it is done."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch

import MedRestoreLib as mr
from MedRestoreLib import progress
from MedRestoreLib.methods import catalogue

LEVELS = {"gaussian": 5.0, "poisson": 1.0, "rician": 5.0, "speckle": 0.2}
SECONDS = 3.0  # of processor time, from the cancel to the end: one at most on a machine of today, idle


def large(method: catalogue.Method, dimensions: int) -> mr.Image:
    """A study that fills one window of a method for many seconds, or several of a quick one."""
    shape = (1, 64, 192, 192) if dimensions == 3 else (4, 1, 1000, 1000)
    noise = next(noise for noise in method.noises)
    clean = np.full(shape, 60.0, np.float32)
    clean[..., 20:60, 20:100] = 120
    modality = next(code for code in method.modalities)
    return mr.add_noise(mr.Image.from_array(clean, axes="fzyx", modality=modality), noise, LEVELS[noise])


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


CASES = [(method, dimensions) for method in catalogue.METHODS for dimensions in method.dimensions]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("method", "dimensions"), CASES, ids=lambda value: getattr(value, "id", value))
def test_a_cancel_is_heard_soon(method, dimensions):
    """The cancel comes while the method is at work on its first window."""
    image, began, at = large(method, dimensions), threading.Event(), []

    def stop(fraction: float, message: str) -> None:
        began.set()
        if at:
            raise mr.Cancelled("enough")

    def wait_and_cancel() -> None:
        began.wait()
        time.sleep(0.3)
        at.append(time.process_time())

    canceller = threading.Thread(target=wait_and_cancel)
    canceller.start()
    noise = method.noises[0]
    options = {"method": method.id, "noise": noise, "level": LEVELS[noise], "dimensions": dimensions}

    def restore_for_ever() -> None:  # a quick method may be done before it is cancelled
        while True:
            mr.restore(image, progress=stop, **options)

    with pytest.raises(mr.Cancelled):
        restore_for_ever()
    heard = time.process_time()
    canceller.join()
    assert heard - at[0] < SECONDS


def test_a_cancel_is_heard_by_threads_that_share_a_method(monkeypatch):
    """Items that have not begun do not begin."""
    monkeypatch.setattr(progress, "HEARING_SECONDS", 0.0)
    from MedRestoreLib.methods.parallel import each

    threads, begun = torch.get_num_threads(), []
    torch.set_num_threads(2)

    def slow(item: int) -> int:
        begun.append(item)
        time.sleep(0.02)
        return item

    def stop(fraction: float, message: str) -> None:
        if len(begun) > 4:
            raise mr.Cancelled("enough")

    try:
        with progress.heard(stop), pytest.raises(mr.Cancelled):
            assert list(each(slow, list(range(500)), torch.device("cpu"))) == []
        assert len(begun) < 100
        assert torch.get_num_threads() == 2
        assert list(each(slow, list(range(5)), torch.device("cpu"))) == list(range(5))
    finally:
        torch.set_num_threads(threads)


def test_the_evidence_hears_it_too(monkeypatch):
    monkeypatch.setattr(progress, "HEARING_SECONDS", 0.0)
    image, said = mr.add_noise(mr.Image.from_array(np.full((128, 128), 90.0)), "gaussian", 5.0), []

    def stop(fraction: float, message: str) -> None:
        said.append(message)
        if said.count("Gathering evidence") > 3:
            raise mr.Cancelled("enough")

    with pytest.raises(mr.Cancelled):
        mr.restore(image, method="adf", level=5.0, progress=stop)


def test_the_evidence_of_an_enlargement_hears_it_at_each_frame(monkeypatch):
    monkeypatch.setattr(progress, "HEARING_SECONDS", 0.0)
    image, said = mr.Image.from_array(np.full((6, 64, 64), 90.0) + np.eye(64), axes="fyx"), []

    def stop(fraction: float, message: str) -> None:
        said.append(message)

    mr.restore(image, method="bicubic", factor=2, progress=stop)
    assert said.count("Gathering evidence") > 2 * 6


def test_what_was_said_last_is_said_again():
    said = []
    with progress.heard(lambda fraction, message: said.append((fraction, message))) as say:
        say(0.5, "half")
        progress.stop_if_asked()
        assert said == [(0.5, "half")], "not so often"
        time.sleep(progress.HEARING_SECONDS)
        progress.stop_if_asked()
    progress.stop_if_asked()
    assert said == [(0.5, "half")] * 2


@pytest.mark.parametrize("modality", ["MR", "NM"])
def test_a_cancel_is_heard_while_a_plan_is_made(modality, monkeypatch):
    monkeypatch.setattr(progress, "HEARING_SECONDS", 0.0)
    study = mr.Image.from_array(np.random.default_rng(0).poisson(20.0, (96, 96)), modality=modality)

    def cancel(fraction, message):
        raise mr.Cancelled("enough")

    with progress.heard(cancel), pytest.raises(mr.Cancelled):
        mr.recommend(study)
