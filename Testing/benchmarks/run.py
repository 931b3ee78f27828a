"""Our classical methods against their peers: the same inputs, one run, each in a process of its own.

    python -m Testing.benchmarks.run [--quick] [--threads N] [--cases NAME ...] [--out FOLDER]

Every method gets the stabilised image in [0, 1] and the standard deviation of its noise, as in a restore, so that noise
models favour nobody; methods made for speckle get the speckled image itself. Ours run at their automatic setting. The
strength of a peer is the best of a few, judged by the clean image, which flatters it. Seconds are the best of three
calls after the imports; memory is what the call needs beyond what the process held before it (Linux only).

A case is measured in one go. Where ``FOLDER`` has a table of other cases, measured with the same versions and threads,
those are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from MedRestoreLib.methods import catalogue
from MedRestoreLib.noise import Noise, model
from MedRestoreLib.pipeline.device import full_name, resolve
from MedRestoreLib.pipeline.domains import LINEAR, find, unit_range
from Testing.benchmarks.inputs import CASES, Case, Sample
from Testing.benchmarks.peers import PEERS, Peer
from Testing.support.paths import REPOSITORY

REFERENCE = "sk_nlm"  # the peer that times are given relative to
LONG = 15.0  # seconds
RESULTS = "classical.json"


def measure(case_name: str, method: str, quick: bool, threads: int, device: str = "cpu") -> dict:
    """Seconds (all samples), megabytes and quality (means) of one method on one case; for "input" the noisy row."""
    from MedRestoreLib.metrics.fidelity import psnr

    case = CASES[case_name]
    samples = [_cropped(s) for s in case.samples()[:1]] if quick else case.samples()
    if method == "input":
        calls, seconds, megabytes = [lambda sample: sample.noisy], 0.0, None
    elif method in PEERS:
        peer = PEERS[method]
        grain = (1.0, 2.0, 3.0) if case.compressed else (1.0,)  # speckle of several pixels looks like less noise
        calls = [partial(_peer, case, peer, strength * g) for strength in peer.strengths for g in grain]
        calls[0](_cropped(samples[0]))  # imports and lazy initialisation
    else:
        import torch

        torch.set_num_threads(threads)
        calls = [partial(_ours, case, catalogue.find(method), device=device)]
        calls[0](_cropped(samples[0]))
    best: dict = {}
    for call in calls:
        if method == "input":
            images = [sample.noisy for sample in samples]
        else:
            seconds, megabytes, images = _run(lambda call=call: [call(s) for s in samples], 1 if quick else 3)
        pairs = list(zip(samples, images, strict=True))
        quality = np.mean([psnr(i, s.clean, data_range=1.0, mask=s.mask) for s, i in pairs])
        if not best or quality > best["psnr"]:
            ssim = float(np.mean([_ssim(sample, image) for sample, image in pairs]))
            best = {"seconds": seconds, "megabytes": megabytes, "psnr": float(quality), "ssim": ssim}
    return best


def _ssim(sample: Sample, image: np.ndarray) -> float:
    """Structural similarity where quality is judged; in a volume with cubic windows, as the peers are quoted."""
    from skimage.metrics import structural_similarity

    values = structural_similarity(sample.clean, image.astype(np.float32), data_range=1.0, full=True)[1]
    return float(values.mean() if sample.mask is None else values[sample.mask].mean())


def _cropped(sample: Sample) -> Sample:
    """At most 128 voxels a side, 24 in the first axis of a volume, from the middle."""
    sides = (24, 128, 128)[-sample.clean.ndim :]
    middle = tuple(
        slice(max(0, (n - s) // 2), max(0, (n - s) // 2) + s) for n, s in zip(sample.clean.shape, sides, strict=True)
    )
    return Sample(*(None if part is None else np.ascontiguousarray(part[middle]) for part in sample))


def _level(case: Case, noisy: np.ndarray) -> float:
    """The true level; where there is none (a B-mode image) the one that MedRestore finds."""
    return case.level or float(model(case.noise).estimate(noisy[None, None]).level)


def _ours(case: Case, row: catalogue.Method, sample: Sample, device: str = "cpu") -> np.ndarray:
    """As ``restore`` does it, on the whole image at once; the result is in the processor's memory."""
    import torch

    level = _level(case, sample.noisy)
    noise = model(case.noise).bind(sample.noisy.reshape(1, -1, *sample.noisy.shape[-2:]), level)
    if find(row.domain) is LINEAR:
        low, peak = LINEAR.range(noise, sample.noisy)
        options = {**LINEAR.options(noise, peak), "compressed": case.compressed}
        image = torch.from_numpy((sample.noisy - low) / peak)[None, None].to(device)
        return row.load()(image, LINEAR.sigma(noise, peak), **options)[0, 0].cpu().numpy() * peak + low
    unit, scale, low = _stabilised(case, noise, sample.noisy)
    axes = (None, None) if sample.noisy.ndim in row.dimensions else (slice(None), None)  # else slice by slice
    image = row.load()(torch.from_numpy(unit)[axes].to(device), 1 / scale).cpu().numpy().reshape(unit.shape)
    return _unstabilised(case, noise, image, scale, low)


def _peer(case: Case, peer: Peer, strength: float, sample: Sample) -> np.ndarray:
    noise = model(case.noise).bind(sample.noisy.reshape(1, -1, *sample.noisy.shape[-2:]), _level(case, sample.noisy))
    unit, scale, low = _stabilised(case, noise, sample.noisy)
    return _unstabilised(case, noise, np.asarray(peer.run(unit, 1 / scale, strength)), scale, low)


def _stabilised(case: Case, noise: Noise, noisy: np.ndarray) -> tuple[np.ndarray, float, float]:
    """The image in [0, 1] whose noise has the standard deviation 1 / scale; a log-compressed image already is one."""
    if case.compressed:
        return noisy, 1 / (noise.level * noise.reference), 0.0
    stable = noise.stabilise(noisy)
    low, scale = unit_range(stable.reshape(-1, *stable.shape[-2:]))
    return ((stable - low) / scale).astype(np.float32), scale, low


def _unstabilised(case: Case, noise: Noise, image: np.ndarray, scale: float, low: float) -> np.ndarray:
    return image if case.compressed else noise.unbiased_inverse((image * scale + low).astype(np.float32))


def _run(call: Callable[[], list[np.ndarray]], times: int) -> tuple[float, float | None, list[np.ndarray]]:
    """Best seconds, megabytes at the peak beyond those held before (None where the system does not tell), results.

    A call of more than LONG seconds is made once.
    """
    seconds, held = [], _forget_peak()
    while len(seconds) < times and max(seconds, default=0) < LONG:
        start = time.perf_counter()
        images = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), None if held is None else _megabytes("VmHWM") - held, images


def _forget_peak() -> float | None:
    """Set the process's peak back to what it holds now, and tell that in megabytes."""
    if sys.platform != "linux":
        return None
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets VmHWM
    return _megabytes("VmRSS")


def _megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def in_own_process(case: str, method: str, quick: bool, threads: int, device: str) -> dict | str:
    """``measure`` in a fresh process, or why it could not be done."""
    if method in PEERS and find_spec(PEERS[method].package) is None:
        return f"{PEERS[method].package} is not installed"
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(threads))
    command = [sys.executable, "-m", __spec__.name, "--measure", case, method]
    command += ["--threads", str(threads), "--device", device]
    run = subprocess.run(command + ["--quick"] * quick, cwd=REPOSITORY, capture_output=True, text=True, env=environment)
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1])
    return f"failed: {(run.stderr.strip().splitlines() or ['no message'])[-1]}"


def start_up(arguments: list[str]) -> str:
    """Seconds that a fresh Python takes for ``arguments``, best of five."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        run = subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True)
        seconds.append(time.perf_counter() - start)
        if run.returncode:
            return f"failed with exit code {run.returncode}"
    return f"{min(seconds):.2f} s"


def table(results: dict[str, dict | str]) -> list[list[str]]:
    """Rows for people, the best PSNR first; what could not be measured last."""
    reference = results.get(REFERENCE)
    rows = []
    for method, r in sorted(results.items(), key=lambda item: -item[1]["psnr"] if isinstance(item[1], dict) else 0):
        if isinstance(r, str):
            rows.append([method, r, "", "", "", ""])
            continue
        ratio = f"{r['seconds'] / reference['seconds']:.2f}" if isinstance(reference, dict) and r["seconds"] else ""
        memory = "" if r["megabytes"] is None else f"{r['megabytes']:.0f}"
        rows.append([method, f"{r['psnr']:.2f}", f"{r['ssim']:.3f}", f"{r['seconds']:.3g}", memory, ratio])
    return rows


def plot(results: dict[str, dict[str, dict | str]], ours: list[str], path: Path) -> None:
    """PSNR over seconds, one panel a case: up and left is better."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    across = min(4, len(results))
    down = -(-len(results) // across)
    figure, panels = pyplot.subplots(
        down, across, figsize=(5.2 * across, 4.4 * down), layout="constrained", squeeze=False
    )
    for panel in panels.flat[len(results) :]:
        panel.set_visible(False)
    for panel, (case, found) in zip(panels.flat, results.items(), strict=False):
        for method, r in found.items():
            if isinstance(r, dict) and r["seconds"]:
                mine = method in ours
                panel.plot(r["seconds"], r["psnr"], "o" if mine else "s", color="C3" if mine else "0.55")
                panel.annotate(method, (r["seconds"], r["psnr"]), (5, 3), textcoords="offset points", fontsize=8)
        panel.set(xscale="log", xlabel="seconds", ylabel="PSNR (dB)", title=CASES[case].title)
        panel.margins(x=0.2)
        panel.title.set_fontsize(9)
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="128x128 crops and one call each: does everything run?")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="where ours run; peers run on the processor")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER", help="all if not given"
    )
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--out", type=Path, default=REPOSITORY / "Resources" / "benchmarks")
    parser.add_argument("--measure", nargs=2, metavar=("CASE", "METHOD"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure, arguments.quick, arguments.threads, arguments.device)))
        return

    from rich.console import Console
    from rich.table import Table

    console = Console()
    heads = ["method", "PSNR", "SSIM", "seconds", "MB", f"time / {REFERENCE}"]
    ours = [row.id for row in catalogue.METHODS if not row.learned]
    size = "128x128 crops, one call each" if arguments.quick else f"best of three calls, or one of over {LONG:g} s"
    times = {
        "import MedRestoreLib": start_up(["-c", "import MedRestoreLib"]),
        "medrestore methods": start_up(["-m", "MedRestoreLib", "methods"]),
    }
    where = "" if arguments.device == "cpu" else f", ours on {full_name(resolve(arguments.device))}"
    about = f"{size}; {arguments.threads} thread(s){where}. {'; '.join(versions())}."
    head = f"# Classical methods and their peers\n\n{about}\n"
    results = kept(arguments.out / RESULTS, head)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.cases:
        case = CASES[name]
        fit = [row.id for row in catalogue.METHODS if row.id in ours and case.noise in row.noises]
        # Of the methods for slices, the strongest stands for all on a volume.
        fit = [id for id in fit if case.dimensions in catalogue.find(id).dimensions or id == "bm3d"]
        fit += [id for id in arguments.peers if case.dimensions in PEERS[id].dimensions]
        with console.status(case.title) as status:
            results[name] = {}
            for method in ["input", *fit]:
                status.update(f"{case.title}: {method}")
                results[name][method] = in_own_process(
                    name, method, arguments.quick, arguments.threads, arguments.device
                )
        shown = Table(*heads, title=case.title)
        for row in table(results[name]):
            shown.add_row(*row, style="bold" if row[0] in ours else None)
        console.print(shown)
        results = {name: results[name] for name in CASES if name in results}
        text = [head, "\nA case is measured in one go; different cases may be of different days.\n"]
        text += ["\n![PSNR over time](classical.png)\n\n", *(f"- `{what}`: {s}\n" for what, s in times.items())]
        for each, found in results.items():
            text.append(f"\n## {CASES[each].title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
            text += [f"| {' | '.join(row)} |\n" for row in table(found)]
        (arguments.out / "classical.md").write_text("".join(text), encoding="utf-8")
        (arguments.out / RESULTS).write_text(json.dumps({"head": head, "results": results}, indent=1), encoding="utf-8")
        plot(results, ours, arguments.out / "classical.png")
    for what, seconds in times.items():
        console.print(f"{what}: {seconds}")
    console.print(f"Written: {arguments.out / 'classical.md'} and classical.png")


def kept(path: Path, head: str) -> dict[str, dict[str, dict | str]]:
    """What an earlier run with the same head (size, threads, versions) measured: case → method → numbers."""
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return earlier["results"] if earlier.get("head") == head else {}


def versions() -> list[str]:
    """What was measured with what."""
    from importlib import metadata

    found = []
    for package in ("torch", "scikit-image", "SimpleITK", "medpy", "bm3d", "bm4d"):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} absent")
    return found


if __name__ == "__main__":
    main()
