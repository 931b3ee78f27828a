"""``make demo``: three studies, restored from file to file; nothing is downloaded.

A simulated planar bone scan with Poisson counts (DICOM), a simulated T1 brain stack with Rician noise (NRRD), and the
real 30-frame ultrasound cine that pydicom ships for tests (DICOM). The heart in it has no homogeneous tissue in which
speckle could be measured, so its level is given by hand, as a user would.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

import MedRestoreLib as mr
from MedRestoreLib.reporting.figures import before_after
from MedRestoreLib.reporting.report import write_summary
from training.simulate import bone, brain
from training.simulate.dicom import as_nm

# Standard deviation over mean of the cine's speckle, judged by eye.
SPECKLE_LEVEL = 0.15


def noisy_studies(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write the noisy studies below ``folder``; for each title, where it lies and where the restored one goes."""
    from pydicom import examples

    scan, head = folder / "bone_scan.dcm", folder / "brain_t1.nrrd"
    as_nm(mr.add_noise(bone.whole_body(seed=0, peak_counts=120.0), "poisson", 1.0, seed=1), scan)
    mr.write(mr.add_noise(brain.t1_stack(seed=0, shape=(24, 217, 181)), "rician", 9.0, seed=2), head)
    return {
        "Bone scan, simulated, 120 counts at the hottest pixel": (scan, folder / "bone_scan_restored.dcm"),
        "T1 brain, simulated, Rician noise of 9 %": (head, folder / "brain_t1_restored.nrrd"),
        "Ultrasound cine, real": (Path(examples.get_path("ybr_color")), folder / "ultrasound_restored.dcm"),
    }


def main(folder: Path) -> None:
    """Restore the three studies into ``folder`` and name what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    sections = []
    with Progress(*columns, console=console) as bars:
        preparing = bars.add_task("Simulating studies", total=None)
        studies = noisy_studies(folder)
        bars.remove_task(preparing)
        for title, (source, target) in studies.items():
            task = bars.add_task(title, total=1.0)
            before = mr.read(source)
            level = SPECKLE_LEVEL if before.modality == "US" else "auto"
            plan = mr.recommend(before, level=level)
            result = mr.restore(before, plan, progress=lambda done, _, task=task: bars.update(task, completed=done))
            mr.write(result.image, target, derivation=result.report.derivation, label=result.report.plan["method"])
            figure = before_after(before, result.image, target.with_suffix(".png"), report=result.report)
            sections.append((title, result.report, [figure]))
    report = write_summary(sections, folder / "report.html")
    for (title, (_, target)), (_, told, _) in zip(studies.items(), sections, strict=True):
        console.print(f"\n[bold]{title}[/bold]\n  {told.verdict}", highlight=False)
        console.print(
            f"  restored  {target}\n  figure    {target.with_suffix('.png')}", highlight=False, soft_wrap=True
        )
    console.print(f"\nReport      {report}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
