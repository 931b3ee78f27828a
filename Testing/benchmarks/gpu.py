"""How much quicker is each method on a GPU than on this machine's processor, and does it come to the same?

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.gpu [--threads N] [--out FILE]

Methods are called as a restore calls them, on whole images. Times are of one call, the least of several, after one that
warms up; a second GPU time is per image where many are given at once. Differences are in standard deviations of the
noise: where two blocks are equally similar, rounding decides which is taken, so single pixels may differ.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from MedRestoreLib.methods import catalogue
from MedRestoreLib.pipeline import device as devices
from Testing.benchmarks import precision
from Testing.benchmarks.inputs import camera, phantom_volume
from Testing.benchmarks.precision import Case
from Testing.support.paths import REPOSITORY

AT_ONCE = 16  # images of a batch
RUNS, LONG = 5, 4.0  # calls; a call of more seconds is made once
HEAD = (
    "| method | image | processor, s | GPU, s | times as fast | GPU in a batch, s an image | bfloat16, s | "
    "difference / σ, rms | greatest | bfloat16, rms |",
    "|" + " --- |" * 10,
)


def cases(folder: Path) -> Iterator[Case]:
    """A photograph and a B-mode frame for the classical methods, a volume, and what networks are made for."""
    photograph = camera(25 / 255)[0].noisy
    for method in ("adf", "bm3d", "wnnm", "general"):
        yield Case(method, "photograph 512x512", photograph, 25 / 255, np.float32(25 / 255))
    for case in precision.cases(folder):
        if case.method != "general":
            yield case
        if case.method == "unet_att_small":
            for method in ("srad", "nllr", "swin_conv"):
                yield Case(method, case.name, case.image, case.sigma, case.std)
            half = np.ascontiguousarray(case.image[:384, :510])
            yield Case("enlarge", "frame 510x384", half, case.sigma, np.float32(1 / 255))
    [volume] = phantom_volume()
    for method in ("adf", "odct3d", "prinlm3d", "bm4d", "volume"):
        yield Case(method, "volume 181x217x181", volume.noisy, 0.09, np.float32(0.09))


def seconds(run: Callable[[], object], place: torch.device) -> float:
    """Wall time of one run, the least of several; the first warms up and counts only if it took long."""
    times = [_once(run, place)]
    if times[0] > LONG:
        return times[0]
    times.clear()
    while len(times) < RUNS and sum(times) < LONG:
        times.append(_once(run, place))
    return min(times)


def _once(run: Callable[[], object], place: torch.device) -> float:
    begun = time.perf_counter()
    run()
    if place.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def measure(case: Case, gpu: torch.device) -> str:
    """A row of the table."""
    row = catalogue.find(case.method)
    function, cpu = row.load(), torch.device("cpu")
    options = {"factor": 2, "weights": "student_x2"} if row.id == "enlarge" else {}
    image = torch.from_numpy(np.ascontiguousarray(case.image, np.float32))[None, None]

    def run(images: torch.Tensor, precision: str = "float32") -> torch.Tensor:
        with torch.inference_mode(), devices.calculating(precision, images.device):
            return function(images, case.sigma, **options).float()

    there = image.to(gpu)
    times = [seconds(lambda: run(image), cpu), seconds(lambda: run(there), gpu)]
    expected, found = run(image), run(there).cpu()
    batch, half, half_off = "", "", ""
    if image.dim() == 4:
        many = there.expand(AT_ONCE, -1, -1, -1).contiguous()
        batch = f"{seconds(lambda: run(many), gpu) / AT_ONCE:.2g}"
    if row.learned:
        half = f"{seconds(lambda: run(there, 'bfloat16'), gpu):.2g}"
        half_off = f"{off(run(there, 'bfloat16').cpu(), expected, case)[0]:.3f}"
    rms, most = off(found, expected, case)
    return (
        f"| {row.id} | {case.name} | {times[0]:.3g} | {times[1]:.3g} | {times[0] / times[1]:.1f} | {batch} | {half} | "
        f"{rms:.1e} | {most:.1e} | {half_off} |"
    )


def off(found: torch.Tensor, expected: torch.Tensor, case: Case) -> tuple[float, float]:
    """The root mean square and the greatest difference, in standard deviations of the noise."""
    std = case.std if found.shape[-2:] == case.image.shape[-2:] else np.float32(1 / 255)
    difference = np.abs(found.numpy() - expected.numpy()) / std
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64)))), float(difference.max())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="of the processor")
    parser.add_argument("--device", default="cuda", help="in place of a GPU, to see whether everything runs")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    place = devices.resolve(arguments.device)
    about = f"{devices.full_name(place)} beside {arguments.threads} thread(s); torch {torch.__version__}."
    lines = ["# Methods on a GPU", "", about, "", *HEAD]
    print("\n".join(lines))
    for case in cases(Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))):
        lines.append(measure(case, place))
        print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
