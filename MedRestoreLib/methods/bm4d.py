"""BM4D: similar cubes are stacked and denoised together (Maggioni, Katkovnik, Egiazarian, Foi, IEEE TIP 22(1), 2013).

BM3D with cubes for blocks, and built the same way: every cube is transformed once and stacks are gathered from that
table, the distances of a tile of references are one matrix product, and cubes are summed as spectra, so they return to
voxels once per position. A volume is worked through in chunks, whose tables are all that is held at once.

On four samples the paper's periodic bior1.5 is the Haar transform, so the first step's table also serves to compare
cubes.

Deviations from the paper, measured on three heads with Rician noise of 3, 9 and 15 % (mean gain in dB): references
stand 2 voxels apart, not 3 (+0.2); the hard threshold is 2.9 sigma, not 2.7 (+0.1); the first match threshold grows
with the noise, which adds 2 sigma² to every distance. The second step compares only the lowest frequencies of cubes,
for the first estimate holds little above them, and stacks 16 cubes, not 32: a fifth of the time less, for 0.02 dB. Its
filter assumes a little less noise than there is, and the mean of a stack is always kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .bm3d import haar_matrix
from .parallel import each

CUBE = 4
NUMBERS = CUBE**3  # in a cube
STRIDE = 2  # between references
RADIUS = 5  # of the search window
SIDE = 2 * RADIUS + 1
KAISER_BETA = 2.0
WIENER_NOISE = 0.9  # part of the noise variance that the Wiener filter assumes
LOW = 11  # lowest frequencies of a cube: indices (i, j, k) with i² + j² + k² <= 4

TILE = 4  # references along rows and along columns whose distances are one matrix product
REGION = STRIDE * (TILE - 1) + SIDE  # positions where they search
AREA = REGION**2
MARGIN = REGION - RADIUS  # around the volume: no tile searches beyond
# Below this many voxels along an axis begin the references of a chunk: the table of 64 numbers a voxel, with the search
# around it, is then near the size of a CPU's cache. A GPU wants long arrays.
CHUNK, CHUNK_GPU = 48, 96
TEMPORARY, TEMPORARY_GPU = 1 << 18, 1 << 24  # numbers in a batch of stacks
# A sort key is the distance, a float read as an integer, whose last 11 bits give way to the index in the window. A
# non-negative float orders as its bits do.
INDICES = 1 << 11


@dataclass(frozen=True)
class Step:
    """What differs between the steps; ``match`` is on the scale of 8-bit images."""

    stack: int  # cubes at most
    match: float  # largest mean squared difference of similar cubes
    threshold: float | None = None  # hard threshold in standard deviations of the noise; None in the Wiener step


PROFILES = {
    "normal": (Step(16, 3000.0, 2.9), Step(16, 400.0)),
    "high_noise": (Step(32, 25000.0, 2.9), Step(32, 3500.0)),
}
HIGH_NOISE = 0.1  # the profile for it gains 0.2 dB at 0.15 and nothing at 0.06


def bm4d(volumes: Tensor, sigma: float, *, profile: str = "auto") -> Tensor:
    """Denoise volumes that carry white Gaussian noise.

    A voxel of the result depends on the input up to 26 voxels away in each dimension: 13 in each step (from the voxel 3
    to the far corner of a cube, 5 to its reference, 5 to another cube of the stack). Tiles agree with the whole volume
    when they begin at multiples of the stride, 2; but rounding may swap two cubes that are equally similar, which moves
    voxels by about a thousandth of the noise.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        profile: "normal", "high_noise" (longer stacks of less similar cubes), or "auto": high_noise above sigma = 0.1.

    Returns:
        A tensor like ``volumes``. On a CPU the same input gives the same bits.

    Raises:
        ValueError: the profile is unknown.

    >>> bm4d(torch.full((1, 1, 8, 8, 8), 0.5), 0.1).shape
    torch.Size([1, 1, 8, 8, 8])
    """
    if profile == "auto":
        profile = "high_noise" if sigma > HIGH_NOISE else "normal"
    if profile not in PROFILES:
        raise ValueError(f"profile must be auto, {' or '.join(PROFILES)}, not {profile!r}")
    hard, wiener = PROFILES[profile]
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    restored = []
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # whose ten bits would not do
        for noisy in volumes[:, 0]:
            basic = _run(hard, noisy, noisy, variance)
            restored.append(_run(wiener, noisy, basic, variance))
    return torch.stack(restored)[:, None]


@dataclass(frozen=True)
class Tile:
    """References along one axis: where their search begins, and which of them count."""

    start: int
    counts: Tensor

    @property
    def stop(self) -> int:
        """Where the search ends."""
        return self.start + STRIDE * (len(self.counts) - 1) + SIDE

    def within(self, start: int) -> Tile:
        """The same in a part that begins at ``start``."""
        return Tile(self.start - start, self.counts)


def _run(step: Step, noisy: Tensor, pilot: Tensor, variance: float) -> Tensor:
    """One step on a volume ``(D, H, W)``, whose cubes are compared in ``pilot``."""
    shape, device = noisy.shape, noisy.device
    chunk = CHUNK if device.type == "cpu" else CHUNK_GPU
    around = (MARGIN,) * 6
    noisy, pilot = F.pad(noisy, around), F.pad(pilot, around)
    outside = F.pad(torch.zeros([side - CUBE + 1 for side in shape], device=device), around, value=torch.inf)
    total, weights = torch.zeros_like(noisy), torch.zeros_like(noisy)
    axes = [_chunks(_planes(shape[0], chunk), chunk), *(_chunks(_tiles(side), chunk) for side in shape[1:])]

    def restored(tiles: tuple[list[Tile], ...]) -> tuple[tuple[slice, ...], Tensor, Tensor]:
        ends = [(min(tile.start for tile in axis), max(tile.stop for tile in axis)) for axis in tiles]
        voxels = tuple(slice(start, stop + CUBE - 1) for start, stop in ends)
        beyond = outside[tuple(slice(*axis) for axis in ends)]
        inner = [[tile.within(start) for tile in axis] for axis, (start, _) in zip(tiles, ends, strict=True)]
        return voxels, *_chunk(step, noisy[voxels], pilot[voxels], beyond, inner, variance)

    for voxels, cubes, weight in each(restored, list(product(*axes)), device):
        total[voxels] += cubes
        weights[voxels] += weight
    inside = tuple(slice(MARGIN, MARGIN + side) for side in shape)
    return total[inside] / weights[inside]


def _tiles(length: int) -> list[Tile]:
    """The tiles along one side of a volume, which has a margin added in front.

    References stand at the multiples of the stride and at the last position where a cube fits. If that is no multiple,
    a further tile ends there, of which no other reference counts.
    """
    last = length - CUBE
    offsets = STRIDE * torch.arange(TILE)
    tiles = [(origin, origin + offsets <= last) for origin in range(0, last + 1, STRIDE * TILE)]
    if last % STRIDE:
        tiles.append((last - int(offsets[-1]), offsets == offsets[-1]))
    return [Tile(origin + MARGIN - RADIUS, counts) for origin, counts in tiles]


def _planes(length: int, chunk: int) -> list[Tile]:
    """The same references along the slices, in tiles as deep as a chunk: their number is free."""
    last = length - CUBE
    tiles = [(z, (min(last, z + chunk - 1) - z) // STRIDE + 1) for z in range(0, last + 1, chunk)]
    if last % STRIDE:
        tiles.append((last, 1))
    return [Tile(origin + MARGIN - RADIUS, torch.ones(count, dtype=torch.bool)) for origin, count in tiles]


def _chunks(tiles: list[Tile], chunk: int) -> list[list[Tile]]:
    """Tiles that begin within ``chunk`` voxels of each other, together."""
    chunks = []
    while tiles:
        chunks.append([tile for tile in tiles if tile.start - tiles[0].start < chunk])
        tiles = tiles[len(chunks[-1]) :]
    return chunks


def _chunk(
    step: Step, noisy: Tensor, pilot: Tensor, outside: Tensor, tiles: list[list[Tile]], variance: float
) -> tuple[Tensor, Tensor]:
    """The weighted sum of all restored cubes, and the sum of their weights, both ``(d, h, w)``.

    ``outside`` is infinite at positions where a cube would reach beyond the volume, else 0.
    """
    transform = _cubic(haar_matrix(CUBE)) if step.threshold else _dct()
    spectra = _spectra(noisy, transform)
    pilots = spectra if step.threshold else _spectra(pilot, transform)
    compared = spectra if step.threshold else pilots[..., :LOW]
    limit = compared.shape[3] * (step.match / 255**2 + (2 * variance if step.threshold else 0.0))
    table, pilot_table = spectra.view(-1, NUMBERS), pilots.view(-1, NUMBERS)
    sums, weights = torch.zeros_like(table), table.new_zeros(len(table))
    for index, size in _stacks(step.stack, limit, compared, outside, tiles):
        haar = haar_matrix(size).to(table.device)
        stack = (haar @ table.index_select(0, index).view(size, -1)).view(size, -1, NUMBERS)
        if step.threshold:
            gain = F.hardshrink(stack, step.threshold * variance**0.5).sign_().square_()
        else:
            gain = (haar @ pilot_table.index_select(0, index).view(size, -1)).square_().view_as(stack)
            gain /= gain + WIENER_NOISE * variance
        gain[0, :, 0] = 1  # the mean of a stack
        weight = torch.linalg.vector_norm(gain, dim=2).square_().sum(0).reciprocal_()
        stack *= gain.mul_(weight[:, None])
        sums.index_add_(0, index, (haar.T @ stack.flatten(1)).view(-1, NUMBERS))
        weights.index_add_(0, index, weight.repeat(size))
    cubes = transform.float().T.to(table.device) @ sums.T
    return _overlap_add(cubes, noisy), _overlap_add(weights.expand(NUMBERS, -1), noisy)


def _spectra(volume: Tensor, transform: Tensor) -> Tensor:
    """The transform of the cube at every position of ``(d, h, w)``: ``(d - 3, h - 3, w - 3, 64)``.

    A 2-D convolution whose channels are the slices of a cube; its result, in channels_last, has the numbers of a cube
    side by side.
    """
    kernels = transform.float().view(-1, CUBE, CUBE, CUBE).to(volume.device)
    slices = volume.unfold(0, CUBE, 1).permute(0, 3, 1, 2)
    spectra = F.conv2d(slices, kernels.to(memory_format=torch.channels_last))
    return spectra.permute(0, 2, 3, 1).contiguous()


def _overlap_add(cubes: Tensor, like: Tensor) -> Tensor:
    """Sum cubes ``(64, positions)`` under a Kaiser window where they overlap, into ``(d, h, w)``."""
    summed = torch.zeros_like(like)
    depth, height, width = (side - CUBE + 1 for side in like.shape)
    window = torch.kaiser_window(CUBE, periodic=False, beta=KAISER_BETA).tolist()
    for number, (i, j, k) in enumerate(product(range(CUBE), repeat=3)):
        voxels = cubes[number].view(depth, height, width)
        summed[i : i + depth, j : j + height, k : k + width].add_(voxels, alpha=window[i] * window[j] * window[k])
    return summed


def _stacks(
    most: int, limit: float, table: Tensor, outside: Tensor, tiles: list[list[Tile]]
) -> Iterator[tuple[Tensor, int]]:
    """Positions of stacked cubes, and the size of the stacks, some stacks of one size at a time.

    The positions are ``(size * stacks,)``, the members of a stack ``stacks`` apart.
    """
    at_once = TEMPORARY if table.device.type == "cpu" else TEMPORARY_GPU
    energy = torch.linalg.vector_norm(table[..., 1:], dim=3).square_() + outside
    for tile in product(*tiles):
        positions, similar = _match(most, limit, table, energy, *tile)
        for size in (1 << k for k in range(most.bit_length())):
            chosen = (similar >= size) & (similar < 2 * size)
            for stacks in positions[chosen, :size].split(at_once // (size * NUMBERS)):
                if len(stacks):
                    yield stacks.T.flatten(), size


def _match(
    most: int, limit: float, table: Tensor, energy: Tensor, plane: Tile, row: Tile, column: Tile
) -> tuple[Tensor, Tensor]:
    """For all references of a tile, the positions of the most similar cubes, best first ``(references, most)``, and how
    many of them are nearer than ``limit`` ``(references,)``. A reference leads its stack.

    Distances are |p|² + |q|² - 2pq, with means taken from the mean of the region, or rounding would drown the small
    distances. ``energy`` is |p|² without the mean of the cube, and infinite for cubes beyond the volume.
    """
    device = table.device
    count = len(plane.counts)
    region = tuple(slice(tile.start, tile.stop) for tile in (plane, row, column))
    candidates = table[region].clone(memory_format=torch.contiguous_format)
    means = candidates[..., 0]
    means -= means.mean()
    squares = energy[region] + means.square()
    grid = (slice(RADIUS, -RADIUS, STRIDE),) * 3
    references, own = candidates[grid].reshape(count, TILE**2, -1), squares[grid]
    # The references of a plane search in eleven slices, which they share in part with those of the next plane.
    candidates = candidates.flatten(1, 2).unfold(0, SIDE, STRIDE).movedim(3, 1).flatten(1, 2)
    squares = squares.flatten(1).unfold(0, SIDE, STRIDE).movedim(2, 1).flatten(1)
    distances = torch.baddbmm(squares[:, None], references, candidates.mT, alpha=-2)
    windows = distances.as_strided(
        (count, TILE, TILE, SIDE, SIDE, SIDE),
        (TILE**2 * SIDE * AREA, TILE * SIDE * AREA + STRIDE * REGION, SIDE * AREA + STRIDE, AREA, REGION, 1),
    )
    distances = (windows + own[..., None, None, None]).view(-1, SIDE**3).clamp_(min=0)
    order = torch.arange(SIDE**3, dtype=torch.int32, device=device)
    keys = distances.view(torch.int32).bitwise_and_(-INDICES).bitwise_or_(order)
    keys[:, SIDE**3 // 2] = SIDE**3 // 2 - (1 << 31)  # the reference itself comes first
    around = torch.arange(-RADIUS, RADIUS + 1, device=device)
    offsets = _positions(around, around, around, table).flatten()
    z, y, x = (torch.arange(tile.start + RADIUS, tile.stop - RADIUS, STRIDE) for tile in (plane, row, column))
    z, y, x = z[plane.counts], y[row.counts], x[column.counts]
    counts = (plane.counts[:, None, None] & row.counts[:, None] & column.counts).flatten().to(device)
    keys = _smallest(keys, most)[counts]
    start = _positions(z, y, x, table).flatten().to(device)
    furthest = int(torch.tensor(limit, dtype=torch.float32).view(torch.int32))
    return start[:, None] + offsets[(keys & (INDICES - 1)).long()], (keys < furthest).sum(1)


def _positions(z: Tensor, y: Tensor, x: Tensor, table: Tensor) -> Tensor:
    """Flat positions of a grid in a table."""
    return (z[:, None, None] * table.shape[1] + y[:, None]) * table.shape[2] + x


def _smallest(keys: Tensor, k: int) -> Tensor:
    """The ``k`` smallest of the ``SIDE³`` keys in each row, in order.

    torch.topk is slow on a CPU, NumPy's partition of short rows is not: of SIDE² columns of SIDE keys, only the k with
    the smallest minima can hold one of the k smallest keys.
    """
    if keys.device.type != "cpu":
        return keys.topk(k, largest=False).values
    columns = keys.view(len(keys), SIDE, SIDE**2)
    minima = np.partition(columns.amin(1).numpy(), k - 1, axis=1)[:, :k]
    chosen = torch.from_numpy((minima & (INDICES - 1)) % SIDE**2).long()
    candidates = columns.gather(2, chosen[:, None].expand(-1, SIDE, -1)).flatten(1)
    return torch.from_numpy(np.sort(np.partition(candidates.numpy(), k - 1, axis=1)[:, :k], axis=1))


@cache
def _dct() -> Tensor:
    """Orthonormal 3-D DCT-II of flattened cubes, float64; frequencies in rising order."""
    k = torch.arange(CUBE, dtype=torch.float64)
    matrix = torch.cos(torch.pi / CUBE * (k + 0.5) * k[:, None]) * (2 / CUBE) ** 0.5
    matrix[0] /= 2**0.5
    frequency = k[:, None, None] ** 2 + k[:, None] ** 2 + k**2
    return _cubic(matrix)[frequency.flatten().argsort(stable=True)]


def _cubic(matrix: Tensor) -> Tensor:
    """The transform of flattened cubes that transforms each dimension by ``matrix``."""
    return torch.kron(torch.kron(matrix, matrix), matrix)
