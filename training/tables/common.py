"""Building blocks of all tables: means of results, and Markdown.

A number is the mean over test patients; with several seeds "mean ± standard deviation over the seeds". A table leaves
out what was not measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from MedRestoreLib import weights
from MedRestoreLib.metrics.statistics import paired_bootstrap

from .. import recipe as recipes
from .results import Result, mean, method_name

Rows = dict[str, str]  # method → title of its row

BEST_GAUSSIAN = "Gaussian, best width for each level"
MEDIAN = "median of 5 x 5"


@dataclass(frozen=True)
class Cell:
    """One number of a table: the mean, and the standard deviation over seeds (NaN for one seed)."""

    mean: float
    spread: float

    def shown(self, digits: int) -> str:
        spread = "" if np.isnan(self.spread) else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


class Measured:
    """Results, by measure, protocol and method."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = results

    def of(self, measure: str, protocol: str, method: str) -> list[Result]:
        """The results of a method, one for each seed."""
        return [r for r in self.results if (r.measure, r.protocol, r.method) == (measure, protocol, method)]

    def cell(self, found: Sequence[Result], name: str, levels: Sequence[str]) -> Cell | None:
        """The mean over patients and ``levels``; None if one of them was not measured."""
        if not found or any(level not in r.values[name] for r in found for level in levels):
            return None
        seeds = [float(np.mean([mean(r.values[name][level]) for level in levels])) for r in found]
        return Cell(float(np.mean(seeds)), float(np.std(seeds, ddof=1)) if len(seeds) > 1 else float("nan"))


@dataclass(frozen=True)
class Table:
    """``make(measured, protocol)`` returns Markdown; its docstring is the title.

    ``protocol`` is the only one that the table exists for; "" if there are several.
    """

    make: Callable[[Measured, str], str]
    protocol: str = ""


@dataclass(frozen=True)
class Paper:
    """A paper's tables.

    Attributes:
        protocols: noise models (names in training.data.degradations) that the tables are printed for.
        sources: of trainings that they are about, as recipes name them.
        card: names of the tables that belong on the cards of networks trained on such data.
    """

    title: str
    protocols: tuple[str, ...]
    sources: tuple[str, ...]
    tables: dict[str, Table]
    card: tuple[str, ...]


def shipped(known: Rows) -> Rows:
    """Rows for weights that ship beside the ``known`` rows, titled by their recipes: tables need no edit for them."""
    names = [row.recipe for row in weights.manifest(weights.folder()).values()]
    return {method_name(name): recipes.read(name).title for name in names if method_name(name) not in known}


def fidelity_table(
    measured: Measured, protocol: str, head: str, rows: Rows, columns: dict[str, tuple[str, ...]]
) -> str:
    """PSNR / SSIM of each method, the mean over the levels of each column; incomplete rows are left out."""
    cells = {}
    for method, title in rows.items():
        found = {at: measured.of("restoration", protocol, at_level(method, at[0])) for at in columns.values()}
        pairs = [[measured.cell(r, name, at) for name in ("psnr", "ssim")] for at, r in found.items()]
        if all(psnr and ssim for psnr, ssim in pairs):
            cells[title] = [f"{psnr.shown(2)} / {ssim.shown(3)}" for psnr, ssim in pairs]
    return markdown(head, list(columns), cells)


def at_level(method: str, level: str) -> str:
    """The method's name at a level; ``*`` stands for the level in hundredths if there is one network for each level.

    >>> at_level("unet_busi+sigma*", "0.25"), at_level("unet_busi", "0.25")
    ('unet_busi+sigma25', 'unet_busi')
    """
    return method.replace("*", f"{100 * float(level):.0f}")


def gains(measured: Measured, protocol: str, ours: str, theirs: str, levels: dict[str, str]) -> str:
    """One sentence: PSNR of ``ours`` minus ``theirs`` on the same patients, with a 95 % interval.

    Args:
        ours, theirs: methods.
        levels: level → its title.
    """
    parts = []
    for level, title in levels.items():
        found = [measured.of("restoration", protocol, at_level(method, level)) for method in (ours, theirs)]
        if not all(found):
            continue
        values = [results[0].values["psnr"].get(level, {}) for results in found]
        shared = sorted(set(values[0]) & set(values[1]))
        if len(shared) > 1:
            gain = paired_bootstrap(*([v[id] for id in shared] for v in values))
            parts.append(f"{title}: {gain.mean:+.2f} dB [{gain.low:.2f}, {gain.high:.2f}]")
    return "; ".join(parts)


def outlined(measured: Measured, noise: str, segmenters: Rows, methods: Rows, column: str) -> str:
    """Dice of outlined structures, and its difference from that of images as they are, with the 95 % interval.

    Args:
        segmenters: networks that outline → what to add to the title; the first outlines images as they are.
        column: title of a level.
    """
    rows: dict[str, list[str]] = {}
    unrestored = measured.of("structures", noise, f"noisy, {next(iter(segmenters))}")
    if not unrestored:
        return ""
    before = unrestored[0].values["dice"]
    for segmenter, how in segmenters.items():
        for method, title in methods.items():
            for result in measured.of("structures", noise, f"{method}, {segmenter}"):
                after = result.values["dice"]
                rows[title + how] = [_gain(after[at], before[at]) for at in before]
    return markdown("Method", [column.format(at) if float(at) else "as it is" for at in before], rows)


def _gain(after: dict[str, float], before: dict[str, float]) -> str:
    if after == before:
        return f"{mean(after):.3f}"
    gain = paired_bootstrap([after[id] for id in before], list(before.values()))
    return f"{mean(after):.3f} ({gain.mean:+.3f}, {gain.low:+.3f} to {gain.high:+.3f})"


def lengths(measured: Measured, protocol: str, rows: Rows, level: str) -> str:
    """One sentence: how long the networks of a table were trained; of several for one row, that of ``level``."""
    parts = []
    for method, title in rows.items():
        trained = [r.about for r in measured.of("restoration", protocol, at_level(method, level)) if "steps" in r.about]
        if trained:
            parts.append(f"{title}: {trained[0]['steps']:,} steps in {trained[0]['minutes']:.0f} min")
    return f"\nLength of the (last) training of each, on one or two cores: {'; '.join(parts)}.\n" if parts else ""


def markdown(head: str, columns: Sequence[str], rows: dict[str, list[str]]) -> str:
    """A table; "" without rows."""
    if not rows:
        return ""
    lines = [[head, *columns], ["---"] * (len(columns) + 1), *([title, *cells] for title, cells in rows.items())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
