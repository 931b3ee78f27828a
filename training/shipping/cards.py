"""The card that goes with released weights: what it is, what it was trained on and how long, its worth, its limits."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from MedRestoreLib.files import atomic

from .. import build, tables
from ..data.degradations import MODELS
from ..recipe import Recipe, RecipeError

FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "cards"


@dataclass(frozen=True)
class Origin:
    """What a card says of a data source: one phrase, the limits that follow, and the tables that tell its worth."""

    data: str
    limits: str
    tables: tuple[str, ...] = ()


BONE = Origin(
    "simulated bone scans, from the voxel phantoms of ICRP 110 and XCAT (Auer et al., PMB 2023)",
    """\
- It has seen simulated patients only, made from three adult phantoms. Children, implants, other tracers and other
  organs were not among them, nor were collimators wider than 7 to 12 mm at half maximum.
- It wants raw counts. Filtered, interpolated or reconstructed images have correlated noise, which it takes for
  structure.
- A lesion weaker than the noise can vanish, and a cluster of counts can be taken for one: look at the removed part
  and at the report's evidence. For research use only.""",
    ("7", "thinning"),
)
BREASTS = "ultrasound/busi"
FRAMES = {
    BREASTS: "breasts of BUSI (Al-Dhabyani et al., Data in Brief 2020, CC BY 4.0)",
    "ultrasound/hc18_half": "fetal heads of HC18 (van den Heuvel et al., Zenodo 1327317, CC BY 4.0)",
}
ULTRASOUND = Origin(
    "ultrasound frames",
    """\
- It has seen the organs named above alone, breasts from two scanners of one hospital. Other organs, probes and scanners
  were not among them.
- No frame without speckle exists. What it was taught to find is the frame before artificial speckle, or the frame as
  another method despeckled it: it inherits that method's mistakes.
- Frames that a scanner has smoothed already, or that were scaled or compressed much, have other speckle than it knows.
- A small or faint lesion can vanish and texture that a diagnosis rests on is removed by intent: look at the removed
  part and at the report's evidence. For research use only.""",
    ("speckle", "frames", "flicker"),
)
PICTURES = Origin("pictures of a folder; see the recipe", "- Nothing is known of it. For research use only.")
ORIGINS = {"bone:BoneScans": BONE, "ultrasound:Ultrasound": ULTRASOUND, "folder:Pictures": PICTURES}


def of(recipe: Recipe) -> Origin:
    """What is said of the recipe's data."""
    origin = ORIGINS.get(recipe.data.source, Origin(recipe.data.source, PICTURES.limits))
    if origin is not ULTRASOUND:
        return origin
    folders = recipe.data.arguments.get("folders", [BREASTS])
    return replace(origin, data=f"{origin.data}: {' and '.join(FRAMES.get(each, each) for each in folders)}")


def write(folder: Path, name: str, target: Path = FOLDER) -> Path:
    """Write ``NAME.md`` for a training's weights."""
    recipe, network, saved = build.trained(folder)
    target.mkdir(parents=True, exist_ok=True)
    return atomic.write_bytes(target / f"{name}.md", _text(recipe, network, saved, name).encode())


def renew(name: str, target: Path = FOLDER) -> Path:
    """Print the tables of a card anew, of weights that ship; their training need not be at hand. Raises RecipeError."""
    recipe = build.learned(name).recipe
    path = target / f"{name}.md"
    if not path.is_file():
        raise RecipeError(f"there is no card {path} to renew; give the folder of the training and the name.")
    text = path.read_text(encoding="utf-8")
    said = text[: text.index("\n## ", text.index("## Limits")) + 1]
    return atomic.write_bytes(path, (said + _worth(recipe)).encode())


def _before(recipe: Recipe) -> str:
    """What the network had learned before, if it began as another training's."""
    if not recipe.network.start:
        return ""
    earlier, _, about = build.learned(recipe.network.start)
    noise = earlier.degradation
    changed = [
        f"{name} = {getattr(noise, name)}"
        for name in ("model", "levels", "arguments", "brightness", "annotated")
        if getattr(noise, name) != getattr(recipe.degradation, name)
    ]
    said = f" with {', '.join(changed)}" if changed else ""
    if of(earlier).data != of(recipe).data:
        said += f" on {of(earlier).data}"
    shipped = f", which shipped as {about['weights']}" if "weights" in about else ""
    return f"; before that {_length(about['steps'], about['minutes'])}{said}{shipped}{_before(earlier)}"


def _length(steps: int, minutes: float) -> str:
    return f"{steps:,} steps in {minutes:.0f} minutes"


def _text(recipe: Recipe, network: Any, saved: dict[str, Any], name: str) -> str:
    count = sum(parameter.numel() for parameter in network.parameters())
    progress, best, origin = saved["progress"], saved["best"], of(recipe)
    length = _length(progress["step"], progress["spent"] / 60)
    score = f"{best['score']:.2f} ({recipe.validation.score})"
    protocol = recipe.degradation.model
    return f"""# {name}

{recipe.title}.

| | |
|---|---|
| network | `{recipe.network.implementation}` with `{json.dumps(recipe.network.arguments)}`, {count:,} parameters |
| recipe | `python -m training train {recipe.name}`, seed {recipe.seed} |
| data | {origin.data} (version {saved["data"]}) |
| noise | {MODELS[protocol].title}; levels {recipe.degradation.levels[0]:g} to {recipe.degradation.levels[-1]:g} |
| losses | {", ".join(f"{loss.weight:g} × {loss.name} {json.dumps(loss.arguments)}" for loss in recipe.losses)} |
| training | {length}; batches of {recipe.schedule.batch} patches{_before(recipe)} |
| chosen | the average of the weights at step {best["step"]:,}; validation score {score} |
| stored | float16; computed in float32 |

## Limits

{origin.limits}

{_worth(recipe)}"""


def _worth(recipe: Recipe) -> str:
    """The tables."""
    protocol = recipe.degradation.model
    printed = tables.paper_of(protocol).protocols if protocol in tables.PROTOCOLS else ()
    return "\n".join(tables.render(one, protocol if protocol in printed else "") for one in of(recipe).tables)
