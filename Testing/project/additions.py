"""What an addition touches: makes five in copies of the repository, tries them and counts the files.

python -m Testing.project.additions

Each is the least that works: a method, a network with weights, a noise model, a file format and a modality. The first
three are those that CONTRIBUTING.md tells people to make. They are text, not code of the repository, so that nothing
else sees them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from MedRestoreLib import weights
from Testing.project import toys
from Testing.support.paths import REPOSITORY

COPIED = ("deploy", "MedRestoreLib", "MedRestore", "Resources", "Testing", "training")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "results")
# What holds of every checkout: rooms, packaging, README. The README's long examples have nothing to add.
PROJECT = [f"Testing/project/test_{name}.py" for name in ("architecture", "extension", "readme")]
RULES = (PROJECT, "not example and not samples")
ROWS = "Testing/library/pipeline/test_rows.py"  # what each row of the catalogue claims


# Of CONTRIBUTING.md: a file to write, or a text to put below a line or right behind a word; then the text itself.
STEP = re.compile(
    r"(?:Write `(?P<file>[^`]+)`|In `(?P<edited>[^`]+)`, (?P<where>below the line|right behind) `(?P<place>[^`]+)`)"
    r"(?:(?!\n\n).)*:\n\n```\w+\n(?P<text>.*?)^```$",
    re.S | re.M,
)


def told(title: str) -> dict[str, dict[str, Any]]:
    """``files`` and ``rows`` of an ``Addition``, as a section of CONTRIBUTING.md has them."""
    guide = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = guide.split(f"\n### {title}\n")[1].split("\n### ")[0]
    files: dict[str, str] = {}
    rows: dict[str, dict[str, str]] = {}
    for step in STEP.finditer(section):
        if step["file"]:
            files[step["file"]] = step["text"]
        else:
            below = step["where"] == "below the line"
            place, text = (step["place"] + "\n", step["text"]) if below else (step["place"], step["text"].rstrip("\n"))
            rows[step["edited"]] = {place: text}
    return {"files": files, "rows": rows}


@dataclass(frozen=True)
class Addition:
    """One thing that somebody might add.

    Attributes:
        title: what is added.
        most: how many files a person may have to write or edit.
        files: path → contents of each new file.
        rows: path → {a text that is there once: what is put right behind it}.
        works: a Python program that fails unless the addition works.
        generated: a Python program that writes what nobody edits by hand, before ``works``.
        tests, only: what pytest runs in the copy, and the names that it is limited to, before ``RULES``.
        pending: why the addition cannot be as small as it should yet; "" once it can.
    """

    title: str
    most: int
    files: dict[str, str]
    rows: dict[str, dict[str, str]]
    works: str
    generated: str = ""
    tests: tuple[str, ...] = ()
    only: str = ""
    pending: str = ""


class Touched(NamedTuple):
    """Paths of files that are new or differ."""

    by_hand: set[str]
    generated: set[str]


@dataclass
class Checkout:
    """A copy of the repository in a folder of its own, and what it held."""

    folder: Path
    before: dict[str, str] = field(default_factory=dict)

    @classmethod
    def copied(cls, folder: Path) -> Checkout:
        """A copy of what the repository holds of ours, at ``folder``, which must not exist."""
        folder.mkdir()
        for name in COPIED:
            shutil.copytree(REPOSITORY / name, folder / name, ignore=LEFT_OUT)
        for path in REPOSITORY.iterdir():
            if path.is_file() and path.name != ".git":
                shutil.copy(path, folder)
        checkout = cls(folder)
        checkout.before = checkout.files()
        return checkout

    def files(self) -> dict[str, str]:
        """Path → hash of every file but caches."""
        paths = (p for p in self.folder.rglob("*") if p.is_file() and not {"__pycache__", "build"} & set(p.parts))
        return {p.relative_to(self.folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}

    def write(self, addition: Addition) -> None:
        """Do by hand what the addition asks for."""
        for name, text in addition.files.items():
            path = self.folder / name
            assert not path.exists(), f"{name} is there already"
            path.write_text(text, encoding="utf-8")
        for name, rows in addition.rows.items():
            path = self.folder / name
            text = path.read_text(encoding="utf-8")
            for place, row in rows.items():
                assert text.count(place) == 1, f"{name} holds {place!r} {text.count(place)} times"
                text = text.replace(place, place + row)
            path.write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> None:
        """Python in this checkout; AssertionError with what it said where it fails."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        environment.pop(weights.VARIABLE, None)
        run = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, f"{' '.join(arguments)[:300]}\n{run.stdout[-3000:]}\n{run.stderr[-3000:]}"


def made(addition: Addition, folder: Path) -> Touched:
    """Make an addition in a copy of the repository, show that it works and that the rules hold; what it touched.

    Raises:
        AssertionError: it does not work, or breaks a rule.
    """
    checkout = Checkout.copied(folder)
    checkout.write(addition)
    by_hand = touched(checkout.before, checkout.files())
    if addition.generated:
        checkout.run("-c", addition.generated)
    checkout.run("-m", "Testing.readme")
    generated = touched(checkout.before, checkout.files()) - by_hand
    checkout.run("-c", addition.works)
    for tests, only in ((addition.tests, addition.only), RULES):
        if tests:
            checkout.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", only)
    return Touched(by_hand, generated)


def touched(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Paths that are new, gone or different."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


ADDITIONS = (
    Addition(
        "method",
        most=3,
        **told("Add a method"),
        works=toys.METHOD_WORKS,
        tests=("Testing/library/methods/test_median.py", ROWS),
        only="median",
    ),
    Addition(
        "network with weights",
        most=5,
        **told("Add a network with its weights"),
        generated=toys.TRAINED,
        works=toys.NETWORK_WORKS,
        tests=("Testing/library/networks/test_shallow.py", ROWS, "Testing/library/test_weights.py"),
        only="shallow or shipped",
    ),
    Addition(
        "noise model",
        most=2,
        **told("Add a noise model"),
        works=toys.NOISE_WORKS,
        tests=("Testing/library/noise/test_noise.py", ROWS),
        only="uniform",
    ),
    Addition(
        "format",
        most=2,
        files={"MedRestoreLib/files/numpy_file.py": toys.FORMAT},
        rows={
            "MedRestoreLib/files/formats.py": {"FORMATS = (\n": toys.FORMAT_ROW, "from . import ": toys.FORMAT_IMPORT}
        },
        works=toys.FORMAT_WORKS,
    ),
    Addition(
        "modality",
        most=1,
        files={},
        rows={"MedRestoreLib/modalities.py": {"MODALITIES = (\n": toys.MODALITY_ROW}},
        works=toys.MODALITY_WORKS,
    ),
)


def main() -> None:
    for addition in ADDITIONS:
        with tempfile.TemporaryDirectory() as folder:
            count = made(addition, Path(folder) / "copy")
        print(f"A {addition.title} touches {len(count.by_hand)} files (at most {addition.most}):")
        for kind, paths in zip(("", " (generated)"), count, strict=True):
            for path in sorted(paths):
                print(f"    {path}{kind}")


if __name__ == "__main__":
    main()
