"""The factors of the map of trust, and how often its intervals hold the truth of studies they were not measured on.

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.trust [--noise ID] [--out FILE]

Studies are simulated, so that the truth is known, and restored with each method that is recommended for them or given
by hand. For each noise, about half are calibration: the factor is the 90 % quantile of error over spread, all of them
weighing alike. The others, of other anatomy, are held out: their coverage is measured, over all voxels of the object,
in its brightest and its darkest quarter, at the steepest tenth (edges), and within lesions of 3 to 8 pixels that were
added to the truth.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.evidence.trust import COVERAGE, FACTORS
from MedRestoreLib.noise import model
from Testing.support.scintigraphy import ORGANS

from .inputs import bmode
from .mr_noise import weighted

HELD_OUT = {"FLAIR", "head", "flood", "kidney", "bone"}  # anatomy; of ultrasound, scenes by number
LESIONS = 6
OBJECT = 0.05  # of the brightest: what is darker is air, where an interval hardly ever fails
MAGNETIC = (("gaussian", "bm3d"), ("gaussian", "adf"), ("rician", "bm3d"), ("rician", "adf"))
GRID = (np.arange(500) + 0.5) / 500  # so many quantiles stand for a study
PLACES = ("all", "bright", "dark", "edges", "lesions")


@dataclass(frozen=True, eq=False)
class Case:
    """One study; ``clean`` holds ``lesions``."""

    name: str
    image: mr.Image
    clean: np.ndarray
    lesions: np.ndarray
    held_out: bool
    edits: dict[str, Any] = field(default_factory=dict)


def cases() -> Iterator[Case]:
    """Every study."""
    from MedRestoreLib.samples import head

    slices = {name: [weighted(name)[number] for number in (62, 86)] for name in ("T1w", "T2w", "PDw", "FLAIR")}
    slices["head"] = [head.clean(np.random.default_rng(3))[number] for number in (10, 18)]
    seed = 0
    for name, planes in slices.items():
        for plane in planes:
            for level in (3.0, 7.0):
                for noise, method in (
                    ("gaussian", "bm3d"),
                    ("gaussian", "adf"),
                    ("rician", "bm3d"),
                    ("rician", "adf"),
                ):
                    seed += 1
                    clean, lesions = with_lesions(plane / plane.max() * 100, np.random.default_rng(seed))
                    yield _case(name, clean, lesions, noise, level, seed, "MR", method=method)
    for organ, draw in ORGANS.items():
        for peak in (8.0, 30.0, 120.0, 600.0):
            for method in ("bm3d", "emanet"):
                seed += 1
                rng = np.random.default_rng(seed)
                clean, lesions = with_lesions(draw(rng).astype(np.float32) * np.float32(peak), rng)
                yield _case(organ, clean, lesions, "poisson", 1.0, seed, "NM", method=method)
    for number, sample in enumerate(bmode(9)):
        voxels = np.rint(255 * sample.noisy)[None, None].astype(np.float32)
        image = mr.Image(voxels, modality="US", source=mr.image.Source(dtype="uint8"))
        for method in ("unet_att_small", "srad"):
            nowhere = np.zeros(voxels.shape, bool)
            clean = 255 * sample.clean[None, None]
            yield Case(f"scene {number}", image, clean, nowhere, number >= 6, {"method": method, "noise": "speckle"})


def with_lesions(plane: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A plane with Gaussian blobs, and where they are: a fifth to three fifths of the brightness there, up or down."""
    plane = np.array(plane, np.float32)
    bright = np.argwhere(plane > 0.25 * plane.max())
    where, (y, x) = np.zeros(plane.shape, bool), np.indices(plane.shape)
    for row, column in rng.choice(bright, LESIONS):
        width = rng.uniform(3, 8)
        square = (y - row) ** 2 + (x - column) ** 2
        plane += (
            plane[row, column]
            * rng.uniform(0.2, 0.6)
            * rng.choice([-1, 1])
            * np.exp(-4 * np.log(2) * square / width**2).astype(np.float32)
        )
        where |= square < (width / 2) ** 2
    return np.maximum(plane, 0), where


def _case(
    name: str, clean: np.ndarray, lesions: np.ndarray, noise: str, level: float, seed: int, modality: str, **edits: Any
) -> Case:
    plain = mr.Image(clean[None, None], modality=modality, unit="counts" if modality == "NM" else "")
    image = mr.add_noise(plain, noise, level, seed)
    return Case(name, image, plain.voxels, lesions[None, None], name in HELD_OUT, {"noise": noise, **edits})


def ratios(case: Case) -> dict[str, np.ndarray] | None:
    """Error over half width in each place; None where no noise was told."""
    plan = mr.recommend(case.image, **case.edits)
    if plan.careful and plan.noise != "speckle":
        return None
    result = mr.restore(case.image, plan)
    before, after = case.image.voxels, result.image.voxels
    bound = model(plan.noise).bind(before, plan.level)
    where = bound.comparable(before, after)
    where &= case.clean > OBJECT * case.clean.max()
    if plan.noise == "speckle":
        where &= (before > 0) & (before < 255)
    ratio = np.abs(after - case.clean) / mr.trust(result, plan).half_width.voxels
    smooth = case.clean[where]
    slope = np.hypot(*np.gradient(case.clean[0, 0]))[None, None]
    places = {
        "all": where,
        "bright": where & (case.clean > np.quantile(smooth, 0.75)),
        "dark": where & (case.clean < np.quantile(smooth, 0.25)),
        "edges": where & (slope > np.quantile(slope[where], 0.9)),
        "lesions": where & case.lesions,
    }
    return {name: ratio[place] for name, place in places.items()}


def main() -> None:
    """Print each study, then factors and coverage for each noise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", choices=sorted(FACTORS))
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    quantiles: dict[str, list[np.ndarray]] = {}
    held: dict[str, list[dict[str, np.ndarray]]] = {}
    for case in cases():
        noise = case.edits["noise"]
        if arguments.noise not in (None, noise):
            continue
        found = ratios(case)
        if found is None or not found["all"].size:
            continue
        covered = {name: float((values <= 1).mean()) for name, values in found.items() if values.size}
        print(noise, case.name, case.edits["method"], "held out" if case.held_out else "", covered, flush=True)
        if case.held_out:
            held.setdefault(noise, []).append(found)
        else:
            quantiles.setdefault(noise, []).append(np.quantile(found["all"], GRID))
    table = {}
    for noise, values in quantiles.items():
        factor = float(np.quantile(np.concatenate(values), COVERAGE))
        coverage = {
            place: float(np.mean([(found[place] <= factor).mean() for found in held[noise] if found[place].size]))
            for place in PLACES
            if any(found[place].size for found in held[noise])
        }
        table[noise] = {"factor": FACTORS[noise] * factor, "studies": len(values), "held_out": len(held[noise])}
        table[noise] |= {"coverage": coverage}
    print(json.dumps(table, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
