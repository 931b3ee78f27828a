"""Batches killed at file events and at random moments: what they leave, and what the next run makes of it.

    python -m Testing.kills [--kills 300] [--seed 0]

Each batch runs in a process that is killed: before one of its changes to the output folder (every one in turn), or
after a random time. Some begin with an empty folder, others with one that a batch has filled from former studies by
another plan. Nothing but whole files may stand there then, no record may be untrue, and the next run must end as if
nothing had happened.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import MedRestoreLib as mr
from MedRestoreLib.files.atomic import PARTIAL
from MedRestoreLib.files.parts import parts
from training.simulate.dicom import as_mr, as_nm

FORMER, PLAN = {"method": "adf", "level": 4.0}, {"method": "adf", "level": 5.0, "noise": "gaussian"}
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.link", "os.symlink"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def make_studies(folder: Path, slices: int) -> Path:
    """Seven small studies: alone, with a data file, in a folder of its own, below folders."""
    (folder / "below" / "further").mkdir(parents=True)
    y, x = np.mgrid[:40, :48] - 20
    clean = 100.0 * (np.hypot(y, x) < 16) + 30
    for number, name in enumerate(("one.nrrd", "two.nhdr", "below/three.nii.gz", "below/two.nhdr", "below/four.mha")):
        image = mr.Image.from_array(np.stack([clean] * slices), modality="MR")
        mr.write(mr.add_noise(image, "gaussian", 5.0, seed=number), folder / name)
    stack = mr.Image.from_array(np.stack([clean] * (slices + 1)), modality="MR")
    as_mr(mr.add_noise(stack, "gaussian", 5.0), folder / "series")
    counts = mr.Image.from_array(clean, modality="NM", unit="counts")
    as_nm(mr.add_noise(counts, "poisson", 1.0), folder / "below" / "further" / "1.2.840.113.1")
    return folder


def killed(kills: int, seed: int, workplace: Path, say: Callable[[str], None]) -> int:
    """Kill batches ``kills`` times.

    Returns:
        How many were killed; some of those that wait a random time end before it.

    Raises:
        AssertionError: something half-written or untrue was left, or the next run ended otherwise than an undisturbed
            one.
    """
    source, earlier = make_studies(workplace / "in", 2), make_studies(workplace / "earlier", 3)
    former, whole = workplace / "former", workplace / "whole"
    _in_a_child(lambda: mr.batch(earlier, former, **FORMER))
    begun = time.monotonic()
    _in_a_child(lambda: mr.batch(source, whole, **PLAN))
    lasting = time.monotonic() - begun
    wanted, allowed = snapshot(whole), [_digests(former), _digests(whole)]
    moments = list(_moments(source, former, workplace, kills, random.Random(seed), lasting))
    count = 0
    for number, (event, seconds, replaces) in enumerate(moments, 1):
        out = _fresh(workplace / "out", former if replaces else None)
        status = _in_a_child(lambda out=out, event=event: _doomed(source, out, event), seconds)
        count += os.WIFSIGNALED(status)
        check_what_is_there(out, allowed)
        assert _in_a_child(lambda out=out: mr.batch(source, out, **PLAN)) == 0
        found = snapshot(out)
        assert found == wanted, f"killed at {event or seconds}: {_difference(found, wanted)}"
        say(f"{number} of {len(moments)}")
    return count


def check_what_is_there(out: Path, allowed: list[dict[str, str]]) -> None:
    """Raise AssertionError if something half-written stands under a final name, or a record is untrue."""
    there = _digests(out)
    for name, digest in there.items():
        if PARTIAL not in name and not name.endswith(".json"):
            assert any(run.get(name) == digest for run in allowed), f"{name} is half-written"
    for series in {name.rpartition("/")[0] for name in there if "/series-" in name and PARTIAL not in name}:
        assert {name for name in there if name.startswith(f"{series}/")} in [
            {name for name in run if name.startswith(f"{series}/")} for run in allowed
        ], f"{series} is half-written"
    for header in out.rglob("*.nhdr"):
        if PARTIAL not in str(header):
            mr.read(header)
    for record in out.rglob("*.json"):
        if PARTIAL not in str(record):
            hashes = json.loads(record.read_text())["files"]
            output = record.with_suffix("")
            found = {file.relative_to(record.parent).as_posix(): _sha256(file) for file in parts(output)}
            assert found == hashes, f"{record.name} is untrue"


def snapshot(out: Path) -> dict[str, Any]:
    """What is in a folder: digests of files, and of records all but the seconds that the work took."""
    return {
        name: _timeless(json.loads((out / name).read_text())) if name.endswith(".json") else digest
        for name, digest in _digests(out).items()
    }


def _moments(
    source: Path, former: Path, workplace: Path, kills: int, randomly: random.Random, lasting: float
) -> Iterator[tuple[int, float | None, bool]]:
    """When to kill: before which change, or after how many seconds; and whether the folder is filled before."""
    changes = [
        (event, None, bool(replaces))
        for replaces in (False, True)
        for event in range(1, _count(source, _fresh(workplace / "out", former if replaces else None), workplace) + 1)
    ]
    yield from randomly.sample(changes, min(len(changes), (2 * kills + 2) // 3))
    for _ in range(kills - min(len(changes), (2 * kills + 2) // 3)):
        yield 0, randomly.uniform(0.0, lasting), randomly.random() < 0.5


def _count(source: Path, out: Path, workplace: Path) -> int:
    """How many changes an undisturbed batch makes to the output folder."""
    noted = workplace / "changes"

    def run() -> None:
        changes = [0]
        sys.addaudithook(lambda name, arguments: changes.__setitem__(0, changes[0] + _changes(name, arguments, out)))
        mr.batch(source, out, **PLAN)
        noted.write_text(str(changes[0]))

    _in_a_child(run)
    return int(noted.read_text())


def _doomed(source: Path, out: Path, event: int) -> None:
    """A batch that kills its process before its change number ``event``; 0: it waits to be killed."""
    left = [event]

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if _changes(name, arguments, out):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    mr.batch(source, out, **PLAN)


def _changes(name: str, arguments: tuple[Any, ...], out: Path) -> bool:
    """Whether an event of Python's auditing changes what is in a folder."""
    if name == "open":
        path, _, flags = arguments
        return isinstance(path, str | bytes) and bool(flags & WRITING) and os.fsdecode(path).startswith(str(out))
    if name not in CHANGES or isinstance(arguments[0], int):
        return False
    # A file of an open folder (shutil.rmtree) goes by its mere name.
    path = os.fsdecode(arguments[0])
    return path.startswith(str(out)) or (arguments[-1] not in (-1, None) and not os.path.isabs(path))


def _in_a_child(run: Callable[[], Any], seconds: float | None = None) -> int:
    """Run in a process forked off, which is killed after some seconds; its wait status."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _fresh(out: Path, filled_from: Path | None) -> Path:
    shutil.rmtree(out, ignore_errors=True)
    if filled_from is not None:
        shutil.copytree(filled_from, out)
    return out


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(entry) for name, entry in value.items() if name != "seconds"}
    return value


def _difference(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


def main() -> None:
    """Kill, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)  # a process with threads cannot be forked safely

    def say(text: str) -> None:
        print(f"\r{text}", end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as workplace:
        count = killed(options.kills, options.seed, Path(workplace), say)
    print(f"\n{count} batches were killed; every next run ended like an undisturbed one.")


if __name__ == "__main__":
    main()
