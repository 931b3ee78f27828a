"""Long work in short steps between the window's events, as Slicer's window would freeze otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import qt

# One turn: several short steps, as each turn of the event loop costs time too, yet far below what a person notices.
TURN_SECONDS = 0.02


def run(
    generator: Generator[None, None, Any], onDone: Callable[[Any], None], onError: Callable[[Exception], None]
) -> Steps:
    """Work through a generator whose steps are short, a few at a time whenever the window has nothing else to do.

    Args:
        onDone: called with what the generator returns.
        onError: called with the exception that it raises.

    Returns:
        A ``Steps``, whose ``stop()`` ends the work.
    """
    return Steps(generator, onDone, onError)


class Steps:
    """Work in progress. Neither callback is called before the constructor returned, nor after ``stop``."""

    def __init__(
        self, generator: Generator[None, None, Any], onDone: Callable[[Any], None], onError: Callable[[Exception], None]
    ) -> None:
        self._generator = generator
        self._onDone = onDone
        self._onError = onError
        qt.QTimer.singleShot(0, self._turn)

    @property
    def isRunning(self) -> bool:
        return self._generator is not None

    def stop(self) -> None:
        """End the work: the generator is closed, so that it can tidy up. Harmless when all is done."""
        generator, self._generator = self._generator, None
        if generator is not None:
            generator.close()

    def _turn(self) -> None:
        if self._generator is None:
            return
        end = time.monotonic() + TURN_SECONDS
        try:
            while time.monotonic() < end:
                next(self._generator)
        except StopIteration as done:
            self._generator = None
            self._onDone(done.value)
        except Exception as error:
            self._generator = None
            self._onError(error)
        else:
            qt.QTimer.singleShot(0, self._turn)
