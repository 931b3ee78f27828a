"""How one widget shows and changes one parameter. Which widget may serve which type is Slicer's list."""

from __future__ import annotations

import abc
import enum
import typing

import slicer

from Testing.host.parameter_values import WithinRange, node_types


def bare_type(datatype):
    """The type without its annotations."""
    return typing.get_args(datatype)[0] if hasattr(datatype, "__metadata__") else datatype


def annotation(datatype, kind: type):
    """The first annotation of this class, or None."""
    return next((one for one in getattr(datatype, "__metadata__", ()) if isinstance(one, kind)), None)


class GuiConnector(abc.ABC):
    """The interface that a connector of one's own implements, as in Slicer."""

    @staticmethod
    @abc.abstractmethod
    def canRepresent(widget, datatype) -> bool: ...

    @staticmethod
    @abc.abstractmethod
    def create(widget, datatype): ...

    def __init__(self):
        super().__init__()
        self._callback = None

    def onChanged(self, callback) -> None:
        """Call ``callback()`` on changes from now on; None ends it."""
        self._callback = callback
        if callback is None:
            self._disconnect()
        else:
            self._connect()

    def changed(self) -> None:
        if self._callback:
            self._callback()

    @abc.abstractmethod
    def _connect(self): ...

    @abc.abstractmethod
    def _disconnect(self): ...

    @abc.abstractmethod
    def widget(self): ...

    @abc.abstractmethod
    def read(self): ...

    @abc.abstractmethod
    def write(self, value) -> None: ...


_registered: list[type[GuiConnector]] = []


def parameterNodeGuiConnector(classtype=None):
    """Class decorator: offer this connector to every parameter node."""

    def register(kind):
        if not issubclass(kind, GuiConnector):
            raise TypeError("Must be a GuiConnector subclass")
        _registered.append(kind)
        return kind

    return register if classtype is None else register(classtype)


def createGuiConnector(widget, datatype) -> GuiConnector:
    """The connector for a widget and a type; RuntimeError where Slicer has none."""
    for kind in _registered:
        if kind.canRepresent(widget, datatype):
            return kind.create(widget, datatype)
    raise RuntimeError(f"Unable to create GUI connector from datatype {datatype!r} to widget type {type(widget)}")


class _Attribute(GuiConnector):
    """A widget's property and the signal of its change."""

    widgets: tuple[str, ...]
    types: tuple[type, ...]
    attribute: str
    signal: str

    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        return type(widget).__name__ in cls.widgets and bare_type(datatype) in cls.types

    @classmethod
    def create(cls, widget, datatype):
        return cls(widget, datatype)

    def __init__(self, widget, datatype):
        super().__init__()
        self._widget, self._datatype = widget, datatype

    def _connect(self):
        getattr(self._widget, self.signal).connect(self.changed)

    def _disconnect(self):
        getattr(self._widget, self.signal).disconnect(self.changed)

    def widget(self):
        return self._widget

    def read(self):
        return getattr(self._widget, self.attribute)

    def write(self, value) -> None:
        setattr(self._widget, self.attribute, value)


@parameterNodeGuiConnector
class _Check(_Attribute):
    widgets, types, attribute, signal = ("QCheckBox", "QPushButton"), (bool,), "checked", "toggled"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        widget.checkable = True


@parameterNodeGuiConnector
class _Text(_Attribute):
    widgets, types, attribute, signal = ("QLineEdit",), (str,), "text", "textChanged"

    def write(self, value) -> None:
        if value != self._widget.text:  # the cursor would go to the end
            self._widget.text = value


@parameterNodeGuiConnector
class _Float(_Attribute):
    widgets, types = ("QDoubleSpinBox", "ctkSliderWidget"), (float,)
    attribute, signal = "value", "valueChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        bounds = annotation(datatype, WithinRange)
        if type(widget).__name__ == "ctkSliderWidget" and not bounds:
            raise RuntimeError("a slider needs a bounded type: annotate it with WithinRange")
        widget.minimum = bounds.minimum if bounds else float("-inf")
        widget.maximum = bounds.maximum if bounds else float("inf")


@parameterNodeGuiConnector
class _Enumerated(_Attribute):
    """A combo box whose items are the members of an enum; it is emptied and filled anew."""

    widgets, signal = ("QComboBox",), "currentIndexChanged"

    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        kind = bare_type(datatype)
        return type(widget).__name__ in cls.widgets and isinstance(kind, type) and issubclass(kind, enum.Enum)

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        self._values = list(bare_type(datatype))
        widget.clear()
        for value in self._values:
            widget.addItem(value.label() if hasattr(value, "label") else value.name)

    def read(self):
        return self._values[self._widget.currentIndex]

    def write(self, value) -> None:
        self._widget.currentIndex = self._values.index(value)


@parameterNodeGuiConnector
class _Node(_Attribute):
    """A node combo box; its node types become those of the parameter."""

    signal = "currentNodeChanged"

    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        return type(widget) is slicer.qMRMLNodeComboBox and bool(node_types(bare_type(datatype)))

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        widget.nodeTypes = [kind.__name__ for kind in node_types(bare_type(datatype))]

    def read(self):
        return self._widget.currentNode()

    def write(self, value) -> None:
        self._widget.setCurrentNode(value)
