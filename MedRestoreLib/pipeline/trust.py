"""The map of trust of a result: what other noise and another method would have made of the study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import InvalidPlan
from ..evidence.trust import Spread, Trusted
from ..image import Image, Source
from ..methods import catalogue
from ..methods.row import Method
from ..progress import Progress, heard, ignore
from ..reporting.report import Report
from . import device as devices
from .blending import feathered
from .denoising import Denoising
from .evening import evened, unevenness
from .plan import Plan, revise
from .restore import Result, restore, run_plan

DRAWS, STREAM = 2, 40_503  # of noise, and of random numbers for it
TIMES = 4  # as long as the restoration alone takes it with the map
# Maps that may come with a result, by name: the two of ``Trust`` and, of an enlarged study alone, ``Result.invented``.
HALF_WIDTH, METHOD_SHARE, INVENTED = MAPS = ("half_width", "method_share", "invented")
OTHERS = ("bm3d", "odct3d", "srad", "wnnm", "adf")  # methods without learning, the best of the quick ones first


@dataclass(frozen=True, eq=False)
class Trust:
    """How far to trust a result.

    Attributes:
        half_width: on the result's grid and in its unit: the truth of 90 % of the voxels lies within this distance.
        method_share: 0 to 1: above 0.5 a voxel owes more to the method than to the data.
        report: the result's, with the map's summary.
    """

    half_width: Image
    method_share: Image
    report: Report


def maps_of(factor: int) -> tuple[str, ...]:
    """The names of the maps that tell how far to trust a result that is so many times larger than its study."""
    return (HALF_WIDTH, METHOD_SHARE) if factor == 1 else (INVENTED,)


def restore_with_maps(
    image: Image, plan: Plan | None = None, *, progress: Progress | None = None, **edits: Any
) -> tuple[Result, dict[str, Image]]:
    """``restore``, and the maps that tell how far to trust its result, whose report tells of them.

    Args:
        image, plan, edits: as of ``restore``.
        progress: as of ``restore``, over all.

    Returns:
        The result, and images by the names that ``maps_of`` gives for the plan's factor.

    Raises:
        MedRestoreError: as ``restore``.
    """
    plan = revise(image, plan, **edits)
    check_trust(image, plan)
    if plan.factor != 1:
        result = restore(image, plan, progress=progress)
        return result, {INVENTED: result.invented}
    with heard(progress or ignore) as say:
        result = restore(image, plan, progress=lambda fraction, message: say(fraction / TIMES, message))
        made = trust(
            result, plan, progress=lambda fraction, message: say((1 + (TIMES - 1) * fraction) / TIMES, message)
        )
    return replace(result, report=made.report), {name: getattr(made, name) for name in maps_of(1)}


def check_trust(image: Image, plan: Plan) -> None:
    """Raise InvalidPlan where there is no map of trust: of complex studies, and of networks adapted to a study."""
    if image.phase is not None:
        raise InvalidPlan("a complex study has no map of trust; restore its magnitude to get one.", field="trust")
    if plan.adapt:
        raise InvalidPlan(
            "the map of trust was measured on networks as they ship; leave trust away, or adapt.", field="adapt"
        )


def trust(result: Result, plan: Plan, *, progress: Progress | None = None) -> Trust:
    """The map of trust, see ``evidence.trust``. It takes about three times as long as the restoration.

    Args:
        result: of ``restore``.
        plan: that was run.
        progress: as for ``restore``.

    Raises:
        MedRestoreError: as ``restore``.
    """
    image, after = result.before, result.image.voxels
    plan = revise(image, plan)
    check_trust(image, plan)
    if plan.factor != 1:  # no noise tells of what lies between pixels
        raise InvalidPlan("an enlarged study has no map of trust; Result.invented is its map.", field="factor")
    other = other_method(image, plan)
    with heard(progress or ignore) as say:
        uneven = unevenness(plan, image.voxels)
        weights = None if plan.mask is None else feathered(plan.mask, image.spacing)
        denoising = Denoising.of(image, plan, devices.resolve(plan.device))
        say(0.0, f"Restoring with {other.title}")
        options = (
            {"compressed": plan.options["compressed"]} if other.compressed and "compressed" in plan.options else {}
        )
        second = replace(plan, method=other.id, options=options)
        rival = Denoising.of(image, second, devices.resolve(plan.device))
        by_method = run_plan(rival, image.voxels, second, weights, uneven=uneven).voxels - after
        by_noise = []
        for number in range(DRAWS):
            say((1 + number) / (1 + DRAWS), "Restoring with other noise")
            by_noise.append(_other_noise(denoising, image, after, plan, weights, uneven, number))
        say(1.0, "Done")
    spread = Spread.of(by_noise, by_method)
    width, share = spread.half_width(plan.noise), spread.method_share
    noise = denoising.noise
    even = evened(image.voxels, uneven)
    summary = Trusted.of(width, share, noise.comparable(even, evened(after, uneven)), other.title)
    plain = replace(image, colour=None, remainder=None, padding=None, source=Source())
    return Trust(
        replace(plain, voxels=width), replace(plain, voxels=share, unit=""), replace(result.report, trust=summary)
    )


def other_method(image: Image, plan: Plan) -> Method:
    """The method that is compared: the first of ``OTHERS`` that is fit for the study and another one."""
    rows = [catalogue.find(name) for name in OTHERS]
    fit = [
        row for row in rows if row.id != plan.method and plan.noise in row.noises and plan.dimensions in row.dimensions
    ]
    alike = [row for row in fit if image.modality in row.modalities]
    return (alike or fit or [catalogue.find(plan.method)])[0]


def _other_noise(
    denoising: Denoising,
    image: Image,
    after: np.ndarray,
    plan: Plan,
    weights: np.ndarray | None,
    uneven: np.ndarray | None,
    seed: int,
) -> np.ndarray:
    """What restoring changes in the restored study with other noise; of speckle, none being drawn, what it removed."""
    if not denoising.noise.risk:
        return image.voxels - after
    rng = np.random.default_rng((seed, STREAM))
    even = evened(after, uneven)
    clean = denoising.noise.clean_behind(evened(image.voxels, uneven), even)
    drawn = denoising.noise.drawn(clean, rng)
    clean, drawn = (study if uneven is None else study * uneven for study in (clean, drawn))
    return run_plan(denoising, drawn, plan, weights, uneven=uneven).voxels - clean
