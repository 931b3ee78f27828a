"""A network goes on learning on the study that it restores, from two parts of it whose noise is independent.

Counts are thinned: each goes into the first part by chance, and the other part are independent counts of the same
thing. To values with Gaussian noise y the same is done by more noise n of the same kind: y + a n and y - n / a are
independent (Neufeld, Dharamshi, Gao and Witten, "Data thinning for convolution-closed distributions", JMLR 25, 2024;
Monroy, Bacca and Tachella, "Generalized Recorrupted-to-Recorrupted", CVPR 2025). With the first part for its input and
the second for its target a network learns, on average, as if it were shown the truth.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .parallel import one_thread
from .row import Denoiser

# Length of the adaptation: steps of so many square patches of so many pixels, at a rate that falls to 0.
STEPS, BATCH, SIDE, RATE, CLIP = 150, 8, 64, 2e-4, 0.1

LEARNT = 0.8  # share of the study that the network learns from; the rest judges it
SHARES = (0.5, 0.9)  # of what it learns from: the part that it is shown
LEAST_RATE = 1e-4  # of the study's brightest place, below which the likelihood of a rate is not told apart
BLOCK = 8  # pixels: side of the squares whose losses are taken for independent
JUDGED = 16  # planes, spread over the study, that judge
STREAM = 60_611  # of random numbers

Draw = Callable[[tuple[int, ...], np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Thinning:
    """How values of a method's scale are divided.

    Attributes:
        sigma: standard deviation of their noise; of counts 1 / sqrt(K), K being the counts at the value 1.
        draw: noise of standard deviation 1 for planes ``(n, rows, columns)``; None for counts.
    """

    sigma: float
    draw: Draw | None = None

    def parts(self, values: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Two float32 arrays like ``values`` with its mean and independent noise.

        The variance of the noise is 1 / ``share`` times as large in the first, 1 / (1 - ``share``) in the second.
        """
        if self.draw is None:
            counts = np.rint(values / self.sigma**2).astype(np.int64)
            first = rng.binomial(counts, share)
            pair = first * (self.sigma**2 / share), (counts - first) * (self.sigma**2 / (1 - share))
        else:
            more = np.sqrt(1 / share - 1)
            noise = self.sigma * self.draw(values.shape, rng)
            pair = values + more * noise, values - noise / more
        return np.asarray(pair[0], np.float32), np.asarray(pair[1], np.float32)

    def losses(self, restored: Tensor, part: Tensor) -> Tensor:
        """Of every pixel, in units of its noise: Poisson likelihood, or squares."""
        if self.draw is None:
            return (restored - part * torch.log(restored.clamp_min(LEAST_RATE))) / self.sigma**2
        return torch.square(restored - part) / self.sigma**2


class Levels(NamedTuple):
    """The noise level of the whole study as the network is told it, and as the method is that restores by it."""

    network: float
    method: float

    def of_part(self, share: float) -> Levels:
        """Of a part whose noise has 1 / ``share`` times the variance."""
        return Levels(self.network / share**0.5, self.method / share**0.5)


@dataclass(frozen=True, eq=False)
class Adapted:
    """A network that went on learning, and how its method does with it on what it has not learnt from.

    Attributes:
        network: for inference.
        change: of the loss of a pixel that is held out, as ``Thinning.losses``; negative is better.
        error: standard error of ``change``.
        loss: of the method with the network as it was.
    """

    network: nn.Module
    change: float
    error: float
    loss: float


def adapt(
    network: nn.Module,
    planes: np.ndarray,
    inside: np.ndarray,
    thinning: Thinning,
    levels: Levels,
    restoring: Callable[[nn.Module], Denoiser],
    progress: Callable[[float], None] = lambda fraction: None,
) -> Adapted:
    """Train a copy of a network on a study.

    Args:
        network: ``network(images, levels)``, see ``methods.learned.rate`` and ``stabilised``; it is not changed.
        planes: float32 ``(n, rows, columns)`` on the network's scale.
        inside: bool, like ``planes``: where there is noise. Text and masked air have none, and nothing to learn from.
        thinning: how the planes are divided.
        levels: of the noise.
        restoring: the method with a network, which judges.
        progress: called with the fraction done; what it raises ends the work.
    """
    rng = np.random.default_rng(STREAM)
    device = next(network.parameters()).device
    learner = copy.deepcopy(network).eval().requires_grad_(True)
    learnt, held = thinning.parts(planes, LEARNT, rng)
    rest = Thinning(thinning.sigma / LEARNT**0.5, thinning.draw)
    levels = levels.of_part(LEARNT)
    places = np.argwhere(inside)
    optimiser = torch.optim.Adam(learner.parameters(), RATE)
    with one_thread():
        for step in range(STEPS):
            progress(step / STEPS)
            share = rng.uniform(*SHARES)
            patches, where = _patches(learnt, inside, places, rng)
            first, second = (_tensor(part, device) for part in rest.parts(patches, share, rng))
            counted = _tensor(where, device)
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - step / STEPS)
            restored = learner(first, first.new_full((BATCH,), levels.of_part(share).network))
            loss = (rest.losses(restored, second) * counted).sum() / counted.sum().clamp_min(1)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learner.parameters(), CLIP)
            optimiser.step()
    learner.requires_grad_(False)
    return _judged([restoring(network), restoring(learner)], learner, learnt, held, inside, rest, levels.method)


def _patches(
    planes: np.ndarray, inside: np.ndarray, places: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Square patches around places, turned by right angles and mirrored, and where they count."""
    rows, columns = planes.shape[1:]
    side = min(SIDE, rows, columns)
    found = []
    for place in places[rng.integers(len(places), size=BATCH)]:
        plane, row, column = (int(at) for at in place)
        top, left = (
            int(np.clip(at - rng.integers(side), 0, length - side))
            for at, length in ((row, rows), (column, columns))
        )  # fmt: skip
        turns, mirrored = rng.integers(4), rng.random() < 0.5
        pair = []
        for study in (planes, inside):
            patch = np.rot90(study[plane, top : top + side, left : left + side], turns)
            pair.append(patch[:, ::-1] if mirrored else patch)
        found.append(pair)
    values, where = zip(*found, strict=True)
    return np.stack(values), np.stack(where)


@torch.inference_mode()
def _judged(
    methods: Sequence[Denoiser],
    learner: nn.Module,
    learnt: np.ndarray,
    held: np.ndarray,
    inside: np.ndarray,
    rest: Thinning,
    level: float,
) -> Adapted:
    """The method restores what was learnt from, before and after; both are compared with what was held out."""
    device = next(learner.parameters()).device
    changes, losses = [], []
    chosen = np.unique(np.linspace(0, len(learnt) - 1, min(JUDGED, len(learnt))).round().astype(int))
    for number in chosen:
        image, truth = (_tensor(study[number][None], device) for study in (learnt, held))
        counted = _tensor(inside[number][None], device)
        old, new = (rest.losses(method(image, level), truth) * counted for method in methods)
        losses.append(float(old.sum()))
        blocks = nn.functional.avg_pool2d(new - old, BLOCK, ceil_mode=True, count_include_pad=False)
        changes.append(blocks.flatten().double().cpu().numpy())
    each = np.concatenate(changes)
    share = max(float(inside[chosen].mean()), 1e-9)  # changes outside are 0
    count = max(int(inside[chosen].sum()), 1)
    return Adapted(
        learner,
        float(each.mean()) / share,
        float(each.std() / np.sqrt(len(each))) / share,
        sum(losses) / count,
    )


def _tensor(planes: np.ndarray, device: torch.device) -> Tensor:
    """``(n, rows, columns)`` as images ``(n, 1, rows, columns)``."""
    images = torch.from_numpy(np.ascontiguousarray(planes, np.float32))[:, None]
    return images.to(device, memory_format=torch.channels_last)
