"""Clean MR volumes and what is cut out of them: blocks of neighbouring slices, for networks of one slice or several.

A subject's studies, whatever their contrast, lie in one split. Real studies have noise of their own, which is made
weaker by averaging; two brains and the drawn tissues are nearly free of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from training.recipe import RecipeError
from training.simulate.blocks import drawn, drifting, planted, recontrasted

from . import SPLITS, TENTHS, Origin, Patient, data_folder, disk

DEEPEST = 65535  # of 16 bits; stands for 1
DATA = (
    "heads (MS data set of the University of Ljubljana, Lesjak et al. 2016 and 2017, CC BY; Colin27 of the MNI, BSD-3; "
    "FNNDSC, Apache-2.0), hearts (Sunnybrook Cardiac Data, Radau et al. 2009, CC0), slices drawn from tissue labels "
    "(BrainWeb, as packaged by KomaMRI, MIT), and shapes made by code"
)
LIMITS = """\
- Real studies have noise of their own; averaging made it weaker, not nothing: some of it counts as signal here.
- Seven heads, 38 hearts: not a population. For research use only."""
SHAPES = "shapes"
DARK = 0.05  # a block whose mean is below shows nothing; another is drawn
TRIES = 20
PLANES = 3  # of each held-out study
THICKNESSES = (1, 1, 2, 3)  # slices of an isotropic volume that are averaged into one
CURVED, WITH_LESIONS = 0.5, 0.3  # shares of the blocks with another contrast, and with lesions

# Subjects that are in no training. Of hearts, TENTHS decides.
HELD_OUT = {
    "validation": ("patient20", "fnndsc_child"),
    "test": ("patient04", "studyforrest", "mni152", "spine", "cardiac_lge_utah"),
}


@dataclass(frozen=True)
class Kind:
    """One kind of studies.

    Attributes:
        patterns: of the files.
        read: a file as float32 ``(slices, rows, columns)`` in [0, 1].
        subject: whose study it is.
        isotropic: may be cut along any axis, and slices may be averaged.
        volume: its slices are neighbours; else each stands for itself.
        quiet: nearly free of noise, so that its contrast may be changed.
    """

    patterns: tuple[str, ...]
    read: Callable[[Path], np.ndarray]
    subject: Callable[[Path], str]
    isotropic: bool = False
    volume: bool = True
    quiet: bool = False


def _volume(path: Path) -> np.ndarray:
    """The 99.95th percentile at 1."""
    import SimpleITK as sitk

    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    return np.clip(voxels / np.quantile(voxels, 0.9995), 0, 1)


def _halved(volume: np.ndarray, axes: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Means of neighbouring pairs along the axes."""
    for axis in axes:
        pairs = np.moveaxis(volume, axis, 0)[: volume.shape[axis] // 2 * 2]
        volume = np.moveaxis((pairs[::2] + pairs[1::2]) / 2, 0, axis)
    return volume


def _picture(path: Path) -> np.ndarray:
    import cv2

    return _halved(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[None].astype(np.float32) / 255)


# Signals of air, fluid, grey and white matter, fat, muscle, skin, skull, vessels, fat around muscle, dura, marrow.
WEIGHTINGS = {
    "T1w": (0.0, 0.25, 0.55, 0.8, 1.0, 0.5, 0.7, 0.05, 0.35, 0.85, 0.5, 0.9),
    "T2w": (0.0, 1.0, 0.55, 0.4, 0.6, 0.3, 0.45, 0.05, 0.1, 0.5, 0.35, 0.55),
    "PDw": (0.0, 1.0, 0.85, 0.7, 0.8, 0.7, 0.75, 0.1, 0.6, 0.75, 0.65, 0.8),
}


def _tissues(path: Path) -> np.ndarray:
    """The three slices of tissue labels in three weightings at 1 mm, padded to one shape."""
    from scipy.io import loadmat

    labels = [loadmat(path)[name] for name in ("axial", "coronal", "sagittal")]
    rows, columns = (max(plane.shape[axis] for plane in labels) for axis in (0, 1))
    planes = [np.pad(p, ((0, rows - p.shape[0]), (0, columns - p.shape[1]))) for p in labels]
    every = np.unique(planes[0])
    signals = [np.asarray(of, np.float32)[np.searchsorted(every, np.stack(planes))] for of in WEIGHTINGS.values()]
    return _halved(np.concatenate(signals))


def _folder(path: Path) -> str:
    return path.parent.name


def _word(path: Path) -> str:
    return path.name.partition("_study")[0].partition("_t1")[0].partition(".")[0].partition("-IM")[0]


KINDS: dict[str, Kind] = {
    "quiet_heads": Kind(
        ("mri/colin27/*.nii.gz", "mri/fnndsc_eun/*.nii.gz"), _volume, _folder, isotropic=True, quiet=True
    ),
    "average": Kind(("mri/mni152_t1.nii.gz",), _volume, _word, isotropic=True, quiet=True),
    "heads": Kind(
        ("mri/fnndsc_adult/*.nii.gz", "mri/fnndsc_child/*.nii.gz"),
        lambda path: _halved(_volume(path), (0, 1, 2)),
        _folder,
        isotropic=True,
    ),
    "fine_head": Kind(
        ("mri/t1w_0.7mm.nii.gz",),
        lambda path: _halved(_volume(path), (0, 1, 2)),
        lambda _: "studyforrest",
        isotropic=True,
    ),
    "clinical_heads": Kind(("mri/ms_slovenia/*.nii.gz",), lambda path: _halved(_volume(path)), _word),
    "spines": Kind(("mri/spine/t1w.nii.gz", "mri/spine/t2.nii.gz"), _volume, _folder, isotropic=True),
    "thorax": Kind(("mri/cardiac_lge_utah/*.nii.gz",), _volume, _folder),
    "hearts": Kind(("mri/cardiac_cine_sunnybrook/*.png",), _picture, _word, volume=False),
    "tissues": Kind(("mri/brain_tissue_labels.mat",), _tissues, lambda _: "brainweb", volume=False, quiet=True),
}


class Volumes:
    """Blocks of neighbouring slices of all kinds, in the given shares.

    Args:
        cache: folder that holds the volumes, 16-bit.
        shares: of the samples, by kind: names in ``KINDS``, and "shapes" made by code. Kinds of which no subject is in
            the training split are read for tests alone.
        patch: side of the square slices of a block, pixels.
        depth: slices of a block.
        contrasts: only studies whose file's name holds one of these, such as "T1W"; all if empty.
        key: of the data that an earlier training used.
    """

    def __init__(
        self,
        cache: Path,
        *,
        shares: dict[str, float],
        patch: int = 128,
        depth: int = 1,
        contrasts: tuple[str, ...] = (),
        key: str = "",
    ) -> None:
        if unknown := set(shares) - set(KINDS) - {SHAPES}:
            raise RecipeError(
                f"there are no studies of kind '{unknown.pop()}'; there are {', '.join(KINDS)}, {SHAPES}."
            )
        self.patch, self.depth, self.contrasts = patch, depth, tuple(contrasts)
        self.shares = dict(shares)
        names = [path.name for _, path in self._studies]
        self.key = hashlib.sha256(repr((shares, depth, names)).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the studies are not those that the training began with; set MEDRESTORE_DATA to them.")
        self.folder = Path(cache).expanduser() / "magnetic"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(DATA, LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        if not self._studies:
            raise RecipeError(f"there are no studies in {data_folder()}; set MEDRESTORE_DATA to their folder.")
        stored = [(kind, path, self._stored(kind, path)) for kind, path in self._studies]
        if missing := [job for job in stored if not job[2].exists()]:
            disk.fill(self.folder, _read, missing, 1, "Reading volumes")

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """``clean``, the middle slice of a block, and of several slices the ``stack`` ``(depth, rows, columns)``."""
        block = self.block(rng, self.depth, self.patch)
        found = {"clean": np.ascontiguousarray(block[self.depth // 2])}
        return found | {"stack": block} if self.depth > 1 else found

    def block(self, rng: np.random.Generator, depth: int, side: int, split: str = "train") -> np.ndarray:
        """Neighbouring slices of a split, float32 ``(depth, side, side)`` in [0, 1]."""
        files = self._files[split]
        kinds = [kind for kind in self.shares if self.shares[kind] and (kind == SHAPES or kind in files)]
        chances = np.array([self.shares[kind] for kind in kinds])
        for _ in range(TRIES):
            kind = kinds[rng.choice(len(kinds), p=chances / chances.sum())]
            paths = files.get(kind, [])
            block = drawn(rng, depth, side) if kind == SHAPES else self._cut(kind, paths, rng, depth, side)
            if block.mean() > DARK:
                break
        if kind != SHAPES and KINDS[kind].quiet and rng.random() < CURVED:
            block = recontrasted(rng, block)
        if rng.random() < WITH_LESIONS:
            block = planted(rng, block)
        turned = np.rot90(block, rng.integers(4), (1, 2))[:: rng.choice((1, -1)), :: rng.choice((1, -1))]
        return np.ascontiguousarray(turned, dtype=np.float32)

    def members(self, split: str) -> list[tuple[str, Path]]:
        """The kind and the file of every study of a split."""
        return [(kind, path) for kind, path in self._studies if _split(kind, path) == split]

    def volume(self, id: int) -> np.ndarray:
        """A whole study, float32 ``(slices, rows, columns)`` in [0, 1]; of hearts and tissues, slices by themselves."""
        return np.divide(np.load(self._stored(*self._studies[id])), DEEPEST, dtype=np.float32)

    def name(self, id: int) -> str:
        """The subject and file of a study."""
        kind, path = self._studies[id]
        return f"{KINDS[kind].subject(path)}: {path.name.partition('.nii')[0]}"

    def patients(self, split: str) -> Sequence[int]:
        """Ids of the studies of a split; one subject may have several, all in the same split."""
        return [id for id, (kind, path) in enumerate(self._studies) if _split(kind, path) == split]

    def patient(self, id: int) -> Patient:
        """Some slices of a study."""
        volume = self.volume(id)
        seen = np.flatnonzero(volume.mean(axis=(1, 2)) > DARK)
        clean = volume[seen[((np.arange(PLANES) + 0.5) * len(seen) / PLANES).astype(int)]]
        return Patient(id, clean, np.zeros(clean.shape, bool))

    def _cut(self, kind: str, paths: list[Path], rng: np.random.Generator, depth: int, side: int) -> np.ndarray:
        row = KINDS[kind]
        whole = np.load(self._stored(kind, paths[rng.integers(len(paths))]), mmap_mode="r")
        axis = int(rng.integers(3)) if row.isotropic else 0
        thick = int(rng.choice(THICKNESSES)) if row.isotropic else 1
        stack = np.moveaxis(whole, axis, 0)
        if not row.volume:
            plane = _square(stack[rng.integers(len(stack))][None], side + depth, rng)
            return drifting(rng, np.divide(plane[0], DEEPEST, dtype=np.float32), depth)[:, :side, :side]
        thick = min(thick, max(1, len(stack) // depth))
        first = int(rng.integers(max(1, len(stack) - depth * thick + 1)))
        cut = np.divide(_square(stack[first : first + depth * thick], side, rng), DEEPEST, dtype=np.float32)
        cut = cut[: len(cut) // thick * thick].reshape(-1, thick, side, side).mean(1)
        return cut if len(cut) == depth else np.pad(cut, ((0, depth - len(cut)), (0, 0), (0, 0)), mode="symmetric")

    @cached_property
    def _files(self) -> dict[str, dict[str, list[Path]]]:
        """Files by split and kind."""
        found: dict[str, dict[str, list[Path]]] = {split: {} for split in SPLITS}
        for split in SPLITS:
            for kind, path in self.members(split):
                found[split].setdefault(kind, []).append(path)
        return found

    @cached_property
    def _studies(self) -> list[tuple[str, Path]]:
        found = [
            (kind, path)
            for kind in self.shares
            if kind != SHAPES
            for pattern in KINDS[kind].patterns
            for path in sorted(data_folder().glob(pattern))
            if not path.stem.endswith("_mask")
        ]
        return [(k, p) for k, p in found if not self.contrasts or any(c in p.name for c in self.contrasts)]

    def _stored(self, kind: str, path: Path) -> Path:
        return self.folder / f"{kind}-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.npy"


def _split(kind: str, path: Path) -> str:
    subject = KINDS[kind].subject(path)
    for split, subjects in HELD_OUT.items():
        if subject in subjects:
            return split
    if kind != "hearts":  # too few to give a tenth away
        return "train"
    tenth = hashlib.sha256(subject.encode()).digest()[0] % 10
    return next(split for split in SPLITS if tenth in TENTHS[split])


def _square(stack: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Rows and columns at random, mirrored where the stack is smaller."""
    lacking = [(0, max(0, side - length)) for length in stack.shape[1:]]
    row, column = (int(rng.integers(max(1, length - side + 1))) for length in stack.shape[1:])
    cut = stack[:, row : row + side, column : column + side]
    return np.pad(cut, [(0, 0), *lacking], mode="symmetric") if any(more for _, more in lacking) else cut


def _read(kind: str, path: Path, stored: Path) -> None:
    disk.save(stored, np.rint(KINDS[kind].read(path) * DEEPEST).astype(np.uint16))
