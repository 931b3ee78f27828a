"""How well are frames of clips enlarged? Each frame is reduced, enlarged again, and compared with itself.

Cases are held-out lung clips, and clips that no training saw any part of: calf muscle, and phantoms of wires.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from MedRestoreLib import weights
from MedRestoreLib.methods import enlarging
from MedRestoreLib.methods.steadying import steadied
from MedRestoreLib.metrics.fidelity import psnr, ssim
from MedRestoreLib.metrics.no_reference import flicker, gcnr
from MedRestoreLib.networks import resizing
from MedRestoreLib.pipeline.clips import FRAMES as TOGETHER
from MedRestoreLib.pipeline.clips import neighbours

from .. import build
from ..data import WHITE, data_folder, reduced
from ..data.clips import LENGTH, MULTIPLE, Clips
from ..data.neighbours import AFTER, BEFORE
from ..data.registration import register
from ..recipe import RecipeError
from ..tables.results import Result, Values
from .cine import static
from .frames import regions
from .protocols import HeldOut
from .resolution import peaks, wire

MUSCLE = "ultrasound/muscle_clips"
MUSCLE_IMAGE = (slice(48, 612), slice(216, 936))  # rows and columns of its B-mode image, a few pixels within
WIRES = "ultrasound/phantom_sequences"
WIRE_FILES = ("USTC_3NWires_ProbeRotation", "USTC_FrameGrabber_ProbeRotationData", "NwirePhantomFreehand")
BLACK = 2 / 255  # grey up to which a phantom's pixel shows nothing
BREASTS = 16  # frames with a lesion
FRAMES = (4, 10)  # of a clip's 16: those that are compared
FLICKERING = range(2, 10)  # those whose flicker is measured
MOVING = ("lung", "muscle")  # in clips of which some tissue is still; a phantom moves as a whole

# Gets the small frames of a clip, (frames, rows, columns), and a place among them.
Enlarger = Callable[[np.ndarray, int], np.ndarray]


class Case(NamedTuple):
    """A clip of 16 frames in [0, 1], ``(frames, rows, columns)``, or a single frame; sides are multiples of 12.

    ``tissue`` is where to measure, ``lesion`` where there is one, ``(rows, columns)``.
    """

    organ: str
    name: str
    frames: np.ndarray
    tissue: np.ndarray
    lesion: np.ndarray | None = None

    @property
    def places(self) -> tuple[int, ...]:
        """The frames that are compared."""
        return FRAMES if len(self.frames) == LENGTH else (0,)


def cases(source: Clips, split: str = "test", burst: int = 1) -> Iterator[Case]:
    """The clips of a split; of the test split then muscle and wires, and single frames of breasts with a lesion."""
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
        yield from _breasts(source)


def _breasts(source: Clips) -> Iterator[Case]:
    """The first test frames with a lesion, where the source has breasts."""
    if source.organs is None:
        return
    patients = map(source.organs.patient, source.organs.patients("test"))
    for patient in islice((one for one in patients if one.lesions.any()), BREASTS):
        clean, lesion, overlays = (
            reduced.cut(of, MULTIPLE)[0] for of in (patient.clean, patient.lesions, patient.overlays)
        )
        yield Case("breasts", str(patient.id), clean[None], ~overlays, lesion)


def enlarger(name: str, factor: int) -> Enlarger:
    """A method by name: one of ``PLAIN``, a training's folder, or weights that ship.

    Networks that ship are run as users run them, with back-projection, and a clip's frames share detail; with "+apart"
    after the name each frame is for itself, with "+live" it shares with those before it alone. The others are run as
    they are.
    """
    if name in PLAIN:
        return lambda small, place: _bicubic(PLAIN[name](small, place), factor)
    shipped, _, frames = name.partition("+")
    if not weights.installed(shipped):
        trained = build.trained(name)
        if trained.recipe.data.source == "neighbours:Neighbours":
            return refined(trained, factor)
        if trained.recipe.losses[0].name == "fusion":
            return lambda small, place: _fused(trained, small, place, factor)
        return lambda small, place: _raw(trained.network, small[place])
    return lambda small, place: _steadied(small[_order(len(small), place, frames)], shipped, factor)


def refined(trained: build.Trained, factor: int) -> Enlarger:
    """A network such as ``training.networks.fusion.Neighbours``: neighbours, enlarged and moved, refine a frame.

    Those beyond a clip's ends are the frame itself.
    """
    student = weights.find(trained.recipe.data.arguments["student"]).load()

    def enlarge(small: np.ndarray, place: int) -> np.ndarray:
        others = (at for at in range(place - BEFORE, place + AFTER + 1) if at != place)
        order = [place, *(at if 0 <= at < len(small) else place for at in others)]
        frames = torch.from_numpy(np.ascontiguousarray(small[order]))[:, None]
        with torch.inference_mode():
            alone = enlarging.run(student, frames)[:, 0].numpy()
            stack = np.concatenate((alone[:1], register(alone[1:], alone[0]).frames))
            one = enlarging.run(trained.network, torch.from_numpy(stack)[None])
            return enlarging.consistent(one, frames[:1], factor)[0, 0].numpy()

    return enlarge


def measure(enlarge: Enlarger, found: Sequence[Case], factor: int) -> Values:
    """Quantity → factor and organ → clip → number.

    - ``psnr`` (dB, peak 1) and ``ssim`` against the frame itself, mean of two frames, without ``factor`` pixels at the
      border and without what shows no tissue;
    - ``consistency`` (dB): the result, reduced again, against the small frame;
    - ``flicker`` of still tissue in lungs and muscle over eight frames, grey values of 255; ``own``: that of the frames
      themselves;
    - ``entropy`` (EN, bits): the paper's, which noise raises;
    - ``fwhm`` of wires in the result over that in the frame itself, median over wires;
    - ``gcnr`` of lesions in the result; ``gcnr_true``: in the frame itself.
    """
    values: dict[str, dict[str, dict[str, float]]] = {}

    def put(quantity: str, case: Case, value: float) -> None:
        values.setdefault(quantity, {}).setdefault(f"{factor} {case.organ}", {})[case.name] = value

    for case in found:
        small = reduced.eight_bits(reduced.resized(case.frames, factor))
        results = {place: np.clip(enlarge(small, place), 0, 1) for place in case.places}
        inner = (slice(factor, -factor),) * 2
        pairs = [(results[place][inner], case.frames[place][inner]) for place in case.places]
        mask = case.tissue[inner]
        put("psnr", case, float(np.mean([psnr(one, true, data_range=1, mask=mask) for one, true in pairs])))
        put("ssim", case, float(np.mean([ssim(one, true, data_range=1, mask=mask) for one, true in pairs])))
        again = {place: reduced.resized(result, factor) for place, result in results.items()}
        put("consistency", case, float(np.mean([psnr(again[at], small[at], data_range=1) for at in case.places])))
        put("entropy", case, float(np.mean([entropy(result) for result in results.values()])))
        if case.organ == "wires":
            ratios = [ratio for at, result in results.items() for ratio in widths(result, case.frames[at])]
            put("fwhm", case, float(np.median(ratios)))
        if case.lesion is not None:
            where = regions(case.frames[0], case.lesion, ~case.tissue)
            for quantity, image in (("gcnr", results[0]), ("gcnr_true", case.frames[0])):
                put(quantity, case, gcnr(image[where.inside], image[where.around]))
        if case.organ in MOVING and (still := static(case.frames)).any():
            moving = np.stack([np.clip(enlarge(small, place), 0, 1) for place in FLICKERING])
            put("flicker", case, float(WHITE) * flicker(moving, mask=still))
            put("own", case, float(WHITE) * flicker(case.frames[list(FLICKERING)], mask=still))
    return values


def widths(result: np.ndarray, true: np.ndarray) -> list[float]:
    """FWHM across the beam of each wire in ``result`` over that in the frame itself, ``true``."""
    found = []
    for row, column in peaks(true):
        pair = [wire(image[row], column) for image in (result, true)]
        if None not in pair:
            found.append(pair[0][0] / pair[1][0])
    return found or [math.nan]


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
            shipped = name.partition("+")[0]
            trained = build.trained(shipped if weights.installed(shipped) else name)
            about |= {key: trained.about[key] for key in ("steps", "minutes")}
            factors = trained.recipe.degradation.levels[:1] if trained.recipe.degradation.model == "reduced" else (2,)
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


def _order(count: int, place: int, frames: str) -> list[int]:
    """The frame at ``place``, then those that it shares detail with."""
    if frames == "apart":
        return [place]
    near = range(max(0, place - TOGETHER + 1), place) if frames else range(count)[neighbours(place, count)]
    return [place, *(at for at in near if at != place)]


def _steadied(small: np.ndarray, name: str, factor: int) -> np.ndarray:
    """The first of some small frames, enlarged with what it shares with the others."""
    frames = torch.from_numpy(np.ascontiguousarray(small))[:, None]
    with torch.inference_mode():
        enlarged = enlarging.enlarge(frames, 0.0, factor=factor, weights=name)
        return steadied(enlarged, frames, factor=factor)[0, 0].numpy()


def _fused(trained: build.Trained, small: np.ndarray, place: int, factor: int) -> np.ndarray:
    """Six small frames fused to one, moved onto it before if the training had it so, then the student that ships."""
    window = _window(small, place)
    if trained.recipe.data.arguments["registered"]:
        window = register(window, small[place]).frames
    with torch.inference_mode():
        one = trained.network(torch.from_numpy(np.ascontiguousarray(window))[None])[0].clamp(0, 1).numpy()
    return _steadied(one, f"student_x{factor}", factor)


def _raw(network: torch.nn.Module, small: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return enlarging.run(network, torch.from_numpy(np.ascontiguousarray(small))[None, None])[0, 0].numpy()


def _middle(path: Path) -> np.ndarray:
    """The middle frames of a clip, float32 in [0, 1], sides cut to multiples of 12."""
    import MedRestoreLib as mr

    frames = mr.read(path).voxels[:, 0]
    begin = (len(frames) - LENGTH) // 2
    return reduced.cut(frames[begin : begin + LENGTH], MULTIPLE) / WHITE
