"""What a patient takes up: every bone and along it, joints, growth plates, lesions, soft tissue, kidneys, bladder."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .anatomy import INDEX, KINDS, NAMES, PARTS
from .voxel_phantoms import Phantom

# Per ml: of each bone, as a share of it for each of its parts, and of soft tissue against its own mean.
BONE = dict(
    zip(
        NAMES,
        (0.8, 0.6, 0.65, 0.9, 0.65, 0.75, 0.6, 0.5, 0.85, 1.1, 0.85, 0.95, 1.3, 1.45, 1.5, 1.4, 1.4, 0.6),
        strict=True,
    )
)
PART = {"c": 1.0, "s": 0.65, "m": 0.1, "g": 0.12}
SOFT = {"fat": 0.65, "brain": 0.3, "lung": 0.35, "liver": 1.3, "spleen": 1.3, "blood": 1.6, "bladder": 1.0}
SOFT |= {"soft": 1.0, "kidney": 6.0, "thyroid": 2.0, "nose": 3.0}
LEVEL = (0.03, 0.12)  # mean of soft tissue: the span among patients
RARELY = ("hand", "foot", "forearm", "tibia", "cartilage")  # seat few lesions
LEAST = 0.01  # of a lesion's height: what is below is left out


class Lesion(NamedTuple):
    """Cells of bone and the activity that a lesion adds to each."""

    cells: np.ndarray
    activity: np.ndarray


class Spill(NamedTuple):
    """Activity outside bone: points ``(n, 3)`` in mm and the activity of each."""

    position: np.ndarray
    activity: np.ndarray


class Patient(NamedTuple):
    """One patient on a phantom: activity of every cell, lesions, tissue per ml of each kind, and organs that fill."""

    bone: np.ndarray
    lesions: list[Lesion]
    tissue: np.ndarray
    organs: list[Spill]


def draw(rng: np.random.Generator, phantom: Phantom) -> Patient:
    """A patient with this phantom's bones."""
    bone = _bones(rng, phantom)
    lesions = _lesions(rng, phantom, bone)
    tissue = np.array([SOFT[kind] for kind in KINDS]) * np.exp(rng.normal(0, 0.15, len(KINDS)))
    tissue[KINDS.index("kidney")] *= np.exp(rng.normal(0, 0.7))
    return Patient(bone, lesions, tissue * between(rng, *LEVEL), _organs(rng, phantom))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Evenly on a logarithmic scale."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _bones(rng: np.random.Generator, phantom: Phantom) -> np.ndarray:
    each = np.array(list(BONE.values())) * np.exp(rng.normal(0, 0.16, len(NAMES)))
    sides = each * np.exp(rng.normal(0, 0.06, (2, len(NAMES))))
    part = np.array([PART[letter] for letter in PARTS]) * np.exp(rng.normal(0, 0.12, len(PARTS)))
    left = (phantom.position[:, 0] > phantom.middle).astype(int)
    fine = _field(rng, phantom, 18)
    bone = sides[left, phantom.bone] * part[phantom.part] * phantom.volume
    bone *= np.exp(0.15 * _field(rng, phantom, 60) + 0.2 * fine)
    wear, growing = np.exp(rng.normal(-1.7, 0.6)), rng.random() < 0.05
    for joint in phantom.joints:
        small = min(1.0, (joint.reach / 10) ** 2)  # small joints wear less
        strength = wear * small * np.exp(rng.normal(0, 0.6))
        gain = 1 + strength * np.exp(-0.5 * (joint.distance / joint.reach) ** 2 + 0.9 * fine[joint.cells])
        if growing:  # plates lie some way from the joint
            gain += rng.uniform(1, 2) * np.exp(-0.5 * ((joint.distance - 14) / 5) ** 2)
        bone[joint.cells] *= gain
    return bone


def _field(rng: np.random.Generator, phantom: Phantom, size: float) -> np.ndarray:
    """A smooth random number of about unit variance for every cell; ``size`` is its length in mm."""
    matrix, shape = phantom.blend(size)
    return matrix @ rng.normal(0, 1.6, np.prod(shape)).astype(np.float32)


def _lesions(rng: np.random.Generator, phantom: Phantom, bone: np.ndarray) -> list[Lesion]:
    """From none to many, 8 to 50 mm across; small ones tend to be hotter."""
    kind = rng.random()
    count = 0 if kind < 0.1 else rng.integers(15, 45) if kind > 0.96 else min(rng.geometric(0.18), 14)
    rare = np.isin(phantom.bone, [INDEX[name] for name in RARELY])
    likely = np.cumsum(bone * np.where(rare, 0.15, 1.0))
    found = []
    for _ in range(count):
        centre = phantom.position[np.searchsorted(likely, rng.random() * likely[-1])]
        size = between(rng, 4, 26)
        radii = size * np.exp(rng.normal(0, 0.25, 3))
        contrast = between(rng, 0.5, 6) * (12 / size) ** 0.5
        near = np.arange(*np.searchsorted(phantom.position[:, 2], centre[2] + np.array((-1.6, 1.6)) * radii[2]))
        out = (((phantom.position[near] - centre) / radii) ** 2).sum(axis=1)
        bump = np.exp(-0.7 * out**2)
        near, bump = near[bump > LEAST], bump[bump > LEAST]
        found.append(Lesion(near, contrast * bump * phantom.volume[near]))
    return found


def _organs(rng: np.random.Generator, phantom: Phantom) -> list[Spill]:
    """The bladder and, in some, the injection site or a trace of urine."""
    size = between(rng, 10, 45)
    centre = phantom.bladder + rng.normal(0, 4, 3) - (0, 0, 0.4 * size)
    organs = [_ball(centre, size * np.array([1.2, 0.9, 0.8]), between(rng, 0.15, 5))]
    if rng.random() < 0.3:
        arm = np.nonzero(phantom.bone == INDEX[("forearm", "hand")[rng.integers(2)]])[0]
        place = phantom.position[arm[rng.integers(len(arm))]] - (0, 10, 0)
        organs.append(_ball(place, rng.uniform(4, 9, 3) * (1, 1, 2), between(rng, 1.6, 20)))
    if rng.random() < 0.15:
        place = phantom.bladder + rng.normal(0, 12, 3) + (0, -60, 90)
        organs.append(_ball(place, rng.uniform(5, 14, 3), between(rng, 0.2, 2)))
    return organs


def _ball(centre: np.ndarray, radii: np.ndarray, per_ml: float) -> Spill:
    """An ellipsoid filled evenly with points."""
    points = np.stack(np.meshgrid(*[np.linspace(-1, 1, 15)] * 3, indexing="ij"), -1).reshape(-1, 3)
    points = points[(points**2).sum(axis=1) < 1]
    volume = 4 / 3 * np.pi * np.prod(radii) / 1000
    return Spill((points * radii + centre).astype(np.float32), np.full(len(points), per_ml * volume / len(points)))
