"""The papers' tables, in their form, from measured results: ``python -m training table``.

Results are JSON files in ``results``. May import data and recipe.
"""

from __future__ import annotations

from pathlib import Path

from MedRestoreLib.files import atomic

from ..data.degradations import MODELS
from ..recipe import Recipe
from . import emanet, enlarging, p3, swin_conv, unet_att
from .common import Measured, Paper, Table, fidelity_table
from .results import FOLDER, method_name, read

PAPERS: tuple[Paper, ...] = (emanet.PAPER, unet_att.PAPER, swin_conv.PAPER, enlarging.PAPER, p3.PAPER)
PROTOCOLS: tuple[str, ...] = tuple(protocol for paper in PAPERS for protocol in paper.protocols)
TABLES: dict[str, Table] = {name: table for paper in PAPERS for name, table in paper.tables.items()}


def paper_of(name: str) -> Paper:
    """The paper of a table or a protocol. Raises KeyError."""
    for paper in PAPERS:
        if name in paper.tables or name in paper.protocols:
            return paper
    raise KeyError(name)


def render(name: str, protocol: str = "", folder: Path = FOLDER) -> str:
    """One table as Markdown with its heading, for the paper's first protocol if none is given."""
    return _rendered(name, protocol, folder) or f"{_head(name, protocol)}Nothing measured yet.\n"


def on_card(recipe: Recipe, folder: Path = FOLDER) -> str:
    """The tables that belong on the card of a recipe's network; "" if nothing was measured.

    They are those of the paper that is measured on such a source, or else one table of all methods that were measured
    with the same noise on the same data as this one.
    """
    protocol = recipe.degradation.model
    for paper in PAPERS:
        if recipe.data.source in paper.sources:
            printed = protocol if protocol in paper.protocols else ""
            return "\n".join(render(name, printed, folder) for name in paper.card)
    measured = Measured(read(folder))
    own = measured.of("restoration", protocol, method_name(recipe.name))
    if not own:
        return ""
    data, levels = own[0].about.get("data"), own[0].values["psnr"]
    same = [r for r in measured.results if (r.protocol, r.about.get("data")) == (protocol, data)]
    columns = {f"level {at}": (at,) for at in levels}
    table = fidelity_table(Measured(same), protocol, "Method", {r.method: r.method for r in same}, columns)
    return f"## PSNR (peak 1, dB) / SSIM of restored test images\n\nNoise: {MODELS[protocol].title}.\n\n{table}"


def page(protocol: str, folder: Path = FOLDER) -> str:
    """All tables of a protocol for which there are results.

    The heading of results in another folder than FOLDER, which are of other data, names that folder's parent.
    """
    paper, place = paper_of(protocol), folder.resolve().parent
    of = "" if place == FOLDER.parent else f", {place.name}"
    rendered = [text for name in paper.tables if (text := _rendered(name, protocol, folder))]
    return "\n".join([f"# {paper.title}'s tables, {protocol}{of}\n", *rendered])


def write(protocol: str, folder: Path = FOLDER) -> Path:
    """Write ``page`` beside the folder of results."""
    return atomic.write_bytes(folder.resolve().parent / f"{protocol}.md", page(protocol, folder).encode())


def _rendered(name: str, protocol: str, folder: Path) -> str:
    body = TABLES[name].make(Measured(read(folder)), _protocol(name, protocol))
    return body and _head(name, protocol) + body


def _head(name: str, protocol: str) -> str:
    title = " ".join(TABLES[name].make.__doc__.split())
    return f"## {title}\n\nNoise: {MODELS[_protocol(name, protocol)].title}.\n\n"


def _protocol(name: str, protocol: str) -> str:
    return TABLES[name].protocol or protocol or paper_of(name).protocols[0]
