"""How long work says how far it is, and how it is ended: its ``Progress`` may raise ``Cancelled``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[float, str], None]  # takes the fraction done, 0 to 1, and what is being done

HEARING_SECONDS = 0.1  # how long work goes on, about, without calling its ``Progress``

_listener: ContextVar[Callable[[], None] | None] = ContextVar("listener", default=None)


def ignore(fraction: float, message: str) -> None:
    """A ``Progress`` for callers that do not want to know."""


@contextmanager
def heard(progress: Progress) -> Iterator[Progress]:
    """Have ``progress`` called again and again while the block works, so that it can end what takes long.

    Yields:
        The ``Progress`` to work with. ``stop_if_asked`` repeats what it was told last.
    """
    last, when = (0.0, ""), time.monotonic()

    def say(fraction: float, message: str) -> None:
        nonlocal last, when
        last, when = (fraction, message), time.monotonic()
        progress(fraction, message)

    def listen() -> None:
        if time.monotonic() - when >= HEARING_SECONDS:
            say(*last)

    token = _listener.set(listen)
    try:
        yield say
    finally:
        _listener.reset(token)


def stop_if_asked() -> None:
    """To be called between the steps of long work, each far below a second; raises what the ``Progress`` raises."""
    listen = _listener.get()
    if listen is not None:
        listen()
