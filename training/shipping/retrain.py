"""All weights that ship, trained again within one time budget: ``python -m training all``.

Each recipe of the manifest is trained by a process of its own. The networks are small: several processes on one GPU, or
on the cores of a processor, do more steps together than one after the other.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from MedRestoreLib import weights
from MedRestoreLib.pipeline import device as devices

from .. import build, checkpoint
from .. import recipe as recipes
from ..recipe import RecipeError
from . import cards, export

REPOSITORY = Path(__file__).resolve().parents[2]
LOG = "log.txt"
LEAST = 0.5  # share of the budget that trainings get, however long the data take to prepare

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One recipe, and the names under which its weights ship."""

    recipe: str
    names: tuple[str, ...]

    @classmethod
    def all(cls) -> list[Job]:
        """One for each recipe of the manifest. Raises RecipeError if there is none."""
        rows = weights.manifest(weights.folder()).values()
        names = {row.recipe: tuple(r.name for r in rows if r.recipe == row.recipe) for row in rows}
        jobs = [cls(recipe, named) for recipe, named in names.items()]
        if not jobs:
            raise RecipeError(f"{weights.folder() / weights.MANIFEST} lists no weights to train again.")
        return jobs


@dataclass(frozen=True)
class Retraining:
    """One training of everything that ships.

    Attributes:
        out: folder; gets a folder for each recipe with its log, ``weights`` and ``cards``.
        cache: where simulated data are kept.
        budget: seconds for everything, the preparation of data included.
        device, precision: as for ``train``.
        settings: laid over every recipe.
    """

    out: Path
    cache: Path
    budget: float
    device: str = "auto"
    precision: str = "auto"
    settings: tuple[str, ...] = ()

    def run(self) -> Iterator[Path]:
        """Prepare, train, export; yields the weights and cards as they are written.

        Started again, it continues from the checkpoints.

        Raises:
            RecipeError: a training failed, once the others have ended; the message names its log.
        """
        begun, jobs = time.monotonic(), Job.all()
        for job in jobs:
            build.source(recipes.read(job.recipe, self.settings_for(job)), self.cache).prepare()
        left = max(self.budget - (time.monotonic() - begun), LEAST * self.budget)
        cores = os.cpu_count() or 1
        together = len(jobs) if devices.resolve(self.device).type == "cuda" else min(len(jobs), cores)
        share, per_job = left * together / len(jobs), max(1, cores // together)
        log.info("Training %d recipes, %d at a time, for %.1f minutes each", len(jobs), together, share / 60)
        failed = []
        with ThreadPoolExecutor(together) as pool:
            ended = pool.map(lambda job: self._train(job, share, per_job), jobs)
            for job, succeeded in zip(jobs, ended, strict=True):
                if succeeded:
                    yield from self._released(job)
                else:
                    failed.append(str(self._folder(job) / LOG))
        if failed:
            raise RecipeError(f"{len(failed)} of {len(jobs)} trainings failed: see {', '.join(failed)}.")

    def _released(self, job: Job) -> Iterator[Path]:
        """The weights and cards of a finished training, under each of its names."""
        for name in job.names:
            yield export.weights_of(self._folder(job), name, self.out / "weights")
            yield cards.write(self._folder(job), name, self.out / "cards")

    def _train(self, job: Job, seconds: float, cores: int) -> bool:
        """Run ``python -m training train`` to its end; whether it succeeded."""
        folder, on_gpu = self._folder(job), devices.resolve(self.device).type == "cuda"
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "budget": f"{seconds:.1f}s",
            "out": folder,
            "cache": self.cache.resolve(),
            "device": self.device,
            "precision": self.precision,
            "workers": max(1, cores - 1) if on_gpu else 0,
        }
        command = [sys.executable, "-m", "training", "train", job.recipe, *(f"--{k}={v}" for k, v in options.items())]
        command += ["--resume"] if (folder / checkpoint.FILE).is_file() else []
        command += [f"--set={setting}" for setting in self.settings_for(job)]
        environment = {"OMP_NUM_THREADS": "1" if on_gpu else str(cores), **os.environ}
        with (folder / LOG).open("w") as file:
            done = subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=file, stderr=subprocess.STDOUT)
        log.info("%s %s", job.recipe, "trained" if done.returncode == 0 else "failed")
        return done.returncode == 0

    def settings_for(self, job: Job) -> list[str]:
        """What is laid over a recipe; one that goes on from an earlier training begins anew where that is not there."""
        start = recipes.read(job.recipe).network.start
        afresh = ['network.start=""'] if start and not build.is_trained(start) else []
        return [*afresh, *self.settings]

    def _folder(self, job: Job) -> Path:
        return self.out.resolve() / job.recipe
