"""The least that can be added to MedRestore of each kind, as text; ``additions`` puts it into copies of the repository.

Short as they are, they follow the house's rules, so that they also show what an addition looks like.
"""

# A method: one file, one row, one test

METHOD = '''"""The median of each pixel's neighbourhood."""

from __future__ import annotations

import torch


def median(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """The median of 3x3 pixels, ``(N, 1, H, W)`` to the same; ``sigma`` is not used. Tukey, 1977."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")
    return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(4).median(dim=4).values
'''

METHOD_ROW = """\
    Method(
        id="median",
        title="Median",
        summary="The median of 3x3 pixels: a toy.",
        citation="Tukey, Exploratory Data Analysis, 1977",
        implementation="median:median",
        domain="stabilised",
        dimensions=(2,),
        modalities=EVERY_MODALITY,
        noises=EVERY_NOISE,
        reach=1,
        patch=3,
        bytes_per_voxel=80,
        blind=True,
        recommended_for=(FirstChoice("a toy is good enough for it", modalities=("OT",)),),
    ),
"""

METHOD_TEST = '''"""The median of each pixel's neighbourhood."""

from MedRestoreLib.methods.median import median
from Testing.support.denoising import psnr, restored
from Testing.support.phantoms import camera, noisy


def test_noise_goes():
    clean = camera()
    assert psnr(restored(median, noisy(clean, 0.1), 0.1), clean) > psnr(noisy(clean, 0.1), clean) + 4
'''

METHOD_WORKS = """
import MedRestoreLib as mr
from Testing.support import phantoms

assert "median" in [row.id for row in mr.methods()]
clean, noisy = phantoms.clean_study("MR"), phantoms.study("MR")
result = mr.restore(noisy, method="median")
assert abs(result.image.voxels - clean.voxels).mean() < 0.7 * abs(noisy.voxels - clean.voxels).mean()
assert result.report.to_dict()["provenance"]["method"] == "Median"
assert mr.recommend(phantoms.study("OT")).method == "median"
"""

# A network with weights: its file, its recipe, its row and its test; the rest is generated

NETWORK = '''"""Two layers: a network to try things on."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import convolution
from .counts import INPUTS, OUTPUTS, CountsNetwork


class Shallow(CountsNetwork):
    """Counts in, rate out (``CountsNetwork``), 3,000 parameters. After no paper."""

    def __init__(self, width: int = 8) -> None:
        super().__init__(_Layers(width))


class _Layers(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(INPUTS, width)
        self.last = nn.Conv2d(width, OUTPUTS, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))
'''

RECIPE = """\
title = "Two layers, for counts: a toy"

[network]
implementation = "shallow:Shallow"

[data]
source = "bone:BoneScans"
arguments = { patients = { whole_body = 2, chest_pelvis = 0, spect = 0 }, held_out = 1, patch = 64 }

[degradation]
model = "p_peak"
levels = [1.0, 50.0]

[[losses]]
name = "mse"

[optimiser]
name = "AdamW"
rate = 2e-3

[schedule]
steps = 100
batch = 2
"""

NETWORK_ROW = """\
    network(
        "rate",
        id="shallow",
        title="Shallow",
        summary="A network of two layers: a toy.",
        citation="none",
        modalities=("NM",),
        reach=64,
        bytes_per_voxel=200,
        recommended_for=(FirstChoice("Shallow was trained for it", modalities=("NM",)),),
        weights="shallow_bone",
    ),
"""

NETWORK_TEST = '''"""A network of two layers."""

import torch

from MedRestoreLib.networks.shallow import Shallow


def test_any_size_comes_back_in_its_size():
    images = torch.rand(2, 1, 21, 34)
    assert Shallow()(images, torch.tensor([0.1, 0.2])).shape == images.shape
'''

# Trains for two steps on pictures, and releases the weights as a person would.
TRAINED = """
import shutil, subprocess, sys
from pathlib import Path
from Testing.support.small_trainings import smoke_settings, write_pictures

pictures = Path("build/pictures")
pictures.mkdir(parents=True)
setting = smoke_settings(write_pictures(pictures.resolve()))[0]


def training(*arguments):
    subprocess.run([sys.executable, "-m", "training", *arguments], check=True)


training("train", "shallow_bone+smoke", "--out", "build/run", "--device", "cpu", "--set", setting)
training("export", "build/run", "shallow_bone")
training("card", "build/run", "shallow_bone")
shutil.rmtree("build")
"""

NETWORK_WORKS = """
import MedRestoreLib as mr
from Testing.support import phantoms

noisy = phantoms.study("NM")
result = mr.restore(noisy)
assert result.report.to_dict()["plan"]["method"] == "shallow"
assert abs(result.image.voxels.sum() / noisy.voxels.sum() - 1) < 1e-3
assert "shallow_bone, SHA-256" in result.report.to_dict()["provenance"]["weights"]
"""

# A noise model: its file and its id

NOISE = '''"""Additive noise that is equally likely anywhere between two limits: rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .gaussian import Gaussian


@dataclass(frozen=True)
class Uniform(Gaussian):
    """``y = x + sqrt(3) * level * n``, n uniform between -1 and 1 and independent from voxel to voxel."""

    id: ClassVar[str] = "uniform"
    title: ClassVar[str] = "Uniform"

    @classmethod
    def add(cls, clean: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        return (clean + 3**0.5 * level * rng.uniform(-1, 1, np.shape(clean))).astype(np.float32)
'''

NOISE_ROW = ', "uniform"'

NOISE_WORKS = """
import MedRestoreLib as mr
from Testing.support import phantoms

clean = phantoms.clean_study("OT", side=128)
noisy = mr.add_noise(clean, "uniform", 4.0)
name, estimate = mr.estimate_noise(noisy, "uniform")
assert name == "uniform" and abs(estimate.level - 4.0) < 0.4, estimate
for method in ("adf", "bm3d"):
    result = mr.restore(noisy, method=method, noise="uniform")
    assert abs(result.image.voxels - clean.voxels).mean() < 0.7 * abs(noisy.voxels - clean.voxels).mean()
    assert result.report.to_dict()["noise"]["model"] == "uniform"
assert mr.recommend(noisy, noise="uniform").method == "bm3d"
"""

# A file format: what reads and writes it, and its row

FORMAT = '''"""NumPy's own files: voxels without geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UnsupportedImage
from ..image import Image
from .payload import Budget


def read(path: Path, budget: Budget) -> Image:
    """Raises UnsupportedImage for a file that NumPy did not write."""
    try:
        return Image.from_array(np.load(path))
    except ValueError as error:
        raise UnsupportedImage(f"{path} is damaged, or not a .npy array.") from error


def write(image: Image, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, image.stored())
'''

FORMAT_IMPORT = "numpy_file, "

FORMAT_ROW = """\
    Format("NumPy array", (".npy",), numpy_file.read, numpy_file.write),
"""

FORMAT_WORKS = """
import pathlib, tempfile
import MedRestoreLib as mr
from Testing.support import phantoms

noisy = phantoms.study("MR", slices=3)
with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as restored:
    path = mr.write(noisy, pathlib.Path(folder) / "study.npy")
    assert (mr.read(path).voxels == noisy.voxels).all()
    plan = {"method": "adf", "noise": "gaussian", "level": 5.0}
    assert [row.status for row in mr.batch(folder, restored, **plan)] == ["restored"]
    assert mr.read(pathlib.Path(restored) / "study.npy").voxels.std() < noisy.voxels.std()
    path.write_bytes(b"no array")
    try:
        mr.read(path)
    except mr.UnsupportedImage as error:
        assert "damaged" in str(error)
    else:
        raise AssertionError("a damaged file was read")
"""

# A modality: its row

MODALITY_ROW = """\
    Modality("MG", "Mammography", noise="poisson", aliases=("mammography",), inverted=True),
"""

MODALITY_WORKS = """
import MedRestoreLib as mr
from MedRestoreLib import modalities
from Testing.support import phantoms

assert modalities.find("mammography").code == "MG"
noisy = mr.add_noise(phantoms.clean_study("MG"), "poisson", 1.0)
plan = mr.recommend(noisy)
assert plan.noise == "poisson", plan
assert mr.restore(noisy, plan, method="adf").report.to_dict()["study"]["modality"] == "MG"
"""
