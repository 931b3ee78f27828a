"""What Slicer's build and the Extensions Index demand of the repository."""

from __future__ import annotations

import ast
import glob
import json
import os
import re
import tomllib

import pytest

from Testing.support.paths import REPOSITORY

# Wheels inside Slicer 5.11 and later (SuperBuild/External_python-*.cmake).
BUNDLED = {"dicomweb-client", "numpy", "packaging", "pillow", "pydicom", "requests", "scipy", "simpleitk"}
ACCEPTED_CATEGORIES = {"Filtering", "Image Synthesis", "Nuclear Medicine", "Ultrasound"}


def metadata(field: str) -> str:
    """A field of the top CMakeLists.txt, read as the index's validator reads it."""
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    match = re.search(rf'set\s*\(EXTENSION_{field}\s*"([^"]+)"[ ]*\)', text)
    assert match, f"EXTENSION_{field} is not on one line in double quotes"
    return match[1]


def packaged(folder: str, variable: str) -> set[str]:
    """The files that a ``file(GLOB ...)`` of a folder's CMakeLists.txt finds, relative to the folder."""
    text = (REPOSITORY / folder / "CMakeLists.txt").read_text(encoding="utf-8")
    block = re.search(
        rf"file\(GLOB {variable} RELATIVE \$\{{CMAKE_CURRENT_SOURCE_DIR\}} CONFIGURE_DEPENDS\s+([^)]*)\)", text
    )
    here = REPOSITORY / folder
    return {os.path.relpath(path, here) for pattern in block[1].split() for path in glob.glob(str(here / pattern))}


def requirements(lines: list[str]) -> dict[str, str]:
    """Package name in lower case → version specifier."""
    parts = [re.match(r"([\w.-]+)(.*)", line).groups() for line in lines]
    return {name.lower(): specifier for name, specifier in parts}


def bases(name: str) -> list[str]:
    """The base classes of a class of the module's file."""
    tree = ast.parse((REPOSITORY / "MedRestore/MedRestore.py").read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return [ast.unparse(base) for base in found.bases]


@pytest.mark.parametrize("folder", ["MedRestore", "MedRestoreLib"])
def test_every_python_file_is_packaged(folder):
    present = {p.relative_to(REPOSITORY / folder).as_posix() for p in (REPOSITORY / folder).rglob("*.py")}
    assert packaged(folder, "MODULE_PYTHON_SCRIPTS") == present


def test_every_resource_is_packaged():
    folder = REPOSITORY / "MedRestore"
    present = {p.relative_to(folder).as_posix() for p in (folder / "Resources").rglob("*") if p.is_file()}
    assert packaged("MedRestore", "MODULE_PYTHON_RESOURCES") == present
    assert "Resources/UI/MedRestore.ui" in present


def test_all_weights_are_packaged_with_their_manifest():
    shipped = {f"../Resources/weights/{p.name}" for p in (REPOSITORY / "Resources" / "weights").iterdir()}
    assert packaged("MedRestoreLib", "MODULE_PYTHON_RESOURCES") == shipped
    assert "../Resources/weights/manifest.toml" in shipped


def test_self_test_runs_under_ctest():
    text = (REPOSITORY / "MedRestore/CMakeLists.txt").read_text(encoding="utf-8")
    testing = re.search(r"if\(BUILD_TESTING\)(.*?)endif\(\)", text, re.S)[1]
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in testing
    assert bases("MedRestoreTest") == ["ScriptedLoadableModuleTest"]


def test_pip_installs_every_package_of_the_library_and_no_other():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {p.parent.relative_to(REPOSITORY) for p in (REPOSITORY / "MedRestoreLib").rglob("__init__.py")}
    packages = project["tool"]["setuptools"]["packages"]
    named = {name for name in packages if not name.startswith("MedRestoreLib.Resources.")}  # those are data
    assert named == {".".join(folder.parts) for folder in folders}


def test_folders_with_a_build_file_are_built():
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    built = set(re.findall(r"add_subdirectory\((\w+)\)", text))
    assert built == {p.parent.name for p in REPOSITORY.glob("*/CMakeLists.txt")}


def test_metadata_is_as_the_index_reads_it():
    assert metadata("DEPENDS") == "PyTorch"
    assert metadata("HOMEPAGE").startswith("https://")
    assert len(metadata("DESCRIPTION")) > 60
    assert "patents" in metadata("DESCRIPTION"), "the index wants known patents in the description"
    assert ";" not in metadata("DESCRIPTION"), "CMake would make a list of it"
    assert re.fullmatch(r"[^()]+ \([^()]+\)", metadata("CONTRIBUTORS")), "a name, and in brackets who or where"
    assert "\r" not in (REPOSITORY / "CMakeLists.txt").read_bytes().decode()


@pytest.mark.parametrize("field", ["ICONURL", "SCREENSHOTURLS"])
def test_pictures_are_in_the_repository(field):
    assert metadata(field)
    for url in metadata(field).split():
        host, _, path = url.partition("/main/")
        assert host == "https://raw.githubusercontent.com/MedRestore/SlicerMedRestore"
        assert (REPOSITORY / path).read_bytes().startswith(b"\x89PNG"), path


def test_icon_is_128_pixels_square():
    from PIL import Image

    with Image.open(REPOSITORY / "MedRestore/Resources/Icons/MedRestore.png") as icon:
        assert icon.size == (128, 128)
        assert icon.mode == "RGBA"


def test_catalogue_entry_is_valid():
    entry = json.loads((REPOSITORY / "MedRestore.json").read_text(encoding="utf-8"))
    project = re.search(r"project\((\w+)\)", (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
    assert project == "MedRestore"
    text = (REPOSITORY / "MedRestore.json").read_text(encoding="utf-8")
    assert '"build_dependencies": [\n    "PyTorch"\n  ]' in text, "one on a line, as the index's lint wants"
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert entry["category"] in ACCEPTED_CATEGORIES
    assert re.fullmatch(r"https://github\.com/[^/]+/Slicer\w+\.git", entry["scm_url"])
    assert entry["build_dependencies"] == ["PyTorch"]
    assert entry["tier"] in (1, 3, 5)
    # The schema refuses fields that it does not know.
    known = {"$schema", "build_dependencies", "build_subdirectory", "category", "scm_revision", "scm_url", "tier"}
    assert set(entry) <= known | {"enabled", "scm_type"}


def test_slicer_installs_the_least_that_it_needs():
    """What serves the command line alone, and python-gdcm, which makes Slicer crash at exit, stay out."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (REPOSITORY / "MedRestore/Resources/requirements.txt").read_text(encoding="utf-8").splitlines()
    in_slicer = requirements([line for line in lines if not line.startswith("#")])
    outside = requirements(project["dependencies"])
    assert set(in_slicer) == {"nibabel", "opencv-python-headless", "safetensors"}, "torch is PyTorch's extension's"
    assert in_slicer == {name: outside[name] for name in in_slicer}


def test_the_licence_is_installed_with_the_package():
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    assert 'set(EXTENSION_LICENSE_FILE "${CMAKE_CURRENT_SOURCE_DIR}/LICENSE.txt")' in text
    assert re.search(r"install\(FILES LICENSE\.txt", text)
    assert text.index("EXTENSION_LICENSE_FILE") < text.index("include(${Slicer_USE_FILE})"), "else Slicer's own counts"


def test_licence_is_apache():
    text = (REPOSITORY / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_module_is_named_after_its_file():
    assert bases("MedRestore") == ["ScriptedLoadableModule"]
