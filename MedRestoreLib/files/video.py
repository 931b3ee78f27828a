"""Cine as video files, through OpenCV."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np

from ..errors import OutputError, UnsupportedImage
from ..image import Image, Source, as_integers
from .quiet import quiet_decoders


def read(path: Path) -> Image:
    import cv2

    frames = []
    with quiet_decoders():
        capture = cv2.VideoCapture(str(path))
        rate = capture.get(cv2.CAP_PROP_FPS)
        while (frame := capture.read()[1]) is not None:
            frames.append(frame)
        capture.release()
    if not frames:
        raise UnsupportedImage(f"{path} is damaged, or holds no frame that can be decoded.")
    array = np.stack(frames)[..., ::-1]  # OpenCV gives blue first
    grey = bool((array == array[..., :1]).all())
    times = tuple(1000.0 * k / rate for k in range(len(frames))) if rate > 0 and len(frames) > 1 else ()
    source = Source(format=path.suffix.lower(), dtype="uint8")
    voxels, axes = (array[..., 0], "fyx") if grey else (array, "fyxc")
    return Image.from_array(voxels, axes=axes, frame_times=times, source=source)


def write(image: Image, path: Path) -> None:
    import cv2

    pictures = as_integers(image.stored()[:, 0], np.dtype(np.uint8))
    pictures = np.repeat(pictures[..., None], 3, axis=-1) if pictures.ndim == 3 else pictures[..., 2::-1]
    steps = np.diff(image.frame_times)
    rate = 1000.0 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 25.0
    if shutil.disk_usage(path.parent).free < pictures.nbytes:  # the encoder does not notice a failed write
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, pictures.shape[2:0:-1])
    if not writer.isOpened():
        raise OutputError("this OpenCV cannot write .mp4; choose .nrrd.")
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture))
    writer.release()
