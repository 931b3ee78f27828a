"""What a study asks of a Dask worker: a graphics card, and memory, where the workers say how much they have.

Source: https://distributed.dask.org/en/latest/resources.html; the names GPU and MEMORY are those of its examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .inputs import Study

# Bounds of what was measured (docs/scale.md): a process that has restored nothing, and what a voxel adds.
_BASE_BYTES = 500_000_000
_BYTES_A_VOXEL = 150
_COMPRESSION = 3  # of a file that is compressed, about


def needs(job: Any, offered: Mapping[str, float]) -> dict[str, float]:
    """The resources that a task asks for, at most what a worker has.

    Args:
        job: a task of a batch; whatever else is called asks for nothing.
        offered: of each resource that some worker declares, the most that one has.
    """
    task = getattr(job, "task", job)
    study, edits = getattr(task, "study", None), getattr(task, "edits", {})
    if not isinstance(study, Study):
        return {}
    wanted = {}
    if offered.get("GPU", 0) >= 1 and edits.get("device", "auto") in ("auto", "cuda"):
        wanted["GPU"] = 1.0
    if "MEMORY" in offered:
        size = _voxels(study) * (edits.get("factor") or 1) ** 2
        wanted["MEMORY"] = min(offered["MEMORY"], float(_BASE_BYTES + _BYTES_A_VOXEL * size))
    return wanted


def _voxels(study: Study) -> int:
    """How many voxels a study has: as its headers say, or at most about as many as its files have bytes."""
    if not isinstance(study.source, Path):
        return study.source.images * study.source.rows * study.source.columns
    compressed = study.name.lower().endswith((".gz", ".png", ".jpg", ".jpeg", ".mp4", ".avi", ".mov"))
    size = sum(file.stat().st_size for file in study.files if file.is_file())
    return size * (_COMPRESSION if compressed else 1)
