"""What MkDocs does with these pages: texts that stand elsewhere are put in, and their links set right.

A line ``{{ README: Tutorial }}`` of a page stands for that section of the README, ``{{ CHANGELOG }}`` for a whole file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).resolve().parents[1]
ONLINE = "https://github.com/MedRestore/SlicerMedRestore/blob/main/"
RAW = "https://raw.githubusercontent.com/MedRestore/SlicerMedRestore/main/"
PUT_IN = re.compile(r"^\{\{ (\w+)(?:: (.+?))? \}\}$", re.M)
HEADING = re.compile(r"^(#+) (.+)$", re.M)
GALLERY = Path(os.environ.get("MEDRESTORE_GALLERY", REPOSITORY / "build" / "gallery"))


def on_files(files: Files, config: Any) -> Files:
    """Add the pictures of the repository and of the gallery, which ``python -m Testing.gallery`` draws."""
    for picture in [*(REPOSITORY / "Resources" / "Screenshots").glob("*.png"), *GALLERY.glob("*.png")]:
        files.append(File.generated(config, f"pictures/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Put in what a page takes from elsewhere."""
    return PUT_IN.sub(lambda found: _taken(found[1], found[2]), markdown)


def _taken(name: str, title: str | None) -> str:
    text = (REPOSITORY / f"{name}.md").read_text(encoding="utf-8")
    if title:
        text = _section(text, title)
    text = text.replace(f"{RAW}Resources/Screenshots/", "pictures/")
    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", lambda link: f"[{link[1]}]({_target(link[2])})", text)


def _section(text: str, title: str) -> str:
    """What stands below a heading, with its parts one level higher."""
    level, rest = re.search(rf"^(#+) {re.escape(title)}\n(.*)", text, re.S | re.M).groups()
    body = re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.M)[0]
    return re.sub(r"^#(#+ )", r"\1", body, flags=re.M)


def _target(link: str) -> str:
    """Where a link of a text leads here: a part of the README to the page that shows it, a file to its place online."""
    if link.startswith(("#", "README.md#")):
        anchor = link.split("#")[1]
        for page in sorted((REPOSITORY / "docs").glob("*.md")):
            for name, title in PUT_IN.findall(page.read_text(encoding="utf-8")):
                text = (REPOSITORY / f"{name}.md").read_text(encoding="utf-8")
                if title and _slug(title) == anchor:
                    return page.name
                inside = _section(text, title) if title else text
                if anchor in {_slug(heading) for _, heading in HEADING.findall(inside)}:
                    return f"{page.name}#{anchor}"
        return f"{ONLINE}README.md#{anchor}"
    return link if "://" in link else ONLINE + link


def _slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
