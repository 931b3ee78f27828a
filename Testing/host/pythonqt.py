"""PythonQt's habits, given to PySide6's objects.

Slicer wraps Qt with PythonQt, where a property is an attribute (``button.text = "Apply"``), an unknown attribute is an
error even when it is set, and ``button.connect("clicked(bool)", f)`` works beside ``button.clicked.connect(f)``.
PySide6 differs in all three. `install` replaces how every QObject looks its attributes up, so widgets that Qt itself
creates have the same habits. The order of the look-up is PythonQt's: Python attributes of a derived class, properties,
methods and signals, dynamic properties, PythonQt's own methods, children by their name.

What is not imitated: conversions of C++ containers beyond lists of strings, and ownership.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from shiboken6 import Shiboken

QObject = QtCore.QObject
_python_set = Shiboken.Object.__setattr__
_getters = {QObject: QObject.__getattribute__}  # PySide6's own, of the classes that have one
_QT6_ALONE = {"checkStateChanged"}
_HINTS = {
    "sizeHint",
    "minimumSizeHint",
}  # read by a method that may be overridden: by name, it loops
_IGNORED_PROPERTIES = {("QTimer", "singleShot")}  # PythonQt leaves it a method
_FIRST_OVERLOAD = {("QProcess", "finished"): "finished(int)"}  # Qt 5 declares this one first; Qt 6 has the longer one

#: Tracebacks of exceptions raised in connected callables. PythonQt prints them and goes on; tests want to know.
errors: list[str] = []


_reading_ui: list[bool] = []


@contextlib.contextmanager
def reading_ui():
    """Within it, PySide6's attributes for a .ui file's widgets are dropped instead of refused."""
    _reading_ui.append(True)
    try:
        yield
    finally:
        _reading_ui.pop()


@dataclass(frozen=True)
class Members:
    """What PythonQt would find in the meta object of one class.

    ``strict``: attributes cannot be added, as for every class that is not derived in Python.
    """

    properties: dict[str, tuple[str, bool]]  # name: (C++ type, writable)
    signals: dict[str, tuple[str, ...]]  # name: signatures, the first declared first
    python: frozenset[str]
    strict: bool

    def property_called(self, name: str) -> str:
        """``name``, which is short for ``objectName`` where there is no property of that name."""
        return "objectName" if name == "name" and "name" not in self.properties else name


_members: dict[type, Members] = {}
_connections: dict[int, list[tuple[str, Callable, Callable]]] = {}


def members_of(thing: QObject) -> Members:
    """The members of a QObject's class, read once from its meta object."""
    kind = type(thing)
    if kind not in _members:
        _members[kind] = _read_members(kind, QObject.metaObject(thing))
    return _members[kind]


def _read_members(kind: type, meta: QtCore.QMetaObject) -> Members:
    properties = {}
    for index in range(meta.propertyCount()):
        declared = meta.property(index)
        if not any((base.__name__, declared.name()) in _IGNORED_PROPERTIES for base in kind.__mro__):
            properties[declared.name()] = declared.typeName(), declared.isWritable()
    signals: dict[str, tuple[str, ...]] = {}
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if method.methodType() == QtCore.QMetaMethod.MethodType.Signal:
            name = method.name().data().decode()
            if name in _QT6_ALONE:
                continue
            first = next((f for (c, n), f in _FIRST_OVERLOAD.items() if n == name and _is_a(kind, c)), None)
            signatures = (*signals.get(name, ()), method.methodSignature().data().decode())
            signals[name] = tuple(sorted(signatures, key=lambda signature: signature != first)) if first else signatures
    ours = [base for base in kind.__mro__ if issubclass(base, QObject) and not base.__module__.startswith("PySide6")]
    derived = [base for base in ours if not base.__module__.startswith("Testing.host")]
    python = frozenset(name for base in ours for name in vars(base)) - signals.keys() - properties.keys()
    return Members(properties, signals, python, not derived)


def _is_a(kind: type, name: str) -> bool:
    return any(base.__name__ == name for base in kind.__mro__)


def _python_get(self: QObject, name: str):
    return next(_getters[base] for base in type(self).__mro__ if base in _getters)(self, name)


def _get(self: QObject, name: str):
    if name.startswith("_"):
        return _python_get(self, name)
    members = members_of(self)
    if name in members.python or (not members.strict and name in _python_get(self, "__dict__")):
        return _plain(_python_get(self, name))
    declared = members.property_called(name)
    if declared in members.properties:
        if declared in _HINTS:
            return _python_get(self, declared)()
        own = getattr(type(self), declared, None)
        return _plain(own.fget(self) if isinstance(own, QtCore.Property) else QObject.property(self, declared))
    if name in members.signals:
        return Signal(self, name)
    if name in _OWN_METHODS:
        return _OWN_METHODS[name].__get__(self)
    if name not in _QT6_ALONE:
        try:
            return _python_get(self, "exec" if name == "exec_" else name)
        except AttributeError:
            pass
    if name in {bytes(key.data()).decode() for key in QObject.dynamicPropertyNames(self)}:
        return _plain(QObject.property(self, name))
    for child in QObject.children(self):
        if QObject.objectName(child) == name:
            return child
    raise AttributeError(f"{type(self).__name__} has no attribute named {name!r}")


def _set(self: QObject, name: str, value) -> None:
    if name.startswith("_"):
        _python_set(self, name, value)
        return
    members = members_of(self)
    kind = type(self).__name__
    declared = members.property_called(name)
    if declared in members.properties:
        type_name, writable = members.properties[declared]
        if not writable:
            raise AttributeError(f"Property {name!r} of {kind} object is not writable")
        converted = _checked(value, type_name)
        if converted is _REFUSED:
            raise AttributeError(
                f"Property {name!r} of type {type_name!r} does not accept an object of type {type(value).__name__}"
            )
        own = getattr(type(self), declared, None)
        if isinstance(own, QtCore.Property):
            own.fset(self, converted)  # not through Qt, which would swallow exceptions
        elif not QObject.setProperty(self, declared, converted):
            raise AttributeError(f"Property {name!r} of type {type_name!r} does not accept {value!r}")
    elif name in {bytes(key.data()).decode() for key in QObject.dynamicPropertyNames(self)}:
        QObject.setProperty(self, name, value)
    elif name in members.signals or (hasattr(type(self), name) and name not in members.python):
        raise AttributeError(f"Slot or signal {name!r} can not be overwritten on {kind} object")
    elif _reading_ui and isinstance(value, QObject):
        pass  # PySide6 makes attributes of a .ui file's widgets; PythonQt does not
    elif members.strict:
        raise AttributeError(f"{name!r} does not exist on {kind} and creating new attributes on Qt objects is refused")
    else:
        _python_set(self, name, value)


_REFUSED = object()
_NUMBERS = {"int": int, "uint": int, "qlonglong": int, "double": float, "float": float}


def _checked(value, type_name: str):
    """``value`` as a property of this C++ type takes it; `_REFUSED` where PythonQt refuses or it would be a slip."""
    if type_name == "QString":
        return value if isinstance(value, str) else _REFUSED
    if type_name == "bool":
        return bool(value) if isinstance(value, int) else _REFUSED
    if type_name in _NUMBERS:
        return _NUMBERS[type_name](value) if hasattr(value, "__index__") or hasattr(value, "__float__") else _REFUSED
    if type_name == "QStringList":
        texts = isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)
        return list(value) if texts else _REFUSED
    return value


def _plain(value):
    """Lists of strings come as tuples, as from PythonQt."""
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return tuple(value)
    return value


class Signal:
    """A signal of one object. The overload that Qt declares first is meant, as in PythonQt."""

    def __init__(self, sender: QObject, name: str):
        self._sender, self._signature = sender, members_of(sender).signals[name][0]
        self._emit = lambda: _python_get(sender, name)

    def connect(self, slot: Callable) -> bool:
        return _connect(self._sender, self._signature, slot)

    def disconnect(self, slot: Callable | None = None) -> bool:
        return _disconnect(self._sender, self._signature, slot)

    def __call__(self, *arguments) -> None:
        """Emit it."""
        self._emit().emit(*arguments)


def overload(sender: QObject, name: str, *kinds: type):
    """PySide6's own signal for one overload, for stand-ins that emit it."""
    return _python_get(sender, name)[kinds]


def _by_signature(sender: QObject, text: str) -> str | None:
    wanted = QtCore.QMetaObject.normalizedSignature(re.sub(r"vtk\w+\s*\*", "PyObject", text)).data().decode()
    known = members_of(sender).signals.get(wanted.split("(")[0], ())
    return wanted if wanted in known else None


def _connect_by_name(self: QObject, signal: str, slot: Callable) -> bool:
    signature = _by_signature(self, signal)
    if signature is None:
        print(f"QObject::connect: {type(self).__name__} has no signal {signal}", file=sys.stderr)
        return False
    return _connect(self, signature, slot)


def _disconnect_by_name(self: QObject, signal: str, slot: Callable | None = None) -> bool:
    signature = _by_signature(self, signal)
    return signature is not None and _disconnect(self, signature, slot)


def _connect(sender: QObject, signature: str, slot: Callable) -> bool:
    if not callable(slot) and not isinstance(slot, Signal):
        raise TypeError(f"{slot!r} cannot be connected to {signature}: it is not callable")

    def relay(*arguments):
        call(slot, arguments)

    key = Shiboken.getCppPointer(sender)[0]
    if key not in _connections:
        _connections[key] = []
        QObject.connect(sender, QtCore.SIGNAL("destroyed()"), lambda: _connections.pop(key, None))
    _connections[key].append((signature, slot, relay))
    QObject.connect(sender, QtCore.SIGNAL(signature), relay)
    return True


def _disconnect(sender: QObject, signature: str, slot: Callable | None) -> bool:
    kept, gone = [], []
    for connection in _connections.get(Shiboken.getCppPointer(sender)[0], []):
        matches = connection[0] == signature and (slot is None or (connection[1] == slot and not gone))
        (gone if matches else kept).append(connection)
    for _, _, relay in gone:
        QObject.disconnect(sender, QtCore.SIGNAL(signature), relay)
    if gone:
        _connections[Shiboken.getCppPointer(sender)[0]] = kept
    return bool(gone)


def call(slot: Callable, arguments: tuple) -> None:
    """Call ``slot`` with as many arguments as it takes; an exception is printed and kept in `errors`, not raised."""
    code = getattr(getattr(slot, "__func__", slot), "__code__", None)
    if code is not None and not code.co_flags & inspect.CO_VARARGS:
        arguments = arguments[: code.co_argcount - inspect.ismethod(slot)]
    try:
        slot(*arguments)
    except Exception:
        errors.append(traceback.format_exc())
        print(errors[-1], file=sys.stderr)


def _find_children(self: QObject, kind="", name: str = "") -> list[QObject]:
    found = QObject.findChildren(self, QObject if isinstance(kind, str) else kind, *([name] if name else []))
    return [one for one in found if not isinstance(kind, str) or not kind or QObject.inherits(one, kind)]


_OWN_METHODS = {
    "connect": _connect_by_name,
    "disconnect": _disconnect_by_name,
    "className": lambda self: type(self).__name__,
    "findChildren": _find_children,
    "delete": lambda self: Shiboken.delete(self),
}


def install() -> None:
    """Give the habits to every QObject of this process. Most PySide6 classes set attributes in a way of their own."""
    things = [getattr(library, name) for library in (QtCore, QtGui, QtWidgets, QtUiTools) for name in dir(library)]
    kinds = [thing for thing in things if isinstance(thing, type) and issubclass(thing, QObject)]
    for kind in kinds:
        if "__getattribute__" in vars(kind):
            _getters[kind] = kind.__getattribute__
    for kind in _getters:
        kind.__getattribute__ = _get
    for kind in kinds:
        kind.__setattr__ = _set
