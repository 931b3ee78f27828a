"""What the methods are measured on: clean and noisy pairs, the same in every run.

Real studies come from the folder that ``MEDRESTORE_DATA`` names (see the README); cases that need one say so when it is
absent. Clean images are float32 in [0, 1].
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MedRestoreLib.noise import model
from MedRestoreLib.noise.bmode import simulate_bmode

DATA = Path(os.environ.get("MEDRESTORE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
DISPLAY_DB = 60.0  # of the simulated B-mode image
RAYLEIGH_LOSS_DB = 2.507  # mean of 20 log10 of a Rayleigh amplitude below that of its root mean square


class Sample(NamedTuple):
    """A clean and a noisy image or volume, and where quality is judged (None: everywhere)."""

    clean: np.ndarray
    noisy: np.ndarray
    mask: np.ndarray | None = None


class Case(NamedTuple):
    """One row of inputs. ``compressed`` is the dynamic range in dB of a log-compressed image, 0 for others."""

    title: str
    noise: str
    level: float
    samples: Callable[[], list[Sample]]
    dimensions: int = 2
    compressed: float = 0.0


def real(*parts: str) -> Path:
    """A path below the data folder; FileNotFoundError says what is absent."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"needs the real studies: {'/'.join(parts)} is absent, set MEDRESTORE_DATA")
    return path


def noisy(clean: np.ndarray, noise: str, level: float, seed: int = 1, mask: np.ndarray | None = None) -> Sample:
    return Sample(clean, model(noise).add(clean, level, np.random.default_rng(seed)), mask)


def camera(level: float) -> list[Sample]:
    from skimage import data

    return [noisy(data.camera().astype(np.float32) / 255, "gaussian", level)]


def head() -> np.ndarray:
    """The real T1 head, float32 in [0, 1]."""
    from MedRestoreLib.files.studies import read

    voxels = read(real("mri", "t1w_0.7mm.nii.gz")).voxels[0]
    return np.clip(voxels / np.percentile(voxels, 99.9), 0, 1)


def head_slice(level: float) -> list[Sample]:
    clean = np.ascontiguousarray(head()[:, :, 137])
    return [noisy(clean, "rician", level, mask=clean > 10 / 255)]


def head_volume(level: float) -> list[Sample]:
    clean = np.ascontiguousarray(head()[144:240, 100:260, 60:210])
    return [noisy(clean, "rician", level, mask=clean > 10 / 255)]


def phantom_volume() -> list[Sample]:
    """The MR volume that the peers' published figures of this project were measured on, with its own noise."""
    path = real("..", "benchmarks", "images.py")
    specification = importlib.util.spec_from_file_location("images", path)
    images = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(images)
    z, y, x = (np.arange(n) - n / 2 for n in (181, 217, 181))
    clean, mask = images.mr_phantom(z[:, None, None], y[None, :, None], x[None, None, :])
    first, second = (0.09 * np.random.default_rng(seed).normal(size=clean.shape) for seed in (4, 5))
    return [Sample(clean, np.hypot((clean + first).astype(np.float32), second).astype(np.float32), mask)]


def bone(counts: float) -> list[Sample]:
    from training.simulate.bone import whole_body

    clean = whole_body(seed=1, peak_counts=counts).voxels[0, 0] / np.float32(counts)
    return [noisy(np.clip(clean, 0, 1), "poisson", counts)]


def breast(level: float, images: int = 10) -> list[Sample]:
    from MedRestoreLib.files.studies import read

    paths = sorted(p for p in real("ultrasound", "busi", "benign").glob("*.png") if "_mask" not in p.name)
    chosen = paths[:: len(paths) // images][:images]
    return [noisy(read(p).voxels[0, 0] / 255, "speckle", level, seed) for seed, p in enumerate(chosen)]


def bmode(scenes: int = 3) -> list[Sample]:
    """Simulated from physics; clean is the mean grey that the same echogenicity shows."""
    from training.simulate.ultrasound import echogenicity

    samples = []
    for seed in range(scenes):
        echo = echogenicity(seed=seed).voxels[0, 0]
        image = simulate_bmode(echo, np.random.default_rng(seed), dynamic_range_db=DISPLAY_DB)
        decibel = 20 * np.log10(np.maximum(echo, 1e-6)) - RAYLEIGH_LOSS_DB
        shown = (image > 0) & (image < 1)
        peak = float(np.median((decibel - DISPLAY_DB * (image - 1))[shown]))
        samples.append(Sample(np.clip(1 + (decibel - peak) / DISPLAY_DB, 0, 1).astype(np.float32), image))
    return samples


CASES = {"camera": Case("512x512 camera, Gaussian, sigma 25 of 255", "gaussian", 25 / 255, partial(camera, 25 / 255))}
for _level in (3.0, 9.0, 15.0):
    CASES[f"t1_slice_{_level:g}"] = Case(
        f"384x384 T1 slice, Rician {_level:g} %", "rician", _level, partial(head_slice, _level)
    )
for _counts in (200.0, 50.0, 20.0):
    CASES[f"bone_{_counts:g}"] = Case(
        f"1024x256 bone phantom, {_counts:g} counts at the peak", "poisson", _counts, partial(bone, _counts)
    )
for _level in (0.25, 0.5, 0.75):
    CASES[f"breast_{_level:g}"] = Case(
        f"ten breast images, speckle {_level:g}", "speckle", _level, partial(breast, _level)
    )
CASES["bmode"] = Case("three 512x512 B-mode scenes from physics", "speckle", 0.0, bmode, compressed=DISPLAY_DB)
for _level in (3.0, 9.0, 15.0):
    CASES[f"t1_volume_{_level:g}"] = Case(
        f"96x160x150 of the T1 volume, Rician {_level:g} %",
        "rician",
        _level,
        partial(head_volume, _level),
        dimensions=3,
    )
CASES["mr_volume"] = Case("181x217x181 MR phantom, Rician 9 %", "rician", 9.0, phantom_volume, dimensions=3)
