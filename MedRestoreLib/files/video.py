"""Cine as video files, decoded and encoded by OpenCV in a child process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError, UnsupportedImage
from ..image import Image, Source, as_integers
from .containers import demand_whole
from .decoding import demand_plain_name, run
from .payload import Budget

_USUAL_RATE = 25.0  # frames a second of a cine that does not say
_UNEVEN = 0.5  # frames may be this part of a step away from an even pace
_GREY_16 = int.from_bytes(b"Y1\0\x10", "little")  # FFmpeg's tag of a pixel format
OTHERS = (".mov", ".avi", ".mpeg", ".mpg", ".mkv", ".m4v", ".wmv", ".webm")  # suffixes beside .mp4, only read
_MISSING = 0.05  # of the declared frames may be missing: their number is an estimate in some files


def read(path: Path, budget: Budget) -> Image:
    """The frames of a video file: one component where they are grey, else colour.

    Pixels that are shown wider than high have a spacing that says so, in pixels' heights: lengths are not known.

    Raises:
        UnsupportedImage: damaged, truncated, fewer frames than declared can be decoded, or of a depth beyond 8 bits
            that is not 16-bit grey.
    """
    demand_plain_name(path)
    demand_whole(path)
    messages = run("video", path, budget.allowed(path), memory=budget.allowed(path))
    about = next(messages)
    frames, milliseconds = [], []
    for message in messages:
        if isinstance(message, dict):
            milliseconds = message["ms"]
        else:
            frames.append(message)
            components = 1 if message.ndim == 2 else 3
            budget.demand(path, (len(frames), *message.shape[:2]), message.itemsize, components)
    if not frames:
        raise UnsupportedImage(f"{path} is damaged, or holds no frame that can be decoded.")
    if len(frames) < (1 - _MISSING) * about["frames"] - 1:
        raise UnsupportedImage(
            f"{path} is damaged: {about['frames']} frames are declared, {len(frames)} decoded; fetch it again."
        )
    voxels = np.stack(frames)
    if voxels.ndim == 4 and all((frame == frame[..., :1]).all() for frame in frames):
        voxels = np.ascontiguousarray(voxels[..., 0])
    return Image.from_array(
        voxels,
        axes="fyx" if voxels.ndim == 3 else "fyxc",
        frame_times=_frame_times(milliseconds, about["rate"]),
        source=Source(format=path.suffix.lower(), dtype=str(voxels.dtype)),
        spacing=(about["width"], 1.0, 1.0),
        spacing_known=False,
    )


def write(image: Image, path: Path) -> None:
    """Write frames as an ``.mp4`` of the rate that their times say."""
    pictures = as_integers(image.stored()[:, 0], np.dtype(np.uint8))
    pictures = np.repeat(pictures[..., None], 3, axis=-1) if pictures.ndim == 3 else pictures[..., 2::-1]
    steps = np.diff(image.frame_times)
    rate = 1000.0 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else _USUAL_RATE
    list(run("encode video", path, rate, arrays=(pictures,), memory=2 * pictures.nbytes + 1e9))


def refuses(image: Image) -> str:
    """Why an ``.mp4`` cannot hold this image; "" if it can."""
    if image.voxels.shape[1] > 1 or np.dtype(image.source.dtype) != np.uint8:
        return "an .mp4 holds 8-bit pictures over time and this study is something else; choose .nrrd."
    if image.source.format in (".mp4", *OTHERS) and image.spacing[0] != image.spacing[1]:
        return "an .mp4 is written with square pixels and those of this study are not; choose .nrrd."
    steps = np.diff(image.frame_times)
    if len(steps):
        even = image.frame_times[0] + np.median(steps) * np.arange(len(steps) + 1)
        if np.abs(even - image.frame_times).max() > max(_UNEVEN * np.median(steps), 1.0) * (1 + len(steps) / 50):
            return "an .mp4 shows frames at an even pace and the times of this study are uneven; choose .nrrd."
    return ""


def _frame_times(milliseconds: list[float], rate: float) -> tuple[float, ...]:
    """Each frame's own time where the file states them, else an even pace; () when neither is stated."""
    if len(milliseconds) < 2:
        return ()
    steps = np.diff(milliseconds)
    if np.isfinite(steps).all() and steps.min() > 0:
        return tuple(float(ms - milliseconds[0]) for ms in milliseconds)
    return tuple(1000.0 * k / rate for k in range(len(milliseconds))) if rate > 0 else ()


def decode(path: str, allowed: float) -> Iterator[Any]:
    """In a child: what the file declares, then the pixels of each frame, then their times."""
    import cv2

    capture = cv2.VideoCapture(path)
    kind = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
    depth = _depth(kind.to_bytes(4, "little"))
    if depth > 8 and kind != _GREY_16:
        raise UnsupportedImage(f"{path} holds {depth} bits a component, of which 8 would be read; convert it to .nrrd.")
    if kind == _GREY_16:
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    across, down = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    rate, declared = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if width * height * 3 > allowed:
        raise UnsupportedImage(f"{path} declares frames of {width:.0f} x {height:.0f} pixels.", field="memory_gb")
    counted = Path(path).suffix.lower() in (".mp4", ".mov", ".m4v", ".avi")  # others are estimated from the length
    yield {
        "frames": int(declared) if counted and 0 < declared < 1e7 else 0,
        "rate": float(rate) if np.isfinite(rate) else 0.0,
        "width": across / down if 0 < across < 1e6 and 0 < down < 1e6 else 1.0,
    }
    times = []
    while (frame := capture.read()[1]) is not None:
        times.append(float(capture.get(cv2.CAP_PROP_POS_MSEC)))
        yield frame if kind == _GREY_16 else frame[..., ::-1]  # OpenCV gives blue first
    capture.release()
    yield {"ms": times}


def _depth(tag: bytes) -> int:
    """Bits of a component, from FFmpeg's tag of a pixel format (libavcodec/raw.c): 'Y', '1', 0, 16 is 16-bit grey."""
    if tag in (b"b48r", b"b64a", b"b16g"):
        return 16
    for letter, bits in ((tag[0], tag[3]), (tag[3], tag[0])):
        if letter in b"YG" and 8 < bits <= 16:
            return bits
    return 8


def encode(path: str, rate: float, pictures: np.ndarray) -> Iterator[Any]:
    """In a child: write an ``.mp4``, and count what can be read of it, since the encoder tells of no failed write."""
    import cv2

    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), rate, pictures.shape[2:0:-1])
    if not writer.isOpened():
        raise OutputError("this OpenCV cannot write .mp4; choose .nrrd.")
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture))
        yield {}
    writer.release()
    capture, found = cv2.VideoCapture(path), 0
    while capture.read()[0]:
        found += 1
        yield {}
    if found != len(pictures):
        raise OutputError("the .mp4 could not be written whole; is the disk full?")
