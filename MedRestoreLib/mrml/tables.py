"""Results as table nodes: typed columns with units and explanations; one table for one question, updated in place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import slicer
import vtk

_CLASS = "vtkMRMLTableNode"
_ARRAYS = {str: vtk.vtkStringArray, int: vtk.vtkIntArray, float: vtk.vtkDoubleArray}

Subjects = Mapping[str, Sequence[slicer.vtkMRMLNode]]


class Column(NamedTuple):
    """One column. ``kind`` is str, int or float; ``about`` is the tool tip.

    ``name`` is what scripts ask for; people read ``title`` (the name, if there is none), to which Slicer adds the unit.
    """

    name: str
    kind: type
    unit: str = ""
    about: str = ""
    title: str = ""


def find_table(subjects: Subjects) -> slicer.vtkMRMLTableNode | None:
    """The table of exactly these nodes, by what they are to it ({"volume": [a, b], ...}); None if there is none."""
    scene = next(iter(subjects.values()))[0].GetScene()
    wanted = {role: [node.GetID() for node in nodes] for role, nodes in subjects.items()}
    for k in range(scene.GetNumberOfNodesByClass(_CLASS)):
        table = scene.GetNthNodeByClass(k, _CLASS)
        if {role: _references(table, role) for role in wanted} == wanted:
            return table
    return None


def write_table(
    name: str, subjects: Subjects, columns: Sequence[Column], rows: Iterable[Sequence[Any]]
) -> slicer.vtkMRMLTableNode:
    """Write rows into the table of these nodes, which is made if it is not there.

    Args:
        name: of a new table.
        subjects: the nodes that the table is about, by what they are to it; kept as node references.
        columns: one for each entry of a row. What does not exist is NaN there, and an empty cell in the table: Slicer
            would show "nan", so a column with such an entry is one of texts (``column_of`` reads either).
    """
    table = find_table(subjects) or _new_table(name, subjects)
    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    modified = table.StartModify()
    table.RemoveAllColumns()
    for column, values in zip(columns, cells, strict=True):
        table.AddColumn(_array(column, values))
        table.SetColumnTitle(column.name, column.title or column.name)
        table.SetColumnUnitLabel(column.name, column.unit)
        table.SetColumnDescription(column.name, column.about)
    table.SetUseColumnTitleAsColumnHeader(True)
    table.SetLocked(True)
    table.EndModify(modified)
    return table


def column_of(table: slicer.vtkMRMLTableNode, name: str) -> np.ndarray:
    """A column of numbers, by its name; NaN for what does not exist.

    Raises:
        KeyError: the table has no such column.
        ValueError: it is one of words.
    """
    column = table.GetTable().GetColumnByName(name)
    if column is None:
        raise KeyError(name)
    values = [column.GetValue(row) for row in range(column.GetNumberOfValues())]
    return np.array([math.nan if value == "" else float(value) for value in values])


def _array(column: Column, values: Sequence[Any]) -> vtk.vtkAbstractArray:
    has_gaps = column.kind is float and any(math.isnan(value) for value in values)
    array = vtk.vtkStringArray() if has_gaps else _ARRAYS[column.kind]()
    array.SetName(column.name)
    for value in values:
        if has_gaps:
            array.InsertNextValue("" if math.isnan(value) else f"{value:.6g}")
        else:
            array.InsertNextValue(column.kind(value))
    return array


def _new_table(name: str, subjects: Subjects) -> slicer.vtkMRMLTableNode:
    scene = next(iter(subjects.values()))[0].GetScene()
    table = scene.AddNewNodeByClass(_CLASS, scene.GenerateUniqueName(name))
    for role, nodes in subjects.items():
        for k, node in enumerate(nodes):
            table.SetNthNodeReferenceID(role, k, node.GetID())
    return table


def _references(node: slicer.vtkMRMLNode, role: str) -> list[str]:
    return [node.GetNthNodeReferenceID(role, k) for k in range(node.GetNumberOfNodeReferences(role))]
