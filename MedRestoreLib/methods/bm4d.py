"""BM4D: similar cubes are grouped and denoised together (Maggioni, Katkovnik, Egiazarian, Foi, IEEE TIP 22(1), 2013).

BM3D with cubes for blocks; the two steps are those of ``collaborative``. A volume is restored in chunks, so that the
table of cubes never holds more than a chunk.

On four samples the paper's periodic bior1.5 is the Haar transform, which is orthonormal, so the table of the first step
also serves to compare cubes.

Deviations from the paper, measured on three heads with Rician noise of 3, 9 and 15 % (mean gain in dB): references
stand 2 voxels apart, not 3 (+0.2); the hard threshold is 2.9 sigma, not 2.7 (+0.1); the largest distance of the first
step grows with the noise, which adds 2 sigma² to every distance. The second step compares only the lowest frequencies
of cubes, for the first estimate has little above them, and groups 16 cubes, not 32: a fifth of the time less, for
0.02 dB. Its filter assumes a little less noise than there is, and the mean of a group is always kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..noise import Spectrum
from . import returning
from .aggregation import by_size
from .collaborative import Profile, Step, filtered, in_chunks, put_back, shrunk
from .correlated import GroupNoise
from .matching import INDICES, Lattice, Run, distances, most_similar, positions, valid_references
from .options import checked
from .parallel import PerDevice
from .transforms import dct, haar

CUBES = Lattice(side=4, stride=2, radius=5, batch=(1, 4, 4))
WIENER_NOISE = 0.9  # part of the noise variance that the Wiener filter assumes
LOW = 11  # lowest frequencies of a cube: indices (i, j, k) with i² + j² + k² <= 4

CHUNK = PerDevice(cpu=48, gpu=96)  # side of a chunk, in voxels, without the search around it
TEMPORARY = PerDevice(cpu=1 << 18, gpu=1 << 24)  # numbers in a temporary array

PROFILES = {
    "normal": (Step(16, 3000.0, 2.9), Step(16, 400.0)),
    "high_noise": (Step(32, 25000.0, 2.9), Step(32, 3500.0)),
}
HIGH_NOISE = 0.1  # the profile for it gains 0.2 dB at 0.15 and nothing at 0.06
REACH = 26  # of both steps


@checked
def bm4d(
    volumes: Tensor,
    sigma: float,
    *,
    profile: Profile = "auto",
    keep_means: bool = False,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Denoise volumes that carry Gaussian noise, white or of a known spectrum.

    A voxel of the result depends on the input up to 26 voxels away in each dimension: 13 in each step (from the voxel 3
    to the far corner of a cube, 5 to its reference, 5 to another cube of the group). Tiles agree with the whole volume
    when they begin at multiples of the stride, 2; but rounding may swap two cubes that are equally similar, which moves
    voxels by about a thousandth of the noise.

    Args:
        volumes: float32 ``(N, 1, D, H, W)``, nominally in [0, 1], on any device; sides of at least 4. The N volumes are
            independent of each other.
        sigma: standard deviation of the noise on the same scale.
        profile: "normal", "high_noise" (larger groups of less similar cubes), or "auto": high_noise above sigma = 0.1,
            or where coloured noise is that strong at low frequencies.
        keep_means: give back what was taken from the means of small regions, with a little of the noise; see
            ``returning``.
        spectrum: of coloured noise: every coefficient of a group has its own variance, which depends on how far its
            cubes lie apart; it takes up to twice as long. None: white.

    Returns:
        A tensor like ``volumes``. On a CPU the same input gives the same bits.

    Raises:
        InvalidPlan: the profile is unknown.

    >>> bm4d(torch.full((1, 1, 8, 8, 8), 0.5), 0.1).shape
    torch.Size([1, 1, 8, 8, 8])
    """
    hard, _ = _steps(profile, sigma, spectrum)
    restored = []
    for noisy in volumes[:, 0]:
        basic = _step(hard, noisy, noisy, sigma, spectrum)
        final = second_step(noisy, basic, sigma, profile=profile, spectrum=spectrum)
        restored.append(returning.returned(noisy, final, sigma, spectrum) if keep_means else final)
    return torch.stack(restored)[:, None]


def second_step(
    noisy: Tensor, estimate: Tensor, sigma: float, *, profile: Profile = "auto", spectrum: Spectrum | None = None
) -> Tensor:
    """The Wiener filter of BM4D, told by any estimate of a volume; both ``(D, H, W)``, the rest as for ``bm4d``."""
    return _step(_steps(profile, sigma, spectrum)[1], noisy, estimate, sigma, spectrum)


def reach(sigma: float, keep_means: bool = False, **_: object) -> int:
    """How many voxels away a voxel can influence the result, along each axis."""
    return REACH + keep_means * returning.reach()


def _steps(profile: Profile, sigma: float, spectrum: Spectrum | None) -> tuple[Step, Step]:
    if profile == "auto":
        low = 1.0 if spectrum is None else spectrum.plateau  # of the noise, where most of an image's structure is
        profile = "high_noise" if sigma * low > HIGH_NOISE else "normal"
    return PROFILES[profile]


def _step(step: Step, noisy: Tensor, pilot: Tensor, sigma: float, spectrum: Spectrum | None) -> Tensor:
    """One step on a volume ``(D, H, W)``, in chunks; cubes are compared in ``pilot``."""
    variance = max(float(sigma) ** 2, 1e-12)  # no 0/0 in the Wiener filter where there is no noise
    transform = haar(CUBES.side, 3) if step.threshold else _rising_dct()
    synthesis = transform.float().T.to(noisy.device)
    coloured = None if spectrum is None else _group_noise(step, spectrum).to(noisy.device)
    shared = None if coloured is None or not step.threshold else variance * _around(coloured.shared)

    def filter_box(noisy: Tensor, pilot: Tensor, outside: Tensor, runs: list[list[Run]]) -> tuple[Tensor, Tensor]:
        def gains(members: Tensor, group: Tensor, pilot: Tensor | None = None) -> tuple[Tensor, Tensor]:
            noise = None if coloured is None else coloured.variances(members, compared.shape[:3]).mul_(variance)
            if pilot is not None:
                gain = pilot.square_()
                gain /= gain + WIENER_NOISE * (variance if noise is None else noise)
            elif noise is None:
                gain = F.hardshrink(group, step.threshold * variance**0.5).sign_().square_()
            else:
                gain = (group.square() > step.threshold**2 * noise).float()
            gain[0, :, 0] = 1  # the mean of a group
            left = gain.square() if noise is None else gain.square().mul_(noise).div_(variance)
            return gain, left.sum((0, 2)).clamp_(min=1e-6).reciprocal_()

        spectra = [_spectra(volume, transform) for volume in ((noisy,) if step.threshold else (noisy, pilot))]
        compared = spectra[0] if step.threshold else spectra[1][..., :LOW]
        limit = compared.shape[3] * (step.max_distance / 255**2 + (2 * variance if step.threshold else 0.0))
        tables = [table.view(-1, CUBES.numbers) for table in spectra]
        sums, weights = shrunk(tables, _groups(step.group_size, limit, compared, outside, shared, runs), gains)
        return put_back(synthesis @ sums.T, weights, compared.shape[:3], CUBES.side)

    chunk = CHUNK.on(noisy.device)
    counts = (chunk // CUBES.stride, 0, 0)  # a run along the slices may have any length: each of them is a batch
    runs = [CUBES.runs(length, axis, counts[axis]) for axis, length in enumerate(noisy.shape)]
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # whose ten bits would not do
        return filtered(noisy, pilot, CUBES, [in_chunks(axis, chunk) for axis in runs], filter_box)


def _spectra(volume: Tensor, transform: Tensor) -> Tensor:
    """The transform of the cube at every position of ``(d, h, w)``: ``(d - 3, h - 3, w - 3, 64)``.

    A 2-D convolution whose channels are the slices of a cube; its result, in channels_last, has the numbers of a cube
    side by side.
    """
    kernels = transform.float().view(-1, *[CUBES.side] * 3).to(volume.device)
    slices = volume.unfold(0, CUBES.side, 1).permute(0, 3, 1, 2)
    spectra = F.conv2d(slices, kernels.to(memory_format=torch.channels_last))
    return spectra.permute(0, 2, 3, 1).contiguous()


def _groups(
    most: int, limit: float, table: Tensor, outside: Tensor, shared: Tensor | None, runs: list[list[Run]]
) -> Iterator[Tensor]:
    """Positions of the members of all groups, ``(size, groups)`` for some groups at a time."""
    at_once = TEMPORARY.on(table.device) // CUBES.numbers
    energy = torch.linalg.vector_norm(table[..., 1:], dim=3).square_() + outside
    for box in product(*runs):
        yield from by_size(*_match(most, limit, table, energy, shared, box), at_once)


def _match(
    most: int, limit: float, table: Tensor, energy: Tensor, shared: Tensor | None, runs: tuple[Run, ...]
) -> tuple[Tensor, Tensor]:
    """The most similar cubes of the references that stand where three runs cross.

    The mean of the region is subtracted from the means of cubes: rounding of their large squares would exceed small
    distances.

    Args:
        most: how many cubes to find.
        limit: largest distance of similar cubes.
        table: spectra of the cubes at every position, their means first, ``(d, h, w, numbers)``.
        energy: |q|² of each cube without its mean, ``(d, h, w)``; infinite for cubes beyond the volume.
        shared: of coloured noise, by how much it lowers the distance of cubes that lie near each other, for each cube
            of a window, flattened; None for white noise.
        runs: along each axis.

    Returns:
        Positions ``(references, most)``, by rising distance, and how many of them are nearer than ``limit``.
    """
    device = table.device
    region = tuple(slice(run.start, run.stop) for run in runs)
    cubes = table[region].clone(memory_format=torch.contiguous_format)
    means = cubes[..., 0]
    means -= means.mean()
    energies = energy[region] + means.square()
    # The references of a slice are a batch, whose region is a view: eleven slices, nine of which the next batch shares.
    cubes, energies = (values.unfold(0, CUBES.window, CUBES.stride).movedim(-1, 1) for values in (cubes, energies))
    distance = distances(cubes, energies, CUBES) + energies[:, *CUBES.references, None, None, None]
    distance = distance.view(-1, CUBES.window**3)
    distance = (distance if shared is None else distance + shared).clamp_(min=0)
    # Floats that are not negative have the order of their bits, read as integers.
    order = torch.arange(CUBES.window**3, dtype=torch.int32, device=device)
    keys = distance.view(torch.int32).bitwise_and_(-INDICES).bitwise_or_(order)
    farthest = int(torch.tensor(limit, dtype=torch.float32).view(torch.int32))
    offsets = positions([torch.arange(CUBES.window, device=device)] * 3, table.shape[:3]).flatten()
    corners = [run.start + CUBES.stride * torch.arange(len(run.valid)) for run in runs]
    starts = positions(corners, table.shape[:3]).flatten().to(device)
    return most_similar(keys, valid_references(runs).flatten(), starts, offsets, most, farthest)


def _group_noise(step: Step, spectrum: Spectrum) -> GroupNoise:
    """Of groups whose cubes are transformed as in this step."""
    order = torch.arange(CUBES.numbers) if step.threshold else _rising()
    return GroupNoise.of(spectrum, (haar if step.threshold else dct)(CUBES.side), order, CUBES.window, 3)


def _around(lags: Tensor) -> Tensor:
    """What depends on the distance along each axis, for the cubes of a window around its middle, flattened."""
    away = (torch.arange(CUBES.window) - CUBES.radius).abs()
    return lags[away[:, None, None], away[:, None], away].flatten()


@cache
def _rising() -> Tensor:
    """The coefficients of a cube's cosine transform, by rising frequency."""
    k = torch.arange(CUBES.side)
    return (k[:, None, None] ** 2 + k[:, None] ** 2 + k**2).flatten().argsort(stable=True)


@cache
def _rising_dct() -> Tensor:
    """Orthonormal 3-D DCT-II of flattened cubes, float64; frequencies in rising order."""
    return dct(CUBES.side, 3)[_rising()]
