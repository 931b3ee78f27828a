"""The tables of ultrasound video super-resolution, in the paper's form, with the measures that the paper lacks.

The paper (multi-frame fusion, ENLCN teacher, data-free distilled student) judges by IL-NIQE, entropy and classification
alone. Here every frame is reduced, enlarged again and compared with itself.
"""

from __future__ import annotations

import numpy as np

from MedRestoreLib.metrics.statistics import paired_bootstrap

from .common import Measured, Paper, Rows, Table, markdown
from .results import Result, mean

ORGANS = ("lung", "muscle", "wires")
FACTORS = (2, 3, 4)
METHODS: Rows = {
    "bicubic": "bicubic",
    "average": "average of six frames, then bicubic",
    "registered": "average of six registered frames, then bicubic",
    "fsrcnn_x2": "FSRCNN, 4 minutes",
    "espcn_x2": "ESPCN, 4 minutes",
    "vdsr_x2": "VDSR",
    "edsr_x2": "EDSR, 16 blocks of 64",
    "rcan_x2": "RCAN, 4 groups of 4 blocks",
    "teacher_x2": "ENLCN, 16 blocks of 64: the teacher",
    "student_brief": "student, 4 minutes",
    "student_x2_data_free": "student without data",
    "student_x2+unrelated": "student of the teacher, on photographs",
    "fusion": "six frames fused (recommended), then the student",
    "fusion+literal_fusion": "six frames fused (literal), then the student",
    **{f"student_x{factor}": "student" for factor in FACTORS},
    **{f"neighbours_x{factor}": "student with neighbouring frames" for factor in FACTORS},
}


def enlarged(measured: Measured, protocol: str) -> str:
    """Frames reduced and enlarged again, against the frame itself: PSNR (peak 1, dB) / SSIM.

    Ten lung clips of people who are in no training, two clips of a calf muscle and three phantoms of wires, of which no
    training saw any. Two frames of each; pixels without tissue and at the border are not counted. Lung clips were
    compressed as video, which took their finest detail before. Networks that ship are run as users run them.
    """
    return _by_factor(measured, ("psnr", 2), ("ssim", 4))


def faithful(measured: Measured, protocol: str) -> str:
    """Lung clips: consistency (dB) / flicker of still tissue (grey values) / entropy (bits).

    Consistency is the PSNR of the result, reduced again, against what was enlarged. The frames themselves flicker by
    the number in the row "the frames". Entropy is the paper's measure; noise raises it, too: it says nothing.
    """
    parts = []
    for factor in FACTORS:
        rows, condition = {}, f"{factor} lung"
        for method, title in METHODS.items():
            for result in measured.of("clips", "reduced", method):
                if condition in result.values["psnr"]:
                    consistency, flicker, entropy = (
                        mean(result.values[name][condition]) for name in ("consistency", "flicker", "entropy")
                    )
                    rows.setdefault("the frames", [f" / {mean(result.values['own'][condition]):.2f} / "])
                    rows[title] = [f"{consistency:.1f} / {flicker:.2f} / {entropy:.2f}"]
        if rows:
            parts.append(markdown(f"×{factor}", ["lung"], rows))
    return "\n".join(parts)


def gains(measured: Measured, protocol: str) -> str:
    """Gain in PSNR over bicubic on the same lung clips, with a 95 % interval of the mean over clips (bootstrap)."""
    lines = {}
    for factor in FACTORS:
        condition = f"{factor} lung"
        for start in measured.of("clips", "reduced", "bicubic"):
            for method, title in METHODS.items():
                for result in measured.of("clips", "reduced", method):
                    if method != "bicubic" and condition in result.values["psnr"]:
                        lines[f"×{factor}: {title}"] = [_gain(result, start, condition)]
    return markdown("Method", ["dB"], lines)


def _gain(result: Result, start: Result, condition: str) -> str:
    ours, theirs = (found.values["psnr"][condition] for found in (result, start))
    clips = sorted(set(ours) & set(theirs))
    gain = paired_bootstrap([ours[clip] for clip in clips], [theirs[clip] for clip in clips])
    least = float(np.min([ours[clip] - theirs[clip] for clip in clips]))
    return f"{gain.mean:+.2f} [{gain.low:.2f}, {gain.high:.2f}], worst clip {least:+.2f}"


def _by_factor(measured: Measured, *quantities: tuple[str, int]) -> str:
    """A table for each factor, an organ a column; and how long the networks were trained."""
    parts = []
    for factor in FACTORS:
        rows, lengths = {}, []
        for method, title in METHODS.items():
            for result in measured.of("clips", "reduced", method):
                if f"{factor} lung" in result.values["psnr"]:
                    rows[title] = [
                        " / ".join(
                            f"{mean(result.values[name][f'{factor} {organ}']):.{digits}f}"
                            for name, digits in quantities
                        )
                        for organ in ORGANS
                    ]
                    if "steps" in result.about:
                        about = result.about
                        lengths.append(f"{title}: {about['steps']:,} steps in {about['minutes']:.0f} min")
        if rows:
            note = f"\nTrained on one core: {'; '.join(lengths)}.\n" if lengths else ""
            parts.append(markdown(f"×{factor}", list(ORGANS), rows) + note)
    return "\n".join(parts)


PAPER = Paper(
    title="Ultrasound video super-resolution",
    protocols=("reduced",),
    source="clips:Clips",
    tables={"enlarged": Table(enlarged), "faithful": Table(faithful), "gains": Table(gains)},
    card=("enlarged", "faithful", "gains"),
)
