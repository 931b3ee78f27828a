"""MR volumes of subjects that no training saw: the refining network beside BM4D, PRI-NLM3D and the general network.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.volumes [--json FILE] [--only NAME]

Each study is acquired with noise of a known kind; every method is told its level, spectrum and map. PSNR (peak 1, dB)
and SSIM are those of the object in the middle of the study. Studies with noise of their own are averaged first:
2x2x2 voxels, or 2x2 where slices are thick. What is left of it, as the careful level says, is a part of the reference
that no method can tell from the noise that was added: ``least_error``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.row import Method
from MedRestoreLib.metrics import fidelity
from MedRestoreLib.noise import Spectrum, model
from MedRestoreLib.pipeline.domains import unit_range
from training.data.magnetic import KINDS
from training.data.pilots import spectrum_of
from training.simulate.magnetic import FILTERS, acquire

from .inputs import real
from .mr_quality import own_noise

METHODS = ("general", "prinlm3d", "bm4d", "volume")
WHITE, OTHER = (3.0, 5.0, 9.0, 15.0), ("fermi", "zero_filled_1.5", "uneven")  # percent of the maximum; kinds at 5 %
NOISES = (*(("white", level) for level in WHITE), *((kind, 5.0) for kind in OTHER))
SIDES = (32, 96, 96)  # of the middle that is restored, voxels
STUDIES = {
    "T1w head": ("fine_head", "mri/t1w_0.7mm.nii.gz"),
    "T1w average": ("average", "mri/mni152_t1.nii.gz"),
    "T1w, multiple sclerosis": ("clinical_heads", "mri/ms_slovenia/patient04_study1_T1W.nii.gz"),
    "T2w, multiple sclerosis": ("clinical_heads", "mri/ms_slovenia/patient04_study1_T2W.nii.gz"),
    "FLAIR, multiple sclerosis": ("clinical_heads", "mri/ms_slovenia/patient04_study1_FLAIR.nii.gz"),
    "T2w spine": ("spines", "mri/spine/t2.nii.gz"),
    "thorax": ("thorax", "mri/cardiac_lge_utah/heart_mr_320.nii.gz"),
}


@dataclass(frozen=True, eq=False)
class Case:
    """One acquisition of the middle of a study, all ``(slices, rows, columns)``; sigma and spread as in ``acquire``."""

    noisy: np.ndarray
    clean: np.ndarray
    inside: np.ndarray
    sigma: float
    spread: np.ndarray | float
    spectrum: Spectrum | None


def middle(name: str) -> np.ndarray:
    """The middle of a study without added noise, float32 in [0, 1]."""
    kind, path = STUDIES[name]
    whole = KINDS[kind].read(real(*path.split("/")))
    part = tuple(slice(max(0, (n - s) // 2), (n + s) // 2) for n, s in zip(whole.shape, SIDES, strict=True))
    return np.ascontiguousarray(whole[part] / whole[part].max(), np.float32)


def acquired(clean: np.ndarray, kind: str, level: float, seed: int = 1) -> Case:
    found = acquire(clean, kind, level, seed)
    spectrum = spectrum_of(FILTERS[kind]) if kind in FILTERS else None
    return Case(found.noisy, found.ideal, found.inside, found.sigma, found.spread, spectrum)


def restored(case: Case, method: Method) -> np.ndarray:
    """What a method makes of it, on the noise model's stabilised scale and by its unbiased inverse."""
    noise = model("rician")(100 * case.sigma, 1.0)
    stable = noise.stabilise((case.noisy / case.spread).astype(np.float32))
    low, scale = unit_range(stable)
    scaled = torch.from_numpy((stable - np.float32(low)) / np.float32(scale))
    shape, sigma, told = scaled.shape, 1 / scale, {}
    if method.coloured:
        told["spectrum"] = case.spectrum
    elif case.spectrum is not None:
        sigma *= case.spectrum.as_white
    batch = scaled[:, None] if method.dimensions == (2,) else scaled[None, None]
    with torch.inference_mode():
        found = method.load()(batch, sigma, **told).reshape(shape).numpy()
    return noise.unbiased_inverse(found * np.float32(scale) + np.float32(low)) * case.spread


def scored(image: np.ndarray, case: Case) -> tuple[float, float]:
    """PSNR and SSIM of the object."""
    psnr = fidelity.psnr(image, case.clean, data_range=1.0, mask=case.inside)
    return psnr, fidelity.ssim(image, case.clean, data_range=1.0, mask=case.inside)


def least_error(own: float, sigma: float) -> float:
    """Mean square error that is left where anatomy is known: of a reference with noise of its own, seen in its sum
    with the noise that was added, both Gaussian and white.

    >>> round(least_error(3.0, 4.0), 2)
    5.76
    """
    return own**2 * sigma**2 / (own**2 + sigma**2)


def cells(names: list[str]) -> Iterator[dict[str, Any]]:
    """Each study under each noise: PSNR and SSIM by method; ``own`` noise and ``least`` error, peak 1."""
    for name in names:
        clean = middle(name)
        own = own_noise(name, clean)
        for kind, level in NOISES:
            case = acquired(clean, kind, level)
            images = {"noisy": case.noisy} | {id: restored(case, catalogue.find(id)) for id in METHODS}
            scores = {id: scored(image, case) for id, image in images.items()}
            least = least_error(own, case.sigma)
            yield {"study": name, "kind": kind, "level": level, "own": own, "least": least, "scores": scores}


def gain(row: dict[str, Any], least: float = 0.0) -> float:
    """Of ``volume`` over BM4D in dB; both mean square errors without what no method can remove."""
    errors = [10 ** (-row["scores"][id][0] / 10) - least for id in ("bm4d", "volume")]
    return 10 * float(np.log10(errors[0] / errors[1])) if min(errors) > 0 else float("nan")


def main() -> None:
    """Print the table, and write its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=STUDIES)
    arguments = parser.parse_args()
    print(f"| Study | Noise | noisy | {' | '.join(METHODS)} | volume less bm4d | of what can be removed |")
    print("| --- | --- |" + " ---: |" * (len(METHODS) + 3))
    rows = []
    for row in cells([arguments.only] if arguments.only else list(STUDIES)):
        rows.append(row)
        scores = row["scores"]
        numbers = " | ".join(f"{psnr:.2f} / {ssim:.3f}" for psnr, ssim in scores.values())
        gains = " | ".join(f"{gain(row, least):+.2f}" for least in (0.0, row["least"]))
        print(f"| {row['study']} | {row['kind']} {row['level']:g} % | {numbers} | {gains} |", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
