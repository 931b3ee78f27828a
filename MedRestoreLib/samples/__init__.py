"""Sample studies to try MedRestore on, made by geometry and physics: no patient, no download. Noisy, as studies are.

Small and quick, for a first look and for tutorials. What networks are trained on lies in ``training/simulate``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..image import Image
from . import bone, cine, head


@dataclass(frozen=True)
class Sample:
    """One sample: its title, a sentence about it, and what makes it from a seed."""

    title: str
    about: str
    make: Callable[[int], Image]


SAMPLES = {
    "MedRestoreBoneScan": Sample(
        "Bone scan", "A planar whole-body bone scan seen from the front, with lesions: Poisson counts.", bone.whole_body
    ),
    "MedRestoreHead": Sample("T1 head", "A slab of a T1-weighted head: Rician noise, 8 %.", head.t1_slab),
    "MedRestoreCine": Sample("Cine", "A beating heart in ultrasound, 16 frames: speckle.", cine.short_axis),
}


def make(name: str, seed: int = 0) -> Image:
    """A sample study by its name in ``SAMPLES``; the same for the same seed.

    >>> make("MedRestoreBoneScan").modality
    'NM'
    """
    return SAMPLES[name].make(seed)
