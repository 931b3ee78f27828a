"""Writes the README's tables of methods and of noise models, which are the code's own rows:

python -m Testing.readme
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from MedRestoreLib import noise
from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.row import Method
from MedRestoreLib.modalities import MODALITIES
from Testing.support.paths import ONLINE, REPOSITORY

PATH = REPOSITORY / "README.md"
CARDS = f"{ONLINE}Resources/cards"


def main() -> None:
    PATH.write_text(renewed(PATH.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"Written: {PATH}")


def renewed(readme: str) -> str:
    """The text with the tables that the code makes."""
    return _with_table(_with_table(readme, "Methods", methods()), "From Python", noises())


def methods() -> str:
    """One row for each row of the catalogue."""
    rows = []
    for row in catalogue.METHODS:
        rows.append((f"`{row.id}`", f"{row.title}{_cards(row)}", row.summary, row.citation))
    return _table(("id", "method", "what it does", "source"), rows)


def _cards(row: Method) -> str:
    """Links to the cards of a method's weights, one for each factor by which it enlarges; "" without weights."""
    if not row.learned:
        return ""
    factors = row.factors or (1,)
    links = [f"[card{f' ×{by}' if row.factors else ''}]({CARDS}/{row.weights_at(by)}.md)" for by in factors]
    return f" ({', '.join(links)})"


def noises() -> str:
    """One row for each noise model: which modalities have it, the unit of its level, and its formula."""
    rows = []
    for id in noise.IDS:
        model = noise.model(id)
        modalities = ", ".join(row.title for row in MODALITIES if row.noise == id)
        rows.append((f"`{id}`", modalities, model.unit, _first_sentence(model.__doc__)))
    return _table(("noise", "for", "level", "model"), rows)


def _first_sentence(docstring: str) -> str:
    sentence = re.split(r"(?<=\.)\s", docstring.strip(), maxsplit=1)[0]
    return " ".join(sentence.replace("``", "`").split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in (head, *rows))
    top, *body = (f"| {line} |\n" for line in lines)
    return "".join([top, f"|{'---|' * len(head)}\n", *body])


def _with_table(text: str, heading: str, table: str) -> str:
    """The text with the first table below a heading replaced."""
    pattern = rf"(^##+ {re.escape(heading)}\n(?:(?!\|).*\n)*)(?:\|.*\n)+"
    return re.sub(pattern, lambda found: found[1] + table, text, count=1, flags=re.M)


if __name__ == "__main__":
    main()
