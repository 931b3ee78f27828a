"""One slice of what ``restore`` would give: soon enough to choose parameters by looking at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..image import Image
from ..pipeline import device as devices
from ..pipeline.blending import feathered
from ..pipeline.denoising import Denoising
from ..pipeline.evening import unevenness
from ..pipeline.plan import Plan, revise
from ..pipeline.restore import run_plan
from ..progress import Progress, heard, ignore


def preview(
    image: Image,
    plan: Plan | None,
    frame: int,
    number: int,
    *,
    progress: Progress | None = None,
    **edits: Any,
) -> Image:
    """Restore one slice with the level, scale and reference of the whole study, as ``restore`` does.

    Methods in two dimensions give the very slice. Those in three need the slices around it, as far as their reach, and
    take as long as for so many slices. Counts are scaled to the total of the slices worked on, not of the whole frame.

    Args:
        image, plan, progress, edits: as of ``restore``.
        frame, number: which slice of which frame, from 0.

    Returns:
        The slice as a study of its own, in colour if the study is.

    Raises:
        MedRestoreError: as ``restore``.
        IndexError: there is no such slice.
    """
    plan = revise(image, plan, **edits)
    denoising = Denoising.of(image, plan, devices.resolve(plan.device))
    frames, slices = _needed(image.voxels.shape, frame, number, denoising)
    weights = None if plan.mask is None else feathered(plan.mask, image.spacing, slices.start, slices.stop)
    message = f"Previewing {denoising.method.title}"
    voxels = image.voxels[frames, slices]
    uneven = unevenness(plan.noise_map, image.voxels.shape)
    uneven = None if uneven is None else uneven[slices]
    with heard(progress or ignore) as say:
        run = run_plan(denoising, voxels, plan, weights, lambda fraction: say(fraction, message), uneven)
    kept = number - slices.start
    return replace(
        image,
        voxels=run.voxels[:, kept : kept + 1],
        colour=None if image.colour is None else image.colour[frames, number : number + 1],
        remainder=None,
        frame_times=(),
    )


def _needed(shape: tuple[int, ...], frame: int, number: int, denoising: Denoising) -> tuple[slice, slice]:
    """The frames and slices to work on, so that one slice is as in the whole study."""
    if not (0 <= frame < shape[0] and 0 <= number < shape[1]):
        raise IndexError(f"there is no slice {number} of frame {frame} in {shape[0]} frames of {shape[1]} slices")
    frames = slice(frame, frame + 1)
    if denoising.dimensions == 2:
        return frames, slice(number, number + 1)
    method = denoising.method
    around = max(denoising.reach, method.patch)
    first = max(0, number - around) // method.align * method.align  # on the whole study's grid of blocks
    return frames, slice(first, min(number + around + 1, shape[1]))
