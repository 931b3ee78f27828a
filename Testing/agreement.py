"""What other programs find in what we write: ``python -m Testing.agreement`` prints a table, 24 studies by 5 programs.

Each study is read, scaled by 0.9 as a restoration would, written in its own format, and read again by nibabel,
SimpleITK, dcm2niix (PyPI) and dcmtk's dcm2pnm (Debian), each in its own way. Every voxel of ours must lie where they
find one, and have its value. dciodvfy (Debian's dicom3tools) must find no error that the source does not have.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from Testing.support.dicom_objects import AXIAL, CLASSES, dicom, enhanced, head, item, mosaics, save, series
from training.simulate.dicom import as_nm, as_us

# What may be said of a restored object: rescale is an extension of the SOP class in NM and MR.
EXTENSION = re.compile(
    r"Rescale (Slope|Intercept|Type)|Standard Extended SOP Class|Modality LUT Module|applying modality transform"
)
# SimpleITK reads no NIfTI-2, and of two transforms it takes the qform, we the sform.
NOT_ASKED = {"two.nii.gz", "forms.nii.gz"}
TURNED = np.linalg.qr([[0.9, 0.2, 0.1], [-0.2, 1.0, 0.3], [-0.1, -0.3, 1.0]])[0]
TURNED = TURNED * np.sign(np.diag(TURNED))  # axes that point about where the unturned ones do
TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Found:
    """What a program found: how far from ours its voxels lie (mm; NaN where it tells of no place), and their values.

    ``values`` is the largest difference, relative to the range of our values; ``faults`` are complaints.
    """

    place: float = np.nan
    values: float = np.nan
    faults: tuple[str, ...] = ()


def turned(frames: int = 1, slices: int = 7, dtype: str = "int16", colour: bool = False) -> mr.Image:
    """A study that lies askew in space."""
    shape = (frames, slices, 20, 16, 3) if colour else (frames, slices, 20, 16)
    array = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    geometry = {"spacing": (0.9, 1.1, 2.5), "origin": (-20.0, 31.0, 7.0), "direction": TURNED.ravel()}
    times = tuple(2000.0 * frame for frame in range(frames)) if frames > 1 else ()
    return mr.Image.from_array(array, axes="fzyxc" if colour else "fzyx", frame_times=times, modality="MR", **geometry)


def _oblique(folder: Path, **values: Any) -> Path:
    row, column, normal = TURNED.T

    def change(dataset: Any, index: int) -> None:
        dataset.ImagePositionPatient = [float(f"{one:.8g}") for one in 2.5 * index * normal]
        dataset.ImageOrientationPatient = [float(f"{one:.10f}") for one in (*row, *column)]

    return series(folder, head(), change, **values)


def _philips(folder: Path) -> Path:
    def change(dataset: Any, index: int) -> None:
        dataset.Manufacturer = "Philips Medical Systems"
        block = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0D, "FL", 0.0)
        block.add_new(0x0E, "FL", 0.0190212)

    return series(folder, head(), change, RescaleSlope="1.53455", RescaleIntercept="0", RescaleType="normalized")


def _twice(folder: Path) -> Path:
    """A volume at two times."""
    for time in (1, 2):
        uids = {"TemporalPositionIdentifier": time, "AcquisitionTime": f"1200{time:02}", "AcquisitionDate": "20200101"}
        series(folder, head(seed=time), lambda d, k, time=time: setattr(d, "InstanceNumber", k + 6 * time), **uids)
    return folder


def _spect(path: Path) -> Path:
    where = item(ImagePositionPatient=[-30, -40, 5], ImageOrientationPatient=AXIAL)
    dataset = dicom("NM", head(8), PixelSpacing=[4.4, 4.4], SliceThickness=4.4, SpacingBetweenSlices=4.4)
    dataset.ImageType = ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
    dataset.DetectorInformationSequence = [where]
    dataset.FrameIncrementPointer = 0x00540080
    dataset.add_new(0x00540080, "US", list(range(1, 9)))
    return save(dataset, path)


def _ct(folder: Path) -> Path:
    stored = head().astype(np.int16) - 500
    stored[:, :3] = -2000
    scale = {"RescaleSlope": "1", "RescaleIntercept": "-24", "PixelPaddingValue": -2000}
    return series(folder, stored, Modality="CT", SOPClassUID=CLASSES["CT"], **scale)


def _enhanced(path: Path) -> Path:
    return save(enhanced(head(), [{"depth": 2.5 * k} for k in range(6)]), path)


def _cine(path: Path, colour: bool) -> Path:
    shape = (5, 24, 30, 3) if colour else (5, 24, 30)
    frames = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    return as_us(mr.Image.from_array(frames, axes="fyxc" if colour else "fyx", frame_times=range(0, 200, 40)), path)


def _both_forms(path: Path) -> Path:
    import nibabel as nib

    sform = np.diag([0.9, 1.1, 2.5, 1.0])
    sform[:3, 3] = 5, 6, 7
    made = nib.Nifti1Image(head().T, sform)
    made.set_sform(sform, 4)
    qform = sform.copy()
    qform[:3, 3] += 37
    made.set_qform(qform, 1)
    nib.save(made, path)
    return path


def _nifti2(path: Path) -> Path:
    import nibabel as nib

    nib.save(nib.Nifti2Image(head().astype(np.float32).T, np.diag([-0.9, -1.1, 2.5, 1.0])), path)
    return path


STUDIES: dict[str, Callable[[Path], Path]] = {
    "MR series": lambda folder: series(folder / "mr", head()),
    "MR series, oblique": lambda folder: _oblique(folder / "oblique"),
    "MR series, rescaled": lambda folder: _oblique(folder / "rescaled", RescaleSlope="1.5", RescaleIntercept="-7"),
    "MR series, Philips' scale": lambda folder: _philips(folder / "philips"),
    "MR series at two times": lambda folder: _twice(folder / "twice"),
    "CT series with padding": lambda folder: _ct(folder / "ct"),
    "enhanced MR": lambda folder: _enhanced(folder / "enhanced.dcm"),
    "MR mosaics": lambda folder: mosaics(folder / "mosaics", 2),
    "SPECT": lambda folder: _spect(folder / "spect.dcm"),
    "bone scan": lambda folder: as_nm(
        mr.Image.from_array(head(1)[0], modality="NM", unit="counts", spacing=(2.4, 2.4, 1)), folder / "bone.dcm"
    ),
    "ultrasound cine": lambda folder: _cine(folder / "grey.dcm", False),
    "ultrasound cine in colour": lambda folder: _cine(folder / "colour.dcm", True),
    "NIfTI": lambda folder: mr.write(turned(), folder / "turned.nii.gz"),
    "NIfTI, 4-D": lambda folder: mr.write(turned(frames=4), folder / "time.nii"),
    "NIfTI, two transforms": lambda folder: _both_forms(folder / "forms.nii.gz"),
    "NIfTI-2": lambda folder: _nifti2(folder / "two.nii.gz"),
    "NIfTI, colour": lambda folder: mr.write(turned(dtype="uint8", colour=True), folder / "colour.nii.gz"),
    "NRRD": lambda folder: mr.write(turned(), folder / "turned.nrrd"),
    "NRRD, colour": lambda folder: mr.write(turned(dtype="uint8", colour=True), folder / "colour.nrrd"),
    "NRRD with a data file": lambda folder: mr.write(turned(dtype="uint16"), folder / "turned.nhdr"),
    "MetaImage": lambda folder: mr.write(turned(), folder / "turned.mha"),
    "MetaImage with a data file": lambda folder: mr.write(turned(), folder / "turned.mhd"),
    "MetaImage, 4-D": lambda folder: mr.write(turned(frames=3), folder / "time.mha"),
    "PNG": lambda folder: mr.write(mr.Image.from_array(head(1)[0]), folder / "picture.png"),
}


def restored(make: Callable[[Path], Path], folder: Path) -> tuple[Path, Path, mr.Image]:
    """A study, what is written of it after its values were scaled, and what we read there."""
    folder.mkdir()
    source = make(folder)
    image = mr.read(source)
    out = mr.write(image.with_voxels(image.voxels * np.float32(0.9)), source.with_name(f"restored-{source.name}"))
    return source, out, mr.read(out)


def nibabel(source: Path, out: Path, image: mr.Image) -> Found | None:
    """What nibabel finds in a NIfTI file."""
    if ".nii" not in out.suffixes:
        return None
    import nibabel as nib

    return _nifti(nib.load(out), image)


def simpleitk(source: Path, out: Path, image: mr.Image) -> Found | None:
    """What SimpleITK finds; the frames of a DICOM series it takes for slices, so it is not asked about them."""
    import SimpleITK as sitk

    frames = len(image.voxels)
    if source.name in NOT_ASKED:
        return None
    if out.is_dir():
        if frames > 1:
            return None
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(out)))
        found = reader.Execute()
    else:
        found = sitk.ReadImage(str(out))
    array = sitk.GetArrayFromImage(found).astype(np.float64)
    if found.GetNumberOfComponentsPerPixel() > 1:
        array = array @ (0.299, 0.587, 0.114)
    if found.GetDimension() == 2 or (out.suffix == ".dcm" and image.modality != "NM"):  # it tells of no place there
        return Found(values=_difference(array.reshape(image.voxels.shape), image))
    space = found.GetDimension()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(found.GetDirection(), (space, space))[:3, :3] * found.GetSpacing()[:3]
    affine[:3, 3] = found.GetOrigin()[:3]
    affine[:3] = TO_RAS @ affine[:3]
    return _compared(array.reshape(frames, *array.shape[-3:]), affine, image)


def dcm2niix(source: Path, out: Path, image: mr.Image) -> Found | None:
    """What dcm2niix makes of DICOM."""
    if not (out.is_dir() or out.suffix == ".dcm") or image.colour is not None or image.modality not in ("MR", "CT"):
        return None
    import nibabel as nib
    from dcm2niix import bin as program

    with tempfile.TemporaryDirectory() as target:
        place = out if out.is_dir() else Path(target) / "in"
        if not out.is_dir():
            place.mkdir()
            shutil.copy(out, place)
        made = Path(target) / "made"
        made.mkdir()
        command = [program, "-z", "n", "-p", "n", "-o", made, place]  # -p n: the rescale, not Philips' own scale
        subprocess.run(command, check=True, capture_output=True)
        (path,) = made.glob("*.nii")
        return _nifti(nib.load(path), image)


def dcmtk(source: Path, out: Path, image: mr.Image) -> Found | None:
    """What dcmtk's dcm2pnm draws of the first image, from its least to its greatest value; and what it complains of."""
    program = shutil.which("dcm2pnm")
    if program is None or image.colour is not None or not (out.is_dir() or out.suffix == ".dcm"):
        return None
    path = min(out.iterdir()) if out.is_dir() else out
    with tempfile.TemporaryDirectory() as target:
        drawn = Path(target) / "a.pgm"
        done = subprocess.run([program, "+Wm", "+opw", str(path), str(drawn)], capture_output=True, text=True)
        faults = tuple(line for line in done.stderr.splitlines() if line.strip() and not EXTENSION.search(line))
        if done.returncode:
            return Found(faults=faults or (f"exit code {done.returncode}",))
        words = "".join(line for line in drawn.open() if not line.startswith("#")).split()
    columns, rows, most = map(int, words[1:4])
    grey = np.array(words[4:], float).reshape(rows, columns) / most
    if (rows, columns) != image.voxels.shape[2:]:  # a mosaic
        return Found(faults=faults)
    values = image.with_padding()[0, 0].astype(np.float64)
    if image.source.native is not None and out.is_file():  # the file's first frame may be another slice
        values = image.with_padding().reshape(-1, rows, columns)[int(np.argmin(image.source.native.order))]
    expected = (values - values.min()) / np.ptp(values)
    return Found(values=float(np.abs(grey - expected).max()), faults=faults)


def dciodvfy(source: Path, out: Path, image: mr.Image) -> Found | None:
    """What the validator finds wrong in a restored object and not in its source."""
    if shutil.which("dciodvfy") is None or not (out.is_dir() or out.suffix == ".dcm"):
        return None

    def errors(path: Path) -> set[str]:
        file = min(path.iterdir()) if path.is_dir() else path
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, errors="replace")
        return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}

    new = errors(out) - errors(source)
    return Found(faults=tuple(line for line in sorted(new) if not EXTENSION.search(line)))


JUDGES = {one.__name__: one for one in (nibabel, simpleitk, dcm2niix, dcmtk, dciodvfy)}


def _nifti(found: Any, image: mr.Image) -> Found:
    if found.get_data_dtype().names:
        pixels = np.stack([np.asarray(found.dataobj)[name] for name in "RGB"], axis=-1)
        array = pixels.astype(np.float64) @ (0.299, 0.587, 0.114)
    else:
        array = found.get_fdata()
    return _compared(array.T.reshape(-1, *array.T.shape[-3:]), found.affine, image)


def _compared(array: np.ndarray, affine: np.ndarray, image: mr.Image) -> Found:
    """Their voxels ``(frames, slices, rows, columns)``, in RAS, against ours: in the order in which each has them."""
    slices, rows, columns = image.voxels.shape[1:]
    index = np.stack(np.meshgrid(*map(np.arange, (columns, rows, slices)), indexing="ij"), -1).reshape(-1, 3)
    ours = (np.reshape(image.direction, (3, 3)) * image.spacing @ index.T).T + image.origin
    theirs = np.linalg.inv(affine) @ np.vstack([TO_RAS @ ours.T, np.ones(len(ours))])
    nearest = np.rint(theirs[:3]).astype(int)
    if (nearest < 0).any() or (array.shape[:0:-1] <= nearest.T).any() or len(array) != len(image.voxels):
        return Found(place=np.inf)
    place = np.linalg.norm(affine[:3, :3] @ (theirs[:3] - nearest), axis=0).max()
    values = array[:, nearest[2], nearest[1], nearest[0]]
    own = image.with_padding()[:, index[:, 2], index[:, 1], index[:, 0]]
    return Found(float(place), float(np.abs(values - own).max() / np.ptp(own)))


def _difference(array: np.ndarray, image: mr.Image) -> float:
    own = image.with_padding().astype(np.float64)
    return float(np.abs(array - own).max() / np.ptp(own))


def _said(found: Found | None) -> str:
    if found is None:
        return "-"
    parts = [f"{found.place:.0e} mm" if np.isfinite(found.place) else "", f"{found.values:.0e}"]
    parts = [part for part in parts if part and part != "nan"] or ["sound"]
    return ", ".join([*parts, *found.faults])


def main() -> None:
    """Print how far each program and we are apart, in mm and in parts of the range."""
    print(f"{'':28}" + "".join(f"{name:18}" for name in JUDGES))
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, make) in enumerate(STUDIES.items()):
            study = restored(make, Path(folder) / str(number))
            print(f"{name:28}" + "".join(f"{_said(judge(*study)):18}" for judge in JUDGES.values()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
