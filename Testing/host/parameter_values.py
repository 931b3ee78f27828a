"""How one typed parameter is kept in a `vtkMRMLScriptedModuleNode`.

Values are parameters, as text; nodes are node references of the parameter's name, with an empty parameter beside them
that says the reference was set. Enums are kept by name. Anything not listed in `storage_of` is a TypeError.
"""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass

import slicer

_NO_DEFAULT = object()


@dataclass(frozen=True)
class Storage:
    """One type's text form. ``accepts``: classes of a value; ``optional``: None is a value too."""

    accepts: tuple[type, ...]
    default: object
    to_text: Callable = str
    from_text: Callable = str
    node: bool = False
    optional: bool = False

    def check(self, value) -> None:
        if value is None:
            if not (self.node or self.optional):
                raise ValueError("Value must not be None")
        elif not isinstance(value, self.accepts):
            raise TypeError(f"Value must be of type {self.accepts}, is {type(value).__name__}: {value!r}")

    def write(self, node, name: str, value) -> None:
        if self.node:
            node.SetParameter(name, "")
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        elif value is None:
            node.SetParameter(name, "None")
        else:
            node.SetParameter(name, self.to_text(value))

    def read(self, node, name: str):
        if self.node:
            return node.GetNodeReference(name)
        text = node.GetParameter(name)
        return None if self.optional and text == "None" else self.from_text(text)


def is_node_type(kind) -> bool:
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def node_types(kind) -> tuple[type, ...]:
    """The node classes of a type or a union of such, None left out; empty if it is no such type."""
    members = typing.get_args(kind) if _is_union(kind) else (kind,)
    members = tuple(member for member in members if member is not type(None))
    return members if all(is_node_type(member) for member in members) else ()


def _is_union(kind) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def storage_of(kind) -> Storage:
    """How a type, stripped of its annotations, is stored."""
    nodes = node_types(kind)
    if nodes:
        return Storage(nodes, None, node=True, optional=True)
    if _is_union(kind):
        members = [member for member in typing.get_args(kind) if member is not type(None)]
        if len(members) != 1 or len(members) == len(typing.get_args(kind)):
            raise TypeError(f"only unions of nodes, or of one type and None, are stood in for: {kind}")
        inner = storage_of(members[0])
        return Storage(inner.accepts, None, inner.to_text, inner.from_text, optional=True)
    if kind is bool:
        return Storage((bool,), False, from_text=lambda text: text == "True")
    if kind is int:
        return Storage((int,), 0, from_text=int)
    if kind is float:
        return Storage((int, float), 0.0, from_text=float)
    if kind is str:
        return Storage((str,), "")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return Storage((kind,), next(iter(kind)), lambda value: value.name, lambda text: kind[text])
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return Storage((kind,), kind(), from_text=kind)
    raise TypeError(f"no stand-in stores parameters of type {kind}")
