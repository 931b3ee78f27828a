"""Noise models: add, estimate, stabilise, invert. ``noise.model("rician")`` gives the class; see ``base.Noise``.

May import nothing else of MedRestore.
"""

from __future__ import annotations

from importlib import import_module

from .base import Estimate, Noise

IDS = ("gaussian", "poisson", "rician", "speckle")

__all__ = ["IDS", "Estimate", "Noise", "model"]


def model(id: str) -> type[Noise]:
    """The noise model named ``id``; KeyError for another name."""
    if id not in IDS:
        raise KeyError(id)
    return getattr(import_module(f".{id}", __name__), id.capitalize())
