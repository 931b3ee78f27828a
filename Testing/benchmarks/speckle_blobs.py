"""How many planted and erased blobs the report finds in despeckled frames, and how often it raises a false alarm.

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.speckle_blobs [--first N] [--step N] [--plants N] [--out FILE]

Real frames of breasts, fetal heads and infants' hips are restored by several methods. A Gaussian blob of 3 to 12 pixels
at half maximum, bright or dark, is then planted in the restored frame alone, or in the noisy one alone. It is found if
a place of the report lies within its width; beside letters and lines that are drawn into a frame nothing is judged, and
blobs there are counted apart, too. The signal-to-noise ratio is that of an ideal filter that knows the
spectrum and the strength of the speckle around: blobs have ratios of 6 to 20.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.errors import MedRestoreError
from MedRestoreLib.evidence.blobs import UnitGrid, find
from MedRestoreLib.noise import model
from MedRestoreLib.noise.constant import constant_areas

from .inputs import real

METHODS = ("unet_att_small", "srad", "adf")
FOLDERS = {"busi/benign": 7, "busi/malignant": 5, "hc18_half": 4, "hc18_native": 3, "infant_hip": 4}  # and how many
RATIOS = ((6.0, 10.0), (10.0, 20.0))  # of signal to noise
WIDTHS = (3.0, 12.0)  # pixels at half maximum
GREYS = (25, 215)  # of 255: a blob is planted where the restored frame is neither black nor saturated
SHOWN = (2, 253)  # of 255: beyond, the display cut the speckle
PATCH, GRID = 32, 64  # pixels: of even tissue, and the spectrum's
STRENGTHS = (0.6, 1.3)  # of the frame's: that of the speckle around a blob lies between
SURROUNDINGS = 16  # pixels on either side, in which it is measured
LEAST = 4000  # pixels of tissue in a frame that is used


class Speckle(NamedTuple):
    """Power at each frequency ``(GRID, GRID)`` of mean 1, and standard deviation in even tissue."""

    power: np.ndarray
    deviation: float

    @classmethod
    def of(cls, frame: np.ndarray, tissue: np.ndarray) -> Speckle:
        """From patches of ``frame``, of which ``tissue`` is boolean; ValueError where it shows none."""
        window = np.outer(np.hanning(PATCH), np.hanning(PATCH))
        y, x = np.indices((PATCH, PATCH)).reshape(2, -1) / PATCH
        bends = np.linalg.qr(np.stack([np.ones_like(x), y, x, y * y, x * x, x * y], axis=1))[0]
        found = []
        for row in range(0, frame.shape[0] - PATCH, PATCH // 2):
            for column in range(0, frame.shape[1] - PATCH, PATCH // 2):
                place = slice(row, row + PATCH), slice(column, column + PATCH)
                patch = frame[place].astype(float).ravel()
                flat = patch - bends @ (bends.T @ patch)
                if tissue[place].mean() >= 0.98 and patch.mean() >= 20 and flat.std() >= 1:
                    found.append((flat.std(), flat.reshape(PATCH, PATCH) * window / flat.std()))
        if len(found) < 5:
            raise ValueError("no even tissue")
        found = sorted(found, key=lambda item: item[0])
        even = found[len(found) // 5 : len(found) * 3 // 5]  # neither the calmest nor structure
        power = np.mean([np.square(np.abs(np.fft.fft2(patch, (GRID, GRID)))) for _, patch in even], axis=0)
        lowest = np.ix_((0, 1, -1), (0, 1, -1))  # what the bends took away
        power[lowest] = power[:4, :4].max()
        return cls(power / power.mean(), float(np.median([deviation for deviation, _ in even])))

    def ratio(self, width: float) -> float:
        """Signal-to-noise ratio of a blob as high as the standard deviation."""
        y, x = np.indices((GRID, GRID)) - GRID // 2
        blob = np.abs(np.fft.fft2(np.exp(-4 * np.log(2) * (y**2 + x**2) / width**2)))
        return float(np.sqrt((blob**2 / np.maximum(self.power, 1e-3 * self.power.max())).mean()))


def frames(first: int, step: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and frame ``(rows, columns)``, some of each folder; another ``first`` gives other frames, below ``step``."""
    for folder, number in FOLDERS.items():
        paths = sorted(p for p in real("ultrasound", *folder.split("/")).rglob("*.png") if "_mask" not in p.name)
        for path in islice(paths[first :: max(len(paths) // number, step)], number):
            yield f"{folder} {path.stem}", mr.read(path).voxels[0, 0]


def measure(name: str, frame: np.ndarray, method: str, plants: int, seed: int) -> tuple[bool, list[dict[str, Any]]]:
    """Whether the untouched result raises an alarm, and the blobs; ValueError where the frame has no even tissue."""
    from scipy.ndimage import uniform_filter

    shown = ~constant_areas(frame[None, None])[0, 0] & (frame > SHOWN[0]) & (frame < SHOWN[1])
    tissue = uniform_filter(shown.astype(np.float32), 9) > 0.97
    tissue[:6] = tissue[-6:] = tissue[:, :6] = tissue[:, -6:] = False
    if tissue.sum() < LEAST:
        raise ValueError("too little tissue")
    speckle = Speckle.of(frame, tissue)
    image = mr.Image(np.ascontiguousarray(frame[None, None]), modality="US")
    after = mr.restore(image, method=method, noise="speckle", level=0.2).image.voxels[0, 0]
    noise = model("speckle").bind(image.voxels, 0.2)
    alarm = bool(find(image.voxels, after[None, None], noise, UnitGrid()))
    rng, blobs = np.random.default_rng(seed), []
    places = np.argwhere(tissue & (after > GREYS[0]) & (after < GREYS[1]))
    for _ in range(plants):
        row, column = (int(i) for i in rng.choice(places))
        width = float(np.exp(rng.uniform(*np.log(WIDTHS))))
        ratio = float(np.exp(rng.uniform(np.log(RATIOS[0][0]), np.log(RATIOS[-1][1]))))
        erased = bool(rng.random() < 0.5)
        around = frame[max(row - SURROUNDINGS, 0) : row + SURROUNDINGS + 1,
                       max(column - SURROUNDINGS, 0) : column + SURROUNDINGS + 1]  # fmt: skip
        deviation = float(np.clip(around.std(), *(share * speckle.deviation for share in STRENGTHS)))
        height = ratio / speckle.ratio(width) * deviation * rng.choice([-1, 1])
        y, x = np.ogrid[: frame.shape[0], : frame.shape[1]]
        blob = (height * np.exp(-4 * np.log(2) * ((y - row) ** 2 + (x - column) ** 2) / width**2)).astype(np.float32)
        old = frame if erased else after
        new = np.clip(old + blob, 0, 255)
        ratio *= float(np.linalg.norm(new - old) / np.linalg.norm(blob))
        pair = (new, after) if erased else (frame, new)
        found = find(*(study[None, None] for study in pair), noise, UnitGrid())
        near = [p for p in found if np.hypot(p.voxel[2] - row, p.voxel[3] - column) <= max(width / 2, 2)]
        blobs.append({
            "frame": name, "method": method, "erased": erased, "width": round(width, 1), "ratio": round(ratio, 1),
            "height": round(float(height)), "row": row, "column": column, "found": bool(near),
            "judged": bool(noise.comparable(image.voxels, after[None, None])[0, 0, row, column]),
        })  # fmt: skip
    return alarm, blobs


def main() -> None:
    """Print each miss, then hits and trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--step", type=int, default=9)
    parser.add_argument("--plants", type=int, default=4)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    alarms: dict[str, list[bool]] = {method: [] for method in arguments.methods}
    blobs: list[dict[str, Any]] = []
    for number, (name, frame) in enumerate(frames(arguments.first, arguments.step)):
        for method in arguments.methods:
            try:
                alarm, found = measure(name, frame, method, arguments.plants, number)
            except (MedRestoreError, ValueError) as error:
                print(f"{name} {method}: {error}", flush=True)
                continue
            alarms[method].append(alarm)
            blobs += found
            print(name, method, "alarm" if alarm else "", [b for b in found if not b["found"]], flush=True)
    for method in arguments.methods:
        words = []
        for low, high in RATIOS:
            rows = [b for b in blobs if b["method"] == method and low <= b["ratio"] < high]
            found, judged = sum(b["found"] for b in rows), sum(b["judged"] for b in rows)
            words.append(f"{found} of {len(rows)} ({judged} judged) from {low:g}")
        print(f"{method}: found {', '.join(words)}; alarms {sum(alarms[method])} of {len(alarms[method])}")
    if arguments.out:
        arguments.out.write_text(json.dumps({"alarms": alarms, "blobs": blobs}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
