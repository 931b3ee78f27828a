"""Pictures: PNG, TIFF (also stacks and frames), JPEG and BMP, decoded in a child process."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OutputError, UnsupportedImage
from ..image import Image, Source, as_integers
from .codestream import declared
from .containers import demand_whole
from .decoding import complaints, demand_plain_name, run
from .payload import Budget
from .tiff import pages_of

_PNG_COMPONENTS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # of a colour type; a palette may have alpha
_ORIENTATION = 0x0112  # Exif
_ITK_BYTES = {"8-bit": 1, "16-bit": 2, "32-bit": 4, "64-bit": 8, "vector": 4}


def read(path: Path, budget: Budget) -> Image:
    """The picture in a file, or the slices and frames of a TIFF; its spacing is unknown unless a TIFF states it.

    Raises:
        UnsupportedImage: damaged, truncated, or of more components than colour has.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        demand_plain_name(path)
    demand_whole(path)
    messages = run("picture", path, memory=budget.allowed(path))
    about = next(messages)
    budget.demand(path, about["size"], about["itemsize"], about["components"])
    (array,) = messages
    components = 1 if array.ndim == (2 if about["dimension"] == 2 else 4) else array.shape[-1]
    if components == 2:  # grey and alpha
        grey, alpha = array[..., 0], array[..., 1]
        opaque = alpha.min() == np.iinfo(array.dtype).max if array.dtype.kind == "u" else False
        array = grey if opaque else np.stack([grey, grey, grey, alpha], axis=-1)
        components = 1 if opaque else 4
    if components not in (1, 3, 4):
        raise UnsupportedImage(f"{path} has {components} components a pixel, which are neither colour nor frames.")
    source = Source(format=path.suffix.lower(), dtype=str(array.dtype), metadata={"dimension": str(about["dimension"])})
    axes = ("yx" if about["dimension"] == 2 else about["pages"]) + ("c" if components > 1 else "")
    frames = array.shape[axes.index("f")] if "f" in axes else 1
    return Image.from_array(
        array,
        axes=axes,
        source=source,
        spacing=about["spacing"] or (1.0, 1.0, 1.0),
        spacing_known=about["spacing"] is not None,
        frame_times=tuple(about["step"] * frame for frame in range(frames)) if frames > 1 and about["step"] > 0 else (),
    )


def write(image: Image, path: Path) -> None:
    """Write the one slice of an image as a ``.png`` of 8 or 16 bits."""
    stored = _whole_numbers(image)[0, 0]
    (code,) = run("encode picture", path, arrays=(stored,))
    path.write_bytes(code.tobytes())


def refuses(image: Image) -> str:
    """Why a ``.png`` cannot hold this image; "" if it can."""
    pictures = image.voxels.shape[0] * image.voxels.shape[1]
    if pictures > 1:
        return f"a .png holds one picture, this study has {pictures}; choose .nrrd, or .mp4 for a cine."
    if np.dtype(image.source.dtype).kind not in "iub" or image.source.slope != 1.0:
        return "a .png holds whole numbers and this study has fractions; choose .nrrd."
    return ""


def _whole_numbers(image: Image) -> np.ndarray:
    stored = image.stored()
    dtype = np.dtype(image.source.dtype)
    if dtype in (np.uint8, np.uint16):
        return as_integers(stored, dtype) if stored.dtype != dtype else stored
    whole = np.rint(stored.astype(np.float64))
    if whole.min() < 0 or whole.max() > np.iinfo(np.uint16).max:
        raise OutputError("the values of this study do not fit a 16-bit .png; choose .nrrd.")
    return whole.astype(np.uint8 if dtype.itemsize == 1 else np.uint16)


def decode(path: str) -> Iterator[Any]:
    """In a child: what the picture is, and then its pixels."""
    if path.lower().endswith((".png", ".jpg", ".jpeg", ".bmp")):
        return _decode_with_opencv(path)
    return _decode_with_itk(path)


def _decode_with_itk(path: str) -> Iterator[Any]:
    import SimpleITK as sitk

    pages = pages_of(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    reader.ReadImageInformation()
    if reader.GetDimension() not in (2, 3):
        raise UnsupportedImage(f"{path} has {reader.GetDimension()} dimensions; pictures have 2, stacks 3.")
    yield {
        "size": reader.GetSize(),
        "itemsize": _ITK_BYTES.get(sitk.GetPixelIDValueAsString(reader.GetPixelID()).split()[0], 8),
        "dimension": reader.GetDimension(),
        "components": reader.GetNumberOfComponents(),
        "pages": "fzyx" if pages.slices_first else "zfyx",
        "spacing": pages.spacing,
        "step": pages.step,
    }
    array = sitk.GetArrayFromImage(reader.Execute())
    if pages.inverted and array.dtype.kind == "u":
        array = np.iinfo(array.dtype).max - array
    if reader.GetDimension() == 3:
        order = (pages.frames, pages.slices) if pages.slices_first else (pages.slices, pages.frames)
        array = array.reshape(*order, *array.shape[1:])
    yield array


def _decode_with_opencv(path: str) -> Iterator[Any]:
    import cv2

    code = np.fromfile(path, np.uint8)
    size, components, itemsize = _declared(path, code.tobytes())
    if code[:4].tobytes() == b"\x89PNG":
        _demand_still(path, code.tobytes())
    about = {"dimension": 2, "spacing": None, "step": 0.0, "itemsize": itemsize}
    yield {**about, "size": size, "components": components}
    with complaints() as said:
        array = cv2.imdecode(code, cv2.IMREAD_UNCHANGED)
    if array is None or array.shape[:2] != size or any("orrupt" in text or "remature" in text for text in said):
        raise UnsupportedImage(f"the pixels of {path} are damaged; fetch it again.")
    array = _upright(code.tobytes(), array)
    if array.ndim == 2:
        yield array
    elif components == 2:  # grey and alpha, which come as colour and alpha
        yield array[..., [0, 3]]
    else:
        yield array[..., [2, 1, 0, 3][: array.shape[2]]]  # OpenCV gives blue first


def _declared(path: str, code: bytes) -> tuple[tuple[int, int], int, int]:
    """Rows and columns, components, and bytes of each, as the picture's header has them."""
    if code.startswith(b"\x89PNG"):
        columns, rows, bits, kind = struct.unpack_from(">IIBB", code, 16)
        return (rows, columns), _PNG_COMPONENTS.get(kind, 4), 2 if bits == 16 else 1
    if code.startswith(b"BM"):
        columns, rows, bits = *struct.unpack_from("<ii", code, 18), struct.unpack_from("<H", code, 28)[0]
        return (abs(rows), columns), 4 if bits == 32 else 3, 1
    picture = declared(code)
    if picture is None:
        raise UnsupportedImage(f"{path} is no picture of its kind, or its header is damaged; fetch it again.")
    return picture[:2], picture.components, 1


def _upright(code: bytes, pixels: np.ndarray) -> np.ndarray:
    """Pixels ``(rows, columns[, components])`` as Exif's Orientation wants them shown: viewers and cameras heed it."""
    import io

    from PIL import Image as Picture

    with Picture.open(io.BytesIO(code)) as picture:
        turned = picture.getexif().get(_ORIENTATION, 1)
    if turned in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if turned in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels[:, ::-1] if turned in (2, 3, 6, 7) else pixels


def _demand_still(path: str, code: bytes) -> None:
    """Raise for an animated PNG, of which OpenCV gives the first picture."""
    at = 8
    while code[at + 4 : at + 8] not in (b"IDAT", b""):
        if code[at + 4 : at + 8] == b"acTL":
            raise UnsupportedImage(f"{path} is an animation; give its frames as a video, or one picture.")
        at += 12 + struct.unpack_from(">I", code, at)[0]


def encode(path: str, stored: np.ndarray) -> Iterator[Any]:
    """In a child: the bytes of a ``.png``."""
    import cv2

    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(stored.shape[2] if stored.ndim == 3 else 1)
    pixels = stored if order is None else stored[..., order]
    done, code = cv2.imencode(".png", np.ascontiguousarray(pixels))
    if not done:
        raise OutputError("this picture cannot be written as .png; choose .nrrd.")
    yield code
