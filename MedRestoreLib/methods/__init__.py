"""Restoration methods: ``catalogue`` lists them without importing them; each other file is one method.

Called, the package gives the list: ``MedRestoreLib.methods()``. Methods know tensors, not studies: they may import
weights, errors and the list of noise models.
"""

from __future__ import annotations

import sys
from types import ModuleType

from .catalogue import METHODS
from .row import Method


class _Methods(ModuleType):
    """A module that may be called: a function of the same name would hide the modules below it."""

    def __call__(self) -> tuple[Method, ...]:
        """Every method there is, in the catalogue's order."""
        return METHODS


sys.modules[__name__].__class__ = _Methods
