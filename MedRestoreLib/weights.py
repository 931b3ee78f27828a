"""The weights of networks: from a row of the manifest to a network that is ready to use.

``Resources/weights`` holds the manifest and one safetensors file for each network. A file is used only if it has the
SHA-256 of the manifest: no patient's study is restored with weights that were cut short or exchanged.
"""

from __future__ import annotations

import hashlib
import os
import pkgutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import WeightsMissing

if TYPE_CHECKING:
    import torch
    from torch import nn

MANIFEST = "manifest.toml"

# An environment variable: a folder of one's own weights, which is used in place of Resources/weights.
VARIABLE = "MEDRESTORE_WEIGHTS"


@dataclass(frozen=True)
class Weights:
    """One ``[[weights]]`` table of the manifest.

    Attributes:
        name: of the file ``NAME.safetensors``; rows of the catalogue name their weights by it.
        network: ``"module:Class"`` below MedRestoreLib.networks.
        arguments: keyword arguments of the class.
        sha256: of the file, in hexadecimal.
        recipe: that it was trained by: a name in training/recipes.
        trained_on: the data, in one sentence.
        date: of the training, year-month-day.
        steps, minutes: length of the last training, 0 if unknown; the card tells of earlier ones.
        folder: where the file lies.
    """

    name: str
    network: str
    sha256: str
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    recipe: str = ""
    trained_on: str = ""
    date: str = ""
    steps: int = 0
    minutes: float = 0.0
    folder: Path = Path()

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.safetensors"

    def contents(self) -> bytes:
        """The file's bytes, with the SHA-256 of the manifest.

        Raises:
            WeightsMissing: the file is absent or has another SHA-256.
        """
        try:
            contents = self.path.read_bytes()
        except OSError:
            raise WeightsMissing(
                f"the weights '{self.name}' are not in {self.folder}; install MedRestore again or use another method."
            ) from None
        if hashlib.sha256(contents).hexdigest() != self.sha256:
            raise WeightsMissing(
                f"{self.path} is damaged or not the recorded one (its SHA-256 differs); install MedRestore again."
            )
        return contents

    def load(self, device: torch.device | str = "cpu") -> nn.Module:
        """The network with these weights on ``device``: float32, for inference, laid out channels_last.

        Raises:
            WeightsMissing: as ``contents``; or the weights belong to another network.
        """
        import torch
        from safetensors.torch import load

        contents = self.contents()
        try:
            network = pkgutil.resolve_name(f"{__package__}.networks.{self.network}")(**self.arguments)
            network.load_state_dict(load(contents))
        except (ImportError, AttributeError, TypeError, ValueError, RuntimeError):
            raise WeightsMissing(
                f"the weights '{self.name}' do not fit the network {self.network}; the manifest and the library are "
                "of different versions: install MedRestore again."
            ) from None
        return network.to(device, memory_format=torch.channels_last).eval().requires_grad_(False)


def folder() -> Path:
    """Where weights lie: inside the library where pip installed it, else beside it (a source tree, Slicer)."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    library = Path(__file__).resolve().parent
    inside = library / "Resources" / "weights"
    return inside if inside.is_dir() else library.parent / "Resources" / "weights"


def manifest(folder: Path) -> dict[str, Weights]:
    """The rows of the folder's manifest, by name; none if it has no manifest.

    Raises:
        WeightsMissing: the manifest cannot be read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("weights", [])
        known = {f.name for f in fields(Weights)} - {"folder"}
        rows = [Weights(**{k: v for k, v in table.items() if k in known}, folder=folder) for table in tables]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise WeightsMissing(f"{path} cannot be read ({error}); install MedRestore again.") from None
    return {row.name: row for row in rows}


def find(name: str) -> Weights:
    """The manifest's row for ``name``; the file itself is not read.

    Raises:
        WeightsMissing: the manifest does not list it, or cannot be read.
    """
    where = folder()
    try:
        return manifest(where)[name]
    except KeyError:
        raise WeightsMissing(
            f"{where / MANIFEST} lists no weights '{name}'; install MedRestore again or use another method."
        ) from None


def installed(name: str) -> bool:
    """Whether the manifest lists the weights and their file exists; ``contents`` verifies the file."""
    try:
        return find(name).path.is_file()
    except WeightsMissing:
        return False
