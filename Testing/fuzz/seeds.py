"""Small sound studies of every format, for mutation."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from MedRestoreLib.files.studies import write
from MedRestoreLib.image import Image
from training.simulate.dicom import as_mr, as_nm, as_us

_JPEG, _JPEG_2000 = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"
_PACKAGED = ("MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle_2frame.dcm")


def make(folder: Path) -> list[Path]:
    """Write one study of each kind into ``folder``; a header has its data file beside it."""
    import pydicom.data
    from PIL import Image as Picture

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    volume = Image.from_array(
        rng.integers(0, 1000, (4, 12, 10)).astype(np.uint16), spacing=(0.9, 1.1, 2.5), modality="MR"
    )
    cine = rng.integers(0, 255, (4, 24, 32), endpoint=True).astype(np.uint8)
    colour = rng.integers(0, 255, (3, 24, 32, 3), endpoint=True).astype(np.uint8)
    made = [write(volume, folder / f"volume{s}") for s in (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")]
    made += _pairs(folder, volume.voxels[0].astype(np.int16))
    made.append(folder / "text.nrrd")
    header = "NRRD0004\ntype: ushort\ndimension: 3\nsizes: 10 12 4\nencoding: text\nspacings: 1 1 2\n\n"
    made[-1].write_text(header + " ".join(str(int(value)) for value in volume.voxels.ravel()))
    made.append(write(Image.from_array(cine, axes="fyx", frame_times=(0, 40, 80, 120)), folder / "cine.mp4"))
    made.append(as_nm(Image.from_array(volume.voxels[:, :1].astype(np.uint16), modality="NM"), folder / "nm.dcm"))
    made.append(as_us(Image.from_array(colour, axes="fyxc"), folder / "us.dcm"))
    series = as_mr(volume, folder / "series")
    made.append((series / "0001.dcm").rename(folder / "mr.dcm"))
    for name, format, array in (("a.jpg", "JPEG", colour[0]), ("a.bmp", "BMP", cine[0]), ("a.png", "PNG", colour[1])):
        Picture.fromarray(array).save(folder / name, format)
        made.append(folder / name)
    pages = [Picture.fromarray(page) for page in cine]
    pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
    made.append(folder / "stack.tif")
    made += [_compressed(folder / "us.dcm", colour, folder / f"{name}.dcm", name) for name in ("JPEG", "JPEG2000")]
    for name in _PACKAGED:
        made.append(folder / name)
        made[-1].write_bytes((Path(pydicom.data.__file__).parent / "test_files" / name).read_bytes())
    made.append(_avi(folder / "cine.avi", cine))
    return made


def _pairs(folder: Path, volume: np.ndarray) -> list[Path]:
    """A NIfTI pair, an ANALYZE image and an Interfile study."""
    import nibabel

    for kind, name in ((nibabel.Nifti1Pair, "pair"), (nibabel.Spm2AnalyzeImage, "analyze")):
        nibabel.save(kind(volume.T, np.diag([-0.9, 1.1, 2.5, 1.0])), folder / f"{name}.img")
    (folder / "counts.i33").write_bytes(volume.astype(">u2").tobytes())
    depth, rows, columns = volume.shape
    (folder / "counts.h33").write_text(
        "!INTERFILE :=\n!imaging modality := nucmed\n!name of data file := counts.i33\n!type of data := Static\n"
        f"!total number of images := {depth}\nimagedata byte order := BIGENDIAN\n!matrix size [1] := {columns}\n"
        f"!matrix size [2] := {rows}\n!number format := unsigned integer\n!number of bytes per pixel := 2\n"
        "scaling factor (mm/pixel) [1] := 2.4\nscaling factor (mm/pixel) [2] := 2.4\n!END OF INTERFILE :=\n"
    )
    return [folder / name for name in ("pair.hdr", "analyze.hdr", "counts.h33")]


def _compressed(source: Path, frames: np.ndarray, path: Path, codec: str) -> Path:
    from PIL import Image as Picture
    from pydicom import dcmread
    from pydicom.encaps import encapsulate

    codes = []
    for frame in frames:
        stream = io.BytesIO()
        Picture.fromarray(frame).save(stream, codec, **({"no_jp2": True} if codec == "JPEG2000" else {}))
        codes.append(stream.getvalue())
    dataset = dcmread(source)
    dataset.PixelData = encapsulate(codes)
    dataset["PixelData"].is_undefined_length = True
    dataset.PhotometricInterpretation = "YBR_FULL_422" if codec == "JPEG" else "RGB"
    dataset.file_meta.TransferSyntaxUID = _JPEG if codec == "JPEG" else _JPEG_2000
    dataset.save_as(path)
    return path


def _avi(path: Path, frames: np.ndarray) -> Path:
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, frames.shape[2:0:-1])
    for frame in frames:
        writer.write(np.repeat(frame[..., None], 3, axis=-1))
    writer.release()
    return path
