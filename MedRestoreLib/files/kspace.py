"""Raw k-space of MR: from lines as a scanner measured them to a complex image whose noise is white and even.

The cleanest place to remove noise is before the magnitude is taken. Coils are decorrelated by the scan of noise alone,
where there is one, and combined by what each sees (Roemer et al., Magnetic Resonance in Medicine 16(2), 1990), so that
the noise of the image has the same strength everywhere. No filter and no zero-filling colours it.

ISMRMRD files (Inati et al., Magnetic Resonance in Medicine 77(1), 2017; https://ismrmrd.readthedocs.io) are read where
their sampling is Cartesian and complete. Others need a reconstruction first, such as BART's or Gadgetron's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import MissingPackage, UnsupportedImage
from ..image import Image, Source
from . import decoding
from .payload import Budget
from .placing import UNKNOWN, geometry_of

CALIBRATION = 24  # lines and samples about the centre of k-space that tell what a coil sees

# Bits of an acquisition's flags (from 1): what is no line of an image.
_NOISE, _OTHERS = 19, (20, 23, 24, 26, 27, 28, 29)
_MOST_LINES = 1 << 20
_INDEX = ("kspace_encode_step_1", "kspace_encode_step_2", "slice", "contrast", "repetition", "set", "phase")


class Sampling(NamedTuple):
    """What the header of an ISMRMRD file says: sizes along x, y and z, lengths in mm, and where k-space's middle is."""

    encoded: tuple[int, ...]
    wanted: tuple[int, ...]
    field_mm: tuple[float, ...]
    centres: tuple[int, ...]


def reconstructed(kspace: np.ndarray, noise: np.ndarray | None = None, *, volume: bool = False) -> np.ndarray:
    """The complex image of fully sampled k-space.

    Args:
        kspace: complex ``(coils, slices, rows, columns)``, the middle of k-space at half of each side.
        noise: complex ``(coils, samples)``: of noise alone, which tells how strong and how correlated it is.
        volume: slices are phase encoded, too.

    Returns:
        complex64 ``(slices, rows, columns)``. With ``noise`` in its standard deviations: that of the real and of the
        imaginary parts is 1, as the transforms keep it.

    >>> reconstructed(np.ones((2, 1, 4, 4), complex)).shape
    (1, 4, 4)
    """
    if noise is not None:
        kspace = np.tensordot(_whitener(noise), kspace, 1)
    axes = (1, 2, 3) if volume else (2, 3)
    coils = _transformed(kspace, axes)
    if len(coils) == 1:
        return coils[0].astype(np.complex64)
    seen = _transformed(kspace * _low_pass(kspace.shape, axes), axes)
    strength = np.sqrt(np.square(np.abs(seen)).sum(0))
    combined = (seen.conj() * coils).sum(0) / np.maximum(strength, 1e-12 * max(float(strength.max()), 1e-300))
    return combined.astype(np.complex64)


def read(path: Path, budget: Budget) -> Image:
    """The complex image of an ISMRMRD file: repetitions, contrasts, sets and phases are its frames.

    Raises:
        UnsupportedImage: damaged, or k-space is not Cartesian or not fully sampled.
        MissingPackage: h5py is not installed.
    """
    decoding.demand_plain_name(path)
    about, *arrays = decoding.run("k-space", path, memory=budget.allowed(path))
    sampling = Sampling(*(tuple(values) for values in about["sampling"]))
    budget.demand(path, [*sampling.wanted, about["frames"]], 8, 1)
    noise = arrays[0] if about["noise"] else None
    frames = arrays[1:] if about["noise"] else arrays
    volume = sampling.encoded[2] > 1
    made = np.stack([_trimmed(reconstructed(lines, noise, volume=volume), sampling) for lines in frames])
    return Image.from_array(
        made, modality="MR", source=Source(format=".h5", dtype="complex64"), **_placed(about, sampling, made.shape)
    )


def decode(path: str) -> Iterator[Any]:
    """The decoder's job: a mapping, the scan of noise if there is one, and k-space frame by frame."""
    try:
        import h5py
    except ImportError as error:
        raise MissingPackage("h5py reads ISMRMRD files; install it: pip install h5py.") from error
    with h5py.File(path, "r") as file:
        group = next((file[name] for name in file if {"xml", "data"} <= set(file[name])), None)
        if group is None:
            raise UnsupportedImage(f"{path} holds no ISMRMRD data set; MedRestore reads no other HDF5 files.")
        if len(group["data"]) > _MOST_LINES:
            raise UnsupportedImage(f"{path} holds more than {_MOST_LINES} lines; reconstruct it first.")
        sampling = _sampling(path, group["xml"][0])
        lines = group["data"][:]
    heads = lines["head"]
    of_noise = _flagged(heads, _NOISE)
    usable = ~of_noise & ~np.any([_flagged(heads, bit) for bit in _OTHERS], axis=0)
    if not usable.any():
        raise UnsupportedImage(f"{path} holds no line of an image.")
    kept = [(head, _samples(line, head)) for line, head in zip(lines["data"][usable], heads[usable], strict=True)]
    if len({data.shape[0] for _, data in kept}) > 1:
        raise UnsupportedImage(f"{path} has lines of different numbers of coils; reconstruct it first.")
    noise = [_samples(line, head) for line, head in zip(lines["data"][of_noise], heads[of_noise], strict=True)]
    first = kept[0][0]
    frames = sorted({_frame(head) for head, _ in kept})
    slices = sorted({int(head["idx"]["slice"]) for head, _ in kept})
    yield {
        "sampling": [list(values) for values in sampling],
        "noise": bool(noise),
        "frames": len(frames),
        "axes": [[float(v) for v in first[name]] for name in ("read_dir", "phase_dir", "slice_dir")],
        "positions": [
            [float(v) for v in next(h["position"] for h, _ in kept if int(h["idx"]["slice"]) == number)]
            for number in slices
        ],
    }
    if noise:
        yield np.concatenate(noise, axis=1).astype(np.complex64)
    for frame in frames:
        yield _gridded(path, [(head, data) for head, data in kept if _frame(head) == frame], slices, sampling)


def _frame(head: Any) -> tuple[int, ...]:
    return tuple(int(head["idx"][name]) for name in ("repetition", "contrast", "set", "phase"))


def _flagged(heads: np.ndarray, bit: int) -> np.ndarray:
    return (heads["flags"] >> np.uint64(bit - 1)) & np.uint64(1) > 0


def _samples(line: np.ndarray, head: Any) -> np.ndarray:
    """``(coils, samples)`` of an acquisition, which stores real and imaginary parts in turn."""
    numbers = np.asarray(line, np.float32).view(np.complex64)
    return numbers.reshape(int(head["active_channels"]), -1)


def _gridded(path: str, lines: list[tuple[Any, np.ndarray]], slices: list[int], sampling: Sampling) -> np.ndarray:
    """k-space ``(coils, slices, rows, columns)`` of one frame; lines that were measured again are averaged."""
    columns, rows, partitions = sampling.encoded
    deep = partitions if partitions > 1 else len(slices)
    coils = lines[0][1].shape[0]
    kspace = np.zeros((coils, deep, rows, columns), np.complex64)
    count = np.zeros((deep, rows), np.int32)
    for head, data in lines:
        row = int(head["idx"]["kspace_encode_step_1"]) - sampling.centres[0] + rows // 2
        partition = int(head["idx"]["kspace_encode_step_2"]) - sampling.centres[1] + partitions // 2
        depth = partition if partitions > 1 else slices.index(int(head["idx"]["slice"]))
        start = columns // 2 - int(head["center_sample"])
        if not (0 <= row < rows and 0 <= depth < deep and 0 <= start <= columns - data.shape[1]):
            raise UnsupportedImage(f"{path} has lines outside of the matrix that its header states.")
        kspace[:, depth, row, start : start + data.shape[1]] += data
        count[depth, row] += 1
    measured = np.flatnonzero(count.any(axis=0))
    inside = count[:, measured.min() : measured.max() + 1]
    if not inside.all() or len(measured) <= rows // 2:
        raise UnsupportedImage(
            f"{path} is undersampled, as parallel imaging does it; reconstruct it first (BART, Gadgetron)."
        )
    return kspace / np.maximum(count, 1)[None, :, :, None]


def _sampling(path: str, xml: bytes | str) -> Sampling:
    from xml.etree import ElementTree

    text = xml.encode() if isinstance(xml, str) else bytes(xml)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnsupportedImage(f"{path} has a header with entities, which ISMRMRD does not use.")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UnsupportedImage(f"{path} has a damaged header (XML).") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    encoding = root.find("encoding")
    if encoding is None or (encoding.findtext("trajectory") or "").lower() != "cartesian":
        raise UnsupportedImage(f"{path} is not sampled on a Cartesian grid; reconstruct it first (BART, Gadgetron).")

    def three(where: str) -> list[float]:
        return [float(encoding.findtext(f"{where}/{axis}") or "nan") for axis in "xyz"]

    try:
        encoded, wanted = (list(map(int, three(f"{space}/matrixSize"))) for space in ("encodedSpace", "reconSpace"))
    except ValueError as error:
        raise UnsupportedImage(f"{path} states no size of its matrix.") from error
    centres = [
        int(encoding.findtext(f"encodingLimits/kspace_encoding_step_{number}/center") or size // 2)
        for number, size in ((1, encoded[1]), (2, encoded[2]))
    ]
    if min(*encoded, *wanted) < 1 or max(encoded) > 1 << 14:
        raise UnsupportedImage(f"{path} states a matrix of {encoded}, which no scanner has.")
    return Sampling(tuple(encoded), tuple(wanted), tuple(three("encodedSpace/fieldOfView_mm")), tuple(centres))


def _trimmed(image: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The middle of the image: readouts are sampled wider than the study shows."""
    for axis, size in ((2, sampling.wanted[0]), (1, sampling.wanted[1])):
        extra = image.shape[axis] - size
        if extra > 0:
            image = np.take(image, range(extra // 2, extra // 2 + size), axis)
    return image


def _placed(about: dict[str, Any], sampling: Sampling, shape: tuple[int, ...]) -> dict[str, Any]:
    """The geometry, where lengths and directions are stated; positions are those of a slice's centre, LPS."""
    _, deep, rows, columns = shape
    lengths = np.array(sampling.field_mm, float) / sampling.encoded
    axes = np.array(about["axes"], float).T
    if not (np.isfinite(lengths).all() and lengths.min() > 0):
        return dict(UNKNOWN)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        return {"spacing": tuple(lengths)}
    places = np.array(about["positions"], float)
    if len(places) > 1:  # slices, in the order of their numbers
        step = (places[-1] - places[0]) / (len(places) - 1)
        if math.isclose(float(np.linalg.norm(step)), 0.0):
            return {"spacing": tuple(lengths)}
        lengths[2] = np.linalg.norm(step)
        axes[:, 2] = step / lengths[2]
        middle = places[0]
    else:
        middle = places[0] - axes[:, 2] * lengths[2] * (deep // 2)
    corner = middle - axes[:, 0] * lengths[0] * (columns // 2) - axes[:, 1] * lengths[1] * (rows // 2)
    return geometry_of(axes * lengths, corner)


def _transformed(kspace: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    shifted = np.fft.ifftshift(kspace, axes=axes)
    return np.fft.fftshift(np.fft.ifftn(shifted, axes=axes, norm="ortho"), axes=axes)


def _low_pass(shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    """A Hann window over the middle of k-space along ``axes``."""
    window = np.ones((1,) * len(shape))
    for axis in axes:
        size = shape[axis]
        width = min(size, CALIBRATION)
        line = np.zeros(size)
        first = size // 2 - width // 2
        line[first : first + width] = np.hanning(width + 2)[1:-1]
        window = window * line.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return window


def _whitener(noise: np.ndarray) -> np.ndarray:
    """What makes the coils' noise independent, of standard deviation 1 in either part."""
    covariance = noise @ noise.conj().T / (2 * noise.shape[1])
    least = 1e-9 * np.trace(covariance).real / len(covariance)  # a coil may be dead
    return np.linalg.inv(np.linalg.cholesky(covariance + least * np.eye(len(covariance))))
