"""The documentation builds without a warning, its pictures and links are there, and its examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from Testing import gallery
from Testing.support.paths import REPOSITORY, local

pytest.importorskip("mkdocs")
DOCS = REPOSITORY / "docs"
GUIDES = [REPOSITORY / "CONTRIBUTING.md", REPOSITORY / "CHANGELOG.md"]  # the README has tests of its own
CONFIGURATION = ("ini", "toml")  # toml has a test of its own: Testing/library/node/test_config.py
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.S | re.M)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built pages, over pictures of the gallery that show nothing: to draw them takes minutes."""
    pictures, folder = tmp_path_factory.mktemp("gallery"), tmp_path_factory.mktemp("site")
    for name in gallery.STUDIES:
        Image.new("L", (8, 8)).save(pictures / f"gallery_{name}.png")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "MEDRESTORE_GALLERY": str(pictures)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


def page(site: Path, name: str) -> str:
    return (site / name / "index.html").read_text(encoding="utf-8")


def test_what_stands_elsewhere_is_put_in(site):
    assert "Segment both alike" in page(site, "tutorial")
    assert "Add a noise model" in page(site, "contributing")
    assert "{{ " not in "".join(p.read_text(encoding="utf-8") for p in site.rglob("*.html"))


def test_every_public_name_is_in_the_api(site):
    import MedRestoreLib as mr

    text = page(site, "api")
    assert [name for name in mr.__all__ if f'id="MedRestoreLib.{name}"' not in text] == []


def test_pictures_are_there(site):
    for path in site.rglob("*.html"):
        for source in re.findall(r'<img[^>]* src="([^"]+)"', path.read_text(encoding="utf-8")):
            assert "://" not in source, f"{path.parent.name} needs the internet for {source}"
            assert (path.parent / source).is_file(), f"{path.parent.name}: {source}"


def test_links_into_the_repository_lead_to_files(site):
    """MkDocs has checked those between the pages."""
    for path in [*site.rglob("*.html"), *GUIDES]:
        text = path.read_text(encoding="utf-8")
        links = re.findall(r'href="(https://[^"]+)"', text) if path.suffix == ".html" else _links(text)
        for link in links:
            file = local(link)
            assert file is None or file.is_file() or link.startswith("#"), f"{path.name}: {link}"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_examples_of_a_page_run(path):
    for language, code in FENCED.findall(path.read_text(encoding="utf-8")):
        if language in CONFIGURATION:
            continue
        assert language == "python"
        exec(compile(code, path.name, "exec"), {})


def test_the_gallery_shows_every_study():
    shown = set(re.findall(r"pictures/(gallery_\w+\.png)", (DOCS / "gallery.md").read_text(encoding="utf-8")))
    assert shown == {f"gallery_{name}.png" for name in gallery.STUDIES}


def test_a_picture_of_the_gallery_is_drawn(tmp_path):
    with Image.open(gallery.draw("heart", tmp_path, only={"srad"})) as picture:
        assert picture.width > 900
        assert len(set(picture.convert("L").tobytes())) > 50


def test_the_gallery_leaves_out_what_enlarges(tmp_path):
    assert gallery.draw("head", tmp_path, only={"bicubic"}).is_file()


def _links(text: str) -> list[str]:
    return [link.split("#")[0] or "#" for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text))]
