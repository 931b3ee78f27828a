"""A B-mode ultrasound image from its physics: scatterers, point spread, envelope, logarithmic display."""

from __future__ import annotations

import numpy as np


def simulate_envelope(
    echogenicity: np.ndarray,
    rng: np.random.Generator,
    axial: float = 1.0,
    lateral: float = 2.0,
    noise: float = 0.0,
    looks: int = 1,
) -> np.ndarray:
    """Envelope A of the echoes, float32: Rayleigh speckle around the echogenicity, mean square echogenicity^2.

    Args:
        echogenicity: linear amplitude >= 0, ``(..., rows, columns)``; the beam runs along the rows.
        axial, lateral: standard deviation of the Gaussian point spread along rows and columns, pixels.
        noise: standard deviation of each electronic channel, in the echogenicity's unit.
        looks: independent looks; their intensities A^2 are averaged.
    """
    from scipy.ndimage import gaussian_filter

    echogenicity = np.asarray(echogenicity, np.float32)
    spread = [0.0] * (echogenicity.ndim - 2) + [axial, lateral]
    margin = [int(np.ceil(4 * sigma)) for sigma in spread]  # the filter's reach, so that borders look like the inside
    strength = np.pad(echogenicity, [(m, m) for m in margin], mode="edge") * np.float32(np.sqrt(0.5))
    inside = tuple(slice(m, m + size) for m, size in zip(margin, echogenicity.shape, strict=True))
    gain = np.float32(_unit_energy(axial) * _unit_energy(lateral))
    intensity = np.zeros(echogenicity.shape, np.float32)
    for _ in range(2 * looks):  # real and imaginary channel of every look
        scatterers = strength * rng.standard_normal(strength.shape, dtype=np.float32)
        channel = gaussian_filter(scatterers, spread)[inside] * gain
        if noise:
            channel += rng.standard_normal(channel.shape, dtype=np.float32) * np.float32(noise)
        intensity += channel**2
    return np.sqrt(intensity / looks)


def simulate_bmode(
    echogenicity: np.ndarray,
    rng: np.random.Generator,
    axial: float = 1.0,
    lateral: float = 2.0,
    dynamic_range_db: float = 55.0,
    noise: float = 0.0,
    looks: int = 1,
) -> np.ndarray:
    """Display image in [0, 1], float32: ``clip(1 + 20 log10(A / max A) / dynamic_range_db, 0, 1)``.

    Arguments as for ``simulate_envelope``; ``dynamic_range_db`` is the range shown, 50 to 60 dB on most scanners. A
    scene without any echo is black.
    """
    envelope = simulate_envelope(echogenicity, rng, axial, lateral, noise, looks)
    peak = float(envelope.max())
    if peak == 0:
        return envelope
    decibel = 20 * np.log10(np.maximum(envelope / peak, np.float32(1e-30)))
    return np.clip(1 + decibel / np.float32(dynamic_range_db), 0, 1)


def _unit_energy(sigma: float) -> float:
    """Gain that gives a sampled Gaussian kernel the energy 1, so that blurring keeps the scatterers' mean square."""
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(2 * int(np.ceil(4 * sigma)) + 1)
    impulse[len(impulse) // 2] = 1
    return float(1 / np.sqrt(np.sum(gaussian_filter1d(impulse, sigma) ** 2)))
