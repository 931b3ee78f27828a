"""The tables of ultrasound video super-resolution, in the paper's form, with the measures that the paper lacks.

The paper (multi-frame fusion, ENLCN teacher, data-free distilled student) judges by IL-NIQE, entropy and classification
alone. Here every frame is reduced, enlarged again and compared with itself.
"""

from __future__ import annotations

import numpy as np

from MedRestoreLib.metrics.statistics import paired_bootstrap

from .common import Measured, Paper, Rows, Table, markdown
from .results import Result, mean

ORGANS = ("lung", "muscle", "wires", "breasts")
MOVING = ("lung", "muscle")
FACTORS = (2, 3, 4)
METHODS: Rows = {
    "bicubic": "bicubic",
    "average": "average of six frames, then bicubic",
    "registered": "average of six registered frames, then bicubic",
    "fsrcnn_x2": "FSRCNN, 4 minutes",
    "espcn_x2": "ESPCN, 4 minutes",
    "vdsr_x2": "VDSR, 4 minutes",
    "edsr_x2": "EDSR, 16 blocks of 64, 4 minutes",
    "rcan_x2": "RCAN, 4 groups of 4 blocks, 4 minutes",
    "fdiwn_x2": "FDIWN, 4 minutes",
    "real_esrnet_x4": "Real-ESRNet, 6 blocks of 32, 4 minutes",
    "real_esrgan_x4": "Real-ESRGAN, 6 blocks of 32, 5 minutes more",
    "teacher_x2": "ENLCN, 16 blocks of 64: the teacher",
    "teacher_x2+gpu": "the teacher, trained on a GPU",
    "student_brief": "student, 4 minutes",
    "student_x2_data_free": "student of the teacher, without data",
    "unrelated": "student of the teacher, on photographs",
    "fusion": "six frames fused (recommended), then the student",
    "literal": "six frames fused (literal), then the student",
    **{f"student_x{factor}+apart": "student, each frame for itself" for factor in FACTORS},
    **{f"student_x{factor}": "student" for factor in FACTORS},
    "student_x2+live": "student, each frame with those before it alone",
    **{f"neighbours_x{factor}": "student with neighbouring frames" for factor in FACTORS},
}


def enlarged(measured: Measured, protocol: str) -> str:
    """Frames reduced and enlarged again, against the frame itself: PSNR (peak 1, dB) / SSIM.

    Ten lung clips of people who are in no training, two clips of a calf muscle and three phantoms of wires, of which no
    training saw any; two frames of each. Sixteen frames of breasts, of clusters in no training. Pixels without tissue
    and at the border are not counted. Lung clips were compressed as video, which took their finest detail before.
    Networks that ship are run as users run them.
    """
    return _by_factor(measured, ("psnr", 2), ("ssim", 4))


def faithful(measured: Measured, protocol: str) -> str:
    """Clips: consistency (dB) / flicker of still tissue (grey values).

    Consistency is the PSNR of the result, reduced again, against what was enlarged. The frames themselves flicker by
    the number in the row "the frames". Frames of a clip share the detail that the student adds, unless the row says
    otherwise.
    """
    parts = []
    for factor in FACTORS:
        rows: dict[str, list[str]] = {}
        for method, title in METHODS.items():
            for result in measured.of("clips", "reduced", method):
                if f"{factor} lung" in result.values["psnr"]:
                    at = [f"{factor} {organ}" for organ in MOVING]
                    own = [f" / {mean(result.values['own'][one]):.2f}" for one in at if one in result.values["own"]]
                    rows.setdefault("the frames", own)
                    rows[title] = [_cell(result, one, (("consistency", 1), ("flicker", 2))) for one in at]
        if rows:
            parts.append(markdown(f"×{factor}", list(MOVING), rows))
    return "\n".join(parts)


def sharpness(measured: Measured, protocol: str) -> str:
    """Wires: FWHM across the beam over that in the frame itself. Lesions of breasts: gCNR / that in the frame itself.

    Medians over the wires of three phantoms; means over 16 frames. 1.00 is what the frame has: less than 1 would be
    sharper than the truth.
    """
    rows = {}
    for factor in FACTORS:
        for method, title in METHODS.items():
            for result in measured.of("clips", "reduced", method):
                wires, breasts = (
                    result.values.get(of, {}).get(at)
                    for of, at in (("fwhm", f"{factor} wires"), ("gcnr", f"{factor} breasts"))
                )
                if wires and breasts:
                    true = mean(result.values["gcnr_true"][f"{factor} breasts"])
                    rows[f"×{factor}: {title}"] = [f"{mean(wires):.2f}", f"{mean(breasts):.3f} / {true:.3f}"]
    return markdown("Method", ["FWHM", "gCNR"], rows)


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


def neighbours(measured: Measured, protocol: str) -> str:
    """What neighbouring frames add to a frame enlarged alone: PSNR (dB) of each clip, factor 2."""
    rows = {}
    for alone in measured.of("clips", "reduced", "student_x2+apart"):
        for fused in measured.of("clips", "reduced", "neighbours_x2"):
            for condition in ("2 lung", "2 muscle"):
                both = _paired(*(found.values["psnr"][condition] for found in (alone, fused)))
                for clip, (one, other) in both.items():
                    rows[clip] = [f"{one:.2f}", f"{other:.2f}", f"{other - one:+.2f}"]
    return markdown("Clip", ["alone", "with neighbours", "gain"], rows)


def ablation(measured: Measured, protocol: str) -> str:
    """What N frames add to one enlarged alone: gain in PSNR (dB), mean over clips (worst clip), factor 2.

    Each frame is enlarged by the student; those nearest in time are averaged with it as they are or registered
    (a shift by phase correlation, then optical flow), all of them alike or only where they show the same; the mean is
    made consistent with the frame. The clips are those of the first table: muscle and wires move the most.
    """
    parts = []
    for result in measured.of("fusion", "reduced", "student_x2"):
        for organ in ("lung", "muscle", "wires"):
            rows: dict[str, list[str]] = {}
            counts: dict[str, None] = {}
            for condition, found in result.values["psnr"].items():
                count, moved, weighed, of = condition.split(", ")
                if of == organ and count != "1":
                    alone = result.values["psnr"][f"1, {moved}, {weighed}, {of}"]
                    gains = [found[clip] - alone[clip] for clip in found]
                    rows.setdefault(f"{moved}, {weighed}", []).append(f"{np.mean(gains):+.2f} ({min(gains):+.2f})")
                    counts[f"{count} frames"] = None
            parts.append(markdown(organ, list(counts), rows))
    return "\n".join(parts)


def natural(measured: Measured, protocol: str) -> str:
    """The paper's measures: IL-NIQE (lower is more natural) / entropy (bits). One frame of each clip, factor 2.

    Controls: the frames themselves, and bicubic enlargement with white noise of 10 grey values. Noise raises entropy,
    and makes enlarged lungs more natural by IL-NIQE, which was made for photographs in colour.
    """
    rows = {}
    for method, title in (("frames", "the frames"), ("noise", "bicubic, then noise"), *METHODS.items()):
        for result in measured.of("naturalness", "reduced", method):
            rows[title] = [_cell(result, f"2 {organ}", (("il_niqe", 1), ("entropy", 2))) for organ in MOVING]
    return markdown("×2", list(MOVING), rows) if rows else ""


def recognition(measured: Measured, protocol: str) -> str:
    """The paper's classification, of lung clips: % right, mean over 16 clips (95 % interval of the mean), factor 2.

    A frame is given what is known of the most similar other one, by a thumbnail of 16x16 pixels or by its texture (four
    numbers); nothing is learned. "Frames apart" is the paper's split, which leaks: other frames of the same clip are
    among those of all 36 clips. "People apart": only 20 clips of other people are. To say "healthy" always is right in
    10 of the 16 clips (62 %); those show two people, so the intervals are too narrow.
    """
    rows: dict[str, list[str]] = {}
    conditions: dict[str, None] = {}
    for method, title in (("frames", "the frames"), *METHODS.items()):
        for result in measured.of("recognition", "reduced", method):
            conditions |= dict.fromkeys(result.values["right"])
            rows[title] = [_share(of) for of in result.values["right"].values()]
    return markdown("×2", list(conditions), rows) if rows else ""


def _share(right: dict[str, float]) -> str:
    found = paired_bootstrap(list(right.values()), [0.0] * len(right))
    return f"{100 * found.mean:.0f} ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _paired(ours: dict[str, float], theirs: dict[str, float]) -> dict[str, tuple[float, float]]:
    return {clip: (ours[clip], theirs[clip]) for clip in ours if clip in theirs}


def _gain(result: Result, start: Result, condition: str) -> str:
    ours, theirs = zip(*_paired(*(found.values["psnr"][condition] for found in (result, start))).values(), strict=True)
    gain = paired_bootstrap(ours, theirs)
    least = float(np.min(np.subtract(ours, theirs)))
    return f"{gain.mean:+.2f} [{gain.low:.2f}, {gain.high:.2f}], worst clip {least:+.2f}"


def _by_factor(measured: Measured, *quantities: tuple[str, int]) -> str:
    """A table for each factor, an organ a column; and how long the networks were trained."""
    parts = []
    for factor in FACTORS:
        rows, lengths = {}, []
        for method, title in METHODS.items():
            for result in measured.of("clips", "reduced", method):
                if f"{factor} lung" in result.values["psnr"]:
                    rows[title] = [_cell(result, f"{factor} {organ}", quantities) for organ in ORGANS]
                    if "steps" in result.about and "+" not in method:
                        about = result.about
                        lengths.append(f"{title}: {about['steps']:,} steps in {about['minutes']:.0f} min")
        if rows:
            note = f"\nTrained on one core: {'; '.join(lengths)}.\n" if lengths else ""
            parts.append(markdown(f"×{factor}", list(ORGANS), rows) + note)
    return "\n".join(parts)


TABLES = {
    "enlarged": enlarged,
    "faithful": faithful,
    "sharpness": sharpness,
    "gains": gains,
    "neighbours": neighbours,
    "ablation": ablation,
    "natural": natural,
    "recognition": recognition,
}


def _cell(result: Result, condition: str, quantities: tuple[tuple[str, int], ...]) -> str:
    """The means of quantities; "" where one was not measured: single frames have no neighbours to average."""
    if any(condition not in result.values.get(name, {}) for name, _ in quantities):
        return ""
    return " / ".join(f"{mean(result.values[name][condition]):.{digits}f}" for name, digits in quantities)


PAPER = Paper(
    title="Ultrasound video super-resolution",
    protocols=("reduced",),
    sources=("clips:Clips",),
    tables={name: Table(make) for name, make in TABLES.items()},
    card=("enlarged", "faithful", "sharpness", "gains"),
)
