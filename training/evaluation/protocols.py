"""On what are methods compared? For each noise model: levels, baselines, and the patients of a test split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data import Source
from ..data.views import View, of_split
from . import baselines
from .baselines import Restorer


@dataclass(frozen=True)
class Protocol:
    """How methods are compared under one noise model.

    Attributes:
        data: the recipe whose test split is used.
        levels: at which restored views are compared with clean ones.
        lesion_levels: at which lesions are segmented.
        baselines: methods that need no training, by name.
    """

    data: str
    levels: tuple[float, ...] = ()
    lesion_levels: tuple[float, ...] = ()
    baselines: Mapping[str, Restorer] = field(default_factory=lambda: {"noisy": baselines.noisy})


BONE, BREASTS, MIXED, ENHANCED, CLIPS = "emanet_bone", "unet_att", "gaussian", "swin_conv", "student_x2"
COUNTS = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 50.0)  # the paper's, and 50: 26 counts
SPECKLE = (0.05, 0.1, 0.15, 0.25, 0.5, 0.75)  # the paper's, and weaker ones for ``tables.unet_att.matched``
FAINT = (50.0, 30.0, 20.0)  # 26, 72 and 163 counts
PAPER = (0.25, 0.5, 0.75)
REAL = "as_is"  # real frames: no noise is added

PROTOCOLS: dict[str, Protocol] = {  # by the name of the noise model in training.data.degradations
    "p_peak": Protocol(BONE, COUNTS, FAINT, baselines.PEAK),
    "p_lit": Protocol(BONE, COUNTS, FAINT, baselines.P_LIT),
    "speckle": Protocol(BREASTS, SPECKLE, PAPER, baselines.SPECKLE),
    "speckle_8bit": Protocol(BREASTS, SPECKLE, PAPER, baselines.SPECKLE),
    "bmode": Protocol(BREASTS, (0.15, 0.3), (), baselines.BMODE),
    "blurred": Protocol(ENHANCED, (0.2, 0.5, 1.0)),
    "gaussian": Protocol(MIXED, (7.65, 22.95, 38.25), (), baselines.WHITE_NOISE),  # 3, 9 and 15 % of the maximum
    "reduced": Protocol(CLIPS, (2.0, 3.0, 4.0)),
    "rician": Protocol("disentangled", (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)),
    REAL: Protocol(BREASTS, lesion_levels=(0.0,)),
}


@dataclass(frozen=True)
class HeldOut:
    """Patients of a test split, with a protocol's noise.

    Attributes:
        patients: how many, the first of the split.
        segmenter: folder of a training that segments lesions, for ``lesions``.
    """

    source: Source
    protocol: str
    patients: int
    segmenter: Path | None = None

    @property
    def rules(self) -> Protocol:
        return PROTOCOLS[self.protocol]

    @cached_property
    def ready(self) -> Source:
        """The source, once its held-out data are on disk."""
        self.source.prepare(("validation", "test"))
        return self.source

    def views(self, levels: Sequence[float], split: str = "test") -> Iterator[View]:
        """Every view of the patients at each level; the noise is the same for every method."""
        return of_split(self.ready, split, self.patients, self.protocol, levels)

    def about(self) -> dict[str, Any]:
        """What a result says of the data."""
        count = min(self.patients, len(self.ready.patients("test")))
        return {"data": self.source.key, "split": "test", "patients": count}
