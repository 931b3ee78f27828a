"""What do neighbouring frames add to one that is enlarged alone? The mean of N frames, moved or not, or not all.

Each frame is enlarged by a network that ships; the others are laid over one of them, averaged with it where they show
the same, and the mean is made consistent with the frame, as a frame enlarged alone is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from MedRestoreLib import weights
from MedRestoreLib.methods import enlarging
from MedRestoreLib.methods.steadying import LOCAL, alike, local_mean
from MedRestoreLib.metrics.fidelity import psnr

from ..data import WHITE, reduced
from ..data.clips import Clips
from ..data.registration import register
from ..recipe import RecipeError
from ..tables.results import Result, Values
from .clips import Case, cases
from .protocols import HeldOut

COUNTS = (1, 2, 3, 6, 9, 12)  # frames, the one that is enlarged among them
FORMS = [(moved, weighed) for moved in ("as they are", "registered") for weighed in ("all", "those alike")]


def measure(student: str, found: Sequence[Case]) -> Values:
    """Of the clips among ``found``: quantity → condition → clip → number.

    - ``psnr`` (dB, peak 1) against the frame itself, as in ``clips``: the mean of two frames. The condition is the
      number of frames, a form of FORMS and the organ, such as "6, registered, those alike, lung".
    - ``change``: mean difference of a pixel from frame to frame once it is averaged over some pixels, grey values.
    """
    factor = weights.find(student).arguments["factor"]
    values: dict[str, dict[str, dict[str, float]]] = {}
    for case in (case for case in found if len(case.frames) > 1):
        small = torch.from_numpy(reduced.eight_bits(reduced.resized(case.frames, factor)))[:, None]
        with torch.inference_mode():
            apart = enlarging.enlarge(small, 0.0, factor=factor, weights=student)[:, 0].numpy()
        inner = (slice(factor, -factor),) * 2
        scores: dict[str, list[float]] = {}
        for place in case.places:
            nearest = sorted(range(len(apart)), key=lambda at: (abs(at - place), at))
            for count, form, image in fused(apart[nearest[: COUNTS[-1]]]):
                exact = enlarging.consistent(torch.from_numpy(image)[None, None], small[[place]], factor)[0, 0].numpy()
                score = psnr(exact[inner], case.frames[place][inner], data_range=1, mask=case.tissue[inner])
                scores.setdefault(", ".join((str(count), *form, case.organ)), []).append(score)
        for condition, both in scores.items():
            values.setdefault("psnr", {}).setdefault(condition, {})[case.name] = float(np.mean(both))
        change = local_mean(small[1:] - small[:-1], LOCAL).abs().mean()
        values.setdefault("change", {}).setdefault(case.organ, {})[case.name] = float(WHITE) * float(change)
    return values


def fused(frames: np.ndarray) -> Iterator[tuple[int, tuple[str, str], np.ndarray]]:
    """Numbers of COUNTS, forms of FORMS, and the mean: of frames ``(12, rows, columns)``, the one enlarged first."""
    first, others = frames[0], frames[1:]
    for moved, laid in (("as they are", others), ("registered", register(others, first).frames)):
        same = alike(torch.from_numpy(laid - first)[:, None], 2 * LOCAL)[:, 0].numpy()
        for weighed, share in (("all", np.ones_like(same)), ("those alike", same)):
            for count in COUNTS:
                some = slice(0, count - 1)
                mean = (first + (share[some] * laid[some]).sum(0)) / (1 + share[some].sum(0))
                yield count, (moved, weighed), mean.astype(np.float32)


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each of the weights that ship. Raises RecipeError."""
    source = test.ready
    if not isinstance(source, Clips):
        raise RecipeError("fusion is measured on clips; take --data student_x2.")
    found = [case for case in cases(source) if len(case.frames) > 1]
    for name in names:
        yield Result("fusion", "reduced", name, measure(name, found), 0, {"data": source.clips_key, "split": "test"})
