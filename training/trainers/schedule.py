"""The number of steps of a training, and its learning rate.

The learning rate rises linearly (warm-up), stays constant, and decays linearly to zero over the last share of the
steps. A time budget can therefore be kept on a machine whose speed varies: once all but that share of the time is
spent, the number of remaining steps is fixed. The checkpoint records that decision; apart from it, everything depends
on the step's number alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..recipe import RecipeError, Schedule

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """A time such as ``"90s"``, ``"20m"`` or ``"1.5h"`` in seconds. Raises RecipeError.

    >>> seconds("1.5h")
    5400.0
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or float(found[1]) == 0:
        raise RecipeError(f"a budget is a time such as 90s, 20m or 1.5h; got '{text}'.")
    return float(found[1]) * _SECONDS[found[2]]


@dataclass
class Progress:
    """How far a training has got.

    Attributes:
        budget: seconds; None where the schedule's number of steps counts.
        step: steps done.
        steps: steps in total; None until a time budget has decided.
        spent: seconds spent, over all resumptions.
        clock: seconds from any origin.
    """

    schedule: Schedule
    budget: float | None
    step: int = 0
    steps: int | None = None
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        if self.budget is None:
            self.steps = self.schedule.steps
        self._since = self.clock()

    def tick(self) -> float:
        """Seconds spent until now."""
        now = self.clock()
        self.spent, self._since = self.spent + now - self._since, now
        return self.spent

    def decide(self, spent: float) -> None:
        """Fix the number of steps once it is time for the decay."""
        share = self.schedule.decay
        if self.steps is None and self.step > 0 and spent >= (1 - share) * self.budget:
            self.steps = max(round(self.step / (1 - share)), self.step + 1)

    @property
    def finished(self) -> bool:
        return self.steps is not None and self.step >= self.steps

    def rate(self) -> float:
        """The factor of the recipe's learning rate in the next step, 0 to 1."""
        warm_up = min(1.0, (self.step + 1) / max(self.schedule.warm_up, 1))
        if self.steps is None:
            return warm_up
        decay = max(self.schedule.decay * self.steps, 1.0)
        return min(warm_up, (self.steps - self.step) / decay, 1.0)
