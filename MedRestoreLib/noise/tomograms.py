"""The noise of reconstructed SPECT and PET measured in flat blocks: strength, spectrum, and how it follows brightness.

What differs from ``measuring``: there are few voxels and much noise, so that blocks overlap more, and the spectrum is
the product of a radial profile in the slice and one along the axis, as reconstructions are made of slices of one kind.
Below the frequencies that anatomy leaves free the profiles go on as a Gaussian filter would; in the slice times the
ramp of filtered back-projection, which leaves little noise at low frequencies (Riederer, Pelc and Chesler, Phys Med
Biol 23(3), 1978).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .blocks import SIDE
from .curve import NoiseCurve, local_mean
from .map import LEAST, NoiseMap
from .measuring import STRONG, UNBELIEVABLE
from .spectrum import Spectrum

STEP = (4, 2, 2)  # voxels between blocks
MOST = 20_000  # blocks transformed
OBJECT = 0.03  # of the brightest local mean: darker is air
CLASSES = 8  # of brightness
EVEN = 0.7  # least local mean of a block over its mean: with less an edge is in it
RANGE = 2.0  # of brightness: with less a power law cannot be fitted
SILENT_AIR = 0.01  # variance in air over that in the object: with less the reconstruction was iterative
NEGATIVE = 0.01  # share of the voxels: with more, it was filtered back-projection
# Exponents of reconstructions of phantoms (training/simulate/tomography.py): 1.1 to 1.3, and 0.7.
ITERATIVE, FILTERED = (0.9, 1.5), (0.5, 0.9)
CALM = 0.25  # share of a class whose blocks are flattest
FLATTEST = 0.15  # share of all, once they are evened
FEWEST = 200  # overlapping blocks of the object
LEAST_FLOOR = 1e-3  # of the variance at the reference
FREE = 2  # first index along an axis that anatomy hardly reaches
REGIONS = 4  # along each axis, in each of which noise is measured
# Of the variance of 8x8 blocks at radius 0 to 4, over that at FREE, that noise has whose power grows as the frequency.
RAMP = (0.46, 0.78, 1.0, 1.23, 1.52)
PARTLY = 1 / 3  # power of the frequency in iterative reconstructions, of which the lowest frequencies converge first
STEEP = 3.0  # by how much the variance rises at most below that index
_GAUSSIAN = 0.6745  # median of |x| for a standard normal x


@dataclass(frozen=True, eq=False)
class Measured:
    """Noise of a reconstruction.

    Attributes:
        sigma: the root mean square over the object of its standard deviation, in the study's unit.
        spectrum, curve: its shape.
        noise_map: where it is stronger than brightness says, as at the centre of filtered back-projections.
        filtered: it is filtered back-projection, whose noise follows brightness less closely.
        rise: variance at the lowest frequencies, which is extrapolated, over that at the lowest measured ones.
        blocks: overlapping ones, that it was measured in.
        growth: sigma in twice as many blocks over sigma.
        dispersion: spread of the blocks' energy over that of stationary Gaussian noise.
    """

    sigma: float
    spectrum: Spectrum
    curve: NoiseCurve
    noise_map: NoiseMap | None
    filtered: bool
    rise: float
    blocks: int
    growth: float
    dispersion: float


def measure(voxels: np.ndarray) -> Measured | None:
    """The noise of a reconstruction ``(frames, slices, rows, columns)``; None where too few blocks hold an object."""
    if any(side < SIDE for side in voxels.shape[1:]):
        return None
    mean = local_mean(voxels)
    spectra, means, least, whole, places = _cut(voxels, mean)
    reference = float(np.percentile(means, 99))
    inside = means > OBJECT * reference
    air, inside = ~inside, inside & whole
    order = np.indices((SIDE,) * 3).sum(axis=0)
    free = np.all(np.indices((SIDE,) * 3) >= FREE, axis=0)
    texture = np.square(spectra[:, (order >= 1) & (order <= 4)]).mean(axis=1)
    energy = np.square(spectra[:, free]).mean(axis=1)
    inside &= energy > 0
    if reference <= 0 or np.count_nonzero(inside) < FEWEST:
        return None
    even = inside & (least > EVEN * means)
    bright = np.flatnonzero(even if np.count_nonzero(even) >= FEWEST else inside)
    silence = float(np.percentile(energy[air], 75)) if air.any() else 0.0
    filtered = bool((voxels < 0).mean() > NEGATIVE or silence > SILENT_AIR * np.median(energy[bright]))
    curve = _curve(means[bright] / reference, texture[bright], energy[bright], silence, filtered, reference)
    scale = curve.at(means)
    ramp = np.array(RAMP) ** (1 if filtered else PARTLY)
    found = _Flat.of(spectra, texture, scale, bright, free, ramp)
    noise_map = None
    candidate = _map(found, spectra, texture, scale, bright, places, voxels.shape[1:]) if filtered else None
    if candidate is not None:
        evened = _Flat.of(spectra, texture, scale * candidate.at(places, voxels.shape[1:]), bright, free, ramp)
        if evened.dispersion < evened.over(spectra, scale).dispersion:
            noise_map, found = candidate, evened
    strength = curve.on(voxels) if noise_map is None else curve.on(voxels) * noise_map.on(voxels.shape[1:])
    total = float(np.sqrt(np.square(strength[mean > OBJECT * reference], dtype=np.float64).mean()))
    low = tuple(slice(FREE + 1) for _ in range(3))
    return Measured(
        sigma=found.sigma * total,
        spectrum=Spectrum.of_blocks(found.variances),
        curve=replace(curve, scale=curve.scale / total),
        noise_map=noise_map,
        filtered=filtered,
        rise=float(found.variances[low].max() / found.variances[FREE, FREE, FREE]),
        blocks=len(found.few),
        growth=found.growth,
        dispersion=found.dispersion,
    )


@dataclass(frozen=True, eq=False)
class _Flat:
    """The flattest blocks of evened noise, ``few``; energies in their ``used`` coefficients, and of as many more."""

    few: np.ndarray
    used: np.ndarray
    variances: np.ndarray
    shares: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(
        cls,
        spectra: np.ndarray,
        texture: np.ndarray,
        scale: np.ndarray,
        bright: np.ndarray,
        free: np.ndarray,
        ramp: np.ndarray,
    ) -> _Flat:
        flat = bright[np.argsort((texture / np.square(scale))[bright])[: int(2 * FLATTEST * len(bright))]]
        few = flat[: len(flat) // 2]
        magnitudes = np.abs(spectra[few]) / scale[few, None, None, None]
        variances = _separable(np.square(np.median(magnitudes, axis=0) / _GAUSSIAN), ramp)
        used = free & (variances > STRONG * variances[free].max())
        first, second = (_energies(spectra, scale, some, used, variances) for some in (few, flat))
        return cls(few, used, variances, (first, second))

    def over(self, spectra: np.ndarray, scale: np.ndarray) -> _Flat:
        """The same blocks, evened by another scale."""
        return replace(self, shares=(_energies(spectra, scale, self.few, self.used, self.variances), self.shares[1]))

    @property
    def sigma(self) -> float:
        return float(np.sqrt(np.median(self.shares[0]) * self.variances.mean()))

    @property
    def growth(self) -> float:
        return float(np.sqrt(np.median(self.shares[1]) / np.median(self.shares[0])))

    @property
    def dispersion(self) -> float:
        logs = np.log(np.maximum(self.shares[0], 1e-20))
        return float(1.4826 * np.median(np.abs(logs - np.median(logs))) / np.sqrt(2 / self.used.sum()))


def _energies(
    spectra: np.ndarray, scale: np.ndarray, some: np.ndarray, used: np.ndarray, variances: np.ndarray
) -> np.ndarray:
    """Of some blocks over the square of their scale, in coefficients of known variances: 1 on average."""
    return np.square(spectra[some][:, used]) @ (1 / variances[used]) / (used.sum() * np.square(scale[some]))


def _map(
    found: _Flat,
    spectra: np.ndarray,
    texture: np.ndarray,
    scale: np.ndarray,
    bright: np.ndarray,
    places: np.ndarray,
    shape: tuple[int, int, int],
) -> NoiseMap | None:
    """Where evened noise is still stronger, from the flattest blocks of every region; None where it is nearly even."""
    cells = np.minimum((places * REGIONS / np.array(shape)).astype(int), REGIONS - 1)
    region = np.ravel_multi_index(tuple(cells.T), (REGIONS,) * 3)
    calm, chosen = texture / np.square(scale), []
    for number in np.unique(region[bright]):
        here = bright[region[bright] == number]
        chosen.append(here[np.argsort(calm[here])[: int(2 * FLATTEST * len(here))]])
    flat = np.concatenate(chosen)
    if len(flat) < FEWEST // 2:
        return None
    energies = _energies(spectra, scale, flat, found.used, found.variances)
    noise_map, _ = NoiseMap.of_blocks(energies, places[flat], places[bright], shape)
    return noise_map if LEAST < noise_map.ratio < UNBELIEVABLE else None


def _cut(voxels: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, ...]:
    """At most ``MOST`` blocks, drawn at random, always the same.

    Returns:
        Their spectra, ``(blocks, 8, 8, 8)``; the mean and the least local mean in each; whether it is without zeros;
        slice, row and column of its middle.
    """
    from scipy.fft import dctn

    counts = [len(voxels), *((side - SIDE) // step + 1 for side, step in zip(voxels.shape[1:], STEP, strict=True))]
    drawn = np.unravel_index(np.random.default_rng(0).permutation(int(np.prod(counts)))[:MOST], counts)
    place = (drawn[0], *(at * step for at, step in zip(drawn[1:], STEP, strict=True)))
    views = (np.lib.stride_tricks.sliding_window_view(values, (SIDE,) * 3, axis=(1, 2, 3)) for values in (voxels, mean))
    blocks, means = (view[place] for view in views)
    spectra = dctn(blocks.astype(np.float32), axes=(1, 2, 3), norm="ortho")
    whole = (blocks == 0).mean(axis=(1, 2, 3)) < 0.02
    centres = np.stack(place[1:], axis=1) + (SIDE - 1) / 2
    return spectra, means.mean(axis=(1, 2, 3)), means.min(axis=(1, 2, 3)), whole, centres


def _curve(
    means: np.ndarray, texture: np.ndarray, energy: np.ndarray, air: float, filtered: bool, reference: float
) -> NoiseCurve:
    """A power law through the energies of the flattest blocks of each class of brightness.

    How the study was made sets limits to the exponent; where the object has but one brightness, it is their middle.

    Args:
        means, texture, energy: of the object's blocks; means in units of ``reference``.
        air: energy of blocks of air.
        filtered: reconstructed by filtered back-projection, not iteratively.
        reference: in the study's unit.
    """
    limits = FILTERED if filtered else ITERATIVE
    logs = np.log(np.maximum(means, 1e-9))
    number = np.digitize(logs, np.quantile(logs, np.linspace(0, 1, CLASSES + 1)[1:-1]))
    points = []
    for one in np.unique(number):
        here = np.flatnonzero(number == one)
        calm = here[np.argsort((texture / means)[here])[: max(int(CALM * len(here)), 1)]]
        points.append((np.median(logs[calm]), np.median(np.log(energy[calm]))))
    at, log_energy = np.array(points).T
    fitted = np.polyfit(at, log_energy, 1)[0] if np.ptp(at) > np.log(RANGE) else sum(limits) / 2
    exponent = float(np.clip(fitted, *limits))
    strength = np.exp(np.median(log_energy - exponent * at))  # at the reference
    return NoiseCurve(exponent, float(np.clip(air / strength, LEAST_FLOOR, 1)), reference, 1.0)


def _separable(variances: np.ndarray, ramp: np.ndarray) -> np.ndarray:
    """The product of a profile along the axis and a radial one in the slice that is nearest to measured variances.

    Below ``FREE`` both go on as the logarithm of a Gaussian, through the next three indices; the radial one times
    ``ramp``, at radius 0 to 4.
    """
    logs = np.log(np.maximum(variances, 1e-12 * variances.max()))
    rows, columns = np.indices((SIDE, SIDE))
    radius = np.hypot(rows, columns)
    ring = np.rint(radius).astype(int)
    clear = (np.minimum(rows, columns) >= 1) & (radius >= FREE)
    axial = logs[:, clear].mean(axis=1)
    rings = np.arange(FREE, ring.max() + 1)
    planes = logs[FREE:].mean(axis=0)
    radial = np.array([planes[clear & (ring == one)].mean() for one in rings])
    axial = np.concatenate([_gaussian(axial[FREE : FREE + 3]), axial[FREE:]])
    radial = np.concatenate([_gaussian(radial[:3] - np.log(ramp[FREE:])) + np.log(ramp[:FREE]), radial])
    level = logs[FREE:][:, clear].mean()
    plane = np.interp(radius, np.arange(len(radial)), radial)
    return np.exp(axial[:, None, None] - axial[FREE:].mean() + plane - planes[clear].mean() + level)


def _gaussian(values: np.ndarray) -> np.ndarray:
    """Logarithms at the indices below ``FREE``, from those of the next three: level or falling as a Gaussian does."""
    squares = np.square(np.arange(FREE, FREE + 3))
    slope = np.polyfit(squares, values, 1)[0]
    rise = np.clip(-slope * (FREE**2 - np.square(np.arange(FREE))), 0, np.log(STEEP))
    return values[0] + rise
