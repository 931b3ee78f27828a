"""What pip installs: a wheel that works outside the checkout, with weights, types and a page for the package index."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from Testing.support.paths import REPOSITORY

pytest.importorskip("build")
SOURCES = ("MedRestoreLib", "Resources", "README.md", "LICENSE.txt", "pyproject.toml")
RESTORE = """
import sys
import MedRestoreLib as mr
from MedRestoreLib import samples
print(mr.__file__)
scan = samples.make("MedRestoreBoneScan")
part = mr.Image.from_array(scan.voxels[:, :, 100:228, 60:160], modality="NM", unit="counts")
result = mr.restore(part, method="emanet")
assert result.report.to_dict()["provenance"]["weights"].startswith("counts")
assert abs(result.image.voxels.sum() / part.voxels.sum() - 1) < 1e-3
mr.write(result.image, sys.argv[1])
"""


def run(*arguments: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, str]:
    """The wheel, built from a copy of its sources, and what the build said."""
    folder = tmp_path_factory.mktemp("wheel")
    checkout = folder / "checkout"
    checkout.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, checkout / name)
    said = run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(checkout), cwd=folder)
    return next(folder.glob("*.whl")), said


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(built[0]), cwd=folder)
    return folder


def test_it_builds_without_a_warning(built):
    said = [line for line in built[1].splitlines() if "byte-compiling is disabled" not in line]
    assert not [line for line in said if re.search("warning|absent|deprecat|would be ignored", line, re.I)]


def test_it_says_that_it_has_types(built):
    assert "MedRestoreLib/py.typed" in zipfile.ZipFile(built[0]).namelist()


def test_outside_the_checkout_it_restores_a_study_with_a_learned_method(installed, tmp_path):
    said = run("-c", RESTORE, str(tmp_path / "restored.nrrd"), cwd=tmp_path, PYTHONPATH=str(installed))
    assert str(installed) in said.splitlines()[0]
    assert (tmp_path / "restored.nrrd").stat().st_size > 10_000


def test_its_command_runs(installed, tmp_path):
    assert "emanet" in run("-m", "MedRestoreLib", "methods", "--json", cwd=tmp_path, PYTHONPATH=str(installed))


def test_pictures_and_links_of_its_page_lead_somewhere_on_a_package_index_too(built):
    wheel = zipfile.ZipFile(built[0])
    (name,) = (n for n in wheel.namelist() if n.endswith("/METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    page = re.sub(r"^```.*?^```$", "", metadata.get_payload(), flags=re.S | re.M)
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert len(targets) > 10
    assert not [t for t in targets if not t.startswith(("https://", "#"))]
    assert {line.split(",")[0] for line in metadata.get_all("Project-URL")} >= {"Homepage", "Issues", "Changelog"}
