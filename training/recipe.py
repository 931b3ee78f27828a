"""Recipes: one TOML file defines one model. Typed, checked before any work, and written beside the result.

A recipe is named ``NAME`` or ``NAME+OVERRIDE[+OVERRIDE...]``: NAME.toml in ``recipes/``, merged with tables of
``recipes/overrides.toml`` (``emanet_bone+full``, ``dncnn_bone+smoke``) and then with single settings.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from MedRestoreLib.errors import MedRestoreError

FOLDER = Path(__file__).resolve().parent / "recipes"
OVERRIDES = "overrides"


class RecipeError(MedRestoreError):
    """A recipe, or a command on one, is absent or invalid."""


@dataclass(frozen=True)
class Network:
    """The architecture.

    Attributes:
        implementation: ``"module:Class"`` below MedRestoreLib.networks, or ``"training.module:Class"``.
        arguments: of the class.
        inputs: names of tensors in the batch, in the order of ``forward``'s parameters.
        output: what the losses see: "image", what ``forward`` returns, or what the method of that name returns:
            "noise" (n of ``x (1 + n)``) or "pair" (the calm and the sharp image).
        start: initial weights: a training's folder or weights that ship; "" for random ones.
        takes: the parts that begin with them, by the names of their modules; all if empty.
        learns: the part that is trained, by the name of its module; "" for all.
    """

    implementation: str
    arguments: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ("noisy", "level")
    output: str = "image"
    start: str = ""
    takes: tuple[str, ...] = ()
    learns: str = ""

    def inputs_from(self, batch: Mapping[str, Any]) -> list[Any]:
        """The tensors of a batch that the network is called with."""
        return [batch[name] for name in self.inputs]


@dataclass(frozen=True)
class Data:
    """``source`` is ``"module:Class"`` below training.data (see ``training.data.Source``)."""

    source: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Degradation:
    """The noise.

    Attributes:
        model: a name in ``training.data.degradations.MODELS``.
        levels: lowest and highest, in the model's unit; drawn log-uniformly between them.
        even: draw uniformly instead.
        brightness: b multiplies each clean image by a factor drawn log-uniformly from 1/(1+b) to 1+b.
        annotated: share of the images that get text, as scanners write it over frames.
        ticks: share of these that get the ticks of a scale instead.
        outside: share of the images that reach beyond the field of view, where all is black.
        arguments: of the model.
    """

    model: str
    levels: tuple[float, ...] = (1.0, 50.0)
    even: bool = False
    brightness: float = 0.0
    annotated: float = 0.0
    ticks: float = 0.0
    outside: float = 0.0
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Loss:
    """One term of the loss: ``name`` is a key of ``training.losses.LOSSES``, ``arguments`` are of its class."""

    name: str
    weight: float = 1.0
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Optimiser:
    """``name`` is a class of torch.optim, ``rate`` the learning rate."""

    name: str = "AdamW"
    rate: float = 1e-3
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """Length, batches and learning rate.

    Attributes:
        steps: how many; with a time budget they follow from the time.
        batch: new samples per step.
        reuse: steps that a sample takes part in; a step has ``batch * reuse`` samples. For a GPU that is quicker than
            the processor that makes the samples.
        warm_up: steps over which the learning rate rises.
        decay: last share of the steps, over which it falls to zero.
        average: decay of the exponential moving average of the weights.
        clip: greatest norm of the gradient.
    """

    steps: int
    batch: int = 8
    reuse: int = 1
    warm_up: int = 200
    decay: float = 0.3
    average: float = 0.999
    clip: float = 1.0


@dataclass(frozen=True)
class Validation:
    """How the weights are chosen.

    Attributes:
        score: a key of ``training.trainers.scores.SCORES``; the weights with the greatest score are kept.
        every: steps between two validations.
        patients: how many, the first of the validation split.
        levels: of the noise model's ``validated`` pairs, those to use; all if empty.
    """

    score: str = "psnr"
    every: int = 1000
    patients: int = 4
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class Critic:
    """The critic of an adversarial training: it makes ``steps`` before each step of the network.

    Attributes:
        kind: "wasserstein", or a discriminator's loss: a name in ``training.losses.gan.DISCRIMINATION``.
        weight: of the adversarial loss among the recipe's losses.
        penalty: weight of a Wasserstein critic's gradient penalty.
    """

    implementation: str
    arguments: dict[str, Any] = field(default_factory=dict)
    steps: int = 4
    kind: str = "wasserstein"
    weight: float = 1.0
    penalty: float = 10.0


@dataclass(frozen=True)
class Partner:
    """The network of the other direction, of a training on images without partners: from clean images to noisy ones."""

    implementation: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """One model.

    Attributes:
        name: of the file, with its overrides.
        title: one line for tables and cards.
        trainer: "supervised", "adversarial", or ``"module:Class"`` below training.trainers.
        restorer: a training's folder or weights that ship, which restore each batch first for networks that are
            trained on restored images (input ``restored``); "" for none.
        seed: of everything random.
    """

    name: str
    title: str
    network: Network
    data: Data
    degradation: Degradation
    losses: tuple[Loss, ...]
    schedule: Schedule
    optimiser: Optimiser = Optimiser()
    validation: Validation = Validation()
    critic: Critic | None = None
    partner: Partner | None = None
    trainer: str = "supervised"
    restorer: str = ""
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers; ``from_dict`` takes it back."""
        return dataclasses.asdict(self)


def names() -> list[str]:
    """Every recipe's name, without overrides."""
    return sorted(path.stem for path in FOLDER.glob("*.toml") if path.stem != OVERRIDES)


def overrides() -> list[str]:
    """Every override's name."""
    return sorted(_toml(FOLDER / f"{OVERRIDES}.toml"))


def read(name: str, settings: list[str] | None = None) -> Recipe:
    """The recipe named ``NAME[+OVERRIDE...]``, or that of a TOML file.

    Args:
        settings: single values in TOML's notation that replace the recipe's, such as ``"schedule.steps=100"``.

    Raises:
        RecipeError: there is no such recipe, override or setting, or a value has the wrong type.
    """
    base, *overrides = name.split("+")
    table = _table(base)
    for override in overrides:
        known = _toml(FOLDER / f"{OVERRIDES}.toml")
        if override not in known:
            raise RecipeError(f"there is no override '{override}'{_nearest(override, known)}; see {OVERRIDES}.toml.")
        table = _merged(table, known[override])
    for setting in settings or []:
        table = _merged(table, _setting(setting))
    return from_dict({**table, "name": "+".join([Path(base).stem, *overrides])})


def from_dict(table: dict[str, Any]) -> Recipe:
    """A recipe of plain values. Raises RecipeError."""
    return _typed(Recipe, table, "the recipe")


def load(package: str, name: str) -> Any:
    """What ``"module:attribute"`` names below ``package``, imported now. Raises RecipeError."""
    module, colon, attribute = name.partition(":")
    try:
        if not colon:
            raise AttributeError
        return getattr(import_module(f"{package}.{module}"), attribute)
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{module}":
            raise
        raise RecipeError(f"there is no module '{module}' in {package}; the recipe names '{name}'.") from None
    except AttributeError:
        raise RecipeError(f"'{name}' is not of the form 'module:name', or {package} has no such thing.") from None


def _table(name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise RecipeError(f"there is no recipe '{name}'{_nearest(name, names())}; there are {', '.join(names())}.")
    return _toml(path)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path.name} is not valid TOML: {error}.") from None


def _setting(text: str) -> dict[str, Any]:
    """``a.b=1`` as ``{"a": {"b": 1}}``; a value that is not valid TOML is taken as a string."""
    key, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"--set takes KEY=VALUE, such as schedule.steps=100; got '{text}'.")
    try:
        return tomllib.loads(f"{key} = {value}")
    except tomllib.TOMLDecodeError:
        pass
    try:
        return tomllib.loads(f'{key} = "{value}"')
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"--set {text} cannot be read: {error}.") from None


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged, everything else in ``above`` replaces what is in ``below``.

    A table with another ``source`` or ``implementation`` replaces the whole table: their arguments differ.
    """
    if any(above.get(key, below.get(key)) != below.get(key) for key in ("source", "implementation")):
        return above
    joined = {
        key: _merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **joined}


def _typed(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind``: a dataclass from a table, a tuple from a list, or a plain value of that type."""
    if isinstance(kind, types.UnionType):  # "Critic | None"
        return None if value is None else _typed(get_args(kind)[0], value, where)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where} must be a list, got {value!r}.")
        return tuple(_typed(get_args(kind)[0], item, f"{where}[{k}]") for k, item in enumerate(value))
    plain = get_origin(kind) or kind
    if plain is float and type(value) is int:
        return float(value)
    if type(value) is not plain:
        raise RecipeError(f"{where} must be of type {plain.__name__}, got {value!r}.")
    return value


def _dataclass(kind: Any, table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise RecipeError(f"{where} must be a table, got {table!r}.")
    kinds = get_type_hints(kind)
    for key in table:
        if key not in kinds:
            raise RecipeError(f"{where} has no setting '{key}'{_nearest(key, kinds)}; it has {', '.join(kinds)}.")
    for one in dataclasses.fields(kind):
        absent = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if absent and one.name not in table:
            raise RecipeError(f"{where} lacks '{one.name}'.")
    return kind(**{key: _typed(kinds[key], value, f"{where}.{key}") for key, value in table.items()})


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""
