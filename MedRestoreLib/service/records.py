"""The record beside each output of a batch: what it was made from, and whether it still is what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..files.atomic import sha256, write_bytes
from ..files.parts import parts
from ..image import Image
from ..version import __version__
from .inputs import Study
from .plain import to_plain

ROW = ("method", "noise", "level", "gain_db")


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        fingerprint: of the input and the plan.
        files: SHA-256 of every file of the output, by its path relative to the output's folder.
        row: what the batch's row says of it, also when it is not done again: the fields ``ROW``.
        report: the report as plain values.
    """

    fingerprint: str
    files: Mapping[str, str]
    row: Mapping[str, Any]
    report: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record in a file; None where there is none, or it is damaged."""
        try:
            record = cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        kinds = ((record.fingerprint, str), (record.files, dict), (record.row, dict), (record.report, dict))
        sound = all(isinstance(value, kind) for value, kind in kinds) and set(record.row) == set(ROW)
        return record if sound else None

    def write(self, path: Path) -> None:
        """Put the record into a file.

        Raises:
            OutputError: it cannot be written.
        """
        # After a power cut, a record that is absent or empty only has its study done again: no wait for the disk.
        write_bytes(path, json.dumps(asdict(self), indent=2).encode(), flush=False)

    def holds(self, fingerprint: str, output: Path) -> bool:
        """Whether ``output`` is what was written from this input and plan."""
        if self.fingerprint != fingerprint:
            return False
        found = hashes(output)
        beside = [output.parent / name for name in self.files.keys() - found.keys()]
        return bool(found) and {**found, **{path.name: sha256(path) for path in beside if path.is_file()}} == self.files


def hashes(output: Path) -> dict[str, str]:
    """SHA-256 of every file of an output, by its path relative to the output's folder; {} where there is none."""
    return {file.relative_to(output.parent).as_posix(): sha256(file) for file in parts(output)}


def fingerprint(study: Study, edits: Mapping[str, Any]) -> str:
    """A digest that changes whenever the output could: with the bytes of the input, the plan or the version."""
    plan: dict[str, Any] = to_plain(edits)
    if edits.get("mask") is not None:
        mask = edits["mask"].voxels[0] if isinstance(edits["mask"], Image) else np.asarray(edits["mask"])
        plan["mask"] = [mask.shape, hashlib.sha256(np.ascontiguousarray(mask != 0).data).hexdigest()]
    series = "" if isinstance(study.source, Path) else study.source.uid
    about = json.dumps([__version__, series, sorted(map(sha256, study.files)), plan], sort_keys=True, default=repr)
    return hashlib.sha256(about.encode()).hexdigest()
