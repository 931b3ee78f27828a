"""What the outputs of a batch are called: one rule for all of them."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from pathlib import Path

from ..files.formats import written_files
from . import beside
from .inputs import Study

LONGEST_NAME = 255  # bytes of a name, on most disks
RECORD = ".json"  # behind an output's name: its record
_DATA = ".raw.gz"  # the longest suffix of a data file beside its header
_MARK = 8  # digits that tell shortened names apart


def record_of(output: Path) -> Path:
    """Where the record of an output is."""
    return output.with_name(f"{output.name}{RECORD}")


def output_paths(studies: Sequence[Study], kinds: Collection[str] = ()) -> list[Path]:
    """Where the restored studies go, relative to the target folder.

    The folder and the name stay and the suffix says the format. If several studies would have one name, one that
    has it as an input keeps it, and the others keep their own suffix in it: scan.jpg beside scan.png becomes
    scan.jpg.png. Names differ by more than their case, for some disks do not tell that apart; no output has the name of
    a folder, of a record or of the data file of another. A name that is too long for its companions is cut.

    Args:
        studies: what will be restored.
        kinds: what else will be written beside them (``beside.KINDS``).

    Returns:
        One path per study.
    """
    wished = Counter(_key(_path(study, study.stem)) for study in studies)
    taken = {_key(folder) for study in studies for folder in (study.folder, *study.folder.parents)}
    paths: dict[int, Path] = {}
    order = sorted(range(len(studies)), key=lambda k: not _keeps_its_name(studies[k]))
    for index in order:
        study = studies[index]
        alone = _keeps_its_name(study) or wished[_key(_path(study, study.stem))] == 1
        for path in _candidates(study, alone):
            keys = {_key(one) for one in _with_companions(path, kinds)}
            if not keys & taken:
                taken |= keys
                paths[index] = path
                break
    return [paths[index] for index in range(len(studies))]


def _candidates(study: Study, alone: bool) -> Iterator[Path]:
    if alone:
        yield _path(study, study.stem)
    if not _keeps_its_name(study):
        yield _path(study, study.name)
    yield from (_path(study, f"{study.stem}-{number}") for number in count(2))


def _keeps_its_name(study: Study) -> bool:
    return study.name == f"{study.stem}{study.suffix}"


def _path(study: Study, stem: str) -> Path:
    return study.folder / f"{_shortened(stem, study.suffix)}{study.suffix}"


def _shortened(stem: str, suffix: str) -> str:
    """A stem that leaves room for the companions' names; one that is cut ends with a mark of its own."""
    room = LONGEST_NAME - max(len(suffix + RECORD), len(_DATA), len(beside.LONGEST))
    encoded = os.fsencode(stem)
    if len(encoded) <= room:
        return stem
    start = encoded[: room - _MARK - 1].decode("utf-8", "ignore")
    return f"{start}-{hashlib.sha256(encoded).hexdigest()[:_MARK]}"


def _with_companions(path: Path, kinds: Collection[str]) -> list[Path]:
    return [*written_files(path), record_of(path), *beside.paths(path, kinds).values()]


def _key(path: Path) -> str:
    """What two paths share that some disk takes for one: macOS composes characters, and Windows ignores their case."""
    return unicodedata.normalize("NFC", path.as_posix()).casefold()
