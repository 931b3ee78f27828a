"""Clean images of many kinds as one source, for networks that must not know what they look at.

Real studies have noise of their own; here it is made weaker by averaging 2x2 pixels or 2x2x2 voxels. What remains
teaches a network to keep some noise, so studies nearly without noise and shapes made by code are shown as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np

from training.recipe import RecipeError

from . import SPLITS, TENTHS, Origin, Patient, data_folder, disk

DEEPEST = 65535  # of 16 bits; stands for 1
DATA = (
    "photographs (CC0), heads (MS data set of the University of Ljubljana, Lesjak et al. 2016 and 2017, CC BY; Colin27 "
    "of the MNI, BSD-3; FNNDSC, Apache-2.0), hearts (Sunnybrook Cardiac Data, Radau et al. 2009, CC0), breasts (BUSI, "
    "Al-Dhabyani et al. 2020, CC BY 4.0), and shapes made by code"
)
LIMITS = """\
- Real studies have noise of their own; averaging made it weaker, not nothing: some of it counts as signal here.
- The noise is white. On coloured noise it removes too little.
- What repeats itself exactly, such as the bars of a phantom, BM3D restores better by 2 to 9 dB; T2 spines and muscle as
  well, by up to 0.6 dB. It is no method alone: `slices` refines its result and BM3D's.
- Nine heads, 38 hearts: not a population. For research use only."""
SHAPES = "shapes"
DARK = 0.02  # a patch whose brightest pixel is below shows nothing; another is drawn
BAR_PHANTOMS = 0.3  # share of them among the shapes
PLANES_HELD_OUT = 3  # of each held-out subject


@dataclass(frozen=True)
class Kind:
    """One kind of images: which files, how one becomes planes in [0, 1], and whose it is."""

    patterns: tuple[str, ...]
    read: Callable[[Path], np.ndarray]
    subject: Callable[[Path], str]


def _picture(path: Path) -> np.ndarray:
    import cv2

    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[None].astype(np.float32) / 255


def _halved(planes: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels of each plane."""
    rows, columns = (side // 2 * 2 for side in planes.shape[1:])
    cut = planes[:, :rows, :columns]
    return (cut[:, ::2, ::2] + cut[:, 1::2, ::2] + cut[:, ::2, 1::2] + cut[:, 1::2, 1::2]) / 4


def _volume(path: Path) -> np.ndarray:
    """Float32 ``(slices, rows, columns)``, its 99.95th percentile at 1."""
    import SimpleITK as sitk

    voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    return np.clip(voxels / np.quantile(voxels, 0.9995), 0, 1)


def _along_all_axes(volume: np.ndarray, every: int = 3) -> np.ndarray:
    """Every third plane across each axis that shows something, padded to one shape."""
    planes = [plane for axis in range(3) for plane in np.moveaxis(volume, axis, 0)[::every]]
    seen = [plane for plane in planes if np.mean(plane > 0.1) > 0.1]
    rows, columns = (max(plane.shape[axis] for plane in seen) for axis in (0, 1))
    return np.stack([np.pad(p, ((0, rows - p.shape[0]), (0, columns - p.shape[1]))) for p in seen])


def _quiet_head(path: Path) -> np.ndarray:
    return _along_all_axes(_volume(path))


def _head(path: Path) -> np.ndarray:
    """An isotropic volume, averaged over 2x2x2 voxels."""
    volume = _halved(_volume(path))
    return _along_all_axes((volume[0 : len(volume) // 2 * 2 : 2] + volume[1::2][: len(volume) // 2]) / 2)


def _thick_slices(path: Path) -> np.ndarray:
    planes = _halved(_volume(path))
    return planes[np.mean(planes > 0.1, axis=(1, 2)) > 0.1]


def _stem(path: Path) -> str:
    return path.stem


def _first_word(path: Path) -> str:
    return path.name.split("_")[0]


# What is kept for tests of the whole is not listed: the 0.7 mm head, MNI152, the child, spines, thorax, hips, muscle.
KINDS: dict[str, Kind] = {
    "photographs": Kind(("natural/*.png",), _picture, _stem),
    "quiet_heads": Kind(
        ("mri/colin27/*.nii.gz", "mri/fnndsc_eun/*.nii.gz"), _quiet_head, lambda path: path.parent.name
    ),
    "heads": Kind(("mri/fnndsc_adult/*.nii.gz",), _head, lambda path: path.parent.name),
    "clinical_heads": Kind(("mri/ms_slovenia/*.nii.gz",), _thick_slices, _first_word),
    "hearts": Kind(("mri/cardiac_cine_sunnybrook/*.png",), lambda path: _halved(_picture(path)), lambda p: p.name[:11]),
    "breasts": Kind(("ultrasound/busi/*/*.png",), lambda path: _halved(_picture(path)), _stem),
    "fetal_heads": Kind(("ultrasound/hc18_half/*.png",), _picture, _first_word),
}
# Subjects beside the tenth of all names that TENTHS gives.
HELD_OUT = {"patient20": "validation", **dict.fromkeys(("000", "002", "003", "005"), "test")}


class Mixed:
    """Patches of all kinds, in the given shares; a subject's images lie in one split.

    Args:
        cache: folder that holds the planes, 16-bit.
        shares: of the patches, by kind: names in ``KINDS``, and "shapes" made by code.
        patch: side of the square patches, pixels.
        key: of the data that an earlier training used.
    """

    def __init__(self, cache: Path, *, shares: dict[str, float], patch: int = 96, key: str = "") -> None:
        if unknown := set(shares) - set(KINDS) - {SHAPES}:
            raise RecipeError(f"there are no images of kind '{unknown.pop()}'; there are {', '.join(KINDS)}, {SHAPES}.")
        self.patch = patch
        self.names = list(shares)
        self.chances = np.array(list(shares.values())) / sum(shares.values())
        self.key = hashlib.sha256(repr((shares, [path.name for path in self._files])).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the studies are not those that the training began with; set MEDRESTORE_DATA to them.")
        self.folder = Path(cache).expanduser() / "mixed"

    @classmethod
    def origin(cls, **arguments: object) -> Origin:
        return Origin(DATA, LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        if not self._files:
            raise RecipeError(f"there are no studies in {data_folder()}; set MEDRESTORE_DATA to their folder.")
        cached = [(kind, path, self._cached(kind, path)) for kind, path in self._sources]
        if missing := [job for job in cached if not job[2].exists()]:
            disk.fill(self.folder, _read, missing, 1, "Reading studies")

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch, flipped and turned at random; photographs half of the time at half their size."""
        return {"clean": self.image(rng)}

    def image(self, rng: np.random.Generator, split: str = "train") -> np.ndarray:
        """The clean patch of a sample, of any split."""
        for _ in range(20):
            kind = self.names[rng.choice(len(self.names), p=self.chances)]
            if kind != SHAPES and not self._by_split[split][kind]:
                continue
            clean = shapes(rng, self.patch) if kind == SHAPES else self._cut(kind, rng, split)
            if clean.max() > DARK:
                break
        turned = np.rot90(clean, rng.integers(4))[:: rng.choice((1, -1))]
        return np.ascontiguousarray(turned, dtype=np.float32)

    def members(self, split: str) -> list[tuple[str, Path]]:
        """The kind and the file of everything that belongs to a split."""
        return [(kind, path) for kind, path in self._sources if self._split(kind, path) == split]

    def patients(self, split: str) -> Sequence[int]:
        """Held-out files take turns: one of each kind, then the next of each."""
        by_kind = {
            name: [
                n for n, (kind, path) in enumerate(self._sources) if kind == name and self._split(kind, path) == split
            ]
            for name in self.names
        }
        rounds = zip_longest(*by_kind.values())
        return [number for turn in rounds for number in turn if number is not None]

    def patient(self, id: int) -> Patient:
        kind, path = self._sources[id]
        planes = np.load(self._cached(kind, path), mmap_mode="r")
        chosen = planes[((np.arange(PLANES_HELD_OUT) + 0.5) * len(planes) / PLANES_HELD_OUT).astype(int)]
        clean = np.divide(chosen[: len(planes)], DEEPEST, dtype=np.float32)
        return Patient(id, clean, np.zeros(clean.shape, bool))

    def _cut(self, kind: str, rng: np.random.Generator, split: str) -> np.ndarray:
        members = self._by_split[split][kind]
        planes = np.load(self._cached(kind, members[rng.integers(len(members))]), mmap_mode="r")
        plane = planes[rng.integers(len(planes))]
        size = 2 * self.patch if kind == "photographs" and rng.random() < 0.5 else self.patch
        lacking = [(0, max(0, size - side)) for side in plane.shape]
        plane = np.pad(plane, lacking, mode="symmetric") if any(more for _, more in lacking) else plane
        row, column = (int(rng.integers(side - size + 1)) for side in plane.shape)
        clean = np.divide(plane[row : row + size, column : column + size], DEEPEST, dtype=np.float32)
        return clean if size == self.patch else _halved(clean[None])[0]

    @cached_property
    def _sources(self) -> list[tuple[str, Path]]:
        return [(kind, path) for kind in self.names if kind != SHAPES for path in _listed(KINDS[kind])]

    @property
    def _files(self) -> list[Path]:
        return [path for _, path in self._sources]

    @cached_property
    def _by_split(self) -> dict[str, dict[str, list[Path]]]:
        """The files of each kind in each split."""
        found: dict[str, dict[str, list[Path]]] = {split: {name: [] for name in self.names} for split in SPLITS}
        for kind, path in self._sources:
            found[self._split(kind, path)][kind].append(path)
        return found

    def _split(self, kind: str, path: Path) -> str:
        subject = KINDS[kind].subject(path)
        if subject in HELD_OUT:
            return HELD_OUT[subject]
        if kind in ("quiet_heads", "heads", "clinical_heads"):  # too few to give a tenth away
            return "train"
        tenth = hashlib.sha256(subject.encode()).digest()[0] % 10
        return next(split for split in SPLITS if tenth in TENTHS[split])

    def _cached(self, kind: str, path: Path) -> Path:
        return self.folder / f"{kind}-{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.npy"


def _read(kind: str, path: Path, cached: Path) -> None:
    disk.save(cached, np.rint(KINDS[kind].read(path) * DEEPEST).astype(np.uint16))


def _listed(kind: Kind) -> Iterator[Path]:
    found = (path for pattern in kind.patterns for path in sorted(data_folder().glob(pattern)))
    return (path for path in found if not path.stem.endswith("_mask"))


def shapes(rng: np.random.Generator, side: int) -> np.ndarray:
    """A square image in [0, 1]: a bar phantom, or discs, bars and soft blobs on a ground that may slope.

    Its edges are sharp, or blurred all alike.
    """
    from scipy.ndimage import gaussian_filter

    image = _bar_phantom(rng, side) if rng.random() < BAR_PHANTOMS else _objects(rng, side)
    blur = rng.choice((0.0, rng.uniform(0.4, 3.0)))
    image = gaussian_filter(image, blur, mode="nearest") if blur else image
    return np.clip(image, 0, 1).astype(np.float32)


def _bar_phantom(rng: np.random.Generator, side: int) -> np.ndarray:
    """Up to four sectors of bars in a disc, each with a width of its own; half of all stand straight on the grid."""
    straight = rng.random() < 0.5
    angle = 0.0 if straight else rng.uniform(0, np.pi)
    row, column = np.mgrid[:side, :side] - rng.uniform(0, side, (2, 1, 1))
    across, along = row * np.cos(angle) + column * np.sin(angle), column * np.cos(angle) - row * np.sin(angle)
    sector = 2 * (across > 0) + (along > 0)
    widths = rng.integers(2, 9, 4) if straight else rng.uniform(2, 9, 4)
    crossed = (sector % 3 == 0) & (rng.random() < 0.5)  # with the bars of the neighbours
    bars = (np.where(crossed, along, across) // widths[sector]) % 2
    dark, bright = rng.uniform(0, 0.6), rng.uniform(0, 1)
    disc = np.hypot(across, along) < side * rng.uniform(0.4, 1.5)
    return (dark + (bright - dark) * bars * disc).astype(np.float32)


def _objects(rng: np.random.Generator, side: int) -> np.ndarray:
    """Discs, bars, edges and soft blobs on a ground that may slope; not yet kept within [0, 1]."""
    row, column = np.mgrid[:side, :side].astype(np.float32) / side
    slope = rng.normal(0, rng.choice((0, 0.3)), 2)
    image = np.float32(rng.uniform(0, 0.6)) + slope[0] * (row - 0.5) + slope[1] * (column - 0.5)
    for _ in range(rng.integers(0, 9)):
        grey = rng.uniform(-0.6, 0.8)
        kind = rng.random()
        angle = rng.uniform(0, np.pi)
        across = (row - rng.random()) * np.cos(angle) + (column - rng.random()) * np.sin(angle)
        along = -(row - rng.random()) * np.sin(angle) + (column - rng.random()) * np.cos(angle)
        if kind < 0.5:  # an ellipse
            image = image + grey * ((across / rng.uniform(0.02, 0.4)) ** 2 + (along / rng.uniform(0.02, 0.4)) ** 2 < 1)
        elif kind < 0.7:  # bars
            period = rng.uniform(3, 16) / side
            inside = (np.abs(across) < rng.uniform(0.1, 0.4)) & (np.abs(along) < rng.uniform(0.1, 0.4))
            image = image + grey * (inside & (np.mod(across, period) < period / 2))
        elif kind < 0.85:  # an edge
            image = image + grey * (across > 0)
        else:  # a soft blob
            image = image + grey * np.exp(-(across**2 + along**2) / (2 * rng.uniform(0.02, 0.25) ** 2))
    return image
