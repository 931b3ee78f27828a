"""The gallery of the documentation: every method on the same three studies, one picture each (``make docs``).

python -m Testing.gallery build/gallery
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from pydicom import examples

import MedRestoreLib as mr
from MedRestoreLib.metrics.fidelity import psnr
from training.simulate import bone, brain

COLUMNS = 4
SPECKLE_LEVEL = 0.15  # of the real frame, judged by eye as in the demo


def bone_scan() -> tuple[mr.Image, mr.Image | None, float]:
    """A chest of a simulated whole-body scan: noisy, noise-free, level."""
    clean = bone.whole_body(seed=0, peak_counts=60.0)
    clean = replace(clean, voxels=clean.voxels[:1, :, 120:376, 40:216])
    return mr.add_noise(clean, "poisson", 1.0, seed=1), clean, 1.0


def head() -> tuple[mr.Image, mr.Image | None, float]:
    """Nine slices of a simulated T1 head."""
    clean = brain.t1_stack(seed=0, shape=(9, 217, 181))
    return mr.add_noise(clean, "rician", 9.0, seed=2), clean, 9.0


def heart() -> tuple[mr.Image, mr.Image | None, float]:
    """One real frame."""
    cine = mr.read(examples.get_path("ybr_color"))
    frame = cine.voxels[:1, :, 30:230, 60:260]
    return mr.Image.from_array(frame, axes="fzyx", modality="US"), None, SPECKLE_LEVEL


STUDIES = {"bone": (bone_scan, "poisson"), "head": (head, "rician"), "heart": (heart, "speckle")}


def draw(name: str, folder: Path, only: Collection[str] = ()) -> Path:
    """Restore a study by every method that is meant for it (or ``only`` some) and draw the results beside it.

    Methods that enlarge are left out: their results have no voxel in common with the study.
    """
    make, noise = STUDIES[name]
    noisy, clean, level = make()
    panels = [("noisy", noisy.voxels)]
    for method in mr.methods():
        meant = noisy.modality in method.modalities and noise in method.noises
        fits = noisy.voxels.shape[1] > 1 or 2 in method.dimensions
        if meant and fits and not method.factors and method.id in (only or {method.id}):
            result = mr.restore(noisy, method=method.id, noise=noise, level=level)
            panels.append((method.id, result.image.voxels))
    if clean is not None:
        panels.append(("noise-free", clean.voxels))
    path = folder / f"gallery_{name}.png"
    _draw(panels, clean, path, inverted=noisy.modality == "NM")
    return path


def _draw(panels: list[tuple[str, np.ndarray]], clean: mr.Image | None, path: Path, *, inverted: bool) -> None:
    middle = panels[0][1].shape[1] // 2
    low, high = np.percentile((panels[0][1] if clean is None else clean.voxels)[0, middle], (0.5, 99.5))
    rows = -(-len(panels) // COLUMNS)
    height, width = panels[0][1].shape[2:]
    figure = Figure(figsize=(10, rows * (2.5 * height / width + 0.45)), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, (title, voxels) in zip(axes.flat, panels, strict=False):
        place.imshow(voxels[0, middle], cmap="gray_r" if inverted else "gray", vmin=low, vmax=high)
        if clean is not None and title != "noise-free":
            title += f", {psnr(voxels, clean.voxels, data_range=float(clean.voxels.max())):.1f} dB"
        place.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in STUDIES:
        print(f"Written: {draw(name, folder)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/gallery"))
