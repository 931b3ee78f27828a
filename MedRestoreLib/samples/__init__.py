"""Sample studies to try MedRestore on: simulated and noisy, from no patient, without a download.

They are small and quick, for a first look and for tutorials; networks are trained on ``training/simulate``. This room
imports image and noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..image import Image
from . import bone, cine, head


@dataclass(frozen=True)
class Sample:
    """One sample: its title, a sentence about it, and the function that simulates it from a seed."""

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
    """The sample study of this name in ``SAMPLES``; the same seed gives the same voxels.

    Raises:
        KeyError: there is no such sample.

    >>> make("MedRestoreBoneScan").modality
    'NM'
    """
    return SAMPLES[name].make(seed)
