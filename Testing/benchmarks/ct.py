"""CT volumes by the automatic plan: what it gains, and what becomes of faint lesions, beside other methods.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.ct [--json FILE] [--draws N]

The liver of the XCAT phantom holds spheres 15 HU darker than itself and is scanned by training/simulate/transmission.
Every method restores the same scan under the same plan. Gain is that of the trunk's error, against the reconstruction
without noise; contrast is the mean of a sphere's core less that of the shell around it, over that without noise.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion

import MedRestoreLib as mr
from training.simulate.transmission import HOUNSFIELD, body, scanned

from .inputs import real
from .reconstructions import restored

METHODS = ("odct3d", "prinlm3d", "bm4d", "bm3d")
PHOTONS = (3e4, 1e5)  # of a ray without the object
FIRST, SLICES, SIDE, VOXEL_MM = 618, 20, 208, 2.0
LESION, CONTRAST = (8.0, 12.0, 16.0), -15.0  # diameters (mm), HU
LIVER = float(HOUNSFIELD[5])

Region = tuple[np.ndarray, np.ndarray]


def planted(clean: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[Region]]:
    """The phantom with one sphere of each diameter, and of each its core and the shell around it."""
    liver = binary_erosion(clean == LIVER, iterations=6)
    grid = np.moveaxis(np.indices(clean.shape), 0, -1)
    study, regions, free = clean.copy(), [], liver.copy()
    for diameter in LESION:
        centre = rng.permutation(np.argwhere(free))[0]
        distance = np.linalg.norm(grid - centre, axis=-1) * VOXEL_MM
        study[distance < diameter / 2] += CONTRAST
        core, shell = distance < diameter / 2 - 1, (distance > diameter / 2 + 2) & (distance < diameter / 2 + 7)
        regions.append((core, shell & (clean == LIVER)))
        free &= distance > 34
    return study, regions


def row(photons: float, draw: int, modality: str = "CT") -> dict[str, Any]:
    """The plan, and by method the gain in dB and the contrast of each lesion."""
    study, regions = planted(
        body(real("nuclear", "phantoms", "xcat50_male_labels_2mm.nrrd"), FIRST, SLICES, SIDE),
        np.random.default_rng(draw),
    )
    clean, noisy = (scanned(study, photons, seed, VOXEL_MM) for seed in (None, draw + 1))
    image = mr.Image.from_array(noisy, modality=modality, spacing=(VOXEL_MM,) * 3)
    plan = mr.recommend(image)
    trunk, liver = study > -500, study == LIVER

    def contrasts(volume: np.ndarray) -> np.ndarray:
        return np.array([volume[core].mean() - volume[shell].mean() for core, shell in regions])

    def error(volume: np.ndarray) -> float:
        return float(np.square(volume - clean)[trunk].mean(dtype=np.float64))

    found: dict[str, Any] = {
        "photons": photons,
        "draw": draw,
        "modality": modality,
        "method": plan.method,
        "level": plan.level,
        "careful": plan.careful,
        "noise": plan.noise_words,
        "noise_of_liver": float((noisy - clean)[liver].std()),
        "noise_of_trunk": error(noisy) ** 0.5,
        "gain": {},
        "contrast": {"noisy": (contrasts(noisy) / contrasts(clean)).tolist()},
    }
    for name in dict.fromkeys((plan.method, *METHODS)):
        volume = restored(image, replace(plan, method=name, dimensions=2 if name == "bm3d" else 3))
        found["gain"][name] = 10 * np.log10(error(noisy) / error(volume))
        found["contrast"][name] = (contrasts(volume) / contrasts(clean)).tolist()
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """By photons and method: mean gain, and mean and standard deviation of the contrast of each diameter."""
    lines = [
        f"| photons | method | gain, dB | {' | '.join(f'{d:g} mm' for d in LESION)} |",
        "|---" * (3 + len(LESION)) + "|",
    ]
    for photons in dict.fromkeys(row["photons"] for row in rows):
        here = [row for row in rows if row["photons"] == photons]
        for name in here[0]["contrast"]:
            kept = np.array([row["contrast"][name] for row in here])
            gain = "" if name == "noisy" else f"{np.mean([row['gain'][name] for row in here]):.1f}"
            cells = " | ".join(f"{m:.0%} ± {s:.0%}" for m, s in zip(kept.mean(axis=0), kept.std(axis=0), strict=True))
            lines.append(f"| {photons:.0e} | {name} | {gain} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print a row for each scan, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--draws", type=int, default=4)
    arguments = parser.parse_args()
    rows = []
    for photons in PHOTONS:
        for draw in range(arguments.draws):
            rows.append(row(photons, draw))
            print(rows[-1], flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
