"""The caller's side of a worker: the folder that voxels pass through, the requests, and the command that starts one."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnsupportedImage
from ..pipeline.plan import Plan
from ..pipeline.trust import MAPS
from . import folders, slabs
from .plain import to_plain

RESULT = "out"  # part of a reply: the restored study


@dataclass(frozen=True)
class Upload:
    """A study in the exchange folder: its file, and what its ``Image`` needs beside voxels."""

    path: Path
    about: Mapping[str, Any]


class Exchange:
    """The caller's side: a private folder, the requests to send and the voxels that come back. Knows no process.

    Used by ``client.Worker`` and by the Slicer panel, which runs the process through Qt.

    >>> with Exchange() as exchange:
    ...     exchange.folder.name.startswith("medrestore-")
    True
    """

    def __init__(self) -> None:
        folders.sweep()
        self.folder, self._hold = folders.make()
        self._count = 0

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all in it."""
        folders.remove(self.folder)
        if self._hold is not None:
            self._hold.release()

    def sending(
        self, frames: Sequence[np.ndarray] | np.ndarray, described: Mapping[str, Any]
    ) -> Generator[float, None, Upload]:
        """Copy a study into the folder, a slab of some 2 MB at each step; yields the fraction done.

        Args:
            frames: arrays ``(slices, rows, columns[, components])`` of one shape and real type, one a frame. A mask is
                sent likewise, as one frame.
            described: ``Image``'s ``spacing``, ``spacing_known``, ``modality`` and ``unit``; other entries are not
                needed. ``dtype``: the type that the study is stored in, where it is not the arrays'.

        Returns:
            What requests name the study by (the value of ``StopIteration``). Stopped before that, no file is left.

        Raises:
            UnsupportedImage: the frames are not alike, or not of a real type.
            OutputError: the folder's disk is full.
        """
        first = frames[0]
        if first.ndim not in (3, 4) or first.dtype.kind not in "biuf":
            raise UnsupportedImage(f"frames of shape {first.shape} and type {first.dtype} cannot be restored.")
        if any(frame.shape != first.shape or frame.dtype != first.dtype for frame in frames):
            raise UnsupportedImage("the frames differ in size or type; resample the sequence first.")
        about = {name: described[name] for name in ("modality", "unit", "dtype", "spacing_known") if name in described}
        about["spacing"] = [float(s) for s in described.get("spacing", (1.0, 1.0, 1.0))]
        path = self.folder / f"{self._next()}-study.npy"
        try:
            yield from slabs.write(path, frames, (len(frames), *first.shape), first.dtype)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Upload(path, about)

    def send(self, frames: Sequence[np.ndarray] | np.ndarray, described: Mapping[str, Any]) -> Upload:
        """As ``sending``, all at once."""
        steps = self.sending(frames, described)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def request(
        self,
        do: str,
        upload: Upload,
        plan: Plan | Mapping[str, Any] | None = None,
        *,
        mask: Upload | None = None,
        trust: bool = False,
        at: tuple[int, int] | None = None,
        modality: str | None = None,
        **edits: Any,
    ) -> dict[str, Any]:
        """A request about an uploaded study, to be sent as one line of JSON.

        Args:
            do: "recommend", "recognise", "restore", "preview" or "glance".
            upload: the study; it serves any number of requests.
            plan: a ``Plan``, or the plain values that "recommend" replied; None recommends one.
            mask: restore inside it only.
            trust: of "restore": make the map of trust, too; ``receiving`` gives its parts.
            at: frame and slice of a preview or a glance.
            modality: what the study is, where that is known better by now than when it was sent.
            **edits: fields of ``Plan`` that replace the plan's.
        """
        request: dict[str, Any] = {"id": self._next(), "do": do, "input": upload.path.name, "image": dict(upload.about)}
        if plan is not None:
            request["plan"] = to_plain(plan)
        request["edits"] = to_plain(edits)
        if modality is not None:
            request["image"]["modality"] = modality
        if mask is not None:
            request["mask"] = mask.path.name
        if at is not None:
            request["frame"], request["slice"] = (int(number) for number in at)
        if do in ("restore", "preview", "glance"):
            request["output"] = f"{request['id']}-out.npy"
            (self.folder / request["output"]).touch()
        if trust:
            for part in MAPS:
                request[part] = f"{request['id']}-{part}.npy"
                (self.folder / request[part]).touch()
        return request

    def receiving(self, id: int, arrays: Sequence[np.ndarray], part: str = RESULT) -> Generator[float, None, None]:
        """Fill ``arrays`` with the result of request ``id``, slab by slab; yields the fraction done.

        Args:
            part: ``RESULT``, with which everything of the request is forgotten, or one of ``MAPS``, asked for before.

        The arrays are like the frames that were sent, float32 unless they are in colour, and larger where the plan
        enlarges; of a preview one array
        ``(1, rows, columns[, components])``. The result's file is removed, also when this is stopped before its end.
        """

        def receive() -> Generator[float, None, None]:
            try:
                yield 0.0
                yield from slabs.read(self.folder / f"{id}-{part}.npy", arrays)
            finally:
                if part == RESULT:
                    self.forget(id)

        steps = receive()
        next(steps)  # begun, so that it tidies up even if it is stopped before the caller's first step
        return steps

    def result(self, id: int) -> np.ndarray:
        """The result of request ``id``, ``(frames, slices, rows, columns[, components])``; its file is removed."""
        try:
            return np.load(self.folder / f"{id}-out.npy")
        finally:
            self.forget(id)

    def forget(self, id: int) -> None:
        """Remove the result of a request."""
        for part in (RESULT, *MAPS):
            (self.folder / f"{id}-{part}.npy").unlink(missing_ok=True)

    def forget_upload(self, upload: Upload) -> dict[str, Any]:
        """Remove a study; the request that is returned lets a running worker forget it, too."""
        with contextlib.suppress(PermissionError):  # on Windows while the worker reads it, who then removes it
            upload.path.unlink(missing_ok=True)
        return {"do": "forget", "input": upload.path.name}

    def _next(self) -> int:
        self._count += 1
        return self._count


def command(python: str, folder: Path) -> list[str]:
    """The command that starts a worker; its PYTHONPATH must be ``search_path()``.

    Python's -P keeps it from importing what happens to lie in the working directory.
    """
    return [python, "-P", "-m", "MedRestoreLib", "worker", str(folder)]


def kill(folder: Path, pid: int | None) -> None:
    """Kill the worker of an exchange folder, and its launcher if there is one.

    On Linux these are the processes of this user whose command ends as ``command`` does: a launcher may end before its
    worker, and in a container of its own a worker has another number there than here, and the folder another parent.
    Elsewhere it is the process ``pid``.
    """
    pids = [] if pid in (None, 1) else [pid]
    if Path("/proc/self/cmdline").exists():
        pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _serves(entry, folder.name)]
    for one in pids:
        with contextlib.suppress(OSError):  # it is gone, or another user's
            os.kill(one, getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows this one ends it at once, too


def _serves(process: Path, name: str) -> bool:
    """Whether a process of this user, given by its folder in /proc, is the worker of the folder called ``name``."""
    try:
        words = os.fsdecode((process / "cmdline").read_bytes()).rstrip("\0").split("\0")
        mine = process.stat().st_uid == os.geteuid()
    except OSError:  # it has ended
        return False
    *_, module, verb, place = ["", "", *words]
    return mine and (module, verb, Path(place).name) == ("MedRestoreLib", "worker", name)


def search_path() -> str:
    """The environment's PYTHONPATH with this package's folder in front."""
    package_parent = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [package_parent, os.environ.get("PYTHONPATH", "")]))
