"""The training loop that all trainers share: time budget, checkpoints, exact resumption, validation, curve.

A training that was killed and resumed ends with the weights of an undisturbed one (bit for bit on a CPU with the same
number of threads): all randomness follows from the seed and the step's number, and the checkpoint holds everything that
a step depends on.
"""

from __future__ import annotations

import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import torch

from MedRestoreLib.files import atomic
from MedRestoreLib.pipeline import device as devices

from .. import build, checkpoint
from ..recipe import Recipe, RecipeError, from_dict, load
from . import curve, parallel, scores
from .batches import Batches
from .schedule import Progress

TRAINERS = {"supervised": "supervised:Supervised", "adversarial": "adversarial:Adversarial"}
ROW_STEPS = 100  # a row of the curve averages this many steps

log = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    out: Path,
    cache: Path,
    *,
    budget: float | None = None,
    resume: bool = False,
    device: str = "auto",
    precision: str = "auto",
    workers: int = 0,
    checkpoint_every: float = 60.0,
) -> Path:
    """Train and leave ``checkpoint.pt``, ``recipe.json``, ``curve.csv`` and ``curve.png`` in ``out``.

    Args:
        budget: seconds; None takes the recipe's number of steps.
        resume: continue from the checkpoint in ``out``, with its budget where none is given.
        precision: "float32", "bfloat16", or "auto": bfloat16 on CUDA.
        workers: processes that prepare batches in the background; worth it where a GPU would wait for batches.
        checkpoint_every: seconds between checkpoints.

    Raises:
        RecipeError: the recipe and the folder do not fit, or the training diverged; the message says what to do.
    """
    place = parallel.start(devices.resolve(device))
    torch.set_flush_denormal(True)
    try:
        run = _Run(recipe, Path(out), cache, budget, resume, place, _precision(precision, place), workers)
        try:
            return run.go(checkpoint_every)
        finally:
            run.batches.close()
    finally:
        torch.set_flush_denormal(False)  # it applies to the whole process, and SciPy's k-d tree never returns with it
        parallel.stop()


class _Run:
    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        cache: Path,
        budget: float | None,
        resume: bool,
        device: torch.device,
        precision: torch.dtype,
        workers: int,
    ) -> None:
        if (out / checkpoint.FILE).exists() and not resume:
            raise RecipeError(f"{out} holds a training already: add --resume, or give another folder with --out.")
        saved = checkpoint.read(out) if resume else None
        if saved and from_dict(saved["recipe"]) != recipe:
            raise RecipeError(f"the recipe has changed since the training in {out} began; train into another --out.")
        self.recipe, self.out, self.device = recipe, out, device
        out.mkdir(parents=True, exist_ok=True)
        self.source = build.source(recipe, cache, saved["data"] if saved else "")
        parallel.one_first(self.source.prepare)
        trainer = load("training.trainers", TRAINERS.get(recipe.trainer, recipe.trainer))
        self.batches = Batches(recipe, self.source, device, workers)
        self.trainer = trainer(recipe, self.batches, device, precision)
        self.average = checkpoint.MovingAverage(self.trainer.network, recipe.schedule.average)
        self.score = scores.find(recipe.validation.score)
        self.progress = Progress(recipe.schedule, budget or (saved["progress"]["budget"] if saved else None))
        self.rows: list[curve.Row] = []
        self.written = 0  # rows in the curve's files
        self.recent: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"score": float("-inf"), "step": 0, "network": {}}
        if saved:
            self._restore(saved)
        elif parallel.rank() == 0:
            text = json.dumps({**recipe.to_dict(), "data_key": self.source.key}, indent=2)
            atomic.write_bytes(out / "recipe.json", text.encode())

    def go(self, checkpoint_every: float) -> Path:
        progress, saved_at = self.progress, time.monotonic()
        while not progress.finished:
            torch.manual_seed((self.recipe.seed << 32) + progress.step)  # for random layers such as dropout
            self.recent.append(self._step())
            progress.step += 1
            self.average.update(self.trainer.network, progress.step)
            progress.decide(parallel.agreed(progress.tick(), self.device))
            if progress.step % ROW_STEPS == 0 or progress.finished or self._due:
                self._add_row()
            if parallel.rank() == 0 and time.monotonic() - saved_at >= checkpoint_every:
                self._save()
                saved_at = time.monotonic()
        if parallel.rank() == 0:
            self._save()
        return self.out

    def _step(self) -> dict[str, float]:
        step = self.progress.step
        found = self.trainer.step(step, self.progress.rate())
        if any(math.isnan(value) for value in found.values()):
            lost = ", ".join(name for name, value in found.items() if math.isnan(value))
            raise RecipeError(
                f"the training diverged at step {step + 1}: not a number ({lost}). Try a smaller optimiser.rate; "
                f"{self.out} keeps the last checkpoint before, if there was one."
            )
        return found

    @property
    def _due(self) -> bool:
        return self.progress.step % self.recipe.validation.every == 0

    def _add_row(self) -> None:
        progress = self.progress
        means = {name: sum(row[name] for row in self.recent) / len(self.recent) for name in self.recent[0]}
        row = {"step": progress.step, "minutes": progress.spent / 60, "rate": progress.rate(), **means}
        if (self._due or progress.finished) and parallel.rank() == 0:
            row |= self._validated()
        self.rows.append(row)
        self.recent.clear()
        if parallel.rank() == 0:
            log.info("%s", "  ".join(f"{name} {value:.4g}" for name, value in row.items()))

    def _validated(self) -> curve.Row:
        validation = self.recipe.validation
        found = self.score(build.Trained(self.recipe, self.average.network, {}), self.source, validation.patients)
        if found["score"] > self.best["score"]:
            weights = {name: value.clone() for name, value in self.average.network.state_dict().items()}
            self.best = {"score": found["score"], "step": self.progress.step, "network": weights}
        return {f"val {name}": value for name, value in found.items()}

    def _save(self) -> None:
        progress = self.progress
        progress.tick()
        state = {
            "recipe": self.recipe.to_dict(),
            "data": self.source.key,
            "trainer": self.trainer.state(),
            "average": self.average.network.state_dict(),
            "best": self.best,
            "progress": {name: getattr(progress, name) for name in ("step", "steps", "spent", "budget")},
            "rows": self.rows,
            "recent": self.recent,
        }
        checkpoint.write(self.out, state)
        if len(self.rows) != self.written:
            curve.write(self.out, self.rows)
            self.written = len(self.rows)

    def _restore(self, saved: dict[str, Any]) -> None:
        self.trainer.load(saved["trainer"])
        self.average.network.load_state_dict(saved["average"])
        self.best, self.rows, self.recent = saved["best"], saved["rows"], saved["recent"]
        self.progress.step, self.progress.spent = saved["progress"]["step"], saved["progress"]["spent"]
        self.progress.steps = saved["progress"]["steps"] or self.progress.steps


def _precision(name: str, device: torch.device) -> torch.dtype:
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if name not in known:
        raise RecipeError(f"--precision is auto, float32 or bfloat16; got '{name}'.")
    return known[name]
