"""What enlarging does to points whose size is known, and to the black around a scanner's fan.

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.enlarging

Points: scatterers that Field II simulated (pybf's data), beamformed here to 0.2 mm, shown with 60 dB. Fans: frames of a
phantom from three scanners. Each image is reduced, enlarged again, and compared with itself. No training saw any.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import binary_closing, binary_opening, distance_transform_edt
from scipy.signal import hilbert

from MedRestoreLib.metrics.fidelity import psnr
from MedRestoreLib.metrics.resolution import fwhm
from training.data import data_folder, reduced
from training.evaluation.clips import enlarger

RF = "ultrasound/rf_field2/rf_dataset.hdf5"
FANS = "ultrasound/phantom_sequences"
FACTORS = (2, 3, 4)

SPEED = 1540.0  # m/s
PIXEL = 2e-4  # m
ACROSS, DOWN = (-48, 48), (30, 246)  # pixels, from the middle of the probe and from its surface
DEPTHS = (10.35, 22.18, 34.00, 45.83)  # mm: of the points that stand alone
F_NUMBER = 1.5  # of the elements that listen
SHOWN_DB = 60.0
AROUND = 9  # pixels: half a profile through a point

BLACK = 2 / 255  # grey up to which nothing is shown
SPECK = 9  # pixels: side of marks outside a fan, and of dark gaps in it, that are left out


def beamformed(path: Path) -> np.ndarray:
    """The plane wave that goes straight down, delayed and summed: amplitude ``(rows, columns)``, greatest 1."""
    import h5py

    with h5py.File(path) as file:
        rate, delay, pitch = (
            float(np.squeeze(file[name]))
            for name in ("data/f_sampling", "data/correction_time_shift", "trans_params/x_pitch")
        )
        echoes = hilbert(np.asarray(file["data/rf_data/frame_1/shot_2"], np.float64), axis=1)
    x, z = np.meshgrid((np.arange(*ACROSS) + 0.5) * PIXEL, np.arange(*DOWN) * PIXEL)
    total = np.zeros(x.shape, complex)
    for element, echo in enumerate(echoes):
        away = np.abs(x - (element - (len(echoes) - 1) / 2) * pitch)
        sample = ((z + np.hypot(z, away)) / SPEED + delay) * rate
        before = np.minimum(sample.astype(int), len(echo) - 2)
        part = sample - before
        weight = np.cos(np.pi / 2 * np.minimum(2 * F_NUMBER * away / z, 1)) ** 2
        total += weight * ((1 - part) * echo[before] + part * echo[before + 1])
    return np.abs(total) / np.abs(total).max()


def displayed(amplitude: np.ndarray, shown_db: float = SHOWN_DB) -> np.ndarray:
    """Grey in [0, 1] of a display of that dynamic range."""
    return np.clip(1 + 20 * np.log10(amplitude + 1e-12) / shown_db, 0, 1).astype(np.float32)


def widths(grey: np.ndarray, shown_db: float = SHOWN_DB) -> np.ndarray:
    """FWHM of the amplitude of each point that stands alone, mm: ``(points, 2)``, across and along the beam."""
    amplitude = 10 ** ((grey - 1) * shown_db / 20)
    found = []
    for depth in DEPTHS:
        row = round(1e-3 * depth / PIXEL) - DOWN[0]
        near = amplitude[row - 3 : row + 4, -ACROSS[0] - 3 : -ACROSS[0] + 3]
        down, across = np.unravel_index(near.argmax(), near.shape)
        down, across = down + row - 3, across - ACROSS[0] - 3
        beside = amplitude[down, across - AROUND : across + AROUND + 1]
        along = amplitude[down - AROUND : down + AROUND + 1, across]
        found.append([fwhm(profile, spacing=1e3 * PIXEL) for profile in (beside, along)])
    return np.array(found)


def fans(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, frame in [0, 1], and how many pixels each place lies outside the fan."""
    for path in sorted(folder.glob("*.png")):
        frame = reduced.cut(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), 12).astype(np.float32) / 255
        box = np.ones((SPECK, SPECK), bool)
        fan = binary_opening(binary_closing(frame > BLACK, box), box)
        yield path.stem.removesuffix("ScanConvertedData_frame0"), frame, distance_transform_edt(~fan)


def enlarged(frame: np.ndarray, factor: int) -> Iterator[tuple[str, np.ndarray]]:
    small = reduced.eight_bits(reduced.resized(frame, factor))[None]
    for name in ("bicubic", f"student_x{factor}"):
        yield name, np.clip(enlarger(name, factor)(small, 0), 0, 1)


def main() -> None:
    folder = data_folder()
    grey = displayed(beamformed(folder / RF))
    true = widths(grey)
    print("| points | PSNR, dB | FWHM across, mm | along, mm | wrong by, across / along |\n|" + " --- |" * 5)
    print("| the frame | | {:.2f} | {:.2f} | |".format(*true.mean(axis=0)))
    for factor in FACTORS:
        for name, result in enlarged(grey, factor):
            found = widths(result)
            across, along = found.mean(axis=0)
            wrong = " / ".join(f"{share:.0%}" for share in (np.abs(found - true) / true).mean(axis=0))
            fidelity = psnr(result, grey, data_range=1)
            print(f"| ×{factor}: {name} | {fidelity:.1f} | {across:.2f} | {along:.2f} | {wrong} |")
    print("\n| fan | error at its edge | grey beyond it, mean | greatest |\n| --- | --- | --- | --- |")
    for title, frame, outside in fans(folder / FANS):
        for factor in FACTORS:
            edge = (outside > 0) & (outside <= 2 * factor)
            beyond = (outside > 4 * factor) & (frame == 0)
            for name, result in enlarged(frame, factor):
                wrong = 255 * np.sqrt(np.mean((result - frame)[edge] ** 2))
                far = 255 * result[beyond]
                print(f"| {title} ×{factor}: {name} | {wrong:.1f} | {far.mean():.4f} | {far.max():.2f} |")


if __name__ == "__main__":
    main()
