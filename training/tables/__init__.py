"""The tables of Yu et al. (2023), in form, from what was measured: ``python -m training table``.

A number is the mean over test patients; with several seeds "mean ± standard deviation over them". What was not measured
is not in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from MedRestoreLib import atomic
from MedRestoreLib.metrics.statistics import paired_bootstrap
from MedRestoreLib.noise.poisson import peak_counts

from .results import FOLDER, Result, read

PAPER_LEVELS = ("5", "10", "15", "20", "25", "30", "35", "40")
BAR_LEVELS = ("50", "30", "20", "10")  # 26, 72, 163, 650 counts
LESION_LEVELS = ("50", "30", "20")
FRACTIONS = ("0.5", "0.25", "0.1")
PROTOCOLS = {
    "p_peak": "counts: Poisson(K x) / K, K = (255 / level)²",
    "p_lit": "the paper's own: x + Poisson(level) on 8-bit grey values, mostly an offset",
    "p_thin": "the real scan, thinned",
}

Rows = dict[str, str]  # method → what the row is called

MAIN: Rows = {
    "noisy": "noisy",
    "offset": "offset only (mean of the frame subtracted)",
    "gaussian": "Gaussian, best width for each level",
    "bm3d_raw": "BM3D, raw",
    "bm3d_offset": "BM3D, offset subtracted",
    "bm3d_anscombe": "BM3D, Anscombe",
    "dncnn_bone+literal_dncnn": "DnCNN, paper's form",
    "dncnn_bone": "DnCNN, recommended",
    "redcnn_bone": "RED-CNN",
    "wgan_vgg_bone": "WGAN-VGG",
    "emanet_bone_literal": "EMANet, paper's form",
    "emanet_bone": "EMANet, recommended",
}
TRANSFER: Rows = {"emanet_bone": "no", "emanet_bone+pretrained": "fetal ultrasound"}
MODULES: Rows = {
    "emanet_bone+plain": "none",
    "emanet_bone+rdc": "RDC",
    "emanet_bone+rdc_md": "RDC + MD",
    "emanet_bone+rdc_md_rcag": "RDC + MD + RCAG",
    "emanet_bone": "RDC + MD + RCAG + CF",
}
LOSSES: Rows = {
    "emanet_bone": "MSE",
    "emanet_bone+perceptual": "perceptual (features trained on bone scans)",
    "emanet_bone+composite": "0.8 MSE + 0.2 perceptual",
    "emanet_bone+random_features": "0.8 MSE + 0.2 perceptual (random features)",
    "emanet_bone+poisson_nll": "Poisson likelihood",
}
ESTIMATORS: Rows = {
    "HBNE": "HBNE",
    "DWTNE": "DWTNE",
    "level_net_bone+literal_level_net": "Net-50, paper's form",
    "level_net_bone": "Net-50",
}


@dataclass(frozen=True)
class Cell:
    """One number of a table: its mean, and its spread over seeds (NaN for one seed)."""

    mean: float
    spread: float

    def shown(self, digits: int) -> str:
        spread = "" if np.isnan(self.spread) else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


class Measured:
    """Results by what they measure."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = results

    def of(self, measure: str, protocol: str, method: str) -> list[Result]:
        """One for each seed."""
        return [r for r in self.results if (r.measure, r.protocol, r.method) == (measure, protocol, method)]

    def cell(self, found: Sequence[Result], name: str, levels: Sequence[str]) -> Cell | None:
        """The mean over patients and ``levels``; None where one is lacking."""
        if not found or any(level not in r.values[name] for r in found for level in levels):
            return None
        seeds = [float(np.mean([_mean(r.values[name][level]) for level in levels])) for r in found]
        return Cell(float(np.mean(seeds)), float(np.std(seeds, ddof=1)) if len(seeds) > 1 else float("nan"))


def _mean(value: dict[str, float] | float) -> float:
    return float(np.mean(list(value.values()))) if isinstance(value, dict) else float(value)


def transfer(measured: Measured, protocol: str) -> str:
    """Table 3: what training on something else first is worth, at level 20: PSNR, dB / SSIM."""
    return _fidelity_table(measured, protocol, "Pretraining", TRANSFER, {"level 20": ("20",)})


def modules(measured: Measured, protocol: str) -> str:
    """Table 4: EMANet's modules, one after the other: PSNR, dB / SSIM."""
    return _fidelity_table(measured, protocol, "Modules", MODULES, {"levels 5 to 40": PAPER_LEVELS})


def losses(measured: Measured, protocol: str) -> str:
    """Table 5: what EMANet is trained to make small: PSNR, dB / SSIM."""
    return _fidelity_table(measured, protocol, "Loss", LOSSES, {"levels 5 to 40": PAPER_LEVELS})


def estimators(measured: Measured, protocol: str) -> str:
    """Table 6: the noise level told, and its root mean squared error."""
    rows = {}
    for method, title in ESTIMATORS.items():
        found = measured.of("levels", protocol, method)
        cells = [(measured.cell(found, "mean", (at,)), measured.cell(found, "rmse", (at,))) for at in PAPER_LEVELS]
        if all(mean and rmse for mean, rmse in cells):
            rows[title] = [f"{mean.shown(1)} / {rmse.shown(2)}" for mean, rmse in cells]
    return _markdown("Estimator: level told / RMSE", PAPER_LEVELS, rows)


def restoration(measured: Measured, protocol: str) -> str:
    """Table 7: PSNR (peak 1, dB) / SSIM of the restored views at each level, and what is won over BM3D."""
    columns = {f"{level} (K {peak_counts(float(level)):.0f})": (level,) for level in (*PAPER_LEVELS, "50")}
    return _fidelity_table(measured, protocol, "Method", MAIN, columns) + _gains(measured, protocol)


def lesions(measured: Measured, protocol: str) -> str:
    """Table 8: lesions outlined by the residual-SE U-Net in noisy and in restored views: precision / IoU / recall.

    Means over patients that have lesions. "clean": trained once on clean views. "retrained": on such views.
    """
    rows = {}
    methods = [r.method for r in measured.results if r.measure == "lesions" and r.protocol == protocol]
    for method in dict.fromkeys(methods):
        found = measured.of("lesions", protocol, method)
        cells = [
            [measured.cell(found, name, (level,)) for name in ("precision", "iou", "recall")] for level in LESION_LEVELS
        ]
        if all(all(group) for group in cells):
            rows[method] = [" / ".join(cell.shown(3) for cell in group) for group in cells]
    return _markdown("Restored by, outlined by", [f"level {level}" for level in LESION_LEVELS], rows)


def thinning(measured: Measured, protocol: str) -> str:
    """The real scan thinned: Poisson deviance of the independent remainder / PSNR against it, dB; change of totals."""
    rows = {}
    for method, title in MAIN.items():
        found = measured.of("thinning", "p_thin", method)
        cells = [[measured.cell(found, name, (at,)) for name in ("deviance", "psnr", "total")] for at in FRACTIONS]
        if all(all(group) for group in cells):
            rows[title] = [f"{d.shown(4)} / {p.shown(2)} ({100 * t.mean:.2f} %)" for d, p, t in cells]
    return _markdown("Method", [f"{100 * float(at):.0f} % of the counts" for at in FRACTIONS], rows)


TABLES: dict[str, Callable[[Measured, str], str]] = {
    "3": transfer,
    "4": modules,
    "5": losses,
    "6": estimators,
    "7": restoration,
    "8": lesions,
    "thinning": thinning,
}


def render(name: str, protocol: str, folder: Path = FOLDER) -> str:
    """One table as Markdown, with what it is."""
    table = TABLES[name]
    said = PROTOCOLS["p_thin" if name == "thinning" else protocol]
    body = table(Measured(read(folder)), protocol) or "Nothing measured yet.\n"
    return f"## {' '.join(table.__doc__.split())}\n\nNoise: {said}.\n\n{body}"


def write(protocol: str, folder: Path = FOLDER) -> Path:
    """All tables of a protocol beside this file."""
    text = "\n".join(render(name, protocol, folder) for name in TABLES)
    return atomic.write_bytes(folder.parent / f"{protocol}.md", f"# EMANet's tables, {protocol}\n\n{text}".encode())


def _fidelity_table(
    measured: Measured, protocol: str, head: str, rows: Rows, columns: dict[str, tuple[str, ...]]
) -> str:
    cells = {}
    for method, title in rows.items():
        found = measured.of("restoration", protocol, method)
        pairs = [(measured.cell(found, "psnr", at), measured.cell(found, "ssim", at)) for at in columns.values()]
        if all(psnr and ssim for psnr, ssim in pairs):
            cells[title] = [f"{psnr.shown(2)} / {ssim.shown(3)}" for psnr, ssim in pairs]
    return _markdown(head, list(columns), cells)


def _gains(measured: Measured, protocol: str) -> str:
    """EMANet's gain over Anscombe-BM3D on the same patients, with its 95 % interval."""
    ours, theirs = (measured.of("restoration", protocol, m) for m in ("emanet_bone", "bm3d_anscombe"))
    if not (ours and theirs):
        return ""
    lines = []
    for level in BAR_LEVELS:
        values = [r.values["psnr"].get(level, {}) for r in (ours[0], theirs[0])]
        shared = sorted(set(values[0]) & set(values[1]))
        if len(shared) > 1:
            gain = paired_bootstrap(*([v[id] for id in shared] for v in values))
            lines.append(f"K {peak_counts(float(level)):.0f}: {gain.mean:+.2f} dB [{gain.low:.2f}, {gain.high:.2f}]")
    return f"\nEMANet minus Anscombe-BM3D, 95 % interval over patients: {'; '.join(lines)}.\n" if lines else ""


def _markdown(head: str, columns: Sequence[str], rows: dict[str, list[str]]) -> str:
    if not rows:
        return ""
    lines = [[head, *columns], ["---"] * (len(columns) + 1), *([title, *cells] for title, cells in rows.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
