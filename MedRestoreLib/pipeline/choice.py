"""The method that the study itself asks for: those that are meant for such studies are compared on pieces of it.

Raw counts are split in two (binomial thinning): what a method makes of the larger part must predict the smaller one,
which is independent of it. Other noise is judged by Stein's unbiased risk estimate. All that is random has a fixed
seed, so a study is always recommended the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InvalidPlan
from ..evidence.comparison import Entry, by_counts, by_risk
from ..evidence.pieces import extreme_pieces
from ..evidence.sampling import sample_planes
from ..image import Image
from ..methods import catalogue
from ..methods.row import Method
from ..methods.validity import Traits
from ..noise import Noise, model
from ..noise.poisson import thin
from . import checks, domains
from . import device as devices
from .adaptation import can_adapt
from .denoising import Denoising
from .evening import evened, unevenness

if TYPE_CHECKING:
    import torch

    from .plan import Plan

COUNTED = 1_000_000  # voxels: so much of a study of slices is thinned
SIDE = 128  # pixels of a piece of a slice
KEPT = 0.7  # of the counts; methods are to be compared at about the counts of the study
VOLUME_SHARE, CUBE = 0.013, (16, 40)  # of a volume is looked at, in cubes of so many voxels a side
SERIES_CUBE = 20  # of a series, with all its frames
SERIES_FRAMES = 24  # pieces of longer series are smaller
LEAST_SIDE, LEAST_CUBE = 24, 12  # but not smaller than this, a side


@dataclass(frozen=True)
class Candidate:
    """One method of the comparison, as the plan and the report list it; the recommended one comes first.

    Attributes:
        method: its id.
        score: its expected error; ``measure`` says of what. Only differences mean something.
        error: standard error of the difference to the least score.
        removed: mean square of what it takes out, in variances of the noise; of equals the gentlest wins.
        strength: the strength, 0 to 1, that is expected to serve best.
        measure: what is compared.
    """

    method: str
    score: float
    error: float
    removed: float
    strength: float
    measure: str


@dataclass(frozen=True)
class Choice:
    """What is recommended: the method, why (a part of a sentence), and the comparison behind it, if there was one."""

    method: Method
    reason: str
    ranking: tuple[Candidate, ...] = ()


def choose(image: Image, plan: Plan, shapes: Collection[str]) -> Choice:
    """The method to recommend.

    Args:
        image: the study.
        plan: whose noise and level count, both valid; its method does not.
        shapes: as for ``catalogue.recommended``.
    """
    noise = model(plan.noise).bind(image.voxels, plan.level)
    rows = catalogue.recommended(image.modality, plan.noise, shapes, not plan.careful)
    fitting = [row for row in rows if not misfits(image, noise, row[0])]
    methods = [method for method, _ in fitting]
    ranking = () if len(methods) < 2 or plan.level_is_default else compare(image, plan, methods)
    if not ranking:
        return Choice(*fitting[0])
    for method, reason in fitting:
        if method.id == ranking[0].method:
            return Choice(method, f"{reason}; of {len(ranking)} methods it does best on this study", ranking)
    raise AssertionError("the comparison names a method that was not compared")


def enlarging(image: Image, plan: Plan) -> Choice:
    """The first method that makes a study larger by the plan's factor and is meant for such studies.

    No measure tells which does best on the study itself: what lies between its voxels was not measured.

    Raises:
        InvalidPlan: there is none.
    """
    noise = model(plan.noise).bind(image.voxels, plan.level)
    for method in catalogue.making(plan.factor):
        fits = method.installed(plan.factor) and checks.is_meant_for(image, plan.noise, method)
        if fits and not misfits(image, noise, method):
            return Choice(method, f"{method.title} makes it {plan.factor} times larger")
    checks.check_fit(image, plan.noise, catalogue.making(plan.factor)[-1])
    raise InvalidPlan(f"no method that enlarges {plan.factor} times is meant for such studies.", field="factor")


def adaptable(image: Image, plan: Plan) -> Choice:
    """The network that is to be adapted to the study: one validated on such studies, if there is one.

    Raises:
        InvalidPlan: no network is both meant for such studies and able to be adapted.
    """
    noise = model(plan.noise).bind(image.voxels, plan.level)
    able = [row for row in catalogue.METHODS if can_adapt(row, model(plan.noise)) and row.installed()]
    fit = [row for row in able if checks.is_meant_for(image, plan.noise, row)]
    if not fit:
        raise InvalidPlan(
            f"no network can be adapted to {image.modality} studies with {plan.noise} noise.", field="adapt"
        )
    method = next((row for row in fit if not misfits(image, noise, row)), fit[-1])
    return Choice(method, f"{method.title} is the network that can be adapted to such a study")


def compare(image: Image, plan: Plan, methods: Sequence[Method]) -> tuple[Candidate, ...]:
    """The methods, the best first, by what they make of pieces of the study; none where that cannot be told.

    Of those that are equal but for chance, the gentlest is the best.
    """
    noise = model(plan.noise)
    if not (devices.has_torch() and noise.risk):
        return ()
    device = devices.resolve(plan.device)
    planes = sample_planes(image.voxels, COUNTED)
    counts = planes * np.float32(plan.level)
    flat = all(method.dimensions[0] == 2 for method in methods)
    if flat and noise.counted and np.abs(counts - np.rint(counts)).max() < 1e-3:
        measure, entries = (
            "Poisson deviance of counts held back",
            _by_counts(image, plan, methods, np.rint(counts), device),
        )
    else:
        measure, entries = "expected error in variances of the noise (SURE)", _by_risk(image, plan, methods, device)
    return tuple(Candidate(e.name, e.score, e.error, e.removed, e.strength, measure) for e in entries)


def prefers_together(image: Image, plan: Plan) -> bool:
    """Whether the study's frames are better restored together by the plan's method, as the study itself tells.

    By the risk in a piece of the study, of all its frames: see ``evidence.comparison``; a slow method is represented by
    the one that gives its first look. Only MR is asked: there frames show one object that stays in its place.

    Where frames share detail afterwards, they always do: a frame has no share where it shows something else.
    """
    method = catalogue.find(plan.method)
    if method.across:
        return checks.can_be_together(image, method)
    if plan.level_is_default:
        return False
    if method.look:
        method, plan = catalogue.find(method.look), replace(plan, method=method.look, options={})
    noise = model(plan.noise)
    series = image.modality == "MR" and checks.can_be_together(image, method) and noise.risk and devices.has_torch()
    if not series or plan.dimensions not in method.dimensions:
        return False
    device = devices.resolve(plan.device)
    both = {name: Denoising.of(image, replace(plan, together=name), device) for name in (False, True)}
    even = evened(image.voxels, unevenness(plan, image.voxels))
    side, depth = _series_piece(len(even), plan.dimensions)
    *_, (_, *place) = extreme_pieces(even[:1], side, depth)[:2]  # with the strongest edges
    piece = even[(slice(None), *place)]
    ranking = by_risk(piece, {str(name): bound.on_stabilised for name, bound in both.items()}, both[True].noise)
    return bool(ranking) and ranking[0].name == str(True)


def _series_piece(frames: int, dimensions: int) -> tuple[int, int]:
    """Side and depth of the piece of a series: as many voxels in all, however many frames.

    >>> _series_piece(24, 2), _series_piece(400, 2), _series_piece(24, 3), _series_piece(60, 3)
    ((128, 1), (31, 1), (20, 20), (15, 15))
    """
    whole, least = (SERIES_CUBE, LEAST_CUBE) if dimensions == 3 else (SIDE, LEAST_SIDE)
    side = max(least, round(whole * min(1.0, SERIES_FRAMES / frames) ** (1 / dimensions)))
    return side, side if dimensions == 3 else 1


def misfits(image: Image, noise: Noise, method: Method) -> tuple[str, ...]:
    """In what the study differs from those that a learned method was validated on; empty where it does not."""
    if method.validity is None:
        return ()
    _, scale = domains.find(method.domain).range(noise, image.voxels)
    across, down = image.spacing[:2]
    return method.validity.misfits(
        Traits(
            modality=image.modality,
            peak_counts=noise.level * scale if noise.counted else None,
            # A study that nobody gave a spacing has 1 mm.
            pixel_mm=None if not image.spacing_known or across == down == 1 else (across * down) ** 0.5,
            view=view_of(image),
        )
    )


def is_reconstruction(image: Image) -> bool:
    """Whether its DICOM header calls it a reconstruction (Image Type, PS3.3 C.8.4.9.1.1: RECON TOMO, RECON GATED)."""
    return view_of(image).startswith("RECON")


def view_of(image: Image) -> str:
    """The third value of DICOM's Image Type, such as "WHOLE BODY" or "RECON TOMO"; "" where there is none."""
    types = [str(value) for header in image.source.headers[:1] for value in header.get("ImageType", None) or ()]
    return types[2] if len(types) > 2 else ""


def _bound(image: Image, plan: Plan, method: Method, device: torch.device) -> Denoising:
    options = plan.options if plan.method == method.id else {}
    return Denoising.of(
        image,
        replace(plan, method=method.id, dimensions=method.dimensions[0], options=options, together=False),
        device,
    )


def _by_counts(
    image: Image, plan: Plan, methods: Sequence[Method], counts: np.ndarray, device: torch.device
) -> list[Entry]:
    """The comparison of ``counts`` ``(planes, rows, columns)``, of which a part is held back."""
    kept = thin(counts, KEPT, np.random.default_rng(0))
    level = KEPT * plan.level
    part = Image((kept / np.float32(level))[None], modality=image.modality)
    boxes = extreme_pieces(part.voxels, SIDE)
    rates = {}
    for method in methods:
        bound = _bound(part, replace(plan, level=level), method, device)
        rates[method.id] = np.concatenate([bound(part.voxels[box][0])[None] for box in boxes]) * np.float32(level)
    pieces, rest = (np.concatenate([values[None][box] for box in boxes]) for values in (kept, counts - kept))
    return by_counts(pieces, rest, KEPT, rates)


def _by_risk(image: Image, plan: Plan, methods: Sequence[Method], device: torch.device) -> list[Entry]:
    every = [_bound(image, plan, method, device) for method in methods]
    side, depth = SIDE, 1
    if any(bound.dimensions == 3 for bound in every):
        wanted = (VOLUME_SHARE * image.voxels[0].size / 4) ** (1 / 3)
        side = depth = int(np.clip(wanted, *CUBE))
    even = evened(image.voxels, unevenness(plan, image.voxels))
    pieces = np.concatenate([even[box] for box in extreme_pieces(even, side, depth)])
    return by_risk(pieces, {bound.method.id: bound.on_stabilised for bound in every}, every[0].noise)
