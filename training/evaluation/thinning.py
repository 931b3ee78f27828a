"""The real scan, judged without a clean image: part of its counts is restored and must predict the independent rest.

Thinned counts and the remainder are exactly Poisson and independent, so the Poisson deviance of the remainder under
the restored rate measures the restoration alone. No estimator sees the remainder, but for the Gaussian
at its best width, which is chosen by it and flattered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.evidence import audit
from MedRestoreLib.metrics.fidelity import poisson_deviance, psnr
from MedRestoreLib.noise import model
from MedRestoreLib.noise.poisson import thin
from MedRestoreLib.pipeline.domains import unit_range

from ..data import data_folder
from ..data.degradations import GREY
from . import baselines
from .baselines import Restorer

SCAN = Path("nuclear") / "bone_scan_whole_body.dcm"
FRACTIONS = (0.5, 0.25, 0.1)
THINNINGS = 5  # draws of the counts that are kept
FLOOR = 0.01  # counts: a rate of exactly zero would forbid the remainder's counts; every method's is lifted to it

Estimator = Callable[[np.ndarray], np.ndarray]  # counts (views, rows, columns) → their rate
Found = dict[str, dict[str, dict[str, float]]]  # measure → fraction → thinning → number


def measure(estimate: Estimator, thinnings: int = THINNINGS, path: Path | None = None) -> Found:
    """How well restored counts predict the remainder of the real scan.

    Returns:
        For each fraction and thinning: ``deviance`` (mean over pixels), ``psnr`` against the remainder scaled to the
        same counts (peak: the scan's), ``total``, the relative change of the views' totals at worst.
    """
    counts = mr.read(path or data_folder() / SCAN).voxels[:, 0]
    found: Found = {name: {f"{fraction:g}": {} for fraction in FRACTIONS} for name in ("deviance", "psnr", "total")}
    for fraction, draw in product(FRACTIONS, range(thinnings)):
        part = thin(counts, fraction, np.random.default_rng((draw, round(100 * fraction))))
        rest, share = counts - part, fraction / (1 - fraction)
        rate = estimate(part)
        for name, value in {
            "deviance": poisson_deviance(rest, np.maximum(rate, FLOOR) / share),
            "psnr": psnr(rate, rest * share, data_range=float(counts.max()) * fraction),
            "total": float(np.abs(rate.sum((1, 2)) / part.sum((1, 2)) - 1).max()),
        }.items():
            found[name][f"{fraction:g}"][str(draw)] = value
    return found


def of_views(restore: Restorer) -> Estimator:
    """A restorer of views of peak 1 as an estimator of counts: brightness and level as ``mr.restore`` finds them."""

    def estimate(counts: np.ndarray) -> np.ndarray:
        noise = model("poisson")(1.0)
        low, scale = unit_range(noise.stabilise(counts))
        peak = float(noise.unbiased_inverse(np.array([low + scale], np.float32))[0])
        level = GREY / np.sqrt(peak)
        return np.stack([restore(view / np.float32(peak), level) * peak for view in counts])

    return estimate


def best_gaussian(thinnings: int = THINNINGS, path: Path | None = None) -> Found:
    """As ``measure``, for the width that predicts the remainder best at each fraction: an oracle."""
    every = [measure(of_views(baselines.gaussian(width)), thinnings, path) for width in baselines.WIDTHS]
    best = {
        key: min(every, key=lambda found, key=key: sum(found["deviance"][key].values())) for key in every[0]["deviance"]
    }
    return {name: {key: best[key][name][key] for key in best} for name in every[0]}


def figure(
    target: Path, methods: Sequence[str] = ("bm3d", "emanet"), seed: int = 0, path: Path | None = None
) -> list[dict[str, Any]]:
    """Draw the real scan thinned, restored as a user would, and the counts left out; tell what was found.

    Returns:
        For each fraction and method: ``deviance`` of the remainder, ``total`` (relative change), and the share of
        the restored edges that lack a counterpart, in the thinned scan (``unsupported``, what the report tells a
        user) and in the remainder (``unconfirmed``, which no method saw).
    """
    from matplotlib.figure import Figure

    image = mr.read(path or data_folder() / SCAN)
    counts = image.voxels
    body = np.flatnonzero(counts[0, 0].sum(1) > 0.002 * counts[0, 0].sum(1).max())
    columns = 2 + len(methods)
    canvas = Figure(figsize=(1.3 * columns * len(FRACTIONS), 4.8), layout="constrained")
    found = []
    for block, fraction in zip(canvas.subfigures(1, len(FRACTIONS)), FRACTIONS, strict=True):
        part = thin(counts, fraction, np.random.default_rng((seed, round(100 * fraction))))
        rest, share = counts - part, fraction / (1 - fraction)
        pictures = {f"{100 * fraction:.0f} % of the counts": part}
        for method in methods:
            result = mr.restore(image.with_voxels(part), method=method)
            restored = result.image.voxels
            confirmed = audit.audit(rest, restored / share, model("poisson")(1.0)).findings["invented"]
            one = {
                "fraction": fraction,
                "method": method,
                "deviance": poisson_deviance(rest, np.maximum(restored, FLOOR) / share),
                "total": float(restored.sum() / part.sum() - 1),
                "unsupported": result.report.audit.findings["invented"].measures["share"],
                "unconfirmed": confirmed.measures["share"],
            }
            found.append(one)
            pictures[f"{method}: {one['deviance']:.3f}\n{100 * one['unconfirmed']:.1f} % unconfirmed"] = restored
        pictures["the other counts"] = rest * share
        white = float(np.percentile(part[part > 0], 99.5))
        for axes, (title, picture) in zip(block.subplots(1, columns), pictures.items(), strict=True):
            axes.imshow(picture[0, 0, body[0] : body[-1]], cmap="gray_r", vmin=0, vmax=white)
            axes.set_title(title, fontsize=6)
            axes.set_axis_off()
    canvas.savefig(target, dpi=100)
    return found
