"""The papers' tables, in form, from what was measured: ``python -m training table``.

May import data; results are JSON files in ``results``.
"""

from __future__ import annotations

from pathlib import Path

from MedRestoreLib.files import atomic
from training.data.degradations import MODELS

from . import emanet, unet_att
from .common import Measured, Paper, Table
from .results import FOLDER, read

PAPERS: tuple[Paper, ...] = (emanet.PAPER, unet_att.PAPER)
PROTOCOLS: tuple[str, ...] = tuple(protocol for paper in PAPERS for protocol in paper.protocols)
TABLES: dict[str, Table] = {name: table for paper in PAPERS for name, table in paper.tables.items()}


def paper_of(name: str) -> Paper:
    """The paper that a table, or a protocol, belongs to; KeyError for another name."""
    for paper in PAPERS:
        if name in paper.tables or name in paper.protocols:
            return paper
    raise KeyError(name)


def render(name: str, protocol: str = "", folder: Path = FOLDER) -> str:
    """One table as Markdown, with what it is; without a protocol for the paper's first."""
    return _rendered(name, protocol, folder) or f"{_head(name, protocol)}Nothing measured yet.\n"


def write(protocol: str, folder: Path = FOLDER) -> Path:
    """All tables of a protocol that something was measured for, beside the folder of results.

    Results that lie elsewhere than this file's are of other data: the heading names the folder that they lie in.
    """
    paper, place = paper_of(protocol), folder.resolve().parent
    of = "" if place == FOLDER.parent else f", {place.name}"
    rendered = [text for name in paper.tables if (text := _rendered(name, protocol, folder))]
    text = "\n".join([f"# {paper.title}'s tables, {protocol}{of}\n", *rendered])
    return atomic.write_bytes(place / f"{protocol}.md", text.encode())


def _rendered(name: str, protocol: str, folder: Path) -> str:
    body = TABLES[name].make(Measured(read(folder)), _protocol(name, protocol))
    return body and _head(name, protocol) + body


def _head(name: str, protocol: str) -> str:
    title = " ".join(TABLES[name].make.__doc__.split())
    return f"## {title}\n\nNoise: {MODELS[_protocol(name, protocol)].title}.\n\n"


def _protocol(name: str, protocol: str) -> str:
    return TABLES[name].protocol or protocol or paper_of(name).protocols[0]
