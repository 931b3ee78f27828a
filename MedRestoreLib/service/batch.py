"""Many studies, one after the other or on any Executor; stopped at any moment, it goes on where it was."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import traceback
from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import Cancelled, MedRestoreError, OutputError, UnsupportedImage, printable
from ..files import studies as files
from ..files.atomic import PARTIAL, cannot_write, remove_partials, sha256
from ..files.held import alone
from ..pipeline import device as devices
from ..pipeline.plan import decided, recommend
from ..pipeline.restore import restore
from ..progress import Progress, ignore
from ..version import __version__
from . import beside as companions
from . import rescue, stores
from .inputs import Passed, Study, find
from .outputs import output_paths, record_of
from .pace import Pace
from .records import Record, fingerprint
from .spread import ended
from .stores import Distant, Store

NO_MEMORY = "there is not enough memory for this study; restore it alone, or with a lighter method such as adf."


@dataclass(frozen=True)
class Row:
    """What became of one study: "restored", "already done", "failed" or "skipped" (``message`` says why).

    ``study`` is the output's path below the target folder; of what is skipped, the input's below the source.
    """

    study: str
    status: str
    method: str = ""
    noise: str = ""
    level: float | None = None
    gain_db: float | None = None
    seconds: float = 0.0
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def batch(
    source: str | Path,
    target: str | Path,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    modality: str = "",
    replace_nan: float | None = None,
    beside: Collection[str] = (),
    **edits: Any,
) -> list[Row]:
    """Restore every study below ``source`` into ``target``, in the same folders and formats (video, TIFF become NRRD).

    Beside each output stands its record, ``OUTPUT.json``: the report, a fingerprint of the input and the plan, and the
    hashes of the output's files. It is removed before its output is replaced and written last, so a study is "already
    done" only if all of them match. A study that fails, or crashes the process that restores it, is one row, and the
    others are done. Several batches may work on one folder: what one is doing, another waits for.

    Args:
        source: folder, searched to the bottom, or the URL of a place in an object store ("s3://bucket/studies"). What
            is no study and cannot be read, such as a link to nowhere, is "skipped".
        target: folder, made if need be, or a URL; not inside ``source``.
        executor: any ``concurrent.futures.Executor`` (threads, processes, Dask); None runs here.
        progress: as for ``restore``, over all studies. What it raises ends the batch; an executor's threads and
            processes first finish the studies that they have begun.
        modality: DICOM code of all studies; "" leaves what each says of itself.
        replace_nan: what to put where voxels are NaN or infinite; None refuses such studies.
        beside: what else to write: some of "removed", "report" and "figure".
        **edits: fields of ``Plan``, the same for all studies.

    Returns:
        One row per study, in the order of their paths.

    Raises:
        InvalidPlan, UnknownNoise: an edit fits no study at all.
        UnsupportedImage: ``source`` is not a folder or holds no study.
        OutputError: ``target`` cannot be written to.
        MissingPackage: torch, or what reaches the object store, is not installed.
        Cancelled: from ``progress``; what is done stays done.
    """
    devices.require_torch()
    inputs, place = stores.place_of(source), stores.place_of(target)
    progress = progress or ignore
    edits = decided(edits)
    _check_places(inputs, place)

    def hear() -> None:
        progress(0.0, "looking for studies")

    found = find(inputs, executor, hear) if isinstance(inputs, Path) else stores.find(inputs, executor, hear)
    studies = [one for one in found if isinstance(one, Study)]
    if not studies:
        raise UnsupportedImage(f"{source} holds no study that can be read.")
    wishes = Wishes(modality, replace_nan, tuple(beside))
    outputs = output_paths(studies, wishes.beside)
    folder = place if isinstance(place, Path) else Path()  # a task knows folders alone
    tasks = [Task(study, output, folder, edits, wishes) for study, output in zip(studies, outputs, strict=True)]
    if isinstance(inputs, Path) and isinstance(place, Path):
        _check_outputs(inputs, place, outputs)
    if isinstance(place, Path):
        _prepare(place)
    jobs = [stores.job(task, inputs, place) for task in tasks]
    rows = _one_by_one(jobs, progress) if executor is None else _on_executor(jobs, executor, progress)
    if isinstance(place, Path):
        remove_partials(place)
    done = iter(rows)
    return [_skipped(one) if isinstance(one, Passed) else next(done) for one in found]


@dataclass(frozen=True)
class Wishes:
    """What a batch does with each study beside restoring it; see ``batch``."""

    modality: str = ""
    replace_nan: float | None = None
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """One study of a batch; ``output`` is relative to ``target``. Called, it is done, by the same version alone."""

    study: Study
    output: Path
    target: Path
    edits: dict[str, Any]
    wishes: Wishes = Wishes()
    version: str = __version__

    def __call__(self, progress: Progress = ignore) -> Row:
        """Restore the study, unless that is done; what goes wrong is in the row. Only ``progress`` may raise."""
        start = time.perf_counter()
        if self.version != __version__:  # a worker that joined a cluster late
            return self.failed(f"the worker has MedRestore {__version__}, the batch is of {self.version}.")
        try:
            with alone(self._lock, waiting=partial(progress, 0.0, "")):
                return self._done(start, progress)
        except Cancelled:
            raise
        except MedRestoreError as error:
            return self.failed(str(error), start)
        except OSError as error:
            return self.failed(str(cannot_write(self.target / self.output, error)), start)
        except Exception as error:  # no study may end the others
            if devices.is_out_of_memory(error):
                return self.failed(NO_MEMORY, start)
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return self.failed(f"an unexpected {type(error).__name__} ended it ({where}); please report it.", start)

    def failed(self, message: str, start: float | None = None) -> Row:
        """The row of a study that failed; ``start`` is when it was begun."""
        seconds = 0.0 if start is None else round(time.perf_counter() - start, 2)
        return Row(printable(str(self.output)), "failed", seconds=seconds, message=printable(message))

    @property
    def fingerprint(self) -> str:
        """Of the input, the plan and the wishes; see ``records.fingerprint``."""
        return fingerprint(self.study, {**self.edits, **asdict(self.wishes)})

    @property
    def _lock(self) -> Path:
        """Who holds this file works on the output."""
        digest = hashlib.sha256(os.fsencode(self.output)).hexdigest()
        return self.target / f"{PARTIAL}{digest[:12]}.lock"

    def _done(self, start: float, progress: Progress) -> Row:
        name, output = printable(str(self.output)), self.target / self.output
        wishes, record = self.wishes, record_of(output)
        digest = self.fingerprint
        former = Record.read(record)
        if former is not None and former.holds(digest, output):
            return Row(name, "already done", **former.row)
        image = files.read(self.study.source, memory_gb=self.edits.get("memory_gb"), replace_nan=wishes.replace_nan)
        if wishes.modality:
            image = replace(image, modality=wishes.modality)
        result = restore(image, recommend(image, **self.edits), progress=progress)
        report = result.report.to_dict()
        plan, gain = report["plan"], report["gain"]
        output.parent.mkdir(parents=True, exist_ok=True)
        record.unlink(missing_ok=True)  # it is no longer true
        written = files.write_hashed(result.image, output, derivation=result.report.derivation, label=plan["method"])
        for path in companions.write(result, output, wishes.beside).values():
            written[path.name] = sha256(path)
        row = {
            "method": plan["method"],
            "noise": plan["noise"],
            "level": plan["level"],
            "gain_db": gain["gain_db"] if gain else None,
        }
        Record(digest, written, row, report).write(record)
        return Row(name, "restored", **row, seconds=round(time.perf_counter() - start, 2))


def _one_by_one(tasks: Sequence[Task | Distant], progress: Progress) -> list[Row]:
    rows: list[Row] = []
    pace = Pace(len(tasks))
    for index, task in enumerate(tasks):
        about = f"{printable(str(task.output))} ({pace(index)})"

        def one(fraction: float, message: str, index: int = index, about: str = about) -> None:
            progress((index + fraction) / len(tasks), about)

        one(0.0, "")
        rows.append(task(one))
    return rows


def _on_executor(tasks: Sequence[Task | Distant], executor: Executor, progress: Progress) -> list[Row]:
    """The rows of tasks that an executor does. Those that are lost with a process of its are done in one of ours."""
    rows: dict[int, Row] = {}
    lost: list[int] = []
    pace = Pace(len(tasks))

    def say() -> None:
        progress(len(rows) / len(tasks), pace(len(rows)))

    for index, future in ended(tasks, executor, say):
        if future.cancelled():
            raise Cancelled("the executor was shut down before the batch was done.")
        error = future.exception()
        if error is None:
            rows[index] = future.result()
        elif isinstance(error, MedRestoreError):
            rows[index] = tasks[index].failed(str(error))
        else:
            lost.append(index)
    lost.sort()
    for index, row in zip(lost, rescue.rows([tasks[index] for index in lost]), strict=True):
        rows[index] = row
        say()
    say()
    return [rows[index] for index in range(len(tasks))]


def _skipped(passed: Passed) -> Row:
    return Row(printable(str(passed.path)), "skipped", message=f"{printable(passed.path.name)} {passed.reason}.")


def _prepare(target: Path) -> None:
    try:
        target.mkdir(exist_ok=True)
    except OSError as error:
        raise cannot_write(target, error) from error
    remove_partials(target)


def _check_places(source: Path | Store, target: Path | Store) -> None:
    """Raise an error if a place cannot be what it shall be, or the target lies inside the source."""
    if isinstance(source, Path) and not source.is_dir():
        raise UnsupportedImage(f"{source} is not a folder of studies.")
    inner, outer = target.resolve(), source.resolve()
    if inner == outer or outer in inner.parents:
        raise OutputError(f"the output folder {target} lies inside the input folder; choose one elsewhere.")
    if isinstance(inner, Path):
        parent = inner if inner.exists() else inner.parent
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise OutputError(f"{parent} is missing or not writable; make it first or choose another output folder.")
        if shutil.disk_usage(parent).free == 0:
            raise OutputError(f"the disk of {parent} is full.")


def _check_outputs(source: Path, target: Path, outputs: Sequence[Path]) -> None:
    """Raise OutputError if an output would lie among the inputs: by links, or because the target holds the source."""
    inputs = source.resolve()
    for folder in {output.parent for output in outputs}:
        place = (target / folder).resolve()
        if place == inputs or inputs in place.parents:
            raise OutputError(f"{target / folder} lies among the studies that are read; choose another output folder.")
