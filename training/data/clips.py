"""Frames of ultrasound clips, single frames and photographs as one source: what enlargement is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from training.recipe import RecipeError

from . import SPLITS, WHITE, Origin, Patient, data_folder, disk
from .folder import Pictures
from .registration import register
from .ultrasound import FRAMES, Ultrasound

FOLDER = "ultrasound/cine_lung"
SUFFIXES = (".mov", ".mp4", ".mpeg")
CREDIT = "lung clips of covid19_pocus_ultrasound (Born et al., Applied Sciences 2021, the part under CC BY)"
ORGANS = ("ultrasound/busi", "ultrasound/hc18_half", "ultrasound/infant_hip")
PHOTOGRAPHS = "natural"

# Who is in a clip follows from the beginning of its name: one patient, or one publisher where more is not known. The
# groups are few, so their split is fixed here; every other group is trained on.
GROUPS = (
    "Cov_convex_volpecelli",
    "Cov_recommendations_lightbeam",
    "Cov_recommendations_likebutterfly",
    "Pneu_prospective",
    "Vir_prospective",
    "Vir_whitelung",
    "Reg_Image",
    *(f"Reg_pat{number}" for number in range(1, 5)),
)
HELD_OUT = {
    "Reg_pat3": "validation",
    "Cov_recommendations_likebutterfly": "validation",
    "Reg_pat4": "test",
    "Pneu_prospective": "test",
    "Vir_prospective": "test",
    "Vir_whitelung": "test",
    "Cov_recommendations_lightbeam": "test",
}

BURSTS, LENGTH = 4, 16  # consecutive frames are kept in so many places of a clip
MULTIPLE = 12  # pixels: sides of the pictures, so that 2, 3 and 4 divide them
CHANGE = 2 / 255  # standard deviation over time from which a pixel shows tissue; burned-in graphics change less
CLEAN = (3, 9)  # pixels: specks that are removed from that mask, and gaps that are filled
REACH = 0.5  # of a patch must show tissue
TRIES = 8  # patches drawn before one without is taken

LIMITS = """\
- It has seen lungs, breasts, fetal heads and hips of infants; photographs taught it edges. Clips of other organs,
  probes and scanners were not among them.
- The clips were compressed as video before they came to us, so the finest detail was lost before it could be learned.
- What it adds is likely, not measured. A lesion below the resolution of the input cannot appear in the output, and
  texture in the output is no evidence.
- Of a clip the frames share the detail that is added; still tissue then flickers as little as after bicubic
  interpolation, at a price of 0.2 dB. Each enlarged for itself, as single frames are, they flicker by a fifth more.
- On processors that multiply bfloat16 it is computed so: at factor 2 a result differs from that in float32 by 0.04 grey
  values (root mean square of one frame; 0.6 at most). For research use only."""


class Clips:
    """Frames of clips (each clip counts as one patient), and for training also single frames and photographs.

    Of each clip ``BURSTS`` times ``LENGTH`` consecutive frames are kept, evenly spaced, cropped to the B-mode image:
    the pixels that change over the clip.

    Args:
        cache: folder that holds the frames as stored.
        patch: side of the square patches, pixels; a multiple of the factor of enlargement.
        shares: of clips, of single frames and of photographs among the patches.
        frames: consecutive frames of a clip in a sample: 1, or more, with shares for clips alone.
        registered: move the others of a sample onto the frame before the middle.
        key: of the data that an earlier training used.

    Attributes:
        clips_key: of the clips alone, on which methods are measured.
    """

    def __init__(
        self,
        cache: Path,
        *,
        patch: int = 96,
        shares: Sequence[float] = (0.55, 0.3, 0.15),
        frames: int = 1,
        registered: bool = False,
        key: str = "",
    ) -> None:
        self.patch, self.shares, self.frames = patch, np.array(shares) / np.sum(shares), frames
        self.registered = registered
        self.organs = Ultrasound(cache, folders=list(ORGANS), patch=patch) if shares[1] else None
        self.photographs = Pictures(cache, folder=PHOTOGRAPHS, patch=patch) if shares[2] else None
        if frames > 1 and (self.organs or self.photographs):
            raise RecipeError("only clips have several frames: give the shares [1, 0, 0].")
        others = [source.key if source else "" for source in (self.organs, self.photographs)]
        named = [f"{path.name} {path.stat().st_size}" for path in self._files]
        stored = hashlib.sha256(repr((named, BURSTS, LENGTH, CHANGE, CLEAN)).encode()).hexdigest()[:12]
        self.clips_key = stored
        self.key = hashlib.sha256(repr((stored, others, tuple(shares))).encode()).hexdigest()[:12]
        if key and key != self.key:
            raise RecipeError("the clips, frames or photographs are not those that the training began with.")
        self.folder = Path(cache).expanduser() / f"clips-{stored}"

    @classmethod
    def origin(cls, *, shares: Sequence[float] = (1, 1, 1), **arguments: object) -> Origin:
        data = [
            CREDIT,
            *([f"frames: {', '.join(FRAMES[folder] for folder in ORGANS)}"] if shares[1] else []),
            *(["photographs (CC0, wallpapers of Budgie, elementary and Oceanic)"] if shares[2] else []),
        ]
        return Origin("; ".join(data[:1] if not any(shares[1:]) else data), LIMITS)

    def prepare(self, splits: Sequence[str] = SPLITS) -> None:
        if not self._files:
            raise RecipeError(f"no clips in {data_folder() / FOLDER}; set MEDRESTORE_DATA to the folder of studies.")
        missing = [id for split in splits for id in self.patients(split) if not self._stored(id).exists()]
        if missing:
            jobs = [(self._files[id], self._stored(id)) for id in missing]
            disk.fill(self.folder, store, jobs, 1, "Reading clips")
        if self.organs:
            self.organs.prepare([split for split in splits if split != "validation"])
        if self.photographs and "train" in splits:
            self.photographs.prepare(["train"])

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """A patch, turned by right angles and mirrored: ``clean``, float32 ``(rows, columns)``.

        Of several frames it is ``(frames, rows, columns)``, and stays upright: tissue moves as it does.
        """
        kind = rng.choice(3, p=self.shares)
        if kind == 0:
            patch = self._of_clip(rng)
        else:
            patch = (self.organs if kind == 1 else self.photographs).sample(rng)["clean"]
        if self.frames == 1 and rng.random() < 0.5:
            patch = np.swapaxes(patch, -1, -2)
        down = 1 if self.frames > 1 else rng.choice((1, -1))
        return {"clean": np.ascontiguousarray(patch[..., ::down, :: rng.choice((1, -1))])}

    def _of_clip(self, rng: np.random.Generator) -> np.ndarray:
        """A patch of at least the share REACH of tissue, where one is found soon."""
        ids = self.patients("train")
        layers = _opened(self._stored(ids[rng.integers(len(ids))]))
        burst, first = rng.integers(BURSTS), rng.integers(LENGTH - self.frames + 1)
        begin = 1 + burst * LENGTH + first
        for _ in range(TRIES):
            row, column = (rng.integers(side - self.patch + 1) for side in layers.shape[1:])
            window = (slice(row, row + self.patch), slice(column, column + self.patch))
            if layers[(0, *window)].mean() >= REACH:
                break
        patch = layers[(slice(begin, begin + self.frames), *window)] / WHITE
        if self.registered:
            patch = register(patch, patch[(self.frames - 1) // 2]).frames
        return patch[0] if self.frames == 1 else patch

    def patients(self, split: str) -> Sequence[int]:
        return self._members[split]

    def patient(self, id: int) -> Patient:
        """The middle frame of each burst of a clip; ``overlays`` is what shows no tissue."""
        tissue, bursts = self.bursts(id)
        clean = bursts[:, LENGTH // 2]
        nothing = np.zeros(clean.shape, bool)
        return Patient(id, clean, nothing, overlays=np.broadcast_to(~tissue, clean.shape))

    def bursts(self, id: int) -> tuple[np.ndarray, np.ndarray]:
        """Where a clip shows tissue, bool ``(rows, columns)``, and its frames ``(BURSTS, LENGTH, rows, columns)``."""
        layers = np.load(self._stored(id))
        return layers[0] > 0, (layers[1:] / WHITE).reshape(BURSTS, LENGTH, *layers.shape[1:])

    def name(self, id: int) -> str:
        """Of a clip's file."""
        return self._files[id].stem

    def _stored(self, id: int) -> Path:
        return self.folder / f"{self._files[id].stem}.npy"

    @cached_property
    def _files(self) -> list[Path]:
        return sorted(path for path in (data_folder() / FOLDER).glob("*") if path.suffix in SUFFIXES)

    @cached_property
    def _members(self) -> dict[str, list[int]]:
        """Ids by split; the groups take turns, so that the first few clips of a split are of many."""
        members: dict[str, list[tuple[int, str, int]]] = {split: [] for split in SPLITS}
        seen: dict[str, int] = {}
        for id, path in enumerate(self._files):
            group = group_of(path.stem)
            seen[group] = seen.get(group, -1) + 1
            members[HELD_OUT.get(group, "train")].append((seen[group], group, id))
        return {split: [id for *_, id in sorted(found)] for split, found in members.items()}


def group_of(name: str) -> str:
    """The patient or publisher of a clip; a clip of no known group is one of its own.

    >>> group_of("Reg_pat1Image_133043")
    'Reg_pat1'
    """
    return next((group for group in GROUPS if name.startswith(group)), name)


@lru_cache(maxsize=64)
def _opened(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def store(source: Path, target: Path) -> None:
    """Write one clip's layers, uint8 ``(1 + BURSTS * LENGTH, rows, columns)``: where it shows tissue, and frames."""
    import MedRestoreLib as mr

    frames = mr.read(source).voxels[:, 0]
    if len(frames) < BURSTS * LENGTH:
        raise RecipeError(f"{source.name} has {len(frames)} frames, fewer than {BURSTS * LENGTH}.")
    tissue = shows_tissue(frames)
    rows, columns = (_extent(tissue.any(axis=axis)) for axis in (1, 0))
    starts = np.linspace(0, len(frames) - LENGTH, BURSTS).round().astype(int)
    kept = np.concatenate([frames[start : start + LENGTH] for start in starts])
    layers = np.concatenate([tissue[None], kept])[:, rows, columns]
    disk.save(target, np.rint(layers).astype(np.uint8))


def shows_tissue(frames: np.ndarray) -> np.ndarray:
    """The B-mode image among burned-in graphics: the pixels that change. ``(frames, rows, columns)`` to 2-D bool."""
    changes = frames[:: max(1, len(frames) // 40)].std(axis=0) > CHANGE * WHITE
    speck, gap = (np.ones((side, side), bool) for side in CLEAN)
    margin = CLEAN[1]
    filled = ndimage.binary_closing(np.pad(ndimage.binary_opening(changes, speck), margin), gap)
    return ndimage.binary_opening(filled[margin:-margin, margin:-margin], gap)


def _extent(holds: np.ndarray) -> slice:
    """From the first to the last True, cut at both ends to a multiple of MULTIPLE."""
    first, last = np.flatnonzero(holds)[[0, -1]]
    spare = (last + 1 - first) % MULTIPLE
    return slice(first + spare // 2, last + 1 - (spare - spare // 2))
