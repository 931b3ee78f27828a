"""Every real MR study through the automatic plan: a table, and one figure of all before and after.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.mr_studies FIGURE.webp [--json FILE] [--kept FOLDER]

Plans are made of whole studies; of large ones the middle slices are restored. What was found of each study is kept in
a folder where one is given, so that a run that was stopped goes on there. Where acquisitions repeat, the gain that
was predicted stands beside the one that the repeats show.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.noise import model

from .inputs import real

MOST = {2: 120_000, 3: 600_000}  # voxels restored, by dimensions
COLUMNS = 4
REPEAT = 12  # which of the repeats is restored


def studies() -> Iterator[tuple[str, mr.Image]]:
    """Name and study, frames as they are stored."""
    folder = real("mri")
    paths = [folder / "t1w_0.7mm.nii.gz", folder / "t1w_dicom", folder / "mni152_t1.nii.gz"]
    for name in ("spine", "ms_slovenia", "fnndsc_adult", "fnndsc_child", "fnndsc_eun", "colin27", "cardiac_lge_utah"):
        paths += sorted((folder / name).glob("*.nii.gz"))
    for name in ("dwi_canon", "acr_phantom_philips", "epi_repeats_studyforrest"):
        paths += sorted((folder / name).glob("*.nii.gz"))
    paths += [sorted((folder / "cardiac_cine_sunnybrook").glob("*0048.png"))[0]]
    for path in paths:
        yield path.name.split(".")[0], replace(mr.read(path), modality="MR")


def restored(image: mr.Image) -> dict[str, Any]:
    """The plan, the middle slices before and after, and what the report says."""
    start = time.perf_counter()
    plan = mr.recommend(image)
    planned = time.perf_counter() - start
    _, slices, rows, columns = image.voxels.shape
    count = int(np.clip(MOST[plan.dimensions] // (rows * columns), 1, slices))
    first = (slices - count) // 2
    part = mr.Image(image.voxels[:1, first : first + count], spacing=image.spacing, modality="MR")
    noise_map = plan.noise_map
    if noise_map is not None and count < slices:  # the part's share of the map
        full = noise_map.on(image.voxels.shape[1:])[first : first + count]
        noise_map = type(noise_map)(full[:: max(count // 8, 1), :: max(rows // 12, 1), :: max(columns // 12, 1)])
    result = mr.restore(part, _for_part(replace(plan, noise_map=noise_map), image, part))
    gain = result.report.gain
    return {
        "size": list(image.voxels.shape),
        "level": plan.level,
        "confidence": plan.estimate.confidence,
        "careful": plan.careful,
        "noise": plan.noise_words or "white and even",
        "reason": plan.estimate.reason,
        "method": plan.method,
        "remove_bias": plan.remove_bias,
        "gain_db": gain.gain_db,
        "spread_db": gain.spread_db,
        "verdict": result.report.verdict,
        "removed_std": float(result.removed.voxels.std()),
        "seconds": [round(planned, 1), round(time.perf_counter() - start - planned, 1)],
        "pictures": (part.voxels[0, count // 2], result.image.voxels[0, count // 2]),
    }


def kept(name: str, image: mr.Image, folder: Path | None) -> dict[str, Any]:
    """What ``restored`` finds, read from the folder if it is there; else kept in it, whole or not at all."""
    if folder is None:
        return restored(image)
    path = folder / f"{name}.npz"
    if not path.exists():
        row = restored(image)
        before, after = row.pop("pictures")
        partial = path.with_suffix(".part.npz")
        np.savez(partial, before=before, after=after, row=json.dumps(row))
        partial.replace(path)
    with np.load(path) as stored:
        return json.loads(str(stored["row"])) | {"pictures": (stored["before"], stored["after"])}


def repeats() -> dict[str, Any]:
    """One of 24 echo-planar volumes against the mean of the others: sigma and gain, predicted and measured."""
    path = real("mri", "epi_repeats_studyforrest", "epi_24_repeats_half_scale.nii.gz")
    image = replace(mr.read(path), modality="MR")
    plan = mr.recommend(image)
    one = mr.Image(image.voxels[REPEAT : REPEAT + 1], spacing=image.spacing, modality="MR")
    result = mr.restore(one, _for_part(plan, image, one))
    others = np.delete(image.voxels, REPEAT, axis=0)
    reference, own = others.mean(axis=0), others.var(axis=0, ddof=1)
    inside = reference > 0.3 * np.percentile(reference, 99)
    rest = own[inside].mean() / len(others)  # the reference's own noise
    before, after = (
        np.square(voxels[0] - reference)[inside].mean() - rest for voxels in (one.voxels, result.image.voxels)
    )
    return {
        "sigma": model("rician").bind(image.voxels, plan.level).sigma,
        "sigma_of_repeats": float(np.median(np.sqrt(own[inside]))),
        "predicted_db": result.report.gain.gain_db,
        "spread_db": result.report.gain.spread_db,
        "measured_db": float(10 * np.log10(before / after)),
        "verdict": result.report.verdict,
    }


def _for_part(plan: mr.Plan, whole: mr.Image, part: mr.Image) -> mr.Plan:
    """The plan with the level of the same noise in a part: levels refer to the maximum, and a part has another."""
    rician = model("rician")
    sigmas = [rician.bind(image.voxels, plan.level).sigma for image in (whole, part)]
    together = plan.together and len(part.voxels) == len(whole.voxels)
    return replace(plan, level=plan.level * sigmas[0] / sigmas[1], together=together)


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    """All studies, each before and after on the same grey scale, and what was removed around middle grey."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = -(-len(found) // COLUMNS)
    figure, axes = pyplot.subplots(rows, 3 * COLUMNS, figsize=(4.6 * COLUMNS, 1.75 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for number, (name, row) in enumerate(found.items()):
        before, after = (_square(picture) for picture in row["pictures"])
        low, high = np.percentile(before, (1, 99.7))
        removed = before - after
        reach = max(4 * float(removed.std()), 1e-9)
        trio = axes[number // COLUMNS, 3 * (number % COLUMNS) : 3 * (number % COLUMNS) + 3]
        pictures = ((before, low, high), (after, low, high), (removed, -reach, reach))
        for axis, (picture, darkest, brightest) in zip(trio, pictures, strict=True):
            axis.imshow(picture, cmap="gray", vmin=darkest, vmax=brightest, interpolation="nearest")
        sure = "careful" if row["careful"] else "sure"
        trio[0].set_title(f"{name[:26]}\n{row['method']}, {row['level']:.2g} %, {sure}", fontsize=6, loc="left")
    figure.subplots_adjust(0.005, 0.005, 0.995, 0.965, 0.02, 0.28)
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 70} if path.suffix in (".jpg", ".webp") else None)


def _square(picture: np.ndarray) -> np.ndarray:
    """The middle of a picture, at most 160 pixels a side, so that noise can be seen."""
    starts = [max(0, (side - 160) // 2) for side in picture.shape]
    return picture[tuple(slice(start, start + 160) for start in starts)]


def main() -> None:
    """Restore all, print a table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--kept", type=Path)
    arguments = parser.parse_args()
    if arguments.kept:
        arguments.kept.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, image in studies():
        row = found[name] = kept(name, image, arguments.kept)
        gain = "-" if row["gain_db"] is None else f"{row['gain_db']:+.1f}"
        sure = "careful" if row["careful"] else "sure"
        print(f"| {name} | {row['level']:.3g} % | {sure} | {row['noise']} | {row['method']} | {gain} |", flush=True)
    shown = repeats()
    print(shown)
    draw(found, arguments.figure)
    if arguments.json:
        plain = {name: {k: v for k, v in row.items() if k != "pictures"} for name, row in found.items()}
        arguments.json.write_text(json.dumps(plain | {"repeats": shown}, indent=1))


if __name__ == "__main__":
    main()
