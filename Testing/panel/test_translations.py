"""The panel speaks the languages of its translations, and no text of it is forgotten."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from Testing import translations
from Testing.support.paths import PANEL

PLACEHOLDERS = re.compile(r"\{\w*\}")
LETTER = re.compile(r"&(\w)")


def of_the_panel() -> set[tuple[str, str]]:
    """The panel's own texts. The library's titles and units may be English until somebody translates them."""
    found = translations.texts()
    return {(context, text) for context in found if context != translations.LIBRARY for text in found[context]}


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_files_for_translators_are_up_to_date(language):
    contexts = ElementTree.parse(translations.path(language)).iter("context")
    written = {
        (one.findtext("name"), message.findtext("source")) for one in contexts for message in one.iter("message")
    }
    assert {one for one in written if one[0] != translations.LIBRARY} == of_the_panel(), "run `make translations`"


@pytest.mark.parametrize("language", translations.COMPLETE)
def test_no_text_lacks_its_translation(language):
    assert of_the_panel() - translations.translated(language).keys() == set()


@pytest.mark.parametrize("language", translations.COMPLETE)
def test_translations_keep_placeholders_endings_and_letters(language):
    for (context, text), translation in translations.translated(language).items():
        where = f"{context}: {text}"
        assert Counter(PLACEHOLDERS.findall(translation)) == Counter(PLACEHOLDERS.findall(text)), where
        assert bool(LETTER.search(translation)) == bool(LETTER.search(text)), where
        assert translation.endswith("...") == text.endswith("..."), where
        assert translation.endswith(":") == text.endswith(":"), where
        assert translation == translation.strip(), where


@pytest.mark.parametrize("language", translations.COMPLETE)
def test_what_is_shipped_is_what_was_translated(slicer_app, language):
    import qt

    translator = qt.QTranslator()
    assert translator.load(str(translations.COMPILED / f"MedRestore_{language}.qm"))
    for (context, text), translation in translations.translated(language).items():
        assert translator.translate(context, text) == translation


def test_letters_are_unique_in_every_complete_language():
    for language in translations.COMPLETE:
        known = translations.translated(language)
        panel = [one for (context, _), one in known.items() if context == "MedRestore"]
        letters = Counter(match[1].upper() for one in panel if (match := LETTER.search(one)))
        assert [letter for letter, count in letters.items() if count > 1] == []


def test_a_text_that_nobody_could_translate_is_refused():
    assert translations.python_texts('_("a {b}").format(b=1)\n_("one "\n  "two")') == ["a {b}", "one two"]
    for wrong in ('_(f"{x}")', "_(x)", '_("a" + x)'):
        with pytest.raises(ValueError, match="constant"):
            translations.python_texts(wrong)


def test_what_people_read_goes_through_tr():
    """A sentence in the module's code that is neither translated nor for programmers."""
    found = []
    for path in sorted(PANEL.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        exempt = {id(one) for node in ast.walk(tree) for one in _untranslated(node)}
        exempt |= {id(part) for node in ast.walk(tree) if id(node) in exempt for part in ast.walk(node)}
        found += [
            f"{path.name}:{node.lineno}: {node.value!r}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in exempt
            if re.match(r"^[A-Z'][a-z']+ [a-z]", node.value)
        ]
    assert found == []


def _untranslated(node: ast.AST) -> list[ast.AST]:
    """Parts of the code whose texts need no translation: docstrings, what is translated, tests, the problem report."""
    if isinstance(node, ast.Expr):
        return [node.value] if isinstance(node.value, ast.Constant) else []
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("_", "translate", "logging.error"):
        return list(node.args)
    if isinstance(node, ast.ClassDef) and node.name == "MedRestoreTest":
        return [node]
    return [node] if isinstance(node, ast.FunctionDef) and node.name in ("text", "_versions") else []


@pytest.mark.skipif("SLICER_SOURCE_DIR" not in os.environ, reason="SLICER_SOURCE_DIR names no checkout of Slicer")
def test_contexts_are_those_that_slicer_asks_for():
    code = Path(os.environ["SLICER_SOURCE_DIR"], "Base", "Python", "slicer", "i18n.py").read_text(encoding="utf-8")
    slicers = {}
    exec(compile(code, "i18n.py", "exec"), slicers)
    for path in PANEL.rglob("*.py"):
        assert translations.context_of(path) == slicers["getContext"](str(path))


def test_names_of_fields_and_nodes_are_no_texts():
    tree = ElementTree.parse(PANEL / "Resources" / "UI" / "MedRestore.ui")
    texts = translations.ui_texts(tree)
    assert not [text for text in texts if re.fullmatch(r"[a-z]+[A-Z]\w+|vtk\w+", text)]


def test_the_panel_speaks_german(slicer_app, monkeypatch):
    from Testing import host

    monkeypatch.setattr(slicer_app, "_locale", "de_DE", raising=False)
    host.load_module(PANEL / "MedRestore.py")
    host.select_module("MedRestore")
    import slicer

    panel = slicer.util.getModuleWidget("MedRestore")
    assert panel.ui.inputLabel.text == "Vol&umen:"
    assert panel.ui.statusLabel.text == "Bitte ein Volumen wählen."
    parameters = panel.logic.getParameterNode()
    parameters.inputVolume = panel.logic.sample("MedRestoreHead")[0]
    host.wait_until(lambda: panel.ui.applyButton.enabled)
    assert "(empfohlen)" in panel.ui.methodComboBox.currentText
    assert "In % des Maximums der Studie" in panel.ui.levelLabel.text
    assert panel.parent.minimumSizeHint.width() < 400, "longer words do not widen the panel"
