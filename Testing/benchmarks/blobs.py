"""How many planted and erased lesions the report finds, and how often it raises a false alarm, on real studies.

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.blobs [--every N] [--plants N] [--out FILE]

Each study is restored with BM3D. A Gaussian blob of 3 to 12 pixels at half maximum and 0.5 to 3 standard deviations of
the noise, bright or dark, is then planted in the restored slice alone, or erased from it: the noisy slice has it, with
the noise that it would have. It is found if a place of the report lies within its width. The signal-to-noise ratio is
that of the ideal matched filter: root of the sum of squares of the change over the noise's standard deviation, after
both are filtered so that the noise is white.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.errors import MedRestoreError
from MedRestoreLib.evidence.blobs import UnitGrid, find
from MedRestoreLib.noise import Noise, model
from MedRestoreLib.noise.poisson import thin
from Testing.support.paths import REPOSITORY

RATIOS = ((3, 6), (6, 10), (10, np.inf))  # of signal to noise
EMPTY = 0.05  # of the strongest band: where the noise is weaker, a blob is no clearer in truth
CALM = {"rician": 2.0, "poisson": 0.0}  # lesions lie where the signal is so many standard deviations at least


def slices(folder: Path) -> Iterator[tuple[str, mr.Image, str, float | None]]:
    """Kind, single slice, noise model and level (None: estimated) of each study."""
    scan = mr.read(folder / "nuclear" / "bone_scan_whole_body.dcm").voxels[:1]
    for share in (1.0, 0.5, 0.25, 0.1):
        for draw in range(1 if share == 1 else 3):
            counts = scan if share == 1 else thin(scan, share, np.random.default_rng((draw, int(100 * share))))
            yield "bone scan", mr.Image(counts, modality="NM", unit="counts"), "poisson", 1.0
    for path in sorted((folder / "nuclear" / "quality_control").glob("*.dcm")):
        if path.stem == "Jaszack":  # a reconstruction: no counts
            continue
        counts = _middle(mr.read(path).voxels[:1, :1], 512)
        for share in (1.0, 0.25, 0.05):
            thinned = counts if share == 1 else thin(counts, share, np.random.default_rng(int(100 * share)))
            yield "quality control", mr.Image(thinned, modality="NM", unit="counts"), "poisson", 1.0
    for kind in ("ms_slovenia", "fnndsc_adult", "fnndsc_child", "spine", "epi_repeats_studyforrest"):
        for path in sorted((folder / "mri" / kind).rglob("*.nii.gz")):
            volume = mr.read(path).voxels[0]
            if volume.max() > 4:  # no mask
                for number in np.linspace(0.3, 0.7, 3) * len(volume):
                    yield kind, mr.Image(volume[None, int(number), None], modality="MR"), "rician", None
    for path in sorted((folder / "mri" / "cardiac_cine_sunnybrook").glob("*.png")):
        if "_mask" not in path.stem:
            yield "sunnybrook", mr.Image(mr.read(path).voxels, modality="MR"), "rician", None
    clean = np.maximum(mr.read(folder / "mri" / "mni152_t1.nii.gz").voxels[0], 0)
    for number in np.linspace(60, 120, 6).astype(int):
        for level in (2.0, 4.0, 9.0):
            one = mr.Image(clean[None, number, None], modality="MR")
            yield "MNI152 and Rician noise", mr.add_noise(one, "rician", level, seed=int(number)), "rician", None


def lesion(
    before: np.ndarray, after: np.ndarray, noise: Noise, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float, float, tuple[int, int]]:
    """A copy of both studies with one lesion planted or erased; its ratio, width in pixels, and (row, column)."""
    sigma = np.maximum(noise.std(after), np.float32(0.5) if noise.keeps_totals else 0)[0, 0]
    smooth = after[0, 0]
    inside = smooth > np.quantile(smooth, 0.01) + 0.1 * np.subtract(*np.quantile(smooth, (0.995, 0.01)))
    inside &= smooth > CALM[noise.id] * sigma
    inside &= noise.covers(before)[0, 0]
    inside[:8] = inside[-8:] = inside[:, :8] = inside[:, -8:] = False
    row, column = (int(i) for i in rng.choice(np.argwhere(inside)))
    width = float(np.exp(rng.uniform(np.log(3), np.log(12))))
    height = float(rng.uniform(0.5, 3) * sigma[row, column] * rng.choice([-1, 1]))
    y, x = np.ogrid[: smooth.shape[0], : smooth.shape[1]]
    blob = height * np.exp(-4 * np.log(2) * ((y - row) ** 2 + (x - column) ** 2) / width**2).astype(np.float32)
    before, after = before.copy(), after.copy()
    change = np.maximum(blob, -smooth)
    if rng.random() < 0.5:
        after[0, 0] += change
    elif noise.keeps_totals:
        counts = np.rint(before[0, 0])
        kept = rng.binomial(counts.astype(int), np.clip(1 + change / np.maximum(smooth, 1e-3), 0, 1))
        before[0, 0] = counts + rng.poisson(blob) if height > 0 else kept
    else:
        before[0, 0] = np.maximum(before[0, 0] + blob, 0)
    return before, after, ideal(change / sigma[row, column], noise), width, (row, column)


def ideal(change: np.ndarray, noise: Noise) -> float:
    """Signal-to-noise ratio of the ideal matched filter for a change in standard deviations of the noise."""
    if noise.spectrum is None:
        return float(np.linalg.norm(change))
    gains = noise.spectrum.in_plane.gains((1, *change.shape))[0]
    seen = gains > np.sqrt(EMPTY) * gains.max()
    white = np.fft.irfft2(np.fft.rfft2(change) * np.where(seen, 1 / np.where(seen, gains, 1), 0), change.shape)
    return float(np.linalg.norm(white))


def measure(folder: Path, every: int, plants: int) -> dict[str, dict[str, list[int]]]:
    """Hits and trials of each noise model and kind: false alarms ("alarms"), and lesions by their ratio."""
    table: dict[str, dict[str, list[int]]] = {}
    for number, (kind, image, name, level) in enumerate(slices(folder)):
        if number % every:
            continue
        try:
            plan = mr.recommend(image, method="bm3d", noise=name, **({} if level is None else {"level": level}))
            result = mr.restore(image, plan)
        except MedRestoreError as error:
            print(f"{kind}: {error}")
            continue
        before, after = image.voxels, result.image.voxels
        if plan.noise_map is not None:
            continue  # the report searches the study with its noise made even
        noise = replace(model(name).bind(before, plan.level), spectrum=plan.spectrum, remove_bias=plan.remove_bias)
        row = table.setdefault(f"{name}, {kind}", {"alarms": [0, 0], **{f"from {low}": [0, 0] for low, _ in RATIOS}})
        _count(row["alarms"], bool(find(before, after, noise, UnitGrid())))
        rng = np.random.default_rng(number)
        for _ in range(plants):
            noisy, restored, ratio, width, place = lesion(before, after, noise, rng)
            for low, high in RATIOS:
                if low <= ratio < high:
                    found = [p.voxel[2:] for p in find(noisy, restored, noise, UnitGrid())]
                    near = any(np.hypot(r - place[0], c - place[1]) <= max(width / 2, 2) for r, c in found)
                    _count(row[f"from {low}"], near)
        print(kind, number, row, flush=True)
    return table


def _count(cell: list[int], hit: bool) -> None:
    cell[0] += hit
    cell[1] += 1


def _middle(voxels: np.ndarray, side: int) -> np.ndarray:
    rows, columns = (slice(max(0, n // 2 - side // 2), n // 2 + side // 2) for n in voxels.shape[2:])
    return np.ascontiguousarray(voxels[:, :, rows, columns])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--plants", type=int, default=12)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))
    measured = measure(data, arguments.every, arguments.plants)
    text = json.dumps(measured, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
