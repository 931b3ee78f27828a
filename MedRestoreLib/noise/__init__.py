"""Noise models: add, estimate, stabilise, invert. ``noise.model("rician")`` gives the class; see ``base.Noise``.

May import nothing else of MedRestore.
"""

from __future__ import annotations

from importlib import import_module

from .base import SURE, Estimate, Noise
from .curve import NoiseCurve
from .map import NoiseMap
from .spectrum import Spectrum

IDS = ("gaussian", "poisson", "reconstructed", "rician", "speckle")

__all__ = ["IDS", "SURE", "Estimate", "Noise", "NoiseCurve", "NoiseMap", "Spectrum", "model"]


def model(id: str) -> type[Noise]:
    """The noise model named ``id``; KeyError for another name."""
    if id not in IDS:
        raise KeyError(id)
    return getattr(import_module(f".{id}", __name__), id.capitalize())
