"""The module's source and its .ui file agree, and every function says what it takes and gives."""

from __future__ import annotations

import ast
import re
from xml.etree import ElementTree

import pytest

from Testing.support.paths import PANEL

UI = PANEL / "Resources" / "UI" / "MedRestore.ui"
SOURCES = sorted(PANEL.rglob("*.py"))
UNTYPED = {"process.py", "uploads.py"}  # the conversation with the worker


def widgets() -> list[ElementTree.Element]:
    return list(ElementTree.parse(UI).iter("widget"))


def bindings() -> list[str]:
    """The fields of the parameter node that widgets name as theirs."""
    names = ("SlicerParameterName", "MedRestoreParameterName")
    properties = [prop for widget in widgets() for prop in widget.findall("property")]
    return [prop.findtext("string") for prop in properties if prop.get("name") in names]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_function_is_typed(path):
    if path.name in UNTYPED:
        pytest.skip("not typed yet")
    functions = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)]
    untyped = []
    for function in functions:
        given = function.args
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
        arguments = [argument for argument in arguments if argument.arg not in ("self", "cls")]
        if function.returns is None or any(argument.annotation is None for argument in arguments):
            untyped.append(function.name)
    assert untyped == []


def test_every_widget_that_the_code_names_is_in_the_ui_file():
    used = {name for path in SOURCES for name in re.findall(r"\bui\.(\w+)", path.read_text(encoding="utf-8"))}
    assert len(used) > 30
    assert used <= {widget.get("name") for widget in widgets()}


def test_every_field_is_bound_to_exactly_one_widget(user):
    bound = bindings()
    assert len(bound) == len(set(bound))
    assert set(bound) == set(type(user.p).allParameters)
    assert set(user.panel.study.connectors) <= set(bound)
