"""How long a training is and how large its steps are.

The rate climbs, stays, and falls to zero over the last share of the steps. That lets a time budget be kept on a machine
whose speed changes: when all but that share of the time is spent, the number of steps left is fixed. The decision goes
into the checkpoint; before and after it everything depends on the step's number alone.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from training.recipe import RecipeError, Schedule

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
    """Where a training stands.

    Attributes:
        step: steps done.
        steps: steps in all; None while a time budget has not told yet.
        spent: seconds spent, over all resumptions.
    """

    schedule: Schedule
    budget: float | None
    step: int = 0
    steps: int | None = None
    spent: float = 0.0

    def __post_init__(self) -> None:
        if self.budget is None:
            self.steps = self.schedule.steps
        self._since = time.monotonic()

    def tick(self) -> float:
        """Seconds spent until now."""
        now = time.monotonic()
        self.spent, self._since = self.spent + now - self._since, now
        return self.spent

    def decide(self, spent: float) -> None:
        """Fix the number of steps once the time for the falling rate has come."""
        share = self.schedule.decay
        if self.steps is None and self.step > 0 and spent >= (1 - share) * self.budget:
            self.steps = max(round(self.step / (1 - share)), self.step + 1)

    @property
    def finished(self) -> bool:
        return self.steps is not None and self.step >= self.steps

    def rate(self) -> float:
        """What the optimiser's rate is multiplied by in the step to come."""
        climb = min(1.0, (self.step + 1) / max(self.schedule.warm_up, 1))
        if self.steps is None:
            return climb
        falling = max(self.schedule.decay * self.steps, 1.0)
        return min(climb, (self.steps - self.step) / falling, 1.0)
