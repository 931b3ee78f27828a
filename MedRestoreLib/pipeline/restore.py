"""The one path from a study and a plan to a restored study with its evidence.

    even the noise → fill borders → forward → method, window by window → inverse → put borders back → undo the evening
    → keep totals → blend → evidence

A method that enlarges looks at no noise; frames of a clip may share what it adds; its result is blended with the
bicubic enlargement.

What "forward" and "inverse" are, and whether borders are filled, depends on the method's domain (see ``domains``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from .. import resampling
from ..evidence.enlargement import finer_map
from ..evidence.totals import totals
from ..image import Image, Source
from ..progress import Progress, heard, ignore
from ..reporting.report import Report
from . import borders, clips
from . import device as devices
from .adaptation import adapted
from .blending import blend, feathered
from .denoising import Denoising
from .evening import evened, unevenness
from .plan import Plan, revise
from .quadrature import joined, parts
from .reports import build_report
from .tiles import Run, run_tiled

ADAPTED = 0.7  # share of the work, where a network is adapted first
APART = 0.8  # share of the work, where frames share detail afterwards


@dataclass(frozen=True, eq=False)
class Result:
    """What came out: the restored study and the evidence for it."""

    image: Image
    report: Report
    before: Image = field(repr=False)

    @cached_property
    def baseline(self) -> Image:
        """What the result is compared with, on its grid: before or, of an enlarged study, its bicubic enlargement."""
        return self.before.enlarged(self.image.voxels.shape[3] // self.before.voxels.shape[3])

    @property
    def removed(self) -> Image:
        """What was taken out: baseline minus after, in the same unit; negative is what an enlargement added."""
        difference = self.baseline.voxels - self.image.voxels
        return replace(
            self.baseline.magnitude(), voxels=difference, colour=None, remainder=None, padding=None, source=Source()
        )

    @property
    def invented(self) -> Image:
        """Where an enlarged study has detail that is finer than its pixels were: a share of the local variance, 0 to 1.

        It was interpolated or learned, not measured; see ``evidence.enlargement.finer_map``. Zero without enlargement.
        """
        factor = self.image.voxels.shape[3] // self.before.voxels.shape[3]
        share = finer_map(self.image.voxels, factor)
        plain = replace(self.baseline, colour=None, remainder=None, padding=None, unit="", source=Source())
        return plain.with_voxels(share)


def restore(image: Image, plan: Plan | None = None, *, progress: Progress | None = None, **edits: Any) -> Result:
    """Restore a study.

    Args:
        image: the noisy study; it is not changed.
        plan: from ``recommend``; None recommends one.
        progress: called several times a second with a fraction (0 to 1) and what is being done; what it raises
            (``Cancelled``) ends the job.
        **edits: fields of ``Plan`` that replace the plan's, e.g. ``method="bm3d", level=12.0``.

    Returns:
        The restored study with the same geometry, unit and, for counts, the same totals; and the evidence. An enlarged
        study fills the same place with more rows and columns.

    Raises:
        MedRestoreError: the study or the plan is unfit, or memory ran out; nothing is left half done.
    """
    plan = revise(image, plan, **edits)
    if image.phase is not None:
        return _complex(image, plan, progress)
    start = time.perf_counter()
    with heard(progress or ignore) as say:
        denoising = Denoising.of(image, plan, devices.resolve(plan.device))
        weights = None if plan.mask is None else feathered_on(plan, image.spacing)
        title = denoising.method.title
        uneven = unevenness(plan, image.voxels)
        record, done, work = None, 0.0, "Restoring" if plan.factor == 1 else "Enlarging"
        if plan.adapt:
            done = ADAPTED
            even = evened(image.voxels, uneven)
            denoising, record = adapted(denoising, even, lambda fraction: say(done * fraction, f"Adapting {title}"))
        run = run_plan(
            denoising,
            image.voxels,
            plan,
            weights,
            lambda fraction: say(done + (0.9 - done) * fraction, f"{work} with {title}"),
            uneven,
        )
        say(0.9, "Gathering evidence")
        report = build_report(image, plan, run, time.perf_counter() - start, record)
        say(1.0, "Done")
    return Result(image.enlarged(plan.factor, run.voxels), report, image)


def _complex(image: Image, plan: Plan, progress: Progress | None) -> Result:
    """The restored complex study; the evidence is that of its parts, totals are those of its magnitude."""
    result = restore(parts(image), plan, progress=progress)
    after = joined(image, result.image.voxels)
    return Result(after, of_magnitude(result.report, image, after), image)


def of_magnitude(report: Report, before: Image, after: Image) -> Report:
    """The report on the parts of a complex study, with the size and the totals of its magnitude."""
    spacing = before.spacing if before.spacing_known else None
    return replace(
        report,
        study=replace(report.study, size=before.voxels.shape),
        totals=totals(before.voxels, after.voxels, spacing=spacing, unit=before.unit),
    )


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
        plan: whose strength, memory limit and factor count.
        weights: of the mask in these slices, on the result's grid, see ``feathered_on``; None to restore everywhere.
        progress: called with the fraction done; what it raises ends the run.
        uneven: the noise's strength on these slices, see ``unevenness``; None where noise is even.

    Raises:
        OutOfMemory, MedRestoreError: as ``run_tiled``.
    """
    fills = denoising.domain.fills_borders
    even = evened(voxels, uneven)
    share = 1.0 if denoising.across is None else APART
    run = run_tiled(
        denoising, borders.filled(even) if fills else even, plan.memory_gb, lambda done: progress(share * done)
    )
    if denoising.across is not None:
        clips.steady(denoising, voxels, run.voxels, lambda done: progress(share + (1 - share) * done))
    if uneven is not None:
        run.voxels[:] *= uneven
    if fills:
        borders.put_back(voxels, run.voxels)
    before, keeps_totals = voxels, denoising.noise.keeps_totals
    if plan.factor != 1:
        if plan.strength == 1 and weights is None:
            return run
        before = np.maximum(resampling.enlarged(voxels, plan.factor), np.float32(denoising.offset))
        keeps_totals = False
    factors = blend(before, run.voxels, plan.strength, weights, keeps_totals)
    return replace(run, totals_factors=factors)


def feathered_on(
    plan: Plan, spacing: tuple[float, float, float], first: int = 0, last: int | None = None
) -> np.ndarray:
    """``feathered`` weights of the plan's mask on the result's grid; ``spacing`` is the study's."""
    assert plan.mask is not None
    across, down, through = spacing
    mask = resampling.repeated(plan.mask, plan.factor)
    return feathered(mask, (across / plan.factor, down / plan.factor, through), first, last)
