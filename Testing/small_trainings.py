"""Trainings of seconds: a few small pictures and recipes of two steps on them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from training import recipe as recipes


def write_pictures(folder: Path) -> Path:
    """Twenty dark pictures of 96x96 with five bright spots; the mask of each is one spot, the "lesion"."""
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


def smoke_settings(pictures: Path) -> list[str]:
    """What makes a recipe named ``NAME+smoke`` train on the pictures."""
    return [f'data={{source="folder:Pictures", arguments={{folder="{pictures}", patch=64}}}}']


def smoke(name: str, pictures: Path, *settings: str) -> recipes.Recipe:
    """A recipe of two steps on the pictures."""
    small_critic = ["critic.arguments={patch=64, width=4}"] if name.startswith("wgan") else []
    return recipes.read(f"{name}+smoke", [*smoke_settings(pictures), *small_critic, *settings])
