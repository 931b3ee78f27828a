"""Reconstructed SPECT: contrast of spheres against noise, beside the post-filters that clinics use.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.reconstructions FIGURE.png [--json FILE] [--realisations N]

Acquisitions of the digital Jaszczak phantoms, with cold and with hot spheres, are simulated (training/simulate) and
reconstructed by filtered back-projection and by OSEM without and with resolution recovery. A sphere's contrast
recovery is what is left of its contrast, background noise the standard deviation over the mean in the uniform part.
MedRestore is shown as its plan restores, a filter as the curve of its widths. Nothing was tuned to the other phantoms,
for which the gain is shown that was promised and that came true.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

import MedRestoreLib as mr
from MedRestoreLib.noise import model
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.device import resolve
from MedRestoreLib.pipeline.evening import evened, unevenness
from MedRestoreLib.pipeline.restore import run_plan
from training.simulate import tomography
from training.simulate.tomography import VOXEL_MM, Scan

from .inputs import real

RECONSTRUCTIONS: dict[str, Callable[[Scan, np.ndarray], np.ndarray]] = {
    "FBP, Butterworth 0.3": lambda scan, counts: tomography.fbp(scan, counts, 0.3),
    "OSEM": tomography.osem,
    "OSEM, resolution recovery": lambda scan, counts: tomography.osem(scan, counts, recovery=True),
}
COUNTS = (1e7, 4e7)
OTHERS = ("rods", "striata", "brain", "dotatate")
SIZES = {"dotatate": (112, 32)}  # side and slices, where they are not 64

# Of the digital Jaszczak phantoms: row and column (mm from the middle) and diameter (mm) of the spheres, their plane,
# and where the phantom is uniform (mm along the axis from the middle).
SPHERES = ((-57.3, -2.0, 31.8), (-28.2, -50.7, 25.4), (29.9, -50.3, 19.1), (58.3, 0.8, 15.9), (27.6, 50.6, 12.7))
PLANE, UNIFORM, RADIUS = -28.1, (-73.0, -51.0), 85.0
JUDGED = slice(1, 5)  # those of 12 to 25 mm
WIDTHS = (0.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0)  # of Gaussians at half maximum, mm
CUTOFFS = (0.4, 0.3, 0.25, 0.2, 0.17, 0.14, 0.12, 0.1, 0.08)  # of Butterworth filters, cycles a voxel
ORDER = 5


# The share of each voxel that is in each sphere; the background around them; the uniform part.
Regions = tuple[list[np.ndarray], np.ndarray, np.ndarray]

# The real phantom: its middle (row, column), slice, row and column of its spheres, and their diameters (mm).
REAL_MIDDLE, REAL_UNIFORM, REAL_RADIUS = (60.4, 64.8), slice(3, 9), 18.0
REAL_SPHERES = ((14, 58, 79, 31.8), (14, 48, 70, 25.4), (14, 50, 56, 19.1), (14, 64, 51, 15.9), (14, 74, 60, 12.7))


@dataclass(frozen=True, eq=False)
class Measured:
    """Averages over realisations: background noise, contrasts of the spheres over the background, their means."""

    noise: float
    contrast: np.ndarray
    means: np.ndarray

    @classmethod
    def of(cls, volumes: list[np.ndarray], regions: Regions | None = None) -> Measured:
        """From realisations ``(slices, rows, columns)`` of one phantom; of the digital ones without ``regions``."""
        spheres, background, uniform = regions or _regions(volumes[0].shape)
        means = np.array([[(volume * share).sum() / share.sum() for share in spheres] for volume in volumes])
        around = np.array([volume[background].mean() for volume in volumes])
        noise = np.mean([volume[uniform].std() / volume[uniform].mean() for volume in volumes])
        return cls(float(noise), np.abs(means / around[:, None] - 1).mean(axis=0), means.mean(axis=0))


def _regions(shape: tuple[int, ...]) -> Regions:
    """The share of each voxel that is in each sphere; the background around them; the uniform part."""
    fine = [(np.arange(3 * side) - (3 * side - 1) / 2) / 3 for side in shape]
    z, y, x = (VOXEL_MM * axis for axis in fine)
    spheres = []
    for row, column, diameter in SPHERES:
        inside = (z - PLANE)[:, None, None] ** 2 + (y - row)[:, None] ** 2 + (x - column) ** 2 < diameter**2 / 4
        spheres.append(inside.reshape(shape[0], 3, shape[1], 3, shape[2], 3).mean(axis=(1, 3, 5)))
    z, y, x = (VOXEL_MM * (np.arange(side) - (side - 1) / 2) for side in shape)
    disc = y[:, None] ** 2 + x**2 < RADIUS**2
    near = binary_dilation(sum(spheres) > 0, iterations=3)
    background = (np.abs(z - PLANE) < 10)[:, None, None] & disc & ~near
    return spheres, background, ((z > UNIFORM[0]) & (z < UNIFORM[1]))[:, None, None] & disc


def butterworth(volume: np.ndarray, cutoff: float) -> np.ndarray:
    """Filtered in three dimensions."""
    axes = np.meshgrid(*(np.fft.fftfreq(side) for side in volume.shape), indexing="ij")
    power = sum(np.square(axis) for axis in axes) / cutoff**2
    return np.fft.ifftn(np.fft.fftn(volume) / np.sqrt(1 + power**ORDER)).real


def gaussian(volume: np.ndarray, width_mm: float) -> np.ndarray:
    return gaussian_filter(volume, width_mm / 2.355 / VOXEL_MM)


def spheres(name: str, counts: float, reconstruction: str, realisations: int) -> dict[str, Any]:
    """The curves of one phantom, ``cold_spheres`` or ``hot_spheres``."""
    scan = scanned(name)
    reconstruct = RECONSTRUCTIONS[reconstruction]
    clean = Measured.of([reconstruct(scan, counts * scan.expected)])
    noisy = [reconstruct(scan, scan.counts(counts, seed)) for seed in range(realisations)]
    images = [mr.Image.from_array(one, modality="NM", spacing=(VOXEL_MM,) * 3) for one in noisy]
    plans = [mr.recommend(image) for image in images]
    found = Measured.of([restored(image, plan) for image, plan in zip(images, plans, strict=True)])
    filters = {
        "Gaussian": [Measured.of([gaussian(one, width) for one in noisy]) for width in WIDTHS],
        "Butterworth": [Measured.of([butterworth(one, cutoff) for one in noisy]) for cutoff in CUTOFFS],
    }
    before = Measured.of(noisy)
    best = best_filter(list(filters.values()), found.noise)
    filtered = [_at(curve, "means", found.noise) - before.means for curve in filters.values()]
    return {
        "phantom": name,
        "counts": counts,
        "reconstruction": reconstruction,
        "noise": before.noise,
        "sure": int(sum(not plan.careful for plan in plans)),
        "ours": {
            "noise": found.noise,
            "recovery": (found.contrast / clean.contrast).tolist(),
            "above_filters": (found.contrast / best - 1)[JUDGED].tolist(),
            "bias": ((found.means - before.means) / clean.means).tolist(),
            "filters_bias": (np.abs(filtered).min(axis=0) / clean.means).tolist(),
        },
        "filters": {
            kind: [{"noise": m.noise, "recovery": (m.contrast / clean.contrast).tolist()} for m in curve]
            for kind, curve in filters.items()
        },
    }


def restored(image: mr.Image, plan: mr.Plan) -> np.ndarray:
    """As ``mr.restore``, without evidence: ``(slices, rows, columns)``."""
    run = run_plan(Denoising.of(image, plan, resolve("cpu")), image.voxels, plan, uneven=unevenness(plan, image.voxels))
    return run.voxels[0]


def best_filter(curves: list[list[Measured]], noise: float) -> np.ndarray:
    """The greater contrast of the filters at a background noise.

    Filters that do not reach it count where none does, at the least noise that they reach: wider ones smear borders
    into the background.
    """
    reaching = [curve for curve in curves if min(one.noise for one in curve) <= noise]
    return np.max([_at(curve, "contrast", noise) for curve in reaching or curves], axis=0)


def _at(curve: list[Measured], quantity: str, noise: float) -> np.ndarray:
    """``contrast`` or ``means`` of a filter's curve at a background noise."""
    least = int(np.argmin([one.noise for one in curve]))
    usable = curve[: least + 1][::-1]
    at = np.log([one.noise for one in usable])
    lines = np.array([getattr(one, quantity) for one in usable]).T
    return np.array([np.interp(np.log(noise), at, line) for line in lines])


def jaszczak() -> dict[str, Any]:
    """The real phantom, a filtered back-projection: cold spheres beside the filters."""
    image = mr.read(real("nuclear", "quality_control", "Jaszack.dcm"))
    voxels, spacing = image.voxels[0], image.spacing[0]
    z, y, x = np.indices(voxels.shape)
    disc = np.hypot(y - REAL_MIDDLE[0], x - REAL_MIDDLE[1]) < REAL_RADIUS
    places = [np.sqrt((z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2) * spacing for a, b, c, _ in REAL_SPHERES]
    inside = [(far < size / 2).astype(float) for far, (*_, size) in zip(places, REAL_SPHERES, strict=True)]
    near = np.any([far < size / 2 + 12 for far, (*_, size) in zip(places, REAL_SPHERES, strict=True)], axis=0)
    uniform = np.zeros(voxels.shape, bool)
    uniform[REAL_UNIFORM] = True
    regions = inside, (np.abs(z - REAL_SPHERES[0][0]) < 3) & disc & ~near, uniform & disc
    filters = [
        [Measured.of([gaussian(voxels, width)], regions) for width in WIDTHS],
        [Measured.of([butterworth(voxels, cutoff)], regions) for cutoff in CUTOFFS],
    ]
    before, found = Measured.of([voxels], regions), Measured.of([restored(image, mr.recommend(image))], regions)
    best = best_filter(filters, found.noise)
    return {
        "noise_before": before.noise,
        "noise": found.noise,
        "above_filters": (found.contrast / best - 1)[JUDGED].tolist(),
        "change_of_means": (found.means / before.means - 1).tolist(),
    }


def promised(name: str, counts: float, reconstruction: str) -> dict[str, Any]:
    """The gain that the report of another phantom promises, and the true one, where it is judged, of evened noise."""
    scan = scanned(name)
    clean, noisy = (
        RECONSTRUCTIONS[reconstruction](scan, one) for one in (counts * scan.expected, scan.counts(counts, 1))
    )
    image = mr.Image.from_array(noisy, modality="NM", spacing=(VOXEL_MM,) * 3)
    plan = mr.recommend(image)
    result = mr.restore(image, plan)
    uneven = unevenness(plan, image.voxels)
    even = evened(image.voxels, uneven)
    inside = model(plan.noise).bind(even, plan.level).covers(even)[0]
    before, after = (
        np.square(evened((one - clean)[None], uneven)[0][inside]).mean() for one in (noisy, result.image.voxels[0])
    )
    gain = result.report.gain
    return {
        "phantom": name,
        "counts": counts,
        "reconstruction": reconstruction,
        "careful": plan.careful,
        "verdict": result.report.verdict.split(":")[0],
        "least_db": gain.least_db if gain.certain else None,
        "true_db": float(10 * np.log10(before / after)),
    }


_scans: dict[str, Scan] = {}


def scanned(name: str) -> Scan:
    """A phantom in the camera, made once."""
    if name not in _scans:
        _scans.clear()
        _scans[name] = Scan.of(*tomography.load(real("nuclear", "phantoms"), name, *SIZES.get(name, ())))
    return _scans[name]


def table(found: list[dict[str, Any]]) -> str:
    """One row a study: the plan as it is, beside the better of both filters at equal background noise."""
    lines = [
        "| spheres | counts | reconstruction | noise before, after | contrast above the filters, 12 to 25 mm | bias | "
        "bias of the better filter |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in found:
        plan = row["ours"]
        above, bias = np.array(plan["above_filters"]), np.array(plan["bias"])[JUDGED]
        lines.append(
            f"| {row['phantom'].split('_')[0]} | {row['counts']:.0e} | {row['reconstruction']} | "
            f"{row['noise']:.1%}, {plan['noise']:.1%} | {above.min():+.0%} to {above.max():+.0%} | "
            f"{bias[np.abs(bias).argmax()]:+.1%} | {max(plan['filters_bias'][JUDGED]):.1%} |"
        )
    return "\n".join(lines)


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Contrast recovery of the spheres of 12 to 25 mm, their mean, against background noise."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = len(RECONSTRUCTIONS)
    figure, axes = pyplot.subplots(-(-len(found) // columns), columns, figsize=(10, 2.5 * (-(-len(found) // columns))))
    for axis, row in zip(np.ravel(axes), found, strict=True):
        for kind, style in (("Gaussian", "s--"), ("Butterworth", "^--")):
            points = row["filters"][kind]
            axis.plot(*_line(points), style, color="0.55", markersize=3, linewidth=1, label=kind)
        axis.plot(*_line([row["ours"]]), "o", color="tab:red", markersize=6, label="MedRestore")
        title = f"{row['phantom'].replace('_', ' ')}, {row['counts'] / 1e6:.0f} million counts\n{row['reconstruction']}"
        axis.set_title(title, fontsize=8)
        axis.set_xlim(0, 105 * row["noise"])
        axis.set_ylim(0, 1.1)
        axis.tick_params(labelsize=7, which="both")
    np.ravel(axes)[0].legend(fontsize=7)
    figure.supxlabel("background noise, % of the mean", fontsize=9)
    figure.supylabel("contrast of spheres of 12 to 25 mm over that of the reconstruction without noise", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def _line(points: list[dict[str, Any]]) -> tuple[list[float], list[float]]:
    return [100 * one["noise"] for one in points], [float(np.mean(one["recovery"][JUDGED])) for one in points]


def main() -> None:
    """Print the tables and draw the curves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--realisations", type=int, default=3)
    arguments = parser.parse_args()
    found = [
        spheres(name, counts, reconstruction, arguments.realisations)
        for name in ("cold_spheres", "hot_spheres")
        for counts in COUNTS
        for reconstruction in RECONSTRUCTIONS
    ]
    print(table(found), flush=True)
    draw(found, arguments.figure)
    others = [promised(name, counts, kind) for name in OTHERS for counts in COUNTS for kind in RECONSTRUCTIONS]
    for row in others:
        least = "-" if row["least_db"] is None else f"{row['least_db']:.1f}"
        print(f"| {row['phantom']} | {row['counts']:.0e} | {row['reconstruction']} | {row['verdict']} | {least} | "
              f"{row['true_db']:.1f} |")  # fmt: skip
    phantom = jaszczak()
    print("real Jaszczak", {key: np.round(value, 3).tolist() for key, value in phantom.items()})
    if arguments.json:
        arguments.json.write_text(json.dumps({"spheres": found, "others": others, "real": phantom}, indent=1))


if __name__ == "__main__":
    main()
