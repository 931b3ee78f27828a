"""BM3D: similar blocks are grouped and denoised together (Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007).

The two steps are those of ``collaborative``. What makes them quick: every block is transformed once and groups are
gathered from that table; distances are matrix products; blocks are added up as spectra, so each position is transformed
back once, instead of every member of every group.

Deviations from the paper, each measured to help: the largest distance of the first step grows with the noise, which
adds 2 sigma² to every distance; the Wiener filter assumes a little less noise than there is; blocks and strides stay
small in strong noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InvalidPlan
from ..noise import Spectrum
from .aggregation import by_size
from .collaborative import Profile, Step, filtered, in_chunks, put_back, shrunk
from .matching import INDICES, Lattice, Run, distances, most_similar, positions, valid_references, windows
from .options import checked
from .parallel import PerDevice
from .transforms import bior15, dct, noise_variances

BLOCKS = Lattice(side=8, stride=3, radius=19, batch=(4, 8))
WIENER_NOISE = 0.8  # part of the noise variance that the Wiener filter assumes

# Sort keys hold the square root of the distance, which resolves small distances, in 2^20 levels up to the largest.
FAR = (1 << 20) - 1

# Pixels in a chunk, whose block spectra take about 1.6 kB each at the peak; and numbers in a temporary array.
PIXELS = PerDevice(cpu=100_000, gpu=1 << 20)
TEMPORARY = PerDevice(cpu=1 << 20, gpu=1 << 25)

PROFILES = {
    "normal": (Step(16, 3000.0, 2.7), Step(32, 400.0)),
    "high_noise": (Step(32, 3000.0, 2.8), Step(32, 800.0)),
}
HIGH_NOISE = 40 / 255


@checked
def bm3d(
    images: Tensor,
    sigma: float,
    *,
    profile: Profile = "auto",
    psd: np.ndarray | None = None,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Denoise images that carry Gaussian noise, white or of a known spectrum.

    A voxel of the result depends on the input up to 90 voxels away in each dimension: 45 in each step (from the voxel
    7 to the far corner of a block, 19 to its reference, 19 to another block of the group). Tiles agree with the whole
    image when they begin at multiples of the stride, 3.

    Args:
        images: float32 ``(N, 1, H, W)``, nominally in [0, 1], on any device; sides of at least 8. The N images are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        profile: "normal", "high_noise" (larger groups, more shrinkage), or "auto": high_noise above sigma = 40/255.
        psd: power spectral density of coloured noise at the frequencies of ``numpy.fft.fft2``, rows and columns of any
            number from 15; its scale does not matter, ``sigma`` gives the total. None: white. Every coefficient of a
            block is then shrunk by its own noise; noise in different blocks of a group counts as independent.
        spectrum: the same as it was measured in a study; ``psd`` goes before it.

    Returns:
        A tensor like ``images``. On a CPU the same input gives the same bits.

    Raises:
        InvalidPlan: the profile is unknown, or ``psd`` is no spectral density.

    >>> bm3d(torch.full((1, 1, 16, 16), 0.5), 0.1).shape
    torch.Size([1, 1, 16, 16])
    """
    if profile == "auto":
        profile = "high_noise" if sigma > HIGH_NOISE else "normal"
    hard, wiener = PROFILES[profile]
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    white = torch.eye(BLOCKS.numbers, dtype=torch.float64)
    coloured = white if spectrum is None else torch.from_numpy(spectrum.covariance(BLOCKS.side, BLOCKS.side))
    covariance = variance * (coloured if psd is None else _covariance(psd))
    restored = []
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # whose ten bits would not do
        for noisy in images[:, 0].split(max(1, PIXELS.on(images.device) // images[0].numel())):
            basic = _step(hard, noisy, noisy, covariance)
            restored.append(_step(wiener, noisy, basic, covariance))
    return torch.cat(restored)[:, None]


def _step(step: Step, noisy: Tensor, pilot: Tensor, covariance: Tensor) -> Tensor:
    """One step on images ``(n, H, W)``, in chunks of some rows.

    Args:
        step: its parameters.
        noisy: the images.
        pilot: the images whose blocks are compared.
        covariance: of the noise in a block, ``(64, 64)``.
    """
    transform = bior15(8, 2) if step.threshold else dct(8, 2)
    synthesis = torch.linalg.inv(transform).float().to(noisy.device)
    noise = noise_variances(transform, covariance).to(noisy.device)
    noise.clamp_(min=1e-6 * float(covariance[0, 0]))  # no 0/0 where a filter left nothing
    limit = BLOCKS.numbers * step.max_distance / 255**2 + (2 * float(covariance.trace()) if step.threshold else 0.0)
    scale = FAR / limit**0.5  # of the spectra that are compared

    def gains(_: Tensor, group: Tensor, pilot: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if pilot is None:
            gain = (group.abs() > step.threshold * noise.sqrt()).float()
            gain[0, :, 0] = 1  # the mean of a group
        else:
            gain = pilot.square_()
            gain /= gain + WIENER_NOISE * scale**2 * noise
        return gain, ((gain.square() @ noise).sum(0) / noise.mean()).clamp_(min=1).reciprocal_()

    def filter_rows(noisy: Tensor, pilot: Tensor, outside: Tensor, runs: list[list[Run]]) -> tuple[Tensor, Tensor]:
        spectra, compared = _spectra(noisy, transform), _spectra(pilot, scale * dct(8, 2))
        tables = [table.view(-1, BLOCKS.numbers) for table in ((spectra,) if step.threshold else (spectra, compared))]
        sums, weights = shrunk(tables, _groups(step.group_size, compared, outside, *runs), gains)
        blocks = synthesis @ sums.view(len(noisy), -1, BLOCKS.numbers).mT
        return put_back(blocks, weights.view(len(noisy), -1), spectra.shape[1:3], BLOCKS.side)

    rows, columns = (BLOCKS.runs(length, axis) for axis, length in enumerate(noisy.shape[1:]))
    width = noisy.shape[2] + 2 * BLOCKS.margins[1]
    height = max(1, PIXELS.on(noisy.device) // (len(noisy) * width) - BLOCKS.region[0] + 1)
    return filtered(noisy, pilot, BLOCKS, [in_chunks(rows, height), [columns]], filter_rows)


def _spectra(images: Tensor, transform: Tensor) -> Tensor:
    """The transform of the block at every position of ``(n, h, w)``: ``(n, h - 7, w - 7, 64)``."""
    kernels = transform.float().to(images.device).view(-1, 1, BLOCKS.side, BLOCKS.side)
    # channels_last: the numbers of a block come side by side. ``contiguous`` would not restride a single channel.
    spectra = F.conv2d(images[:, None], kernels.to(memory_format=torch.channels_last))
    return spectra.permute(0, 2, 3, 1).contiguous()


def _groups(most: int, table: Tensor, outside: Tensor, rows: list[Run], columns: list[Run]) -> Iterator[Tensor]:
    """Positions of the members of all groups, ``(size, groups)`` for some groups at a time."""
    at_once = TEMPORARY.on(table.device)
    energy = torch.linalg.vector_norm(table[..., 1:], dim=3).square_() + outside
    batches = max(1, at_once // (len(table) * math.prod(BLOCKS.batch) * math.prod(BLOCKS.region)))
    for first in range(0, len(columns), batches):
        found = _match(most, table, energy, rows, columns[first : first + batches])
        yield from by_size(*found, at_once // BLOCKS.numbers)


def _match(most: int, table: Tensor, energy: Tensor, rows: list[Run], columns: list[Run]) -> tuple[Tensor, Tensor]:
    """The most similar blocks of all references in some columns.

    The regions of neighbouring columns overlap. They are copied side by side once, so that the matrix products need no
    further copies. The means of blocks are compared apart from the products: rounding of their large squares would
    exceed small distances.

    Args:
        most: how many blocks to find.
        table: spectra of the blocks at every position, their means first, ``(n, h, w, 64)``.
        energy: |q|² of each block without its mean, ``(n, h, w)``; infinite for blocks beyond the image.
        rows, columns: of references.

    Returns:
        Positions ``(references, most)``, by rising distance, and how many of them are nearer than FAR.
    """
    device, shape = table.device, table.shape[:3]
    regions, energies = (
        torch.stack([values[:, :, column.start : column.stop] for column in columns]) for values in (table, energy)
    )
    means = regions[..., 0].contiguous()
    regions[..., 0] = 0
    order = torch.arange(BLOCKS.window**2, dtype=torch.int32, device=device)
    offsets = positions([torch.arange(BLOCKS.window, device=device)] * 2, shape[1:]).flatten()
    corners = [torch.arange(len(table)), *(BLOCKS.stride * torch.arange(count) for count in BLOCKS.batch)]
    starts = positions(corners, shape) + torch.tensor([column.start for column in columns])[:, None, None, None]
    starts = starts.to(device)
    found = []
    for row in rows:
        lines = slice(row.start, row.stop)
        blocks, squares, mean = (values[:, :, lines].flatten(0, 1) for values in (regions, energies, means))
        difference = windows(mean[:, None, None].expand(-1, *BLOCKS.batch, -1, -1), BLOCKS)
        difference = difference - mean[:, *BLOCKS.references, None, None]
        distance = torch.addcmul(distances(blocks, squares, BLOCKS), difference, difference)
        distance += squares[:, *BLOCKS.references, None, None]
        distance = distance.view(-1, BLOCKS.window**2).clamp_(0, FAR**2).sqrt_()
        keys = torch.add(order, distance.int(), alpha=INDICES)
        valid = torch.stack([valid_references([row, column]) for column in columns])
        valid = valid[:, None].expand(starts.shape).flatten()
        start = (starts + row.start * shape[2]).flatten()
        found.append(most_similar(keys, valid, start, offsets, most, FAR * INDICES))
    places, similar = zip(*found, strict=True)
    return torch.cat(places), torch.cat(similar)


def _covariance(psd: np.ndarray) -> Tensor:
    """Covariance ``(64, 64)`` of the pixels of a block of noise with this spectral density and variance 1."""
    spectrum = torch.as_tensor(np.asarray(psd, np.float64))
    least = 2 * BLOCKS.side - 1
    if spectrum.ndim != 2 or min(spectrum.shape) < least or not (spectrum >= 0).all() or spectrum.sum() <= 0:
        raise InvalidPlan(
            f"bm3d: psd must be two-dimensional, at least {least} x {least}, and nowhere negative.", field="options"
        )
    correlation = torch.fft.ifft2(spectrum / spectrum.mean()).real
    row, column = (index.flatten() for index in torch.meshgrid(*2 * [torch.arange(BLOCKS.side)], indexing="ij"))
    return correlation[row[:, None] - row, column[:, None] - column]
