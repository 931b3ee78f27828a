"""Our classical methods against their peers: the same inputs, one run, each in a process of its own.

    python -m Testing.benchmarks.run [--quick] [--threads N] [--out FOLDER]

Every method gets the stabilised image in [0, 1] and the standard deviation of its noise, as in a restore, so that noise
models favour nobody; methods made for speckle get the speckled image itself. Ours run at their automatic setting. The
strength of a peer is the best of a few, judged by the clean image, which flatters it. Seconds are the best of three
calls after the imports; memory is what the call needs beyond what the process held before it (Linux only).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from Testing.benchmarks.peers import PEERS

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCE = "sk_nlm"  # the peer that times are given relative to


class Case(NamedTuple):
    title: str
    noise: str
    level: float


CASES = {
    "camera": Case("512x512 camera, Gaussian, sigma 25 of 255", "gaussian", 25 / 255),
    "head": Case("217x181 T1 head phantom, Rician, 9 % of the maximum", "rician", 9.0),
    "breast": Case("512x512 breast phantom, speckle, sigma 0.5", "speckle", 0.5),
}


def clean_image(name: str, quick: bool) -> np.ndarray:
    """float32 ``(rows, columns)`` in [0, 1]."""
    from training.simulate import brain, ultrasound

    if name == "camera":
        from skimage import data

        image = data.camera().astype(np.float32) / 255
    elif name == "head":
        image = brain.t1_stack(seed=0, shape=(1, 217, 181)).voxels[0, 0]
        image = image / image.max()
    else:
        image = ultrasound.echogenicity(seed=0).voxels[0, 0]
    return image[128:256, 64:192].copy() if quick else image


def measure(case_name: str, method: str, quick: bool, threads: int) -> dict:
    """Time, memory and quality of one method on one case."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from MedRestoreLib import noise
    from MedRestoreLib.methods import catalogue

    case = CASES[case_name]
    clean = clean_image(case_name, quick)
    noisy = noise.model(case.noise).add(clean, case.level, np.random.default_rng(1))
    model = noise.model(case.noise).bind(noisy, case.level)
    stabilised = model.stabilise(noisy)
    low, scale = float(stabilised.min()), float(np.ptp(stabilised))
    unit, sigma = ((stabilised - low) / scale).astype(np.float32), 1 / scale

    def study(image: np.ndarray) -> np.ndarray:
        return model.invert((np.asarray(image) * scale + low).astype(np.float32))

    if method in PEERS:
        peer = PEERS[method]
        calls = [lambda s=s: study(peer.run(unit, sigma, s)) for s in peer.strengths]
        peer.run(unit[:64, :64].copy(), sigma, peer.strengths[0])  # imports and lazy initialisation
    else:
        import torch

        torch.set_num_threads(threads)
        row = catalogue.find(method)
        ours = row.load()
        if row.domain == "speckle":
            peak = float(noisy.max())
            tensor = torch.from_numpy(noisy / peak)[None, None]
            calls = [lambda: ours(tensor, case.level, reference=model.reference / peak)[0, 0].numpy() * peak]
        else:
            tensor = torch.from_numpy(unit)[None, None]
            calls = [lambda: study(ours(tensor, sigma)[0, 0].numpy())]
        ours(tensor[..., :64, :64].contiguous(), sigma)  # lazy initialisation of torch
    best: dict = {}
    for call in calls:
        seconds, megabytes, image = _run(call, 1 if quick else 3)
        psnr = peak_signal_noise_ratio(clean, image, data_range=1.0)
        if not best or psnr > best["psnr"]:
            ssim = structural_similarity(clean, image.astype(np.float32), data_range=1.0)
            best = {"seconds": seconds, "megabytes": megabytes, "psnr": float(psnr), "ssim": float(ssim)}
    return best


def _run(call: Callable[[], np.ndarray], times: int) -> tuple[float, float | None, np.ndarray]:
    """Best seconds, megabytes at the peak beyond those held before (None where the system does not tell), result."""
    seconds, held = [], _forget_peak()
    for _ in range(times):
        start = time.perf_counter()
        image = call()
        seconds.append(time.perf_counter() - start)
    return min(seconds), None if held is None else _megabytes("VmHWM") - held, image


def _forget_peak() -> float | None:
    """Set the process's peak back to what it holds now, and tell that in megabytes."""
    if sys.platform != "linux":
        return None
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): resets VmHWM
    return _megabytes("VmRSS")


def _megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1024


def in_own_process(case: str, method: str, quick: bool, threads: int) -> dict | str:
    """``measure`` in a fresh process, or why it could not be done."""
    if method in PEERS and find_spec(PEERS[method].package) is None:
        return f"{PEERS[method].package} is not installed"
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
    environment = os.environ | dict.fromkeys(variables, str(threads))
    command = [sys.executable, "-m", __spec__.name, "--measure", case, method, "--threads", str(threads)]
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
        ratio = f"{r['seconds'] / reference['seconds']:.2f}" if isinstance(reference, dict) else ""
        memory = "" if r["megabytes"] is None else f"{r['megabytes']:.0f}"
        rows.append([method, f"{r['psnr']:.2f}", f"{r['ssim']:.3f}", f"{r['seconds']:.3g}", memory, ratio])
    return rows


def plot(results: dict[str, dict[str, dict | str]], ours: list[str], path: Path) -> None:
    """PSNR over seconds, one panel a case: up and left is better."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(results), figsize=(5.2 * len(results), 4.4), layout="constrained")
    for panel, (case, found) in zip(np.atleast_1d(panels), results.items(), strict=True):
        for method, r in found.items():
            if isinstance(r, dict):
                mine = method in ours
                panel.plot(r["seconds"], r["psnr"], "o" if mine else "s", color="C3" if mine else "0.55")
                panel.annotate(method, (r["seconds"], r["psnr"]), (5, 3), textcoords="offset points", fontsize=8)
        panel.set(xscale="log", xlabel="seconds", ylabel="PSNR (dB)", title=CASES[case].title)
        panel.margins(x=0.2)
        panel.title.set_fontsize(9)
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="128x128 crops and one call each: does everything run?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "Resources" / "benchmarks")
    parser.add_argument("--measure", nargs=2, metavar=("CASE", "METHOD"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure, arguments.quick, arguments.threads)))
        return

    from rich.console import Console
    from rich.table import Table

    from MedRestoreLib.methods.catalogue import METHODS

    console = Console()
    heads = ["method", "PSNR", "SSIM", "seconds", "MB", f"time / {REFERENCE}"]
    ours = [row.id for row in METHODS if not row.learned and 2 in row.dimensions]
    results: dict[str, dict[str, dict | str]] = {}
    size = "128x128 crops, one call each" if arguments.quick else "best of three calls"
    text = [f"# Classical methods and their peers\n\n{size}; {arguments.threads} thread(s). {'; '.join(versions())}.\n"]
    for name, case in CASES.items():
        fit = [id for id in ours if case.noise in next(row.noises for row in METHODS if row.id == id)]
        with console.status(case.title) as status:
            results[name] = {}
            for method in [*fit, *PEERS]:
                status.update(f"{case.title}: {method}")
                results[name][method] = in_own_process(name, method, arguments.quick, arguments.threads)
        shown = Table(*heads, title=case.title)
        text.append(f"\n## {case.title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
        for row in table(results[name]):
            shown.add_row(*row, style="bold" if row[0] in ours else None)
            text.append(f"| {' | '.join(row)} |\n")
        console.print(shown)
    times = {
        "import MedRestoreLib": start_up(["-c", "import MedRestoreLib"]),
        "medrestore methods": start_up(["-m", "MedRestoreLib", "methods"]),
    }
    text.append("\n## Start-up\n\n" + "".join(f"- `{what}`: {seconds}\n" for what, seconds in times.items()))
    for what, seconds in times.items():
        console.print(f"{what}: {seconds}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "classical.md").write_text(
        "".join(text) + "\n![PSNR over time](classical.png)\n", encoding="utf-8"
    )
    plot(results, ours, arguments.out / "classical.png")
    console.print(f"Written: {arguments.out / 'classical.md'} and classical.png")


def versions() -> list[str]:
    """What was measured with what."""
    from importlib import metadata

    found = []
    for package in ("torch", "scikit-image", "SimpleITK", "medpy", "bm3d"):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} absent")
    return found


if __name__ == "__main__":
    main()
