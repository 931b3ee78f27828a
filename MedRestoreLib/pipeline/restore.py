"""The one path from a study and a plan to a restored study with its evidence.

    even the noise → fill borders → forward → method, window by window → inverse → put borders back → undo the evening
    → keep totals → blend → evidence

What "forward" and "inverse" are, and whether borders are filled, depends on the method's domain (see ``domains``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..image import Image, Source
from ..progress import Progress, heard, ignore
from ..reporting.report import Report
from . import borders
from . import device as devices
from .blending import blend, feathered
from .denoising import Denoising
from .evening import evened, unevenness
from .plan import Plan, revise
from .reports import build_report
from .tiles import Run, run_tiled


@dataclass(frozen=True, eq=False)
class Result:
    """What came out: the restored study and the evidence for it."""

    image: Image
    report: Report
    before: Image = field(repr=False)

    @property
    def removed(self) -> Image:
        """What was taken out: before minus after, on the same grid, in the same unit."""
        difference = self.before.voxels - self.image.voxels
        return replace(self.before, voxels=difference, colour=None, remainder=None, padding=None, source=Source())


def restore(image: Image, plan: Plan | None = None, *, progress: Progress | None = None, **edits: Any) -> Result:
    """Restore a study.

    Args:
        image: the noisy study; it is not changed.
        plan: from ``recommend``; None recommends one.
        progress: called several times a second with a fraction (0 to 1) and what is being done; what it raises
            (``Cancelled``) ends the job.
        **edits: fields of ``Plan`` that replace the plan's, e.g. ``method="bm3d", level=12.0``.

    Returns:
        The restored study with the same geometry, unit and, for counts, the same totals; and the evidence.

    Raises:
        MedRestoreError: the study or the plan is unfit, or memory ran out; nothing is left half done.
    """
    plan = revise(image, plan, **edits)
    start = time.perf_counter()
    with heard(progress or ignore) as say:
        denoising = Denoising.of(image, plan, devices.resolve(plan.device))
        weights = None if plan.mask is None else feathered(plan.mask, image.spacing)
        title = denoising.method.title
        uneven = unevenness(plan, image.voxels)
        run = run_plan(
            denoising,
            image.voxels,
            plan,
            weights,
            lambda fraction: say(0.9 * fraction, f"Restoring with {title}"),
            uneven,
        )
        say(0.9, "Gathering evidence")
        report = build_report(image, plan, run, time.perf_counter() - start)
        say(1.0, "Done")
    return Result(image.with_voxels(run.voxels), report, image)


def run_plan(
    denoising: Denoising,
    voxels: np.ndarray,
    plan: Plan,
    weights: np.ndarray | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
    uneven: np.ndarray | None = None,
) -> Run:
    """Restore voxels as the plan says, without the evidence.

    Args:
        denoising: bound to the whole study.
        voxels: float32 ``(frames, slices, rows, columns)``: the study, or a part of it.
        plan: whose strength and memory limit count.
        weights: of the mask in these slices, see ``feathered``; None to restore everywhere.
        progress: called with the fraction done; what it raises ends the run.
        uneven: the noise's strength on these slices, see ``unevenness``; None where noise is even.

    Raises:
        OutOfMemory, MedRestoreError: as ``run_tiled``.
    """
    fills = denoising.domain.fills_borders
    even = evened(voxels, uneven)
    run = run_tiled(denoising, borders.filled(even) if fills else even, plan.memory_gb, progress)
    if uneven is not None:
        run.voxels[:] *= uneven
    if fills:
        borders.put_back(voxels, run.voxels)
    factors = blend(voxels, run.voxels, plan.strength, weights, denoising.noise.keeps_totals)
    return replace(run, totals_factors=factors)
