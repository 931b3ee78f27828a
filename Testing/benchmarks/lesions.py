"""Does a method for counts keep small faint lesions, can they still be told from noise, and does it print a pattern?

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.lesions [METHOD...] [--draws N] [--out FILE]

Gaussian lesions of 3 to 4 pixels at half maximum are planted in the real bone scan and in simulated ones (of
``training.simulate.bone``, which no network was trained on), each as bright as an ideal observer needs for the index of
detectability ``INDEX``. The scans are thinned, with and without the lesions, and restored. Measured are:

- ``contrast``: what is left of the lesions' uptake under a template of their own shape, a share.
- ``detected``: how often the template's value is larger with a lesion than at the same place without one (2AFC); 0.5 is
  chance. Pairs are of different draws.
- ``pattern``: power of the restored image at the Nyquist frequencies over that of their neighbourhood, the greatest of
  the three; 1 without a pattern of 2x2 pixels.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.noise.poisson import thin
from MedRestoreLib.pipeline import device
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.restore import run_plan
from Testing.support.paths import REPOSITORY

FRACTIONS = (0.5, 0.25)
WIDTHS = (3.0, 4.0)  # pixels at half maximum
INDEX = 1.95  # of the ideal observer, who knows the anatomy; the template then decides right in about 0.93 of the cases
APART, HALF = 28, 8  # pixels between lesions, and around one
BINS = 10  # of the spectrum around a Nyquist frequency
LEAST = 1.0  # counts expected at a lesion's place in the whole scan
SIMULATED = 3  # scans
TRUNK = slice(80, 592)  # rows: head to thighs

Restore = Callable[[np.ndarray], np.ndarray]  # counts (planes, rows, columns) → their rate


def scans(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, counts and expected counts ``(1, rows, columns)``, from the front; of the real scan these are smoothed."""
    from scipy.ndimage import gaussian_filter

    from training.simulate.bone import whole_body

    real = mr.read(folder / "nuclear" / "bone_scan_whole_body.dcm").voxels[:1, 0, TRUNK]
    yield "real", real, gaussian_filter(real, (0, 2.5, 2.5))
    for seed in range(SIMULATED):
        expected = whole_body(7000 + seed).voxels[:1, 0, TRUNK]
        expected = expected * np.float32(60 / np.percentile(expected, 99.5))
        yield f"simulated {seed}", np.random.default_rng(seed).poisson(expected).astype(np.float32), expected


def places(expected: np.ndarray, rng: np.random.Generator) -> list[tuple[int, int, int]]:
    """Plane, row and column of places that are not dark, far from each other and the border."""
    bright = np.argwhere(expected > LEAST)
    found: list[tuple[int, int, int]] = []
    for plane, row, column in rng.permutation(bright):
        sides = zip((row, column), expected.shape[1:], strict=True)
        inside = all(2 * HALF <= at < size - 2 * HALF for at, size in sides)
        if inside and all(p != plane or max(abs(row - r), abs(column - c)) >= APART for p, r, c in found):
            found.append((int(plane), int(row), int(column)))
    return found


def lesion(width: float) -> np.ndarray:
    """A Gaussian of this width at half maximum; its maximum is 1."""
    y, x = np.ogrid[-HALF : HALF + 1, -HALF : HALF + 1]
    return np.exp(-4 * np.log(2) * (y**2 + x**2) / width**2).astype(np.float32)


def window(place: tuple[int, int, int]) -> tuple[int, slice, slice]:
    """The pixels around a place."""
    plane, row, column = place
    return plane, slice(row - HALF, row + HALF + 1), slice(column - HALF, column + HALF + 1)


def measure(restore: Restore, scan: np.ndarray, expected: np.ndarray, fraction: float, draws: int) -> dict[str, float]:
    """The three measures on one scan."""
    rng = np.random.default_rng(round(100 * fraction))
    wanted = [(window(place), lesion(rng.uniform(*WIDTHS))) for place in places(expected, rng)]
    added = np.zeros_like(scan)
    for at, shape in wanted:
        added[at] += shape * (INDEX / np.sqrt((shape**2 / (fraction * expected[at])).sum()))
    templates = [shape - shape.mean() for _, shape in wanted]
    true = np.array([(template * added[at]).sum() for template, (at, _) in zip(templates, wanted, strict=True)])
    scores, patterns = [], []
    for _ in range(draws):
        part = thin(scan, fraction, rng)
        pair = [restore(part + more) for more in (0, rng.poisson(added).astype(np.float32))]
        patterns.append(pattern(pair[0]))
        scores.append([[(t * one[at]).sum() for t, (at, _) in zip(templates, wanted, strict=True)] for one in pair])
    absent, present = np.moveaxis(np.array(scores) / true, 1, 0)  # (draws, lesions)
    wins = present[:, None] - absent[None]
    others = ~np.eye(draws, dtype=bool)
    return {
        "contrast": float((present - absent).mean()),
        "detected": float(((wins > 0) + 0.5 * (wins == 0))[others].mean()),
        "pattern": float(np.mean(patterns)),
        "lesions": len(wanted),
    }


def pattern(planes: np.ndarray) -> float:
    """Power at the three Nyquist frequencies over its mean around them, the greatest; of planes with even sides."""
    rows, columns = planes.shape[1:]
    taper = np.hanning(rows)[:, None] * np.hanning(columns)
    power = np.fft.fftshift((np.abs(np.fft.fft2(planes * taper)) ** 2).mean(axis=0))
    found = []
    for row, column in ((rows // 2, columns), (rows, columns // 2), (rows, columns)):
        # fftshift puts the Nyquist frequency first; rolled, it is in the middle of a window
        near = np.roll(power, (BINS - row % rows, BINS - column % columns), (0, 1))[: 2 * BINS + 1, : 2 * BINS + 1]
        y, x = np.ogrid[-BINS : BINS + 1, -BINS : BINS + 1]
        at = (abs(y) <= 1) & (abs(x) <= 1)
        found.append(near[at].mean() / near[np.hypot(y, x) > 2].mean())
    return float(max(found))


def by_library(method: str) -> Restore:
    """As MedRestore restores counts, without the evidence; "noisy" for the scan as it is."""

    def restore(counts: np.ndarray) -> np.ndarray:
        study = mr.Image(counts[:, None], modality="NM", unit="counts")
        plan = mr.recommend(study, method=method, noise="poisson", level=1.0)
        denoising = Denoising.of(study, plan, device.resolve(plan.device))
        return run_plan(denoising, study.voxels, plan).voxels[:, 0]

    return (lambda counts: counts) if method == "noisy" else restore


def main() -> None:
    """Print the measures of each method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", default=["noisy", "bm3d", "emanet"])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--scans", nargs="*", default=["real", *(f"simulated {n}" for n in range(SIMULATED))])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    folder = Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))
    rows = []
    for name, counts, expected in scans(folder):
        if name not in arguments.scans:
            continue
        for fraction in FRACTIONS:
            for method in arguments.methods:
                found = measure(by_library(method), counts, expected, fraction, arguments.draws)
                rows.append({"scan": name, "fraction": fraction, "method": method, **found})
                said = (f"{key} {value:.3g}" for key, value in found.items())
                print(f"{name:12} {fraction:4}  {method:8}", *said, sep="  ", flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
