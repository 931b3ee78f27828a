"""Many studies, one after the other or on any Executor; stopped at any moment, it goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import Cancelled, MedRestoreError, OutputError, UnsupportedImage
from ..files import studies as files
from ..files.atomic import remove_partials
from ..files.headers import is_dicom
from ..pipeline.device import require_torch
from ..pipeline.plan import decided, recommend
from ..pipeline.progress import Progress, ignore
from ..pipeline.restore import restore
from ..version import __version__


@dataclass(frozen=True)
class Study:
    """One input of a batch: ``path`` is what ``files.read`` takes, ``series`` picks one of a folder's, ``output`` is
    where it goes below the target folder."""

    path: Path
    output: Path
    series: str = ""


@dataclass(frozen=True)
class Row:
    """What became of one study: "restored", "already done" or "failed" (``message`` says why)."""

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
    **edits: Any,
) -> list[Row]:
    """Restore every study below ``source`` into ``target``, in the same folders and formats (videos become NRRD).

    Beside each output stands its report, ``OUTPUT.json``. It is written last, with a fingerprint of the input and the
    plan: an output is skipped only if both are unchanged. A study that fails is reported and the next one begins.

    Args:
        source: folder, searched to the bottom.
        target: folder, made if need be; not inside ``source``.
        executor: any ``concurrent.futures.Executor`` (threads, processes, Dask); None runs here.
        progress: as for ``restore``, over all studies.
        **edits: fields of ``Plan``, the same for all studies.

    Returns:
        One row per study, in the order of their paths.

    Raises:
        InvalidPlan, UnknownNoise: an edit fits no study at all.
        UnsupportedImage: ``source`` is not a folder or holds no study.
        OutputError: ``target`` cannot be written to.
        MissingPackage: torch is not installed.
        Cancelled: from ``progress``; what is done stays done.
    """
    require_torch()
    source, target = Path(source), Path(target)
    progress = progress or ignore
    edits = decided(edits)
    _check_folders(source, target)
    studies = list(find_studies(source))
    if not studies:
        raise UnsupportedImage(f"{source} holds no study that can be read.")
    target.mkdir(exist_ok=True)
    remove_partials(target)
    rows: dict[int, Row] = {}
    if executor is None:
        for index, study in enumerate(studies):

            def one(fraction: float, message: str, index: int = index, study: Study = study) -> None:
                progress((index + fraction) / len(studies), f"{study.output} ({index + 1} of {len(studies)})")

            one(0.0, "")
            rows[index] = _restore_one(study, target, edits, one)
    else:
        futures = {executor.submit(_restore_one, study, target, edits): i for i, study in enumerate(studies)}
        for done, future in enumerate(as_completed(futures), 1):
            rows[futures[future]] = future.result()
            progress(done / len(studies), f"{done} of {len(studies)}")
    return [rows[index] for index in range(len(studies))]


def find_studies(source: Path) -> Iterator[Study]:
    """Every study below ``source``: image files, and the DICOM series of each folder."""
    for folder, subfolders, names in os.walk(source):
        subfolders.sort()
        here = Path(folder)
        below = here.relative_to(source)
        images = sorted(name for name in names if files.suffix_of(Path(name)) in files.IMAGES)
        outputs = [_output_name(name) for name in images]
        for name, output in zip(images, outputs, strict=True):
            twin = outputs.count(output) > 1  # scan.jpg beside scan.png
            yield Study(here / name, below / (f"{name}{files.suffix_of(Path(output))}" if twin else output))
        yield from _dicom_studies(here, below, sorted(set(names) - set(images)))


def _output_name(name: str) -> str:
    """The restored study's name: the format stays where it can be written without loss."""
    suffix = files.suffix_of(Path(name))
    kept = suffix in files.WRITTEN and suffix != ".mp4"
    other = {".mhd": ".mha", **dict.fromkeys((".tif", ".tiff", ".jpg", ".jpeg", ".bmp"), ".png")}
    return f"{name[: -len(suffix)]}{suffix if kept else other.get(suffix, '.nrrd')}"


def _dicom_studies(folder: Path, below: Path, names: list[str]) -> Iterator[Study]:
    candidates = [name for name in names if is_dicom(folder / name) or name.lower().endswith((".dcm", ".ima"))]
    if not candidates:
        return
    try:
        series = files.list_series(folder, recursive=False)
    except UnsupportedImage:  # each file then says on reading what is wrong with it
        yield from (Study(folder / name, below / f"{Path(name).stem}.dcm") for name in candidates)
        return
    for number, one in enumerate(series, 1):
        if len(one.files) == 1:
            yield Study(one.files[0], below / f"{one.files[0].stem}.dcm")
        else:
            yield Study(folder, below / f"series-{number}", one.uid)
    known = {file.name for one in series for file in one.files}
    yield from (Study(folder / name, below / f"{Path(name).stem}.dcm") for name in candidates if name not in known)


def _restore_one(study: Study, target: Path, edits: dict[str, Any], progress: Progress | None = None) -> Row:
    start = time.perf_counter()
    output = target / study.output
    record = output.with_name(f"{output.name}.json")
    name = str(study.output)
    try:
        fingerprint = _fingerprint(study, edits)
        done = _read_record(record)
        if done is not None and done.get("fingerprint") == fingerprint and output.exists():
            return Row(name, "already done", **done["row"])
        image = files.read(study.path, series=study.series or None)
        output.parent.mkdir(parents=True, exist_ok=True)
        result = restore(image, recommend(image, **edits), progress=progress)
        report = result.report.to_dict()
        plan, gain = report["plan"], report["gain"]
        files.write(result.image, output, derivation=result.report.derivation, label=plan["method"])
        row = {
            "method": plan["method"],
            "noise": plan["noise"],
            "level": plan["level"],
            "gain_db": gain["gain_db"] if gain else None,
        }
        files.write_text(record, json.dumps({"fingerprint": fingerprint, "row": row, "report": report}, indent=2))
        return Row(name, "restored", **row, seconds=round(time.perf_counter() - start, 2))
    except Cancelled:
        raise
    except MedRestoreError as error:
        return Row(name, "failed", seconds=round(time.perf_counter() - start, 2), message=str(error))


def _fingerprint(study: Study, edits: dict[str, Any]) -> str:
    """Changes whenever the output could: with the input's bytes, the plan or the version."""
    digest = hashlib.sha256(json.dumps([__version__, study.series, edits], sort_keys=True, default=str).encode())
    paths = sorted(study.path.iterdir()) if study.path.is_dir() else [study.path]
    for path in paths:
        if path.is_file():
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check_folders(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise UnsupportedImage(f"{source} is not a folder of studies.")
    inner, outer = target.resolve(), source.resolve()
    if inner == outer or outer in inner.parents:
        raise OutputError(f"the output folder {target} lies inside the input folder; choose one elsewhere.")
    parent = inner if inner.exists() else inner.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OutputError(f"{parent} is missing or not writable; make it first or choose another output folder.")
    if shutil.disk_usage(parent).free == 0:
        raise OutputError(f"the disk of {parent} is full.")
