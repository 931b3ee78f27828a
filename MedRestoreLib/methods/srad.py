"""Speckle-reducing anisotropic diffusion of Yu and Acton."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import pad

from ..errors import InvalidPlan
from ..progress import stop_if_asked
from .options import NonNegativeFloat, NonNegativeInt, checked

# The paper's time step of 0.05 takes some 300 iterations; the scheme is stable up to 1.0, and 0.8 loses nothing.
STEP = 0.8

# Yu and Acton let the speckle scale decay as q0 exp(-t/6).
DECAY = 1 / 6

FLOOR = 1e-3  # least grey value to divide by; a linear image's darkest tissue is far brighter


@checked
def speckle_reducing_diffusion(
    images: torch.Tensor,
    sigma: float,
    *,
    iterations: NonNegativeInt = 24,
    compressed: NonNegativeFloat = 0.0,
    reference: float | None = None,
) -> torch.Tensor:
    """Diffuse where the local coefficient of variation is that of speckle; stop at edges, where it is larger.

    What leaves a pixel enters its neighbour, so the image keeps its mean.

    Args:
        images: ``(N, 1, H, W)``, float32, in [0, 1], zero at no echo.
        sigma: the speckle's relative standard deviation: standard deviation over mean of homogeneous tissue.
        iterations: explicit steps of 0.8.
        compressed: dynamic range in dB of a log-compressed B-mode image, black to white; 0 for linear images. The
            coefficient is then that of the decompressed intensity ``10^(compressed * grey / 10)``, while the grey
            values themselves diffuse: the logarithm of smoothed intensities would be 2.5 dB too bright.
        reference: mean grey of the homogeneous tissue in which ``sigma`` was measured; only for ``compressed`` > 0.

    Returns:
        Tensor like ``images``, within their range.

    Raises:
        InvalidPlan: the level or an option is negative, or ``compressed`` > 0 without ``reference``.

    Yu and Acton, IEEE TIP 11(11), 2002, equations 30 to 36.

    >>> speckle_reducing_diffusion(torch.zeros(1, 1, 3, 3), 0.5).sum().item()
    0.0
    """
    speckle_scale = sigma
    if compressed > 0:
        if reference is None:
            raise InvalidPlan("srad: a log-compressed image needs the reference grey that the level refers to.")
        speckle_scale = decompressed_variation(sigma * reference, compressed)
    current = images.clone()
    for iteration in range(iterations if speckle_scale > 0 else 0):
        stop_if_asked()
        scale = speckle_scale * math.exp(-DECAY * STEP * iteration)
        conductance = _conductance(_intensity(current, compressed), scale)
        _diffuse(current, conductance)
    return current


def reach(sigma: float, iterations: int = 24, **_: object) -> int:
    """How many pixels away a pixel can influence the result: two in each iteration."""
    return 2 * iterations


def decompressed_variation(display_std: float, decibels: float) -> float:
    """Coefficient of variation of the intensity that is shown log-compressed, whose speckle has ``display_std``.

    Speckle averaged over L looks has a gamma-distributed intensity: std over mean is ``1 / sqrt(L)`` and the variance
    of its logarithm is ``psi'(L)``, here ``1/L + 1/(2 L^2)`` (within 4 % of ``1 / sqrt(L)`` for all L >= 1), solved
    for L. Fully developed speckle, 5.57 dB, gives 1 (and 0.523 for the amplitude).

    >>> round(decompressed_variation(5.57 / 60, 60.0), 2)
    1.03
    """
    variance = (display_std * decibels * math.log(10) / 10) ** 2
    return math.sqrt(2 * variance / (1 + math.sqrt(1 + 2 * variance)))


def _intensity(images: torch.Tensor, compressed: float) -> torch.Tensor:
    if compressed > 0:
        return torch.exp(images * (compressed * math.log(10) / 10))
    return images.clamp_min(FLOOR)


def _conductance(intensity: torch.Tensor, scale: float) -> torch.Tensor:
    """Like ``intensity``: 1 where the coefficient of variation is at most ``scale``, towards 0 where it is larger."""
    padded = pad(intensity, (1, 1, 1, 1), mode="replicate")
    centre = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    squares = laplacian = 0.0
    for shift in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        rows, columns = (slice(1 + s, padded.shape[axis] - 1 + s) for axis, s in zip((2, 3), shift, strict=True))
        difference = (padded[:, :, rows, columns] - padded[centre]).div_(intensity)
        laplacian = difference + laplacian
        squares = difference.square_().add_(squares)
    # Squared instantaneous coefficient of variation. The denominator is the mean of the neighbours over the centre.
    variation = squares.mul_(0.5).sub_(laplacian.square().mul_(1 / 16)).div_(laplacian.mul_(0.25).add_(1).square_())
    excess = variation.sub_(scale**2).clamp_min_(0).div_(scale**2 * (1 + scale**2))
    return excess.add_(1).reciprocal_()


def _diffuse(images: torch.Tensor, conductance: torch.Tensor) -> None:
    """One explicit step in place; no flux leaves the image."""
    fluxes = [
        images.diff(dim=axis).mul_(conductance.narrow(axis, 1, length).add(conductance.narrow(axis, 0, length)))
        for axis, length in ((2, images.shape[2] - 1), (3, images.shape[3] - 1))
    ]
    for axis, flux in zip((2, 3), fluxes, strict=True):
        length = flux.shape[axis]
        images.narrow(axis, 0, length).add_(flux, alpha=STEP / 8)
        images.narrow(axis, 1, length).sub_(flux, alpha=STEP / 8)
