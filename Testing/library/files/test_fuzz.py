"""A seeded part of ``make fuzz``: damaged files of every format end in an answer or in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.fuzz.run import Command, damaged, fault_of
from Testing.fuzz.seeds import make

COUNT, THROUGH_THE_COMMAND = 400, 40


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make(tmp_path_factory.mktemp("originals"))


def test_sound_files_are_answered(originals: list[Path], tmp_path: Path) -> None:
    assert {path.name: fault_of(path, path, "cut") for path in originals} == dict.fromkeys(
        (path.name for path in originals), ""
    )


def test_damaged_files_are_errors_of_one_line(originals: list[Path], tmp_path: Path) -> None:
    found = [
        (original.name, seed, kind, what)
        for original, path, seed, kind in damaged(originals, COUNT, 0, tmp_path)
        if (what := fault_of(path, original, kind))
    ]
    assert not found


def test_the_command_line_takes_damaged_files(originals: list[Path], tmp_path: Path) -> None:
    command = Command()
    try:
        found = [
            (original.name, seed, kind, what)
            for original, path, seed, kind in damaged(originals, THROUGH_THE_COMMAND, 10_000, tmp_path)
            if (what := command.fault_of(path))
        ]
    finally:
        command.close()
    assert not found
