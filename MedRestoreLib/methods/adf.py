"""Anisotropic diffusion of Perona and Malik in two and three dimensions."""

from __future__ import annotations

import math
from typing import Literal

import torch

from ..progress import stop_if_asked
from .options import NonNegativeFloat, NonNegativeInt, checked
from .parallel import PerDevice

# Largest stable explicit steps are 1/4 and 1/6 (Perona and Malik 1990); a little less keeps the weights positive.
STEP = {2: 0.2, 3: 1 / 7}

# The automatic setting recomputes the conductance every RENEWED iterations from two gradients: the image's own, which
# sees texture and thin lines when there is little noise, and that of the image smoothed by [1 2 1]/4 along each axis,
# which the noise hardly moves (Catte, Lions, Morel and Coll 1992). Their scales are the noise's standard deviation
# times OWN or SMOOTHED (for a unit deviation of the smoothed gradient) and shrink by SHRINK an iteration, as the noise
# does. The values were chosen on a photograph with noise of 5, 10, 25 and 50 of 255, a T1 slice at 3, 9 and 15 % and a
# bone phantom of 200, 50 and 20 counts. No setting suits all: the smooth phantom at 200 counts would gain 2 dB from
# twice the scales, the T1 slice at 3 % would lose as much.
RENEWED = 4
SHRINK = 0.9
OWN = {"rational": 1.5, "exponential": 2.3}
SMOOTHED = {"rational": 2.4, "exponential": 3.2}

# Voxels worked on at once: on a CPU few enough to stay in the cache, many enough to hide the cost of a call.
VOXELS = PerDevice(cpu=1 << 17, gpu=1 << 62)


@checked
def anisotropic_diffusion(
    images: torch.Tensor,
    sigma: float,
    *,
    iterations: NonNegativeInt | None = None,
    conductance: NonNegativeFloat | None = None,
    function: Literal["rational", "exponential"] = "rational",
) -> torch.Tensor:
    """Smooth inside regions, stop at edges: ``dI/dt = div(g(|grad I|) grad I)`` with reflecting borders.

    Args:
        images: ``(N, 1, H, W)`` or ``(N, 1, D, H, W)``, float32, about [0, 1].
        sigma: standard deviation of the noise, on the scale of ``images``.
        iterations: explicit steps of 0.2 (2-D) or 1/7 (3-D); by default as ``default_iterations(sigma)`` says.
        conductance: ``k`` of Perona and Malik on the scale of ``images``. When given, the scheme is theirs to the
            letter: gradients of the image itself, a constant ``k``. None derives the conductance from ``sigma``, as
            the constants of this file say.
        function: "rational", ``g = 1 / (1 + (d/k)^2)``, or "exponential", ``g = exp(-(d/k)^2)``.

    Returns:
        Tensor like ``images``; its sum is that of ``images`` up to rounding, its range no larger.

    Raises:
        InvalidPlan: the level or an option is negative, or the function unknown.

    Perona and Malik, IEEE TPAMI 12(7), 1990; regularised gradients: Catte et al., SIAM J. Numer. Anal. 29(1), 1992.

    >>> anisotropic_diffusion(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]), 0.01).round(decimals=2).tolist()
    [[[[0.0, 1.0], [0.0, 1.0]]]]
    """
    count = default_iterations(sigma) if iterations is None else iterations
    dimensions = images.ndim - 2
    constant = conductance is not None
    own = conductance if constant else OWN[function] * sigma
    smoothed = None if constant else SMOOTHED[function] * _smoothed_gradient_std(dimensions) * sigma
    if not own or not count:
        return images.clone()
    current, following = images[:, 0].clone(), torch.empty_like(images[:, 0])
    weights = [torch.empty_like(current) for _ in range(dimensions)]
    chunks = _chunks(current)
    for iteration in range(count):
        stop_if_asked()
        if constant or iteration % RENEWED == 0:
            shrink = 1.0 if constant else SHRINK**iteration
            for chunk in chunks:
                _weigh(current, weights, chunk, function, own * shrink, smoothed and smoothed * shrink)
        for chunk in chunks:
            _advance(current, weights, following, chunk)
        current, following = following, current
    return current.unsqueeze(1)


def default_iterations(sigma: float) -> int:
    """Iterations of the automatic setting: multiples of 4 that grow with the noise; 24 at 25/255, 64 at most."""
    return RENEWED * min(16, max(1, round(60 * sigma)))


def reach(sigma: float, iterations: int | None = None, conductance: float | None = None, **_: object) -> int:
    """How many voxels away a voxel can influence the result: one in each iteration, one more to smooth gradients."""
    count = default_iterations(sigma) if iterations is None else iterations
    return count if conductance is not None else count + -(-count // RENEWED)


def _smoothed_gradient_std(dimensions: int) -> float:
    """Standard deviation of a difference of neighbours in unit white noise smoothed by [1 2 1]/4 along each axis."""
    return 0.5 * math.sqrt(6 / 16) ** (dimensions - 1)


def _chunks(images: torch.Tensor) -> list[tuple[int, int]]:
    """Ranges of the first spatial axis to work on one after the other."""
    length = images.shape[1]
    rows = max(1, VOXELS.on(images.device) * length // images.numel())
    return [(start, min(start + rows, length)) for start in range(0, length, rows)]


def _weigh(
    images: torch.Tensor,
    weights: list[torch.Tensor],
    chunk: tuple[int, int],
    function: str,
    own: float,
    smoothed: float | None,
) -> None:
    """Write into ``weights``, for each axis, step times conductance between each voxel of the chunk and the next.

    ``own`` and ``smoothed`` are the scales of the gradients of the image and, unless None, of the smoothed image.
    """
    start, stop = chunk
    first, last = max(start - 1, 0), min(stop + 2, images.shape[1])
    scaled = [(images[:, start : stop + 1], own)]
    if smoothed is not None:
        guide = images[:, first:last]
        for axis in range(1, images.ndim):
            guide = _binomial(guide, axis)
        scaled.append((guide[:, start - first : stop + 1 - first], smoothed))
    for axis, weight in enumerate(weights, start=1):
        squares = 0.0
        for guide, scale in scaled:
            near, far = _pair(guide if axis == 1 else guide[:, : stop - start], axis)
            squares = (far - near).div_(scale).square_().add_(squares)
        conductance = squares.add_(1).reciprocal_() if function == "rational" else squares.neg_().exp_()
        target = weight[:, start:stop].narrow(axis, 0, conductance.shape[axis])
        torch.mul(conductance, STEP[images.ndim - 1], out=target)


def _advance(
    images: torch.Tensor, weights: list[torch.Tensor], following: torch.Tensor, chunk: tuple[int, int]
) -> None:
    """One explicit step of the chunk, read from ``images``, written to ``following``."""
    start, stop = chunk
    result = following[:, start:stop]
    result.copy_(images[:, start:stop])
    first, last = max(start - 1, 0), min(stop + 1, images.shape[1])
    for axis, weight in enumerate(weights, start=1):
        low, high = (first, last) if axis == 1 else (start, stop)
        near, far = _pair(images[:, low:high], axis)
        flux = (far - near).mul_(weight[:, low:high].narrow(axis, 0, near.shape[axis]))
        if axis == 1:
            result[:, : last - 1 - start].add_(flux[:, start - first :])
            result[:, first + 1 - start :].sub_(flux[:, : stop - 1 - first])
        else:
            result.narrow(axis, 0, flux.shape[axis]).add_(flux)
            result.narrow(axis, 1, flux.shape[axis]).sub_(flux)


def _pair(images: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Views of all voxels but the last along ``axis``, and of their next neighbours."""
    length = images.shape[axis] - 1
    return images.narrow(axis, 0, length), images.narrow(axis, 1, length)


def _binomial(images: torch.Tensor, axis: int) -> torch.Tensor:
    """[1 2 1]/4 along ``axis``; border voxels are repeated outwards."""
    near, far = _pair(images, axis)
    quarter = (far - near).mul_(0.25)
    smooth = images.clone()
    smooth.narrow(axis, 0, quarter.shape[axis]).add_(quarter)
    smooth.narrow(axis, 1, quarter.shape[axis]).sub_(quarter)
    return smooth
