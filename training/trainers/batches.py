"""Batches that depend on nothing but the seed and their number, so that a resumed training continues exactly."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from .. import build
from ..data import Source, degradations
from ..recipe import Recipe, RecipeError
from .parallel import rank, world_size

APART = 50  # steps between two uses of a sample: neighbouring steps share none

Arrays = dict[str, np.ndarray]


class Batches:
    """``batches(number)`` is a dictionary of tensors on ``device``: images ``(N, 1, rows, columns)``, scalars ``(N,)``.

    Sample k of batch n has a random generator of its own, seeded by (seed, n, k). Under torchrun each process makes its
    share of the same global batch. With ``reuse`` R, batch n consists of the samples n, n + APART, ... and
    n + (R - 1) APART, so that it follows from the seed and the number all the same.

    Args:
        workers: processes that prepare the next batches in the background; they affect speed only.
    """

    def __init__(self, recipe: Recipe, source: Source, device: torch.device, workers: int = 0) -> None:
        if recipe.schedule.batch % world_size():
            raise RecipeError(f"a batch of {recipe.schedule.batch} cannot be shared by {world_size()} processes.")
        self.make = _Maker(recipe, source, rank(), world_size())
        self.device, self.workers = device, workers
        self.apart = range(0, APART * recipe.schedule.reuse, APART)
        self.held: dict[int, dict[str, Tensor]] = {}
        self.restorer = build.trained(recipe.restorer) if recipe.restorer else None
        self.ahead: dict[int, Future[Arrays]] = {}
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(workers, mp_context=context) if workers else None

    def __call__(self, number: int) -> dict[str, Tensor]:
        batch = self._reused(number)
        if self.restorer is not None:
            network = self.restorer.network.to(self.device)
            with torch.no_grad():
                batch["restored"] = network(*self.restorer.recipe.network.inputs_from(batch))
        return batch

    def close(self) -> None:
        """End the workers."""
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)

    def _reused(self, number: int) -> dict[str, Tensor]:
        """The new samples of several numbers as one batch."""
        self._order(number)
        for wanted in (number + apart for apart in self.apart):
            if wanted not in self.held:
                self.held[wanted] = {name: self._tensor(values) for name, values in self._arrays(wanted).items()}
        parts = [self.held[number + apart] for apart in self.apart]
        del self.held[number]
        if len(parts) == 1:
            return parts[0]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _order(self, number: int) -> None:
        """Let the workers make what this step and the next ones need."""
        if self.pool is None:
            return
        for coming in range(number, number + 2 * self.workers):
            for wanted in (coming + apart for apart in self.apart):
                if wanted not in self.held and wanted not in self.ahead:
                    self.ahead[wanted] = self.pool.submit(self.make, wanted)

    def _arrays(self, number: int) -> Arrays:
        return self.make(number) if self.pool is None else self.ahead.pop(number).result()

    def _tensor(self, values: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(values)
        if tensor.dim() == 3:
            tensor = tensor[:, None].to(memory_format=torch.channels_last)
        return tensor.to(self.device, non_blocking=True)


class _Maker:
    """Makes this process's share of a batch as arrays; can be pickled, for the workers."""

    def __init__(self, recipe: Recipe, source: Source, rank: int, world_size: int) -> None:
        self.source, self.seed = source, recipe.seed
        self.places = range(rank, recipe.schedule.batch, world_size)
        options = asdict(recipe.degradation)
        self.options = {**options.pop("arguments"), **options}

    def __call__(self, number: int) -> Arrays:
        samples = [self._sample(number, place) for place in self.places]
        return {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}

    def _sample(self, number: int, place: int) -> Arrays:
        rng = np.random.default_rng((self.seed, number, place))
        return degradations.draw(self.source.sample(rng), rng, **self.options)
