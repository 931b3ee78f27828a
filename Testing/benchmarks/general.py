"""The general network against BM3D on studies of kinds that its training never saw, with white Gaussian noise.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.general [--json FILE]

Prints PSNR (peak 1, dB) of the noisy images, of BM3D and of the network, means over the images of a row, at 3, 9 and
15 % of the maximum. The head of 0.7 mm and the child are averaged over 2x2x2 voxels: their own noise would count.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue
from MedRestoreLib.metrics import fidelity

from .inputs import real

LEVELS = (0.03, 0.09, 0.15)
METHODS = ("noisy", "bm3d", "general")


def images() -> Iterator[tuple[str, list[np.ndarray]]]:
    """Name and images in [0, 1] of each row."""
    head = _averaged(_volume("mri/t1w_0.7mm.nii.gz"))
    yield "T1 head, 0.7 mm averaged", [head[k] for k in (50, 65, 80, 95)]
    child = _averaged(_volume("mri/fnndsc_child/t1w_mprage.nii.gz"))
    yield "T1 child, averaged", [child[k] for k in range(len(child) // 3, 2 * len(child) // 3, 15)][:3]
    average = _volume("mri/mni152_t1.nii.gz", 1.0)
    yield "MNI152, without noise", [average[k] for k in (60, 80, 100)]
    spine = _volume("mri/spine/t2.nii.gz")
    spine = np.moveaxis(spine, int(np.argmin(spine.shape)), 0)
    yield "T2 spine, as acquired", [spine[len(spine) // 2]]
    brain = _volume("nuclear/phantoms/brain_perfusion_activity.nrrd", 1.0)
    yield "brain perfusion phantom", [brain[k] for k in (50, 60, 70)]
    tumours = np.sqrt(_volume("nuclear/phantoms/ludotatate_activity.nrrd", 0.999))
    yield "DOTATATE phantom, square root", [tumours[k] for k in (40, 50)]
    heads = [path for path in sorted(real("ultrasound/hc18_half").glob("*.png")) if "mask" not in path.name][:4]
    yield "fetal heads", [mr.read(path).voxels[0, 0] / 255 for path in heads]
    from skimage import data

    yield "photograph (camera)", [data.camera() / 255]
    row, column = np.mgrid[:192, :192]
    distance = np.hypot(row - 96, column - 96)
    yield "flood", [np.full((192, 192), 0.5)]
    yield "disc", [np.where(distance < 70, 0.6, 0.1)]
    yield "bars of 2 to 5 pixels", [0.2 + 0.6 * ((column // (2 + row // 48)) % 2) * (distance < 80)]


def measured() -> dict[str, dict[str, dict[str, float]]]:
    """PSNR by row, level and method."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, clean in images():
        for level in LEVELS:
            values: dict[str, list[float]] = {method: [] for method in METHODS}
            for number, image in enumerate(clean):
                rng = np.random.default_rng((round(100 * level), number))
                image = image.astype(np.float32)
                noisy = (image + level * rng.standard_normal(image.shape)).astype(np.float32)
                for method in METHODS:
                    restored = noisy if method == "noisy" else _restored(method, noisy, level)
                    values[method].append(fidelity.psnr(restored, image, data_range=1.0))
            found.setdefault(name, {})[f"{level:g}"] = {method: float(np.mean(v)) for method, v in values.items()}
        _print_row(name, found[name])
    return found


def _print_row(name: str, levels: dict[str, dict[str, float]]) -> None:
    """Print one row of the table."""
    cells = [
        f"{at['noisy']:.2f} / {at['bm3d']:.2f} / {at['general']:.2f} ({at['general'] - at['bm3d']:+.2f})"
        for at in levels.values()
    ]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def _restored(method: str, noisy: np.ndarray, level: float) -> np.ndarray:
    with torch.inference_mode():
        return catalogue.find(method).load()(torch.from_numpy(noisy)[None, None], level)[0, 0].numpy()


def _volume(path: str, quantile: float = 0.9995) -> np.ndarray:
    """Voxels in [0, 1], this quantile at 1."""
    voxels = mr.read(real(path)).voxels[0].astype(np.float32)
    return np.clip(voxels / np.quantile(voxels, quantile), 0, 1)


def _averaged(volume: np.ndarray) -> np.ndarray:
    """Means of 2x2x2 voxels."""
    slices, rows, columns = (side // 2 for side in volume.shape)
    cut = volume[: 2 * slices, : 2 * rows, : 2 * columns]
    return cut.reshape(slices, 2, rows, 2, columns, 2).mean((1, 3, 5))


def main() -> None:
    """The table, and its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("Each cell: noisy / BM3D / general (general less BM3D), dB.\n")
    print(f"| Images | {' | '.join(f'{level:.0%}' for level in LEVELS)} |")
    print(f"| --- |{' --- |' * len(LEVELS)}")
    found = measured()
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
