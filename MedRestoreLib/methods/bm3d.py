"""BM3D: similar blocks are stacked and denoised together (Dabov, Foi, Katkovnik and Egiazarian, IEEE TIP 16(8), 2007).

Both steps do the same four things: find, for every reference block, the most similar blocks in a window around it; take
the 3-D spectrum of their stack (a 2-D transform of each block, Haar along the stack); shrink it; put the blocks back,
weighted by how sparse their spectrum was. What makes it quick here: every block is transformed once and stacks are
gathered from that table, the distances of a tile of references are one matrix product, and blocks are summed as
spectra, so they return to pixels once per position instead of once per stack.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 19  # of the search window, in both steps and profiles
SIDE = 2 * RADIUS + 1
KAISER_BETA = 2.0
TILE = (4, 8)  # references (rows, columns) whose distances are one matrix product
INDEX = (1 << 11) - 1  # the low bits of a sort key hold the index in the window; SIDE² <= 2^11

# Block positions whose spectra are held at once (about 1 kB each), and numbers in a temporary array. On a CPU
# temporaries stay in the cache; a GPU wants long arrays.
POSITIONS = {"cpu": 1 << 16, "cuda": 1 << 21}
TEMPORARY = {"cpu": 1 << 20, "cuda": 1 << 27}


@dataclass(frozen=True)
class Step:
    """The constants of one step, on the scale of 8-bit images."""

    block: int
    stride: int
    stack: int
    match: float  # largest mean squared difference of similar blocks
    threshold: float | None = None  # hard threshold in standard deviations of the noise; None in the Wiener step


# The paper's (its section IV); the second row is for strong noise.
PROFILES = {
    "normal": (Step(8, 3, 16, 3000.0, 2.7), Step(8, 3, 32, 400.0)),
    "high_noise": (Step(8, 4, 32, 25000.0, 2.8), Step(11, 6, 32, 3500.0)),
}
HIGH_NOISE = 40 / 255


def bm3d(images: Tensor, sigma: float, *, profile: str = "auto") -> Tensor:
    """Denoise images that carry white Gaussian noise.

    Args:
        images: float32 ``(N, 1, H, W)``, nominally in [0, 1], on any device; sides of at least 11. The N images are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        profile: "normal", "high_noise" (longer stacks, larger Wiener blocks, wider strides), or "auto": high_noise
            above sigma = 40/255.

    Returns:
        A tensor like ``images``.

    Raises:
        ValueError: the profile is unknown.
    """
    if profile == "auto":
        profile = "high_noise" if sigma > HIGH_NOISE else "normal"
    if profile not in PROFILES:
        raise ValueError(f"profile must be auto, {' or '.join(PROFILES)}, not {profile!r}")
    hard, wiener = PROFILES[profile]
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    restored = []
    for noisy in images[:, 0].split(max(1, POSITIONS[images.device.type] // images[0].numel())):
        basic = _run(hard, noisy, noisy, variance)
        restored.append(_run(wiener, noisy, basic, variance))
    return torch.cat(restored)[:, None]


def _run(step: Step, noisy: Tensor, pilot: Tensor, variance: float) -> Tensor:
    """One step on images ``(n, H, W)``; blocks are compared in ``pilot``. Done in strips to bound the memory."""
    n, height, width = noisy.shape
    columns = _tiles(width, step, TILE[1])
    tiles = _tiles(height, step, TILE[0])
    reach = step.stride * (TILE[0] - 1) + RADIUS + step.block
    total, weights = torch.zeros_like(noisy), torch.zeros_like(noisy)
    limit = max(1, POSITIONS[noisy.device.type] // (n * width))
    while tiles:
        strip = [tile for tile in tiles if tile[0] + reach - tiles[0][0] + RADIUS <= limit] or tiles[:1]
        tiles = tiles[len(strip) :]
        top = max(0, min(origin for origin, _ in strip) - RADIUS)
        bottom = min(height, max(origin for origin, _ in strip) + reach)
        rows = [(origin - top, kept) for origin, kept in strip]
        pixels = slice(top, bottom)
        more, weight = _strip(step, noisy[:, pixels], pilot[:, pixels], rows, columns, variance)
        total[:, pixels] += more
        weights[:, pixels] += weight
    return total / weights


def _tiles(length: int, step: Step, per_tile: int) -> list[tuple[int, Tensor]]:
    """Along one axis, the origin of each tile and which of its references count.

    References stand at the multiples of the stride, and at the last position where a block fits; if that is no
    multiple, a further tile ends there.
    """
    last = length - step.block
    offsets = step.stride * torch.arange(per_tile)
    tiles = [(start, start + offsets <= last) for start in range(0, last + 1, step.stride * per_tile)]
    if last % step.stride:
        tiles.append((last - int(offsets[-1]), offsets == offsets[-1]))
    return tiles


def _strip(step: Step, noisy: Tensor, pilot: Tensor, rows: list, columns: list, variance: float):
    """Weighted sum of the restored blocks of all tiles, and the sum of weights, both ``(n, h, w)``."""
    block, device = step.block, noisy.device
    transform = _bior(block) if step.threshold else _dct(block)
    compared, spectra = _spectra(pilot, _dct(block)), _spectra(noisy, transform)
    n, height, width, numbers = spectra.shape
    sums, weights = torch.zeros_like(spectra).view(-1, numbers), noisy.new_zeros(n * height * width)
    compared_rows, spectra_rows = compared.view(-1, numbers), spectra.view(-1, numbers)
    at_once = max(1, TEMPORARY[device.type] // numbers)
    for members, sizes in _match(step, compared, rows, columns):
        for size in (1 << k for k in range(step.stack.bit_length())):
            for stacks in members[sizes == size, :size].split(max(1, at_once // size)):
                index = stacks.T.flatten()
                stack = spectra_rows.index_select(0, index).view(size, -1, numbers)
                if step.threshold:
                    stack, weight = _hard(stack, step.threshold * variance**0.5)
                else:
                    stack, weight = _wiener(stack, compared_rows.index_select(0, index).view_as(stack), variance)
                sums.index_add_(0, index, stack.view(-1, numbers))
                weights.index_add_(0, index, weight.repeat(size))
    window = _kaiser(block, device)
    synthesis = window[:, None] * torch.linalg.inv(transform).to(device, torch.float32)
    total = F.fold(synthesis @ sums.view(n, -1, numbers).mT, noisy.shape[1:], block)
    weights = F.fold(window[:, None] * weights.view(n, 1, -1), noisy.shape[1:], block)
    return total[:, 0], weights[:, 0]


def _spectra(images: Tensor, transform: Tensor) -> Tensor:
    """The 2-D transform of every block of ``(n, h, w)``: ``(n, rows, columns, block²)``."""
    side = round(len(transform) ** 0.5)
    kernels = transform.to(images.device, torch.float32).view(-1, 1, side, side)
    last = torch.channels_last
    spectra = F.conv2d(images[:, None].contiguous(memory_format=last), kernels.contiguous(memory_format=last))
    return spectra.permute(0, 2, 3, 1).contiguous()


def _match(step: Step, table: Tensor, rows: list, columns: list):
    """For some tile columns at a time, the positions of the blocks most similar to each reference, best first
    ``(references, stack)``, and how many of them to stack.

    The regions where a tile column searches are copied side by side, so that the distances |p|² + |q|² - 2pq between a
    tile's references p and all candidates q are a matrix product without further copies.
    """
    n, height, width, numbers = table.shape
    device = table.device
    energy = table.square().sum(3)
    tall, wide = (step.stride * (k - 1) + SIDE for k in TILE)
    area, per_tile = tall * wide, TILE[0] * TILE[1]
    first = min(origin for origin, _ in rows) - RADIUS
    lines = max(origin for origin, _ in rows) - RADIUS + tall - first
    limit = step.match * numbers / 255**2
    order = torch.arange(SIDE**2, dtype=torch.int32, device=device)
    around = torch.arange(-RADIUS, RADIUS + 1, device=device)
    window = (around[:, None] * width + around).flatten()
    grid = [step.stride * torch.arange(k, device=device) for k in TILE]
    grid = grid[0][:, None] * width + grid[1] + torch.arange(n, device=device)[:, None, None] * (height * width)
    at_once = max(1, TEMPORARY[device.type] // (n * per_tile * area))
    regions = table.new_zeros(min(at_once, len(columns)), n, lines, wide, numbers)
    for start in range(0, len(columns), at_once):
        group = columns[start : start + at_once]
        energies = energy.new_full((len(group), n, lines, wide), torch.inf)
        top, bottom = max(first, 0), min(first + lines, height)
        for k, (x, _) in enumerate(group):
            left, right = max(x - RADIUS, 0), min(x - RADIUS + wide, width)
            part = (k, slice(None), slice(top - first, bottom - first), slice(left - x + RADIUS, right - x + RADIUS))
            regions[part] = table[:, top:bottom, left:right]
            energies[part] = energy[:, top:bottom, left:right]
        found, sizes = [], []
        for y, kept in rows:
            lines_y = slice(y - RADIUS - first, y - RADIUS - first + tall)
            candidates = regions[: len(group), :, lines_y].flatten(0, 1)
            candidate_energy = energies[:, :, lines_y].flatten(0, 1)
            inner = (slice(None), *(slice(RADIUS, RADIUS + step.stride * (k - 1) + 1, step.stride) for k in TILE))
            products = torch.baddbmm(
                candidate_energy.flatten(1)[:, None],
                candidates[inner].reshape(-1, per_tile, numbers),
                candidates.flatten(1, 2).mT,
                alpha=-2,
            )
            windows = products.as_strided(
                (len(products), *TILE, SIDE, SIDE),
                (area * per_tile, area * TILE[1] + step.stride * wide, area + step.stride, wide, 1),
            )
            distances = (windows + candidate_energy[inner][..., None, None]).view(-1, SIDE**2)
            distances.clamp_(min=0)[:, SIDE**2 // 2] = -1  # the reference itself comes first
            keys = distances.view(torch.int32).bitwise_and_(~INDEX).bitwise_or_(order)
            counts = torch.stack([kept[:, None] & kept_x for _, kept_x in group])
            counts = counts[:, None].expand(-1, n, -1, -1).flatten().to(device)
            keys = _smallest(keys[counts], step.stack)
            position = torch.stack([grid + (y * width + x) for x, _ in group]).flatten()[counts]
            found.append(position[:, None] + window[(keys & INDEX).long()])
            sizes.append(((keys & ~INDEX).view(torch.float32) <= limit).sum(1))
        yield torch.cat(found), torch.cat(sizes).float().log2().floor().exp2().int()


def _smallest(keys: Tensor, k: int) -> Tensor:
    """The ``k`` smallest keys of each row, in order.

    torch.topk is slow on a CPU, NumPy's partition of short rows is not: of 117 columns of 13 keys, only those with the
    k smallest heads can hold one of the k smallest keys.
    """
    if keys.device.type != "cpu":
        return keys.topk(k, largest=False).values
    columns = keys.view(len(keys), 13, 117)
    heads = np.partition(columns.amin(1).numpy(), k - 1, axis=1)[:, :k]
    chosen = torch.from_numpy((heads & INDEX) % 117).long()
    short = columns.gather(2, chosen[:, None].expand(-1, 13, -1)).flatten(1)
    return torch.from_numpy(np.sort(np.partition(short.numpy(), k - 1, axis=1)[:, :k], axis=1))


def _hard(stack: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    haar = _haar(len(stack), stack.device)
    spectrum = (haar @ stack.flatten(1)).view_as(stack)
    mean = spectrum[0, :, 0].clone()
    spectrum = F.hardshrink(spectrum, threshold)
    spectrum[0, :, 0] = mean
    weight = spectrum.ne(0).sum((0, 2)).clamp_(min=1).float().reciprocal_()
    spectrum *= weight[:, None]
    return (haar.T @ spectrum.flatten(1)).view_as(stack), weight


def _wiener(stack: Tensor, pilot: Tensor, variance: float) -> tuple[Tensor, Tensor]:
    haar = _haar(len(stack), stack.device)
    gain = (haar @ pilot.flatten(1)).square_()
    gain /= gain + variance
    gain = gain.view_as(stack)
    weight = gain.square().sum((0, 2)).reciprocal_()
    spectrum = (haar @ stack.flatten(1)).view_as(stack).mul_(gain).mul_(weight[:, None])
    return (haar.T @ spectrum.flatten(1)).view_as(stack), weight


@cache
def _haar(size: int, device: torch.device) -> Tensor:
    """Orthonormal Haar transform of a power of two, coarsest row first."""
    matrix = torch.ones(1, 1)
    while len(matrix) < size:
        fine = torch.kron(torch.eye(len(matrix)), torch.tensor([[1.0, -1.0]]))
        matrix = torch.cat([torch.kron(matrix, torch.ones(1, 2)), fine]) / 2**0.5
    return matrix.to(device)


@cache
def _dct(side: int) -> Tensor:
    """Orthonormal 2-D DCT-II of flattened blocks, ``(side², side²)``."""
    k = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(torch.pi / side * (k + 0.5) * k[:, None]) * (2 / side) ** 0.5
    matrix[0] /= 2**0.5
    return torch.kron(matrix, matrix)


@cache
def _bior(side: int) -> Tensor:
    """Full periodic bior1.5 decomposition of flattened blocks, rows of unit norm so that each carries the noise's variance."""
    taps = torch.tensor([3, -3, -22, 22, 128, 128, 22, -22, -3, 3], dtype=torch.float64) / 128
    matrix = torch.eye(side, dtype=torch.float64)
    length = side
    while length > 1:
        level = torch.zeros(length, length, dtype=torch.float64)
        for k in range(length // 2):
            for tap, value in enumerate(taps):
                level[k, (2 * k + tap - 4) % length] += value
            level[length // 2 + k, 2 * k] = 1
            level[length // 2 + k, 2 * k + 1] = -1
        matrix[:length] = level @ matrix[:length]
        length //= 2
    matrix /= matrix.norm(dim=1, keepdim=True)
    return torch.kron(matrix, matrix)


@cache
def _kaiser(side: int, device: torch.device) -> Tensor:
    line = torch.kaiser_window(side, periodic=False, beta=KAISER_BETA)
    return (line[:, None] * line).flatten().to(device)
