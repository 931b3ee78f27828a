"""IL-NIQE, a measure of how natural an image looks: no reference, lower is more natural.

Zhang, Zhang and Bovik, "A feature-enriched completely blind image quality evaluator", IEEE TIP 24(8), 2015. Statistics
of 36 blocks of an image, at two scales, are compared with those of pristine photographs, which the authors published as
a Gaussian of 430 principal components. Of a grey image the two channels of colour hold nothing, and of an ultrasound
frame much is unlike any photograph: such numbers rank nothing that they were made for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.fft import fft2, ifft2, ifftshift
from scipy.io import loadmat
from scipy.ndimage import correlate1d
from scipy.special import gamma

from ..data import data_folder
from ..recipe import RecipeError

MODEL = "metrics/il_niqe_pristine_model.mat"

SIDE, BLOCK = 524, 84  # pixels: the image is brought to SIDE squared, and cut into whole blocks
OPPONENT = np.array([[0.30, 0.04, -0.35], [0.34, -0.60, 0.17], [0.06, 0.63, 0.27]])  # channels from red, green, blue
LOG_CHANNELS = np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])
LEAST = 1e-5  # added before the logarithm
WINDOW = (5, 5 / 6)  # pixels: side and standard deviation of the window of local mean and contrast
BEFORE_HALVING = (6, 0.9)  # the same of the filter before every second pixel is dropped
DERIVATIVE, DERIVATIVE_SHRINKS = 1.66, 0.28  # standard deviation, pixels; at scale s it is divided by s to this power
WAVELENGTH, WAVELENGTH_SHRINKS, WAVELENGTHS = 2.4, 0.87, 1.31  # pixels, likewise; ratio of one filter to the next
BANDWIDTH, SPREAD = 0.55, 1.10  # of a log-Gabor filter: relative deviation in frequency; sharpness in angle
FREQUENCIES, ANGLES = 3, 4
MOST = 10_000.0  # a feature is at most this
SHAPES = np.arange(0.2, 10.001, 0.001)  # of a generalised Gaussian, that are told apart
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
NEWTON = 30  # steps to the shape of a Weibull distribution
TINY = np.finfo(float).eps


class Pristine(NamedTuple):
    """The published Gaussian of photographs: mean ``(430,)``, covariance; and the principal components ``(468, 430)``
    of features about ``centre``."""

    mean: np.ndarray
    covariance: np.ndarray
    centre: np.ndarray
    components: np.ndarray


@lru_cache(maxsize=1)
def pristine() -> Pristine:
    """The published model. Raises RecipeError where its file is missing."""
    path = data_folder() / Path(MODEL)
    if not path.is_file():
        raise RecipeError(f"there is no {path}; set MEDRESTORE_DATA to the folder of studies.")
    mean, covariance, centre, components = loadmat(path)["templateModel"][0]
    return Pristine(mean.ravel(), covariance, centre.ravel(), components)


def il_niqe(image: np.ndarray) -> float:
    """The measure of a grey image ``(rows, columns)`` or a colour image ``(rows, columns, 3)``, values 0 to 255."""
    model = pristine()
    colour = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    found = np.minimum(features(_sized(colour)), MOST)
    projected = (found - model.centre) @ model.components
    whole = projected[np.isfinite(projected).all(axis=1)]
    if len(whole) < 2:
        return math.nan
    projected = np.where(np.isfinite(projected), projected, whole.mean(axis=0)) - model.mean
    inverse = np.linalg.pinv((model.covariance + np.cov(whole, rowvar=False)) / 2)
    return float(np.sqrt(np.einsum("bi,ij,bj->b", projected, inverse, projected)).mean())


def _sized(colour: np.ndarray) -> np.ndarray:
    """Bicubic, antialiased, to SIDE squared in whole grey values, and without what fills no whole block."""
    planes = torch.from_numpy(np.ascontiguousarray(colour, np.float64)).permute(2, 0, 1)[None]
    sized = torch.nn.functional.interpolate(planes, (SIDE, SIDE), mode="bicubic", antialias=True)
    kept = SIDE // BLOCK * BLOCK
    return sized[0, :, :kept, :kept].clamp(0, 255).round().numpy()


def features(colour: np.ndarray) -> np.ndarray:
    """Of red, green and blue planes ``(3, rows, columns)``, 0 to 255: ``(blocks, 468)``; NaN where a block is flat."""
    opponent = np.tensordot(OPPONENT, colour, 1)
    scales = []
    for scale in (1, 2):
        side = BLOCK // scale
        scales += [part(maps) for part, maps in _maps(opponent, colour, scale, side)]
        opponent, colour = (_halved(planes) for planes in (opponent, colour))
    return np.concatenate(scales, axis=1)


def _maps(opponent: np.ndarray, colour: np.ndarray, scale: int, side: int) -> Iterator[tuple]:
    """How a part of the features is taken from blocks, and the maps ``(n, blocks, side, side)`` to take it from."""
    light = opponent[2]
    derivatives = [_derivatives(plane, scale) for plane in opponent]
    responses = list(_log_gabor(light, scale))
    slopes = [_derivatives(part, scale) for response in responses for part in (response.real, response.imag)]

    def blocks(maps: list[np.ndarray]) -> np.ndarray:
        stack = np.stack(maps)
        count, rows, columns = stack.shape
        cut = stack.reshape(count, rows // side, side, columns // side, side)
        return cut.transpose(0, 1, 3, 2, 4).reshape(count, -1, side, side)

    logarithms = np.log(colour + LEAST)
    logarithms -= logarithms.mean(axis=(1, 2), keepdims=True)
    yield _of_normalised, blocks([_normalised(light)])
    yield _weibull, blocks([np.hypot(*pair) + TINY for pair in derivatives])
    yield _moments, blocks(list(np.tensordot(LOG_CHANNELS, logarithms, 1)))
    yield _gaussian, blocks([one for pair in derivatives for one in pair])
    yield _gaussian, blocks([part for response in responses for part in (response.real, response.imag)])
    yield _gaussian, blocks([one for pair in slopes for one in pair])
    yield _weibull, blocks([np.hypot(*pair) + TINY for pair in slopes])


def _normalised(plane: np.ndarray) -> np.ndarray:
    """Local mean taken away, divided by local contrast."""
    side, deviation = WINDOW
    mean = _smooth(plane, side, deviation)
    contrast = np.sqrt(np.abs(_smooth(plane**2, side, deviation) - mean**2))
    return (plane - mean) / (contrast + 1)


def _halved(planes: np.ndarray) -> np.ndarray:
    return np.stack([_smooth(plane, *BEFORE_HALVING)[::2, ::2] for plane in planes])


def _smooth(plane: np.ndarray, side: int, deviation: float) -> np.ndarray:
    """Filtered by a Gaussian; edges are replicated. Of an even side, a pixel is the left of the middle two."""
    places = np.arange(side) - (side - 1) / 2
    kernel = np.exp(-(places**2) / (2 * deviation**2))
    kernel /= kernel.sum()
    origin = -1 if side % 2 == 0 else 0
    for axis in (0, 1):
        plane = correlate1d(plane, kernel, axis, mode="nearest", origin=origin)
    return plane


def _derivatives(plane: np.ndarray, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian derivatives along rows and columns, black beyond the edges."""
    deviation = DERIVATIVE / scale**DERIVATIVE_SHRINKS
    reach = math.ceil(3 * deviation)
    places = np.arange(-reach, reach + 1)
    smooth = np.exp(-(places**2) / (2 * deviation**2))
    along = [
        correlate1d(correlate1d(plane, places * smooth, axis, mode="constant"), smooth, 1 - axis, mode="constant")
        for axis in (1, 0)
    ]
    return along[0], along[1]


def _log_gabor(plane: np.ndarray, scale: int) -> Iterator[np.ndarray]:
    """Complex responses to log-Gabor filters."""
    across, down = (np.arange(-(side // 2), -(-side // 2)) / side for side in (plane.shape[1], plane.shape[0]))
    radius = ifftshift(np.hypot(across, down[:, None]))
    angle = ifftshift(np.arctan2(-down[:, None], across))
    radius[0, 0] = 1
    spectrum = fft2(plane)
    for frequency in range(FREQUENCIES):
        wavelength = WAVELENGTH / scale**WAVELENGTH_SHRINKS * WAVELENGTHS**frequency
        ring = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * math.log(BANDWIDTH) ** 2))
        ring[0, 0] = 0
        for direction in range(ANGLES):
            turned = np.abs((angle - math.pi * direction / ANGLES + math.pi) % (2 * math.pi) - math.pi)
            yield ifft2(spectrum * ring * np.exp(-(turned**2) / (2 * (math.pi / ANGLES / SPREAD) ** 2)))


def _fitted(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shape, left and right scale of the asymmetric generalised Gaussian of values ``(..., pixels)``."""
    squares = values**2
    negative, positive = values < 0, values > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (np.sqrt((squares * side).sum(-1) / side.sum(-1)) for side in (negative, positive))
        skew = left / right
        ratio = np.abs(values).mean(-1) ** 2 / squares.mean(-1)
        ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    after = np.clip(np.searchsorted(RATIOS, ratio), 1, len(RATIOS) - 1)  # RATIOS rise
    nearest = after - (np.abs(RATIOS[after - 1] - ratio) <= np.abs(RATIOS[after] - ratio))
    shape = np.where(np.isfinite(ratio), SHAPES[nearest], np.nan)
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def _of_normalised(maps: np.ndarray) -> np.ndarray:
    """18 features ``(blocks, 18)`` of normalised light and of its products with four neighbours."""
    block = maps[0]
    flat = block.reshape(len(block), -1)
    shape, left, right = _fitted(flat)
    found = [shape, (left + right) / 2]
    for step in NEIGHBOURS:
        shape, left, right = _fitted(flat * np.roll(block, step, axis=(1, 2)).reshape(flat.shape))
        found += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(found, axis=1)


def _gaussian(maps: np.ndarray) -> np.ndarray:
    """Shape and mean scale of each map, ``(blocks, 2 n)``."""
    shape, left, right = _fitted(maps.reshape(*maps.shape[:2], -1))
    return _interleaved(shape, (left + right) / 2)


def _moments(maps: np.ndarray) -> np.ndarray:
    """Mean and variance of each map, ``(blocks, 2 n)``."""
    return _interleaved(maps.mean(axis=(2, 3)), maps.var(axis=(2, 3)))


def _weibull(maps: np.ndarray) -> np.ndarray:
    """Scale and shape of the Weibull distribution of each map, by greatest likelihood, ``(blocks, 2 n)``."""
    logs = np.log(maps.reshape(*maps.shape[:2], -1))
    top = logs.max(axis=-1, keepdims=True)
    logs -= top
    mean, spread = logs.mean(-1), logs.std(-1)
    flat = spread < 1e-6
    shape = 1.2 / np.where(flat, 1, spread)
    for _ in range(NEWTON):
        powers = np.exp(shape[..., None] * logs)
        whole, first, second = ((powers * logs**order).sum(-1) for order in range(3))
        error = first / whole - 1 / shape - mean
        slope = second / whole - (first / whole) ** 2 + 1 / shape**2
        step = np.clip(error / slope, -shape, shape / 2)
        shape = shape - step
        if np.all(np.abs(step) < 1e-6 * shape):
            break
    scale = np.exp(np.log(np.exp(shape[..., None] * logs).mean(-1)) / shape + top[..., 0])
    return _interleaved(np.where(flat, np.nan, scale), np.where(flat, np.nan, shape))


def _interleaved(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``(n, blocks)`` twice as ``(blocks, 2 n)``, the first of one, the first of the other, and so on."""
    return np.stack([one, other], axis=1).reshape(-1, one.shape[1]).T
