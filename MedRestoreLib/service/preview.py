"""One slice of what ``restore`` would give: soon enough to choose parameters by looking at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..image import Image
from ..pipeline import device as devices
from ..pipeline import plan as plans
from ..pipeline.plan import Plan
from ..pipeline.progress import Progress
from ..pipeline.restore import Job, feathered


def preview(
    image: Image,
    plan: Plan | None,
    frame: int,
    number: int,
    *,
    progress: Progress | None = None,
    **edits: Any,
) -> Image:
    """Restore one slice as ``restore`` would: a level in percent still refers to the whole study, the scale is its.

    Methods in two dimensions give the very slice. Those in three work on a slab as thick as their reach to both sides:
    no quicker than so many slices. Counts are scaled to the total of what was worked on, not of the whole frame.

    Args:
        image, plan, progress, edits: as of ``restore``.
        frame, number: which slice of which frame, from 0.

    Returns:
        The slice as a study of its own, in colour if the study is.

    Raises:
        MedRestoreError: as ``restore``.
        IndexError: there is no such slice.
    """
    plan = plans.recommend(image, **edits) if plan is None else plans.edited(plan, image, **edits)
    job = Job(image, replace(plan, mask=None), devices.resolve(plan.device))
    frames, slices = _slab(image.voxels.shape, frame, number, job)
    job.image = replace(image, voxels=image.voxels[frames, slices], colour=None, remainder=None, frame_times=())
    if plan.mask is not None:
        job.alpha = feathered(plan.mask, image.spacing, slices.start, slices.stop)
    title = job.method.title
    restored = job.run(lambda fraction: None if progress is None else progress(fraction, f"Previewing {title}"))
    colour = None if image.colour is None else image.colour[frames, number : number + 1]
    kept = number - slices.start
    return replace(job.image, voxels=restored[:, kept : kept + 1], colour=colour)


def _slab(shape: tuple[int, ...], frame: int, number: int, job: Job) -> tuple[slice, slice]:
    """The part of the study to work on, with which frames and slices it has."""
    if not (0 <= frame < shape[0] and 0 <= number < shape[1]):
        raise IndexError(f"there is no slice {number} of frame {frame} in {shape[0]} frames of {shape[1]} slices")
    frames = slice(frame, frame + 1)
    if job.plan.dimensions == 2:
        return frames, slice(number, number + 1)
    method = job.method
    reach = max(method.reach(job.sigma, **job.plan.options), method.patch)
    first = max(0, number - reach) // method.align * method.align  # on the block grid of the whole study
    return frames, slice(first, min(number + reach + 1, shape[1]))
