"""How near do restored MR magnitudes come to the clean ones? PSNR, SSIM and grey levels, at the levels of paper P3.

Noise is drawn for whole stacks of slices, so methods for volumes see neighbours; only slices in the middle count. Drawn
slices are single. Foreground is where the clean image is above 10 of 255.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch

from MedRestoreLib.methods import catalogue, learned
from MedRestoreLib.metrics import fidelity
from MedRestoreLib.noise.rician import Rician
from MedRestoreLib.pipeline.domains import STABILISED

from .. import build
from ..data import GREY
from ..data.degradations import MODELS
from ..data.magnetic import Volumes
from ..recipe import RecipeError
from ..tables.p3 import EXPLAINED, PRINTED, SCALES
from ..tables.results import Result, Values
from . import methods
from .protocols import HeldOut

Restorer = Callable[[np.ndarray, float], np.ndarray]  # magnitudes (slices, rows, columns), percent of 1 → restored

FOREGROUND = 10 / GREY
DARK, BRIGHT = (FOREGROUND, 0.35), (0.5, 1.1)  # tissues whose mean error is measured: fluid in T1w, white matter
DEPTH, MEASURED = 11, (3, 5, 7)  # slices of a stack, and those that count
WEIGHTINGS = {"T1w": slice(0, 3), "PDw": slice(6, 9)}  # of the drawn slices

# ADF: iterations and conductances (of 1) from which validation chooses.
ITERATIONS = (5, 10, 20, 40, 80)
CONDUCTANCES = (0.02, 0.04, 0.08, 0.15, 0.3)


@dataclass(frozen=True)
class Case:
    """A clean study.

    Attributes:
        group: "T1w heads", "T1w slices" or "PDw slices".
        name: of the subject or the plane.
        clean: ``(slices, rows, columns)`` in [0, 1].
        measured: slices that count.
    """

    group: str
    name: str
    clean: np.ndarray
    measured: Sequence[int]

    @property
    def single(self) -> bool:
        """Whether the slices are no neighbours."""
        return len(self.measured) == len(self.clean)


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method: baselines, trainings' folders, weights that ship. Raises RecipeError."""
    for name in names:
        restore, about, seed, title = _method(name, test)
        explained = title in EXPLAINED
        values = measure(restore, list(cases(test)), test.rules.levels, deep=name in DEEP, explained=explained)
        yield Result("magnitudes", test.protocol, title, values, seed, {**about, "data": test.source.key})


def measure(
    restore: Restorer, cases: Sequence[Case], levels: Sequence[float], *, deep: bool = False, explained: bool = False
) -> Values:
    """Quantity → "GROUP LEVEL" → case → mean over slices.

    "psnr" (peak 1, dB) and "ssim" of the foreground, "psnr_full" and "ssim_full" of the full frame, "dark" and
    "bright", the mean error in dark and bright tissue (percent of 1). Groups "as printed": see ``tables.p3``.

    Args:
        deep: a method of volumes, for which single slices are left out.
        explained: measure groups "as printed", too.
    """
    found: Values = {}
    for case in cases:
        if deep and case.single:
            continue
        for level in levels:
            _add(found, case.group, level, case, restore, level, 1.0)
            if case.single and explained:
                sigma = level * float(case.clean.mean())
                _add(found, f"{case.group} {PRINTED}", level, case, restore, sigma, SCALES[case.group[:3]])
    return found


def cases(test: HeldOut) -> Iterator[Case]:
    """Two heads of the test split, and slices drawn from tissue labels, which no training of this table has seen."""
    kinds = ("average", "fine_head", "tissues")
    volumes = Volumes(test.source.folder.parent, shares=dict.fromkeys(kinds, 1.0))
    volumes.prepare()
    for id, (kind, _) in enumerate(volumes.members("test") + volumes.members("train")):
        volume = volumes.volume(id)
        if kind != "tissues":
            first = (len(volume) - DEPTH) // 2
            yield Case("T1w heads", volumes.name(id).partition(":")[0], volume[first : first + DEPTH], MEASURED)
            continue
        for weighting, planes in WEIGHTINGS.items():
            yield Case(f"{weighting} slices", "drawn", volume[planes], range(3))


def _add(found: Values, group: str, shown: float, case: Case, restore: Restorer, level: float, scale: float) -> None:
    """Measure one case with noise of ``level`` against ``scale`` times the clean study."""
    rng = np.random.default_rng((round(100 * level), len(case.clean)))
    noisy = Rician(level=level, reference=1.0).drawn(case.clean, rng)
    restored = np.clip(restore(noisy.astype(np.float32), level), 0, None)
    values: dict[str, list[float]] = {}
    for number in case.measured:
        image, true = restored[number], scale * case.clean[number]
        mask = case.clean[number] > FOREGROUND
        for name, of in (("psnr", fidelity.psnr), ("ssim", fidelity.ssim)):
            values.setdefault(name, []).append(of(image, true, data_range=1.0, mask=mask))
            values.setdefault(f"{name}_full", []).append(of(image, true, data_range=1.0))
        for name, (low, high) in (("dark", DARK), ("bright", BRIGHT)):
            tissue = (case.clean[number] > low) & (case.clean[number] < high)
            values.setdefault(name, []).append(100 * float((image - true)[tissue].mean()))
    for name, each in values.items():
        found.setdefault(name, {}).setdefault(f"{group} {shown:g}", {})[case.name] = float(np.mean(each))


def offset(noisy: np.ndarray, level: float) -> np.ndarray:
    """Only the mean that noise adds to the square is taken out."""
    return np.sqrt(np.maximum(noisy**2 - 2 * (level / 100) ** 2, 0))


def stabilised(run: Callable[[torch.Tensor, float], torch.Tensor], noisy: np.ndarray, level: float) -> np.ndarray:
    """``run(images, sigma)`` between the variance-stabilising transform and its inverse, as the library calls it."""
    noise = Rician(level=level, reference=1.0)
    low, scale = STABILISED.range(noise, noisy[None])
    images = torch.from_numpy((STABILISED.forward(noise, noisy) - low) / np.float32(scale))
    with torch.inference_mode():
        restored = run(images.float(), STABILISED.sigma(noise, scale)).float().numpy()
    return STABILISED.inverse(noise, restored * scale + low)


def _by_slices(method: str, images: torch.Tensor, sigma: float) -> torch.Tensor:
    return catalogue.find(method).load()(images[:, None], sigma)[:, 0]


def _by_network(weights: str, images: torch.Tensor, sigma: float) -> torch.Tensor:
    return learned.stabilised(images[:, None], sigma, weights=weights)[:, 0]


def _by_volume(method: str, images: torch.Tensor, sigma: float) -> torch.Tensor:
    return catalogue.find(method).load()(images[None, None], sigma)[0, 0]


DEEP = ("bm4d", "prinlm3d", "odct3d")
BASELINES: dict[str, Restorer] = {
    "noisy": lambda noisy, level: noisy,
    "offset": offset,
    "bm3d": partial(stabilised, partial(_by_slices, "bm3d")),
    "general": partial(stabilised, partial(_by_network, "general")),  # alone, without BM3D
    **{name: partial(stabilised, partial(_by_volume, name)) for name in DEEP},
}


def _method(name: str, test: HeldOut) -> tuple[Restorer, dict, int, str]:
    """What restores a stack, what is told of it, its seed and its name in results. Raises RecipeError."""
    if name in BASELINES:
        return BASELINES[name], {}, 0, name
    if name == "adf":
        return partial(_tuned_adf, test), {}, 0, name
    if not build.is_trained(name):
        known = ", ".join((*BASELINES, "adf"))
        raise RecipeError(f"'{name}' is neither a folder of a training, nor weights that ship, nor one of {known}.")
    method, network = methods.learned(name), build.trained(name)
    row = MODELS[network.recipe.degradation.model]

    def each(images: np.ndarray, level: float) -> np.ndarray:
        return np.stack([network(image, level) for image in images])

    def told(images: torch.Tensor, sigma: float) -> torch.Tensor:
        return torch.from_numpy(each(images.numpy(), sigma * row.unit))

    restore = partial(stabilised, told) if row.domain == "stabilised" else each
    return restore, method.about, method.seed, method.name


def _tuned_adf(test: HeldOut, noisy: np.ndarray, level: float) -> np.ndarray:
    """Anisotropic diffusion of the magnitudes with what is best at this level on the validation subject."""
    iterations, conductance = _best(test, level)
    return _diffused(noisy, iterations, conductance)


@lru_cache(maxsize=64)
def _best(test: HeldOut, level: float) -> tuple[int, float]:
    clean = test.source.patient(test.ready.patients("validation")[0]).clean
    noisy = Rician(level=level, reference=1.0).drawn(clean, np.random.default_rng(round(100 * level)))
    mask = clean > FOREGROUND

    def error(setting: tuple[int, float]) -> float:
        return float(np.square(_diffused(noisy, *setting) - clean)[mask].mean())

    return min(((count, k) for count in ITERATIONS for k in CONDUCTANCES), key=error)


def _diffused(noisy: np.ndarray, iterations: int, conductance: float) -> np.ndarray:
    images = torch.from_numpy(noisy.astype(np.float32))[:, None]
    run = catalogue.find("adf").load()
    return run(images, 0.1, iterations=iterations, conductance=conductance)[:, 0].numpy()
