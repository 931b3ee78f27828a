"""The card of released weights: network, data, training, results and limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from MedRestoreLib.files import atomic

from .. import build, checkpoint, tables
from ..data import Origin
from ..data.degradations import MODELS
from ..recipe import Recipe, RecipeError, load

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "cards"


def origin(recipe: Recipe) -> Origin:
    """What is said of the recipe's data; the source knows."""
    return load("training.data", recipe.data.source).origin(**recipe.data.arguments)


def write(folder: Path, name: str, target: Path = FOLDER, results: Path = tables.FOLDER) -> Path:
    """Write the card ``NAME.md`` of a training in ``folder``, with tables from ``results``."""
    trained, saved = build.trained(folder), checkpoint.read(folder)
    target.mkdir(parents=True, exist_ok=True)
    text = _text(trained, saved, name) + tables.on_card(trained.recipe, results)
    return atomic.write_bytes(target / f"{name}.md", text.encode())


def renew(name: str, target: Path = FOLDER, results: Path = tables.FOLDER) -> Path:
    """Replace the tables on the card of weights that ship; the training's folder is not needed. Raises RecipeError."""
    recipe = build.trained(name).recipe
    path = target / f"{name}.md"
    if not path.is_file():
        raise RecipeError(f"there is no card {path} to renew; give the folder of the training and the name.")
    text = path.read_text(encoding="utf-8")
    head, _, limits = text.partition("## Limits")
    limits = limits.partition("\n## ")[0].rstrip()
    return atomic.write_bytes(path, f"{head}## Limits{limits}\n\n{tables.on_card(recipe, results)}".encode())


def _before(recipe: Recipe, now: nn.Module | None = None) -> str:
    """The earlier training that the network began as, and those before it; ``now``, what became of it."""
    if not recipe.network.start:
        return ""
    trained = build.trained(recipe.network.start)
    earlier, about = trained.recipe, trained.about
    if now is not None and _same(trained.network, now):  # exported since, in place of what it began with
        return f"; before that the weights that shipped as {about['weights']} until then"
    noise = earlier.degradation
    changed = [
        f"{name} = {getattr(noise, name)}"
        for name in ("model", "levels", "arguments", "brightness", "annotated")
        if getattr(noise, name) != getattr(recipe.degradation, name)
    ]
    described = f" with {', '.join(changed)}" if changed else ""
    if origin(earlier).data != origin(recipe).data:
        described += f" on {origin(earlier).data}"
    shipped = f", which shipped as {about['weights']}" if "weights" in about else ""
    length, before = _length(about["steps"], about["minutes"]), _before(earlier, trained.network)
    return f"; before that {length}{described}{shipped}{before}"


def _same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same weights as stored, in float16."""
    weights, others = first.state_dict(), second.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(weights[n].half(), others[n].half()) for n in weights)


def _length(steps: int, minutes: float) -> str:
    return f"{steps:,} steps in {minutes:.0f} minutes"


def _text(trained: build.Trained, saved: dict[str, Any], name: str) -> str:
    recipe = trained.recipe
    count = sum(parameter.numel() for parameter in trained.network.parameters())
    best, data, noise = saved["best"], origin(recipe), recipe.degradation
    length = _length(trained.about["steps"], trained.about["minutes"])
    batch = recipe.schedule.batch * recipe.schedule.reuse
    score = f"{best['score']:.2f} ({recipe.validation.score})"
    return f"""# {name}

{recipe.title}.

| | |
|---|---|
| network | `{recipe.network.implementation}` with `{json.dumps(recipe.network.arguments)}`, {count:,} parameters |
| recipe | `python -m training train {recipe.name}`, seed {recipe.seed} |
| data | {data.data} (version {saved["data"]}) |
| noise | {MODELS[noise.model].title}; levels {noise.levels[0]:g} to {noise.levels[-1]:g} |
| losses | {", ".join(f"{loss.weight:g} × {loss.name} {json.dumps(loss.arguments)}" for loss in recipe.losses)} |
| training | {length}; batches of {batch} patches{_before(recipe, trained.network)} |
| chosen | the average of the weights at step {best["step"]:,}; validation score {score} |
| stored | float16; computed in float32 |

## Limits

{data.limits}

"""
