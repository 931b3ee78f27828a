"""Calls spread over an Executor: as many at a time as it can use, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from queue import Empty, SimpleQueue
from typing import Any

HEARING_SECONDS = 0.25  # how often ``hear`` is called while others work
MOST = 5000  # calls that an executor holds at a time: several for each of 1,000 workers


def ended(
    calls: Iterable[Callable[[], Any]], executor: Executor, hear: Callable[[], None], most: int = MOST
) -> Iterator[tuple[int, Future[Any]]]:
    """Submit calls, and yield the number of each with its Future when that has ended.

    Args:
        calls: what shall be called, without arguments.
        executor: one that is broken ends the Future of a call with BrokenExecutor.
        hear: called several times a second. What it raises ends the rest; calls that have begun are not waited for.
        most: how many calls the executor holds at a time.
    """
    over: SimpleQueue[Future[Any]] = SimpleQueue()
    under_way: dict[Future[Any], int] = {}
    to_come = enumerate(calls)
    try:
        while True:
            while len(under_way) < most and (following := next(to_come, None)) is not None:
                number, call = following
                future = _submitted(call, executor)
                under_way[future] = number
                future.add_done_callback(over.put)
            if not under_way:
                return
            hear()
            try:
                future = over.get(timeout=HEARING_SECONDS)
            except Empty:
                continue
            yield under_way.pop(future), future
    finally:
        for future in under_way:
            future.cancel()


def answers(calls: Sequence[Callable[[], Any]], executor: Executor | None, hear: Callable[[], None]) -> list[Any]:
    """What each call returns, in order; what an executor loses is called here.

    Args:
        calls: as for ``ended``.
        executor: None calls all here.
        hear: as for ``ended``.
    """
    found: dict[int, Any] = {}
    if executor is None:
        for number, call in enumerate(calls):
            hear()
            found[number] = call()
    else:
        for number, future in ended(calls, executor, hear):
            lost = future.cancelled() or future.exception() is not None
            found[number] = calls[number]() if lost else future.result()
    return [found[number] for number in range(len(calls))]


def _submitted(call: Callable[[], Any], executor: Executor) -> Future[Any]:
    try:
        return executor.submit(call)
    except BrokenExecutor as error:
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed
