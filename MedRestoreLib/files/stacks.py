"""Images of one DICOM series put together: which are slices of one volume, which are frames, which something else.

A series may hold a volume at several times, echoes or diffusion weightings: those are frames. It may also hold things
that are no frames of each other, such as magnitude and phase, water and fat, or three scouts: those are its parts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import modalities
from ..errors import UnsupportedImage
from .dicom_geometry import SAME, Plane, frame_plane, place, plane_of
from .headers import group, items, number, numbers, text, texts, whole

COMPONENTS = {
    "M": "magnitude",
    "MAGNITUDE": "magnitude",
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "R": "real part",
    "REAL": "real part",
    "I": "imaginary part",
    "IMAGINARY": "imaginary part",
}
MAGNITUDE = "magnitude"
LABELS = (  # what may set frames of classic images apart
    "EchoTime",
    "InversionTime",
    "FlipAngle",
    "DiffusionBValue",
    "DiffusionGradientOrientation",
    "TemporalPositionIdentifier",
    "AcquisitionNumber",
)
_GE = (0x0043, "GEMS_PARM_01", 0x2F)  # private: 0 magnitude, 1 phase, 2 real, 3 imaginary
_GE_COMPONENTS = ("magnitude", "phase", "real part", "imaginary part")
_VIEWS = ("NM", "PT")  # images of these without a place in space are views of one acquisition


@dataclass(frozen=True)
class Slice:
    """One 2-D image of a series.

    Attributes:
        file, frame: where it is: index among the files, and among that file's frames.
        plane: where it lies, None when it does not say.
        shape: what images of one volume share: rows, columns, samples, bits.
        component: "magnitude", "phase", "real part" or "imaginary part" of complex numbers; "" for others.
        kinds: Image Type from the third value on.
        labels: what may set frames apart, by name; None where it is not said.
        number: Instance Number, or the frame's.
        time: start, ms; None when unknown.
    """

    file: int
    frame: int
    plane: Plane | None
    shape: tuple[int, ...]
    component: str
    kinds: tuple[str, ...]
    labels: tuple[Any, ...]
    number: int
    time: float | None


def slices_of(header: Any, file: int = 0) -> list[Slice]:
    """The images of a file whose header says of each where it lies; of another file one alone."""
    from .headers import frame_groups

    shape = tuple(whole(header, name) for name in ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated"))
    frames = frame_groups(header)
    if len(frames) > 1:
        return [_enhanced_slice(header, frame, file, index, shape) for index, frame in enumerate(frames)]
    kinds = texts(header, "ImageType")
    return [
        Slice(
            file,
            0,
            plane_of(header) or (frame_plane(header, frames[0]) if frames else None),
            shape,
            component_of(header, kinds),
            kinds[2:],
            _labels(header),
            whole(header, "InstanceNumber"),
            _time(header),
        )
    ]


def component_of(header: Any, kinds: Sequence[str]) -> str:
    """Which part of complex numbers an MR image shows; "" when it does not say."""
    if text(header, "Modality") not in ("MR", ""):
        return ""
    said = text(header, "ComplexImageComponent").upper()
    if said in COMPONENTS:
        return COMPONENTS[said]
    found = {COMPONENTS[kind.upper()] for kind in kinds[2:] if kind.upper() in COMPONENTS}
    if len(found) == 1:
        return found.pop()
    creators, owner, element = _GE
    try:
        code = int(np.ravel(header.private_block(creators, owner)[element].value)[0])
    except (KeyError, AttributeError, TypeError, ValueError, IndexError):
        return ""
    return _GE_COMPONENTS[code] if 0 < code < 4 else ""


def name_magnitude(header: Any) -> None:
    """Write into a header that the image is a magnitude; it may have said that it is another part."""
    groups = [*items(header, "SharedFunctionalGroupsSequence"), *items(header, "PerFrameFunctionalGroupsSequence")]
    frame_types = [one for group in groups for one in items(group, "MRImageFrameTypeSequence")]
    for home, name in ((header, "ImageType"), *((one, "FrameType") for one in frame_types)):
        if kinds := texts(home, name):
            others = [("M" if kind.upper() in COMPONENTS else kind) for kind in kinds[2:]]
            setattr(home, name, [*kinds[:2], *others])
        if "ComplexImageComponent" in home:
            home.ComplexImageComponent = "MAGNITUDE"
    creators, owner, element = _GE
    with suppress(KeyError):
        del header.private_block(creators, owner)[element]


def _labels(header: Any) -> tuple[Any, ...]:
    return tuple(numbers(header, name) or None for name in LABELS)


def _enhanced_slice(header: Any, frame: Any, file: int, index: int, shape: tuple[int, ...]) -> Slice:
    echo = group(header, frame, "MREchoSequence") or {}
    diffusion = group(header, frame, "MRDiffusionSequence") or {}
    directions = (diffusion.get("DiffusionGradientDirectionSequence") or [{}]) if diffusion else [{}]
    content = group(header, frame, "FrameContentSequence") or {}
    kind = group(header, frame, "MRImageFrameTypeSequence") or {}
    position = group(header, frame, "TemporalPositionSequence") or {}
    heart = group(header, frame, "CardiacSynchronizationSequence") or {}
    kinds = texts(kind, "FrameType") or texts(header, "ImageType")
    said = COMPONENTS.get(text(kind, "ComplexImageComponent").upper(), "")
    offset = number(position, "TemporalPositionTimeOffset")
    times = (
        None if offset is None else 1000.0 * offset,
        number(heart, "NominalCardiacTriggerDelayTime"),
        _clock(text(content, "FrameAcquisitionDateTime")),
        _clock(text(content, "FrameReferenceDateTime")),
    )
    return Slice(
        file,
        index,
        frame_plane(header, frame),
        shape,
        said or component_of(header, kinds),
        kinds[2:],
        (
            numbers(echo, "EffectiveEchoTime") or None,
            numbers(diffusion, "DiffusionBValue") or None,
            numbers(directions[0], "DiffusionGradientOrientation") or None,
            numbers(content, "TemporalPositionIndex") or None,
            numbers(heart, "NominalCardiacTriggerDelayTime") or None,
            numbers(content, "FrameAcquisitionNumber") or None,
        ),
        index,
        next((time for time in times if time is not None), None),
    )


def _time(header: Any) -> float | None:
    """When a classic image begins: after the heart's trigger, else on the clock; ms."""
    trigger = number(header, "TriggerTime")
    if trigger is not None:
        return trigger
    for day, clock in (("", "AcquisitionDateTime"), ("AcquisitionDate", "AcquisitionTime")):
        if (time := _clock(text(header, day) + text(header, clock))) is not None:
            return time
    return None


def _clock(stamp: str) -> float | None:
    """A DICOM date and time, YYYYMMDDHHMMSS.F, as ms; None when it is none."""
    from datetime import datetime

    digits, _, fraction = stamp.partition(".")
    try:
        seconds = datetime.strptime(digits[:14], "%Y%m%d%H%M%S").timestamp()
    except ValueError:
        return None
    fraction = "".join(character for character in fraction[:6] if character.isdigit())
    return 1000.0 * (seconds + float(f"0.{fraction or 0}"))


def parts_of(slices: Sequence[Slice], modality: str) -> list[tuple[str, list[Slice]]]:
    """Slices that belong together, in groups with a name that says what sets a group apart ("" for the only one)."""
    groups: list[list[Slice]] = []
    for one in slices:
        home = next((group for group in groups if _belong(group[0], one, modality)), None)
        groups.append([one]) if home is None else home.append(one)
    divided = [part for group in groups for part in _by_kind(group)]
    if len(divided) == 1:
        return [("", divided[0])]
    return list(zip(_names(divided), divided, strict=True))


def _belong(first: Slice, other: Slice, modality: str) -> bool:
    if first.shape != other.shape or first.component != other.component:
        return False
    if first.plane is None or other.plane is None:
        return first.plane is other.plane and modalities.find(modality).code in _VIEWS
    if np.abs(np.subtract(first.plane.orientation, other.plane.orientation)).max() > SAME:
        return False
    a, b = first.plane.spacing, other.plane.spacing
    return (a is None) == (b is None) and (a is None or bool(np.allclose(a, b or a, rtol=1e-3)))


def _by_kind(group: list[Slice]) -> list[list[Slice]]:
    """Divide images of several kinds (water and fat, ADC and trace) where kinds share positions."""
    kinds: dict[tuple[str, ...], list[Slice]] = defaultdict(list)
    for one in group:
        kinds[one.kinds].append(one)
    if len(kinds) < 2 or group[0].plane is None or len(_positions(group)[0]) == len(group):
        return [group]
    return list(kinds.values())


def _names(parts: list[list[Slice]]) -> list[str]:
    """A name for each part, from the first thing that differs."""
    ways: tuple[Callable[[Slice], str], ...] = (
        lambda one: one.component,
        lambda one: f"{one.shape[0]}x{one.shape[1]}",
        lambda one: "without a position" if one.plane is None else _direction(one.plane),
        lambda one: "-".join(kind.lower() for kind in one.kinds),
    )
    for way in ways:
        names = [way(part[0]) for part in parts]
        if len(set(names)) == len(names):
            return [name or "other" for name in names]
    names = [" ".join(filter(None, (way(part[0]) for way in ways))) for part in parts]
    return [f"{name} {names[: k + 1].count(name)}" if names.count(name) > 1 else name for k, name in enumerate(names)]


def _direction(plane: Plane) -> str:
    return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(plane.normal)))]


def _positions(slices: Sequence[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """The depths at which slices lie, ascending, and which of them each slice has."""
    planes = [one.plane for one in slices if one.plane is not None]
    assert len(planes) == len(slices)  # those without a place are a part of their own
    normal = planes[0].normal
    depth = np.array([np.dot(plane.position, normal) for plane in planes])
    order = np.argsort(depth, kind="stable")
    new = np.diff(depth[order], prepend=-np.inf) >= SAME
    index = np.empty(len(depth), int)
    index[order] = np.cumsum(new) - 1
    return depth[order][new], index


def arrange(slices: Sequence[Slice]) -> tuple[int, int, np.ndarray, dict[str, Any]]:
    """How the slices of one part fill an Image.

    Returns:
        frames, slices, the index of each of the frames x slices planes among ``slices``, and the Image's geometry.

    Raises:
        UnsupportedImage: some positions hold more images than others, or they make no even stack.
    """
    if any(one.plane is None for one in slices):
        order = np.array(sorted(range(len(slices)), key=lambda k: (slices[k].number, slices[k].file)))
        return len(slices), 1, order, {}
    depths, where = _positions(slices)
    counts = np.bincount(where)
    frames = int(counts[0])
    if np.ptp(counts):
        usual = int(np.median(counts))
        odd = int(np.argmax(counts != usual))
        if usual == 1 and counts.max() > 1:
            odd = int(np.argmax(counts))
        raise UnsupportedImage(
            f"of images at the same position there are {counts[odd]} at {depths[odd]:.2f} mm and {usual} elsewhere, "
            "so they are no volume with frames; add the missing files, or remove those that do not belong to it."
        )
    ranks = _ranks(slices, where)
    order = np.array(sorted(range(len(slices)), key=lambda k: (ranks[k], where[k])))
    first = [slices[k] for k in order[: len(depths)]]
    _, geometry = place([one.plane for one in first if one.plane is not None])
    if frames > 1:
        geometry["frame_times"] = _frame_times([slices[k] for k in order], frames)
    return frames, len(depths), order, geometry


def _ranks(slices: Sequence[Slice], where: np.ndarray) -> list[int]:
    """The frame of each slice: by labels that every position has alike, and then by time and number."""
    at: dict[int, list[int]] = defaultdict(list)
    for index, position in enumerate(where):
        at[position].append(index)
    telling = []
    for label in range(min(len(one.labels) for one in slices)):
        held = [sorted(repr(slices[k].labels[label]) for k in members) for members in at.values()]
        if len(set(held[0])) > 1 and all(values == held[0] for values in held):
            telling.append(label)
    first: dict[tuple[str, ...], int] = {}
    keys = [tuple(repr(one.labels[label]) for label in telling) for one in slices]
    natural = [tuple(one.labels[label] or () for label in telling) for one in slices]
    for key, one in zip(keys, slices, strict=True):
        first[key] = min(first.get(key, one.number), one.number)
    ranks = [0] * len(slices)
    for members in at.values():
        members.sort(key=lambda k: (first[keys[k]], natural[k], slices[k].time or 0.0, slices[k].number))
        for rank, index in enumerate(members):
            ranks[index] = rank
    return ranks


def _frame_times(ordered: Sequence[Slice], frames: int) -> tuple[float, ...]:
    """Start of each frame, ms; () unless every slice says and frames follow each other."""
    times = [one.time for one in ordered]
    if any(time is None for time in times):
        return ()
    starts = np.array(times, float).reshape(frames, -1).min(axis=1)
    if np.diff(starts).min() <= 0:
        return ()
    return tuple(map(float, starts - (starts[0] if starts[0] > 1e9 else 0.0)))  # a clock's time tells of a day
