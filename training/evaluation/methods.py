"""Which method does a name on the command line mean? A baseline, a training's folder, or weights that ship."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from MedRestoreLib.image import Image
from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.sharpening import blended
from MedRestoreLib.noise import model
from MedRestoreLib.pipeline import device
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.plan import USUAL_SHARPENING, recommend
from MedRestoreLib.pipeline.restore import run_plan

from .. import build
from ..data import WHITE
from ..recipe import RecipeError
from ..tables.results import method_name
from . import baselines
from .baselines import Restorer
from .protocols import PROTOCOLS, REAL

TYPICAL_LEVEL = 0.13  # of the estimates in breast frames: for a frame in which none can be estimated
MEDIAN = "median"


@dataclass(frozen=True)
class Method:
    """A method that is measured.

    Attributes:
        name: in results: a baseline's, or a recipe's without its protocol and seed.
        restore: see ``baselines``.
        seed: of its training.
        about: its training, as in ``build.Trained``; empty for baselines.
    """

    name: str
    restore: Restorer
    seed: int = 0
    about: dict[str, Any] = field(default_factory=dict)


def find(name: str, protocol: str, others: tuple[str, ...] = ()) -> Method:
    """A restorer of views with a protocol's noise: one of its baselines, a training's folder, or weights that ship.

    On real frames, to which no noise is added, the method estimates the level itself (see ``for_frames``).

    Args:
        others: names that the caller knows beside these, for the error message.

    Raises:
        RecipeError: there is no such method.
    """
    known = PROTOCOLS[protocol].baselines
    if name in known:
        return Method(name, known[name])
    if protocol == REAL:
        method = for_frames(name)
        return replace(method, restore=lambda frame, _: method.restore(frame, level_of(frame)))
    if not build.is_trained(name):
        raise RecipeError(
            f"'{name}' is neither a folder of a training, nor weights that ship, nor one of "
            f"{', '.join([*known, *others])}."
        )
    return learned(name)


def for_frames(name: str) -> Method:
    """A restorer of real frames ``(..., rows, columns)``, display grey in [0, 1], that all have one level.

    Args:
        name: "median", a method of MedRestore by its id, or a training's folder.

    Raises:
        RecipeError: there is no such method.
    """
    if Path(name).is_dir():
        network = learned(name)
        return replace(network, restore=lambda frames, level: _one_by_one(network.restore, frames, level))
    if name == MEDIAN:
        return Method(name, baselines.median)
    known = [row.id for row in catalogue.METHODS if "speckle" in row.noises]
    if name not in known:
        raise RecipeError(f"'{name}' is neither a folder of a training nor one of {', '.join([MEDIAN, *known])}.")
    return Method(name, lambda frames, level: by_library(name, frames, noise="speckle", level=level))


def learned(name: str | Path, sharpen: float = USUAL_SHARPENING) -> Method:
    """The network of a training's folder, or of weights that ship; of two images, with that much of the sharpening.

    Raises RecipeError.
    """
    network = build.trained(name)
    restore = _sharpened(network, sharpen) if hasattr(network.network, "pair") else network
    return Method(method_name(network.recipe.name), restore, network.recipe.seed, network.about)


def _sharpened(network: build.Trained, sharpen: float) -> Restorer:
    def restore(image: np.ndarray, level: float) -> np.ndarray:
        images = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None]
        with torch.inference_mode():
            return blended(network.network.eval().pair(images), sharpen)[0, 0].numpy()

    return restore


def level_of(frames: np.ndarray) -> float:
    """The library's estimate of the speckle in frames ``(..., rows, columns)``, relative to the signal."""
    estimate = model("speckle").estimate(frames.reshape(-1, 1, *frames.shape[-2:]))
    return estimate.level or TYPICAL_LEVEL


def by_library(method: str, frames: np.ndarray, modality: str = "US", **wanted: Any) -> np.ndarray:
    """As MedRestore restores a study of 8-bit frames, without the evidence; ``wanted`` as for ``recommend``."""
    grey = np.uint8(np.rint(255 * np.clip(frames, 0, 1))).reshape(-1, *frames.shape[-2:])
    study = Image.from_array(grey, axes="fyx", modality=modality)
    plan = recommend(study, method=method, **wanted)
    denoising = Denoising.of(study, plan, device.resolve(plan.device))
    return run_plan(denoising, study.voxels, plan).voxels.reshape(frames.shape) / WHITE


def _one_by_one(restore: Restorer, frames: np.ndarray, level: float) -> np.ndarray:
    return np.stack([restore(frame, level) for frame in frames.reshape(-1, *frames.shape[-2:])]).reshape(frames.shape)
