"""The slider of the noise level: its range and steps follow the noise model and the level that was found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from slicer.parameterNodeWrapper import GuiConnector

if TYPE_CHECKING:
    import ctk

# Greatest level the slider offers, in the model's unit; what is greater can be typed on the command line or in Python.
MOST = {"rician": 40.0, "speckle": 1.5}
SPAN = 5.0  # for levels in the study's own unit: this many times the level that was found
DIGITS = 3  # significant digits of a step


class LevelConnector(GuiConnector):
    """Binds a float field of the parameter node, a level of 0 or more, to a ``ctkSliderWidget``."""

    def __init__(self, slider: ctk.ctkSliderWidget) -> None:
        super().__init__()
        self._slider = slider

    @staticmethod
    def canRepresent(widget: Any, datatype: Any) -> bool:
        return False  # made by hand: its range is not known from the type

    @staticmethod
    def create(widget: Any, datatype: Any) -> None:
        return None

    def setRange(self, noise: str, level: float) -> None:
        """Offer the levels that make sense for the noise model around ``level``, without changing the value."""
        most = max(MOST.get(noise) or SPAN * level, level) or 1.0
        digits = max(0, DIGITS - 1 - math.floor(math.log10(most)))
        value = self._slider.value
        wasBlocked = self._slider.blockSignals(True)
        self._slider.decimals = digits
        self._slider.singleStep = 10.0**-digits
        self._slider.minimum = 0.0
        self._slider.maximum = most
        self._slider.value = value
        self._slider.blockSignals(wasBlocked)

    def widget(self) -> ctk.ctkSliderWidget:
        return self._slider

    def read(self) -> float:
        return self._slider.value

    def write(self, value: float) -> None:
        if value > self._slider.maximum:
            wasBlocked = self._slider.blockSignals(True)
            self._slider.maximum = value
            self._slider.blockSignals(wasBlocked)
        if abs(self._slider.value - value) >= 10.0**-self._slider.decimals:  # a finer level than shown is kept
            self._slider.value = value

    def _connect(self) -> None:
        self._slider.valueChanged.connect(self.changed)

    def _disconnect(self) -> None:
        self._slider.valueChanged.disconnect(self.changed)
