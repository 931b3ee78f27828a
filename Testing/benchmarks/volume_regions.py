"""What MR volumes keep of real lesions, and of the means of tissues.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.volume_regions [--json FILE]

Lesions: bright places in the white matter of four patients with multiple sclerosis, FLAIR, pixels averaged by 2x2. They
were found by eye, by an engineer: there are no masks. A lesion is what is joined to its brightest voxel above half of
its height. Learned methods were trained on three of the patients; the fourth, whose lesions are of a few voxels, served
to validate them. Contrast is the mean inside less the median of a shell around, volume the voxels there above the same
half height, CNR contrast over the shell's standard deviation; the first two over those of the study without noise.

Tissues: voxels of the average of 152 heads whose grey or white matter is at least 0.95, and the classes of a simulated
head. Noise is Rician and white, 5 % of the maximum, and 15 % for tissues, too; every method is told its level.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from MedRestoreLib.methods import catalogue
from training.data.magnetic import KINDS
from training.simulate.brain import SCALE, SIGNAL, t1_stack

from .inputs import real
from .volumes import METHODS, SIDES, STUDIES, Case, acquired, middle, restored

# Slice, row and column of the lesions' middles, in averaged pixels.
LESIONS = {
    "patient03_study1_FLAIR": ((18, 76, 50), (12, 50, 91), (14, 117, 52)),
    "patient09_study2_FLAIR": ((9, 85, 40), (17, 116, 90), (17, 120, 48), (17, 89, 28)),
    "patient19_study2_FLAIR": ((28, 76, 64), (28, 85, 38), (26, 54, 76), (26, 95, 63), (26, 104, 29),
                               (24, 82, 23), (22, 48, 68), (20, 71, 67), (14, 72, 29)),
    "patient20_study2_FLAIR": ((26, 67, 55), (14, 79, 37)),
}  # fmt: skip
UNSEEN = "patient20_study2_FLAIR"
COMPARED = (*METHODS, "disentangled")
WIDEST = 12  # voxels from a lesion's middle, in the plane
NEAR = 2  # voxels: so far away from the given place the brightest voxel may be
LEVELS = (5.0, 15.0)  # percent
PURE = 0.95  # of a tissue
UNEVEN = 0.08  # by how much a receiving coil changes the simulated signal of a tissue, about


class Lesion(NamedTuple):
    """Where it is, the shell around, both of the study's shape; the grey between them; and where it might grow to."""

    inside: np.ndarray
    shell: np.ndarray
    half: float
    near: np.ndarray


def part(name: str) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """The part of a patient's study that holds the lesions, at most 1, and their middles there."""
    whole = KINDS["clinical_heads"].read(real("mri", "ms_slovenia", f"{name}.nii.gz"))
    places = np.array(LESIONS[name])
    centre = (places.min(0) + places.max(0)) // 2
    first = [int(np.clip(c - s // 2, 0, max(0, n - s))) for c, s, n in zip(centre, SIDES, whole.shape, strict=True)]
    cut = whole[tuple(slice(f, f + s) for f, s in zip(first, SIDES, strict=True))]
    return np.ascontiguousarray(cut / cut.max(), np.float32), [tuple(int(i) for i in p - first) for p in places]


def lesion(clean: np.ndarray, place: tuple[int, ...]) -> Lesion:
    """What is joined to the brightest voxel near a place."""
    from scipy import ndimage

    away = np.hypot(*(np.indices(clean.shape[1:]) - np.array(place[1:])[:, None, None]))
    here = clean[place[0]]
    brightest = np.unravel_index(np.where(away <= NEAR, here, 0).argmax(), here.shape)
    ground = float(np.median(here[(away > WIDEST / 2) & (away <= WIDEST) & (here > here[brightest] / 3)]))
    half = (float(here[brightest]) + ground) / 2
    few = np.abs(np.arange(len(clean)) - place[0]) <= 2
    names, _ = ndimage.label((clean > half) & (away <= WIDEST) & few[:, None, None])
    inside = names == names[(place[0], *brightest)]
    flat = np.ones((1, 3, 3), bool)
    near, beyond = (ndimage.binary_dilation(inside, flat, times) for times in (2, 5))
    shell = beyond & ~near & (clean > ground * 0.7) & (clean < half) & inside.any(axis=(1, 2))[:, None, None]
    return Lesion(inside, shell, half, near)


def measured(image: np.ndarray, lesion: Lesion) -> tuple[float, float, float]:
    """Contrast in the study's unit, volume in voxels, and CNR."""
    contrast = float(image[lesion.inside].mean() - np.median(image[lesion.shell]))
    return contrast, float((image[lesion.near] > lesion.half).sum()), contrast / float(image[lesion.shell].std())


def images(case: Case, methods: tuple[str, ...] = COMPARED) -> dict[str, np.ndarray]:
    """The noisy study and what the methods make of it."""
    return {"noisy": case.noisy} | {id: restored(case, catalogue.find(id)) for id in methods}


def lesions(name: str) -> dict[str, Any]:
    """By method, for each lesion: contrast and volume over those without noise, and CNR."""
    clean, places = part(name)
    found = [lesion(clean, place) for place in places]
    case = acquired(clean, "white", LEVELS[0])
    true = [measured(clean, one) for one in found]
    rows = {"clean": [(1.0, 1.0, cnr) for *_, cnr in true]}
    for id, image in images(case).items():
        here = [measured(image, one) for one in found]
        rows[id] = [(c / c0, v / v0, cnr) for (c, v, cnr), (c0, v0, _) in zip(here, true, strict=True)]
    return {"study": name, "voxels": [int(one.inside.sum()) for one in found], "lesions": rows}


def tissues() -> list[dict[str, Any]]:
    """By method, study, tissue and level: the mean over that without noise, less 1."""
    rows = []
    for name, (clean, classes) in {"average head": _average(), "simulated head": _simulated()}.items():
        for level in LEVELS:
            case = acquired(clean, "white", level)
            for id, image in images(case).items():
                changes = {t: float(image[w].mean() / case.clean[w].mean() - 1) for t, w in classes.items()}
                rows.append({"study": name, "level": level, "method": id, "changes": changes})
    return rows


def _average() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    import SimpleITK as sitk

    _, path = STUDIES["T1w average"]
    classes = {}
    for tissue, word in (("grey matter", "gm"), ("white matter", "wm")):
        whole = sitk.GetArrayFromImage(sitk.ReadImage(str(real(*path.replace("t1", word).split("/")))))
        whole = whole / whole.max()
        start = [max(0, (n - s) // 2) for n, s in zip(whole.shape, SIDES, strict=True)]
        classes[tissue] = whole[tuple(slice(b, b + s) for b, s in zip(start, SIDES, strict=True))] >= PURE
    return middle("T1w average"), classes


def _simulated() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    voxels = t1_stack(3, (SIDES[0], 217, 181)).voxels[0]
    cut = voxels[:, 60 : 60 + SIDES[1], 42 : 42 + SIDES[2]] / voxels.max()
    unit = SCALE / float(voxels.max())
    signals = {"grey matter": SIGNAL["grey"], "white matter": SIGNAL["white"], "fluid": SIGNAL["fluid"]}
    classes = {tissue: np.abs(cut / (unit * signal) - 1) < UNEVEN for tissue, signal in signals.items()}
    return np.ascontiguousarray(cut, np.float32), classes


def main() -> None:
    """Print both tables, and write their numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    studies = [lesions(name) for name in LESIONS]
    print("| Method | contrast | volume | CNR | contrast, unseen patient | volume | CNR |")
    print("| --- |" + " ---: |" * 6)
    for id in studies[0]["lesions"]:
        cells = [id]
        for rows in ([s for s in studies if s["study"] != UNSEEN], [s for s in studies if s["study"] == UNSEEN]):
            values = np.concatenate([row["lesions"][id] for row in rows])
            low, half, high = np.percentile(values, (10, 50, 90), axis=0)
            cells += [f"{half[i]:.2f} ({low[i]:.2f} to {high[i]:.2f})" for i in range(3)]
        print(f"| {' | '.join(cells)} |")
    rows = tissues()
    print("\n| Study | level | method | change of means |\n| --- | ---: | --- | --- |")
    for row in rows:
        changes = ", ".join(f"{tissue} {change:+.2%}" for tissue, change in row["changes"].items())
        print(f"| {row['study']} | {row['level']:g} % | {row['method']} | {changes} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"lesions": studies, "tissues": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
