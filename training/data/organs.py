"""Ultrasound of several organs, photographs and drawn scenes as one source, for networks that take out speckle."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, Origin, Patient
from .clips import CREDIT as LUNGS
from .clips import Clips
from .enhancement import FOLDERS, PHOTOGRAPHS, FramesAndPhotographs, scene
from .folder import Pictures
from .ultrasound import FRAMES, Ultrasound

KINDS = ("despeckled", "frames", "lungs", "photographs", "scenes", "fibres")
CREDIT = "photographs (CC0, wallpapers of Budgie, elementary and Oceanic); scenes and muscle fibres drawn by code"
SMALLEST, LARGEST = 1.5, 2.0  # an image made smaller, in each axis by its own factor, or larger, by at most this

# Muscle: lengths of its fibres along and across in pixels, their contrast, most fasciae, width of these in pixels.
ALONG, ACROSS, CONTRAST = (8.0, 40.0), (0.7, 3.0), (0.03, 0.2)
FASCIAE, FASCIA_WIDTH = 4, (0.6, 3.0)

LIMITS = """\
- It has seen breasts, fetal heads, hips of infants and lungs; photographs and drawn scenes taught it edges. Other
  organs, probes and scanners were not among them.
- No frame without speckle exists. What it was taught to find is the frame before artificial speckle, or the frame as
  another method despeckled it: it inherits that method's mistakes.
- Frames that a scanner has smoothed already, or that were scaled or compressed much, have other speckle than it knows.
- A small or faint lesion can vanish and texture that a diagnosis rests on is removed by intent: look at the removed
  part and at the report's evidence. For research use only."""


class Organs:
    """Patches of ``KINDS``, in the given shares; held-out patients are frames of breasts, fetal heads and hips.

    Despeckled frames, scenes and fibres come with ``smooth``, the image without speckle; the others have speckle of
    their own, or none at all, and no such image.

    Args:
        cache: folder that holds the frames as stored.
        shares: of the patches, by kind.
        patch: side of the square patches, pixels.
        despeckled: how many frames of each organ are despeckled at most, by NLLR, which takes seconds each.
        key: of the data that an earlier training used.
    """

    def __init__(
        self, cache: Path, *, shares: dict[str, float], patch: int = 96, despeckled: int = 100, key: str = ""
    ) -> None:
        if unknown := set(shares) - set(KINDS):
            raise RecipeError(f"there are no images of kind '{unknown.pop()}'; there are {', '.join(KINDS)}.")
        self.side, self.names = patch, list(shares)
        self.chances = np.array(list(shares.values())) / sum(shares.values())
        window = round(SMALLEST * patch)
        self.held_out = FramesAndPhotographs(cache, patch=window, frames=despeckled, share=0.0, drawn=0.0)
        self.sources = {
            "despeckled": self.held_out,
            "frames": Ultrasound(cache, folders=list(FOLDERS), reduce=list(FOLDERS.values()), patch=window),
            "lungs": Clips(cache, patch=window, shares=(1, 0, 0)),
            "photographs": Pictures(cache, folder=PHOTOGRAPHS, patch=window),
        }
        keys = [source.key for source in self.sources.values()]
        self.key = hashlib.sha256(repr((keys, shares)).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the frames, clips or photographs are not those that the training began with.")

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        frames = ", ".join(FRAMES[folder] for folder in FOLDERS)
        return Origin(f"ultrasound frames: {frames}; {LUNGS}; {CREDIT}", LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        self.held_out.prepare([split for split in splits if split != "train"])
        if "train" in splits:
            for name in self.names:
                if name in self.sources:
                    self.sources[name].prepare(["train"])

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """``clean``, and ``smooth`` where there is one, float32 ``(patch, patch)``, at any scale."""
        name = self.names[rng.choice(len(self.names), p=self.chances)]
        if name in ("scenes", "fibres"):
            drawn = scene(rng, self.side) if name == "scenes" else fibres(rng, self.side)
            return {"clean": drawn, "smooth": drawn}
        found = self.sources[name].sample(rng)
        layers = np.stack([found[key] for key in ("clean", "smooth") if key in found])
        return dict(zip(("clean", "smooth"), at_any_scale(layers, self.side, rng), strict=False))

    def patients(self, split: str) -> Sequence[int]:
        return self.held_out.patients(split)

    def patient(self, id: int) -> Patient:
        return self.held_out.patient(id)


def fibres(rng: np.random.Generator, side: int) -> np.ndarray:
    """Muscle as a display shows it without speckle, ``(side, side)`` in [0, 1]: fibres at any angle, bright fasciae."""
    angle = rng.uniform(0, np.pi)
    row, column = np.mgrid[:side, :side].astype(np.float32)
    along, across = _axes(row, column, angle)
    frequencies = _axes(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None], angle)
    squares = sum((f * rng.uniform(*of)) ** 2 for f, of in zip(frequencies, (ALONG, ACROSS), strict=True))
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * np.exp(-2 * np.pi**2 * squares)
    field = np.fft.irfft2(spectrum, (side, side))
    image = rng.uniform(0.1, 0.5) + rng.uniform(*CONTRAST) * field / field.std()
    bend = rng.uniform(-0.003, 0.003) * (along - along.mean()) ** 2
    for _ in range(rng.integers(FASCIAE + 1)):
        distance = (across - rng.uniform(across.min(), across.max()) + bend) / rng.uniform(*FASCIA_WIDTH)
        image = image + rng.uniform(0.2, 0.6) * np.exp(-(distance**2))
    return np.clip(image, 0, 1).astype(np.float32)


def _axes(row: np.ndarray, column: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along a direction, and across it."""
    return column * np.cos(angle) + row * np.sin(angle), row * np.cos(angle) - column * np.sin(angle)


def at_any_scale(layers: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """A part of ``(layers, rows, columns)`` as ``side`` x ``side`` pixels: as it is, made smaller, or made larger."""
    import cv2

    way = rng.integers(3)
    scales = np.ones(2) if way == 0 else rng.uniform(1, SMALLEST, 2) if way == 1 else 1 / rng.uniform(1, LARGEST)
    height, width = sides = np.rint(side * scales * np.ones(2)).astype(int)
    row, column = (int(rng.integers(whole - part + 1)) for whole, part in zip(layers.shape[1:], sides, strict=True))
    cut = layers[:, row : row + height, column : column + width]
    if (height, width) == (side, side):
        return cut
    how = cv2.INTER_AREA if way == 1 else cv2.INTER_CUBIC
    return np.clip(np.stack([cv2.resize(layer, (side, side), interpolation=how) for layer in cut]), 0, 1)
