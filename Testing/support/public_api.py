"""The public API as text, one line a name. Record it anew after a change that is meant:

python -m Testing.support.public_api
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

RECORD = Path(__file__).resolve().parents[1] / "library" / "public_api.txt"

# Report's fields may gain more exact types: their names, order and defaults are what callers rely on.
UNTYPED_FIELDS = {"Report"}


def lines() -> list[str]:
    """Every name of ``MedRestoreLib.__all__`` with its signature; classes with their public fields and methods."""
    import MedRestoreLib

    return [line for name in sorted(MedRestoreLib.__all__) for line in _described(name, getattr(MedRestoreLib, name))]


def _described(name: str, thing: object) -> Iterator[str]:
    if not inspect.isclass(thing):
        yield f"{name}{_signature(thing)}"
        return
    yield f"class {name}({', '.join(base.__name__ for base in thing.__bases__)})"
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            annotation = "" if name in UNTYPED_FIELDS else f": {field.type}"
            yield f"{name}.{field.name}{annotation}{_default(field)}"
    elif "__init__" in vars(thing):
        yield f"{name}.__init__{_signature(thing.__init__)}"
    for member, value in sorted(vars(thing).items()):
        if member.startswith("_"):
            continue
        if isinstance(value, property | cached_property):
            getter = value.fget if isinstance(value, property) else value.func
            yield f"{name}.{member} -> {inspect.signature(getter).return_annotation}"
        elif isinstance(value, classmethod | staticmethod) or inspect.isfunction(value):
            yield f"{name}.{member}{_signature(getattr(thing, member))}"


def _signature(function: object) -> str:
    """Arguments, defaults and annotations as they stand in the source, whatever machine this is."""
    text = str(inspect.signature(function)).replace(repr(sys.executable), "sys.executable")
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)


def _default(field: dataclasses.Field) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {field.default!r}"
    return "" if field.default_factory is dataclasses.MISSING else f" = {field.default_factory.__name__}()"


if __name__ == "__main__":
    RECORD.write_text("\n".join(lines()) + "\n", encoding="utf-8")
    print(f"Written: {RECORD}")
