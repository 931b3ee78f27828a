"""The report of one run: what was done to the study, by what, and the evidence for it."""

from __future__ import annotations

import hashlib
import math
import platform

import numpy as np

from .. import weights
from ..evidence import audit as audits
from ..evidence import gain as evidence
from ..image import Image
from ..reporting.report import Level, Provenance, Report, Study
from ..version import __version__
from . import device as devices
from .denoising import Denoising
from .plan import Plan
from .tiles import Run

# The expected gain is estimated on so much of the study: it needs the method several times over.
EVIDENCE_VOXELS = 320 * 320

# An estimated level of less confidence comes with a warning.
UNSURE = 0.5


def build_report(image: Image, plan: Plan, run: Run, seconds: float) -> Report:
    """Everything that happened, with the evidence.

    Args:
        image: the study before.
        plan: what was to be done.
        run: what was done; its voxels are the study after.
        seconds: of the restoration.
    """
    denoising = run.denoising
    method, noise = denoising.method, denoising.noise
    sample = centred_sample(image.voxels, min(run.limit, EVIDENCE_VOXELS), plan.dimensions)
    return Report(
        study=Study(
            modality=image.modality,
            unit=image.unit,
            size=image.voxels.shape,
            spacing_mm=image.spacing,
            sha256=hashlib.sha256(np.ascontiguousarray(image.voxels).data).hexdigest(),
        ),
        plan=plan.to_dict(),
        noise=_level(plan, denoising),
        gain=evidence.expected_gain(sample, denoising.on_stabilised, noise),
        audit=audits.audit(image.voxels, run.voxels, noise),
        totals=evidence.totals(image.voxels, run.voxels, spacing=image.spacing, unit=image.unit),
        provenance=Provenance(
            software=f"MedRestore {__version__}",
            method=method.title,
            citation=method.citation,
            weights=_described(method.weights),
            device=devices.full_name(denoising.device),
            precision="float32",
            totals_factors=run.totals_factors,
            seconds=round(seconds, 3),
            python=platform.python_version(),
            numpy=np.__version__,
            torch=_torch_version(),
        ),
        notes=(*run.notes, *noise.caveats, *_warnings(image, plan)),
    )


def centred_sample(voxels: np.ndarray, limit: int, dimensions: int) -> np.ndarray:
    """A square of one slice, or a cube, around the middle frame's centre of mass.

    Args:
        voxels: ``(frames, slices, rows, columns)``.
        limit: voxels at most.
        dimensions: 2 or 3.

    Returns:
        A view ``(1, slices, rows, columns)``.
    """
    frame = voxels[len(voxels) // 2]
    side = math.isqrt(limit) if dimensions == 2 else int(limit ** (1 / 3))
    sides = (1 if dimensions == 2 else side, side, side)
    starts = [
        max(0, min(centre - side // 2, size - side))
        for centre, side, size in zip(_centre_of_mass(frame), sides, frame.shape, strict=True)
    ]
    return frame[tuple(slice(start, start + side) for start, side in zip(starts, sides, strict=True))][None]


def _level(plan: Plan, denoising: Denoising) -> Level:
    noise, estimate = denoising.noise, plan.estimate
    return Level(
        model=noise.id,
        title=noise.title,
        level=noise.level,
        unit=noise.unit,
        estimated=estimate is not None and not plan.level_is_default,
        assumed=plan.level_is_default,
        confidence=None if estimate is None else estimate.confidence,
        reason="The level was given." if estimate is None else estimate.reason,
    )


def _warnings(image: Image, plan: Plan) -> list[str]:
    """What a person should know of the level and of the colours."""
    found = []
    if plan.level_is_default:
        found.append("The noise level could not be told: a usual one stands in for it in this report.")
    elif plan.estimate is not None and plan.estimate.confidence < UNSURE:
        found.append(f"The noise level is unsure (confidence {plan.estimate.confidence:.0%}): look closely.")
    if image.colour is not None:
        found.append("Only the brightness (luma) was restored; colour was kept.")
    return found


def _described(name: str) -> str | None:
    """A network's weights for the report; None for methods without."""
    return f"{name}, SHA-256 {weights.find(name).sha256}" if name else None


def _centre_of_mass(volume: np.ndarray) -> list[int]:
    """Slice, row and column; of the brightness above the darkest voxel's."""
    weight = np.abs(volume - volume.min())
    profiles = [weight.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64) for axis in range(3)]
    return [int(np.average(np.arange(len(p)), weights=p + 1e-12)) for p in profiles]


def _torch_version() -> str:
    import torch

    return str(torch.__version__)
