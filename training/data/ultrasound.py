"""Ultrasound frames as a source: BUSI's breasts and HC18's fetal heads, with what is known of each frame.

Read once, kept on disk as 8-bit layers (frame, marks, perhaps the despeckled frame), so that a step reads a patch.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MedRestoreLib.files import atomic
from MedRestoreLib.pipeline.plan import BMODE_DYNAMIC_RANGE_DB
from training.data import SPLITS, TENTHS, Patient, data_folder
from training.recipe import RecipeError

from . import alike, overlays

LABELS = ("benign", "malignant", "normal", "fetal head")
MASK = re.compile(r"_mask(_\d+)?$")
HEAD = re.compile(r"(\d+)_\d*HC$")  # HC18's names: the scan's number; "2HC" and so on are more frames of one scan
OUTLINED, DRAWN = 1, 2  # bits of the marks
WHITE = np.float32(255)
CAREFUL = 0.7  # of the estimated level: more would smooth tissue away, and a network would learn to do so


class Layers(NamedTuple):
    """One frame as it is kept, uint8 ``(rows, columns)`` each; ``smooth`` is None unless it was asked for."""

    grey: np.ndarray
    marks: np.ndarray
    smooth: np.ndarray | None


class Ultrasound:
    """PNG frames below folders, ``NAME_mask.png`` and ``NAME_mask_1.png`` ... being outlines in ``NAME.png``.

    The names are those of Kaggle's BUSI (``benign/benign (1).png``), of ours (``benign/benign_001.png``) and of HC18
    (``010_2HC.png``); the first two count as one name, so that a frame lies in the same split whatever it is called.

    Frames that look alike, or are of one scan, form a cluster (see ``alike``) and share a split. In the held-out splits
    each cluster shows its first frame alone: there a frame is a patient, as far as can be told.

    Args:
        cache: folder that holds the frames as they are read.
        folders: absolute, or below the folder of real studies (see ``training.data.data_folder``).
        patch: side of the square patches, pixels.
        side: rows and columns that each frame is squeezed to, as the papers do; 0 keeps them.
        reduce: by how much each frame is reduced first, by area averages, which weakens its own speckle; a number, or
            one for each folder.
        smooth: also despeckle the frames by NLLR, as clean images for the physical simulator.
        key: of the data that an earlier training used.
        processes: that read, and despeckle, at the same time.
    """

    def __init__(
        self,
        cache: Path,
        *,
        folders: list[str] | None = None,
        patch: int = 128,
        side: int = 0,
        reduce: int | list[int] = 1,
        smooth: bool = False,
        key: str = "",
        processes: int = 2,
    ) -> None:
        self.folders = [data_folder() / folder for folder in folders or ["ultrasound/busi"]]
        if not isinstance(reduce, int) and len(reduce) != len(self.folders):
            raise RecipeError(f"there are {len(self.folders)} folders and {len(reduce)} numbers in 'reduce'.")
        self.patch, self.processes = patch, processes
        self.form = (side, reduce, smooth)
        named = [f"{_name(path)} {path.stat().st_size}" for path in self._files]
        self.key = hashlib.sha256("\n".join([*named, str(self.form)]).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the frames, or how they are read, are not those that the training began with.")
        self.folder = Path(cache).expanduser() / f"ultrasound-{self.key}"

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        """Read what is missing, and despeckle it if that was asked for."""
        if not self._files:
            raise RecipeError(f"no frames in {self.folders[0]}; set MEDRESTORE_DATA to the folder of real studies.")
        side, _, smooth = self.form
        missing = [id for split in splits for id in self.patients(split) if not self._kept(id).exists()]
        if not missing:
            return
        print(f"Reading {len(missing)} frames into {self.folder}", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.remove_partials(self.folder)
        jobs = [(self._files[id], self._kept(id), side, self._reduced(self._files[id]), smooth) for id in missing]
        for done, _ in enumerate(_all_kept(jobs, self.processes), 1):
            if done % 100 == 0:
                print(f"  {done} of {len(missing)}", flush=True)

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch anywhere in a frame, flipped half of the time in either direction.

        Holds ``label`` (int64, of ``LABELS``, -1 for other frames) and, if it was asked for, ``smooth``.
        """
        id = self.patients("train")[rng.integers(len(self.patients("train")))]
        whole = np.load(self._kept(id), mmap_mode="r")
        row, column = (int(rng.integers(max(0, side - self.patch) + 1)) for side in whole.shape[1:])
        down, across = rng.choice((1, -1), 2)
        part = _filled(whole[:, row : row + self.patch, column : column + self.patch], self.patch)
        layers = _layers(np.ascontiguousarray(part[:, ::down, ::across]))
        sample = {
            "clean": layers.grey / WHITE,
            "lesions": layers.marks & OUTLINED > 0,
            "mean": np.float32(whole[0].mean() / WHITE),
            "label": np.int64(self._label(id)),
        }
        return sample if layers.smooth is None else {**sample, "smooth": layers.smooth / WHITE}

    def patients(self, split: str) -> Sequence[int]:
        return self._members[split]

    def patient(self, id: int) -> Patient:
        layers = _layers(np.load(self._kept(id)))
        return Patient(
            id,
            layers.grey[None] / WHITE,
            layers.marks[None] & OUTLINED > 0,
            label=self._label(id),
            overlays=layers.marks[None] & DRAWN > 0,
            smooth=None if layers.smooth is None else layers.smooth[None] / WHITE,
        )

    def _label(self, id: int) -> int:
        path = self._files[id]
        kind = "fetal head" if HEAD.match(path.stem) else path.parent.name
        return LABELS.index(kind) if kind in LABELS else -1

    def _reduced(self, path: Path) -> int:
        reduce = self.form[1]
        if isinstance(reduce, int):
            return reduce
        return next(by for folder, by in zip(self.folders, reduce, strict=True) if path.is_relative_to(folder))

    def _kept(self, id: int) -> Path:
        return self.folder / f"{id:04d}.npy"

    @cached_property
    def _files(self) -> list[Path]:
        found = [path for folder in self.folders for path in folder.rglob("*.png") if not MASK.search(path.stem)]
        return sorted(found, key=_name)

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        """Ids by split, the held-out ones in an order that mixes their kinds."""
        members: dict[str, list[int]] = {split: [] for split in SPLITS}
        digests = [hashlib.sha256(_name(path).encode()).digest() for path in self._files]
        for cluster in self._clusters:
            split = next(split for split, tenths in TENTHS.items() if digests[cluster[0]][0] % 10 in tenths)
            members[split] += cluster if split == "train" else cluster[:1]
        return {split: sorted(ids, key=lambda id: digests[id]) for split, ids in members.items()}

    @cached_property
    def _clusters(self) -> list[list[int]]:
        """Ids that belong together, found once and kept: it takes seconds."""
        path = self.folder / "clusters.json"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, json.dumps(_clustered(self._files)).encode())
        return json.loads(path.read_text(encoding="utf-8"))


def _clustered(files: list[Path]) -> list[list[int]]:
    """Ids of frames that look alike or are of one of HC18's scans, together; in ascending order."""
    if not files:
        return []
    together = alike.clusters([alike.perceptual_hash(_grey(_read(path))) for path in files])
    for number in {match[1] for path in files if (match := HEAD.match(path.stem))}:
        scan = [id for id, path in enumerate(files) if (match := HEAD.match(path.stem)) and match[1] == number]
        together[np.isin(together, together[scan])] = together[scan[0]]
    return sorted([int(id) for id in np.flatnonzero(together == one)] for one in np.unique(together))


def _name(path: Path) -> str:
    """A frame's kind and name, Kaggle's in our form.

    >>> _name(Path("busi/benign/benign (7).png")), _name(Path("busi/benign/benign_007.png"))
    ('benign/benign_007', 'benign/benign_007')
    """
    numbered = re.sub(r" \((\d+)\)$", lambda match: f"_{int(match[1]):03d}", path.stem)
    return f"{path.parent.name}/{numbered}"


def _all_kept(jobs: list[tuple[Path, Path, int, int, bool]], processes: int) -> Iterator[None]:
    """Do the jobs, arguments of ``_keep``, in so many processes; yields as they end."""
    if processes == 1:
        yield from (_keep(*job) for job in jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for job in as_completed([pool.submit(_keep, *job) for job in jobs]):
            yield job.result()


def _keep(source: Path, target: Path, side: int, reduce: int, smooth: bool) -> None:
    """Write one frame's layers in one step: the file is whole or absent."""
    frame = _read(source)
    outlines = [_grey(_read(path)) > 127 for path in source.parent.glob("*.png") if _is_mask_of(path, source)]
    marks = OUTLINED * np.any([np.zeros(frame.shape[:2], bool), *outlines], axis=0) | DRAWN * overlays.drawn(frame)
    rows, columns = (side or length // reduce for length in frame.shape[:2])
    grey = _resized(_grey(frame), rows, columns)
    kept = [bit * (_resized(marks & bit, rows, columns) > bit / 2) for bit in (OUTLINED, DRAWN)]
    layers = [grey, np.sum(kept, axis=0)]
    if smooth:
        layers.append(np.clip(_despeckled(grey / WHITE) * WHITE, 0, WHITE))
    buffer = io.BytesIO()
    np.save(buffer, np.stack([np.rint(layer).astype(np.uint8) for layer in layers]))
    atomic.write_bytes(target, buffer.getvalue())


def _is_mask_of(path: Path, frame: Path) -> bool:
    return MASK.sub("", path.stem) == frame.stem and path != frame


def _despeckled(grey: np.ndarray) -> np.ndarray:
    """By NLLR at the frame's own level, on one core: other frames have the others."""
    import torch

    from MedRestoreLib.methods.nllr import nonlocal_low_rank
    from MedRestoreLib.noise.speckle import Speckle

    torch.set_num_threads(1)
    level = CAREFUL * (Speckle.estimate(grey[None, None]).level or 0.2)
    reference = Speckle.bind(grey[None, None], level).reference
    with torch.inference_mode():
        images = torch.from_numpy(grey.astype(np.float32))[None, None]
        return nonlocal_low_rank(images, level, compressed=BMODE_DYNAMIC_RANGE_DB, reference=reference)[0, 0].numpy()


def _read(path: Path) -> np.ndarray:
    """uint8, ``(rows, columns)`` or ``(rows, columns, 3)``. Raises RecipeError."""
    import cv2

    frame = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if frame is None:
        raise RecipeError(f"{path} is not a PNG file that can be read.")
    return frame


def _grey(frame: np.ndarray) -> np.ndarray:
    """float32 ``(rows, columns)``, 0 to 255."""
    return frame.mean(axis=2, dtype=np.float32) if frame.ndim == 3 else frame.astype(np.float32)


def _resized(layer: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """By area averages; float32."""
    import cv2

    layer = layer.astype(np.float32)
    if layer.shape == (rows, columns):
        return layer
    smaller = rows < layer.shape[0] or columns < layer.shape[1]
    return cv2.resize(layer, (columns, rows), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _filled(part: np.ndarray, side: int) -> np.ndarray:
    """Layers continued by their mirror image to at least ``side`` rows and columns."""
    lacking = [(0, 0), *((0, max(0, side - length)) for length in part.shape[1:])]
    return np.pad(part, lacking, mode="symmetric") if any(more for _, more in lacking) else part


def _layers(array: np.ndarray) -> Layers:
    return Layers(array[0], array[1], array[2] if len(array) > 2 else None)
