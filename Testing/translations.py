"""The panel's texts for translators: ``python -m Testing.translations`` brings the .ts files up to date.

Texts are those within ``_(...)`` of the module's Python files, those of its .ui file, and the titles, summaries and
units of the library's tables. Contexts are those that Slicer looks texts up in: for Python the package and the file.
What was translated stays; what is gone goes. Languages that are complete are compiled for Slicer with Qt's lrelease.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from xml.sax.saxutils import escape

from Testing.support.paths import PANEL, REPOSITORY

FOLDER = REPOSITORY / "Resources" / "Translations"
COMPILED = PANEL / "Resources" / "Translations"
LANGUAGES = ("de", "fr", "es", "zh-CN", "ja")
COMPLETE = ("de",)
LIBRARY = "MedRestoreLib"  # context of the library's titles, summaries and units

Texts = dict[str, list[str]]  # by context, in the order of the sources


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for language in LANGUAGES:
        known = translated(language)
        wanted = texts()
        path(language).write_text(document(language, wanted, known), encoding="utf-8")
        done = sum(bool(known.get((context, text))) for context, found in wanted.items() for text in found)
        print(f"{path(language).name}: {done} of {sum(map(len, wanted.values()))} texts are translated")
    for language in COMPLETE:
        compile_ts(path(language))


def path(language: str) -> Path:
    return FOLDER / f"MedRestore_{language}.ts"


def texts() -> Texts:
    """Every text that a person may see, once in each context."""
    found: Texts = {}
    for source in sorted(PANEL.rglob("*.py")):
        _add(found, context_of(source), python_texts(source.read_text(encoding="utf-8")))
    for ui in sorted(PANEL.rglob("*.ui")):
        tree = ElementTree.parse(ui)
        _add(found, tree.findtext("class", ""), ui_texts(tree))
    _add(found, LIBRARY, library_texts())
    return {context: found[context] for context in sorted(found)}


def context_of(source: Path) -> str:
    """The name under which ``slicer.i18n.tr`` looks up the texts of a Python file."""
    return f"{source.parent.name}.{source.stem}" if (source.parent / "__init__.py").exists() else source.stem


def python_texts(code: str) -> list[str]:
    """The texts within ``_(...)``; each must be one constant, or nobody could translate it."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    arguments = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "_"]
    wrong = [
        ast.unparse(one) for one in arguments if not (isinstance(one, ast.Constant) and isinstance(one.value, str))
    ]
    if wrong:
        raise ValueError(f"not a constant text: {wrong}")
    return [one.value for one in sorted(arguments, key=lambda one: (one.lineno, one.col_offset))]


def ui_texts(tree: ElementTree.ElementTree) -> list[str]:
    strings = [one for one in tree.iter("string") if one.get("notr") != "true" and one.text]
    hidden = {id(one) for group in tree.iter("stringlist") if group.get("notr") == "true" for one in group}
    return [one.text for one in strings if id(one) not in hidden]


def library_texts() -> list[str]:
    from MedRestoreLib import noise
    from MedRestoreLib.evidence import verdict
    from MedRestoreLib.methods import catalogue

    models = [noise.model(name) for name in noise.IDS]
    return [
        *(text for method in catalogue.METHODS for text in (method.title, method.summary)),
        *(text for model in models for text in (model.title, model.unit)),
        *(word.capitalize() for word in verdict.WORDS),
    ]


def translated(language: str) -> dict[tuple[str, str], str]:
    """What a .ts file has already: (context, text) → translation, without those that are marked as unfinished."""
    if not path(language).exists():
        return {}
    return {
        (context.findtext("name", ""), message.findtext("source", "")): message.findtext("translation", "")
        for context in ElementTree.parse(path(language)).iter("context")
        for message in context.iter("message")
        if message.find("translation").get("type") is None
    }


def document(language: str, wanted: Texts, known: dict[tuple[str, str], str]) -> str:
    """A .ts file as Qt's lupdate writes it."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>"]
    lines.append(f'<TS version="2.1" language="{language.replace("-", "_")}" sourcelanguage="en">')
    for context, found in wanted.items():
        lines += ["<context>", f"    <name>{escape(context)}</name>"]
        for text in found:
            translation = known.get((context, text), "")
            kind = "" if translation else ' type="unfinished"'
            lines += ["    <message>", f"        <source>{escape(text)}</source>"]
            lines += [f"        <translation{kind}>{escape(translation)}</translation>", "    </message>"]
        lines.append("</context>")
    return "\n".join([*lines, "</TS>", ""])


def compile_ts(ts: Path) -> Path:
    """The .qm file that the module ships and Qt reads."""
    qm = COMPILED / f"{ts.stem}.qm"
    lrelease = Path(sys.executable).with_name("pyside6-lrelease")
    subprocess.run([str(lrelease), "-silent", str(ts), "-qm", str(qm)], check=True)
    return qm


def _add(found: Texts, context: str, more: list[str]) -> None:
    there = found.setdefault(context, [])
    there += [text for text in dict.fromkeys(more) if text not in there]
    if not there:
        del found[context]


if __name__ == "__main__":
    main()
