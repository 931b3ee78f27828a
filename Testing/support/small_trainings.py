"""Trainings of seconds: small pictures and frames, recipes of two steps on them, and made-up results."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training import recipe as recipes
from training.evaluation.protocols import HeldOut
from training.tables.results import Result
from training.trainers.loop import train


def write_pictures(folder: Path) -> Path:
    """Twenty dark pictures of 96x96 with five bright spots each; the lesion mask is one of the spots."""
    y, x = np.mgrid[:96, :96]
    for number in range(20):
        rng = np.random.default_rng(number)
        spots = [
            rng.uniform(0.3, 1) * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2 / rng.uniform(3, 9) ** 2)
            for row, column in rng.uniform(20, 76, (5, 2))
        ]
        image = np.sum(spots, axis=0)
        cv2.imwrite(str(folder / f"{number:02d}.png"), np.uint8(255 * image / image.max()))
        cv2.imwrite(str(folder / f"{number:02d}_mask.png"), np.uint8(255 * (spots[0] > 0.2)))
    return folder


def write_frames(folder: Path) -> Path:
    """Thirty bright, slightly speckled pictures of 80x96 in BUSI's folders and as Kaggle names them; two look alike."""
    rows, columns = np.mgrid[:80, :96] / 80
    for kind in ("benign", "malignant", "normal"):
        (folder / kind).mkdir(parents=True)
        for number in range(1, 11):
            rng = np.random.default_rng((len(kind), min(number, 9)))
            waves = [np.cos(np.pi * (a * rows + b * columns + c)) for a, b, c in rng.uniform(-4, 4, (6, 3))]
            row, column = rng.uniform(0.3, 0.7, 2)
            lesion = (rows - row) ** 2 + (columns - column) ** 2 < 0.02 if kind != "normal" else np.zeros(rows.shape)
            grey = (110 + 15 * np.sum(waves, axis=0)) * np.where(lesion, 0.4, 1) * rng.normal(1, 0.05, rows.shape)
            name = f"{kind} ({number})"
            cv2.imwrite(str(folder / kind / f"{name}.png"), np.uint8(np.clip(grey, 0, 255)))
            cv2.imwrite(str(folder / kind / f"{name}_mask.png"), np.uint8(255 * lesion))
    return folder


def smoke_settings(pictures: Path, source: str = "") -> list[str]:
    """Settings that make a recipe ``NAME+smoke`` train on the pictures, or on frames beside them for ultrasound."""
    if not source.startswith("ultrasound:"):
        return [f'data={{source="folder:Pictures", arguments={{folder="{pictures}", patient="", patch=64}}}}']
    frames = pictures.with_name(f"{pictures.name}_frames")
    if not frames.exists():
        write_frames(frames)
    return [f'data.arguments={{folders=["{frames}"], side=0, reduce=1, patch=64, processes=1}}']


# In place of another training, which a training of seconds has none of.
ALONE = {
    "student_x2_data_free": ['restorer="student_x2"'],
    "emanet_counts": ['network.start=""'],
    "unet_att_organs": ['network.start=""'],
}


def smoke(name: str, pictures: Path, *settings: str) -> recipes.Recipe:
    """A recipe of two steps on small pictures."""
    small_critic = ["critic.arguments={patch=64, width=4}"] if name.startswith("wgan") else []
    fitting = smoke_settings(pictures, recipes.read(name).data.source)
    return recipes.read(f"{name}+smoke", [*fitting, *small_critic, *ALONE.get(name, []), *settings])


def trained(name: str, pictures: Path, folder: Path, *settings: str, **options: object) -> Path:
    """A finished training of ``smoke(...)`` on the CPU, in ``folder/NAME``; ``options`` are those of ``train``."""
    recipe = smoke(name, pictures, *settings)
    return train(recipe, folder / recipe.name, folder, device="cpu", **options)


def held_out(source: object, protocol: str = "p_peak", patients: int = 2) -> HeldOut:
    """Test patients of a source, under a protocol."""
    return HeldOut(source, protocol, patients)


def write_results(folder: Path, curves: dict[str, dict[float, float]], protocol: str = "p_peak", seed: int = 0) -> None:
    """Results of restoration: method → level → PSNR, the mean of three patients that differ by 1 dB; SSIM is 0.9."""
    for method, curve in curves.items():
        psnr = {f"{level:g}": {str(k): value + k - 1 for k in range(3)} for level, value in curve.items()}
        ssim = {level: dict.fromkeys(of, 0.9) for level, of in psnr.items()}
        Result("restoration", protocol, method, {"psnr": psnr, "ssim": ssim}, seed).write(folder)
