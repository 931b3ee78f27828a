"""The papers' tables, in form, from what was measured: ``python -m training table``."""

from __future__ import annotations

from pathlib import Path

from MedRestoreLib import atomic
from training.degradations import MODELS

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
    table = TABLES[name]
    protocol = table.protocol or protocol or paper_of(name).protocols[0]
    body = table.make(Measured(read(folder)), protocol) or "Nothing measured yet.\n"
    return f"## {' '.join(table.make.__doc__.split())}\n\nNoise: {MODELS[protocol].title}.\n\n{body}"


def write(protocol: str, folder: Path = FOLDER) -> Path:
    """All tables of a protocol beside this file."""
    paper = paper_of(protocol)
    rendered = [render(name, protocol, folder) for name in paper.tables]
    text = "\n".join([f"# {paper.title}'s tables, {protocol}\n", *rendered])
    return atomic.write_bytes(folder.parent / f"{protocol}.md", text.encode())
