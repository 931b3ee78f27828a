"""A scene of real MRML, with the logics that Slicer's modules give it, and a report to put there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import MedRestoreLib as mr

if TYPE_CHECKING:
    import slicer


@pytest.fixture
def scene(slicer_app: Any) -> slicer.vtkMRMLScene:
    """A fresh scene, which ``slicer.util`` works on."""
    import slicer

    return slicer.mrmlScene


@pytest.fixture(scope="session")
def report() -> dict[str, Any]:
    """The report of a real, small restoration."""
    clean = np.add.outer(np.arange(32.0), np.arange(32.0)) + 50
    image = mr.add_noise(mr.Image.from_array(clean, modality="MR"), "gaussian", 4.0)
    return mr.restore(image, method="adf", noise="gaussian", level=4.0, strength=0.75).report.to_dict()
