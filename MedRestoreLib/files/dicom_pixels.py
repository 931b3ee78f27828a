"""The stored numbers of a DICOM file: as many frames as it declares, without overlays and padding bits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from . import dicom_itk
from .codestream import STARTS, declared
from .decoding import Undecodable, complaints, run
from .headers import damaged, number, text, value, whole
from .payload import Budget, demand_possible
from .quiet import quiet_pydicom

_FLOATS = ("FloatPixelData", "DoubleFloatPixelData")
_PIXELS = ("PixelData", *_FLOATS)
_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_APART = 0.01  # of the range of other values: a padding value so far beyond them was not measured
_OVERLAYS = range(0x6000, 0x6020, 2)  # groups


def read_pixels(path: Path, header: Any, budget: Budget) -> np.ndarray:
    """Stored numbers ``(frames, rows, columns)`` of one file; colour as RGB in a fourth axis.

    An overlay in unused high bits of the words moves into the header as Overlay Data.

    Raises:
        UnsupportedImage: they are missing, truncated, damaged, more than declared, or of a kind not supported.
    """
    if "ModalityLUTSequence" in header:
        raise UnsupportedImage(f"{path} maps its values through a lookup table; convert it to plain values first.")
    size = frame_count(header), whole(header, "Rows"), whole(header, "Columns")
    bits, samples = whole(header, "BitsAllocated"), whole(header, "SamplesPerPixel", 1)
    for name, good in (
        ("Rows", size[1] > 0),
        ("Columns", size[2] > 0),
        ("BitsAllocated", bits in (1, 8, 16, 32, 64)),
        ("SamplesPerPixel", samples in (1, 3, 4)),
    ):
        if not good:
            raise damaged(name)
    syntax = header.file_meta.get("TransferSyntaxUID") if hasattr(header, "file_meta") else None
    compressed = syntax is not None and syntax.is_compressed and not syntax.is_deflated
    if syntax is None or not (syntax.is_compressed or syntax.is_deflated):
        subsampled = "422" in text(header, "PhotometricInterpretation")
        demand_possible(path, path.stat().st_size, math.prod(size) * (2 if subsampled else samples) * bits // 8)
    budget.demand(path, size, max(1, bits // 8), 3 if _has_palette(header) else samples)
    stored = _compressed(path, syntax, size, budget) if compressed else _plain(path, header, syntax)
    if _has_palette(header):
        from pydicom.pixels import apply_color_lut

        stored = apply_color_lut(stored, header)
        stored = (stored >> 8).astype(np.uint8) if stored.dtype == np.uint16 else stored  # screens show 8 bits
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    components = stored.size // int(np.prod(size))
    if stored.size % int(np.prod(size)) or components not in (1, 3, 4):
        raise UnsupportedImage(f"the pixels of {path} are not of the size that the header declares; export it again.")
    if components > 1 and samples == 1 and not _has_palette(header):
        raise damaged("NumberOfFrames")
    return stored.reshape(*size, components) if components > 1 else stored.reshape(size)


def frame_count(header: Any) -> int:
    """Number of frames, 1 when the header does not say."""
    frames = whole(header, "NumberOfFrames", 1)
    if frames < 1:
        raise damaged("NumberOfFrames")
    return frames


def _has_palette(header: Any) -> bool:
    # In nuclear medicine a palette only says how counts are shown (PS3.3 C.8.4.8.1.1): the counts are what we want.
    counted = modalities.find(text(header, "Modality")).code in ("NM", "PT")
    return text(header, "PhotometricInterpretation") == "PALETTE COLOR" and not counted


def _plain(path: Path, header: Any, syntax: Any) -> np.ndarray:
    """Pixels that are stored as they are."""
    from pydicom import dcmread
    from pydicom.pixels import pixel_array
    from pydicom.pixels.utils import get_expected_length

    dataset = dcmread(path, force=True)
    if syntax is None:
        dataset.file_meta = _guess_syntax(dataset)
    data = next((value(dataset, name) for name in _PIXELS if value(dataset, name) is not None), None)
    if data is None:
        raise UnsupportedImage(f"the pixels of {path} are missing.")
    expected = get_expected_length(dataset)
    if len(data) < expected:
        raise UnsupportedImage(
            f"the pixels of {path} are truncated: {expected} bytes are declared, {len(data)} are there; fetch it again."
        )
    frames = frame_count(header)
    if len(data) >= expected + expected // frames:
        raise UnsupportedImage(
            f"{path} declares {frames} frames and holds {len(data) * frames // expected}; "
            "correct its Number of Frames (0028,0008)."
        )
    bits, grey = whole(header, "BitsAllocated"), whole(header, "SamplesPerPixel", 1) == 1
    stored, high = whole(header, "BitsStored", bits), whole(header, "HighBit", whole(header, "BitsStored", bits) - 1)
    if "PixelData" in dataset and not stored - 1 <= high < bits:
        raise damaged("HighBit")
    if not (grey and bits in (16, 32) and "PixelData" in dataset):
        return pixel_array(dataset)
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    words = np.frombuffer(data, f"{order}u{bits // 8}", expected // (bits // 8)).astype(f"u{bits // 8}")
    _move_overlays(header, words.reshape(frames, -1))
    unused = bits - stored
    words = words << (bits - 1 - high)  # what lies above the high bit falls off
    if whole(header, "PixelRepresentation"):
        words = words.view(f"i{bits // 8}")
    return words >> unused


def _move_overlays(header: Any, words: np.ndarray) -> None:
    """Overlays in high bits, ``(frames, pixels)``, become elements of their own, as the standard has it since 2004."""
    for group in _OVERLAYS:
        element = header.get((group, 0x0102))
        position = 0 if element is None else int(element.value or 0)
        if not 0 < position < 8 * words.itemsize or (group, 0x3000) in header:
            continue
        bits = np.packbits(((words >> position) & 1).astype(bool).ravel(), bitorder="little").tobytes()
        header.add_new((group, 0x3000), "OW", bits + b"\0" * (len(bits) % 2))
        header.add_new((group, 0x0100), "US", 1)
        header.add_new((group, 0x0102), "US", 0)
        if len(words) > 1:
            header.add_new((group, 0x0015), "IS", str(len(words)))
            header.add_new((group, 0x0051), "US", 1)


def drop_embedded_overlays(dataset: Any) -> None:
    """Remove the groups of overlays that lie in bits which new pixels do not have."""
    for group in _OVERLAYS:
        element = dataset.get((group, 0x0102))
        if element is not None and (int(element.value or 0) or (group, 0x3000) not in dataset):
            for tag in [tag for tag in dataset.keys() if tag.group == group]:  # noqa: SIM118
                del dataset[tag]


def _compressed(path: Path, syntax: Any, size: tuple[int, int, int], budget: Budget) -> np.ndarray:
    _need_decoder(path, syntax)
    try:
        stored, count = None, 0
        for frame in run("dicom", path, *size, memory=budget.allowed(path)):  # the child decodes the next one meanwhile
            if stored is None:
                stored = np.empty((size[0], *frame.shape), frame.dtype)
            if count < size[0]:
                stored[count] = frame
            count += 1
    except Undecodable as error:
        raise UnsupportedImage(
            f"the pixels of {path} ({syntax.name}) are damaged, or of a kind that the installed decoders "
            "(gdcm, pillow) cannot read; export it uncompressed."
        ) from error
    if stored is None or count != size[0]:
        raise UnsupportedImage(f"the pixels of {path} are truncated: {size[0]} frames are declared, {count} are there.")
    return stored


def _need_decoder(path: Path, syntax: Any) -> None:
    from pydicom.pixels import get_decoder

    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise UnsupportedImage(
            f"{path} is compressed as {syntax.name}, which cannot be decoded; export it uncompressed."
        ) from error
    if not decoder.is_available and not dicom_itk.is_there():
        needs = " or ".join(decoder.missing_dependencies)
        raise UnsupportedImage(f"{path} is compressed as {syntax.name}; install one of its decoders: {needs}.")


def _guess_syntax(dataset: Any) -> Any:
    """File meta for a file that lacks it, from how pydicom managed to read it."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    meta = FileMetaDataset()
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return meta


def padding_of(header: Any, stored: np.ndarray) -> np.ndarray | None:
    """Where Pixel Padding fills the rectangle around what was measured: boolean like ``stored``, None if nowhere.

    Where the padding's value may have been measured, as 0 in a magnitude, only what touches the border of an image is
    padding.
    """
    names = ("PixelPaddingValue", "FloatPixelPaddingValue", "DoubleFloatPixelPaddingValue")
    first = next((found for name in names if (found := number(header, name)) is not None), None)
    if first is None or stored.ndim != 4:
        return None
    if "PixelPaddingValue" in header and stored.dtype.kind == "i" and first > np.iinfo(stored.dtype).max:
        first -= 2.0 ** (8 * stored.dtype.itemsize)  # stored under the wrong sign
    last = number(header, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    padded = (stored >= low) & (stored <= high)
    if not padded.any() or padded.all():
        return None
    others = stored[~padded]
    least, greatest = float(others.min()), float(others.max())
    apart = _APART * (greatest - least)
    if high < least - apart or low > greatest + apart:
        return padded
    from scipy.ndimage import binary_propagation

    for plane in padded.reshape(-1, *padded.shape[2:]):
        border = np.zeros_like(plane)
        border[[0, -1]], border[:, [0, -1]] = plane[[0, -1]], plane[:, [0, -1]]
        plane[...] = binary_propagation(border, mask=plane)
    return padded if padded.any() else None


def decode(path: str, count: int, rows: int, columns: int) -> Iterator[np.ndarray]:
    """In a child: the decoded frames of a compressed file, which must agree with what its header declares."""
    from pydicom import dcmread
    from pydicom.encaps import generate_fragments
    from pydicom.pixels import get_decoder, iter_pixels

    with quiet_pydicom():
        dataset = dcmread(path, force=True)
        if "PixelData" not in dataset:
            raise UnsupportedImage(f"the pixels of {path} are missing.")
        fragments = list(_behind_table(generate_fragments(dataset.PixelData)))
        starts = [fragment for fragment in fragments if fragment.startswith(STARTS)]
        pictures = len(starts) or len(fragments)
        if pictures < count or len(starts) > count:
            raise UnsupportedImage(f"{path} declares {count} frames and holds {pictures}; export it again.")
        for code in starts:
            picture = declared(code)
            if picture is not None and (picture.rows, picture.columns) != (rows, columns):
                raise UnsupportedImage(
                    f"{path} declares images of {rows} x {columns} and holds {picture.rows} x {picture.columns}."
                )
        if dataset.file_meta.TransferSyntaxUID == _JPEG_BASELINE:
            _demand_sound(path, starts if len(starts) == len(fragments) else [])
        if get_decoder(dataset.file_meta.TransferSyntaxUID).is_available:
            yield from iter_pixels(dataset)
        else:
            yield from dicom_itk.frames_of(dataset)


def _behind_table(fragments: Iterator[bytes]) -> Iterator[bytes]:
    """All items but the first, which is the Basic Offset Table."""
    next(fragments, None)
    yield from fragments


def _demand_sound(path: str, codes: list[bytes]) -> None:
    """Raise where libjpeg finds corrupt data, of which the decoders say nothing.

    It meets them while it unpacks the codes; an eighth of the picture's size saves the rest of its work.
    """
    import cv2

    with complaints() as said:
        for code in codes:
            cv2.imdecode(np.frombuffer(code, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if any("orrupt" in text or "remature" in text for text in said):
        raise UnsupportedImage(f"the pixels of {path} are damaged; fetch it again.")
