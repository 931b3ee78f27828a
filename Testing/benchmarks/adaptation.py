"""What does adapting a network to one study gain, and does the study's own verdict on it hold?

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.adaptation [--seeds N] [--quick]

``emanet`` on scintigrams of seven organs, of 8 to 2,000 counts at the brightest pixel, and ``general`` on slices of
heads with Gaussian noise. Printed for each: dB that adapting gains (the adapted network's error against the shipped
one's, whether it was kept or not), dB against BM3D, the guard's standard errors, whether it kept the network, and
how far the report's expected gain is from the true one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.evidence import adaptation
from Testing.support.paths import REPOSITORY
from Testing.support.scintigraphy import ORGANS, brain

PEAKS, LEVELS = (8, 60, 2000), (3.0, 9.0)  # counts; percent of the maximum
HEADS = ("mri/fnndsc_eun", "mri/colin27")  # almost without noise
SLICES = 3


def studies(data: Path, seeds: int, quick: bool) -> Iterator[tuple[str, str, mr.Image, np.ndarray, float]]:
    """What, network, noisy study, truth, level."""
    for organ, draw in {**ORGANS, "brain": brain(data)}.items():
        for peak in PEAKS[1:2] if quick else PEAKS:
            for seed in range(seeds):
                rng = np.random.default_rng((seed, peak, len(organ), 7))
                clean = peak * np.asarray(draw(rng), np.float32)
                scan = rng.poisson(clean).astype(np.float32)
                yield f"{organ} {peak}", "emanet", mr.Image.from_array(scan, modality="NM"), clean, 1.0
    for folder in HEADS:
        path = next(path for path in sorted((data / folder).iterdir()) if ".nii" in path.name)
        voxels = mr.read(path).voxels[0]
        middle = voxels[len(voxels) // 2 :: 12][:SLICES]
        for level in LEVELS[:1] if quick else LEVELS:
            clean = mr.Image.from_array(middle[None], axes="fzyx", modality="MR")
            sigma = level / 100 * float(middle.max())
            noisy = mr.add_noise(clean, "gaussian", sigma)
            yield f"{Path(folder).name} {level:g} %", "general", noisy, clean.voxels[0], sigma


def main() -> None:
    """Print every study, then what was kept and what that gained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    data = Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))
    sure, adaptation.SURE = adaptation.SURE, -np.inf  # every adapted network is used, and judged here
    kept, others = [], []
    for what, method, study, clean, level in studies(data, arguments.seeds, arguments.quick):
        noise = "gaussian" if method == "general" else "poisson"

        def error(result: mr.Result, truth: np.ndarray = clean) -> float:
            return float(np.square(result.image.voxels.reshape(truth.shape) - truth).mean())

        plan = mr.recommend(study, method=method, noise=noise, level=level)
        shipped, adapted, bm3d = (
            mr.restore(study, plan, **edits) for edits in ({}, {"adapt": True}, {"method": "bm3d"})
        )
        record, gain = adapted.report.adaptation, adapted.report.gain
        surely = -record.change / record.error
        better, above = (10 * np.log10(error(other) / error(adapted)) for other in (shipped, bm3d))
        true = 10 * np.log10(float(np.square(study.voxels.reshape(clean.shape) - clean).mean()) / error(adapted))
        told = "" if gain is None or gain.gain_db is None else f", expected gain off by {gain.gain_db - true:+.2f} dB"
        (kept if surely > sure else others).append(better)
        print(
            f"{what:16} {method:8} {better:+.2f} dB, {above:+.2f} dB above BM3D, guard {surely:+.1f} standard errors: "
            f"{'kept' if surely > sure else 'not kept'}{told}",
            flush=True,
        )
    for name, gains in (("kept", kept), ("not kept", others)):
        if gains:
            print(f"{name}: {len(gains)}, mean {np.mean(gains):+.2f} dB, from {min(gains):+.2f} to {max(gains):+.2f}")


if __name__ == "__main__":
    main()
