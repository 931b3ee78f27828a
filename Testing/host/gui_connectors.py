"""How one widget shows and changes one parameter. Which widget may serve which type is Slicer's list."""

from __future__ import annotations

import abc
import enum
import pathlib
import typing

import slicer

from Testing.host.parameter_checks import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange
from Testing.host.parameter_values import node_types


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


class _Number(_Attribute):
    attribute, signal = "value", "valueChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        for kind, name in ((Decimals, "decimals"), (SingleStep, "singleStep")):
            if annotation(datatype, kind):
                setattr(widget, name, annotation(datatype, kind).value)
        both = annotation(datatype, WithinRange)
        low, high = both or annotation(datatype, Minimum), both or annotation(datatype, Maximum)
        if type(widget).__name__ in ("QSlider", "ctkSliderWidget") and not (low and high):
            raise RuntimeError("a slider needs a bounded type: annotate it with WithinRange")
        widget.minimum = low.minimum if low else self.lowest
        widget.maximum = high.maximum if high else self.highest


@parameterNodeGuiConnector
class _Integer(_Number):
    widgets, types, lowest, highest = ("QSlider", "QSpinBox"), (int,), -(2**31), 2**31 - 1


@parameterNodeGuiConnector
class _Float(_Number):
    widgets, types = ("QDoubleSpinBox", "ctkSliderWidget"), (float,)
    lowest, highest = float("-inf"), float("inf")


class _Items(_Attribute):
    """A combo box whose items are the values of the type; it is emptied and filled anew."""

    widgets, signal = ("QComboBox",), "currentIndexChanged"

    def __init__(self, widget, datatype):
        super().__init__(widget, datatype)
        self._values = self.values()
        widget.clear()
        for value in self._values:
            widget.addItem(self.label(value))

    def read(self):
        return self._values[self._widget.currentIndex]

    def write(self, value) -> None:
        if value not in self._values:
            raise ValueError(f"Unable to find value {value} in choices {self._values}")
        self._widget.currentIndex = self._values.index(value)


@parameterNodeGuiConnector
class _Chosen(_Items):
    types = (int, float, str, bool)
    label = staticmethod(str)

    def values(self) -> list:
        choice = annotation(self._datatype, Choice)
        if choice is None:
            raise RuntimeError("a QComboBox needs the Choice annotation")
        return list(choice.choices)


@parameterNodeGuiConnector
class _Enumerated(_Items):
    @classmethod
    def canRepresent(cls, widget, datatype) -> bool:
        kind = bare_type(datatype)
        return type(widget).__name__ in cls.widgets and isinstance(kind, type) and issubclass(kind, enum.Enum)

    def values(self) -> list:
        return list(bare_type(self._datatype))

    @staticmethod
    def label(value) -> str:
        return value.label() if hasattr(value, "label") else value.name


@parameterNodeGuiConnector
class _Line(_Attribute):
    widgets, types, attribute, signal = ("QLineEdit",), (str,), "text", "textChanged"


@parameterNodeGuiConnector
class _Text(_Attribute):
    widgets, types, attribute, signal = ("QTextEdit",), (str,), "plainText", "textChanged"


@parameterNodeGuiConnector
class _Path(_Attribute):
    widgets, types = ("ctkPathLineEdit",), (pathlib.Path, pathlib.PosixPath, pathlib.PurePath, pathlib.PurePosixPath)
    attribute, signal = "currentPath", "currentPathChanged"

    def read(self):
        return bare_type(self._datatype)(self._widget.currentPath)

    def write(self, value) -> None:
        self._widget.currentPath = str(value)


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
