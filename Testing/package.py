"""Packages the extension with Slicer's own CMake macros, without a build of Slicer, and compares what is installed:

    python -m Testing.package SLICER_SOURCE CTK_SOURCE [FOLDER]

Both are source checkouts; of Slicer's, ``SlicerMacroBuildScriptedModule.cmake`` is used, of CTK's
``ctkMacroCompilePythonScript.cmake``, which that calls. CMake 3.28 or later is needed (``CMAKE`` names another one than
the first on the PATH). What a build of Slicer would tell its extensions is told by the few lines of ``CONFIG``.

Not proven: that the package's binaries fit (there are none), CPack's archive, and the extension's description file.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from Testing.support.paths import REPOSITORY

MODULES = "lib/Slicer-5.13/qt-scripted-modules"
SHARE = "share/Slicer-5.13"

CONFIG = """
set(Slicer_USE_FILE "${{CMAKE_CURRENT_LIST_DIR}}/Use.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${{CMAKE_CURRENT_LIST_DIR}}/Nothing.cmake")
set(Slicer_EXTENSION_CPACK "${{CMAKE_CURRENT_LIST_DIR}}/Nothing.cmake")
set(Slicer_USE_PYTHONQT ON)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "{modules}")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "{modules}")
set(Slicer_INSTALL_SHARE_DIR "{share}")
"""

USE = """
set(BUILD_TESTING OFF)
set(CTK_CMAKE_DIR "{ctk}/CMake")
set(PYTHONINTERP_FOUND TRUE)
set(PYTHON_EXECUTABLE "{python}")
set(PYTHONLIBS_FOUND TRUE)
set(PYTHON_LIBRARIES "{python}")
set(PYTHON_LIBRARY "{python}")
list(APPEND CMAKE_MODULE_PATH "{slicer}/CMake" "{ctk}/CMake")
include(ctkFunctionExtractOptimizedLibrary)
include(ctkMacroCompilePythonScript)
include(SlicerMacroBuildScriptedModule)
"""


def main(slicer: str, ctk: str, folder: str = "") -> int:
    """0 where what is installed is what should be; else what differs is printed."""
    with tempfile.TemporaryDirectory() as temporary:
        installed = install(Path(slicer).resolve(), Path(ctk).resolve(), Path(folder or temporary).resolve())
        missing, more = expected() - installed, installed - expected()
    for what, files in (("missing", missing), ("not expected", more)):
        for file in sorted(files):
            print(f"{what}: {file}")
    print(f"{len(installed)} files are installed, {len(missing)} are missing, {len(more)} are not expected")
    return 1 if missing or more else 0


def install(slicer: Path, ctk: Path, folder: Path) -> set[str]:
    """Configure, build and install the extension below ``folder``; the files of the package, relative to its root."""
    config, build, package = (folder / name for name in ("config", "build", "package"))
    config.mkdir(parents=True, exist_ok=True)
    (config / "SlicerConfig.cmake").write_text(CONFIG.format(modules=MODULES, share=SHARE))
    python = Path(sys.executable).as_posix()
    (config / "Use.cmake").write_text(USE.format(ctk=ctk.as_posix(), slicer=slicer.as_posix(), python=python))
    (config / "Nothing.cmake").write_text("")
    cmake = os.environ.get("CMAKE", "cmake")
    run(cmake, "-S", str(REPOSITORY), "-B", str(build), f"-DSlicer_DIR={config}", "-DCMAKE_BUILD_TYPE=Release")
    run(cmake, "--build", str(build))
    run(cmake, "--install", str(build), "--prefix", str(package))
    files = (path.relative_to(package) for path in package.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if path.suffix != ".pyc"}


def expected() -> set[str]:
    """What belongs into the package: the module, the library, the weights, and the licence."""
    files = {f"{SHARE}/MedRestore/LICENSE.txt"}
    for folder, to in (("MedRestore", MODULES), ("MedRestoreLib", f"{MODULES}/MedRestoreLib")):
        sources = (path.relative_to(REPOSITORY / folder) for path in (REPOSITORY / folder).rglob("*.py"))
        files |= {f"{to}/{path.as_posix()}" for path in sources}
    for folder in (REPOSITORY / "MedRestore" / "Resources", REPOSITORY / "Resources" / "weights"):
        parent = folder.parent if folder.name == "Resources" else folder.parent.parent
        files |= {f"{MODULES}/{path.relative_to(parent).as_posix()}" for path in folder.rglob("*") if path.is_file()}
    return files


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    raise SystemExit(main(*sys.argv[1:]))
