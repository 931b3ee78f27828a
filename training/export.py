"""From a training to a release: float16 weights with their row in the manifest, and the card that goes with them."""

from __future__ import annotations

import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

from MedRestoreLib import atomic, weights

from . import build, tables
from .losses.features import BONE
from .recipe import Recipe, RecipeError

CARDS = Path(__file__).resolve().parents[1] / "Resources" / "cards"
TRAINED_ON = {
    "bone:BoneScans": "simulated bone scans, from the voxel phantoms of ICRP 110 and XCAT (Auer et al., PMB 2023)",
    "folder:Pictures": "pictures of a folder; see the recipe",
}
DOMAINS = {"p_peak": "counts", "p_thin": "counts", "p_lit": "grey"}
MOST_BYTES = 16_000_000


def weights_of(folder: Path, name: str, target: Path | None = None) -> Path:
    """Write a training's best network as ``NAME.safetensors`` and its row into the manifest beside it.

    Raises:
        RecipeError: the file would be larger than 16 MB, or float16 cannot hold a weight.
    """
    import torch
    from safetensors.torch import save

    recipe, network, _ = build.trained(folder)
    half = {}
    for key, value in network.state_dict().items():
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
        "domain": DOMAINS[recipe.degradation.model],
        "trained_on": TRAINED_ON.get(recipe.data.source, recipe.data.source),
        "date": datetime.date.today().isoformat(),
    }
    _put(row, target / weights.MANIFEST)
    return path


def features_of(folder: Path, target: Path = BONE) -> Path:
    """Write a training's classifier as the perceptual loss's back-end ``bone``: its first layers, float16."""
    from safetensors.torch import save

    _, network, _ = build.trained(folder)
    layers = {name: value.half().contiguous() for name, value in network.layers.state_dict().items()}
    return atomic.write_bytes(target, save(layers))


def card(folder: Path, name: str, target: Path = CARDS) -> Path:
    """Write ``NAME.md``: what it is, what it was trained on and for how long, what it is worth, and its limits."""
    recipe, network, saved = build.trained(folder)
    target.mkdir(parents=True, exist_ok=True)
    return atomic.write_bytes(target / f"{name}.md", _card(recipe, network, saved, name).encode())


def _card(recipe: Recipe, network: Any, saved: dict[str, Any], name: str) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    progress, best = saved["progress"], saved["best"]
    score = f"{best['score']:.2f} ({recipe.validation.score})"
    protocol = recipe.degradation.model
    return f"""# {name}

{recipe.title}.

| | |
|---|---|
| network | `{recipe.network.implementation}` with `{json.dumps(recipe.network.arguments)}`, {count:,} parameters |
| recipe | `python -m training train {recipe.name}`, seed {recipe.seed} |
| data | {TRAINED_ON.get(recipe.data.source, recipe.data.source)} (version {saved["data"]}) |
| noise | {tables.PROTOCOLS[protocol]}; levels {recipe.degradation.levels[0]:g} to {recipe.degradation.levels[1]:g} |
| losses | {", ".join(f"{loss.weight:g} × {loss.name} {json.dumps(loss.arguments)}" for loss in recipe.losses)} |
| training | {progress["step"]:,} steps of {recipe.schedule.batch} patches, {progress["spent"] / 3600:.1f} hours |
| chosen | the average of the weights at step {best["step"]:,}; validation score {score} |
| stored | float16; computed in float32 |

## Limits

- It has seen simulated patients only, made from three adult phantoms. Children, implants, other tracers and other
  organs were not among them, nor were collimators wider than 7 to 12 mm at half maximum.
- It wants raw counts. Filtered, interpolated or reconstructed images have correlated noise, which it takes for
  structure.
- A lesion weaker than the noise can vanish, and a cluster of counts can be taken for one: look at the removed part
  and at the report's evidence. For research use only.

{tables.render("7", protocol)}
{tables.render("thinning", protocol)}"""


def _put(row: dict[str, Any], path: Path) -> None:
    """Replace or add one ``[[weights]]`` table of a manifest; the others stay as they are."""
    import tomllib

    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("weights", []) if path.is_file() else []
    rows = sorted([*(r for r in rows if r["name"] != row["name"]), row], key=lambda r: r["name"])
    text = "\n".join("[[weights]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in r.items()) for r in rows)
    atomic.write_bytes(path, text.encode())


def _toml(value: Any) -> str:
    """A value in TOML's notation: text, numbers, booleans, lists and tables of these."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
