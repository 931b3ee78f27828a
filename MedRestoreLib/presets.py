"""Presets: what a site has found good, under a name, in a file that can be shared.

    {"medrestorePreset": 1, "name": "Bone scan, gentle", "method": "bm3d", "noise": "poisson", "level": "auto",
     "strength": 0.7, "dimensions": "auto", "factor": 1, "options": {}, "device": "auto", "precision": "auto",
     "memory_gb": "auto", "note": ""}

"auto" leaves a field open: the method, the noise and the level are then those that are recommended for each study.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .errors import InvalidPlan, MedRestoreError, OutputError, UnsupportedImage
from .files import atomic
from .pipeline import checks, device

FORMAT = 1
AUTO = "auto"
ENDING = ".medrestore.json"

_MARK = "medrestorePreset"
_LARGEST = 1_000_000  # bytes; a preset with a power spectrum as an option has some thousands
_LONGEST_NAME = 80
_MAY_BE_OPEN = ("method", "noise", "level", "dimensions", "device", "precision", "memory_gb")


@dataclass(frozen=True)
class Preset:
    """The fields of ``Plan`` that a site has decided, under a name.

    Attributes:
        name: one line, at most 80 characters.
        method, noise: ids, or "auto".
        level: in the noise model's unit, or "auto": read off each study. A number takes a noise model, whose unit it
            is in.
        strength: 0 to 1.
        dimensions: 2 or 3, or "auto".
        factor: how many times as many rows and columns, 1 to keep the grid.
        options: the method's own parameters, which it checks itself when a plan is made.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32" or "bfloat16".
        memory_gb: working memory of a tile, or "auto".
        note: what it is for.

    Raises:
        InvalidPlan, UnknownNoise: a value is unfit; the message says which and what would do.

    >>> Preset("Gentle", method="bm3d", strength=0.7).edits()
    {'strength': 0.7, 'method': 'bm3d'}
    """

    name: str
    method: str = AUTO
    noise: str = AUTO
    level: float | str = AUTO
    strength: float = 1.0
    dimensions: int | str = AUTO
    factor: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str = AUTO
    precision: str = AUTO
    memory_gb: float | str = AUTO
    note: str = ""

    def __post_init__(self) -> None:
        self._check_texts()
        method = None if self.method == AUTO else checks.find_method(self.method)
        if self.noise != AUTO:
            checks.find_noise(self.noise)
        if method is not None and self.noise not in (AUTO, *method.noises):
            _refuse(f"{self.method} does not handle {self.noise} noise, only {', '.join(method.noises)}", "noise")
        if self.level != AUTO:
            if self.noise == AUTO:
                _refuse("a level needs the noise model whose unit it is in", "noise")
            checks.check_level(self.noise, self.level)  # type: ignore[arg-type]  # refuses what is no number
        if not (_is_number(self.strength) and 0 <= self.strength <= 1):
            _refuse(f"strength is a number from 0 to 1, not {self.strength!r}", "strength")
        able = (2, 3) if method is None else method.dimensions
        if self.dimensions != AUTO and self.dimensions not in able:
            _refuse(f"dimensions is 'auto' or {' or '.join(map(str, able))}, not {self.dimensions!r}", "dimensions")
        if self.factor != 1 or method is not None:
            checks.check_factor(self.factor, method)
        if not isinstance(self.options, Mapping) or not all(isinstance(name, str) for name in self.options):
            _refuse("options is an object of names and values", "options")
        if self.options and method is None:
            _refuse("options need the method that they belong to", "method")
        device.check_name(self.device)
        device.check_precision(self.precision)
        memory: Any = self.memory_gb
        if memory != AUTO and not (_is_number(memory) and memory > 0):
            _refuse(f"memory_gb is 'auto' or a number above 0, not {self.memory_gb!r}", "memory_gb")

    def _check_texts(self) -> None:
        for name in ("name", "method", "noise", "device", "precision", "note"):
            if not isinstance(getattr(self, name), str):
                _refuse(f"{name} is a text, not {getattr(self, name)!r}", name)
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > _LONGEST_NAME:
            _refuse(f"its name is one line of at most {_LONGEST_NAME} characters", "name")

    def edits(self) -> dict[str, Any]:
        """What it decides, as ``recommend`` and ``restore`` take it."""
        decided = {name: getattr(self, name) for name in _MAY_BE_OPEN}
        edits = {"strength": self.strength} | {name: value for name, value in decided.items() if value != AUTO}
        edits |= {"factor": self.factor} if self.factor != 1 else {}
        return edits | ({"options": dict(self.options)} if self.options else {})

    def to_json(self) -> str:
        """The text of its file."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return json.dumps({_MARK: FORMAT, **values, "options": dict(self.options)}, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str | bytes) -> Preset:
    """The preset that a file holds.

    Raises:
        MedRestoreError: it is no preset, or holds something unfit; the message says what.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnsupportedImage(f"this is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.") from None
    except (ValueError, RecursionError):
        raise UnsupportedImage("this is not JSON in UTF-8.") from None
    if not isinstance(values, dict) or _MARK not in values:
        raise UnsupportedImage(f"this is not a preset: a preset is a JSON object with '{_MARK}'.")
    version = values.pop(_MARK)
    if version != FORMAT:
        raise UnsupportedImage(f"this preset has the format {version!r}; this MedRestore reads {FORMAT}.")
    known = [one.name for one in fields(Preset)]
    for name in values.keys() - set(known):
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else f"; it has {', '.join(known)}."
        raise InvalidPlan(f"a preset has no field '{name}'{hint}")
    if "name" not in values:
        raise InvalidPlan("the preset has no name.", field="name")
    return Preset(**values)


def read(path: str | Path) -> Preset:
    """The preset of a file.

    Raises:
        MedRestoreError: the file cannot be read, or holds no valid preset; the message names the file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise UnsupportedImage(f"{path.name} cannot be read ({error.strerror or type(error).__name__}).") from error
    if len(text) > _LARGEST:
        raise UnsupportedImage(f"{path.name} is too large for a preset.")
    try:
        return from_json(text)
    except MedRestoreError as error:
        raise type(error)(f"{path.name}: {error}", field=error.field) from error


def write(preset: Preset, path: str | Path) -> Path:
    """Write a preset to a file, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    return atomic.write_bytes(Path(path), preset.to_json().encode())


class Shelf:
    """The presets of a folder, one a file; the folder is made when the first one is kept.

    Attributes:
        folder: where they lie.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def all(self) -> tuple[dict[str, Preset], dict[str, str]]:
        """The presets by name, in alphabetical order, and what is wrong with the files that hold none, by file name."""
        presets, wrong = {}, {}
        for path in self._files():
            try:
                preset = read(path)
                presets[preset.name] = preset
            except MedRestoreError as error:
                wrong[path.name] = str(error)
        return dict(sorted(presets.items(), key=lambda pair: pair[0].casefold())), wrong

    def keep(self, preset: Preset) -> Path:
        """Write a preset; one of the same name makes way.

        Raises:
            OutputError: the folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise atomic.cannot_write(self.folder, error) from error
        return write(preset, self._file_of(preset.name) or self._free(preset.name))

    def remove(self, name: str) -> None:
        """Delete the preset of this name, if there is one.

        Raises:
            OutputError: it cannot be deleted.
        """
        path = self._file_of(name)
        if path is None:
            return
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"{path.name} cannot be deleted ({error.strerror or type(error).__name__}).") from error

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.glob(f"*{ENDING}") if not path.name.startswith("."))
        except OSError:
            return []

    def _file_of(self, name: str) -> Path | None:
        for path in self._files():
            try:
                if read(path).name == name:
                    return path
            except MedRestoreError:
                continue
        return None

    def _free(self, name: str) -> Path:
        stem = re.sub(r"[^\w-]+", "_", name).strip("_")[:60] or "preset"
        numbers = ["", *(f"_{number}" for number in range(2, 1000))]
        paths = (self.folder / f"{stem}{number}{ENDING}" for number in numbers)
        return next(path for path in paths if not path.exists())


def options_from_text(text: str) -> dict[str, Any]:
    """The options of a line such as "iterations=20, kappa=0.3"; values as JSON has them, else text.

    Raises:
        InvalidPlan: the line is no list of NAME=VALUE.

    >>> options_from_text("iterations=20, mode=wide, psd=[[1, 2], [3, 4]]")
    {'iterations': 20, 'mode': 'wide', 'psd': [[1, 2], [3, 4]]}
    """
    before, *pairs = re.split(r"(?:^|,)\s*([A-Za-z_]\w*)\s*=", text.strip())
    if before.strip():
        raise InvalidPlan("options are written as name=value, with commas between.", field="options")
    options = {}
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value.strip()
    return options


def options_to_text(options: Mapping[str, Any]) -> str:
    """The line that ``options_from_text`` reads.

    >>> options_to_text({"iterations": 20, "mode": "wide"})
    'iterations=20, mode=wide'
    """
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    return ", ".join(f"{name}={value}" for name, value in texts.items())


def _refuse(what: str, where: str) -> None:
    raise InvalidPlan(f"{what}.", field=where)


def _is_number(value: Any) -> bool:
    return checks.is_number(value) and not isinstance(value, bool)
