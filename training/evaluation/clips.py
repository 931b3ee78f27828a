"""How well are frames of clips enlarged? Each frame is reduced, enlarged again, and compared with itself.

Cases are held-out lung clips, and clips that no training saw any part of: calf muscle, and phantoms of wires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from MedRestoreLib import weights
from MedRestoreLib.methods import enlarging
from MedRestoreLib.methods.registration import register
from MedRestoreLib.metrics.fidelity import psnr, ssim
from MedRestoreLib.metrics.no_reference import flicker
from MedRestoreLib.networks import resizing

from .. import build
from ..data import WHITE, data_folder, reduced
from ..data.clips import LENGTH, MULTIPLE, Clips
from ..data.neighbours import AFTER, BEFORE
from ..recipe import RecipeError
from ..tables.results import Result, Values
from .cine import static
from .protocols import HeldOut

MUSCLE = "ultrasound/muscle_clips"
MUSCLE_IMAGE = (slice(48, 612), slice(216, 936))  # rows and columns of its B-mode image, a few pixels within
WIRES = "ultrasound/phantom_sequences"
WIRE_FILES = ("USTC_3NWires_ProbeRotation", "USTC_FrameGrabber_ProbeRotationData", "NwirePhantomFreehand")
BLACK = 2 / 255  # grey up to which a phantom's pixel shows nothing
FRAMES = (4, 10)  # of a clip's 16: those that are compared
FLICKERING = range(2, 10)  # those whose flicker is measured

# Gets the small frames of a clip, (frames, rows, columns), and a place among them.
Enlarger = Callable[[np.ndarray, int], np.ndarray]


class Case(NamedTuple):
    """A clip: ``frames`` ``(16, rows, columns)`` in [0, 1], sides multiples of 12; ``tissue``, where to measure."""

    organ: str
    name: str
    frames: np.ndarray
    tissue: np.ndarray


def cases(source: Clips, split: str = "test", burst: int = 1) -> Iterator[Case]:
    """The clips of a split, then muscle and wires."""
    for id in source.patients(split):
        tissue, bursts = source.bursts(id)
        yield Case("lung", source.name(id), bursts[burst], tissue)
    if split == "test":
        for path in sorted((data_folder() / MUSCLE).glob("*.mp4")):
            frames = _middle(path)[:, *MUSCLE_IMAGE]
            yield Case("muscle", path.stem, frames, np.ones(frames.shape[1:], bool))
        for name in WIRE_FILES:
            frames = _middle(data_folder() / WIRES / f"{name}.mkv")
            yield Case("wires", name, frames, frames.max(axis=0) > BLACK)


def enlarger(name: str, factor: int) -> Enlarger:
    """A method by name: one of ``PLAIN``, a training's folder, or weights that ship.

    Networks that ship are run as users run them, with back-projection; the others as they are.
    """
    if name in PLAIN:
        return lambda small, place: _bicubic(PLAIN[name](small, place), factor)
    if not weights.installed(name):
        network = build.trained(name).network.eval()
        return lambda small, place: _raw(network, small[place])
    if "student" not in weights.find(name).arguments:
        return lambda small, place: _as_users(enlarging.enlarge, small[place : place + 1], name, factor)[0]

    def fused(small: np.ndarray, place: int) -> np.ndarray:
        return _as_users(enlarging.fuse_and_enlarge, _window(small, place), name, factor)[min(place, BEFORE)]

    return fused


def measure(enlarge: Enlarger, found: Sequence[Case], factor: int) -> Values:
    """Quantity → factor and organ → clip → number.

    - ``psnr`` (dB, peak 1) and ``ssim`` against the frame itself, mean of two frames, without ``factor`` pixels at the
      border and without what shows no tissue;
    - ``consistency`` (dB): the result, reduced again, against the small frame;
    - ``flicker`` of still tissue over eight frames, grey values of 255; ``own``: that of the frames themselves;
    - ``entropy`` (EN, bits): the paper's, which noise raises.
    """
    values: dict[str, dict[str, dict[str, float]]] = {}

    def put(quantity: str, case: Case, value: float) -> None:
        values.setdefault(quantity, {}).setdefault(f"{factor} {case.organ}", {})[case.name] = value

    for case in found:
        small = reduced.eight_bits(reduced.resized(case.frames, factor))
        results = {place: np.clip(enlarge(small, place), 0, 1) for place in FRAMES}
        inner = (slice(factor, -factor),) * 2
        pairs = [(results[place][inner], case.frames[place][inner]) for place in FRAMES]
        mask = case.tissue[inner]
        put("psnr", case, float(np.mean([psnr(one, true, data_range=1, mask=mask) for one, true in pairs])))
        put("ssim", case, float(np.mean([ssim(one, true, data_range=1, mask=mask) for one, true in pairs])))
        again = {place: reduced.resized(result, factor) for place, result in results.items()}
        put("consistency", case, float(np.mean([psnr(again[at], small[at], data_range=1) for at in FRAMES])))
        put("entropy", case, float(np.mean([entropy(result) for result in results.values()])))
        still = static(case.frames)
        if still.any() and case.organ == "lung":
            moving = np.stack([np.clip(enlarge(small, place), 0, 1) for place in FLICKERING])
            put("flicker", case, float(WHITE) * flicker(moving, mask=still))
            put("own", case, float(WHITE) * flicker(case.frames[list(FLICKERING)], mask=still))
    return values


def entropy(image: np.ndarray) -> float:
    """Of the histogram of an 8-bit image, bits.

    >>> entropy(np.array([[0.0, 1.0]]))
    1.0
    """
    share = np.bincount(np.rint(np.clip(image, 0, 1) * WHITE).astype(int).ravel(), minlength=256) / image.size
    return float(-(share[share > 0] * np.log2(share[share > 0])).sum())


def results(names: Sequence[str], test: HeldOut) -> Iterator[Result]:
    """One for each method; a network is measured at its own factor, the others at 2, 3 and 4. Raises RecipeError."""
    source = test.ready
    if not isinstance(source, Clips):
        raise RecipeError("enlargement is measured on clips; take --data student_x2.")
    found = list(cases(source))
    for name in names:
        about: dict[str, Any] = {"data": source.clips_key, "split": "test", "clips": len(found)}
        factors: tuple[float, ...] = (2, 3, 4)
        if name not in PLAIN:
            trained = build.trained(name)
            about |= {key: trained.about[key] for key in ("steps", "minutes")}
            factors = trained.recipe.degradation.levels[:1]
        values: Values = {}
        for factor in map(round, factors):
            for quantity, conditions in measure(enlarger(name, factor), found, factor).items():
                values.setdefault(quantity, {}).update(conditions)
        yield Result("clips", "reduced", Path(name).name, values, 0, about)


def _window(small: np.ndarray, place: int) -> np.ndarray:
    return small[max(0, place - BEFORE) : place + AFTER + 1]


PLAIN: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "bicubic": lambda small, place: small[place],
    "average": lambda small, place: _window(small, place).mean(axis=0),
    "registered": lambda small, place: register(_window(small, place), small[place]).frames.mean(axis=0),
}


def _bicubic(small: np.ndarray, factor: int) -> np.ndarray:
    return resizing.enlarged(torch.from_numpy(np.ascontiguousarray(small))[None, None], factor)[0, 0].numpy()


def _as_users(method: Callable, small: np.ndarray, name: str, factor: int) -> np.ndarray:
    frames = torch.from_numpy(np.ascontiguousarray(small))[:, None]
    with torch.inference_mode():
        return method(frames, 0.0, factor=factor, weights=name)[:, 0].numpy()


def _raw(network: torch.nn.Module, small: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(np.ascontiguousarray(small))[None, None])[0, 0].float().numpy()


def _middle(path: Path) -> np.ndarray:
    """The middle frames of a clip, float32 in [0, 1], sides cut to multiples of 12."""
    import MedRestoreLib as mr

    frames = mr.read(path).voxels[:, 0]
    begin = (len(frames) - LENGTH) // 2
    return reduced.cut(frames[begin : begin + LENGTH], MULTIPLE) / WHITE
