"""How near do restored views come to the clean ones? PSNR and SSIM on the test split, with a protocol's noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from MedRestoreLib.metrics import fidelity
from MedRestoreLib.networks.speckle import GUARD

from .. import build
from ..data.degradations import MODELS
from ..data.views import View
from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import baselines, methods
from .baselines import Restorer
from .protocols import HeldOut

Levels = Sequence[float]


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method: oracles, baselines, trainings' folders, weights that ship. Raises RecipeError."""
    for name in names:
        if name in ORACLES:
            yield Result("restoration", test.protocol, name, ORACLES[name](test), about=test.about())
        else:
            method = methods.find(name, test.protocol, tuple(ORACLES))
            values = measure(method.restore, test, _levels(name, test))
            about = {**method.about, **test.about()}
            yield Result("restoration", test.protocol, method.name, values, method.seed, about)


def measure(restore: Restorer, test: HeldOut, levels: Levels = ()) -> Values:
    """Returns "psnr" (peak 1, dB) and "ssim" → level → patient → mean over the patient's views.

    Ultrasound frames are display grey, so whatever a method returns for them is clipped to [0, 1] first.

    Args:
        levels: the protocol's if empty.
    """
    return _measured(lambda view: restore(view.noisy, view.level), test, levels)


def best_gaussian(test: HeldOut, levels: Levels = ()) -> Values:
    """As ``measure``, of the Gaussian filter whose width is best at each level on these very views: an oracle."""
    every = [measure(baselines.gaussian(width), test, levels) for width in baselines.WIDTHS]
    best = {
        level: max(every, key=lambda found, level=level: np.mean(list(found["psnr"][level].values())))
        for level in every[0]["psnr"]
    }
    return {name: {level: best[level][name][level] for level in best} for name in ("psnr", "ssim")}


def known_noise(test: HeldOut, levels: Levels = ()) -> Values:
    """As ``measure``, of a guarded ``x / (1 + n)`` with the true n: what a network that predicts n exactly would reach.

    Raises:
        RecipeError: the noise is not speckle.
    """
    if MODELS[test.protocol].domain != "linear":
        raise RecipeError(f"n is known of speckle alone, not of {test.protocol}.")

    def divided(view: View) -> np.ndarray:
        factor = np.divide(view.noisy, view.clean, out=np.ones_like(view.noisy), where=view.clean > 0)
        return view.noisy / np.maximum(factor, GUARD)

    return _measured(divided, test, levels)


ORACLES: dict[str, Callable[[HeldOut], Values]] = {"gaussian": best_gaussian, "known_noise": known_noise}


def _measured(restored_of: Callable[[View], np.ndarray], test: HeldOut, levels: Levels) -> Values:
    displayed = MODELS[test.protocol].domain == "linear"
    found: dict[str, dict[str, dict[str, list[float]]]] = {"psnr": {}, "ssim": {}}
    for view in test.views(levels or test.rules.levels):
        restored = restored_of(view)
        if displayed:
            restored = np.clip(restored, 0, 1)
        for name, value in (
            ("psnr", fidelity.psnr(restored, view.clean, data_range=1.0, mask=view.counted)),
            ("ssim", fidelity.ssim(restored, view.clean, data_range=1.0, mask=view.counted)),
        ):
            found[name].setdefault(f"{view.level:g}", {}).setdefault(str(view.patient), []).append(value)
    return {
        name: {level: {id: float(np.mean(v)) for id, v in of.items()} for level, of in levels.items()}
        for name, levels in found.items()
    }


def _levels(name: str, test: HeldOut) -> Levels:
    """The protocol's levels that a network was trained for; all for baselines."""
    every = test.rules.levels
    if not build.is_trained(name):
        return every
    low, *_, high = build.trained(name).recipe.degradation.levels
    return tuple(level for level in every if low <= level <= high) or every
