"""Series of DICOM images that are two parts of the same complex numbers, put together.

Scanners store magnitude and phase, or real and imaginary part, as parts of one series or as two series of a study
(Complex Image Component and the third value of Image Type, PS3.3 C.8.13.3.1.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .headers import text
from .stacks import COMPONENTS, MAGNITUDE, Slice, slices_of

if TYPE_CHECKING:
    from .series import Series

MAGNITUDE_AND_PHASE, REAL_AND_IMAGINARY = "magnitude and phase", "real and imaginary part"
_PAIRS = {MAGNITUDE_AND_PHASE: (MAGNITUDE, "phase"), REAL_AND_IMAGINARY: ("real part", "imaginary part")}


def paired(found: Sequence[Series], headers: Mapping[Path, Any]) -> list[Series]:
    """The series, each two that are parts of the same complex numbers as one, in the place of the first.

    Parts belong together where they alone lie in the same places of the same study, with the same echo times, times and
    diffusion weightings. Others stay as they are.

    Args:
        headers: of every file.
    """
    first_slices = {id(one): _slices(one, headers, one.files[:1])[:1] for one in found}
    said = {kind: one[0].component for kind, one in first_slices.items() if one}
    if not set(said.values()) & (set(COMPONENTS.values()) - {MAGNITUDE}):
        return list(found)
    alike: dict[tuple[str, ...], dict[str, list[Series]]] = defaultdict(lambda: defaultdict(list))
    for one in found:
        if said.get(id(one)) and (place := _place(one, headers)):
            alike[place][said[id(one)]].append(one)
    pairs: dict[int, Series | None] = {}
    for parts in alike.values():
        for title, names in _PAIRS.items():
            if all(len(parts[name]) == 1 for name in names):
                first, second = (parts[name][0] for name in names)
                pairs[id(first)], pairs[id(second)] = _together(title, names, first, second), None
    listed = (pairs.get(id(single), single) for single in found)
    return [one for one in listed if one is not None]


def _together(title: str, names: tuple[str, str], first: Series, second: Series) -> Series:
    uid = first.uid.removesuffix(f"/{names[0]}")
    parts = replace(first, uid=f"{uid}/{names[0]}"), replace(second, uid=f"{uid}/{names[1]}")
    files = tuple(dict.fromkeys(first.files + second.files))
    return replace(
        first, uid=uid, part=title, images=first.images + second.images, files=files, frames=None, parts=parts
    )


def _place(series: Series, headers: Mapping[Path, Any]) -> tuple[str, ...]:
    """What parts of the same complex numbers share; () where it is not known."""
    slices = _slices(series, headers, series.files)
    if any(one.plane is None for one in slices):
        return ()
    study = text(headers[series.files[0]], "StudyInstanceUID")
    return (study, *sorted(f"{one.shape[:2]} {_rounded(one)} {one.labels}" for one in slices))


def _rounded(one: Slice) -> list[float]:
    assert one.plane is not None
    return [round(float(number), 3) + 0.0 for number in (*one.plane.position, *one.plane.orientation)]


def _slices(series: Series, headers: Mapping[Path, Any], files: Sequence[Path]) -> list[Slice]:
    slices = [one for path in files for one in slices_of(headers[path])]
    return [one for one in slices if series.frames is None or one.frame in series.frames]
