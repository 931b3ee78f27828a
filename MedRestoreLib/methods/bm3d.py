"""BM3D: similar blocks are stacked and denoised together (Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007).

Both steps do the same four things: find, for every reference block, the most similar blocks in a window around it; take
the 3-D spectrum of their stack (a 2-D transform of each block, Haar along the stack); shrink it; put the blocks back,
weighted by how sparse their spectrum was. What makes it quick: every block is transformed once and stacks are gathered
from that table, the distances of a tile of references are one matrix product, and blocks are summed as spectra, so
they return to pixels once per position instead of once per stack.

Deviations from the paper, each measured to help: the first match threshold grows with the noise, which adds 2 sigma² to
every distance; the Wiener filter assumes a little less noise than there is; blocks and strides stay small in strong
noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from ..errors import InvalidPlan
from .parallel import each

BLOCK = 8
NUMBERS = BLOCK**2  # in a block
STRIDE = 3  # between references
RADIUS = 19  # of the search window
SIDE = 2 * RADIUS + 1
KAISER_BETA = 2.0
WIENER_NOISE = 0.8  # part of the noise variance that the Wiener filter assumes

TILE = (4, 8)  # references (rows, columns) whose distances are one matrix product
REGION = tuple(STRIDE * (count - 1) + SIDE for count in TILE)  # positions where a tile's references search
PER_TILE = TILE[0] * TILE[1]
AREA = REGION[0] * REGION[1]
# A sort key is the root of the distance in 2^20 levels up to the match threshold, then 11 bits: index in the window.
# A root resolves the smallest distances, too.
FAR = (1 << 20) - 1
INDICES = 1 << 11

# Pixels whose block spectra are held at once (about 1.6 kB each at the peak), and numbers in a temporary array: on a
# CPU near the cache's size, while a GPU wants long arrays.
PIXELS, PIXELS_GPU = 100_000, 1 << 20
TEMPORARY, TEMPORARY_GPU = 1 << 20, 1 << 25


@dataclass(frozen=True)
class Step:
    """What differs between the steps; ``match`` is on the scale of 8-bit images."""

    stack: int  # blocks at most
    match: float  # largest mean squared difference of similar blocks
    threshold: float | None = None  # hard threshold in standard deviations of the noise; None in the Wiener step


PROFILES = {
    "normal": (Step(16, 3000.0, 2.7), Step(32, 400.0)),
    "high_noise": (Step(32, 3000.0, 2.8), Step(32, 800.0)),
}
HIGH_NOISE = 40 / 255


def bm3d(images: Tensor, sigma: float, *, profile: str = "auto", psd: ArrayLike | None = None) -> Tensor:
    """Denoise images that carry Gaussian noise, white or of a known spectrum.

    A voxel of the result depends on the input up to 90 voxels away in each dimension: 45 in each step (from the voxel
    7 to the far corner of a block, 19 to its reference, 19 to another block of the stack). Tiles agree with the whole
    image when they begin at multiples of the stride, 3.

    Args:
        images: float32 ``(N, 1, H, W)``, nominally in [0, 1], on any device; sides of at least 8. The N images are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        psd: power spectral density of coloured noise at the frequencies of ``numpy.fft.fft2``, rows and columns of any
            number from 15; its scale does not matter, ``sigma`` gives the total. None: white. Every coefficient of a
            block is then shrunk by its own noise; noise in different blocks of a stack counts as independent.
        profile: "normal", "high_noise" (longer stacks, more shrinkage), or "auto": high_noise above sigma = 40/255.

    Returns:
        A tensor like ``images``. On a CPU the same input gives the same bits.

    Raises:
        InvalidPlan: the profile is unknown, or ``psd`` is none.

    >>> bm3d(torch.full((1, 1, 16, 16), 0.5), 0.1).shape
    torch.Size([1, 1, 16, 16])
    """
    if profile == "auto":
        profile = "high_noise" if sigma > HIGH_NOISE else "normal"
    if profile not in PROFILES:
        raise InvalidPlan(f"bm3d: the profile must be auto, {' or '.join(PROFILES)}, not '{profile}'.")
    hard, wiener = PROFILES[profile]
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    covariance = variance * (torch.eye(NUMBERS, dtype=torch.float64) if psd is None else _covariance(psd))
    at_once = PIXELS if images.device.type == "cpu" else PIXELS_GPU
    restored = []
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # whose ten bits would not do
        for noisy in images[:, 0].split(max(1, at_once // images[0].numel())):
            basic = _run(hard, noisy, noisy, covariance, at_once)
            restored.append(_run(wiener, noisy, basic, covariance, at_once))
    return torch.cat(restored)[:, None]


def _run(step: Step, noisy: Tensor, pilot: Tensor, covariance: Tensor, at_once: int) -> Tensor:
    """One step on images ``(n, H, W)``, whose blocks are compared in ``pilot``; in strips of ``at_once`` pixels."""
    n, height, width = noisy.shape
    device = noisy.device
    margins = [length - RADIUS for length in REGION]  # no tile searches beyond
    around = (margins[1], margins[1], margins[0], margins[0])
    noisy, pilot = F.pad(noisy, around), F.pad(pilot, around)
    outside = F.pad(torch.zeros(height - BLOCK + 1, width - BLOCK + 1, device=device), around, value=torch.inf)
    total, weights = torch.zeros_like(noisy), torch.zeros_like(noisy)
    rows, columns = (_tiles(*axis) for axis in zip((height, width), margins, TILE, strict=True))
    limit = at_once // (n * noisy.shape[2]) - REGION[0]
    strips = []
    while rows:
        strips.append([tile for tile in rows if tile.start - rows[0].start <= limit] or rows[:1])
        rows = rows[len(strips[-1]) :]

    def restored(strip: list[Tile]) -> tuple[slice, Tensor, Tensor]:
        top, bottom = min(tile.start for tile in strip), max(tile.start for tile in strip) + REGION[0]
        strip = [Tile(tile.start - top, tile.counts) for tile in strip]
        pixels = slice(top, bottom + BLOCK - 1)
        beyond = outside[top:bottom]
        return pixels, *_strip(step, noisy[:, pixels], pilot[:, pixels], beyond, strip, columns, covariance)

    for pixels, blocks, weight in each(restored, strips, device):
        total[:, pixels] += blocks
        weights[:, pixels] += weight
    inside = (slice(None), slice(margins[0], margins[0] + height), slice(margins[1], margins[1] + width))
    return total[inside] / weights[inside]


@dataclass(frozen=True)
class Tile:
    """References along one axis: where their search begins, and which of them count."""

    start: int
    counts: Tensor


def _tiles(length: int, margin: int, references: int) -> list[Tile]:
    """The tiles along one axis of an image that has ``margin`` added in front.

    References stand at the multiples of the stride and at the last position where a block fits. If that is no
    multiple, a further tile ends there, of which no other reference counts.
    """
    last = length - BLOCK
    offsets = STRIDE * torch.arange(references)
    tiles = [(origin, origin + offsets <= last) for origin in range(0, last + 1, STRIDE * references)]
    if last % STRIDE:
        tiles.append((last - int(offsets[-1]), offsets == offsets[-1]))
    return [Tile(origin + margin - RADIUS, counts) for origin, counts in tiles]


def _strip(
    step: Step,
    noisy: Tensor,
    pilot: Tensor,
    outside: Tensor,
    rows: list[Tile],
    columns: list[Tile],
    covariance: Tensor,
) -> tuple[Tensor, Tensor]:
    """The weighted sum of all restored blocks, and the sum of their weights, both ``(n, h, w)``.

    ``outside`` is infinite at positions where a block would reach beyond the image, else 0; ``covariance`` is that of
    the noise in a block.
    """
    transform = _bior() if step.threshold else _dct()
    noise = (transform @ covariance * transform).sum(1).float().to(noisy.device)  # variance of each coefficient
    limit = NUMBERS * step.match / 255**2 + (2 * float(covariance.trace()) if step.threshold else 0.0)
    scale = FAR / limit**0.5
    compared, spectra = _spectra(pilot, scale * _dct()), _spectra(noisy, transform)
    table, pilot_table = spectra.view(-1, NUMBERS), compared.view(-1, NUMBERS)
    sums, weights = torch.zeros_like(table), table.new_zeros(len(table))
    energy = torch.linalg.vector_norm(compared[..., 1:], dim=3).square_() + outside
    for index, size in _stacks(step.stack, compared, energy, rows, columns):
        haar = haar_matrix(size).to(table.device)
        stack = (haar @ table.index_select(0, index).view(size, -1)).view(size, -1, NUMBERS)
        if step.threshold:
            gain = (stack.abs() > step.threshold * noise.sqrt()).float()
            gain[0, :, 0] = 1  # the mean of a stack
        else:
            gain = (haar @ pilot_table.index_select(0, index).view(size, -1)).square_().view_as(stack)
            gain /= gain + WIENER_NOISE * scale**2 * noise
        weight = ((gain.square() @ noise).sum(0) / noise.mean()).clamp_(min=1).reciprocal_()
        stack *= gain.mul_(weight[:, None])
        sums.index_add_(0, index, (haar.T @ stack.flatten(1)).view(-1, NUMBERS))
        weights.index_add_(0, index, weight.repeat(size))
    synthesis = torch.linalg.inv(transform).float().to(table.device)
    blocks = synthesis @ sums.view(len(noisy), -1, NUMBERS).mT
    weights = weights.view(len(noisy), 1, -1).expand(-1, NUMBERS, -1)
    return _overlap_add(blocks, noisy), _overlap_add(weights, noisy)


def _spectra(images: Tensor, transform: Tensor) -> Tensor:
    """The transform of the block at every position of ``(n, h, w)``: ``(n, h - 7, w - 7, 64)``."""
    kernels = transform.float().to(images.device).view(-1, 1, BLOCK, BLOCK)
    # channels_last: the numbers of a block come side by side. ``contiguous`` would not restride a single channel.
    spectra = F.conv2d(images[:, None], kernels.to(memory_format=torch.channels_last))
    return spectra.permute(0, 2, 3, 1).contiguous()


def _overlap_add(blocks: Tensor, like: Tensor) -> Tensor:
    """Sum blocks ``(n, 64, positions)`` under a Kaiser window where they overlap, into ``(n, h, w)``."""
    summed = torch.zeros_like(like)
    rows, columns = (length - BLOCK + 1 for length in like.shape[1:])
    window = torch.kaiser_window(BLOCK, periodic=False, beta=KAISER_BETA).tolist()
    for i in range(BLOCK):
        for j in range(BLOCK):
            pixels = blocks[:, i * BLOCK + j].unflatten(1, (rows, columns))
            summed[:, i : i + rows, j : j + columns].add_(pixels, alpha=window[i] * window[j])
    return summed


def _stacks(
    most: int, table: Tensor, energy: Tensor, rows: list[Tile], columns: list[Tile]
) -> Iterator[tuple[Tensor, int]]:
    """Positions of stacked blocks, and the size of the stacks, some stacks of one size at a time.

    The positions are ``(size * stacks,)``, the members of a stack ``stacks`` apart.
    """
    at_once = TEMPORARY if table.device.type == "cpu" else TEMPORARY_GPU
    tiles = max(1, at_once // (len(table) * PER_TILE * AREA))
    for group in (columns[start : start + tiles] for start in range(0, len(columns), tiles)):
        positions, similar = _match(most, table, energy, rows, group)
        for size in (1 << k for k in range(most.bit_length())):
            chosen = (similar >= size) & (similar < 2 * size)
            for stacks in positions[chosen, :size].split(at_once // (size * NUMBERS)):
                yield stacks.T.flatten(), size


def _match(most: int, table: Tensor, energy: Tensor, rows: list[Tile], columns: list[Tile]) -> tuple[Tensor, Tensor]:
    """For all references of some tiles, the positions of the most similar blocks, best first ``(references, most)``,
    and how many of them are nearer than FAR ``(references,)``. A reference leads its stack.

    Distances are |p|² + |q|² - 2pq; ``energy`` is |p|², and infinite for blocks beyond the image. Means are left out of
    all three and compared by themselves, or rounding would drown the small distances where the image is smooth. The
    regions where the tiles of a column search overlap, so they are copied side by side once, and the matrix products
    of references p and candidates q need no further copies.
    """
    n, height, width, _ = table.shape
    device = table.device
    regions = torch.stack([table[:, :, column.start : column.start + REGION[1]] for column in columns])
    energies = torch.stack([energy[:, :, column.start : column.start + REGION[1]] for column in columns])
    means = regions[..., 0].contiguous()
    regions[..., 0] = 0
    order = torch.arange(SIDE**2, dtype=torch.int32, device=device)
    window = _positions(torch.arange(SIDE, device=device), torch.arange(SIDE, device=device), width).flatten()
    starts = _positions(*(STRIDE * torch.arange(count, device=device) for count in TILE), width)
    starts = starts + torch.tensor([column.start for column in columns], device=device)[:, None, None, None]
    starts = starts + height * width * torch.arange(n, device=device)[:, None, None]
    references = [slice(RADIUS, length - RADIUS, STRIDE) for length in REGION]
    found = []
    for row in rows:
        lines = slice(row.start, row.start + REGION[0])
        candidates, squares, mean = (values[:, :, lines].flatten(0, 1) for values in (regions, energies, means))
        distances = torch.baddbmm(
            squares.flatten(1)[:, None],
            candidates[:, *references].reshape(-1, PER_TILE, NUMBERS),
            candidates.flatten(1, 2).mT,
            alpha=-2,
        )
        difference = _windows(mean[:, None, None].expand(-1, *TILE, -1, -1)) - mean[:, *references, None, None]
        distances = torch.addcmul(_windows(distances.view(-1, *TILE, *REGION)), difference, difference)
        distances += squares[:, *references, None, None]
        distances = distances.view(-1, SIDE**2).clamp_(0, FAR**2).sqrt_()
        distances[:, SIDE**2 // 2] = -1  # the reference itself comes first
        keys = torch.add(order, distances.int(), alpha=INDICES)
        counts = torch.stack([row.counts[:, None] & column.counts for column in columns])
        counts = counts[:, None].expand(starts.shape).flatten().to(device)
        keys = _smallest(keys[counts], most)
        start = (starts + row.start * width).flatten()[counts]
        found.append((start[:, None] + window[(keys % INDICES).long()], (keys < FAR * INDICES).sum(1)))
    positions, similar = zip(*found, strict=True)
    return torch.cat(positions), torch.cat(similar)


def _windows(values: Tensor) -> Tensor:
    """The search window of every reference ``(tiles, *TILE, SIDE, SIDE)`` in regions ``(tiles, *TILE, *REGION)``."""
    tile, y, x, row, column = values.stride()
    strides = (tile, y + STRIDE * row, x + STRIDE * column, row, column)
    return values.as_strided((len(values), *TILE, SIDE, SIDE), strides, values.storage_offset())


def _positions(rows: Tensor, columns: Tensor, width: int) -> Tensor:
    """Flat positions of a grid in a table that is ``width`` wide."""
    return rows[:, None] * width + columns


def _smallest(keys: Tensor, k: int) -> Tensor:
    """The ``k`` smallest of the ``SIDE²`` keys in each row, in order.

    torch.topk is slow on a CPU, NumPy's partition of short rows is not: of 117 columns of 13 keys, only the k with the
    smallest minima can hold one of the k smallest keys.
    """
    if keys.device.type != "cpu":
        return keys.topk(k, largest=False).values
    columns = keys.view(len(keys), 13, 117)
    minima = np.partition(columns.amin(1).numpy(), k - 1, axis=1)[:, :k]
    chosen = torch.from_numpy(minima % INDICES % 117).long()
    candidates = columns.gather(2, chosen[:, None].expand(-1, 13, -1)).flatten(1)
    return torch.from_numpy(np.sort(np.partition(candidates.numpy(), k - 1, axis=1)[:, :k], axis=1))


def _covariance(psd: ArrayLike) -> Tensor:
    """Covariance ``(64, 64)`` of the numbers in a block of noise with this spectrum and variance 1."""
    spectrum = torch.as_tensor(np.asarray(psd, np.float64))
    if spectrum.ndim != 2 or min(spectrum.shape) < 2 * BLOCK - 1 or not (spectrum >= 0).all() or spectrum.sum() <= 0:
        raise InvalidPlan("bm3d: psd must be two-dimensional, at least 15 x 15, and nowhere negative.")
    correlation = torch.fft.ifft2(spectrum / spectrum.mean()).real
    row, column = (index.flatten() for index in torch.meshgrid(*2 * [torch.arange(BLOCK)], indexing="ij"))
    return correlation[row[:, None] - row, column[:, None] - column]


@cache
def haar_matrix(size: int) -> Tensor:
    """Orthonormal Haar transform of ``size`` numbers, a power of two; the mean comes first."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        coarse = torch.kron(matrix, torch.tensor([1.0, 1.0]))
        fine = torch.kron(torch.eye(len(matrix)), torch.tensor([1.0, -1.0]))
        matrix = torch.cat([coarse, fine]) / 2**0.5
    return matrix


@cache
def _dct() -> Tensor:
    """Orthonormal 2-D DCT-II of flattened blocks, float64."""
    k = torch.arange(BLOCK, dtype=torch.float64)
    matrix = torch.cos(torch.pi / BLOCK * (k + 0.5) * k[:, None]) * (2 / BLOCK) ** 0.5
    matrix[0] /= 2**0.5
    return torch.kron(matrix, matrix)


@cache
def _bior() -> Tensor:
    """Full periodic 2-D bior1.5 decomposition of flattened blocks, float64.

    Its rows have unit norm, so that every coefficient carries the noise's variance.
    """
    lowpass = torch.tensor([3, -3, -22, 22, 128, 128, 22, -22, -3, 3], dtype=torch.float64)
    highpass = torch.tensor([1, -1], dtype=torch.float64)
    matrix = torch.eye(BLOCK, dtype=torch.float64)
    length = BLOCK
    while length > 1:
        level = torch.zeros(length, length, dtype=torch.float64)
        for row in range(length // 2):
            level[row].index_add_(0, (2 * row - 4 + torch.arange(10)) % length, lowpass)
            level[length // 2 + row, 2 * row : 2 * row + 2] = highpass
        matrix[:length] = level @ matrix[:length]
        length //= 2
    matrix /= matrix.norm(dim=1, keepdim=True)
    return torch.kron(matrix, matrix)
