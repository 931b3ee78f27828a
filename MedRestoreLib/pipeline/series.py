"""The frames of a series restored together: through patterns that they share.

Diffusion weighted, functional, relaxometry and dynamic series show one object with several contrasts. An orthonormal
rotation of the frames into their principal components leaves the noise as it is, white over components and of the same
spectrum in space, and gathers what the object shows in few of them: each is a volume of far more signal than noise, or
of noise alone. A method restores the components instead of the frames, whatever the method; rotating back gives the
frames.

Manjon et al. (PLoS ONE 8(9):e73021, 2013) do so in small cubes, and drop components that noise can explain. Here the
components are those of the whole series, estimated from so many voxels that they do not follow the noise, and they are
filtered rather than dropped: 2 to 7 dB more than dipy's local PCA on simulated diffusion, as much on real functional
frames (Testing/benchmarks/series.py). Methods that find the number of components by the distribution of Marchenko and
Pastur (MP-PCA, NORDIC) are patented, and not built upon.
"""

from __future__ import annotations

import numpy as np

LEAST_FRAMES = 3  # fewer have little in common to be told apart from noise
SAMPLE_VOXELS = 500_000  # of a frame: more tell the components no better


def components(stabilised: np.ndarray) -> np.ndarray:
    """The rotation of frames into their principal components.

    Args:
        stabilised: ``(frames, slices, rows, columns)``, with noise that is as strong in every frame.

    Returns:
        Float32 ``(components, frames)``, orthonormal, the component of least variance first. Its signs are such that
        components are rather positive, as the frames are.
    """
    frames, *grid = stabilised.shape
    planes = stabilised.reshape(frames, -1, grid[-1])
    step = -(-planes.shape[1] * planes.shape[2] // SAMPLE_VOXELS)
    voxels = planes[:, ::step].reshape(frames, -1).astype(np.float64)
    _, patterns = np.linalg.eigh(np.cov(voxels))
    signs = np.where(patterns.sum(axis=0) < 0, -1.0, 1.0)
    return np.ascontiguousarray((patterns * signs).T, dtype=np.float32)


def rotated(basis: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Frames ``(frames, ...)`` as components; with the transposed basis components as frames."""
    return np.tensordot(basis, frames, 1)
