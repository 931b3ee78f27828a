"""Calls on an executor: all end, few are held at a time, and what ends the batch ends them."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial

import pytest

from MedRestoreLib.service.spread import ended


class Slow(Executor):
    """Holds calls until several are there, and ends the last first."""

    def __init__(self, holds: int) -> None:
        self.holds, self.held, self.most = holds, [], 0

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        self.held.append((future, fn))
        self.most = max(self.most, len(self.held))
        if len(self.held) >= self.holds:
            last, call = self.held.pop()
            last.set_result(call())
        return future


def nothing() -> None:
    pass


def test_no_more_calls_are_held_than_allowed_however_many_there_are() -> None:
    executor, taken = Slow(4), []
    calls = (taken.append(k) or partial(int, k) for k in range(10_000))
    results = ended(calls, executor, nothing, most=5)
    found = [next(results) for _ in range(100)]
    assert len(taken) < 110
    assert executor.most == 4
    assert all(future.result() == number for number, future in found)


def test_what_ends_the_waiting_cancels_what_has_not_begun() -> None:
    executor, times = Slow(100), [0]

    def hear() -> None:
        times[0] += 1
        if times[0] > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ended([int] * 10, executor, hear))
    assert all(future.cancelled() for future, _ in executor.held)
    assert len(executor.held) == 10


def test_a_broken_executor_ends_each_call_with_its_error() -> None:
    class Broken(Executor):
        def submit(self, fn, /, *args, **kwargs):
            raise BrokenExecutor("gone")

    errors = [future.exception() for _, future in ended([int] * 3, Broken(), nothing)]
    assert [type(error) for error in errors] == [BrokenExecutor] * 3
