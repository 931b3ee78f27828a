"""Pieces of one job, worked on side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch


def each(function: Callable, items: list, device: torch.device) -> Iterator:
    """``function`` of each item, in order; on a CPU by as many threads as torch may use, one item a thread.

    The many short operations of an item would otherwise wait for each other's threads thousands of times, which takes
    minutes when the computer is busy with something else.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield from map(function, items)
        return
    try:
        torch.set_num_threads(1)  # here, too: torch's idle threads would wait for work at full speed
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, items)
    finally:
        torch.set_num_threads(threads)  # threads that start later take the number that was set last
