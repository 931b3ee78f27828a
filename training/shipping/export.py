"""Weights of a training as users get them: float16, with a row in the manifest. Their card: see ``cards``."""

from __future__ import annotations

import datetime
import hashlib
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedRestoreLib import weights
from MedRestoreLib.files import atomic

from .. import build
from ..data.degradations import MODELS
from ..recipe import RecipeError
from . import cards

if TYPE_CHECKING:
    from torch import Tensor

MOST_BYTES = 16_000_000


def weights_of(folder: Path, name: str, target: Path | None = None, earlier: Path | None = None) -> Path:
    """Write a training's best network as ``NAME.safetensors`` and its row into the manifest beside it.

    Args:
        folder: of the training.
        name: of the weights.
        target: folder to write to; None for ``Resources/weights``.
        earlier: folder of a training that this one began with. The mean of both networks' weights is then written,
            which is nearly as good as either at what each was trained for (Wortsman et al., ICML 2022).

    Raises:
        RecipeError: the library has no such noise, the file would exceed 16 MB, a weight float16's range, or the
            earlier training's network is another one.
    """
    import torch
    from safetensors.torch import save

    trained = build.trained(folder)
    recipe, about = trained.recipe, trained.about
    if not MODELS[recipe.degradation.model].domain:
        raise RecipeError(f"MedRestore has no noise like {recipe.degradation.model}: such networks cannot ship.")
    values = trained.network.state_dict()
    if earlier is not None:
        values = _mean(values, build.trained(earlier).network.state_dict())
    half = {}
    for key, value in values.items():
        half[key] = value.to(torch.float16).contiguous() if value.is_floating_point() else value.contiguous()
        if not torch.isfinite(half[key]).all():
            raise RecipeError(f"weight {key} does not fit into float16; train with more weight decay.")
    data = save(half)
    if len(data) > MOST_BYTES:
        raise RecipeError(f"{name} would have {len(data) / 1e6:.1f} MB, more than 16; make the network narrower.")
    target = target or weights.folder()
    target.mkdir(parents=True, exist_ok=True)
    path = atomic.write_bytes(target / f"{name}.safetensors", data)
    row = {
        "name": name,
        "network": recipe.network.implementation,
        "arguments": recipe.network.arguments,
        "sha256": hashlib.sha256(data).hexdigest(),
        "recipe": recipe.name,
        "trained_on": cards.origin(recipe).data,
        "steps": about["steps"],
        "minutes": round(about["minutes"], 1),
        "date": datetime.date.today().isoformat(),
    }
    _put(row, target / weights.MANIFEST)
    return path


def _mean(values: dict[str, Tensor], others: dict[str, Tensor]) -> dict[str, Tensor]:
    if {key: value.shape for key, value in values.items()} != {key: value.shape for key, value in others.items()}:
        raise RecipeError("the mean of two networks' weights is one of equal networks; these differ.")
    return {key: (value + others[key]) / 2 if value.is_floating_point() else value for key, value in values.items()}


def features_of(folder: Path, target: Path | None = None) -> Path:
    """Write the first layers of a training's classifier, float16, as the feature back-end that it was trained for.

    Raises:
        RecipeError: the training's network is not such a classifier.
    """
    from safetensors.torch import save

    trained = build.trained(folder)
    network = trained.network
    if not hasattr(network, "file"):
        raise RecipeError(f"{trained.recipe.name} trained no features; vgg_features_bone does, for example.")
    layers = {k: v.half().contiguous() for k, v in network.layers.state_dict().items() if v.is_floating_point()}
    return atomic.write_bytes(target or network.file, save(layers))


def _put(row: dict[str, Any], path: Path) -> None:
    """Replace or add one ``[[weights]]`` table of a manifest."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("weights", []) if path.is_file() else []
    rows = sorted([*(r for r in rows if r["name"] != row["name"]), row], key=lambda r: r["name"])
    text = "\n".join("[[weights]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in r.items()) for r in rows)
    atomic.write_bytes(path, text.encode())


def _toml(value: Any) -> str:
    """A value in TOML's notation: strings, numbers, booleans, lists and tables of these."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
