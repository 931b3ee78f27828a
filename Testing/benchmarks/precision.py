"""How much quicker is each network in bfloat16 on this processor, and how far from float32 does it end?

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.precision [--out FILE]

One slice or frame each, on one thread. Times are processor times of that thread, so other work on the machine counts
little; the least of several runs. Differences are in standard deviations of the noise at each pixel.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

import MedRestoreLib as mr
from MedRestoreLib import resampling
from MedRestoreLib.methods import catalogue
from MedRestoreLib.pipeline import device as devices
from Testing.support.paths import REPOSITORY

RUNS = 7
SPECKLE = 0.13  # relative standard deviation: typical of breast frames
HEAD = (
    "| method | image | float32, ms | bfloat16, ms | times as fast | difference / σ, rms | 99.9 % | greatest |",
    "|" + " --- |" * 8,
)


class Case(NamedTuple):
    """An image on the method's own scale, its level there, and the noise's standard deviation at each pixel."""

    method: str
    name: str
    image: np.ndarray
    sigma: float
    std: np.ndarray


def cases(folder: Path) -> Iterator[Case]:
    """A bone scan at three counts, a T1 slice at three levels, and a breast frame as a cine shows it."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    scan = gaussian_filter(mr.read(folder / "nuclear" / "bone_scan_whole_body.dcm").voxels[0, 0], 1.5)
    clean = scan / scan.max()
    for counts in (26, 650, 10_000):
        noisy = (rng.poisson(counts * clean) / counts).astype(np.float32)
        std = np.sqrt(np.maximum(clean, 1 / counts) / counts)
        for method in ("emanet", "dncnn_bone"):
            yield Case(method, f"bone scan 1024x256, {counts} counts", noisy, 1 / np.sqrt(counts), std)
    head = mr.read(folder / "mri" / "mni152_t1.nii.gz").voxels[0, 90]
    head = head / head.max()
    for sigma in (0.01, 0.03, 0.09):
        noisy = head + np.float32(sigma) * rng.standard_normal(head.shape).astype(np.float32)
        yield Case("general", f"T1 slice {head.shape[0]}x{head.shape[1]}, {sigma:.0%}", noisy, sigma, np.float32(sigma))
    path = sorted((folder / "ultrasound" / "busi" / "benign").glob("*.png"))[3]
    frame = resampling.enlarged(mr.read(path).voxels[:, :, ::2, ::2], 2)[0, 0, :480, :640] / 255
    name = f"frame {frame.shape[1]}x{frame.shape[0]}"
    yield Case("unet_att_small", name, frame, SPECKLE, np.maximum(SPECKLE * frame, 0.01))


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one run on this thread, the least of several."""
    times = []
    for _ in range(RUNS):
        begun = time.thread_time()
        run()
        times.append(time.thread_time() - begun)
    return min(times)


def measure(case: Case) -> str:
    """A row of the table."""
    function = catalogue.find(case.method).load()
    images = torch.from_numpy(np.ascontiguousarray(case.image, np.float32))[None, None]
    place = torch.device("cpu")
    results, times = [], []
    for precision in ("float32", "bfloat16"):

        def run(precision: str = precision) -> torch.Tensor:
            with torch.inference_mode(), devices.calculating(precision, place):
                return function(images, case.sigma).float()

        results.append(run().numpy()[0, 0])
        times.append(1000 * seconds(run))
    off = np.abs(results[1] - results[0]) / case.std
    rms, most = float(np.sqrt(np.mean(off**2))), float(np.quantile(off, 0.999))
    return (
        f"| {case.method} | {case.name} | {times[0]:.0f} | {times[1]:.0f} | {times[0] / times[1]:.2f} | {rms:.3f} | "
        f"{most:.2f} | {off.max():.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    lines = list(HEAD)
    for case in cases(Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))):
        lines.append(measure(case))
        print(lines[-1], flush=True)
    if out:
        out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
