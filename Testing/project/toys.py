"""How each addition is tried, and those that CONTRIBUTING.md does not show, as text for copies of the repository.

Short as they are, they follow the house's rules, so that they also show what an addition looks like.
"""

# A method

METHOD_WORKS = """
import MedRestoreLib as mr
from Testing.support import phantoms

assert "median" in [row.id for row in mr.methods()]
clean, noisy = phantoms.clean_study("MR"), phantoms.study("MR")
result = mr.restore(noisy, method="median")
assert abs(result.image.voxels - clean.voxels).mean() < 0.7 * abs(noisy.voxels - clean.voxels).mean()
assert result.report.to_dict()["provenance"]["method"] == "Median"
assert "median" in [one.method for one in mr.recommend(phantoms.study("OT")).ranking]
"""

# A network with weights

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
assert "shallow" in [one.method for one in mr.recommend(noisy).ranking]
result = mr.restore(noisy, method="shallow")
assert abs(result.image.voxels.sum() / noisy.voxels.sum() - 1) < 1e-3
assert "shallow_bone, SHA-256" in result.report.to_dict()["provenance"]["weights"]
"""

# A noise model

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
