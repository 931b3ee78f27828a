"""Anisotropic diffusion of Perona and Malik in two and three dimensions."""

from __future__ import annotations

import math

import torch

from ..errors import InvalidPlan

# Largest stable explicit steps are 1/4 and 1/6 (Perona and Malik 1990); a little less keeps the weights positive.
STEP = {2: 0.2, 3: 1 / 7}

# The automatic setting recomputes the conductance every BLOCK iterations from two gradients: the image's own, which
# sees texture and thin lines when there is little noise, and that of the image smoothed by [1 2 1]/4 along each axis,
# which the noise hardly moves (Catte, Lions, Morel and Coll 1992). Their scales are the noise's standard deviation
# times OWN or SMOOTHED (for a unit deviation of the smoothed gradient) and shrink by SHRINK an iteration, as the noise
# does. The values were chosen on a photograph with noise of 5, 10, 25 and 50 of 255, a T1 slice at 3, 9 and 15 % and a
# bone phantom of 200, 50 and 20 counts. No setting suits all: the smooth phantom at 200 counts would gain 2 dB from
# twice the scales, the T1 slice at 3 % would lose as much.
BLOCK = 4
SHRINK = 0.9
OWN = {"rational": 1.5, "exponential": 2.3}
SMOOTHED = {"rational": 2.4, "exponential": 3.2}

# Voxels worked on at once on a CPU: few enough to stay in the cache, many enough to hide the cost of a call.
SLAB = 1 << 17


def anisotropic_diffusion(
    images: torch.Tensor,
    sigma: float,
    *,
    iterations: int | None = None,
    conductance: float | None = None,
    function: str = "rational",
) -> torch.Tensor:
    """Smooth inside regions, stop at edges: ``dI/dt = div(g(|grad I|) grad I)`` with reflecting borders.

    Args:
        images: ``(N, 1, H, W)`` or ``(N, 1, D, H, W)``, float32, about [0, 1].
        sigma: standard deviation of the noise, on the scale of ``images``.
        iterations: explicit steps of 0.2 (2-D) or 1/7 (3-D); by default as ``default_iterations(sigma)`` says.
        conductance: ``k`` of Perona and Malik on the scale of ``images``. When given, the scheme is theirs to the
            letter: gradients of the image itself, a constant ``k``. By default the conductance follows from
            ``sigma``: see the constants above.
        function: "rational", ``g = 1 / (1 + (d/k)^2)``, or "exponential", ``g = exp(-(d/k)^2)``.

    Returns:
        Tensor like ``images``; its sum is that of ``images`` up to rounding, its range no larger.

    Raises:
        InvalidPlan: unknown function, or a negative level, conductance or number of iterations.

    Perona and Malik, IEEE TPAMI 12(7), 1990; regularised gradients: Catte et al., SIAM J. Numer. Anal. 29(1), 1992.

    >>> anisotropic_diffusion(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]), 0.01).round(decimals=2).tolist()
    [[[[0.0, 1.0], [0.0, 1.0]]]]
    """
    if function not in OWN:
        raise InvalidPlan(f"adf: function is one of {', '.join(OWN)}, not '{function}'.")
    if min(sigma, conductance or 0.0, iterations or 0) < 0:
        raise InvalidPlan("adf: the level, the conductance and the iterations must not be negative.")
    count = default_iterations(sigma) if iterations is None else iterations
    dimensions = images.ndim - 2
    literal = conductance is not None
    own = conductance if literal else OWN[function] * sigma
    smoothed = None if literal else SMOOTHED[function] * _smoothed_gradient_std(dimensions) * sigma
    if not own or not count:
        return images.clone()
    current, following = images[:, 0].clone(), torch.empty_like(images[:, 0])
    weights = [torch.empty_like(current) for _ in range(dimensions)]
    slabs = _slabs(current)
    for iteration in range(count):
        if literal or iteration % BLOCK == 0:
            shrink = 1.0 if literal else SHRINK**iteration
            for slab in slabs:
                _weigh(current, weights, slab, function, own * shrink, smoothed and smoothed * shrink)
        for slab in slabs:
            _advance(current, weights, following, slab)
        current, following = following, current
    return current.unsqueeze(1)


def default_iterations(sigma: float) -> int:
    """Iterations of the automatic setting: whole blocks, growing with the noise; 24 at 25/255, 64 at most."""
    return BLOCK * min(16, max(1, round(60 * sigma)))


def reach(sigma: float, iterations: int | None = None, conductance: float | None = None, **_: object) -> int:
    """How many voxels away a voxel can influence the result: one a step, one more where gradients are smoothed."""
    count = default_iterations(sigma) if iterations is None else iterations
    return count if conductance is not None else count + -(-count // BLOCK)


def _smoothed_gradient_std(dimensions: int) -> float:
    """Noise of a difference of neighbours after [1 2 1]/4 along every axis, for unit white noise."""
    return 0.5 * math.sqrt(6 / 16) ** (dimensions - 1)


def _slabs(images: torch.Tensor) -> list[tuple[int, int]]:
    """Ranges of the first spatial axis to work on one after the other."""
    length = images.shape[1]
    rows = length if images.is_cuda else max(1, SLAB * length // images.numel())
    return [(start, min(start + rows, length)) for start in range(0, length, rows)]


def _weigh(
    images: torch.Tensor,
    weights: list[torch.Tensor],
    slab: tuple[int, int],
    function: str,
    own: float,
    smoothed: float | None,
) -> None:
    """Write step times conductance between each voxel of the slab and its next neighbour along each axis.

    ``own`` and ``smoothed`` scale the gradient of the image and, unless None, of the smoothed image.
    """
    start, stop = slab
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


def _advance(images: torch.Tensor, weights: list[torch.Tensor], following: torch.Tensor, slab: tuple[int, int]) -> None:
    """One explicit step of the slab, read from ``images``, written to ``following``."""
    start, stop = slab
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
    """Views of every voxel that has a next neighbour along ``axis``, and of that neighbour."""
    length = images.shape[axis] - 1
    return images.narrow(axis, 0, length), images.narrow(axis, 1, length)


def _binomial(images: torch.Tensor, axis: int) -> torch.Tensor:
    """[1 2 1]/4 along ``axis``, border voxels repeated."""
    near, far = _pair(images, axis)
    quarter = (far - near).mul_(0.25)
    smooth = images.clone()
    smooth.narrow(axis, 0, quarter.shape[axis]).add_(quarter)
    smooth.narrow(axis, 1, quarter.shape[axis]).sub_(quarter)
    return smooth
