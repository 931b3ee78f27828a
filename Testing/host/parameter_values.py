"""How one typed parameter is kept in a `vtkMRMLScriptedModuleNode`, and which values it takes.

Values are parameters, as text; nodes are node references of the parameter's name, with an empty parameter beside them
that says the reference was set. Enums are kept by name. Anything not listed in `storage_of` is a TypeError.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

import slicer


@dataclass
class WithinRange:
    """Annotation: raises ValueError for a value outside."""

    minimum: float
    maximum: float

    def validate(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


@dataclass(frozen=True)
class Storage:
    """One type's text form; ``accepts``: classes of a value."""

    accepts: tuple[type, ...]
    default: object
    to_text: Callable = str
    from_text: Callable = str
    node: bool = False

    def check(self, value) -> None:
        if value is None:
            if not self.node:
                raise ValueError("Value must not be None")
        elif not isinstance(value, self.accepts):
            raise TypeError(f"Value must be of type {self.accepts}, is {type(value).__name__}: {value!r}")

    def write(self, node, name: str, value) -> None:
        if self.node:
            node.SetParameter(name, "")
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            node.SetParameter(name, self.to_text(value))

    def read(self, node, name: str):
        return node.GetNodeReference(name) if self.node else self.from_text(node.GetParameter(name))


def node_types(kind) -> tuple[type, ...]:
    """The node class in a tuple; empty if it is no such type."""
    return (kind,) if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode) else ()


def storage_of(kind) -> Storage:
    """How a type, stripped of its annotations, is stored."""
    if node_types(kind):
        return Storage(node_types(kind), None, node=True)
    if kind is bool:
        return Storage((bool,), False, from_text=lambda text: text == "True")
    if kind is float:
        return Storage((int, float), 0.0, from_text=float)
    if kind is str:
        return Storage((str,), "")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return Storage((kind,), next(iter(kind)), lambda value: value.name, lambda text: kind[text])
    raise TypeError(f"no stand-in stores parameters of type {kind}")
