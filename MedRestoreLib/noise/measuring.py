"""The noise of a study measured in its flat blocks: total strength, spectrum, and where it is stronger.

Blocks of 8x8x8 voxels (8x8 where there are few slices) are transformed by cosines. Anatomy is in the coefficients of
low index, so the blocks with least there beside what they have at middle indices are flat, however strong the noise is
where they lie. The median over them of each coefficient's magnitude gives the spectrum; where a block lies and how much
it has, the map. Frames that repeat one object are subtracted from each other: what is left is noise without anatomy.

After Ponomarenko et al., Proc. SPIE 6494, 2007, and Lebrun, Colom and Morel, IPOL 5, 2015; numbers are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .blocks import SIDE, grey_step
from .floor import share
from .map import LEAST, NoiseMap
from .spectrum import Spectrum

MOST = 20_000  # blocks transformed
FEWEST = 60  # flat blocks below which nothing is said
ENOUGH = 150  # flat blocks from which they are trusted: in a smaller study none need be flat
EARLY = 0.4  # density of the fourth band over the third: less is anatomy's
FLAT = 0.07  # share of the blocks that is flattest
DEEP, MANY = 12, 48  # slices from which blocks are cubes, and from which they are nothing else
THICK = 0.9  # noise in squares over that in cubes: with less, cubes hold anatomy
FOREGROUND = 0.12  # of the study's brightness: blocks below it are air
AIR = 4.5  # mean of air over its noise, at most: 1.9 with one coil, 4 with four
DARK = 0.35  # of the brightest blocks: air is darker
SIGNAL = 2.5  # of a block over its noise: fainter ones are left out, where magnitudes are far from Gaussian
LIT = 1.3  # power of a block over the noise floor: fainter ones may be air
REGION, REGIONS = 24, 4  # voxels of a region's side at least, and regions along an axis at most
STRONG = 0.3  # of the strongest coefficient: fainter ones do not tell a block's noise
# Noise that was filtered has less than LEAKED of the strongest coefficient at the OPEN last indices along each axis;
# white noise has more even where the strongest is anatomy's.
OPEN, LEAKED = 2, 0.02
GROWN = 1.15  # growth from which there is anatomy in the blocks
UNBELIEVABLE = 4.0  # strongest over weakest: no receiver or reconstruction does that
SCATTERED = 1.8  # dispersion from which there is anatomy in the blocks
# Squares of a few slices show neither the weak texture of tissue nor how uneven noise is: coloured noise that is so
# much fainter than tissue, or noise that scatters so much among the flattest of them, is not trusted.
FAINT, SCATTERED_SQUARES = 30.0, 1.14
ANATOMY = 1.1  # growth of squares from which there may be anatomy in the blocks
FILTERED = 1 / 3  # of ``least``: noise that is fainter at the highest frequencies is taken to be filtered
HIGH = (6, 24)  # coefficients of squares and of cubes that tell a map, at least
FINE = (12, 14)  # sums of a cube's indices beyond which anatomy is weaker, and beyond which it is weakest
# Densities that differ by less, relatively, are those of white noise; of few blocks, by CHANCE / sqrt(blocks). White
# noise stays below 3.8 / sqrt(blocks), and noise that was zero-filled to 1.2 times the size or more differs by 0.8.
WHITE, CHANCE = 0.15, 4.0

# Scanners' filters end below 0.05 of a spectrum's maximum. In pictures, a spectrum that ends above this along rows and
# columns is as likely that of fine texture with white noise beneath.
FLOOR = 0.09

_GAUSSIAN = 0.6745  # median of |x| for a standard normal x
_PLATEAU = 2  # first index along an axis that anatomy hardly reaches


@dataclass(frozen=True, eq=False)
class Measured:
    """Noise measured in flat blocks.

    Attributes:
        sigma: its total standard deviation in each channel, in the study's unit: the root mean square over the object,
            without what anatomy in the blocks adds.
        least: the standard deviation that nine of ten of the blocks exceed.
        faintest: standard deviation of white noise as strong as what is at the highest frequencies.
        spectrum: of the noise; None where it is white.
        noise_map: where it is stronger than elsewhere; None where it is even.
        blocks: how many flat blocks it was measured in.
        growth: standard deviation in twice as many blocks over that in these: 1 where blocks are flat, more where there
            is anatomy in them.
        dispersion: spread of the blocks' energy, beside the map, over that of stationary Gaussian noise: 1, or more
            where there is anatomy.
        repeats: it was measured in differences of frames.
        cubes: it was measured in cubes, not in squares.
        brightness: of the bright blocks, over ``sigma``.
        beneath: standard deviation of the white noise if the rest is a picture's fine texture; None where it is not.
    """

    sigma: float
    least: float
    faintest: float
    spectrum: Spectrum | None
    noise_map: NoiseMap | None
    blocks: int
    growth: float
    dispersion: float
    repeats: bool
    cubes: bool
    brightness: float
    beneath: float | None = None

    @property
    def confidence(self) -> float:
        """0 to 1; up to 0.5 there may be anatomy in the blocks (weights are set by Testing/benchmarks/mr_noise.py)."""
        if self.repeats:
            return 0.8
        if self.blocks < ENOUGH or self._rolls_off_at_once or self.beneath is not None:
            return 0.3
        if self.scattered or not (self.cubes or self.white or self.brightness < FAINT):
            return 0.4
        doubt = 4.5 * max(self.growth - 1.02, 0) + 0.5 * max(self.dispersion - 1.1, 0)
        return float(np.clip(0.95 - doubt, 0.05, 0.95))

    @property
    def scattered(self) -> bool:
        """Whether squares differ as those of even noise do not."""
        return not (self.cubes or self.repeats) and self.dispersion > SCATTERED_SQUARES

    @property
    def careful(self) -> float:
        """A standard deviation that the noise hardly falls short of.

        It is ``least`` but where even the flattest squares are full of anatomy, as in coarse echo-planar images: there
        it is what anatomy hardly reaches, the highest frequencies. Filtered noise has little at them.
        """
        if self.scattered and (self.growth > ANATOMY or self.dispersion > SCATTERED):
            return min(self.least, max(self.faintest, FILTERED * self.least))
        return self.least

    @property
    def _rolls_off_at_once(self) -> bool:
        """Whether it falls so early that smoothed or blurred anatomy would look the same."""
        profiles = self.spectrum.profiles if self.spectrum else []
        return any(profile[_PLATEAU + 1] < EARLY * profile[_PLATEAU] for profile in profiles if len(profile) > 1)

    @property
    def white(self) -> bool:
        """Whether it is white and even."""
        return self.spectrum is None and self.noise_map is None

    @property
    def words(self) -> str:
        """What kind of noise it is, for a person: "white and even", or how it differs from that."""
        return "; ".join(one.words for one in (self.spectrum, self.noise_map) if one is not None) or "white and even"


def measure(voxels: np.ndarray, *, textured: bool = False, floor: float = 0.0) -> Measured | None:
    """The noise of magnitudes or grey values ``(frames, slices, rows, columns)``; None without flat blocks.

    Args:
        voxels: the study.
        textured: slices may be pictures of anything, with fine texture everywhere.
        floor: mean square of the air, where several coils were combined; see ``noise_floor``.
    """
    if min(voxels.shape[-2:]) < SIDE or voxels.min() == voxels.max():
        return None
    step, slices = grey_step(voxels), voxels.shape[1]
    blocks = _cut(voxels, voxels, slices >= DEEP, floor)
    found = [_measured(blocks, step, voxels.shape[1:], textured=textured)]
    if DEEP <= slices < MANY and found[0] is not None and found[0].noise_map is None:
        # Where slices are thick, cubes reach over more anatomy than squares do.
        flat = _measured(_cut(voxels, voxels, False, floor), step, voxels.shape[1:], textured=textured)
        if flat is not None and flat.blocks >= ENOUGH and flat.sigma < THICK * found[0].sigma:
            found = [flat]
    if len(voxels) > 1:
        # Half the difference of successive frames has half the noise's variance, and no anatomy where they agree.
        difference = np.diff(voxels, axis=0) * np.float32(0.5**0.5)
        blocks = _cut(difference, (voxels[1:] + voxels[:-1]) / 2, slices >= DEEP, floor)
        found.append(_measured(blocks, step, voxels.shape[1:], repeats=True))
    return min((one for one in found if one is not None), key=lambda one: one.sigma, default=None)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Blocks of one study: their spectra, and the mean grey value and the place of each."""

    spectra: np.ndarray
    mean: np.ndarray
    places: np.ndarray

    def take(self, chosen: np.ndarray) -> _Blocks:
        return _Blocks(self.spectra[chosen], self.mean[chosen], self.places[chosen])


def _cut(voxels: np.ndarray, brightness: np.ndarray, cubes: bool, floor: float) -> _Blocks:
    """At most MOST cubes or squares where ``brightness`` is that of an object; drawn at random, always the same.

    Near the noise floor they are left out, and above it their noise is that of each channel.
    """
    from scipy.fft import dctn

    sides = (SIDE if cubes else 1, SIDE, SIDE)
    steps = [max(side // 2, 1) for side in sides]
    counts = [len(voxels), *((n - s) // t + 1 for n, s, t in zip(voxels.shape[1:], sides, steps, strict=True))]
    drawn = np.random.default_rng(0).permutation(int(np.prod(counts)))[: 8 * MOST]
    frame, *index = np.unravel_index(drawn, counts)
    starts = [at * step for at, step in zip(index, steps, strict=True)]
    middle = brightness[frame, *(start + side // 2 for start, side in zip(starts, sides, strict=True))]
    low, high = np.percentile(brightness[:: max(len(brightness) // 3, 1), :, ::2, ::2], (0.5, 99.5))
    bright = np.flatnonzero(middle > low + FOREGROUND * (high - low))[:MOST]
    place = (frame[bright], *(start[bright] for start in starts))
    greys, blocks = (
        np.lib.stride_tricks.sliding_window_view(values, sides, axis=(1, 2, 3))[place].astype(np.float32)
        for values in (brightness, voxels)
    )
    flat = greys.reshape(len(greys), -1)
    whole = ((flat == 0) | (flat == brightness.max())).mean(axis=1) < 0.02
    power = np.square(flat).mean(axis=1)
    whole &= power > LIT * floor
    spectra = dctn(blocks[whole], axes=(1, 2, 3), norm="ortho")
    if floor:
        spectra /= np.sqrt(share(power[whole], floor))[:, None, None, None].astype(np.float32)
    centres = np.stack(place[1:], axis=1)[whole] + (np.array(sides) - 1) / 2
    return _Blocks(spectra, flat[whole].mean(axis=1), centres)


@dataclass(frozen=True, eq=False)
class _Bands:
    """Which coefficients of a block are what: boolean, of a block's shape."""

    texture: np.ndarray  # where anatomy is
    middle: np.ndarray  # where it hardly is, and filtered noise still is
    pure: np.ndarray  # where anatomy hardly is

    @classmethod
    def of(cls, sides: tuple[int, ...], *, anatomy: bool) -> _Bands:
        index = np.indices(sides)
        order = index.sum(axis=0)
        deep = sides[0] > 1
        pure = np.all([axis >= min(_PLATEAU, side - 1) for axis, side in zip(index, sides, strict=True)], axis=0)
        if not anatomy:
            return cls(pure, pure, np.ones(sides, bool))
        texture, middle = (order >= 1) & (order <= (5 if deep else 3)), pure & (order <= (12 if deep else 8))
        return cls(texture, middle, pure)


def _measured(
    blocks: _Blocks, step: float, shape: tuple[int, int, int], *, repeats: bool = False, textured: bool = False
) -> Measured | None:
    bands = _Bands.of(blocks.spectra.shape[1:], anatomy=not repeats)
    if not repeats:
        blocks = blocks.take(_tissue(blocks.mean, _mean_square(blocks.spectra, bands.middle)))
    blocks = blocks.take(_mean_square(blocks.spectra, bands.middle) > 0)
    if len(blocks.mean) < FEWEST:
        return None
    counts = [max(int(share * len(blocks.mean)), FEWEST) for share in ((0.5, 1.0) if repeats else (FLAT, 2 * FLAT))]
    counts[1] = min(max(counts[1], 2 * counts[0]), len(blocks.mean))
    flat = [_Flat.of(blocks, bands, count, np.ones(len(blocks.mean))) for count in counts]
    noise_map = None
    for look in _Look.all(flat[0].variances, bands):
        candidate = _map(blocks, bands, flat[0].variances, look, shape)
        if candidate is None:
            continue
        scale = candidate.at(blocks.places, shape)
        evened = [_Flat.of(blocks, bands, count, scale, look.judged) for count in counts]
        before = replace(evened[0], energies=evened[0].energies * np.square(scale[evened[0].chosen])).dispersion
        if evened[0].dispersion < look.calmer * before and (repeats or _growth(*evened) < GROWN):
            noise_map, flat = candidate, [_Flat.of(blocks, bands, count, scale) for count in counts]
            break
    few, many = flat
    chosen = many if repeats else few  # differences of frames are flat everywhere
    rounding = step**2 / 12
    if chosen.energy <= rounding:
        return None
    # What anatomy adds grows with the blocks, and so does noise itself where it is uneven: half of it is taken out.
    growth = _growth(few, many)
    excess = 1.0 if repeats else max(growth, 1.0) ** 0.5
    sigma = float(np.sqrt(chosen.energy - rounding)) / excess
    spectrum = None if _white(chosen, bands) else Spectrum.of_blocks(chosen.variances)
    textured = textured and spectrum is not None and len(chosen.variances) == 1 and spectrum.end > FLOOR
    return Measured(
        sigma=sigma,
        least=float(np.sqrt(np.percentile(chosen.energies, 10))),
        faintest=sigma * float(chosen.variances[-2:, -2:, -2:].mean()) ** 0.5,
        spectrum=spectrum,
        noise_map=noise_map,
        blocks=len(chosen.energies),
        growth=growth,
        dispersion=chosen.dispersion,
        repeats=repeats,
        cubes=len(chosen.variances) > 1,
        brightness=float(np.percentile(blocks.mean, 90)) / sigma,
        beneath=sigma * float(chosen.variances[0, -2:, -2:].mean()) ** 0.5 if textured else None,
    )


def _growth(few: _Flat, many: _Flat) -> float:
    return float(np.sqrt(many.energy / few.energy))


@dataclass(frozen=True, eq=False)
class _Look:
    """Two bands of coefficients, boolean, that a map is looked for in, and how well it must fit to be the noise's.

    Noise is uneven by the same factor at all frequencies; of anatomy there is less at high ones.

    Attributes:
        high, low: the map is that of the first, and must be alike in the second.
        judged: coefficients whose energies judge it; None for all that noise is strong at.
        alike: the least slope of the first band's map over the second's, in logarithms.
        calmer: a map is kept if it lessens the dispersion to this part.
    """

    high: np.ndarray
    low: np.ndarray
    judged: np.ndarray | None = None
    alike: float = 0.6
    calmer: float = 0.75

    @classmethod
    def all(cls, variances: np.ndarray, bands: _Bands) -> Iterator[_Look]:
        """At what is strong; then, in cubes, at the highest frequencies, where weak noise stands out of anatomy."""
        strongest = variances[bands.pure].max()
        strong = bands.pure & (variances > STRONG * strongest)
        if bands.pure.all():  # differences of frames
            yield cls(strong, strong)
            return
        order = np.indices(variances.shape).sum(axis=0)
        high = strong & (order > np.median(order[strong]))
        if high.sum() >= HIGH[len(variances) > 1]:
            yield cls(high, strong & ~high)
        if len(variances) > 1 and variances[-OPEN:, -OPEN:, -OPEN:].mean() > LEAKED * strongest:
            finest, below = bands.pure & (order > FINE[1]), bands.pure & (order > FINE[0]) & (order <= FINE[1])
            yield cls(finest, below, finest, 0.9, 0.65)


def _map(
    blocks: _Blocks, bands: _Bands, variances: np.ndarray, look: _Look, shape: tuple[int, int, int]
) -> NoiseMap | None:
    """From the flattest blocks of each region of the study; None where it is nearly even, or rather anatomy's.

    Where the noise is known to be stronger, a block as rough as others is a flat one, so a second and a third look see
    more.
    """
    rough = _mean_square(blocks.spectra, bands.texture)
    cells = [int(np.clip(side // REGION, 1, REGIONS)) for side in shape]
    region = np.ravel_multi_index(
        [
            np.minimum((at * n / side).astype(int), n - 1)
            for at, n, side in zip(blocks.places.T, cells, shape, strict=True)
        ],
        cells,
    )
    members = [np.flatnonzero(region == number) for number in np.unique(region)]

    def looked(scale: np.ndarray, used: np.ndarray) -> NoiseMap | None:
        texture = rough / np.square(scale)
        flat = np.concatenate([here[np.argsort(texture[here])[: int(2 * FLAT * len(here))]] for here in members])
        if len(flat) < FEWEST:
            return None
        energies = np.square(blocks.spectra[flat][:, used]) @ (1 / variances[used]) / used.sum()
        return NoiseMap.of_blocks(energies, blocks.places[flat], blocks.places, shape)[0]

    even = np.ones(len(rough))
    found, below = looked(even, look.high), looked(even, look.low)
    if found is None or below is None or _slope(below, found, blocks, shape) < look.alike:
        return None
    for _ in range(2):
        found = looked(found.at(blocks.places, shape), look.high) or found
    return found if LEAST < found.ratio < UNBELIEVABLE else None


def _slope(low: NoiseMap, high: NoiseMap, blocks: _Blocks, shape: tuple[int, int, int]) -> float:
    """Of the second map's logarithm over the first's."""
    logs = [np.log(one.at(blocks.places, shape)) for one in (low, high)]
    return float(np.cov(logs)[0, 1] / max(np.var(logs[0], ddof=1), 1e-12))


@dataclass(frozen=True, eq=False)
class _Flat:
    """The blocks with least texture.

    Attributes:
        chosen: their indices.
        variances: of their coefficients, of mean 1.
        energies: of the noise in each, in the study's unit squared, over the square of its scale.
        size: coefficients that an energy is the mean of.
    """

    chosen: np.ndarray
    variances: np.ndarray
    energies: np.ndarray
    size: int

    @classmethod
    def of(cls, blocks: _Blocks, bands: _Bands, count: int, scale: np.ndarray, used: np.ndarray | None = None) -> _Flat:
        """As many blocks as are asked for, where the noise's standard deviation is in proportion to ``scale``.

        ``used``: the coefficients that tell the energies; otherwise all that noise is strong at and anatomy is not.
        """
        texture = _mean_square(blocks.spectra, bands.texture) / np.square(scale)
        chosen = np.argsort(texture)[:count]
        spectra = blocks.spectra[chosen] / scale[chosen, None, None, None]
        variances = _extended(np.square(np.median(np.abs(spectra), axis=0) / _GAUSSIAN), bands)
        variances /= variances.mean()
        if used is None:
            used = bands.pure & (variances > STRONG * variances[bands.pure].max())
        energies = np.square(spectra[:, used]) @ (1 / variances[used]) / used.sum()
        return cls(chosen, variances, energies, int(used.sum()))

    @property
    def energy(self) -> float:
        """Their median, over that of a chi-square of mean 1 (Wilson and Hilferty)."""
        return float(np.median(self.energies)) / (1 - 2 / (9 * self.size)) ** 3

    @property
    def dispersion(self) -> float:
        """Robust standard deviation of the energies' logarithm, over that of stationary Gaussian noise."""
        logs = np.log(np.maximum(self.energies, 1e-20))
        return float(1.4826 * np.median(np.abs(logs - np.median(logs))) / np.sqrt(2 / self.size))


def _tissue(mean: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Which blocks are not air, whose noise is weaker than that of tissue: air is dark, and faint beside its noise."""
    ratio = mean / np.sqrt(np.maximum(energy, 1e-20))
    air = (ratio < AIR) & (mean < DARK * np.percentile(mean, 99)) if len(mean) else np.zeros(0, bool)
    limit = 1.6 * np.percentile(mean[air], 30) if air.any() and air.mean() > 0.02 else -np.inf
    return (ratio > SIGNAL) & (mean > limit)


def _extended(variances: np.ndarray, bands: _Bands) -> np.ndarray:
    """The variances of the first indices without anatomy.

    Where there is anatomy they are those of the first index without; beyond it they are as measured, but no more than
    those of low frequencies: scanners' filters roll off.
    """
    axes = [np.maximum(np.arange(side), _PLATEAU) if side > 1 else np.arange(1) for side in variances.shape]
    extended = variances[np.ix_(*axes)]
    measured = np.clip(variances, extended, extended.flat[0])
    order = np.indices(variances.shape).sum(axis=0)
    return np.where(bands.pure | bands.texture | (order == 0), extended, measured)


def _white(flat: _Flat, bands: _Bands) -> bool:
    """Whether the mean variances at each index along each axis, and beyond the middle, are alike."""
    variances, limit = flat.variances, max(WHITE, CHANCE / len(flat.energies) ** 0.5)
    profiles = [variances.mean(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    far = variances[bands.pure & ~bands.middle].mean() / variances[bands.middle].mean()
    return max(abs(far - 1), *(np.abs(profile - 1).max() for profile in profiles)) < limit


def _mean_square(spectra: np.ndarray, band: np.ndarray) -> np.ndarray:
    return np.square(spectra[:, band]).mean(axis=1)
