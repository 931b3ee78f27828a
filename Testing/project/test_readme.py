"""What the README says is so: its examples run, and its commands, pictures, links and quoted texts exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib import noise, samples
from MedRestoreLib.methods import catalogue
from Testing import readme
from Testing.support.paths import REPOSITORY, local

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
PROSE = FENCED.sub("", README)
PANEL = ("Setup", "Tutorial", "The panel", "Troubleshooting")  # what is bold there is read on the screen
ANY = "…"  # stands for what differs


def section(title: str, text: str = README) -> str:
    """The part of the README under a heading of the second or third level, with what is below it."""
    level, rest = re.search(rf"^(##+) {re.escape(title)}\n(.*)", text, re.S | re.M).groups()
    return re.split(rf"^#{{2,{len(level)}}} ", rest, flags=re.M)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {k for k, line in enumerate(lines) if set(line) <= set("|- ")}
    body = [line for k, line in enumerate(lines) if k not in rules and k + 1 not in rules]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body]


def examples(*titles: str) -> list[str]:
    """The Python examples of some sections, in the order of the README."""
    return [code for title in titles for language, code in FENCED.findall(section(title)) if language == "python"]


def commands() -> Iterator[str]:
    """Every line that is to be typed, and every piece of code in a sentence."""
    yield from (line.strip() for line in PROSE.splitlines() if line.startswith("    "))
    yield from re.findall(r"`([^`\n]+)`", PROSE)


def plain(text: str) -> str:
    """A text in a form that can be compared: one space between words, one "…" for anything, in lower case."""
    text = re.sub(rf"\{{[^{{}}]*\}}|{ANY}", ANY, text)
    return re.sub(rf"{ANY}+", ANY, " ".join(text.split())).lower()


def string_of(node: ast.AST) -> str:
    """A string or f-string of the source, "…" for what is put into it; "" for other nodes."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else ANY for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Every text of the panel, and every string of the module and the library but docstrings, in plain form."""
    sources = [p for folder in ("MedRestore", "MedRestoreLib") for p in (REPOSITORY / folder).rglob("*.py")]
    nodes = [node for p in sources for node in ast.walk(ast.parse(p.read_text(encoding="utf-8")))]
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    found = {string_of(node) for node in nodes if id(node) not in docstrings}
    panel = ElementTree.parse(REPOSITORY / "MedRestore/Resources/UI/MedRestore.ui")
    found |= {(element.text or "").removesuffix(":").replace("&", "") for element in panel.iter("string")}
    return sorted(map(plain, found - {""}))


# Examples


def test_console_examples_run(module, tmp_path, capsys):
    import slicer

    studies, restored = tmp_path / "studies", tmp_path / "restored"
    studies.mkdir()
    flat = mr.Image.from_array(np.full((1, 64, 64), 100.0), modality="MR")
    mr.write(mr.add_noise(flat, "gaussian", 5.0), studies / "study.nrrd")
    console = {"slicer": slicer}
    for code in examples("The Python console", "Troubleshooting"):
        code = code.replace("/path/to/studies", studies.as_posix()).replace("/path/to/restored", restored.as_posix())
        exec(compile(code, "README.md", "exec"), console)
    said = capsys.readouterr().out
    assert "study.nrrd restored" in said
    assert "there is no method 'bm3'; did you mean 'bm3d'?" in said
    assert "16 frames" in said
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")}
    assert "Bone scan restored (EMANet)" in names


def test_python_example_runs_on_a_dicom_file(tmp_path, monkeypatch, capsys):
    from training.simulate.dicom import as_nm

    whole = samples.make("MedRestoreBoneScan")
    as_nm(mr.Image.from_array(whole.voxels[:, :, 60:260, 32:160], modality="NM", unit="counts"), tmp_path / "scan.dcm")
    monkeypatch.chdir(tmp_path)
    (code,) = examples("From Python")
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()
    assert mr.read("restored.dcm").voxels.sum() == pytest.approx(mr.read("scan.dcm").voxels.sum(), rel=0.005)
    assert mr.read("removed.nrrd").voxels.std() > 0


def test_samples_are_recognised_as_the_tutorial_says():
    table = {title: (found, method) for title, _, found, method in rows(section("Tutorial"))}
    assert set(table) == {sample.title for sample in samples.SAMPLES.values()}
    for name, sample in samples.SAMPLES.items():
        plan = mr.recommend(samples.make(name))
        found, method = table[sample.title]
        kind, level = re.match(r"(\w+), ([\d.]+)", found).groups()
        assert noise.model(plan.noise).title == kind
        assert float(level) == pytest.approx(plan.level, rel=0.05)
        assert catalogue.find(plan.method).title == method


# Commands


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("medrestore ")])
def test_command_lines_are_understood(line):
    import typer.main

    from MedRestoreLib.cli import app

    name, *arguments = shlex.split(line, comments=True)[1:]
    typer.main.get_command(app).commands[name].make_context(name, arguments)  # raises what a person would read


def test_options_that_are_named_exist():
    import typer.main

    from MedRestoreLib.cli import app
    from training.__main__ import app as training

    groups = [typer.main.get_command(each) for each in (app, training)]
    commands = [*groups, *(command for group in groups for command in group.commands.values())]
    known = {
        option
        for command in commands
        for parameter in command.params
        for option in [*parameter.opts, *parameter.secondary_opts]
    }
    named = {option for code in re.findall(r"`([^`\n]+)`", PROSE) for option in re.findall(r"(?<!\S)--[a-z-]+", code)}
    others = {"--index-url"}  # pip's
    assert named
    assert named <= known | others


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {found[1] for code in commands() if (found := re.search(r"(?:^|&& )make ([a-z-]+)$", code))}
    assert {"demo", "test", "lint", "bench", "train-gpu"} <= named <= targets


def test_modules_that_python_is_to_run_exist():
    named = {found[1] for code in commands() if (found := re.search(r"python -m ([\w.]+)", code))}
    assert "Testing.demo" in named
    assert all(importlib.util.find_spec(name) for name in named)


def test_slicer_is_started_with_the_folder_that_holds_the_module():
    (path,) = re.findall(r"^ +Slicer --additional-module-paths \S+/SlicerMedRestore/(\S+)$", README, re.M)
    assert (REPOSITORY / path / "MedRestore.py").is_file()
    assert (REPOSITORY / path).parent / "MedRestoreLib" == Path(mr.__file__).parent


def test_steps_without_internet_are_those_that_the_panel_shows(texts):
    steps = [line.strip() for line in section("Without internet").splitlines() if line.startswith("    ")]
    assert len(steps) == 2
    for step in steps:
        assert any(plain(step.replace('"torch>=2.2"', ANY)) in text for text in texts), step


# Texts


@pytest.mark.parametrize("text", [cells[0] for cells in rows(section("Troubleshooting"))])
def test_quoted_messages_are_in_the_source(texts, text):
    wanted = plain(text)
    assert len(wanted.strip(f" {ANY}.")) > 12, "too short to be found again"
    assert any(wanted in found for found in texts)


@pytest.mark.parametrize("title", PANEL)
def test_what_is_bold_is_in_the_panel(texts, title):
    bold = set(re.findall(r"\*\*(.+?)\*\*", section(title, PROSE)))
    missing = {name for name in bold if plain(name) not in texts}
    assert bold
    assert not missing


def test_every_section_of_the_panel_is_described():
    panel = ElementTree.parse(REPOSITORY / "MedRestore/Resources/UI/MedRestore.ui")
    boxes = [w for w in panel.iter("widget") if w.get("class") == "ctkCollapsibleButton"]
    titles = [box.find("property[@name='text']/string").text for box in boxes]
    assert [cells[0] for cells in rows(section("The panel"))] == [f"**{title}**" for title in titles]


def test_the_tables_of_methods_and_noise_models_are_the_code_s_own():
    assert readme.renewed(README) == README, "python -m Testing.readme writes them anew"
    assert {cells[0].strip("`") for cells in rows(section("Methods"))} == {row.id for row in catalogue.METHODS}
    assert {cells[0].strip("`") for cells in rows(section("From Python"))} == set(noise.IDS)


def test_the_page_says_what_the_extensions_index_asks():
    for needed in ("research use only", "LICENSE.txt", "patents", "Tutorial", "torch at file scope"):
        assert needed in README


# Pictures and links


def test_pictures_exist():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PROSE)
    assert pictures
    assert not [link for link in pictures if not local(link).is_file()]


def test_links_lead_somewhere():
    headings = {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", PROSE, re.M)
    }
    targets = re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", PROSE)
    assert targets
    for target in targets:
        file = local(target)
        assert file is None or target.removeprefix("#") in headings or file.is_file(), target


def test_files_of_the_map_exist():
    cells = [cells[0] for cells in rows(section("How it is built")) if "/" in cells[0]]
    assert cells
    for cell in cells:
        first, *others = re.findall(r"`([^`]+)`", cell)
        paths = [first, *(f"{first.split('/')[0]}/{name}" for name in others)]
        assert not [path for path in paths if not (REPOSITORY / path).exists()]
