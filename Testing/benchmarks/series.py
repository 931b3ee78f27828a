"""Frames restored together and each for itself, beside local PCA: simulated diffusion, and real repeats.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.series

Diffusion is simulated on the average head's tissue maps: fluid, grey matter, and white matter whose diffusion follows
fibres of a smooth random field; Rician noise, levels in percent of the maximum. PSNR is over the head in all frames,
its peak the clean maximum: in air dipy's methods leave the mean of the noise. The real frames are 24 volumes of one
functional series, half their size; their reference is the mean of 152, from which they also differ by drift and by what
the brain did. dipy's methods run where dipy is installed, told the true noise level. MP-PCA is patented; it is here for
comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

import MedRestoreLib as mr

from .inputs import real

CROP = np.s_[60:90, 40:160, 30:130]  # of the average head: slices, rows, columns
B_VALUE = 1.5  # ms per square micrometre
CASES = ((7, 3.0), (13, 2.0), (13, 5.0), (32, 5.0))  # frames, level
METHODS = ("odct3d", "prinlm3d", "bm4d")
HEAD = 0.1  # of the brightest of the first frame


def diffusion(frames: int, seed: int = 0) -> np.ndarray:
    """Clean frames ``(frames, slices, rows, columns)``, the first without diffusion weighting."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    grey, white, whole = (mr.read(real(f"mri/mni152_{part}.nii.gz")).voxels[0][CROP] for part in ("gm", "wm", "t1"))
    grey, white = (part / max(float(part.max()), 1.0) for part in (grey, white))
    fluid = np.clip((whole > 0.1 * whole.max()) - grey - white, 0, 1)
    fibres = np.stack([gaussian_filter(rng.standard_normal(grey.shape), 6) for _ in range(3)])
    fibres /= np.linalg.norm(fibres, axis=0)
    made = []
    for frame in range(frames):
        b = B_VALUE if frame else 0.0
        gradient = rng.standard_normal(3)
        along = np.tensordot(gradient / np.linalg.norm(gradient), fibres, 1) ** 2
        signals = (0.7 * np.exp(-b * (0.3 + 1.4 * along)), 0.85 * np.exp(-b * 0.8), np.exp(-b * 3.0))
        made.append(sum(share * signal for share, signal in zip((white, grey, fluid), signals, strict=True)))
    return 1000 * np.stack(made).astype(np.float32)


def psnr(clean: np.ndarray, restored: np.ndarray) -> float:
    head = np.broadcast_to(clean[0] > HEAD * clean[0].max(), clean.shape)
    return float(10 * np.log10(np.square(clean.max()) / np.square((restored - clean)[head]).mean(dtype=np.float64)))


def ours(study: mr.Image, **level: float) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    for method in METHODS:
        for together in (False, True):
            name = f"{method}, {'together' if together else 'apart'}"
            yield (
                name,
                lambda m=method, t=together: mr.restore(study, method=m, together=t, **level).image.voxels,
            )


def dipys(study: mr.Image, sigma: float) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    try:
        from dipy.denoise.localpca import localpca, mppca
    except ImportError:
        return
    frames_last = np.moveaxis(study.voxels, 0, -1)
    yield "dipy localpca", lambda: np.moveaxis(localpca(frames_last, sigma=sigma, tau_factor=2.3), -1, 0)
    yield "dipy mppca", lambda: np.moveaxis(mppca(frames_last), -1, 0)


def main() -> None:
    for frames, level in CASES:
        clean = mr.Image(diffusion(frames), spacing=(1, 1, 1), modality="MR")
        study = mr.add_noise(clean, "rician", level, seed=1)
        sigma = level / 100 * float(study.voxels.max())
        _table(
            f"diffusion, {frames} frames, {level:g} %",
            clean.voxels,
            study,
            [*ours(study, noise="rician", level=level), *dipys(study, sigma)],
        )
    folder = "mri/epi_repeats_studyforrest"
    study = mr.read(real(f"{folder}/epi_24_repeats_half_scale.nii.gz"))
    study = mr.Image(study.voxels, spacing=study.spacing, modality="MR")
    mean = mr.read(real(f"{folder}/epi_mean_of_152_half_scale.nii.gz")).voxels
    plan = mr.recommend(study)
    sigma = plan.level / 100 * float(study.voxels.max())
    print(f"recommended: {plan.method}, together: {plan.together}")
    _table(
        "functional, 24 real frames",
        np.broadcast_to(mean, study.voxels.shape),
        study,
        [*ours(study), *dipys(study, sigma)],
    )


def _table(title: str, clean: np.ndarray, study: mr.Image, rows: list[tuple[str, Callable[[], np.ndarray]]]) -> None:
    print(f"\n{title}\n{'':20} PSNR/dB  gain  seconds")
    before = psnr(clean, study.voxels)
    print(f"{'noisy':20} {before:7.2f}", flush=True)
    for name, run in rows:
        start = time.perf_counter()
        found = psnr(clean, run())
        print(f"{name:20} {found:7.2f} {found - before:+6.2f} {time.perf_counter() - start:7.1f}", flush=True)


if __name__ == "__main__":
    main()
