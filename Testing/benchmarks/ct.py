"""CT volumes by the automatic plan: what it gains, and what becomes of faint lesions, beside other methods.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.ct [--json FILE] [--draws N] [--cone] [--thick]

Two bodies, the trunk of the XCAT phantom and one of water with bones, hold spheres that are fainter or brighter than
their surroundings, and are scanned by training/simulate/transmission. Every method restores the same scan under the
same plan. Gain is that of the body's error, against the reconstruction without noise. A sphere's contrast is the mean
of its core less that of the shell around it; it is shown over that without noise, over the standard deviation of the
voxels around (CNR), and over that of the same difference where there is no sphere (detectability, d'). A cone beam is
a scan of few views, whose outer slices get few photons; its streaks are in the reference, too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_erosion

import MedRestoreLib as mr
from training.simulate.transmission import HOUNSFIELD, VIEWS, body, scanned

from .inputs import real
from .reconstructions import restored

METHODS = ("prinlm3d", "bm4d", "odct3d")
FIRST, SLICES, SIDE, VOXEL_MM = 618, 20, 208, 2.0
CONE_VIEWS, CONE_ENDS = 61, 0.25  # of a cone beam: views, and photons of the outer slices over those of the middle
LESIONS = (8.0, 12.0, 16.0, 12.0, 16.0)  # diameters, mm
CONTRASTS, OF_SMALL = (-15.0, -30.0, 40.0), (-40.0, 40.0)  # HU; of those of 8 mm
APART = 36.0  # mm between their middles
EMPTY = 80  # places without a sphere
LIVER = float(HOUNSFIELD[5])


def trunk() -> np.ndarray:
    return body(real("nuclear", "phantoms", "xcat50_male_labels_2mm.nrrd"), FIRST, SLICES, SIDE)


def water() -> np.ndarray:
    """An ellipse with three bones, of the liver's density but for its outer layer."""
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    plane = np.full((SIDE, SIDE), -1000, np.float32)
    plane[np.hypot(y / 62, x / 84) < 1] = HOUNSFIELD[1]
    plane[np.hypot(y / 54, x / 76) < 1] = LIVER
    for row, column, radius in ((40, 0, 9), (-10, 50, 4), (-10, -50, 4)):
        plane[np.hypot(y - row, x - column) < radius] = 600
    return np.repeat(plane[None], SLICES, axis=0)


# Of each body, photons of a ray without it.
BODIES: dict[str, tuple[Callable[[], np.ndarray], tuple[float, ...]]] = {
    "trunk": (trunk, (3e4, 1e5, 4e5, 1e6)),
    "water": (water, (6e4, 2e5, 5e5, 2e6)),
}


@dataclass(frozen=True)
class Place:
    """A sphere, or where one could be: voxels of its core and of the shell around it."""

    core: tuple[np.ndarray, ...]
    shell: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, away: np.ndarray, diameter: float) -> Place:
        """From every voxel's distance to the middle, mm."""
        shell = (away > diameter / 2 + 2) & (away < diameter / 2 + 7)
        return cls(np.nonzero(away < diameter / 2), np.nonzero(shell))

    def contrast(self, volume: np.ndarray) -> float:
        return float(volume[self.core].mean() - volume[self.shell].mean())


def distance(shape: tuple[int, ...], middle: np.ndarray, thick: int) -> np.ndarray:
    """Of every voxel, mm; slices are ``thick`` times as thick as pixels are wide."""
    z, y, x = (VOXEL_MM * (np.arange(side) - at) for side, at in zip(shape, middle, strict=True))
    return np.sqrt((thick * z[:, None, None]) ** 2 + y[:, None] ** 2 + x**2)


def row(name: str, photons: float, draw: int, cone: bool = False, thick: int = 1) -> dict[str, Any]:
    """The plan, and by method the gain in dB and what became of each lesion."""
    rng = np.random.default_rng(draw)
    study = BODIES[name][0]()
    free = binary_erosion(study == LIVER, iterations=7)
    free[:6] = free[-6:] = False
    planted = []
    for diameter in LESIONS:
        if not free.any():
            break
        middle = rng.permutation(np.argwhere(free))[0]
        hounsfield = float(rng.choice(OF_SMALL if diameter == min(LESIONS) else CONTRASTS))
        away = distance(study.shape, middle, 1)
        study[away < diameter / 2] += hounsfield
        free &= away > APART
        planted.append((middle, diameter, hounsfield))
    views, rays = VIEWS, np.full(SLICES, photons)
    if cone:
        views, rays = CONE_VIEWS, photons * (1 - (1 - CONE_ENDS) * np.linspace(-1, 1, SLICES) ** 2)
    clean, noisy = (
        scanned(study, rays, seed, VOXEL_MM, views).reshape(-1, thick, SIDE, SIDE).mean(axis=1)
        for seed in (None, draw + 1)
    )
    study, free = (values.reshape(-1, thick, SIDE, SIDE).min(axis=1) for values in (study, free))
    image = mr.Image.from_array(noisy, modality="CT", spacing=(VOXEL_MM, VOXEL_MM, thick * VOXEL_MM))
    plan = mr.recommend(image)
    inside, empty = study > -500, rng.permutation(np.argwhere(free))[:EMPTY]
    places = []
    for middle, diameter, hounsfield in planted:
        at = middle / (thick, 1, 1) - ((thick - 1) / (2 * thick), 0, 0)
        near = [Place.of(distance(study.shape, one, thick), diameter) for one in empty]
        places.append((Place.of(distance(study.shape, at, thick), diameter), near, diameter, hounsfield))

    def error(volume: np.ndarray) -> float:
        return float(np.square(volume - clean)[inside].mean(dtype=np.float64))

    def seen(volume: np.ndarray) -> list[dict[str, float]]:
        around = float((volume - clean)[free].std())
        found = []
        for place, near, diameter, hounsfield in places:
            contrast, chance = place.contrast(volume), np.std([one.contrast(volume - clean) for one in near])
            found.append(
                {
                    "diameter": diameter,
                    "hounsfield": hounsfield,
                    "kept": contrast / place.contrast(clean),
                    "cnr": abs(contrast) / around,
                    "detectability": float(np.sign(hounsfield) * contrast / chance),
                }
            )
        return found

    volumes = {"noisy": noisy} | {id: restored(image, replace(plan, method=id, options={})) for id in METHODS}
    return {
        "body": name,
        "photons": photons,
        "draw": draw,
        "cone": cone,
        "thick": thick,
        "method": plan.method,
        "level": plan.level,
        "careful": plan.careful,
        "noise": float((noisy - clean)[free].std()),
        "words": plan.noise_words,
        "gain": {id: 10 * np.log10(error(noisy) / error(volume)) for id, volume in volumes.items()},
        "lesions": {id: seen(volume) for id, volume in volumes.items()},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """By noise and method: mean gain; mean contrast kept, CNR and detectability of spheres of 12 and 16 mm."""
    lines = ["| noise, HU | method | gain, dB | contrast | of 15 HU | of 8 mm | CNR | d' |", "|---" * 8 + "|"]
    for low, high in ((0, 18), (18, 40), (40, np.inf)):
        here = [one for one in rows if low <= one["noise"] < high]
        for id in here[0]["lesions"] if here else ():
            every = [lesion for one in here for lesion in one["lesions"][id]]
            large = [lesion for lesion in every if lesion["diameter"] > min(LESIONS)]
            faint = [lesion for lesion in large if abs(lesion["hounsfield"]) == min(map(abs, CONTRASTS))]
            small = [lesion for lesion in every if lesion["diameter"] == min(LESIONS)]
            kept = " | ".join(f"{_mean(some, 'kept'):.0%}" for some in (large, faint, small))
            noise = f"{min(one['noise'] for one in here):.0f} to {max(one['noise'] for one in here):.0f}"
            gain = np.mean([one["gain"][id] for one in here])
            cnr, seen = _mean(large, "cnr"), _mean(large, "detectability")
            lines.append(f"| {noise} | {id} | {gain:.1f} | {kept} | {cnr:.1f} | {seen:.1f} |")
    return "\n".join(lines)


def _mean(lesions: list[dict[str, float]], quantity: str) -> float:
    return float(np.mean([lesion[quantity] for lesion in lesions])) if lesions else float("nan")


def main() -> None:
    """Print a row for each scan, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--cone", action="store_true", help="a cone beam")
    parser.add_argument("--thick", action="store_true", help="slices of 4 mm")
    arguments = parser.parse_args()
    rows = []
    for draw in range(arguments.draws):
        for name, (_, every) in BODIES.items():
            for photons in every:
                rows.append(row(name, photons, draw, arguments.cone, 2 if arguments.thick else 1))
                print(rows[-1], flush=True)
                if arguments.json:
                    arguments.json.write_text(json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
