"""How well the noise of MR studies is told: known noise of every kind that scanners make, on every weighting.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.mr_noise [--json FILE]

The clean studies are the average head's tissue maps with the signals of four weightings, and a simulated head; both are
nearly free of noise of their own. A case is right if the total standard deviation is within 10 % of the truth.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MedRestoreLib.noise import Estimate, model
from training.simulate.magnetic import KINDS, acquire

from .inputs import real

LEVELS = (1.0, 3.0, 5.0, 9.0)  # percent of the maximum
RIGHT = 0.1  # relative error
# Signals of grey matter, white matter, fluid, and of what lies outside the brain.
WEIGHTINGS = {
    "T1w": (0.55, 0.85, 0.2, 0.9),
    "T2w": (0.5, 0.36, 1.0, 0.5),
    "FLAIR": (0.75, 0.6, 0.15, 0.7),
    "PDw": (0.85, 0.7, 0.95, 0.7),
}
SLICES, FEW = slice(40, 140), slice(80, 85)  # of the average head


class Row(NamedTuple):
    """One case: what was simulated, the standard deviation found over the true one, and how sure that was."""

    weighting: str
    kind: str
    level: float
    slices: int
    ratio: float | None
    confidence: float

    @property
    def sure(self) -> bool:
        return Estimate(self.ratio, self.confidence, "").sure

    @property
    def right(self) -> bool:
        return self.ratio is not None and abs(self.ratio - 1) <= RIGHT


def weighted(weighting: str) -> np.ndarray:
    """The average head with the signals of a weighting: ``(slices, rows, columns)`` in [0, 1]."""
    from scipy.ndimage import binary_closing, binary_fill_holes, gaussian_filter

    from MedRestoreLib.files.studies import read

    head, grey, white = (read(real("mri", f"mni152_{name}.nii.gz")).voxels[0] for name in ("t1", "gm", "wm"))
    head, grey, white = head / np.percentile(head, 99.9), grey / grey.max(), white / white.max()
    filled = binary_fill_holes(binary_closing(grey + white > 0.3, iterations=6))
    brain = gaussian_filter(filled.astype(np.float32), 0.7)
    fluid = np.clip(brain - grey - white, 0, 1)
    signals = WEIGHTINGS[weighting]
    inside = grey * signals[0] + white * signals[1] + fluid * signals[2]
    return np.clip(inside + (1 - brain) * np.clip(head, 0, 1) * signals[3], 0, 1).astype(np.float32)


def cases(weightings: dict[str, np.ndarray], levels: tuple[float, ...] = LEVELS) -> Iterator[Row]:
    """Every kind and level on each clean study ``(slices, rows, columns)``."""
    for weighting, clean in weightings.items():
        for kind in KINDS:
            for level in levels:
                yield measured(weighting, clean, kind, level)


def measured(weighting: str, clean: np.ndarray, kind: str, level: float, seed: int = 1) -> Row:
    """One case."""
    acquired = acquire(clean, kind, level, seed)
    rician, noisy = model("rician"), acquired.noisy[None]
    estimate = rician.estimate(noisy)
    ratio = rician.bind(noisy, estimate.level).sigma / acquired.sigma if estimate.level else None
    return Row(weighting, kind, level, len(clean), ratio, estimate.confidence)


def summary(rows: list[Row]) -> str:
    """A table of kinds and levels: how many cases are sure, and how many of these are right."""
    lines = [f"| kind | {' | '.join(f'{level:g} %' for level in LEVELS)} |", "|---" * (len(LEVELS) + 1) + "|"]
    for kind in KINDS:
        cells = []
        for level in LEVELS:
            here = [row for row in rows if (row.kind, row.level) == (kind, level)]
            sure = [row for row in here if row.sure]
            cells.append(f"{sum(row.right for row in sure)} of {len(sure)} sure, {len(here)} in all")
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    sure = [row for row in rows if row.sure]
    right = sum(row.right for row in sure)
    lines.append(f"\n{right} of {len(sure)} sure cases are right ({right / len(sure):.1%}), of {len(rows)} in all.")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    from training.simulate.brain import t1_stack

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    studies = {}
    for weighting in WEIGHTINGS:
        clean = weighted(weighting)
        studies |= {weighting: clean[SLICES], f"{weighting}, few slices": clean[FEW]}
    simulated = t1_stack(3, (32, 217, 181)).voxels[0]
    studies["simulated T1w"] = simulated / simulated.max()
    rows = []
    for row in cases(studies):
        rows.append(row)
        print(*row, row.right if row.sure else "unsure", flush=True)
    print(summary(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([row._asdict() for row in rows], indent=1))


if __name__ == "__main__":
    main()
