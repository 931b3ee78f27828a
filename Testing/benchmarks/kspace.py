"""Complex numbers restored, or their magnitude: real k-space of phantoms, to which known noise is added.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.kspace

What is gained by restoring complex numbers, error in the object and bias in the dark, against the image before noise
was added. Its own noise counts as truth, which favours what removes little; 02_05 has next to none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.files.kspace import reconstructed

from .inputs import real

PHANTOMS = ("02_01_GRE_example", "02_05_GRE_xSpoil_yRephase_RFspoil", "11_01_GRE")
LEVELS = (2.0, 5.0, 10.0)  # percent of the brightest
DARK, OBJECT = 0.05, 0.1  # of the brightest: below is dark, above the object


def samples(name: str) -> np.ndarray:
    """k-space ``(coils, rows, columns)``."""
    found = np.load(Path(real(f"mri/kspace_phantom_pulseq/{name}.npz")))["ksp"]
    return found[None] if found.ndim == 2 else found.swapaxes(0, 1)


def image_of(kspace: np.ndarray) -> mr.Image:
    return mr.Image.from_array(reconstructed(kspace[:, None]), modality="MR")


def main() -> None:
    print("phantom, noise in %: PSNR/dB in the object, bias in the dark in standard deviations; level found / true")
    for name in PHANTOMS:
        before = image_of(samples(name))
        truth, peak = before.voxels, float(np.percentile(before.voxels, 99.9))
        dark, inside = truth < DARK * peak, truth > OBJECT * peak
        for level in LEVELS:
            sigma = level / 100 * peak
            noisy = mr.add_noise(before, "gaussian", sigma, seed=0)
            for kind, study in (("noisy", None), ("magnitude", noisy.magnitude()), ("complex", noisy)):
                plan = None if study is None else mr.recommend(study)
                voxels = noisy.voxels if study is None else mr.restore(study, plan).image.voxels
                psnr = 10 * np.log10(peak**2 / np.square((voxels - truth)[inside]).mean())
                bias = (voxels - truth)[dark].mean() / sigma
                found = ""
                if plan is not None:
                    unit = 1.0 if plan.noise == "gaussian" else float(noisy.voxels.max()) / 100
                    found = f"{plan.method}{'' if not plan.careful else ', careful'} {plan.level * unit / sigma:.3f}"
                print(f"  {name:36} {level:4g} {kind:10} {psnr:6.2f} {bias:+6.2f}  {found}", flush=True)


if __name__ == "__main__":
    main()
