"""From a recipe to what it names (source, network, optimiser), and from a name to a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from MedRestoreLib import weights

from . import checkpoint
from . import recipe as recipes
from .data import Source
from .data.degradations import MODELS
from .recipe import Optimiser, Recipe, RecipeError, load

NETWORKS = "MedRestoreLib.networks"


def source(recipe: Recipe, cache: Path, key: str = "") -> Source:
    """The recipe's data; ``key`` asks for those that an earlier training used. Raises RecipeError."""
    kind = load("training.data", recipe.data.source)
    return _called(kind, recipe.data.source, {"cache": cache, "key": key, **recipe.data.arguments})


def network(recipe: Recipe) -> nn.Module:
    """The recipe's network, with random weights drawn from the seed or those of ``start``. Raises RecipeError."""
    torch.manual_seed(recipe.seed)
    made = module(recipe.network.implementation, recipe.network.arguments)
    output = recipe.network.output
    if output not in ("image", "noise", "pair"):
        raise RecipeError(f"a network's output is image, noise or pair; got '{output}'.")
    if output != "image" and not hasattr(made, output):
        raise RecipeError(f"{recipe.network.implementation} has no method '{output}': output must be image.")
    if recipe.network.start:
        _begin_with(made, recipe.network.start, recipe.network.takes)
    return made


def _begin_with(made: nn.Module, start: str, parts: tuple[str, ...]) -> None:
    """The weights of a training, or of some parts; what only the new network has keeps its own: it grew."""
    there = trained(start).network.state_dict()
    weights_there = {name: value for name, value in there.items() if name.startswith(parts or "")}
    try:
        lacking, unknown = made.load_state_dict(weights_there, strict=False)
    except RuntimeError:
        lacking, unknown = [], ["a weight of another size"]
    grown = {name.partition(".")[0] for name in lacking}
    if unknown or grown & {name.partition(".")[0] for name in weights_there}:
        raise RecipeError(f"{start} trained another network than this recipe's.")


def module(implementation: str, arguments: dict[str, Any]) -> nn.Module:
    """``"module:Class"`` below MedRestoreLib.networks, or below training where it begins with "training."."""
    own = implementation.startswith("training.")
    kind = load("training", implementation.removeprefix("training.")) if own else load(NETWORKS, implementation)
    return _called(kind, implementation, arguments)


def optimiser(wanted: Optimiser, parameters: nn.Module) -> torch.optim.Optimizer:
    """A class of torch.optim with the recipe's settings. Raises RecipeError."""
    kind = getattr(torch.optim, wanted.name, None)
    if kind is None:
        raise RecipeError(f"there is no optimiser '{wanted.name}'; it is a class of torch.optim, such as AdamW.")
    made = kind(parameters.parameters(), lr=wanted.rate, betas=wanted.betas, weight_decay=wanted.weight_decay)
    for group in made.param_groups:
        group["initial_lr"] = wanted.rate
    return made


@dataclass(frozen=True)
class Trained:
    """A trained network with the recipe that it was trained by; calling it runs it on one image.

    Attributes:
        about: plain data on the training: recipe, steps, minutes, ``trained_on``; of weights that ship also their name
            as ``weights``.
    """

    recipe: Recipe
    network: nn.Module
    about: dict[str, Any]

    def __call__(self, image: np.ndarray, level: float) -> np.ndarray:
        """The output for one image.

        Args:
            image: ``(rows, columns)``; every input of the network but the level.
            level: of the noise, in the unit of the recipe's noise model.

        Returns:
            float32 ``(rows, columns)``, or whatever shape the network's output has without its batch.
        """
        inputs, device = self.recipe.network.inputs, next(self.network.parameters()).device
        images = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None, None].to(device)
        levels = torch.full((1,), level / MODELS[self.recipe.degradation.model].unit, device=device)
        with torch.inference_mode():
            output = self.network.eval()(*(levels if name == "level" else images for name in inputs))
        return (output.float()[0].squeeze(0) if output.dim() == 4 else output.float()[0]).cpu().numpy()


def trained(name: str | Path) -> Trained:
    """The network of a training's folder (the best on the validation split), or of the weights that ship as ``name``.

    Raises:
        RecipeError: it is neither, or the folder holds no checkpoint.
    """
    if not is_trained(name):
        raise RecipeError(f"'{name}' is neither a folder of a training nor the name of weights that ship.")
    if Path(name).is_dir():
        saved = checkpoint.read(Path(name))
        recipe = recipes.from_dict(saved["recipe"])
        made = module(recipe.network.implementation, recipe.network.arguments)
        made.load_state_dict(saved["best"]["network"] or saved["average"])
        made.eval().to(memory_format=torch.channels_last)
        progress = {"steps": saved["progress"]["step"], "minutes": saved["progress"]["spent"] / 60}
        return Trained(recipe, made, {"recipe": recipe.name, **progress, "trained_on": saved["data"]})
    row = weights.find(str(name))
    about = {"recipe": row.recipe, "steps": row.steps, "minutes": row.minutes, "trained_on": row.trained_on}
    return Trained(recipes.read(row.recipe), row.load(), {**about, "weights": row.name})


def is_trained(name: str | Path) -> bool:
    """Whether it is a folder, or the name of weights that ship."""
    return Path(name).is_dir() or str(name) in weights.manifest(weights.folder())


def _called(kind: Any, name: str, arguments: dict[str, Any]) -> Any:
    try:
        return kind(**arguments)
    except TypeError as error:
        raise RecipeError(f"the arguments in the recipe do not fit {name}: {error}.") from None
