"""Long work in short steps: the window's events come between them, and stopping tidies up."""

from __future__ import annotations

import time

import pytest

from Testing.support.paths import REPOSITORY


@pytest.fixture
def host(slicer_app, monkeypatch):
    from Testing import host

    monkeypatch.syspath_prepend(str(REPOSITORY / "MedRestore"))
    return host


def run(generator):
    """The steps, and a list that takes what they call back with."""
    from MedRestorePanel import stepping

    heard = []
    return stepping.run(generator, heard.append, heard.append), heard


def test_it_gives_what_the_generator_returns_and_lets_events_pass_between(host):
    import qt

    def work():
        for _ in range(30):
            time.sleep(0.01)
            yield
        return 7

    beats = []
    heartbeat = qt.QTimer()
    heartbeat.setInterval(0)
    heartbeat.timeout.connect(lambda: beats.append(True))
    heartbeat.start()
    steps, heard = run(work())
    assert steps.isRunning
    assert not heard
    host.wait_until(lambda: heard)
    heartbeat.stop()
    assert heard == [7]
    assert not steps.isRunning
    assert len(beats) > 5


def test_it_passes_an_error_on(host):
    def work():
        yield
        raise ValueError("no")

    _, heard = run(work())
    host.wait_until(lambda: heard)
    assert [str(error) for error in heard] == ["no"]


def test_stopped_it_tidies_up_and_calls_nobody(host):
    tidy = []

    def work():
        try:
            while True:
                yield time.sleep(0.001)
        finally:
            tidy.append(True)

    steps, heard = run(work())
    host.process_events(0.05)
    steps.stop()
    steps.stop()
    host.process_events(0.05)
    assert tidy == [True]
    assert not heard
