"""`slicer.parameterNodeWrapper`: typed, checked access to a parameter node, bound to widgets.

Written from the behaviour of Slicer's own package, for the types listed in `parameter_values`; a type, widget or
annotation that the panel does not use is refused. `Testing/panel/host/test_parameters.py` makes the same claims about
Slicer's package where ``SLICER_SOURCE_DIR`` is set.
"""

from __future__ import annotations

import sys
import types
import typing
import weakref

import slicer
import vtk

from Testing.host import gui_connectors
from Testing.host.gui_connectors import GuiConnector, bare_type, createGuiConnector
from Testing.host.parameter_values import WithinRange, storage_of

SlicerParameterNamePropertyName = "SlicerParameterName"


class _Parameter:
    """One field of a wrapper class: a descriptor. A wrapper remembers the value until its node is modified."""

    def __init__(self, owner: type, name: str, datatype):
        self.name, self.datatype = name, datatype
        self.storage = storage_of(bare_type(datatype))
        self.validators = getattr(datatype, "__metadata__", ())
        assert all(isinstance(one, WithinRange) for one in self.validators), f"not stood in for: {datatype}"
        self.default = vars(owner).get(name, self.storage.default)

    def __get__(self, wrapper, owner=None):
        return self if wrapper is None else wrapper._values[self.name]

    def __set__(self, wrapper, value):
        self.storage.check(value)
        for validator in self.validators:
            validator.validate(value)
        with slicer.util.NodeModify(wrapper.parameterNode):
            self.storage.write(wrapper.parameterNode, self.name, value)
            wrapper._values[self.name] = self.storage.read(wrapper.parameterNode, self.name)

    def read(self, wrapper):
        """Read the node; a parameter that it lacks gets its default."""
        if not wrapper.parameterNode.HasParameter(self.name):
            self.__set__(wrapper, self.default)
        return self.storage.read(wrapper.parameterNode, self.name)


class _Wrapper:
    """What every wrapper class can do besides its fields."""

    _is_parameter_node_wrapper = True
    allParameters: typing.ClassVar[dict[str, _Parameter]]

    def __init__(self, parameterNode):
        self.parameterNode = parameterNode
        self._values: dict[str, object] = {}
        self._connected: dict[int, dict[str, GuiConnector]] = {}
        self._next_tag = 0
        self._showing = False
        self._remember()
        self._observations: list[tuple[int, object]] = []
        self._observe(_Wrapper._remember)

    def __del__(self):
        for tag, _ in self._observations:
            self.parameterNode.RemoveObserver(tag)

    def _observe(self, method) -> None:
        """Call ``method`` when the node is modified, without keeping this wrapper alive.

        VTK shows Python's collector the observers of a node, but not that the node lives on in its scene: an observer
        that holds the node it observes is torn apart while VTK still calls it, and the interpreter crashes.
        """
        weak = weakref.ref(self)

        def relay(*_):
            wrapper = weak()
            if wrapper is not None:
                method(wrapper)

        self._observations.append((self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, relay), relay))

    def __setattr__(self, name: str, value) -> None:
        """Slicer would take an unknown name as a new attribute; here it is the slip that it must be."""
        if not name.startswith("_") and name != "parameterNode" and name not in self.allParameters:
            raise AttributeError(f"{type(self).__name__} has no parameter {name!r}")
        super().__setattr__(name, value)

    def _remember(self) -> None:
        for parameter in self.allParameters.values():
            self._values[parameter.name] = parameter.read(self)

    def _parameter(self, name: str) -> _Parameter:
        if name not in self.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}; there are {list(self.allParameters)}")
        return self.allParameters[name]

    def getValue(self, name: str):
        return getattr(self, self._parameter(name).name)

    def setValue(self, name: str, value) -> None:
        setattr(self, self._parameter(name).name, value)

    @classmethod
    def dataType(cls, name: str):
        if name not in cls.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {name}")
        return cls.allParameters[name].datatype

    # -- binding --
    def connectGui(self, gui) -> int:
        """Bind every widget with the dynamic property ``SlicerParameterName``; ``gui`` is a widget or `ui` object."""
        import qt

        widgets = gui.findChildren(qt.QWidget) if isinstance(gui, qt.QWidget) else vars(gui).values()
        named = ((widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets)
        return self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping) -> int:
        """Bind parameters by name to widgets or to connectors; a tag for `disconnectGui`."""
        for name in mapping:
            self._parameter(name)
        connectors = {
            name: one if isinstance(one, GuiConnector) else createGuiConnector(one, self.dataType(name))
            for name, one in mapping.items()
        }
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._connected[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._taker(name, connector))
        self._observe(_Wrapper._show)
        return tag

    def _taker(self, name: str, connector: GuiConnector):
        def take():
            with slicer.util.NodeModify(self):
                if not self._showing:
                    self.setValue(name, connector.read())

        return take

    def _show(self) -> None:
        if self._showing:
            return
        self._showing = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in list(self._connected.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._showing = False

    def disconnectGui(self, tag) -> None:
        for connector in self._connected.pop(tag, {}).values():
            connector.onChanged(None)

    # -- the node's own --
    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        self.parameterNode.Modified()


def parameterNodeWrapper(classtype=None):
    """Class decorator: each annotated field becomes a parameter."""

    def wrap(cls):
        parameters = {
            name: _Parameter(cls, name, hint) for name, hint in typing.get_type_hints(cls, include_extras=True).items()
        }
        for name in parameters:
            if hasattr(_Wrapper, name):
                raise ValueError(f"Cannot use reserved name {name!r} in a parameterNodeWrapper")
        about = {"__doc__": cls.__doc__, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        return type(cls.__name__, (_Wrapper, cls), {**about, **parameters, "allParameters": parameters})

    return wrap if classtype is None else wrap(classtype)


def isParameterNodeWrapper(thing) -> bool:
    return getattr(thing, "_is_parameter_node_wrapper", False)


def install() -> None:
    """Make ``slicer.parameterNodeWrapper`` importable."""
    module = types.ModuleType("slicer.parameterNodeWrapper", __doc__)
    for name in ("GuiConnector", "createGuiConnector", "parameterNodeGuiConnector"):
        setattr(module, name, getattr(gui_connectors, name))
    for thing in (parameterNodeWrapper, isParameterNodeWrapper, WithinRange):
        setattr(module, thing.__name__, thing)
    module.SlicerParameterNamePropertyName = SlicerParameterNamePropertyName
    sys.modules[module.__name__] = module
    slicer.parameterNodeWrapper = module
