"""Restored MR studies beside other packages: known noise of every kind that scanners make, on every weighting.

The clean studies are the average head with the signals of four weightings, and real studies whose voxels were averaged,
which leaves a part of their own noise. What of it is found in them is a part of the truth: of the level, and of what
the peers are told. BM4D was made the method for volumes by the first six; the others have another seed.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.mr_quality [--every N] [--json FILE]

Each study is acquired whole and given the plan that ``recommend`` makes of it; its middle is then restored, by that
plan and by the peers that are installed. Peers are told the truth: bm4d the power spectrum and the map of the noise, on
the stabilised scale (an oracle; its licence forbids commercial use), the others the standard deviation. PSNR is that of
the object against the study without noise, in dB.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.noise import model
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.device import resolve
from MedRestoreLib.pipeline.domains import unit_range
from MedRestoreLib.pipeline.evening import unevenness
from MedRestoreLib.pipeline.restore import run_plan
from training.simulate.magnetic import KINDS, Acquisition, acquire

from .inputs import real
from .mr_noise import LEVELS, SLICES, WEIGHTINGS, weighted
from .peers import nlm

OURS = ("prinlm3d", "odct3d", "bm4d")
SIDES = (16, 72, 72)  # of the part that is restored
NEAR = 0.15  # dB below the oracle
WHOLE, WHOLE_REAL = (64, 160, 160), (56, 144, 144)  # the most that is acquired of a study
# Files of real studies, and how many voxels are averaged along slices, rows and columns.
REAL = {
    "child, T1w": ("fnndsc_child/t1w_mprage", (2, 2, 2)),
    "multiple sclerosis, T2w, patient 1": ("ms_slovenia/patient01_study1_T2W", (1, 3, 3)),
    "Colin 27, T1w": ("colin27/ch2bet_1mm", (1, 1, 1)),
    "adult, T1w": ("fnndsc_adult/t1w_memprage_rms", (2, 2, 2)),
    "multiple sclerosis, FLAIR, patient 3": ("ms_slovenia/patient03_study1_FLAIR", (1, 3, 3)),
    "multiple sclerosis, T2w, patient 4": ("ms_slovenia/patient04_study1_T2W", (1, 3, 3)),
    "multiple sclerosis, FLAIR, patient 19": ("ms_slovenia/patient19_study2_FLAIR", (1, 2, 2)),
    "heart, late enhancement": ("cardiac_lge_utah/heart_mr_320", (1, 2, 2)),
}
FIRST = (*WEIGHTINGS, *list(REAL)[:2])  # by which the method was chosen, with seed 1
LATER = tuple(list(REAL)[2:])  # with seed 2

Volume = np.ndarray
Part = tuple[slice, slice, slice]


def oracle(found: Acquisition, part: Part, remove_bias: bool) -> Volume:
    """bm4d with the true spectrum and map, by the noise model's own stabiliser and inverse."""
    import bm4d

    spread = found.spread if isinstance(found.spread, float) else found.spread[part]
    noise = replace(model("rician")(100 * found.sigma, 1.0), remove_bias=remove_bias)
    stable = noise.stabilise((found.noisy[part] / spread).astype(np.float32))
    low, scale = unit_range(stable)
    restored = bm4d.bm4d((stable - low) / scale, _density(found, stable.shape) / scale**2)
    return noise.unbiased_inverse((restored * scale + low).astype(np.float32)) * spread


def _density(found: Acquisition, shape: tuple[int, ...]) -> np.ndarray:
    """Power of noise of variance 1 in each coefficient of ``numpy.fft.fftn`` of a part."""
    if found.gains is None:
        return np.full(shape, float(np.prod(shape)))
    correlation = np.fft.ifftn(np.square(found.gains, dtype=np.float64) / np.square(found.gains).mean()).real
    lags = [np.rint(np.fft.fftfreq(side) * side).astype(int) for side in shape]
    windows = [np.clip(1 - np.abs(lag) / side, 0, 1) for lag, side in zip(lags, shape, strict=True)]
    taper = windows[0][:, None, None] * windows[1][:, None] * windows[2]
    return np.maximum(np.fft.fftn(correlation[np.ix_(*lags)] * taper).real, 0) * np.prod(shape)


def scikit_image(found: Acquisition, part: Part, remove_bias: bool) -> Volume:
    return nlm(found.noisy[part], found.sigma, 0.6)


def dipy(found: Acquisition, part: Part, remove_bias: bool) -> Volume:
    from dipy.denoise.nlmeans import nlmeans

    return nlmeans(found.noisy[part], sigma=found.sigma, rician=True, num_threads=1)


def ants(found: Acquisition, part: Part, remove_bias: bool) -> Volume:
    import ants

    return ants.denoise_image(ants.from_numpy(found.noisy[part]), noise_model="Rician").numpy()


PEERS: dict[str, Callable[[Acquisition, Part, bool], Volume]] = {
    "bm4d": oracle, "skimage": scikit_image, "dipy": dipy, "ants": ants,
}  # fmt: skip


def own_noise(weighting: str, clean: Volume) -> float:
    """Standard deviation of the noise that a real reference holds, as its careful level says: it may hold more."""
    if weighting in WEIGHTINGS:
        return 0.0
    rician, voxels = model("rician"), clean[None]
    return rician.bind(voxels, rician.estimate(voxels).level or 0.0).sigma


def cell(weighting: str, clean: Volume, kind: str, level: float, seed: int = 1) -> dict[str, Any]:
    """PSNR of the noisy middle, of the plan's method, of each of ours under that plan, and of the peers."""
    found = acquire(clean, kind, level, seed)
    found = replace(found, sigma=float(np.hypot(found.sigma, own_noise(weighting, clean))))
    image = mr.Image(found.noisy[None], modality="MR")
    plan = mr.recommend(image)
    part = _middle(clean.shape, SIDES)
    inside, ideal, uneven = found.inside[part], found.ideal[part], unevenness(plan, image.voxels)

    def psnr(restored: Volume) -> float:
        return float(10 * np.log10(clean.max() ** 2 / np.square(restored - ideal)[inside].mean(dtype=np.float64)))

    scores = {"noisy": psnr(found.noisy[part])}
    for name in OURS:
        this = replace(plan, method=name)
        denoising = Denoising.of(image, this, resolve("cpu"))
        here = None if uneven is None else uneven[:, *part]
        scores[f"our {name}"] = psnr(run_plan(denoising, image.voxels[:, *part], this, uneven=here).voxels[0])
    for name, peer in PEERS.items():
        if find_spec("skimage" if name == "skimage" else name):
            scores[name] = psnr(peer(found, part, plan.remove_bias))
    return {
        "weighting": weighting,
        "kind": kind,
        "level": level,
        "method": plan.method,
        "careful": plan.careful,
        "remove_bias": plan.remove_bias,
        "level_ratio": model("rician").bind(image.voxels, plan.level).sigma / found.sigma,
        "noise": plan.noise_words,
        "psnr": scores | {"plan": scores[f"our {plan.method}"]},
    }


def cells(every: int = 1) -> Iterator[dict[str, Any]]:
    """All of them, or each ``every``-th."""
    for seed, names in ((1, FIRST), (2, LATER)):
        number = 0
        for name in names:
            clean = study(name)
            for kind in KINDS:
                for level in LEVELS:
                    number += 1
                    if number % every == 0:
                        yield cell(name, clean, kind, level, seed)


def study(name: str) -> Volume:
    """A clean study, ``(slices, rows, columns)`` in [0, 1]."""
    if name in WEIGHTINGS:
        clean = weighted(name)[SLICES]
        return clean[_middle(clean.shape, WHOLE)]
    file, factors = REAL[name]
    whole = mr.read(real(f"mri/{file}.nii.gz")).voxels[0]
    counts = [side // by for side, by in zip(whole.shape, factors, strict=True)]
    whole = whole[tuple(slice(count * by) for count, by in zip(counts, factors, strict=True))]
    means = whole.reshape([number for pair in zip(counts, factors, strict=True) for number in pair]).mean((1, 3, 5))
    means = means[_middle(means.shape, WHOLE_REAL)]
    return np.clip(means / np.percentile(means, 99.9), 0, 1).astype(np.float32)


def _middle(shape: tuple[int, ...], sides: tuple[int, int, int]) -> Part:
    """The middle of a study, at most so large."""
    z, y, x = (slice(max(n - s, 0) // 2, max(n - s, 0) // 2 + min(n, s)) for n, s in zip(shape, sides, strict=True))
    return z, y, x


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for row in cells(arguments.every):
        rows.append(row)
        scores = " | ".join(f"{name} {value:.2f}" for name, value in row["psnr"].items())
        print(f"| {row['weighting']} | {row['kind']} | {row['level']:g} % | {row['method']} | {scores} |", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
