"""The one path from a study and a plan to a restored study with its evidence.

stabilise → scale to [0, 1] → method, window by window → unscale → exact unbiased inverse → keep totals → blend

Methods for speckle and for counts take the study itself: nothing is stabilised and nothing inverted. Those for speckle
are not shown black borders (see ``borders``).
"""

from __future__ import annotations

import hashlib
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import weights
from ..errors import MedRestoreError, OutOfMemory
from ..evidence import audit as audits
from ..evidence import gain as evidence
from ..image import Image
from ..methods.catalogue import Method
from ..noise import Noise, model
from ..reporting.report import Report
from ..version import __version__
from . import borders
from . import device as devices
from . import plan as plans
from .plan import Plan
from .progress import Progress, ignore
from .tiles import Window, windows

if TYPE_CHECKING:
    import torch

# Windows on a CPU are kept this small so that a job stops soon after it is told to, and stays in the cache.
MOST_VOXELS_PER_WINDOW = 4_000_000

# The expected gain is measured on one piece of the study: it needs the method several times over.
EVIDENCE_VOXELS = 320 * 320

# Estimates below this confidence are passed on with a warning.
UNSURE = 0.5

# A mask's edge fades in over this many voxels, inwards: nothing outside the mask is touched.
FEATHER_VOXELS = 3.0
FEATHER_SLICES = 16  # worked on at once: distances need many times the memory of the mask


@dataclass(frozen=True, eq=False)
class Result:
    """What came out: the restored study and the evidence for it."""

    image: Image
    report: Report
    before: Image = field(repr=False)

    @property
    def removed(self) -> Image:
        """What was taken out: before minus after, on the same grid, in the same unit."""
        return Image(
            self.before.voxels - self.image.voxels,
            self.before.spacing,
            self.before.origin,
            self.before.direction,
            self.before.frame_times,
            self.before.modality,
            self.before.unit,
        )


def restore(image: Image, plan: Plan | None = None, *, progress: Progress | None = None, **edits: Any) -> Result:
    """Restore a study.

    Args:
        image: the noisy study; it is not changed.
        plan: from ``recommend``; None recommends one.
        progress: called with a fraction (0 to 1) and what is being done; what it raises (``Cancelled``) ends the job.
        **edits: fields of ``Plan`` that replace the plan's, e.g. ``method="bm3d", level=12.0``.

    Returns:
        The restored study with the same geometry, unit and, for counts, the same totals; and the evidence.

    Raises:
        MedRestoreError: the study or the plan is unfit, or memory ran out; nothing is left half done.
    """
    plan = plans.recommend(image, **edits) if plan is None else plans.edited(plan, image, **edits)
    progress = progress or ignore
    start = time.perf_counter()
    device = devices.resolve(plan.device)
    job = Job(image, plan, device)
    restored = job.run(lambda fraction: progress(0.9 * fraction, f"Restoring with {job.method.title}"))
    progress(0.9, "Gathering evidence")
    report = job.report(restored, time.perf_counter() - start)
    progress(1.0, "Done")
    return Result(image.with_voxels(restored), report, image)


class Job:
    """One run: what is shared between its windows."""

    def __init__(self, image: Image, plan: Plan, device: torch.device) -> None:
        self.image, self.plan, self.device = image, plan, device
        self.method: Method = plans.find_method(plan.method)
        self.implementation = self.method.load()
        self.noise: Noise = model(plan.noise).bind(image.voxels, plan.level)
        self.notes: list[str] = []
        self.alpha = None if plan.mask is None else feathered(plan.mask, image.spacing)
        self.low, self.scale = self._range()
        self.totals_factors: list[float] = []
        self.limit = self._most_voxels()

    @property
    def native(self) -> bool:
        """Whether the method takes the study itself and not its stabilised form."""
        return self.method.domain != "gaussian"

    @property
    def sigma(self) -> float:
        """The noise level as the method takes it (``Method.domain``)."""
        if self.method.domain == "speckle":
            return self.noise.level
        return 1.0 / (math.sqrt(self.noise.level * self.scale) if self.method.domain == "counts" else self.scale)

    def run(self, progress: Callable[[float], None]) -> np.ndarray:
        """The restored voxels."""
        voxels = self.image.voxels
        framed = self.method.domain == "speckle"
        values = borders.filled(voxels) if framed else voxels
        restored = np.empty_like(voxels)
        while True:
            try:
                self._run_windows(self._stacked(values), self._stacked(restored), progress)
                break
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
            self._use_less_memory(self._stacked(values))
        if framed:
            borders.put_back(voxels, restored)
        self._keep_totals_and_blend(voxels, restored)
        return restored

    def denoise(self, values: np.ndarray) -> np.ndarray:
        """The method at full strength on stabilised values (the study's own for native methods).

        ``(stack, rows, columns)``, or ``(slices, rows, columns)`` as one volume for a plan in three dimensions.
        """
        import torch

        scaled = torch.from_numpy(np.ascontiguousarray((values - self.low) / self.scale, dtype=np.float32))
        batch = scaled[:, None] if self.plan.dimensions == 2 else scaled[None, None]
        options = dict(self.plan.options)
        if self.method.domain == "speckle":
            options["reference"] = self.noise.reference / self.scale
        with torch.inference_mode():
            result = self.implementation(batch.to(self.device), self.sigma, **options)
        result = result.reshape(scaled.shape).cpu().numpy()
        if not np.isfinite(result).all():  # an inverse transform could turn these into plausible zeros
            raise MedRestoreError(
                f"{self.method.id} gave values that are not numbers; please report it, use another method."
            )
        return result * np.float32(self.scale) + np.float32(self.low)

    def report(self, restored: np.ndarray, seconds: float) -> Report:
        """Everything that happened, with the evidence."""
        image, plan, noise = self.image, self.plan, self.noise
        gain = evidence.expected_gain(self._sample(), self._denoise_frames, noise)
        if noise.id == "speckle":
            self.notes.append("Speckle is correlated: no unbiased estimate of the gain exists for it.")
        assumed = plan.estimate is not None and plan.estimate.level is None
        if assumed:
            self.notes.append("The noise level could not be told: a usual one stands in for it in this report.")
        elif plan.estimate is not None and plan.estimate.confidence < UNSURE:
            self.notes.append(f"The noise level is unsure (confidence {plan.estimate.confidence:.0%}): look closely.")
        if noise.id == "rician":
            self.notes.append("Means fall in air and dark tissue: that is the bias of Rician noise, taken out.")
        if image.colour is not None:
            self.notes.append("Only the brightness (luma) was restored; colour was kept.")
        estimate = plan.estimate
        return Report(
            study={
                "modality": image.modality,
                "unit": image.unit,
                "size": list(image.voxels.shape),
                "spacing_mm": list(image.spacing),
                "sha256": hashlib.sha256(np.ascontiguousarray(image.voxels).data).hexdigest(),
            },
            plan=plan.to_dict(),
            noise={
                "model": noise.id,
                "title": noise.title,
                "level": noise.level,
                "unit": noise.unit,
                "estimated": estimate is not None and not assumed,
                "assumed": assumed,
                "confidence": None if estimate is None else estimate.confidence,
                "reason": "The level was given." if estimate is None else estimate.reason,
            },
            gain=gain,
            audit=audits.audit(image.voxels, restored, noise),
            totals=evidence.totals(image.voxels, restored, spacing=image.spacing, unit=image.unit),
            provenance={
                "software": f"MedRestore {__version__}",
                "method": self.method.title,
                "citation": self.method.citation,
                "weights": _described(self.method.weights),
                "device": devices.describe(self.device),
                "precision": "float32",
                "totals_factors": self.totals_factors,
                "seconds": round(seconds, 3),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "torch": _torch_version(),
            },
            notes=tuple(self.notes),
        )

    def _range(self) -> tuple[float, float]:
        """What to subtract from the values that the method takes, and to divide them by (``Method.domain``)."""
        if self.method.domain == "speckle":
            return 0.0, float(self.image.voxels.max())
        low, scale = unit_range(self.noise.stabilise(evidence.sample_planes(self.image.voxels)))
        if self.method.domain == "gaussian":
            return low, scale
        brightest = float(self.noise.unbiased_inverse(np.array([low + scale], np.float32))[0])
        return 0.0, max(brightest, 1 / self.noise.level)  # one count at least

    def _stacked(self, voxels: np.ndarray) -> np.ndarray:
        """A view in the shape that windows are cut from: (stack, rows, columns) or (frames, slices, rows, columns)."""
        return voxels.reshape(-1, *voxels.shape[2:]) if self.plan.dimensions == 2 else voxels

    def _most_voxels(self) -> int:
        allowed = devices.tile_voxels(self.device, self.plan.memory_gb, self.method.bytes_per_voxel)
        return min(allowed, MOST_VOXELS_PER_WINDOW)

    def _run_windows(self, before: np.ndarray, restored: np.ndarray, progress: Callable[[float], None]) -> None:
        done = 0
        for window in self._windows(before, self.limit):
            progress(done / before.size)
            restored[window.core] = self._restored_window(before, window)
            done += restored[window.core].size

    def _windows(self, stack: np.ndarray, limit: int) -> list[Window]:
        halo = self.method.reach(self.sigma, **self.plan.options)
        margins = (0, halo, halo) if self.plan.dimensions == 2 else (0, halo, halo, halo)
        return windows(stack.shape, margins, self.method.align, limit)

    def _restored_window(self, stack: np.ndarray, window: Window) -> np.ndarray:
        noisy = stack[window.read]
        if self.plan.dimensions == 3:  # frames are cut first, so a window may still hold several
            return np.stack([self._restored(frame) for frame in noisy])[window.inner]
        return self._restored(noisy)[window.inner]

    def _restored(self, noisy: np.ndarray) -> np.ndarray:
        if self.native:
            return self.denoise(noisy)
        return self.noise.unbiased_inverse(self.denoise(self.noise.stabilise(noisy)))

    def _use_less_memory(self, stack: np.ndarray) -> None:
        """After memory ran out: windows of half the size, and once nothing smaller fits, the CPU."""
        devices.release(self.device)
        half = max(_size(w) for w in self._windows(stack, self.limit)) // 2
        try:
            self._windows(stack, half)
        except OutOfMemory:
            if self.device.type == "cpu":
                raise
            self.notes.append(f"Memory ran out on {self.device.type} even with the smallest tiles: went on on the CPU.")
            self.device = devices.resolve("cpu")
            self.limit = self._most_voxels()
        else:
            self.notes.append(f"Memory ran out on {self.device.type}: started again with tiles of half the size.")
            self.limit = half

    def _keep_totals_and_blend(self, before: np.ndarray, restored: np.ndarray) -> None:
        """In place: scale counts so that each frame keeps its total, then blend by strength and mask."""
        strength = np.float32(self.plan.strength)
        for y, x in zip(before, restored, strict=True):
            w = np.ones(len(x), np.float32) if self.alpha is None else self.alpha
            if self.noise.id == "poisson":
                total, kept = (sum(float((w[k] * v[k]).sum(dtype=np.float64)) for k in range(len(v))) for v in (x, y))
                factor = kept / total if total > 0 else 1.0
                self.totals_factors.append(factor)
                x *= np.float32(factor)
            if self.alpha is not None or strength != 1:
                for k in range(len(x)):
                    x[k] = y[k] + strength * w[k] * (x[k] - y[k])

    def _sample(self) -> np.ndarray:
        """A piece of the study, (1, slices, rows, columns), centred on its content, for the expected gain."""
        frame = self.image.voxels[len(self.image.voxels) // 2]
        centre = _centre_of_mass(frame)
        voxels = min(self.limit, EVIDENCE_VOXELS)
        side = math.isqrt(voxels) if self.plan.dimensions == 2 else int(voxels ** (1 / 3))
        sides = (1 if self.plan.dimensions == 2 else side, side, side)
        starts = [
            max(0, min(c - side // 2, size - side)) for c, side, size in zip(centre, sides, frame.shape, strict=True)
        ]
        return frame[tuple(slice(a, a + side) for a, side in zip(starts, sides, strict=True))][None]

    def _denoise_frames(self, stabilised: np.ndarray) -> np.ndarray:
        """From stabilised values to stabilised values, whatever the method takes: for the expected gain."""
        if self.method.domain == "counts":
            counts = self.noise.algebraic_inverse(stabilised)
            return self.noise.forward_mean(np.stack([self.denoise(frame) for frame in counts]))
        return np.stack([self.denoise(frame) for frame in stabilised])


def unit_range(stabilised: np.ndarray) -> tuple[float, float]:
    """What to subtract from stabilised planes ``(n, rows, columns)`` and divide by, so that the clean ones fill [0, 1].

    Taken from 3x3 means: the extremes of the noise would make the range too wide, and methods whose parameters are made
    for images in [0, 1] would take the noise for less than it is.
    """
    from scipy.ndimage import uniform_filter

    means = uniform_filter(stabilised, size=(1, 3, 3), mode="nearest")
    low, high = float(means.min()), float(means.max())
    return low, high - low if high > low else 1.0


def _described(name: str) -> str | None:
    """A network's weights for the report; None for classical methods."""
    return f"{name}, SHA-256 {weights.find(name).sha256}" if name else None


def _size(window: Window) -> int:
    return math.prod(s.stop - s.start for s in window.read)


def feathered(
    mask: np.ndarray, spacing: tuple[float, float, float], first: int = 0, last: int | None = None
) -> np.ndarray:
    """Weights 0 to 1, float32 ``(slices, rows, columns)``: 0 outside the mask, 1 well inside, smooth between.

    Of the slices from ``first`` to before ``last``; None is the mask's end.
    """
    from scipy.ndimage import distance_transform_edt

    width = FEATHER_VOXELS * min(spacing[:2])
    margin = math.ceil(width / spacing[2])  # slices farther away lie beyond the feather
    last = len(mask) if last is None else last
    alpha = np.ones((last - first, *mask.shape[1:]), np.float32)
    for start in range(first, last, FEATHER_SLICES):
        stop = min(start + FEATHER_SLICES, last)
        low = max(0, start - margin)
        slab = mask[low : stop + margin]
        if slab.all():
            continue
        sampling = spacing[::-1]
        inside = slab if len(mask) > 1 else slab[0]
        distance = distance_transform_edt(inside, sampling=sampling[-inside.ndim :]).reshape(slab.shape)
        ramp = np.minimum(distance[start - low : stop - low] / width, 1.0)
        alpha[start - first : stop - first] = ramp * ramp * (3.0 - 2.0 * ramp)
    return alpha


def _centre_of_mass(volume: np.ndarray) -> list[int]:
    weight = np.abs(volume - volume.min())
    profiles = [weight.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64) for axis in range(3)]
    return [int(np.average(np.arange(len(p)), weights=p + 1e-12)) for p in profiles]


def _torch_version() -> str:
    import torch

    return str(torch.__version__)
