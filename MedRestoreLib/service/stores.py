"""Object stores (s3:// and others, through fsspec) as source or target of a batch.

A study is fetched into a temporary folder, restored there, and put as whole objects: no reader sees half of one. Its
record goes first when an output is replaced, and comes last, as in a folder.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackage, UnsupportedImage
from ..files import studies as files
from ..progress import Progress, ignore
from .inputs import Folder, Passed, Study
from .outputs import record_of
from .records import Record
from .spread import answers

if TYPE_CHECKING:
    from .batch import Row, Task

# Stores whose objects appear whole, and the packages that reach them.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "memory": "fsspec"}
_HEADERS = (".nhdr", ".nrrd", ".mhd", ".mha", ".hv", ".h33", ".hdr")  # which may name data files
_LONGEST_HEADER = 1 << 22


def place_of(told: str | Path) -> Path | Store:
    """A folder of this machine, or the store that a URL names.

    Raises:
        UnsupportedImage: it is a URL of another kind.
        MissingPackage: the package that reaches this store is not installed.
    """
    protocol, is_url, _ = str(told).partition("://")
    if not is_url:
        return Path(told).absolute()  # the processes of an executor may be elsewhere
    if protocol not in PACKAGES:
        known = ", ".join(f"{one}://" for one in PACKAGES if one != "memory")
        raise UnsupportedImage(f"{protocol}:// is no store that a batch can use; these are: {known}.")
    store = Store(str(told).rstrip("/"))
    try:
        store.open()
    except ImportError as error:
        package = PACKAGES[protocol]
        raise MissingPackage(f"{package} is not installed: run 'pip install {package}'.") from error
    return store


@dataclass(frozen=True)
class Store:
    """A place in an object store, such as ``s3://bucket/studies``. Names are relative to it."""

    url: str

    def __str__(self) -> str:
        return self.url

    def resolve(self) -> Store:
        """Itself, for a store has no links."""
        return self

    @property
    def parents(self) -> list[Store]:
        """The places that it lies in."""
        protocol, _, rest = self.url.partition("://")
        parts = rest.split("/")
        return [Store(f"{protocol}://{'/'.join(parts[:count])}") for count in range(len(parts) - 1, 0, -1)]

    def open(self) -> tuple[Any, str]:
        """The fsspec file system, and where the place is in it."""
        import fsspec

        system, root = fsspec.core.url_to_fs(self.url)
        return system, str(root).rstrip("/")

    def walk(self) -> Iterator[tuple[Path, list[str]]]:
        """Each folder with the names of its objects; hidden ones are left out."""
        system, root = self.open()
        system.invalidate_cache()
        for here, subfolders, names in system.walk(root):
            below = Path(here.rstrip("/").removeprefix(root).lstrip("/"))
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            yield below, sorted(name for name in names if name and not name.startswith("."))

    def fetch(self, names: Iterable[Path], folder: Path) -> None:
        """Copy objects to their places below a folder; what is absent is left out."""
        system, root = self.open()
        for name in names:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                system.get_file(f"{root}/{name.as_posix()}", str(place))
            except FileNotFoundError:
                place.unlink(missing_ok=True)

    def fetch_start(self, name: Path, folder: Path, length: int) -> None:
        """Copy the first bytes of an object."""
        system, root = self.open()
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(system.cat_file(f"{root}/{name.as_posix()}", start=0, end=length) if length else b"")

    def put(self, names: Iterable[Path], folder: Path) -> None:
        """Put files below a folder as objects, in order."""
        system, root = self.open()
        for name in names:
            system.put_file(str(folder / name), f"{root}/{name.as_posix()}")

    def remove(self, names: Iterable[Path]) -> None:
        """Remove objects; those that are absent are none the worse."""
        system, root = self.open()
        for name in names:
            if system.exists(f"{root}/{name.as_posix()}"):
                system.rm_file(f"{root}/{name.as_posix()}")


@contextmanager
def filled(target: str | Path) -> Iterator[Path]:
    """A folder to write into: the target itself, or one whose files are put into the store when the block ends."""
    place = place_of(target)
    if isinstance(place, Path):
        yield place
        return
    with _temporary() as folder:
        yield folder
        place.put((file.relative_to(folder) for file in sorted(folder.rglob("*")) if file.is_file()), folder)


def find(store: Store, executor: Executor | None, hear: Callable[[], None]) -> list[Study | Passed]:
    """As ``inputs.find``; the paths of the studies are relative to the store."""
    looks = []
    try:
        for below, names in store.walk():
            hear()
            looks.append(partial(_look, store, below, tuple(names)))
    except Exception as error:  # of the package that reaches the store
        raise UnsupportedImage(f"{store.url} cannot be listed ({type(error).__name__}).") from error
    return list(chain.from_iterable(answers(looks, executor, hear)))


def _look(store: Store, below: Path, names: Sequence[str]) -> list[Study | Passed]:
    """The studies of a folder of a store. Of images their headers are enough; DICOM is fetched whole."""
    with _temporary() as folder:
        (folder / below).mkdir(parents=True, exist_ok=True)
        try:
            for name in names:
                suffix = files.suffix_of(Path(name))
                if suffix in files.IMAGES or name.endswith(".json"):
                    store.fetch_start(below / name, folder, _LONGEST_HEADER if suffix in _HEADERS else 0)
                else:
                    store.fetch([below / name], folder)
        except Exception as error:
            return [Passed(below, f"cannot be fetched ({type(error).__name__})")]
        found = list(Folder(folder / below, below, tuple(names)).look())
        return [moved(one, folder, Path()) if isinstance(one, Study) else one for one in found]


def moved(study: Study, before: Path, after: Path) -> Study:
    """The study where its files lie below another folder than before."""

    def path(old: Path) -> Path:
        return after / old.relative_to(before)

    source = study.source
    there = path(source) if isinstance(source, Path) else replace(source, files=tuple(map(path, source.files)))
    return replace(study, source=there, files=tuple(map(path, study.files)))


def job(task: Task, source: Path | Store, target: Path | Store) -> Task | Distant:
    """A task that fetches and puts, where its source or target is a store."""
    if isinstance(source, Path) and isinstance(target, Path):
        return task
    stores = [place if isinstance(place, Store) else None for place in (source, target)]
    return Distant(task, *stores)


@dataclass(frozen=True)
class Distant:
    """A task whose source, target or both are stores; None: it is a folder, and the task knows it."""

    task: Task
    source: Store | None
    target: Store | None

    @property
    def output(self) -> Path:
        """That of the task."""
        return self.task.output

    def failed(self, message: str, start: float | None = None) -> Row:
        """That of the task."""
        return self.task.failed(message, start)

    def __call__(self, progress: Progress = ignore) -> Row:
        """Fetch, restore and put; what goes wrong is in the row. Only ``progress`` may raise."""
        with _temporary() as folder:
            task = self.task
            try:
                if self.source is not None:
                    self.source.fetch(task.study.files, folder / "in")
                    task = replace(task, study=moved(task.study, Path(), folder / "in"))
                if self.target is not None:
                    task = replace(task, target=folder / "out")
                    former = self._former(task)
            except Exception as error:
                return self.failed(f"it cannot be fetched ({type(error).__name__}).")
            row = task(progress)
            if self.target is None or row.status != "restored":
                return row
            try:
                self._put(task, former)
            except Exception as error:
                return self.failed(f"it cannot be put into {self.target.url} ({type(error).__name__}).")
            return row

    def _former(self, task: Task) -> list[Path]:
        """Fetch the former output, if it is of this input and plan; the names of all its files."""
        assert self.target is not None
        task.target.mkdir()
        name = record_of(task.output)
        self.target.fetch([name], task.target)
        record = Record.read(task.target / name)
        if record is None:
            return []
        names = [task.output.parent / file for file in record.files]
        if record.fingerprint == task.fingerprint:
            self.target.fetch(names, task.target)
        return names

    def _put(self, task: Task, former: Sequence[Path]) -> None:
        """Put the output: its record goes first and comes last, its header or image after its data files."""
        assert self.target is not None
        name = record_of(task.output)
        record = Record.read(task.target / name)
        assert record is not None
        made = [task.output.parent / file for file in record.files]
        gone = [file for file in former if file not in made]
        main = [file for file in made if file == task.output]
        rest = [file for file in made if file != task.output]
        self.target.remove([name, *(main if rest else []), *gone])
        self.target.put([*rest, *main, name], task.target)


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="medrestore-store-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
