"""Is the recommended method never worse than BM3D for counts, and is nothing called a gain that is harm?

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.counts [--seeds N] [--out FILE]

Scintigrams of seven organs, of 2 to 2,000 counts at the brightest pixel, with and without an injection site, of which
the truth is known. For each, what is recommended is compared with BM3D:

- ``deviance``: expected Poisson deviance of a second scan under the restored one. The bar: at most 0.5 % above BM3D's.
- ``hot``: how far the uptake of hot regions is from the truth. The bar: within 3 % where BM3D is.
- ``word``: the verdict. The bar: no "gain" where the error grows or hot uptake is off by more than 3 % and chance.
- ``gain``: the expected gain less the true one, dB, and whether the truth lies within the stated limits.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.evidence.verdict import GAIN
from Testing.support.paths import REPOSITORY
from Testing.support.scintigraphy import ORGANS, SITE, brain, with_site

PEAKS = (2, 8, 26, 60, 250, 2000)
WORSE, HOT = 0.005, 0.03  # the bars
LEAST = 0.01  # counts: lower bound of a restored rate, as a rate of zero forbids every count
PIXEL = 2.3  # mm

Draw = Callable[[np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Row:
    """One study: see the file's head; ``*_bm3d`` are BM3D's."""

    organ: str
    peak: float
    site: bool
    seed: int
    method: str
    word: str
    deviance: float
    deviance_bm3d: float
    hot: float
    hot_bm3d: float
    hot_chance: float
    error_ratio: float
    gain_error: float | None
    gain_held: bool | None

    @property
    def failures(self) -> list[str]:
        """The bars that the study does not pass."""
        failed = []
        if self.deviance > (1 + WORSE) * self.deviance_bm3d:
            failed.append("deviance")
        if abs(self.hot) > HOT >= abs(self.hot_bm3d):
            failed.append("hot")
        if self.word == GAIN and (self.error_ratio > 1 or abs(self.hot) > HOT + 2 * self.hot_chance):
            failed.append("gain")
        return failed


def studies(organs: dict[str, Draw], peaks: tuple[float, ...], seeds: int) -> Iterator[tuple[str, float, bool, int]]:
    """Organ, peak, site, and seed of every study."""
    for organ in organs:
        for peak in peaks:
            for site in (False, True):
                for seed in range(seeds):
                    yield organ, peak, site, seed


def measure(organ: str, draw: Draw, peak: float, site: bool, seed: int) -> Row:
    """Restore one study as recommended and with BM3D."""
    rng = np.random.default_rng((seed, int(peak), len(organ)))
    clean = draw(rng)
    expected = with_site(clean * peak) if site else clean * np.float32(peak)
    scan = rng.poisson(expected).astype(np.float32)
    image = mr.Image(scan[None, None], spacing=(PIXEL, PIXEL, 1), modality="NM", unit="counts")
    plan = mr.recommend(image, noise="poisson", level=1.0)
    result = mr.restore(image, plan)
    restored = result.image.voxels[0, 0]
    bm3d = restored if plan.method == "bm3d" else mr.restore(image, plan, method="bm3d").image.voxels[0, 0]
    anatomy = expected - clean * peak < 1e-3 * peak  # not the site
    hot = (clean >= 0.6) & anatomy
    before, after = (float(np.square(study - expected)[anatomy].mean()) for study in (scan, restored))
    gain, true = result.report.gain, 10 * np.log10(before / after)
    limits = (gain.least_db, np.inf if gain.most_db is None else gain.most_db) if gain.white else (None, None)
    return Row(
        organ,
        peak,
        site,
        seed,
        plan.method,
        result.report.judgement.word,
        deviance(expected, restored),
        deviance(expected, bm3d),
        *(float(study[hot].sum() / expected[hot].sum() - 1) for study in (restored, bm3d)),
        float(1 / np.sqrt(expected[hot].sum())),
        after / before,
        None if gain.gain_db is None else float(gain.gain_db - true),
        None if limits[0] is None else bool(limits[0] <= true <= limits[1]),
    )


def deviance(expected: np.ndarray, rate: np.ndarray) -> float:
    """Mean deviance that a second scan of the same patient is expected to have under ``rate``."""
    x, r = np.maximum(expected, 1e-6).astype(np.float64), np.maximum(rate, LEAST)
    return float((_floor(x) + 2 * (x * np.log(x / r) - x + r)).mean())


def _floor(expected: np.ndarray) -> np.ndarray:
    """Expected deviance of Poisson counts under their own rate, about 1."""
    rates, floors = _floors()
    return np.interp(expected, rates, floors, right=1.0)


@lru_cache(maxsize=1)
def _floors() -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import poisson

    counts, rates = np.arange(1, 500), np.geomspace(1e-6, 250, 400)
    terms = counts * np.log(counts)
    return rates, np.array([2 * (poisson.pmf(counts, rate) @ terms - rate * np.log(rate)) for rate in rates])


def main() -> None:
    """Print every study, then how many pass each bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = Path(os.environ.get("MEDRESTORE_DATA", REPOSITORY.parent / "shared" / "data"))
    organs = {**ORGANS, "brain": brain(data)}
    rows = []
    for organ, peak, site, seed in studies(organs, PEAKS, arguments.seeds):
        row = measure(organ, organs[organ], peak, site, seed)
        rows.append(row)
        worse = 100 * (row.deviance / row.deviance_bm3d - 1)
        off = "" if row.gain_error is None else f" gain off by {row.gain_error:+.1f} dB, held: {row.gain_held}"
        print(
            f"{organ:8} {peak:5} {'site' if site else '    '} {row.method:10} {row.word:16} deviance {worse:+.2f} % "
            f"hot {100 * row.hot:+.1f} % (BM3D {100 * row.hot_bm3d:+.1f} %){off} {' '.join(row.failures).upper()}",
            flush=True,
        )
    failed = {bar: sum(bar in row.failures for row in rows) for bar in ("deviance", "hot", "gain")}
    errors = [row.gain_error for row in rows if row.gain_error is not None]
    held = [row.gain_held for row in rows if row.gain_held is not None]
    summary = {"studies": len(rows), "failed": failed, "site_counts": SITE}
    summary |= {"gain_error_mean_db": float(np.mean(errors)), "gain_held_share": float(np.mean(held))}
    print(json.dumps(summary, indent=1))
    if arguments.out:
        found = {"summary": summary, "rows": [asdict(row) for row in rows]}
        arguments.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
