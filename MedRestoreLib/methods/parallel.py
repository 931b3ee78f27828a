"""How a job is cut for a device: how much is worked on at once, and by how many threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import NamedTuple

import torch

from ..progress import HEARING_SECONDS, stop_if_asked


class PerDevice(NamedTuple):
    """How much is worked on at once: on a CPU what fits its cache, on a GPU what keeps all of it busy.

    >>> PerDevice(cpu=1000, gpu=1_000_000).on(torch.device("cpu"))
    1000
    """

    cpu: int
    gpu: int

    def on(self, device: torch.device) -> int:
        """The number for ``device``."""
        return self.cpu if device.type == "cpu" else self.gpu


def each(function: Callable, items: list, device: torch.device) -> Iterator:
    """The results of ``function`` for each item, in order; on a CPU every thread that torch may use takes an item.

    An item is thousands of short operations. Were each of these split between threads, the threads would wait for one
    another after every operation: minutes on a computer that is busy with something else.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        for item in items:
            stop_if_asked()
            yield function(item)
        return
    # Here, too: torch's idle threads would wait for work at full speed.
    with one_thread(), ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from _in_order([pool.submit(function, item) for item in items])


@contextmanager
def one_thread() -> Iterator[None]:
    """A context in which torch does not split operations: for thousands of short ones, see ``each``."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)  # threads that start later take the number that was set last


def _in_order(futures: list[Future]) -> Iterator:
    """The results of futures; when this is ended, those that have not begun do not."""
    futures.reverse()
    try:
        while futures:
            stop_if_asked()
            if wait(futures[-1:], HEARING_SECONDS).done:
                yield futures.pop().result()
    finally:
        for future in futures:
            future.cancel()
