"""A network adapted to one study before it restores it, and used only if the study itself says that this is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .. import weights
from ..errors import InvalidPlan
from ..evidence.adaptation import Adaptation
from ..methods import catalogue
from ..methods.row import Denoiser, Method
from ..noise import Noise
from . import domains
from .denoising import Denoising

if TYPE_CHECKING:
    from torch import nn

WHOLE = 1e-3  # counts: what a count differs from a whole number at most


def can_adapt(method: Method, noise: type[Noise] | None = None) -> bool:
    """Whether the method is a network that can be adapted to a study (with such noise; None: with any)."""
    domain = domains.find(method.domain)
    able = method.learned and domain.divides and method.dimensions == (2,)
    return able and (noise is None or domain.counts or noise.linear)


def check_adapt(method: Method, noise: type[Noise], sure: bool) -> None:
    """Raise InvalidPlan unless a network can be adapted to studies with such noise.

    Args:
        sure: the noise level was given, or its estimate is sure.
    """
    if not can_adapt(method):
        able = ", ".join(row.id for row in catalogue.METHODS if can_adapt(row))
        raise InvalidPlan(f"{method.id} cannot be adapted to a study; networks that can: {able}.", field="adapt")
    if not can_adapt(method, noise):
        raise InvalidPlan(
            f"{method.id} can be adapted to Gaussian noise alone: {noise.title} noise is another where the signal is "
            "weak.",
            field="adapt",
        )
    if not sure:
        raise InvalidPlan(
            "a network is adapted only where the noise level is sure; give the level, or leave adapt away.",
            field="level",
        )


def adapted(
    denoising: Denoising, voxels: np.ndarray, progress: Callable[[float], None] = lambda fraction: None
) -> tuple[Denoising, Adaptation]:
    """The denoising with its network adapted to the study, or as it was where that is not surely better.

    Args:
        denoising: bound to the study, with a method of ``can_adapt``.
        voxels: the study with even noise, float32 ``(frames, slices, rows, columns)``.
        progress: called with the fraction done; what it raises ends the work.

    Raises:
        InvalidPlan: counts that are no whole numbers cannot be divided; or there is nothing to learn from.
    """
    from ..methods import adapting

    method, noise, domain = denoising.method, denoising.noise, denoising.domain
    values = (domain.forward(noise, voxels) - denoising.offset) / denoising.scale
    if domain.counts:
        whole = np.abs(voxels * noise.level - np.rint(voxels * noise.level)) < WHOLE
        if not whole.all():
            raise InvalidPlan(
                "the counts are no whole numbers (scaled, interpolated or filtered): they cannot be divided, and no "
                "network can be adapted to them.",
                field="adapt",
            )
        inside = values < domain.ceiling(noise, denoising.scale)  # empty places tell of the rate, too
    else:
        inside = noise.covers(voxels)
    if not inside.any():
        raise InvalidPlan("no part of the study has noise of which a network could learn.", field="adapt")
    planes, where = (study.reshape(-1, *study.shape[-2:]) for study in (values.astype(np.float32), inside))

    def restoring(network: nn.Module) -> Denoiser:
        return partial(method.load_with(network), **denoising.told)

    draw = None if domain.counts else partial(_noise, noise)
    thinning = adapting.Thinning(domain.sigma(noise, denoising.scale), draw)
    network = weights.find(method.networks()[-1]).load(denoising.device)
    levels = adapting.Levels(denoising.sigma_as_white, denoising.sigma)
    done = adapting.adapt(network, planes, where, thinning, levels, restoring, progress)
    record = Adaptation(adapting.STEPS, done.change, done.error, done.loss, domain.counts)
    if record.kept:
        denoising = replace(denoising, implementation=method.load_with(done.network))
    return denoising, record


def _noise(noise: Noise, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Noise of planes ``(n, rows, columns)`` on the stabilised scale, of standard deviation 1."""
    white = rng.standard_normal(shape, dtype=np.float32)
    return white if noise.spectrum is None else noise.spectrum.in_plane.coloured(white[:, None])[:, 0]
