"""The general network against BM3D on studies of kinds that its training never saw, in Gaussian noise.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.general [--json FILE] [--only NAME]

Prints PSNR (peak 1, dB) of the noisy images, of BM3D, of the plain network, which is the general network's second
pilot, and of the general network, means over the images of a row: white noise of 3, 9 and 15 % of the maximum, and of
9 % coloured by zero-filling and by a Fermi filter, whose spectrum is told. The head of 0.7 mm, the child, hips and
muscle are averaged over 2x2x2 voxels or 2x2 pixels: their own noise would count.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

import MedRestoreLib as mr
from MedRestoreLib.methods.bm3d import bm3d
from MedRestoreLib.methods.learned import stabilised
from MedRestoreLib.methods.refined import slices
from MedRestoreLib.metrics import fidelity
from MedRestoreLib.noise import Spectrum
from training.data.pilots import spectrum_of
from training.simulate.magnetic import FILTERS, coloured, filtered

from .inputs import real

WHITE = "white"
NOISES = ((WHITE, 0.03), (WHITE, 0.09), (WHITE, 0.15), ("zero_filled_1.5", 0.09), ("fermi", 0.09))
PHOTOGRAPHS = ("oceanic_164041_0", "oceanic_164201_0", "oceanic_188029_0")  # the test split of ``training.data.mixed``
SIDE = 384  # of photographs, pixels


def _plain(images: torch.Tensor, sigma: float, spectrum: Spectrum | None) -> torch.Tensor:
    return stabilised(images, sigma if spectrum is None else sigma * spectrum.as_white, weights="general")


METHODS: dict[str, Callable[..., torch.Tensor]] = {
    "bm3d": bm3d,
    "plain": _plain,
    "general": partial(slices, weights="slices", pilot="general"),
}


def images() -> Iterator[tuple[str, Callable[[], list[np.ndarray]]]]:
    """Name and images in [0, 1] of each row."""
    yield "T1 head, 0.7 mm averaged", lambda: _some(_averaged(_volume("mri/t1w_0.7mm.nii.gz")), (50, 65, 80, 95))
    yield "T1 child, averaged", _child
    yield "MNI152, without noise", lambda: _some(_volume("mri/mni152_t1.nii.gz", 1.0), (60, 80, 100))
    yield "T2 spine, as acquired", partial(_spine, "t2")
    yield "T1 spine, as acquired", partial(_spine, "t1w")
    yield "thorax, late enhancement", lambda: _some(_volume("mri/cardiac_lge_utah/heart_mr_320.nii.gz"), (20, 40, 60))
    yield "brain perfusion phantom", lambda: _some(_phantom("brain_perfusion_activity"), (50, 60, 70))
    yield "DOTATATE phantom, square root", lambda: _some(np.sqrt(_phantom("ludotatate_activity", 0.999)), (40, 50))
    yield "fetal heads", lambda: _pictures("ultrasound/hc18_half", 4)
    yield "hips, averaged", lambda: [_averaged(image[None])[0] for image in _pictures("ultrasound/infant_hip", 4)]
    yield "muscle, averaged", _muscle
    yield "photograph (camera)", _camera
    yield "other photographs", _photographs
    row, column = np.mgrid[:192, :192]
    distance = np.hypot(row - 96, column - 96)
    yield "flood", lambda: [np.full((192, 192), 0.5)]
    yield "disc", lambda: [np.where(distance < 70, 0.6, 0.1)]
    yield "bars of 2 to 5 pixels", lambda: [0.2 + 0.6 * ((column // (2 + row // 48)) % 2) * (distance < 80)]
    turned = (0.8 * column + 0.6 * row) // 3 % 2
    yield "bars of 3 pixels, turned", lambda: [0.1 + 0.5 * turned * (distance < 80)]


def measured(only: str = "") -> dict[str, dict[str, dict[str, float]]]:
    """PSNR by row, noise and method."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, clean in images():
        if only in name:
            found[name] = {_title(*noise): _scores(clean(), *noise) for noise in NOISES}
            _print_row(name, found[name])
    return found


def _scores(clean: list[np.ndarray], kind: str, level: float) -> dict[str, float]:
    values: dict[str, list[float]] = {method: [] for method in ("noisy", *METHODS)}
    for number, image in enumerate(clean):
        rng = np.random.default_rng((round(100 * level), number))
        planes, gains, spectrum = image[None].astype(np.float32), None, None
        if kind != WHITE:
            gains = FILTERS[kind](planes.shape)
            planes, spectrum = np.maximum(filtered(planes, gains), 0), spectrum_of(FILTERS[kind], deep=False)
        noisy = (planes + level * coloured(rng, planes.shape, gains)).astype(np.float32)
        results = {method: _restored(METHODS[method], noisy, level, spectrum) for method in METHODS}
        for method, restored in {"noisy": noisy, **results}.items():
            values[method].append(fidelity.psnr(restored[0], planes[0], data_range=1.0))
    return {method: float(np.mean(v)) for method, v in values.items()}


def _restored(
    method: Callable[..., torch.Tensor], noisy: np.ndarray, level: float, spectrum: Spectrum | None
) -> np.ndarray:
    with torch.inference_mode():
        return method(torch.from_numpy(noisy)[None], level, spectrum=spectrum)[0].numpy()


def _title(kind: str, level: float) -> str:
    return f"{kind} {level:.0%}".removeprefix(f"{WHITE} ")


def _print_row(name: str, cells: dict[str, dict[str, float]]) -> None:
    """Print one row of the table."""
    texts = [
        f"{at['noisy']:.2f} / {at['bm3d']:.2f} / {at['plain']:.2f} / {at['general']:.2f} "
        f"({at['general'] - at['bm3d']:+.2f})"
        for at in cells.values()
    ]
    print(f"| {name} | {' | '.join(texts)} |", flush=True)


def _volume(path: str, quantile: float = 0.9995) -> np.ndarray:
    """Voxels in [0, 1], this quantile at 1."""
    voxels = mr.read(real(path)).voxels[0].astype(np.float32)
    return np.clip(voxels / np.quantile(voxels, quantile), 0, 1)


def _phantom(name: str, quantile: float = 1.0) -> np.ndarray:
    return _volume(f"nuclear/phantoms/{name}.nrrd", quantile)


def _averaged(volume: np.ndarray) -> np.ndarray:
    """Means of 2x2x2 voxels; of 2x2 where there is one slice."""
    sides = [2 if side > 1 else 1 for side in volume.shape]
    slices, rows, columns = (length // side for length, side in zip(volume.shape, sides, strict=True))
    cut = volume[: sides[0] * slices, : 2 * rows, : 2 * columns]
    return cut.reshape(slices, sides[0], rows, 2, columns, 2).mean((1, 3, 5))


def _some(volume: np.ndarray, chosen: tuple[int, ...]) -> list[np.ndarray]:
    return [volume[number] for number in chosen if number < len(volume)]


def _child() -> list[np.ndarray]:
    child = _averaged(_volume("mri/fnndsc_child/t1w_mprage.nii.gz"))
    return [child[k] for k in range(len(child) // 3, 2 * len(child) // 3, 15)][:3]


def _spine(name: str) -> list[np.ndarray]:
    spine = _volume(f"mri/spine/{name}.nii.gz")
    spine = np.moveaxis(spine, int(np.argmin(spine.shape)), 0)
    return [spine[len(spine) // 2]]


def _pictures(folder: str, count: int) -> list[np.ndarray]:
    """The first frames of a folder."""
    paths = [path for path in sorted(real(folder).glob("*.png")) if "mask" not in path.name][:count]
    return [mr.read(path).voxels[0, 0] / 255 for path in paths]


def _muscle() -> list[np.ndarray]:
    clips = sorted(real("ultrasound/muscle_clips").glob("*.mp4"))
    return [_averaged(mr.read(path).voxels[0] / 255)[0] for path in clips]


def _camera() -> list[np.ndarray]:
    from skimage import data

    return [data.camera() / 255]


def _photographs() -> list[np.ndarray]:
    """The middles of photographs."""
    wholes = [mr.read(real("natural", f"{name}.png")).voxels[0, 0] / 255 for name in PHOTOGRAPHS]
    return [
        whole[tuple(slice(max(0, length - SIDE) // 2, (length + SIDE) // 2) for length in whole.shape)]
        for whole in wholes
    ]


def main() -> None:
    """The table, and its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    arguments = parser.parse_args()
    print("Each cell: noisy / BM3D / plain network / general network (general less BM3D), dB.\n")
    print(f"| Images | {' | '.join(_title(*noise) for noise in NOISES)} |")
    print(f"| --- |{' --- |' * len(NOISES)}")
    found = measured(arguments.only)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
