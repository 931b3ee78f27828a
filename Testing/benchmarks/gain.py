"""Is the expected gain the true one? Known noise on studies of which the truth is known.

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.gain [--level known|estimated] [--every N] [--out FILE]

The true gain is that of the mean squared error in the study's unit, over the voxels that the noise model holds for.
Where the plan keeps the bias of magnitudes, the truth is their mean, found by acquiring the study again and again.
The bars: the mean of expected less true gain is within 0.3 dB, and the true gain of 95 % lies within the stated limits.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.errors import MedRestoreError
from MedRestoreLib.noise import model
from Testing.support.scintigraphy import ORGANS
from training.simulate.magnetic import acquire

from .inputs import real
from .mr_noise import WEIGHTINGS, weighted

PEAKS = (8.0, 26.0, 100.0, 1000.0)
FRAMES = (60, 90)  # slices of the average head
AGAIN = 32  # acquisitions whose mean is the truth where bias is kept


@dataclass(frozen=True, eq=False)
class Case:
    """One study: a name, the noisy image, its noiseless self, noise model, true level and what else is decided.

    ``acquired`` makes another noisy study of a seed.
    """

    name: str
    image: mr.Image
    acquired: Callable[[int], np.ndarray]
    clean: np.ndarray
    noise: str
    level: float
    edits: dict[str, Any]


def cases() -> Iterator[Case]:
    """Every study of the benchmark."""
    heads = {name: weighted(name) for name in WEIGHTINGS}
    for seed, (name, volume) in enumerate(heads.items()):
        for number in FRAMES:
            clean = volume[None, number, None]
            for level in (2.0, 5.0, 9.0):
                for method in ("bm3d", "adf") if number == FRAMES[0] else ("bm3d",):
                    yield _case(f"{name} {number} {method}", clean, "gaussian", level / 100, seed, method, "CT")
                    yield _case(f"{name} {number} {method}", clean, "rician", level, seed, method, "MR")
        block = np.ascontiguousarray(volume[60:84, 70:150, 50:130])[None]
        for method in ("bm4d", "odct3d", "prinlm3d"):
            yield _case(f"{name} volume {method}", block, "rician", 5.0, seed, method, "MR", dimensions=3)
    paths = sorted(real("natural").glob("*.png"))[::4]
    for seed, path in enumerate(paths):
        clean = mr.read(path).voxels[:1, :1, :256, :256]
        for level in (10.0, 30.0):
            yield _case(f"photograph {seed}", clean, "gaussian", level, seed, "bm3d", "OT")
    for organ, draw in ORGANS.items():
        clean = draw(np.random.default_rng(1))[None, None].astype(np.float32)
        for peak in PEAKS:
            for method in ("bm3d", "emanet"):
                yield _case(f"{organ} {method}", clean * np.float32(peak), "poisson", 1.0, int(peak), method, "NM")
    for name, volume in heads.items():
        for kind in ("fermi", "zero_filled_1.5", "zero_filled_2", "uneven"):
            for first, last, method in ((84, 85, "bm3d"), (72, 88, "bm4d")):
                acquired = partial(acquire, np.ascontiguousarray(volume[first:last]), kind, 3.0)
                found = acquired(first)
                image = mr.Image(found.noisy[None], modality="MR")
                yield Case(
                    f"{name} {kind} {method}",
                    image,
                    lambda seed, acquired=acquired: acquired(seed).noisy[None],
                    found.ideal[None],
                    "rician",
                    3.0,
                    {"method": method},
                )


def _case(
    name: str, clean: np.ndarray, noise: str, level: float, seed: int, method: str, modality: str, **edits: Any
) -> Case:
    plain = mr.Image(np.ascontiguousarray(clean), modality=modality, unit="counts" if modality == "NM" else "")

    def acquired(seed: int) -> np.ndarray:
        return mr.add_noise(plain, noise, level, seed).voxels

    edits = {"method": method, **edits}
    return Case(name, mr.add_noise(plain, noise, level, seed), acquired, plain.voxels, noise, level, edits)


def true_gain(case: Case, plan: mr.Plan, restored: np.ndarray) -> float:
    """The true gain, dB."""
    before, truth, chance = case.image.voxels, case.clean, 0.0
    where = np.ones(before.shape, bool) if case.noise == "poisson" else model(case.noise)(1.0).covers(before)
    if case.noise == "rician" and not plan.remove_bias:
        draws = np.stack([case.acquired(1000 + number) for number in range(AGAIN)])
        truth, chance = draws.mean(axis=0), float(draws.var(axis=0, ddof=1)[where].mean()) / AGAIN
    errors = (np.square(study - truth)[where].mean(dtype=np.float64) - chance for study in (before, restored))
    return float(10 * np.log10(np.divide(*errors)))


def measure(case: Case, known: bool) -> dict[str, Any]:
    """Restore one study; what was expected and what is true."""
    level = {"level": case.level, "noise": case.noise} if known else {"noise": case.noise}
    plan = mr.recommend(case.image, **level, **case.edits)
    result = mr.restore(case.image, plan)
    gain = result.report.gain
    true = true_gain(case, plan, result.image.voxels)
    held = None
    if gain.available and gain.white:
        held = (gain.least_db is None or gain.least_db <= true) and (gain.most_db is None or true <= gain.most_db)
    return {
        "case": case.name,
        "noise": case.noise,
        "level": case.level,
        "found": plan.level,
        "careful": plan.careful,
        "confidence": plan.estimate.confidence if plan.estimate else None,
        "remove_bias": plan.remove_bias,
        "true": round(true, 2),
        "expected": None if gain.gain_db is None else round(gain.gain_db, 2),
        "least": gain.least_db,
        "most": gain.most_db,
        "white": bool(gain.white),
        "held": None if held is None else bool(held),
        "sentence": gain.sentence,
    }


def main() -> None:
    """Print every study, then the mean error and how many hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", choices=("known", "estimated"), default="estimated")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    for number, case in enumerate(cases()):
        if number % arguments.every:
            continue
        try:
            row = measure(case, arguments.level == "known")
        except MedRestoreError as error:
            print(case.name, error)
            continue
        rows.append(row)
        print({k: v for k, v in row.items() if k != "sentence"}, flush=True)
    for noise in ("gaussian", "rician", "poisson", ""):
        part = [row for row in rows if noise in row["noise"] and row["expected"] is not None and row["white"]]
        part = [row for row in part if "photograph" not in row["case"]]
        errors = np.array([row["expected"] - row["true"] for row in part])
        print(noise or "all", len(part), f"mean {errors.mean():+.2f} dB, median {np.median(errors):+.2f}, "
              f"held {np.mean([row['held'] for row in part]):.1%}")  # fmt: skip
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
