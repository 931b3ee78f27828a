"""training/README: its map names every file, and the five steps to a first network work as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from MedRestoreLib import weights
from Testing.support.paths import REPOSITORY
from Testing.support.small_trainings import write_pictures
from training.evaluation import MEASURES

TRAINING = REPOSITORY / "training"
README = (TRAINING / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading of the second level."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


MAP = dict(re.findall(r"^\| (`\w+/`|at the root) \| (.+) \|$", section("Where things are"), re.M))


def test_the_map_has_every_room():
    rooms = {f"`{path.parent.name}/`" for path in TRAINING.glob("*/__init__.py")}
    assert set(MAP) == {"`recipes/`", "at the root", *rooms}


@pytest.mark.parametrize("room", [room for room in MAP if room != "`recipes/`"])
def test_the_map_names_every_file_of_a_room(room):
    folder = TRAINING if room == "at the root" else TRAINING / room.strip("`/")
    files = {path.name for path in folder.glob("*.py") if not path.name.startswith("__")}
    assert sorted(re.findall(r"`(\w+\.py)`", MAP[room])) == sorted(files)


def test_measures_are_files_of_their_name():
    assert all(place == f"{name}:results" for name, place in MEASURES.items())
    assert all((TRAINING / "evaluation" / f"{name}.py").is_file() for name in MEASURES)


def test_a_first_network_takes_five_steps(tmp_path):
    """In a copy of the repository, with a small folder of pictures and seconds instead of minutes."""
    steps = section("Your first network in five steps")
    for name in ("MedRestoreLib", "training"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
    written = dict(re.findall(r"Write `([\w/.]+)`.*?\n   ```\w+\n(.*?)   ```\n", steps, re.S))
    assert set(written) == {"MedRestoreLib/networks/first.py", "training/recipes/first.toml"}
    for name, text in written.items():
        assert not (tmp_path / name).exists()
        (tmp_path / name).write_text(re.sub(r"^   ", "", text, flags=re.M), encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    write_pictures(tmp_path / "pictures")
    printed = ""
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    environment.pop(weights.VARIABLE, None)
    lines = re.findall(r"^       python (.+)$", steps, re.M)
    assert [line.split()[2] for line in lines] == ["train", "evaluate", "export", "card"]
    for line in lines:
        command = [sys.executable, *shlex.split(line.replace("--budget 5m", "--budget 2s"))]
        run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, f"{line}\n{run.stdout}\n{run.stderr}"
        printed += run.stdout
    assert re.search(r"^first: psnr [\d.]+ \(5\)", printed, re.M)
    row = weights.manifest(tmp_path / "build" / "weights")["first"]
    assert (row.network, row.recipe) == ("first:First", "first")
    card = Path(tmp_path / "build" / "cards" / "first.md").read_text(encoding="utf-8")
    assert all(f"| {name} |" in card for name in ("noisy", "gaussian", "first"))
