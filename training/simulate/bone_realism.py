"""Comparison of simulated bone scans with the real one, in numbers and in a figure.

``python -m training.simulate.bone_realism DATA OUT.png`` draws simulated patients with the real scan's total counts
beside it, and the spread of their histograms and power spectra; DATA is the folder of real studies.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import MedRestoreLib as mr

from .bone_phantoms import views

REAL, PHANTOMS = Path("nuclear", "bone_scan_whole_body.dcm"), Path("nuclear", "phantoms")
QUANTILES = (10, 25, 75, 90, 99, 99.9)  # percent of the body's pixels
BANDS = np.array([0.008, 0.014, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.09, 0.105, 0.12])  # cycles per pixel
BODY = 0.08  # of the 99th percentile: brighter pixels are body


def real_scan(data: Path) -> np.ndarray:
    """Counts of the one real scan, front view: ``(1024, 256)``."""
    return mr.read(data / REAL).voxels[0, 0]


def simulated_scan(seed: int, data: Path, total: float) -> np.ndarray:
    """Counts of a simulated front view with ``total`` expected counts: ``(1024, 256)``."""
    clean = views(seed, data / PHANTOMS).clean[0].astype(float)
    return np.random.default_rng(seed).poisson(clean * (total / clean.sum())).astype(np.float32)


def histogram(counts: np.ndarray) -> np.ndarray:
    """Quantiles and maximum of the body's pixels, relative to their median, and the body's share of the picture."""
    body = counts[counts > BODY * np.percentile(counts[counts > 0], 99)]
    median = np.median(body)
    return np.array([*np.percentile(body, QUANTILES) / median, counts.max() / median, body.size / counts.size])


def spectrum(counts: np.ndarray) -> np.ndarray:
    """log10 of the radial power in ``BANDS`` relative to that of the noise, which is white."""
    power = np.abs(np.fft.fft2(counts)) ** 2 / counts.sum() - 1
    radius = np.hypot(np.fft.fftfreq(counts.shape[0])[:, None], np.fft.fftfreq(counts.shape[1])[None])
    means = [power[(radius >= low) & (radius < high)].mean() for low, high in pairwise(BANDS)]
    return np.log10(np.maximum(means, 1e-3))


def dispersion(counts: np.ndarray) -> float:
    """Variance / mean of the finest Haar detail in the body: 1 for independent Poisson counts."""
    rows, columns = (side // 2 * 2 for side in counts.shape)
    a, b, c, d = (counts[y:rows:2, x:columns:2] for y in (0, 1) for x in (0, 1))
    mean = (a + b + c + d) / 4
    body = mean > BODY * np.percentile(mean[mean > 0], 99)
    return float(np.mean((a - b - c + d)[body] ** 2) / 4 / mean[body].mean())


def figure(data: Path, path: Path, patients: int = 40) -> None:
    """Write the real scan, five simulated ones, and both statistics of ``patients`` of them against the real one's."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    real = real_scan(data)
    scans = [simulated_scan(seed, data, real.sum()) for seed in range(2_000_000, 2_000_000 + patients)]
    canvas = plt.figure(figsize=(13, 12), layout="constrained")
    top, bottom = canvas.subfigures(2, 1, height_ratios=(3, 1.3))
    for axes, (title, scan) in zip(
        top.subplots(1, 6), [("real", real), *((f"simulated {k + 1}", s) for k, s in enumerate(scans[:5]))], strict=True
    ):
        body = scan[scan > BODY * np.percentile(scan[scan > 0], 99)]
        axes.imshow(scan, cmap="gray_r", vmax=1.5 * np.percentile(body, 93))
        axes.set_title(title)
        axes.set_axis_off()
    left, right = bottom.subplots(1, 2)
    names = [*(f"{q} %" for q in QUANTILES), "maximum"]
    _spread(left, names, [histogram(scan)[:-1] for scan in scans], histogram(real)[:-1])
    left.set(yscale="log", xlabel="quantile of the body's pixels", ylabel="of the median")
    middles = [f"{value:.3f}" for value in (BANDS[1:] + BANDS[:-1]) / 2]
    _spread(right, middles, [spectrum(scan) for scan in scans], spectrum(real))
    right.set(xlabel="cycles per pixel", ylabel="log10 of power over noise")
    canvas.savefig(path, dpi=110)
    plt.close(canvas)


def _spread(axes, names: list[str], simulated: list[np.ndarray], real: np.ndarray) -> None:
    places = np.arange(len(names))
    axes.boxplot(np.array(simulated), positions=places, whis=(0, 100), widths=0.5)
    axes.plot(places, real, "o-", color="tab:red", label="real")
    axes.set_xticks(places, names)
    axes.legend()


if __name__ == "__main__":
    figure(Path(sys.argv[1]), Path(sys.argv[2]))
