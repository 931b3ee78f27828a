"""Ultrasound frames as a source: breasts (BUSI) and fetal heads (HC18), with lesion masks and classes.

Read once and kept on disk as 8-bit layers (frame, masks, and perhaps the despeckled frame), so that a training step
reads a patch.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MedRestoreLib.files import atomic
from training.recipe import RecipeError

from . import SPLITS, TENTHS, WHITE, Origin, Patient, data_folder, disk, duplicates, overlays

BREASTS = "ultrasound/busi"
FRAMES = {
    BREASTS: "breasts of BUSI (Al-Dhabyani et al., Data in Brief 2020, CC BY 4.0)",
    "ultrasound/hc18_half": "fetal heads of HC18 (van den Heuvel et al., Zenodo 1327317, CC BY 4.0)",
    "ultrasound/infant_hip": "hips of infants of the SPJ data set of NHBS-Net (Apache-2.0)",
}
LABELS = ("benign", "malignant", "normal", "fetal head")
MASK = re.compile(r"_mask(_\d+)?$")
HEAD = re.compile(r"(\d+)_\d*HC$")  # HC18's names: the scan's number; "2HC" and so on are more frames of one scan
LESION, OVERLAY = 1, 2  # bits of the layer of masks
CAREFUL = 0.7  # of the estimated level: the full level smooths tissue away, and a network would learn to do so

LIMITS = """\
- It has seen the organs named above alone, breasts from two scanners of one hospital. Other organs, probes and scanners
  were not among them.
- No frame without speckle exists. What it was taught to find is the frame before artificial speckle, or the frame as
  another method despeckled it: it inherits that method's mistakes.
- Frames that a scanner has smoothed already, or that were scaled or compressed much, have other speckle than it knows.
- A small or faint lesion can vanish and texture that a diagnosis rests on is removed by intent: look at the removed
  part and at the report's evidence. For research use only."""


class Layers(NamedTuple):
    """One frame as stored, uint8 ``(rows, columns)`` each; ``masks`` holds the bits LESION and OVERLAY.

    ``smooth``, the despeckled frame, is None unless it was asked for.
    """

    grey: np.ndarray
    masks: np.ndarray
    smooth: np.ndarray | None


class Ultrasound:
    """PNG frames below folders; ``NAME_mask.png``, ``NAME_mask_1.png`` ... are lesion masks of ``NAME.png``.

    The names are those of Kaggle's BUSI (``benign/benign (1).png``), of ours (``benign/benign_001.png``) and of HC18
    (``010_2HC.png``); the first two count as one name, so that a frame lies in the same split under either.

    Near-duplicates (see ``duplicates``) and frames of one scan form a cluster, and a cluster lies in one split. The
    held-out splits keep one frame per cluster, a proxy for one per patient: the files do not say who the patient is.

    Args:
        cache: folder that holds the frames as stored.
        folders: absolute, or below the folder of real studies (see ``training.data.data_folder``).
        patch: side of the square patches, pixels.
        side: rows and columns that each frame is resized to, as in the papers; 0 keeps the size.
        reduce: factor by which each frame is reduced first, by area averages, which weakens its own speckle; one
            number, or one for each folder.
        smooth: also despeckle the frames by NLLR: clean images for the B-mode simulator.
        key: of the data that an earlier training used.
        processes: how many read, and despeckle, in parallel; 0 is one per core.
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
        processes: int = 0,
    ) -> None:
        self.folders = [data_folder() / folder for folder in folders or [BREASTS]]
        if not isinstance(reduce, int) and len(reduce) != len(self.folders):
            raise RecipeError(f"there are {len(self.folders)} folders and {len(reduce)} numbers in 'reduce'.")
        self.patch, self.processes = patch, processes
        self.form = (side, reduce, smooth)
        named = [f"{_name(path)} {path.stat().st_size}" for path in self._files]
        self.key = hashlib.sha256("\n".join([*named, str(self.form)]).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the frames, or how they are read, are not those that the training began with.")
        self.folder = Path(cache).expanduser() / f"ultrasound-{self.key}"

    @classmethod
    def origin(cls, *, folders: list[str] | None = None, **arguments: object) -> Origin:
        frames = [FRAMES.get(folder, folder) for folder in folders or [BREASTS]]
        return Origin(f"ultrasound frames: {' and '.join(frames)}", LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        if not self._files:
            raise RecipeError(f"no frames in {self.folders[0]}; set MEDRESTORE_DATA to the folder of real studies.")
        side, _, smooth = self.form
        missing = [id for split in splits for id in self.patients(split) if not self._stored(id).exists()]
        if missing:
            jobs = [(self._files[id], self._stored(id), side, self._factor(self._files[id]), smooth) for id in missing]
            disk.fill(self.folder, _store, jobs, self.processes, "Reading frames")

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch from anywhere in a frame, flipped with probability 1/2 in either direction.

        It has a ``label`` (index into ``LABELS``, -1 for other frames) and, if that was asked for, ``smooth``.
        """
        id = self.patients("train")[rng.integers(len(self.patients("train")))]
        whole = np.load(self._stored(id), mmap_mode="r")
        row, column = (int(rng.integers(max(0, side - self.patch) + 1)) for side in whole.shape[1:])
        down, across = rng.choice((1, -1), 2)
        part = _filled(whole[:, row : row + self.patch, column : column + self.patch], self.patch)
        layers = _layers(np.ascontiguousarray(part[:, ::down, ::across]))
        sample = {
            "clean": layers.grey / WHITE,
            "lesions": layers.masks & LESION > 0,
            "mean": np.float32(whole[0].mean() / WHITE),
            "label": np.int64(self._label(id)),
        }
        return sample if layers.smooth is None else {**sample, "smooth": layers.smooth / WHITE}

    def patients(self, split: str) -> Sequence[int]:
        return self._members[split]

    def patient(self, id: int) -> Patient:
        layers = _layers(np.load(self._stored(id)))
        return Patient(
            id,
            layers.grey[None] / WHITE,
            layers.masks[None] & LESION > 0,
            label=self._label(id),
            overlays=layers.masks[None] & OVERLAY > 0,
            smooth=None if layers.smooth is None else layers.smooth[None] / WHITE,
        )

    def _label(self, id: int) -> int:
        path = self._files[id]
        kind = "fetal head" if HEAD.match(path.stem) else path.parent.name
        return LABELS.index(kind) if kind in LABELS else -1

    def _factor(self, path: Path) -> int:
        reduce = self.form[1]
        if isinstance(reduce, int):
            return reduce
        return next(by for folder, by in zip(self.folders, reduce, strict=True) if path.is_relative_to(folder))

    def _stored(self, id: int) -> Path:
        return self.folder / f"{id:04d}.npy"

    @cached_property
    def _files(self) -> list[Path]:
        found = [path for folder in self.folders for path in folder.rglob("*.png") if not MASK.search(path.stem)]
        return sorted(found, key=_name)

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        """Ids by split, in an order that mixes the classes."""
        members: dict[str, list[int]] = {split: [] for split in SPLITS}
        digests = [hashlib.sha256(_name(path).encode()).digest() for path in self._files]
        for cluster in self._clusters:
            split = next(split for split, tenths in TENTHS.items() if digests[cluster[0]][0] % 10 in tenths)
            members[split] += cluster if split == "train" else cluster[:1]
        return {split: sorted(ids, key=lambda id: digests[id]) for split, ids in members.items()}

    @cached_property
    def _clusters(self) -> list[list[int]]:
        """Ids by cluster; found once and stored, since that takes seconds."""
        path = self.folder / "clusters.json"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(path, json.dumps(_clustered(self._files)).encode())
        return json.loads(path.read_text(encoding="utf-8"))


def _clustered(files: list[Path]) -> list[list[int]]:
    """Ids by cluster, ascending: near-duplicates, and frames of one scan of HC18."""
    if not files:
        return []
    together = duplicates.clusters([duplicates.perceptual_hash(_grey(_read(path))) for path in files])
    for number in {match[1] for path in files if (match := HEAD.match(path.stem))}:
        scan = [id for id, path in enumerate(files) if (match := HEAD.match(path.stem)) and match[1] == number]
        together[np.isin(together, together[scan])] = together[scan[0]]
    return sorted([int(id) for id in np.flatnonzero(together == one)] for one in np.unique(together))


def _name(path: Path) -> str:
    """A frame's class and name, Kaggle's names in our form.

    >>> _name(Path("busi/benign/benign (7).png")), _name(Path("busi/benign/benign_007.png"))
    ('benign/benign_007', 'benign/benign_007')
    """
    numbered = re.sub(r" \((\d+)\)$", lambda match: f"_{int(match[1]):03d}", path.stem)
    return f"{path.parent.name}/{numbered}"


def _store(source: Path, target: Path, side: int, factor: int, smooth: bool) -> None:
    """Write one frame's layers."""
    frame = _read(source)
    lesions = [_grey(_read(path)) > 127 for path in source.parent.glob("*.png") if _is_mask_of(path, source)]
    masks = LESION * np.any([np.zeros(frame.shape[:2], bool), *lesions], axis=0) | OVERLAY * overlays.find(frame)
    rows, columns = (side or length // factor for length in frame.shape[:2])
    grey = _resized(_grey(frame), rows, columns)
    resized = [bit * (_resized(masks & bit, rows, columns) > bit / 2) for bit in (LESION, OVERLAY)]
    layers = [grey, np.sum(resized, axis=0)]
    if smooth:
        layers.append(np.clip(_despeckled(grey / WHITE) * WHITE, 0, WHITE))
    disk.save(target, np.stack([np.rint(layer).astype(np.uint8) for layer in layers]))


def _is_mask_of(path: Path, frame: Path) -> bool:
    return MASK.sub("", path.stem) == frame.stem and path != frame


def _despeckled(grey: np.ndarray) -> np.ndarray:
    """Despeckled by NLLR at CAREFUL times the frame's estimated level, on one core: other frames use the others."""
    import torch

    from MedRestoreLib.methods.nllr import nonlocal_low_rank
    from MedRestoreLib.noise.speckle import Speckle
    from MedRestoreLib.pipeline.plan import BMODE_DYNAMIC_RANGE_DB

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
    """The mean of the channels, float32 ``(rows, columns)``, 0 to 255: graphics alone are coloured."""
    return frame.mean(axis=2, dtype=np.float32) if frame.ndim == 3 else frame.astype(np.float32)


def _resized(layer: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Resized by area averages, or linearly where it grows; float32."""
    import cv2

    layer = layer.astype(np.float32)
    if layer.shape == (rows, columns):
        return layer
    smaller = rows < layer.shape[0] or columns < layer.shape[1]
    return cv2.resize(layer, (columns, rows), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _filled(part: np.ndarray, side: int) -> np.ndarray:
    """Layers mirrored at the border to at least ``side`` rows and columns."""
    lacking = [(0, 0), *((0, max(0, side - length)) for length in part.shape[1:])]
    return np.pad(part, lacking, mode="symmetric") if any(more for _, more in lacking) else part


def _layers(array: np.ndarray) -> Layers:
    return Layers(array[0], array[1], array[2] if len(array) > 2 else None)
