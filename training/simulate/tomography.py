"""SPECT acquisitions of digital phantoms: projections with attenuation, blur and Poisson counts, reconstructed.

A parallel-hole camera turns about the long axis of a phantom. Projections are made on a grid twice as fine as that of
the reconstruction, so that no study is reconstructed by the very matrix that made it. Scatter is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.sparse import csr_matrix

WATER = 0.0153  # per mm at 140 keV
FWHM_MM = 10.0  # of the blur of camera and collimator, at every distance
VOXEL_MM = 4.0  # of reconstructions
VIEWS = 60
SUBSETS = 6
FINE = 2  # voxels of a phantom along each axis of one of the reconstruction

# File, axis and voxel of each phantom, and what its largest value stands for.
FILES = {
    "cold_spheres": "Jaszczak_238x237x134.nrrd",
    "hot_spheres": "Fillable_Jaszczak_238x237x134_with_bkg.nrrd",
    "rods": "Derenzo_220x220x161_with_bkg.nrrd",
    "striata": "DaT_Source_120x120x120.nrrd",
    "brain": "brain_perfusion_activity.nrrd",
    "dotatate": "ludotatate_activity.nrrd",
}


@dataclass(frozen=True, eq=False)
class Camera:
    """A grid, the angles from which it is seen, and how much of each voxel arrives.

    Attributes:
        thickness: attenuation of each voxel, per mm, ``(slices, side, side)``.
        voxel_mm: its size.
        bins: of a projection's row, each ``side / bins`` voxels wide.
        views: angles, over a full turn.
        fwhm_mm: of the blur; 0 for none.
    """

    thickness: np.ndarray
    voxel_mm: float
    bins: int
    views: int = VIEWS
    fwhm_mm: float = FWHM_MM

    @cached_property
    def rays(self) -> list[csr_matrix]:
        """For each view the share of every voxel in every bin, ``(bins, voxels of a slice)``."""
        side = self.thickness.shape[-1]
        y, x = np.indices((side, side)).reshape(2, -1) - (side - 1) / 2
        found = []
        for angle in self.angles:
            at = (x * np.cos(angle) + y * np.sin(angle)) * self.bins / side + (self.bins - 1) / 2
            left = np.floor(at).astype(int)
            pairs = [(left, 1 - (at - left)), (left + 1, at - left)]
            column, row, share = (
                np.concatenate(parts) for parts in zip(*((np.arange(side**2), b, s) for b, s in pairs), strict=True)
            )
            seen = (row >= 0) & (row < self.bins)
            matrix = csr_matrix((share[seen], (row[seen], column[seen])), shape=(self.bins, side**2))
            found.append(matrix.astype(np.float32))
        return found

    @cached_property
    def arriving(self) -> np.ndarray:
        """Share of each voxel's photons that leave the object towards each view: ``(views, voxels, slices)``.

        It is 1 everywhere, ``(views, 1, 1)``, where nothing attenuates.
        """
        if not self.thickness.any():
            return np.ones((self.views, 1, 1), np.float32)
        return np.stack([self._arriving(angle) for angle in self.angles])

    @property
    def angles(self) -> np.ndarray:
        return np.arange(self.views) * 2 * np.pi / self.views

    def _arriving(self, angle: float) -> np.ndarray:
        slices, side, _ = self.thickness.shape
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])  # of (along the ray, across it)
        middle = np.full(2, (side - 1) / 2)
        rotated = np.stack([affine_transform(one, turn, middle - turn @ middle, order=1) for one in self.thickness])
        exponent = (np.cumsum(rotated, axis=1) - rotated / 2) * self.voxel_mm
        back = np.stack([affine_transform(one, turn.T, middle - turn.T @ middle, order=1) for one in exponent])
        return np.exp(-back).reshape(slices, -1).T.astype(np.float32)

    def project(self, activity: np.ndarray, views: np.ndarray | None = None) -> np.ndarray:
        """Expected counts ``(views, bins, slices)`` of an activity ``(slices, side, side)``."""
        flat = activity.reshape(len(activity), -1).T.astype(np.float32)
        chosen = range(self.views) if views is None else views
        return self._blurred(np.stack([self.rays[v] @ (flat * self.arriving[v]) for v in chosen]))

    def back(self, projections: np.ndarray, views: np.ndarray | None = None) -> np.ndarray:
        """The transpose of ``project``."""
        chosen = range(self.views) if views is None else views
        spread = self._blurred(projections)
        flat = sum(self.arriving[v] * (self.rays[v].T @ one) for v, one in zip(chosen, spread, strict=True))
        return flat.T.reshape(self.thickness.shape)

    def _blurred(self, projections: np.ndarray) -> np.ndarray:
        """A Gaussian across bins and slices; its kernel is even, so this is its own transpose but for the borders."""
        if not self.fwhm_mm:
            return projections
        sigma = self.fwhm_mm / 2.355 / self.voxel_mm
        wide = sigma * self.bins / self.thickness.shape[-1]
        return gaussian_filter(projections, (0, wide, sigma), mode="constant")


@dataclass(frozen=True, eq=False)
class Scan:
    """A phantom in the camera.

    Attributes:
        activity: ``(slices, side, side)`` on the fine grid; of mean 1 where there is some.
        thickness: attenuation per mm, on the same grid.
        expected: counts of each bin without noise, ``(views, bins, slices)``, of sum 1.
        camera: on the grid of the reconstruction.
    """

    activity: np.ndarray
    thickness: np.ndarray
    expected: np.ndarray
    camera: Camera

    @classmethod
    def of(cls, activity: np.ndarray, thickness: np.ndarray, fwhm_mm: float = FWHM_MM) -> Scan:
        """From arrays on the fine grid, whose sides are multiples of ``FINE``."""
        side = activity.shape[-1]
        fine = Camera(thickness, VOXEL_MM / FINE, side // FINE, fwhm_mm=fwhm_mm)
        expected = _summed(fine.project(activity), axis=2)
        return cls(activity, thickness, expected / expected.sum(), Camera(coarse(thickness), VOXEL_MM, side // FINE))

    def counts(self, total: float, seed: int) -> np.ndarray:
        """Poisson counts, ``total`` of them on average."""
        return np.random.default_rng(seed).poisson(total * self.expected).astype(np.float32)


def fbp(scan: Scan, projections: np.ndarray, cutoff: float = 0.5, order: int = 5) -> np.ndarray:
    """Filtered back-projection with Chang's correction of attenuation: ``(slices, side, side)``, can be negative.

    Args:
        projections: ``(views, bins, slices)``.
        cutoff: of a Butterworth filter on the ramp, cycles a bin; 0.5 hardly filters.
        order: of that filter.
    """
    bins = projections.shape[1]
    frequency = np.fft.rfftfreq(2 * bins)
    gain = 2 * frequency / np.sqrt(1 + (frequency / cutoff) ** (2 * order))
    spectrum = np.fft.rfft(projections, 2 * bins, axis=1) * gain[:, None]
    filtered = np.fft.irfft(spectrum, axis=1)[:, :bins].astype(np.float32)
    camera = scan.camera
    flat = sum(rays.T @ one for rays, one in zip(camera.rays, filtered, strict=True))
    flat = flat * (np.pi / (2 * camera.views)) / camera.arriving.mean(axis=0)
    return flat.T.reshape(camera.thickness.shape)


def osem(scan: Scan, projections: np.ndarray, iterations: int = 4, recovery: bool = False) -> np.ndarray:
    """Ordered subsets expectation maximisation with attenuation: ``(slices, side, side)``, positive.

    Args:
        projections: ``(views, bins, slices)``.
        iterations: over all subsets.
        recovery: model the blur, too.
    """
    camera = scan.camera if recovery else _sharp(scan.camera)
    subsets = [np.arange(first, camera.views, SUBSETS) for first in range(SUBSETS)]
    sums = [np.maximum(camera.back(np.ones_like(projections[views]), views), 1e-6) for views in subsets]
    image = np.ones(camera.thickness.shape, np.float32) * (projections.sum() / camera.thickness.size)
    for _ in range(iterations):
        for views, total in zip(subsets, sums, strict=True):
            ratio = projections[views] / np.maximum(camera.project(image, views), 1e-6)
            image = image * camera.back(ratio, views) / total
    return image


@lru_cache(maxsize=8)
def _sharp(camera: Camera) -> Camera:
    sharp = Camera(camera.thickness, camera.voxel_mm, camera.bins, camera.views, 0.0)
    sharp.__dict__.update(rays=camera.rays, arriving=camera.arriving)
    return sharp


def coarse(values: np.ndarray) -> np.ndarray:
    """Means over the fine voxels of each voxel."""
    for axis in range(3):
        values = _summed(values, axis) / FINE
    return values.astype(np.float32)


def _summed(values: np.ndarray, axis: int) -> np.ndarray:
    shape = list(values.shape)
    shape[axis : axis + 1] = [shape[axis] // FINE, FINE]
    return values.reshape(shape).sum(axis=axis + 1)


def load(folder: Path, name: str, side: int = 64, most: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A digital phantom on the fine grid: activity and attenuation per mm, ``(slices, rows, columns)`` each.

    Args:
        folder: that holds ``FILES``.
        name: a key of ``FILES``.
        side: of a slice of the reconstruction, voxels; the phantom is cut or padded around its middle.
        most: slices of the reconstruction.
    """
    import SimpleITK as sitk

    image = sitk.ReadImage(str(folder / FILES[name]))
    size = [FINE * side] * 2 + [FINE * min(most, int(image.GetSize()[2] * image.GetSpacing()[2] / VOXEL_MM))]
    spacing = [VOXEL_MM / FINE] * 3
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    direction = np.reshape(image.GetDirection(), (3, 3))
    origin = middle - direction @ ((np.array(size) - 1) / 2 * spacing)
    # Linear interpolation of a finer grid would miss voxels: smoothed first.
    blurred = sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), 0.5) if name != "dotatate" else image
    resampled = sitk.Resample(
        sitk.Cast(blurred, sitk.sitkFloat32), size, sitk.Transform(), sitk.sitkLinear, list(origin), spacing,
        image.GetDirection(), 0.0,
    )  # fmt: skip
    activity = sitk.GetArrayFromImage(resampled)
    return activity, _body(activity) * np.float32(WATER)


def _body(activity: np.ndarray) -> np.ndarray:
    """Where there is an object: filled slice by slice."""
    from scipy.ndimage import binary_closing, binary_fill_holes

    seen = activity > 1e-3 * activity.max()
    return np.stack([binary_fill_holes(binary_closing(one, iterations=3)) for one in seen]).astype(np.float32)
