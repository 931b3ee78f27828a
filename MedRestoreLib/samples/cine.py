"""A beating heart in B-mode ultrasound, short-axis view: the scatterers move with the tissue, so speckle does, too.

Each frame is formed as in a scanner: echoes along beams, convolved with the pulse; the envelope, log-compressed; scan
conversion of the sector to square pixels.
"""

from __future__ import annotations

import numpy as np

from ..image import Image

FRAMES, FRAME_MS = 16, 45.0
SIDE, PIXEL = 256, 0.6  # pixels; mm
DEPTHS, BEAMS = 384, 160  # samples along a beam, and beams
HALF_ANGLE = np.radians(38.0)
DYNAMIC_RANGE_DB = 60.0
AXIAL, LATERAL = 1.3, 1.1  # standard deviations of the pulse, in samples and beams
ELECTRONIC = 0.002  # standard deviation of the electronic noise, as a share of the brightest echo
NEAR, FAR = 4.0, 150.0  # depth of the first and the last sample, mm
SCATTERER_MM = 0.4  # distance between scatterers

CENTRE = (84.0, 3.0)  # of the left ventricle: depth and lateral position, mm
DIASTOLE, SYSTOLE, WALL = 24.0, 15.0, 10.0  # its radius at the end of each, and its wall at the end of diastole, mm
BLOOD, MUSCLE, TISSUE, PERICARDIUM, CHEST = 0.004, 0.16, 0.08, 0.9, 0.35  # linear echo amplitudes


def short_axis(seed: int = 0) -> Image:
    """One heartbeat, voxels ``(16, 1, 256, 256)``, 8-bit, 60 dB, 0.6 mm pixels.

    >>> short_axis().frame_times[1]
    45.0
    """
    rng = np.random.default_rng(seed)
    scatterers = _complex_noise(rng, (int(FAR / SCATTERER_MM) + 60, int(1.6 * FAR / SCATTERER_MM)))
    beams = [_beams(k / FRAMES, scatterers, rng) for k in range(FRAMES)]
    brightest = np.quantile(beams, 0.9995)
    frames = [_scan_converted(_log_compressed(frame / brightest)) for frame in beams]
    return Image.from_array(
        np.stack(frames)[:, None],
        spacing=(PIXEL, PIXEL, 1.0),
        frame_times=tuple(FRAME_MS * k for k in range(FRAMES)),
        modality="US",
    )


def _beams(phase: float, scatterers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Envelope along the beams, ``(DEPTHS, BEAMS)``; ``phase`` goes from 0 to 1 during one heartbeat."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    range_, angle = np.meshgrid(np.linspace(NEAR, FAR, DEPTHS), np.linspace(-1, 1, BEAMS) * HALF_ANGLE, indexing="ij")
    depth, side = range_ * np.cos(angle), range_ * np.sin(angle)
    radius = DIASTOLE - (DIASTOLE - SYSTOLE) * np.sin(np.pi * phase) ** 2
    echo, rest_depth, rest_side, blood = _heart(depth, side, radius)
    where = [rest_depth / SCATTERER_MM, rest_side / SCATTERER_MM + scatterers.shape[1] / 2]
    still = map_coordinates(scatterers.real, where, order=1) + 1j * map_coordinates(scatterers.imag, where, order=1)
    echoes = echo * np.where(blood, _complex_noise(rng, depth.shape), still)
    formed = [gaussian_filter(part, (AXIAL, LATERAL)) for part in (echoes.real, echoes.imag)]
    noise = ELECTRONIC * (0.3 + (range_ / FAR) ** 2) * _complex_noise(rng, depth.shape)
    return np.abs(formed[0] + 1j * formed[1] + noise).astype(np.float32)


def _heart(depth: np.ndarray, side: np.ndarray, radius: float) -> tuple[np.ndarray, ...]:
    """Echo amplitude; where this tissue lies at the end of diastole (depth and lateral position); what is blood.

    Arguments are positions now, mm, and the radius of the left ventricle now. Blood keeps no speckle between frames.
    """
    down, across = depth - CENTRE[0], side - CENTRE[1]
    r = np.hypot(down, across)
    outer = np.sqrt((DIASTOLE + WALL) ** 2 - DIASTOLE**2 + radius**2)  # muscle is incompressible: its area stays
    right = np.hypot((down + 34) / 17, (across + 14) / 34) - 1  # below 0 in the right ventricle, which lies in front
    papillary = np.minimum(
        np.hypot(down - 0.6 * radius, across - 0.62 * radius), np.hypot(down - 0.6 * radius, across + 0.62 * radius)
    )
    blood = ((r < radius) & (papillary > 0.2 * radius + 1)) | ((right < 0) & (r > outer))
    echo = np.where(r < outer, MUSCLE * (0.75 + 0.35 * np.abs(down) / np.maximum(r, 1)), TISSUE)
    echo = echo + PERICARDIUM * np.exp(-(((r - outer - 1.2) / 1.1) ** 2)) * np.clip(0.15 + down / 45, 0.1, 1)
    echo = np.where((depth < 34) & (right > 0), CHEST * (0.45 + 0.55 * np.cos(depth * 0.45 + side * 0.01) ** 4), echo)
    echo = np.where(blood, BLOOD, echo)
    echo = echo * np.where((depth > CENTRE[0] + outer + 6) & (r > outer), 0.6, 1.0)
    stretch = np.sqrt(np.maximum(r**2 + DIASTOLE**2 - radius**2, 0)) / np.maximum(r, 0.1)  # incompressible, too
    share = np.exp(-np.maximum(r - outer, 0) / 30)  # of the motion: nothing moves far from the heart
    scale = 1 + share * (stretch - 1)
    return echo, CENTRE[0] + down * scale, CENTRE[1] + across * scale, blood


def _log_compressed(envelope: np.ndarray) -> np.ndarray:
    """Log-compressed grey levels: 255 for an envelope of 1 or more, 0 for ``DYNAMIC_RANGE_DB`` below it."""
    return np.clip(255 * (1 + 20 * np.log10(np.maximum(envelope, 1e-6)) / DYNAMIC_RANGE_DB), 0, 255)


def _scan_converted(beams: np.ndarray) -> np.ndarray:
    """The sector on square pixels, uint8 ``(SIDE, SIDE)``; black outside it."""
    from scipy.ndimage import map_coordinates

    depth = (np.arange(SIDE) * PIXEL)[:, None]
    side = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL
    sample = (np.hypot(depth, side) - NEAR) / (FAR - NEAR) * (DEPTHS - 1)
    beam = (np.arctan2(side, depth) / HALF_ANGLE + 1) / 2 * (BEAMS - 1)
    return np.rint(map_coordinates(beams, [sample, beam], order=1, cval=0.0)).astype(np.uint8)


def _complex_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
