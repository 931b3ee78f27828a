"""What MR volumes keep: planted lesions, means of tissues, and what 24 real repeats say of the error.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.volume_lesions [--json FILE] [--draws N]

Lesions are ellipsoids of 3 to 6 voxels at half maximum, 10 to 40 % brighter or darker than the white matter that they
lie in, in a patient and in the average head that no training saw; the noise is Rician, 5 % of the maximum. Contrast is
the mean inside less that of a shell around, over that of the study without noise.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.evidence.blobs import UnitGrid, find
from MedRestoreLib.methods import catalogue
from MedRestoreLib.metrics.statistics import paired_bootstrap
from MedRestoreLib.noise import model

from .inputs import real
from .volumes import METHODS, STUDIES, Case, acquired, middle, restored

HOSTS = ("T1w average", "FLAIR, multiple sclerosis", "T2w, multiple sclerosis")
LEVEL = 5.0  # percent
LESIONS, APART = 12, 14  # in a study, and how many voxels between them


def planted(clean: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """The study with lesions, and of each where it is and the shell around it."""
    from scipy.ndimage import gaussian_filter, generic_gradient_magnitude, sobel

    smooth = gaussian_filter(clean, 1.5)
    flat = generic_gradient_magnitude(smooth, sobel)
    bright = smooth > 0.3
    allowed = bright & (flat < np.quantile(flat[bright], 0.3))
    allowed[:4], allowed[-4:] = False, False
    allowed[:, :12], allowed[:, -12:], allowed[:, :, :12], allowed[:, :, -12:] = 4 * [False]
    grid = np.moveaxis(np.indices(clean.shape), 0, -1)
    study, regions = clean.copy(), []
    centres: list[np.ndarray] = []
    for candidate in rng.permutation(np.argwhere(allowed)):
        if len(centres) == LESIONS:
            break
        if all(np.linalg.norm(candidate - other) >= APART for other in centres):
            centres.append(candidate)
            widths = rng.uniform(3, 6, 3) / 2.355
            distance = np.sqrt(np.square((grid - candidate) / widths).sum(-1))
            study *= 1 + rng.choice((-1, 1)) * rng.uniform(0.1, 0.4) * np.exp(-(distance**2) / 2)
            regions.append((distance < 1.18, (distance > 3) & (distance < 4.5)))
    return np.clip(study, 0, 1).astype(np.float32), regions


def lesions(name: str, draw: int) -> dict[str, Any]:
    """By method: contrast kept of each lesion; places that the report would call lost or added; change of the mean."""
    study, regions = planted(middle(name), np.random.default_rng(draw))
    case = acquired(study, "white", LEVEL, seed=draw + 100)
    noise = model("rician")(100 * case.sigma, 1.0)
    found: dict[str, Any] = {"study": name, "draw": draw, "kept": {}, "places": {}, "mean": {}}

    def contrasts(image: np.ndarray) -> np.ndarray:
        return np.array([image[inside].mean() - image[shell].mean() for inside, shell in regions])

    for id in ("noisy", *METHODS):
        image = case.noisy if id == "noisy" else restored(case, catalogue.find(id))
        found["kept"][id] = (contrasts(image) / contrasts(case.clean)).tolist()
        found["mean"][id] = [float(image[r].mean() / case.clean[r].mean() - 1) for r in _classes(case)]
        if id != "noisy":
            found["places"][id] = len(find(case.noisy[None], image[None].astype(np.float32), noise, UnitGrid()))
    return found


def _classes(case: Case) -> list[np.ndarray]:
    """Four classes of grey among the object's voxels, the darkest fifth aside."""
    edges = np.quantile(case.clean[case.inside], (0.2, 0.4, 0.6, 0.8, 1))
    return [(case.clean > low) & (case.clean <= high) for low, high in itertools.pairwise(edges)]


def repeats() -> dict[str, list[float]]:
    """By method, of each echo-planar volume: gain in dB against the mean of the others, less that mean's own noise."""
    image = replace(mr.read(real("mri", "epi_repeats_studyforrest", "epi_24_repeats_half_scale.nii.gz")), modality="MR")
    plan = mr.recommend(image)
    found: dict[str, list[float]] = {id: [] for id in METHODS}
    for number in range(len(image.voxels)):
        one = mr.Image(image.voxels[number : number + 1], spacing=image.spacing, modality="MR")
        sigmas = [model("rician").bind(study.voxels, plan.level).sigma for study in (image, one)]
        others = np.delete(image.voxels, number, axis=0)
        reference, own = others.mean(axis=0), others.var(axis=0, ddof=1)
        inside = reference > 0.3 * np.percentile(reference, 99)
        rest = own[inside].mean() / len(others)

        def error(voxels: np.ndarray, reference=reference, inside=inside, rest=rest) -> float:
            return float(np.square(voxels[0] - reference)[inside].mean() - rest)

        for id in METHODS:
            method, level = catalogue.find(id), plan.level * sigmas[0] / sigmas[1]
            this = replace(plan, method=id, dimensions=method.dimensions[0], level=level, options={}, together=False)
            found[id].append(10 * float(np.log10(error(one.voxels) / error(mr.restore(one, this).image.voxels))))
    return found


def main() -> None:
    """Print both tables, and write their numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--draws", type=int, default=1)
    arguments = parser.parse_args()
    assert set(HOSTS) <= set(STUDIES)
    rows = [lesions(name, draw) for name in HOSTS for draw in range(arguments.draws)]
    print(
        "| Method | contrast kept, median (5th to 95th percentile) | places lost or added | largest change of a mean |"
    )
    print("| --- | --- | ---: | ---: |")
    for id in ("noisy", *METHODS):
        kept = np.concatenate([row["kept"][id] for row in rows])
        low, median, high = np.percentile(kept, (5, 50, 95))
        places = sum(row["places"].get(id, 0) for row in rows)
        mean = max(np.abs(row["mean"][id]).max() for row in rows)
        print(f"| {id} | {median:.1%} ({low:.0%} to {high:.0%}) | {places} in {len(rows)} studies | {mean:.2%} |")
    found = {"lesions": rows, "repeats_db": repeats()}
    print("\nGain of 24 real repeats, dB: mean (95 % interval of it); of volume over the method")
    ours = found["repeats_db"]["volume"]
    for id, gains in found["repeats_db"].items():
        alone, over = paired_bootstrap(gains, [0.0] * len(gains)), paired_bootstrap(ours, gains)
        shown = [f"{one.mean:+.3f} ({one.low:+.3f} to {one.high:+.3f})" for one in (alone, over)]
        print(f"{id}: {'; '.join(shown)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
