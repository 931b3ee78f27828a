"""The table of the paper on UNet-Att in its form, with the noisy row, classical methods and real frames that it lacks.

The paper prints 32.19, 30.97 and 29.84 dB (SSIM 0.9014, 0.8635, 0.8282) for its method, 32.91, 29.42 and 26.43 dB for
the U-Net, and no row of noisy images. With the noise that it describes noisy images have about 20, 15 and 13 dB, and
frames that keep their own speckle as "clean" texture cannot be restored that well: the figures must come from weaker
noise or smoother frames than described. ``matched`` shows the noise at which our U-Net reaches the U-Net's 32.91 dB.
"""

from __future__ import annotations

import numpy as np

from MedRestoreLib.methods import catalogue

from .common import (
    BEST_GAUSSIAN,
    MEDIAN,
    Measured,
    Paper,
    Rows,
    Table,
    fidelity_table,
    gains,
    lengths,
    markdown,
    shipped,
)
from .results import Result

LEVELS = ("0.25", "0.5", "0.75")
MATCHED_BY, MATCHED_AT = "unet_busi", 32.91  # dB: the paper's U-Net at its lowest level

CLASSICAL: Rows = {
    "noisy": "noisy",
    "median": MEDIAN,
    "gaussian": BEST_GAUSSIAN,
    "srad": "SRAD",
    "bm3d_raw": "BM3D, raw, true level",
    "bm3d_log": "BM3D, logarithm, true level",
    "nllr": "NLLR, true level",
    "known_noise": "guarded x / (1 + n), n known exactly",
}
BM3D = ("bm3d_raw", "bm3d_log")
BLIND: Rows = {
    "unet_busi": "U-Net, blind",
    "dncnn_busi": "DnCNN, blind",
    "dncnn_busi+of_noise": "DnCNN trained to predict n, blind",
    "dran_busi": "DRAN, blind",
    "dran_busi+shared_blocks": "DRAN as released (one block thrice), blind",
    "unet_att_paper": "UNet-Att, paper's form, blind",
    "unet_att_paper+guarded+larger_steps": "UNet-Att, paper's form with a guarded division, blind",
    "unet_att": "UNet-Att, recommended, blind",
    "unet_att_small": "UNet-Att, half as wide, real frames of breasts, too",
    "unet_att_blind": "UNet-Att, real frames of breasts, too",
    "unet_att_organs": "UNet-Att, half as wide, several organs (ships)",
}
EACH: Rows = {
    "unet_busi+sigma*": "U-Net",
    "dncnn_busi+sigma*": "DnCNN",
    "dran_busi+sigma*": "DRAN",
    "unet_att_paper+sigma*": "UNet-Att, paper's form",
    "unet_att+sigma*": "UNet-Att, recommended",
}
ABLATION: Rows = {
    "unet_att_paper+brief+guarded+larger_steps+alpha0_paper": "paper's form, guarded division, no distillation",
    "unet_att_paper+brief+guarded+larger_steps": "paper's form, guarded division",
    "unet_att+brief+alpha0+ungated": "recommended, no distillation, no gate",
    "unet_att+brief+alpha0": "recommended, no distillation",
    "unet_att+brief+ungated": "recommended, no gate",
    "unet_att+brief+noisy_teacher": "recommended, noisy teacher",
    "unet_att+brief+trained_resnet": "recommended, features trained on ultrasound",
    "unet_att+brief": "recommended",
}
REAL: Rows = {
    "median": MEDIAN,
    "srad": "SRAD",
    "bm3d": "BM3D, logarithm",
    "nllr": "NLLR",
    "unet_att_small": "UNet-Att",
}
REAL |= {row.id: row.title for row in catalogue.METHODS if row.id not in REAL}
MEASURES = {
    "cnr": "lesion CNR",
    "gcnr": "lesion gCNR",
    "enl_ratio": "ENL, times the frame's",
    "epi": "edges kept",
    "epi_coarse": "coarse edges kept",
}


def restoration(measured: Measured, protocol: str) -> str:
    """Table 1: PSNR (peak 1, dB) / SSIM of restored 256 x 256 frames, burned-in graphics excluded.

    Outputs are clipped to [0, 1], as on a display. A blind network serves all levels; the others were trained for one
    level each, the recommended ones starting from the blind one. Larger networks make fewer steps per minute: the table
    does not show where they would end on a GPU. U-Net and the paper's form predict n and divide by 1 + n. Even with the
    exact n that is perfect only at the lowest level: a pixel whose 1 + n is near 0 or negative cannot be recovered.
    """
    columns = {f"σ = {level}": (level,) for level in LEVELS}
    networks = {**EACH, **BLIND, **shipped(BLIND)}
    table = fidelity_table(measured, protocol, "Method", {**CLASSICAL, **networks}, columns)
    table += lengths(measured, protocol, networks, LEVELS[0])
    ours = ("unet_att+sigma*", "unet_att", "unet_att_small", "unet_att_organs")
    return table + "".join(_gain(measured, protocol, one, theirs) for one in ours for theirs in BM3D)


def ablation(measured: Measured, protocol: str) -> str:
    """Distillation and gates, blind networks after 500 steps: PSNR (dB) / SSIM; ± is over three seeds.

    Unless stated otherwise, networks have gates, the teacher is noisy in the paper's form and clean in the recommended
    one, and the features are those of an untrained, frozen ResNet-34. The paper's form with an unguarded division has
    no row: at these learning rates its training diverges within 100 steps. Of the three recommended networks with gates
    and no distillation one returns black images (8.7 dB).
    """
    columns = {f"σ = {level}": (level,) for level in LEVELS}
    return fidelity_table(measured, protocol, "UNet-Att", ABLATION, columns)


def matched(measured: Measured, protocol: str) -> str:
    """Matched difficulty: PSNR (dB) at the level where our U-Net reaches 32.91 dB, the paper's figure at 0.25.

    Interpolated between the measured levels.
    """
    curve = _curve(measured, protocol, MATCHED_BY)
    if len(curve) < 2 or not min(curve.values()) <= MATCHED_AT <= max(curve.values()):
        return ""
    level = _interpolated({value: at for at, value in curve.items()}, MATCHED_AT)
    rows = {}
    for method, title in {**CLASSICAL, **BLIND}.items():
        found = _curve(measured, protocol, method)
        if found and min(found) <= level <= max(found):
            rows[title] = [f"{_interpolated(found, level):.2f}"]
    return markdown("Method", [f"σ = {level:.3f}"], rows)


def real_frames(measured: Measured, protocol: str) -> str:
    """Real frames without added noise, before → after: lesion contrast, speckle of homogeneous tissue, edges kept.

    Frames are log-compressed: of the equivalent number of looks (ENL) only the ratio has a meaning. "Edges kept" is the
    correlation with the frame's Laplacian, which removed speckle lowers, too; coarse edges are hardly affected by it.
    """
    rows = {}
    for method, title in REAL.items():
        found = measured.of("frames", protocol, method)
        cells = [
            [measured.cell(found, name, (moment,)) if _has(found, name) else None for moment in ("before", "after")]
            for name in MEASURES
        ]
        if found:
            rows[title] = [f"{a.shown(2)} → {b.shown(2)}" if a and b else "-" for a, b in cells]
    return markdown("Method", list(MEASURES.values()), rows)


def flicker(measured: Measured, protocol: str) -> str:
    """Real lung clips restored frame by frame: temporal high-pass in static tissue, grey values of 255."""
    rows = {}
    for method, title in REAL.items():
        for result in measured.of("cine", "real", method):
            before, after = (np.array(list(result.values["flicker"][at].values())) for at in ("before", "after"))
            less = f"{np.sum(after <= before)} of {len(before)}"
            rows[title] = [f"{before.mean():.2f} → {after.mean():.2f}", less, f"{np.max(after / before):.2f}"]
    return markdown("Method", ["flicker", "clips with no more than before", "worst clip, after / before"], rows)


def lesions(measured: Measured, protocol: str) -> str:
    """Real frames: lesions segmented by the residual-SE U-Net after each method: Dice / precision / recall."""
    rows = {}
    for result in measured.results:
        if (result.measure, result.protocol) == ("lesions", protocol):
            found = measured.of("lesions", protocol, result.method)
            cells = [measured.cell(found, name, ("0",)) for name in ("dice", "precision", "recall")]
            if all(cells):
                rows[result.method] = [" / ".join(cell.shown(3) for cell in cells)]
    return markdown("Restored by, segmented by", ["real frames"], rows)


def _gain(measured: Measured, protocol: str, ours: str, theirs: str) -> str:
    gain = gains(measured, protocol, ours, theirs, {level: f"σ {level}" for level in LEVELS})
    title = {**EACH, **BLIND}[ours]
    return f"\n{title}, minus {CLASSICAL[theirs]}, 95 % interval over frames: {gain}.\n" if gain else ""


def _curve(measured: Measured, protocol: str, method: str) -> dict[float, float]:
    """Level → PSNR."""
    found = measured.of("restoration", protocol, method)
    levels = found[0].values["psnr"] if found else {}
    cells = {float(level): measured.cell(found, "psnr", (level,)) for level in levels}
    return {level: cell.mean for level, cell in cells.items() if cell}


def _interpolated(curve: dict[float, float], at: float) -> float:
    """Piecewise linear.

    >>> _interpolated({2.0: 30.0, 1.0: 20.0}, 1.5)
    25.0
    """
    places = sorted(curve)
    return float(np.interp(at, places, [curve[place] for place in places]))


def _has(found: list[Result], name: str) -> bool:
    return all(name in result.values for result in found)


PAPER = Paper(
    title="UNet-Att",
    protocols=("speckle", "speckle_8bit"),
    sources=("ultrasound:Ultrasound", "organs:Organs"),
    card=("speckle", "frames", "flicker"),
    tables={
        "speckle": Table(restoration),
        "distillation": Table(ablation),
        "matched": Table(matched),
        "frames": Table(real_frames, "as_is"),
        "flicker": Table(flicker, "as_is"),
        "outlines": Table(lesions, "as_is"),
    },
)
