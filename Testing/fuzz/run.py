"""Damaged files through the command line: ``python -m Testing.fuzz.run [--count 3000] [--seed 0]``.

Each one must end in an answer or in one line and exit code 2: no traceback, no crash, within 20 s and 2 GB. A file that
was cut must not be read as if it were whole, and what is read must hold what nibabel and pydicom find in it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MedRestoreLib.errors import MedRestoreError
from MedRestoreLib.files.parts import parts
from MedRestoreLib.files.studies import read

from .mutations import mutate
from .seeds import make

SECONDS, BYTES = 20.0, 2e9


class Fault(NamedTuple):
    """A damaged file that was not handled: the study it was made from, its seed, and what happened."""

    study: str
    seed: int
    what: str


def damaged(originals: list[Path], count: int, seed: int, folder: Path) -> Iterator[tuple[Path, Path, int, str]]:
    """``count`` damaged files in turn of every study: the original, the damaged file, its seed, and the damage."""
    for number in range(count):
        original = originals[number % len(originals)]
        kind, bad = mutate(original.read_bytes(), seed + number)
        path = folder / f"{number}{''.join(original.suffixes)}"
        path.write_bytes(bad)
        beside = [folder / (f"{number}.img" if data.suffix == ".img" else data.name) for data in parts(original)[1:]]
        for data, copy in zip(parts(original)[1:], beside, strict=True):
            shutil.copy(data, copy)
        yield original, path, seed + number, kind
        for file in (path, *beside):
            file.unlink(missing_ok=True)


def fault_of(path: Path, original: Path, kind: str) -> str:
    """What is wrong with how ``read`` takes a damaged file; "" when nothing is."""
    try:
        image = read(path)
    except MedRestoreError as error:
        return "" if "\n" not in str(error) else "a message of several lines"
    except BaseException as error:
        return f"{type(error).__name__} escaped"
    if kind == "cut" and not np.array_equal(image.stored(), read(original).stored()):
        return "a cut file was read as whole"
    others = _values_of_others(path)
    return "" if others is None or _alike(image.stored(), others) else "other values than others find"


def _values_of_others(path: Path) -> np.ndarray | None:
    """What nibabel or pydicom reads; None where they read nothing, or the file is neither theirs nor uncompressed."""
    import nibabel
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if ".nii" in path.suffixes:
                return np.asarray(nibabel.load(path).get_fdata(dtype=np.float64)).T
            if path.suffix == ".dcm":
                dataset = pydicom.dcmread(path, force=True)
                return None if dataset.file_meta.TransferSyntaxUID.is_compressed else dataset.pixel_array
    except Exception:  # whatever a damaged file provokes in them
        return None
    return None


def _alike(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether both hold the same numbers in the same order, as far as float32 tells."""
    ours, theirs = (np.nan_to_num(values.astype(np.float64)).ravel() for values in (ours, theirs))
    return ours.size == theirs.size and np.allclose(ours, theirs, rtol=1e-6)


def serve() -> None:
    """Answer, one line of JSON each: run ``medrestore inspect`` on the paths that come on standard input."""
    from MedRestoreLib import cli

    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        sys.argv = ["medrestore", "inspect", line.strip(), "--json"]
        output = io.StringIO()
        code = 0
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                cli.main()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = f"{type(error).__name__} escaped"
        print(json.dumps({"code": code, "lines": output.getvalue().strip().count("\n") + 1}), file=answers, flush=True)


class Command:
    """The command line in a process that takes one file after the other, with its time and memory watched."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def fault_of(self, path: Path) -> str:
        """What is wrong with how the command takes a damaged file; "" when nothing is."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from Testing.fuzz.run import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
            )
        watch = _Watch(self._process.pid)
        timer = threading.Timer(SECONDS, self._process.kill)
        timer.start()
        start = time.monotonic()
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        timer.cancel()
        peak = watch.stop()
        if not line:
            self.close()
            return f"crashed or hung ({time.monotonic() - start:.0f} s)"
        answer = json.loads(line)
        if peak > BYTES:
            return f"took {peak / 1e9:.1f} GB"
        if answer["code"] not in (0, 2):
            return f"exit code {answer['code']}"
        return "" if answer["code"] == 0 or answer["lines"] == 1 else f"an error of {answer['lines']} lines"

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class _Watch:
    """The most memory that a process and its children held at once, bytes; 0 where /proc is missing."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._done = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, _resident(self._pid))

    def stop(self) -> float:
        self._done.set()
        self._thread.join()
        return self._peak


def _resident(pid: int) -> int:
    try:
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (OSError, IndexError, ValueError):
        return 0
    return total + sum(_resident(int(child)) for child in children)


def main() -> int:
    """Run the whole of it; the exit code is 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faults, kinds = [], Counter()
    command = Command()
    with tempfile.TemporaryDirectory() as folder:
        originals = make(Path(folder) / "originals")
        target = Path(folder) / "damaged"
        target.mkdir()
        for original, path, seed, kind in damaged(originals, arguments.count, arguments.seed, target):
            what = command.fault_of(path) or fault_of(path, original, kind)
            kinds[kind] += 1
            if what:
                faults.append(Fault(original.name, seed, f"{kind}: {what}"))
                print(*faults[-1], flush=True)
    command.close()
    print(f"{sum(kinds.values())} damaged files, {len(faults)} faults ({dict(kinds)})")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
