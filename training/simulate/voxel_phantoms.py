"""Voxel phantoms reduced to what a bone scan needs: pieces of bone, tissue by uptake, joints, and where things lie.

ICRP Publication 110 gives an adult man and woman with every bone named, in slices of 8 and 4.84 mm; XCAT (see ``xcat``)
a man in voxels of 2 mm. Reading one takes a second to five; it is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from MedRestoreLib.errors import UnsupportedImage

from . import xcat
from .anatomy import AIR, BONES, INDEX, JOINTS, KINDS, NONE, PARTS, TISSUES

FILES = {
    "male": "icrp110_male_organ_ids.nrrd",
    "female": "icrp110_female_organ_ids.nrrd",
    "xcat": "xcat50_male_labels_2mm.nrrd",
}
SLAB = 4.5  # mm: voxels behind one another are one cell up to this depth
ROOM = 24.0  # mm of air that is added above and below
FEMALE_KNEE = slice(None, 247), slice(66, None)  # slices and rows: she has the femur's condyles counted with the tibia


@dataclass(frozen=True)
class Joint:
    """The cells of one bone near another one, and how near (mm)."""

    cells: np.ndarray
    distance: np.ndarray
    reach: float


@dataclass(frozen=True, eq=False)
class Phantom:
    """One phantom. Positions in mm: x to the patient's left, y from front to back, z from the top downwards.

    Attributes:
        spacing: mm between voxels along z, y and x.
        tissue: uint8 (z, y, x) index into ``KINDS``, NONE for air and bone.
        solid: bool (z, y, x): bone.
        position: float32 (cells, 3), x, y, z of each cell of bone, sorted by z.
        bone, part: (cells,) index into ``NAMES`` and into ``PARTS``.
        volume: (cells,) ml.
        joints: where bones meet.
    """

    name: str
    spacing: tuple[float, float, float]
    tissue: np.ndarray
    solid: np.ndarray
    position: np.ndarray
    bone: np.ndarray
    part: np.ndarray
    volume: np.ndarray
    joints: tuple[Joint, ...]

    @cached_property
    def middle(self) -> float:
        """x of the midline."""
        return float(np.mean(self.position[np.isin(self.bone, (INDEX["thoracic"], INDEX["lumbar"])), 0]))

    @cached_property
    def bladder(self) -> np.ndarray:
        """x, y and z of its middle."""
        z, y, x = (at.mean() for at in np.nonzero(self.tissue == KINDS.index("bladder")))
        return np.array([x * self.spacing[2], y * self.spacing[1], z * self.spacing[0]])

    @lru_cache  # noqa: B019 (phantoms are few and stay)
    def height(self, bone: str, quantile: float = 0.5) -> float:
        """z (mm) below which ``1 - quantile`` of the bone lies."""
        return float(np.quantile(self.position[self.bone == INDEX[bone], 2], quantile))

    @lru_cache  # noqa: B019
    def blend(self, size: float) -> tuple[csr_matrix, tuple[int, int, int]]:
        """Linear interpolation from a lattice of knots ``size`` mm apart to the cells, and the lattice's shape."""
        at = self.position / np.float32(size)
        corner = at.astype(np.int64)
        shape = tuple(int(n) + 2 for n in corner.max(axis=0))
        knots, weights = [], []
        for step in np.ndindex(2, 2, 2):
            knots.append(np.ravel_multi_index(tuple((corner + step).T), shape))
            weights.append(np.abs(1 - np.array(step, np.float32) - (at - corner)).prod(axis=1))
        starts = np.arange(0, 8 * len(at) + 1, 8)
        matrix = (np.stack(weights, 1).ravel(), np.stack(knots, 1).ravel(), starts)
        return csr_matrix(matrix, shape=(len(at), int(np.prod(shape)))), shape


@lru_cache(maxsize=len(FILES))
def load(file: Path) -> Phantom:
    """The phantom in ``file``, whose name is one of ``FILES``.

    Raises:
        UnsupportedImage: the file is not there.
    """
    name = next(key for key, value in FILES.items() if value == file.name)
    if not file.is_file():
        raise UnsupportedImage(f"The phantom {file} is absent; name the folder that holds {', '.join(FILES.values())}.")
    image = sitk.ReadImage(str(file))
    codes, spacing = sitk.GetArrayFromImage(image)[::-1], image.GetSpacing()[::-1]
    if name == "xcat":  # every second plane: 4 mm are below what the camera resolves
        codes, spacing = codes[::2], (2 * spacing[0], *spacing[1:])
        labels = xcat.label(codes, spacing)
    else:
        labels = _icrp(codes)
    if name == "female":
        knee = labels[0][FEMALE_KNEE]
        knee[knee == INDEX["tibia"]] = INDEX["femur"]
    bone, part, tissue = _framed(labels, spacing)
    position, which, *rest = _cells(bone, part, spacing)
    return Phantom(name, spacing, tissue, bone != NONE, position, which, *rest, _joints(position, which))


def _icrp(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bone, part and tissue of every voxel: uint8, NONE where there is none."""
    bone, part = np.full(256, NONE, np.uint8), np.full(256, NONE, np.uint8)
    tissue = np.zeros(256, np.uint8)
    for kind, numbers in enumerate(TISSUES.values()):
        tissue[list(numbers)] = kind
    tissue[list(AIR)] = NONE
    for index, (first, parts) in enumerate(BONES.values()):
        numbers = range(first, first + len(parts))
        bone[numbers], part[numbers] = index, [PARTS.index(letter) for letter in parts]
        tissue[numbers] = NONE
    return bone[codes], part[codes], tissue[codes]


def _framed(labels: tuple[np.ndarray, ...], spacing: tuple[float, float, float]) -> list[np.ndarray]:
    """Without empty columns left and right, with air above and below."""
    full = np.nonzero((labels[2] != NONE).any(axis=(0, 1)))[0]
    room = round(ROOM / spacing[0])
    return [
        np.pad(part[:, :, full[0] : full[-1] + 1], ((room, room), (0, 0), (2, 2)), constant_values=NONE)
        for part in labels
    ]


def _cells(bone: np.ndarray, part: np.ndarray, spacing) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Positions, bones, parts and volumes: voxels of one kind behind one another, up to SLAB deep, are one cell."""
    thick = max(1, int(SLAB / spacing[1]))
    z, y, x = np.nonzero(bone != NONE)
    kind = bone[z, y, x].astype(np.int64) * len(PARTS) + part[z, y, x]
    rows, deep, columns = bone.shape
    key = ((kind * (deep // thick + 1) + y // thick) * rows + z) * columns + x
    _, first, cell = np.unique(key, return_index=True, return_inverse=True)
    count = np.bincount(cell)
    y = np.bincount(cell, y) / count
    order = np.argsort(z[first], kind="stable")
    first, y, count = first[order], y[order], count[order]
    position = np.column_stack([x[first] * spacing[2], y * spacing[1], z[first] * spacing[0]]).astype(np.float32)
    which, part = (kind[first] // len(PARTS)).astype(np.uint8), (kind[first] % len(PARTS)).astype(np.uint8)
    return position, which, part, (count * np.prod(spacing) / 1000).astype(np.float32)


def _joints(position: np.ndarray, bone: np.ndarray) -> tuple[Joint, ...]:
    """Every joint of ``JOINTS``, left and right apart."""
    middle = position[bone == INDEX["lumbar"], 0].mean()
    trees = {name: cKDTree(position[bone == INDEX[name]][::3]) for name in {other for _, other, _ in JOINTS}}
    found = []
    for one, other, reach in JOINTS:
        for left in (False, True):
            cells = np.nonzero((bone == INDEX[one]) & ((position[:, 0] > middle) == left))[0]
            distance, _ = trees[other].query(position[cells], distance_upper_bound=3.5 * reach)
            near = np.isfinite(distance)
            found.append(Joint(cells[near], distance[near].astype(np.float32), reach))
    return tuple(found)
