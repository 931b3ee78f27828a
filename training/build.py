"""From a recipe to what it names: source, network, optimiser; and from a training, or what ships, to its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from MedRestoreLib import weights

from . import checkpoint
from . import recipe as recipes
from .data import Source
from .recipe import Optimiser, Recipe, RecipeError, load

NETWORKS = "MedRestoreLib.networks"


def source(recipe: Recipe, cache: Path, key: str = "") -> Source:
    """The recipe's data; ``key`` asks for those that an earlier training used. Raises RecipeError."""
    kind = load("training.data", recipe.data.source)
    return _called(kind, recipe.data.source, {"cache": cache, "key": key, **recipe.data.arguments})


def network(recipe: Recipe) -> nn.Module:
    """The recipe's network, its random weights drawn from the seed, or those of ``start``. Raises RecipeError."""
    torch.manual_seed(recipe.seed)
    made = module(recipe.network.implementation, recipe.network.arguments)
    if recipe.network.output not in ("image", "noise"):
        raise RecipeError(f"a network's output is image or noise; got '{recipe.network.output}'.")
    if recipe.network.output == "noise" and not hasattr(made, "noise"):
        raise RecipeError(f"{recipe.network.implementation} tells no noise: output must be image.")
    if recipe.network.start:
        try:
            made.load_state_dict(learned(recipe.network.start).network.state_dict())
        except RuntimeError:
            raise RecipeError(f"{recipe.network.start} trained another network than this recipe's.") from None
    return made


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


def trained(folder: Path) -> tuple[Recipe, nn.Module, dict[str, Any]]:
    """The recipe, the network that did best on the validation split, and the whole checkpoint of a training."""
    saved = checkpoint.read(folder)
    recipe = recipes.from_dict(saved["recipe"])
    made = module(recipe.network.implementation, recipe.network.arguments)
    made.load_state_dict(saved["best"]["network"] or saved["average"])
    return recipe, made.eval().to(memory_format=torch.channels_last), saved


class Learned(NamedTuple):
    """A network that has learned something, with the recipe that it learned by.

    Attributes:
        about: plain data of its training: recipe, steps, minutes, ``trained_on``; of what ships also ``weights``.
    """

    recipe: Recipe
    network: nn.Module
    about: dict[str, Any]


def learned(name: str | Path) -> Learned:
    """The network of a training's folder, or that of the weights that ship under ``name``. Raises RecipeError."""
    if not is_learned(name):
        raise RecipeError(f"'{name}' is neither a folder of a training nor the name of weights that ship.")
    if Path(name).is_dir():
        recipe, made, saved = trained(Path(name))
        progress = {"steps": saved["progress"]["step"], "minutes": saved["progress"]["spent"] / 60}
        return Learned(recipe, made, {"recipe": recipe.name, **progress, "trained_on": saved["data"]})
    row = weights.find(str(name))
    about = {"recipe": row.recipe, "steps": row.steps, "minutes": row.minutes, "trained_on": row.trained_on}
    return Learned(recipes.read(row.recipe), row.load(), {**about, "weights": row.name})


def is_learned(name: str | Path) -> bool:
    """Whether ``learned`` knows it: a folder, or the name of weights that ship."""
    return Path(name).is_dir() or str(name) in weights.manifest(weights.folder())


def _called(kind: Any, name: str, arguments: dict[str, Any]) -> Any:
    try:
        return kind(**arguments)
    except TypeError as error:
        raise RecipeError(f"the arguments in the recipe do not fit {name}: {error}.") from None
