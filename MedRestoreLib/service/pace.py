"""How fast a batch is, and how long it will still take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0  # the rate is that of the last minute: studies that are done already go by much faster


class Pace:
    """Says what has been done of a number of studies.

    Args:
        total: how many there are.
        clock: seconds.

    >>> seconds = iter([0.0, 10.0, 20.0])
    >>> pace = Pace(100, clock=lambda: next(seconds))
    >>> pace(0), pace(20), pace(40)
    ('0 of 100', '20 of 100, 2 a second, 40 s left', '40 of 100, 2 a second, 30 s left')
    """

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._clock = total, clock
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, done: int) -> str:
        """How many are done, how many a second or a minute, and for how long the rest will take."""
        now, said = self._clock(), f"{done} of {self._total}"
        if not self._seen or self._seen[-1][1] != done:
            self._seen.append((now, done))
        while len(self._seen) > 2 and self._seen[1][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        if done == before or now <= since:
            return said
        rate = (done - before) / (now - since)
        left = duration((self._total - done) / rate)
        return f"{said}, {f'{rate:.3g} a second' if rate >= 1 else f'{60 * rate:.3g} a minute'}, {left} left"


def duration(seconds: float) -> str:
    """A time in the two largest units that it has.

    >>> duration(7.6), duration(125), duration(7260), duration(200_000)
    ('8 s', '2 min 5 s', '2 h 1 min', '2 d 7 h')
    """
    rest = round(seconds)
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for number, (unit, size) in enumerate(units):
        if rest >= size or size == 1:
            first = f"{rest // size} {unit}"
            if size == 1 or not (smaller := rest % size // units[number + 1][1]):
                return first
            return f"{first} {smaller} {units[number + 1][0]}"
    raise AssertionError
