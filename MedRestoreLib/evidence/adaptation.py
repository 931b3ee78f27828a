"""Whether a network that was adapted to a study restores it better, as a part of the study tells that it never saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SURE = 1.645  # standard errors: by chance a network that is no better passes in 1 of 20 studies


@dataclass(frozen=True)
class Adaptation:
    """What became of a network that was adapted.

    Attributes:
        steps: of training on the study.
        change: of its loss of a pixel that was held out, in units of the noise; negative is better.
        error: standard error of ``change``.
        loss: of the network as it ships.
        counts: whether the loss is Poisson's, of a fifth of the counts; else of squares.
    """

    steps: int
    change: float
    error: float
    loss: float
    counts: bool

    @property
    def kept(self) -> bool:
        """Whether the study is restored by the adapted network; else by the one that ships."""
        return self.change < -SURE * self.error

    @property
    def sentence(self) -> str:
        """For a person."""
        held = "counts" if self.counts else "data"
        margin = abs(self.change) / self.error if self.error > 0 else 0.0
        if self.kept:
            return (
                f"The network was adapted to this study in {self.steps} steps: on a part of the {held} that was held "
                f"out it then did better, by {margin:.1f} standard errors. The expected gain may be too high: the "
                "network has seen this noise."
            )
        return (
            f"The network was to be adapted to this study, but on a part of the {held} that was held out it did not "
            f"surely do better ({'better' if self.change < 0 else 'worse'} by {margin:.1f} standard errors): the "
            "network was used as it ships."
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Adaptation:
        """From ``to_dict``, also as kept in a JSON file."""
        return cls(**{name: value for name, value in values.items() if name != "kept"})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "kept": self.kept}
