"""How well does a method restore the real bone scan? Part of its counts is restored and must predict the other part.

Both parts are exactly Poisson and independent, so the Poisson deviance of the remainder under the restored rate is a
measure without a clean image. No method sees the remainder, except the Gaussian filter at its best width, an oracle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.evidence import audit
from MedRestoreLib.metrics.fidelity import poisson_deviance, psnr
from MedRestoreLib.noise import model
from MedRestoreLib.noise.poisson import thin
from MedRestoreLib.pipeline.domains import RATE

from ..data import GREY, data_folder
from ..tables.results import Result, Values
from . import baselines, methods
from .baselines import Restorer
from .protocols import HeldOut

SCAN = Path("nuclear") / "bone_scan_whole_body.dcm"
FRACTIONS = (0.5, 0.25, 0.1)
DRAWS = 5  # of the counts that are kept
FLOOR = 0.01  # counts: lower bound of every method's rate; under a rate of zero the deviance would be infinite
GAUSSIAN = "gaussian"  # at its best width, an oracle

Estimator = Callable[[np.ndarray], np.ndarray]  # counts (views, rows, columns) → their rate


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method: "gaussian", baselines of ``p_peak``, trainings' folders, weights that ship.

    ``test`` is not looked at: the scan is the only one. Raises RecipeError.
    """
    for name in names:
        if name == GAUSSIAN:
            yield Result("thinning", "p_thin", name, best_gaussian())
        else:
            method = methods.find(name, "p_peak", (GAUSSIAN,))
            values = measure(of_views(method.restore))
            yield Result("thinning", "p_thin", method.name, values, method.seed, method.about)


def measure(estimate: Estimator, draws: int = DRAWS, path: Path | None = None) -> Values:
    """How well restored counts predict the remainder of the real scan: measure → fraction kept → draw → number.

    - ``deviance``: of the remainder, mean over pixels.
    - ``psnr``: against the remainder scaled to the same counts, dB; the peak is the scan's.
    - ``total``: relative change of the views' totals, the largest of both views.
    """
    counts = mr.read(path or data_folder() / SCAN).voxels[:, 0]
    found: Values = {name: {f"{fraction:g}": {} for fraction in FRACTIONS} for name in ("deviance", "psnr", "total")}
    for fraction, draw in product(FRACTIONS, range(draws)):
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
    """A restorer of views of peak 1 as an estimator of rates; peak and level are estimated as in ``mr.restore``."""

    def estimate(counts: np.ndarray) -> np.ndarray:
        noise = model("poisson")(1.0)
        _, peak = RATE.range(noise, counts[:, None])
        level = GREY * RATE.sigma(noise, peak)
        return np.stack([restore(view / np.float32(peak), level) * peak for view in counts])

    return estimate


def best_gaussian(draws: int = DRAWS, path: Path | None = None) -> Values:
    """As ``measure``, of the Gaussian filter whose width predicts the remainder best at each fraction: an oracle."""
    every = [measure(of_views(baselines.gaussian(width)), draws, path) for width in baselines.WIDTHS]
    best = {
        key: min(every, key=lambda found, key=key: sum(found["deviance"][key].values())) for key in every[0]["deviance"]
    }
    return {name: {key: best[key][name][key] for key in best} for name in every[0]}


def figure(
    target: Path, methods: Sequence[str] = ("bm3d", "emanet"), seed: int = 0, path: Path | None = None
) -> list[dict[str, Any]]:
    """Draw the real scan thinned, restored as a user would restore it, and the remainder of the counts.

    Returns:
        For each fraction and method: ``deviance`` of the remainder, ``total`` (relative change), and the share of the
        restored edges without a counterpart: in the thinned scan (``unsupported``, as the report says it) and in the
        remainder (``unconfirmed``), which no method saw.
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
            confirmed = audit.audit(rest, restored / share, model("poisson")(1.0)).findings["unsupported"]
            one = {
                "fraction": fraction,
                "method": method,
                "deviance": poisson_deviance(rest, np.maximum(restored, FLOOR) / share),
                "total": float(restored.sum() / part.sum() - 1),
                "unsupported": result.report.audit.findings["unsupported"].measures["share"],
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
