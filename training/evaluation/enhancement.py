"""How well is a frame of unknown blur and noise enhanced? PSNR and SSIM on the test split, organ by organ.

The frame itself is the first reference, which takes its own speckle for truth. The frame as NLLR despeckled it is the
second: that measures agreement with NLLR, which made the targets of the networks trained on ``blurred``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from MedRestoreLib.metrics import fidelity

from ..data import GREY, Patient
from ..data.ultrasound import LABELS
from ..recipe import RecipeError
from ..tables.results import Result, Values
from . import methods
from .protocols import HeldOut

ORGANS = {"breasts": ("benign", "malignant", "normal"), "heads": ("fetal head",), "hips": ()}  # by the frame's label

GAUSSIAN, SPECKLE, BLUR = (15, 25, 50, 75), (0.1, 0.25, 0.5, 0.75), (1, 2)  # grey values; relative; pixels
BLUR_NOISE = 0.05  # standard deviation of the noise after a blur, white is 1
CONDITIONS = (
    *(f"gaussian {level}" for level in GAUSSIAN),
    *(f"speckle {level}" for level in SPECKLE),
    *(f"blur {sigma}" for sigma in BLUR),
)

WIENER_POWER = 2.0  # the spectrum of images falls with about this power of the frequency
RICHARDSON_LUCY_STEPS = 10

Enhance = Callable[[np.ndarray, str], np.ndarray]


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method and organ; names: "noisy", "wiener", "richardson_lucy", methods of MedRestore, trainings.

    ``--patients`` is how many of each organ. Raises RecipeError.
    """
    for name in names:
        method = _method(name)
        for organ in ORGANS:
            chosen = _members(test, organ)
            values = measure(method[1], chosen)
            about = {**method[2], "data": test.source.key, "split": "test", "patients": len(chosen)}
            yield Result("enhancement", organ, method[0], values, about=about)


def measure(enhance: Enhance, patients: Sequence[Patient]) -> Values:
    """PSNR (peak 1, dB) and SSIM of what ``enhance`` makes of degraded frames.

    Args:
        enhance: gets a degraded frame, 8-bit in [0, 1], and the name of the condition, which only oracles heed.
        patients: with their frames without speckle.

    Returns:
        "psnr", "ssim" and, against NLLR, "psnr_nllr", "ssim_nllr" → condition → patient → value.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for patient in patients:
        counted = None if patient.overlays is None else ~patient.overlays[0]
        for condition in CONDITIONS:
            enhanced = np.clip(enhance(degraded(patient.clean[0], condition, patient.id), condition), 0, 1)
            for suffix, reference in (("", patient.clean), ("_nllr", patient.smooth)):
                for name, measured in (("psnr", fidelity.psnr), ("ssim", fidelity.ssim)):
                    value = measured(enhanced, reference[0], data_range=1.0, mask=counted)
                    found.setdefault(name + suffix, {}).setdefault(condition, {})[str(patient.id)] = float(value)
    return found


def degraded(frame: np.ndarray, condition: str, seed: int) -> np.ndarray:
    """A frame ``(rows, columns)`` as an 8-bit file holds it after blur and noise; the same for every method."""
    kind, level = condition.split()
    rng = np.random.default_rng((seed, CONDITIONS.index(condition)))
    noise = rng.standard_normal(frame.shape)
    if kind == "speckle":
        noisy = frame * (1 + float(level) * noise)
    elif kind == "gaussian":
        noisy = frame + float(level) / GREY * noise
    else:
        noisy = gaussian_filter(frame, float(level), mode="nearest") + BLUR_NOISE * noise
    return (np.rint(GREY * np.clip(noisy, 0, 1)) / GREY).astype(np.float32)


def wiener(frame: np.ndarray, condition: str) -> np.ndarray:
    """The Wiener filter with the true point spread function and noise, for images whose spectrum falls as 1/f²."""
    spread, noise = _truth(condition)
    padded = np.pad(frame, 16, mode="symmetric")
    frequencies = [2 * np.pi * np.fft.fftfreq(side) for side in padded.shape]
    squares = np.add.outer(frequencies[0] ** 2, frequencies[1] ** 2)
    transfer = np.exp(-squares * spread**2 / 2)
    detail = (frame - gaussian_filter(frame, 3)).var()
    signal = 1 / np.maximum(squares, squares[0, 1]) ** WIENER_POWER
    signal *= max(detail - noise**2, 1e-5) / signal[squares > 0.1].mean()
    filtered = np.fft.fft2(padded) * transfer * signal / (transfer**2 * signal + noise**2)
    return np.fft.ifft2(filtered).real[16:-16, 16:-16]


def richardson_lucy(frame: np.ndarray, condition: str) -> np.ndarray:
    """Richardson-Lucy deconvolution with the true point spread function, stopped early."""
    spread, _ = _truth(condition)
    estimate = np.full_like(frame, frame.mean())
    for _ in range(RICHARDSON_LUCY_STEPS):
        ratio = frame / np.maximum(gaussian_filter(estimate, spread, mode="nearest"), 1e-4)
        estimate *= gaussian_filter(ratio, spread, mode="nearest")
    return estimate


ORACLES: dict[str, Enhance] = {
    "noisy": lambda frame, condition: frame,
    "wiener": wiener,
    "richardson_lucy": richardson_lucy,
}


def _truth(condition: str) -> tuple[float, float]:
    """Standard deviations of blur (pixels) and noise (white is 1); of speckle that of average tissue, grey 1/3."""
    kind, level = condition.split()
    if kind == "blur":
        return float(level), BLUR_NOISE
    return 0.0, float(level) / (GREY if kind == "gaussian" else 3)


def _method(name: str) -> tuple[str, Enhance, dict]:
    """Name, function and training of a method. Raises RecipeError."""
    if name in ORACLES:
        return name, ORACLES[name], {}
    if Path(name).is_dir():
        found = methods.learned(name)
        return found.name, lambda frame, _: found.restore(frame, 0.0), found.about
    found = methods.for_frames(name)
    return found.name, lambda frame, _: found.restore(frame, methods.level_of(frame)), found.about


def _members(test: HeldOut, organ: str) -> list[Patient]:
    """The first test patients of an organ. Raises RecipeError where the source has no despeckled frames."""
    every = map(test.ready.patient, test.ready.patients("test"))
    wanted = [LABELS.index(label) for label in ORGANS[organ]] or [-1]
    found = [patient for patient in every if patient.label in wanted][: test.patients]
    if any(patient.smooth is None for patient in found):
        raise RecipeError("these data have no despeckled frames; take --data swin_conv.")
    return found
