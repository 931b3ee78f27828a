"""How long work says how far it is; the callable that it is given may raise ``Cancelled`` to end the work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]  # takes the fraction done, 0 to 1, and what is being done


def ignore(fraction: float, message: str) -> None:
    """A ``Progress`` for callers that do not want to know."""
