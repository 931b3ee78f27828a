"""The rules that keep the house simple, read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import NamedTuple

import pytest

from Testing.support.paths import REPOSITORY

OURS = ("MedRestoreLib", "MedRestore", "training", "Testing")
HEAVY = {"torch", "scipy", "SimpleITK", "pydicom", "matplotlib", "cv2", "skimage"}
UNLICENSED = {"bm3d", "bm4d", "libjpeg", "pylibjpeg"}  # non-commercial or GPL: oracles of the benchmarks only


# The map: what each room of a package imports of the package's other rooms. A room is a folder, or a file at the root.
LIBRARY = {
    "version": set(),
    "errors": set(),
    "modalities": set(),
    "progress": set(),
    "noise": set(),
    "networks": set(),
    "metrics": set(),
    "resampling": set(),
    "image": {"errors", "resampling"},
    "weights": {"errors"},
    "files": {"errors", "image", "modalities", "version"},
    "methods": {"errors", "networks", "noise", "progress", "resampling", "weights"},
    "evidence": {"noise", "progress", "resampling"},
    "samples": {"image", "noise"},
    "reporting": {"errors", "evidence", "files", "image", "metrics", "modalities"},
    "pipeline": {"errors", "evidence", "image", "methods", "modalities", "noise", "progress", "reporting"}
    | {"resampling", "version", "weights"},
    "service": {"errors", "files", "image", "methods", "noise", "pipeline", "progress", "reporting", "version"},
    "mrml": {
        "errors",
        "evidence",
        "files",
        "image",
        "methods",
        "metrics",
        "modalities",
        "pipeline",
        "progress",
        "resampling",
        "samples",
    },
    "presets": {"errors", "files", "pipeline"},
    "node": {"errors", "files", "presets", "service"},
    "cli": {"errors", "files", "image", "methods", "modalities", "node", "noise", "pipeline", "reporting", "service"}
    | {"version", "weights"},
    "__main__": {"cli", "service"},
    "__init__": {"errors", "files", "image", "methods", "pipeline", "reporting", "service", "version"},
}
TRAINING = {
    "recipe": set(),
    "recipes": set(),
    "simulate": set(),
    "checkpoint": {"recipe"},
    "data": {"recipe", "simulate"},
    "losses": {"data", "recipe"},
    "networks": set(),
    "tables": {"data", "recipe"},
    "build": {"checkpoint", "data", "recipe"},
    "trainers": {"build", "checkpoint", "data", "losses", "networks", "recipe"},
    "evaluation": {"build", "data", "recipe", "tables", "trainers"},
    "shipping": {"build", "checkpoint", "data", "recipe", "tables"},
    "__main__": {"build", "evaluation", "recipe", "shipping", "tables", "trainers"},
    "__init__": set(),
}
MAPS = {"MedRestoreLib": LIBRARY, "training": TRAINING}


class Import(NamedTuple):
    """One import: absolute module name, and whether it runs when the file is imported."""

    module: str
    on_import: bool


def imports(source: str, path: str) -> Iterator[Import]:
    """Every import of a source file whose path, relative to the repository, is ``path``."""
    package = path.removesuffix(".py").split("/")[:-1]

    def visit(nodes: list[ast.stmt], on_import: bool) -> Iterator[Import]:
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, on_import) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                module = ".".join([*base, *([node.module] if node.module else [])])
                yield Import(module, on_import)
                yield from (Import(f"{module}.{alias.name}", on_import) for alias in node.names)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield from visit(node.body, False)
            else:
                typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
                yield from visit(getattr(node, "body", []), on_import and not typing_only)
                for part in ("orelse", "finalbody"):
                    yield from visit(getattr(node, part, []), on_import)
                for branch in (*getattr(node, "handlers", []), *getattr(node, "cases", [])):
                    yield from visit(branch.body, on_import)

    yield from visit(ast.parse(source).body, True)


FILES = {
    path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8")
    for folder in OURS
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
}
IMPORTS = {path: list(imports(source, path)) for path, source in FILES.items()}


def below(*folders: str) -> dict[str, list[Import]]:
    """The imports of every file below folders, each of which has some: a rule about nothing would always hold."""
    assert all(any(path.startswith(folder) for path in IMPORTS) for folder in folders), folders
    return {path: found for path, found in IMPORTS.items() if path.startswith(folders)}


def offenders(files: dict[str, list[Import]], wrong) -> list[str]:
    return sorted({f"{path}: {i.module}" for path, found in files.items() for i in found if wrong(i)})


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


def top(module: str) -> str:
    return module.partition(".")[0]


def test_the_finder_sees_every_kind_of_import():
    source = (
        "import torch\nfrom ..image import Image\nfrom . import base\n"
        "def f():\n    import scipy.ndimage\n"
        "try:\n    import cv2\nexcept ImportError:\n    import skimage\n"
        "if TYPE_CHECKING:\n    import pydicom\n"
    )
    found = set(imports(source, "MedRestoreLib/noise/x.py"))
    assert Import("torch", True) in found
    assert Import("MedRestoreLib.image", True) in found
    assert Import("MedRestoreLib.noise.base", True) in found
    assert {Import("scipy.ndimage", False), Import("pydicom", False)} <= found
    assert {Import("cv2", True), Import("skimage", True)} <= found


def room(module: str) -> str:
    """The room that a module of a package lies in: the second part of its name, ``__init__`` for the package itself."""
    return (*module.split("."), "__init__")[1]


def arrows(package: str) -> dict[str, set[str]]:
    """What each room imports of the package's other rooms."""
    found: dict[str, set[str]] = {}
    for path, imported in below(f"{package}/").items():
        here = found.setdefault(room(path.removesuffix(".py").replace("/", ".")), set())
        ours = {room(i.module) for i in imported if top(i.module) == package}
        here |= {name for name in ours if name in MAPS[package] and name != "__init__"}
    return {name: there - {name} for name, there in found.items()}


@pytest.mark.parametrize("package", MAPS)
def test_rooms_and_their_arrows_are_those_of_the_map(package):
    folder = REPOSITORY / package
    rooms = {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._"}
    present = rooms | {path.stem for path in folder.glob("*.py")}
    assert present == set(MAPS[package]), "a room or a file at the root is not on the map"
    assert {name: there for name, there in MAPS[package].items() if there} == {
        name: there for name, there in arrows(package).items() if there
    }


@pytest.mark.parametrize("package", MAPS)
def test_the_map_has_no_circle(package):
    assert set(TopologicalSorter(MAPS[package]).static_order()) == set(MAPS[package])


def test_each_room_says_what_it_is_for():
    rooms = [path for path in below("MedRestoreLib/", "training/") if path.endswith("/__init__.py")]
    assert not [path for path in rooms if len((ast.get_docstring(ast.parse(FILES[path])) or "").splitlines()) < 2]


@pytest.mark.parametrize("name", ["noise", "networks"])
def test_noise_and_networks_import_nothing_of_ours(name):
    own = f"MedRestoreLib.{name}"
    assert not offenders(below(f"MedRestoreLib/{name}/"), lambda i: top(i.module) in OURS and not within(i.module, own))


def test_the_library_imports_neither_training_nor_the_module():
    assert not offenders(below("MedRestoreLib/"), lambda i: top(i.module) in {"training", "MedRestore", "Testing"})


def test_training_does_not_import_tests():
    assert not offenders(below("training/"), lambda i: top(i.module) in {"Testing", "MedRestore"})


def test_slicer_is_known_to_mrml_and_the_module_alone():
    files = below("MedRestoreLib/", "training/")
    elsewhere = {path: found for path, found in files.items() if not path.startswith("MedRestoreLib/mrml/")}
    assert not offenders(elsewhere, lambda i: top(i.module) in {"slicer", "vtk"})


def test_training_does_without_mrml():
    assert not offenders(below("training/"), lambda i: within(i.module, "MedRestoreLib.mrml"))


def test_qt_is_known_to_the_module_alone():
    assert not offenders(below("MedRestoreLib/", "training/"), lambda i: top(i.module) in {"qt", "ctk"})


def test_importing_the_library_imports_nothing_heavy():
    implementations = ("MedRestoreLib/networks/", "MedRestoreLib/methods/")
    table = ("MedRestoreLib/methods/catalogue.py", "MedRestoreLib/methods/__init__.py")
    light = {
        p: found for p, found in below("MedRestoreLib/").items() if p in table or not p.startswith(implementations)
    }
    assert not offenders(light, lambda i: i.on_import and top(i.module) in HEAVY)


def test_the_module_imports_nothing_but_slicer_at_file_scope():
    slicers = {"slicer", "qt", "ctk", "vtk", "SubjectHierarchyPlugins"}
    allowed = {*slicers, "MedRestore", "MedRestorePanel", *sys.stdlib_module_names}
    assert not offenders(below("MedRestore/"), lambda i: i.on_import and top(i.module) not in allowed)


def test_no_package_with_an_unfit_licence_is_imported():
    files = {path: found for path, found in IMPORTS.items() if not path.startswith("Testing/benchmarks/")}
    assert not offenders(files, lambda i: top(i.module) in UNLICENSED)


def test_a_file_is_one_idea():
    assert not {path: n for path, source in FILES.items() if (n := source.count("\n")) >= 450}


@pytest.mark.parametrize(
    "module", ["MedRestoreLib", "MedRestoreLib.methods.catalogue", "MedRestoreLib.mrml", "MedRestoreLib.noise"]
)
def test_a_fresh_process_loads_neither_torch_nor_scipy(module):
    if module == "MedRestoreLib.mrml":
        pytest.importorskip("slicer", exc_type=ImportError)
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_only_noise_models_know_which_model_they_are():
    compared = re.compile(r"\bnoise\.id\s*(==|!=|in\b)|\bmethod\.domain\s*(==|!=)")
    assert not [path for path, source in FILES.items() if compared.search(source) and "/noise/" not in path]


def test_no_function_takes_more_than_nine_parameters_but_the_command_lines():
    def parameters(node: ast.FunctionDef) -> int:
        given = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        return len([name for name in given if name not in ("self", "cls")])

    ours = {path: ast.parse(source) for path, source in FILES.items() if not path.startswith("Testing/")}
    assert not [
        f"{path}: {node.name}"
        for path, tree in ours.items()
        if not path.startswith("MedRestoreLib/cli/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and parameters(node) > 9
    ]
