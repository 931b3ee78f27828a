"""Measurements on the test split and on the real scan. What they return is plain data, kept as JSON by ``tables``.

A trained network is a folder of ``python -m training train``. Every view gets the same noise in every method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from MedRestoreLib.metrics import fidelity, segmentation
from MedRestoreLib.networks.speckle import GUARD

from .. import build
from ..data import Source
from ..data.degradations import GREY, MODELS
from ..recipe import RecipeError
from ..trainers import scores
from ..trainers.scores import View
from . import baselines, estimators
from .baselines import Restorer

COUNTS = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 50.0)  # the paper's, and 26 counts
SPECKLE = (0.05, 0.1, 0.15, 0.25, 0.5, 0.75)  # the paper's, and weaker ones: see ``tables.unet_att.matched``
LEVELS = {"p_peak": COUNTS, "p_lit": COUNTS, "speckle": SPECKLE, "speckle_8bit": SPECKLE, "bmode": (0.15, 0.3)}
LESION_LEVELS = {  # 26, 72 and 163 counts; the paper's; none
    "p_peak": (50.0, 30.0, 20.0),
    "p_lit": (50.0, 30.0, 20.0),
    "speckle": (0.25, 0.5, 0.75),
    "speckle_8bit": (0.25, 0.5, 0.75),
    "as_is": (0.0,),
}

CALIBRATION = tuple(float(level) for level in range(2, 51, 4))
Values = dict[str, list[float]]
LevelTeller = Callable[[np.ndarray], float]


def restorer(name: str | Path) -> Restorer:
    """A network, see ``build.learned``, as a restorer of one view."""
    recipe, network, _ = build.learned(name)
    return lambda noisy, level: scores.run(network, recipe, noisy, level)


def noisy_views(source: Source, split: str, patients: int, protocol: str, levels: Iterable[float]) -> Iterable[View]:
    """Every view of a split's first patients at each level."""
    for id in source.patients(split)[:patients]:
        patient = source.patient(id)
        for number in range(len(patient.clean)):
            for level in levels:
                rng = np.random.default_rng((id, number, round(10 * level / MODELS[protocol].unit * GREY)))
                yield View.of(patient, number, protocol, level, rng)


def fidelities(
    restore: Restorer, source: Source, protocol: str, patients: int, levels: tuple[float, ...] = ()
) -> dict[str, Any]:
    """PSNR (peak 1, dB) and SSIM of each test patient at each level (the protocol's): means over the patient's views.

    Ultrasound frames are displayed grey: whatever a method makes of them is clipped to [0, 1] first.
    """
    return _fidelities(lambda view: restore(view.noisy, view.level), source, protocol, patients, levels)


def best_gaussian(source: Source, protocol: str, patients: int, levels: tuple[float, ...] = ()) -> dict[str, Any]:
    """As ``fidelities``, for the Gaussian blur whose width does best at each level on these very views: an oracle."""
    every = [fidelities(baselines.gaussian(w), source, protocol, patients, levels) for w in baselines.WIDTHS]
    best = {
        level: max(every, key=lambda found, level=level: np.mean(list(found["psnr"][level].values())))
        for level in every[0]["psnr"]
    }
    return {name: {level: best[level][name][level] for level in best} for name in ("psnr", "ssim")}


def known_noise(source: Source, protocol: str, patients: int, levels: tuple[float, ...] = ()) -> dict[str, Any]:
    """As ``fidelities``, for a guarded ``x / (1 + n)`` with the true n: what a network gets that finds n exactly.

    Raises:
        RecipeError: the noise is not speckle.
    """
    if MODELS[protocol].domain != "speckle":
        raise RecipeError(f"n is known of speckle alone, not of {protocol}.")

    def divided(view: View) -> np.ndarray:
        factor = np.divide(view.noisy, view.clean, out=np.ones_like(view.noisy), where=view.clean > 0)
        return view.noisy / np.maximum(factor, GUARD)

    return _fidelities(divided, source, protocol, patients, levels)


def lesions(
    restore: Restorer,
    segment: Restorer,
    source: Source,
    protocol: str,
    patients: int,
    levels: tuple[float, ...] = (),
) -> dict[str, Any]:
    """Precision, IoU, recall and Dice of outlined lesions after restoring, each patient's pixels pooled.

    Patients without a lesion are left out: they have no recall.
    """
    pooled: dict[tuple[str, str], list[np.ndarray]] = {}
    for view in noisy_views(source, "test", patients, protocol, levels or LESION_LEVELS[protocol]):
        outlined = segment(restore(view.noisy, view.level), view.level) > 0
        pair = np.stack([outlined.ravel(), view.lesions.ravel()])
        pooled.setdefault((f"{view.level:g}", str(view.patient)), []).append(pair)
    measures = {name: getattr(segmentation, name) for name in ("precision", "iou", "recall", "dice")}
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in measures}
    for (level, id), pairs in pooled.items():
        outlined, truth = np.concatenate(pairs, axis=1)
        if truth.any():
            for name, measure in measures.items():
                found[name].setdefault(level, {})[id] = measure(outlined, truth)
    return found


def levels_told(
    tell: LevelTeller, source: Source, patients: int, levels: tuple[float, ...] = COUNTS
) -> dict[str, dict[str, float]]:
    """What level is told of each test view with noise of counts: mean and root mean squared error at each level."""
    errors: dict[str, list[float]] = {}
    for view in noisy_views(source, "test", patients, "p_peak", levels):
        errors.setdefault(f"{view.level:g}", []).append(tell(view.noisy) - view.level)
    return {
        "mean": {level: float(level) + float(np.mean(e)) for level, e in errors.items()},
        "rmse": {level: float(np.sqrt(np.mean(np.square(e)))) for level, e in errors.items()},
    }


def level_network(name: str | Path) -> LevelTeller:
    """A level network, see ``build.learned``."""
    recipe, network, _ = build.learned(name)
    return lambda noisy: scores.told_level(network, recipe, noisy)


def calibrated(name: str, source: Source, patients: int) -> LevelTeller:
    """An estimator of ``estimators`` with its curve fitted on the validation split."""
    read = estimators.ESTIMATORS[name]
    views = noisy_views(source, "validation", patients, "p_peak", CALIBRATION)
    curve = estimators.calibrated(*np.array([(read(view.noisy), view.level) for view in views]).T)
    return lambda noisy: curve(read(noisy))


def _fidelities(
    restored_of: Callable[[View], np.ndarray], source: Source, protocol: str, patients: int, levels: tuple[float, ...]
) -> dict[str, Any]:
    displayed = MODELS[protocol].domain == "speckle"
    found: dict[str, dict[str, Values]] = {"psnr": {}, "ssim": {}}
    for view in noisy_views(source, "test", patients, protocol, levels or LEVELS[protocol]):
        restored = restored_of(view)
        if displayed:
            restored = np.clip(restored, 0, 1)
        for name, value in (
            ("psnr", fidelity.psnr(restored, view.clean, data_range=1.0, mask=view.counted)),
            ("ssim", fidelity.ssim(restored, view.clean, data_range=1.0, mask=view.counted)),
        ):
            found[name].setdefault(f"{view.level:g}", {}).setdefault(str(view.patient), []).append(value)
    return {name: _patient_means(values) for name, values in found.items()}


def _patient_means(values: dict[str, Values]) -> dict[str, dict[str, float]]:
    return {level: {id: float(np.mean(v)) for id, v in patients.items()} for level, patients in values.items()}
