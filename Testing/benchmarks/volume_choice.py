"""Whether a study itself tells which of BM4D and the refining network restores it better.

    MEDRESTORE_DATA=... python -m Testing.benchmarks.volume_choice [--json FILE]

The studies of ``volumes``, acquired with another seed. The plan finds the noise; both methods restore the middle by it,
and are compared on pieces of the study by Stein's unbiased risk estimate, as ``recommend`` compares methods.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue
from MedRestoreLib.pipeline import choice
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.device import resolve
from MedRestoreLib.pipeline.evening import unevenness
from MedRestoreLib.pipeline.restore import run_plan
from training.data.magnetic import KINDS
from training.simulate.magnetic import acquire

from .inputs import real
from .volumes import STUDIES

COMPARED = ("bm4d", "volume")
NOISES = (("white", 3.0), ("white", 5.0), ("white", 15.0), ("fermi", 5.0), ("uneven", 5.0))
WHOLE, MIDDLE = (64, 160, 160), (24, 72, 72)  # voxels that are acquired and restored
SEED = 2


def central(shape: tuple[int, ...], sides: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(max(0, (n - s) // 2), (n + s) // 2) for n, s in zip(shape, sides, strict=True))


def cells() -> Iterator[dict[str, Any]]:
    """Each study under each noise: PSNR of both, and the risk, its error and the winner of the comparison."""
    for name, (kind, path) in STUDIES.items():
        whole = KINDS[kind].read(real(*path.split("/")))
        whole = whole[central(whole.shape, WHOLE)]
        clean = np.ascontiguousarray(whole / whole.max(), np.float32)
        part = central(clean.shape, MIDDLE)
        for noise, level in NOISES:
            found = acquire(clean, noise, level, SEED)
            image = mr.Image(found.noisy[None], modality="MR")
            plan = mr.recommend(image)
            uneven = unevenness(plan, image.voxels)
            here = None if uneven is None else uneven[:, *part]
            scores = {}
            for id in COMPARED:
                this = replace(plan, method=id)
                made = run_plan(Denoising.of(image, this, resolve("cpu")), image.voxels[:, *part], this, uneven=here)
                errors = np.square(made.voxels[0] - found.ideal[part])[found.inside[part]]
                scores[id] = -10 * float(np.log10(errors.mean(dtype=np.float64)))
            ranking = choice.compare(image, plan, [catalogue.find(id) for id in COMPARED])
            yield {
                "study": name,
                "kind": noise,
                "level": level,
                "found": plan.level,
                "psnr": scores,
                "risk": {one.method: (one.score, one.error) for one in ranking},
                "chosen": ranking[0].method if ranking else "",
            }


def main() -> None:
    """Print the table, and write its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print("| Study | Noise | bm4d, dB | volume less bm4d | chosen |\n| --- | --- | ---: | ---: | --- |")
    rows = []
    for row in cells():
        rows.append(row)
        bm4d, volume = (row["psnr"][id] for id in COMPARED)
        noise = f"{row['kind']} {row['level']:g} %"
        print(f"| {row['study']} | {noise} | {bm4d:.2f} | {volume - bm4d:+.2f} | {row['chosen']} |", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    right = sum(row["chosen"] == max(row["psnr"], key=row["psnr"].__getitem__) for row in rows)
    print(f"\nThe better one is chosen in {right} of {len(rows)}.")


if __name__ == "__main__":
    main()
