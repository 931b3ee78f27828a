"""The tables of Yu et al. (2023), in their form: bone scans with the noise of counts."""

from __future__ import annotations

from itertools import product

from MedRestoreLib.noise.poisson import peak_counts

from .common import BEST_GAUSSIAN, Measured, Paper, Rows, Table, fidelity_table, gains, lengths, markdown, shipped

PAPER_LEVELS = ("5", "10", "15", "20", "25", "30", "35", "40")
BAR_LEVELS = ("50", "30", "20", "10")  # 26, 72, 163, 650 counts
LESION_LEVELS = ("50", "30", "20")
SEGMENTERS: Rows = {
    "seunet_lesions": "clean views",
    "seunet_lesions+on_noisy": "noisy views",
    "seunet_lesions+on_restored": "restored views",
}
FRACTIONS = ("0.5", "0.25", "0.1")

SHIPPED = "emanet_counts+lesions"
MAIN: Rows = {
    "noisy": "noisy",
    "offset": "offset only (mean of the frame subtracted)",
    "gaussian": BEST_GAUSSIAN,
    "bm3d_raw": "BM3D, raw",
    "bm3d_offset": "BM3D, offset subtracted",
    "bm3d_anscombe": "BM3D, Anscombe",
    "dncnn_bone+paper_dncnn": "DnCNN, paper's form, half as wide",
    "dncnn_bone": "DnCNN, recommended",
    "redcnn_bone": "RED-CNN",
    "wgan_vgg_bone": "WGAN-VGG",
    "emanet_bone_paper": "EMANet, paper's form",
    "emanet_bone_paper+for_cpu": "EMANet, paper's form, half as wide",
    "emanet_bone+full": "EMANet, recommended but with all four modules",
    "emanet_bone": "EMANet, recommended",
    SHIPPED: "EMANet, counts of many kinds",
}
# Brief trainings of equal length: they rank variants, and say little about where longer trainings end.
TRANSFER: Rows = {
    "emanet_bone+brief+full": "none",
    "emanet_bone+brief+full+pretrained": "fetal ultrasound, 500 steps",
    "emanet_bone+brief+full+twice": "none, but 500 steps more",
}
MODULES: Rows = {
    "emanet_bone+brief+plain": "none",
    "emanet_bone+brief": "RDC",
    "emanet_bone+brief+rdc_md": "RDC + MD",
    "emanet_bone+brief+rdc_md_rcag": "RDC + MD + RCAG",
    "emanet_bone+brief+full": "RDC + MD + RCAG + CF",
}
LOSSES: Rows = {
    "emanet_bone+brief+full": "MSE",
    "emanet_bone+brief+full+perceptual": "perceptual (features trained on bone scans)",
    "emanet_bone+brief+full+composite": "0.8 MSE + 0.2 perceptual",
    "emanet_bone+brief+full+random_features": "0.8 MSE + 0.2 perceptual (random features)",
    "emanet_bone+brief+full+poisson_nll": "Poisson likelihood",
}
ESTIMATORS: Rows = {
    "HBNE": "HBNE",
    "DWTNE": "DWTNE",
    "level_net_bone+paper_level_net": "Net-50, paper's form",
    "level_net_bone": "Net-50",
}


def transfer(measured: Measured, protocol: str) -> str:
    """Table 3: the gain of pretraining for EMANet with all modules, trained for 500 steps, one seed.

    PSNR, dB / SSIM, level 20.
    """
    return fidelity_table(measured, protocol, "Pretraining", TRANSFER, {"level 20": ("20",)})


def modules(measured: Measured, protocol: str) -> str:
    """Table 4: EMANet's modules, added one by one, after 500 steps, one seed unless stated: PSNR, dB / SSIM."""
    return fidelity_table(measured, protocol, "Modules", MODULES, {"levels 5 to 40": PAPER_LEVELS})


def losses(measured: Measured, protocol: str) -> str:
    """Table 5: losses of EMANet with all modules, after 500 steps, one seed unless stated.

    PSNR, dB / SSIM.
    """
    return fidelity_table(measured, protocol, "Loss", LOSSES, {"levels 5 to 40": PAPER_LEVELS})


def estimators(measured: Measured, protocol: str) -> str:
    """Table 6: the estimated noise level, and its root mean squared error."""
    rows = {}
    for method, title in ESTIMATORS.items():
        found = measured.of("levels", protocol, method)
        cells = [(measured.cell(found, "mean", (at,)), measured.cell(found, "rmse", (at,))) for at in PAPER_LEVELS]
        if all(mean and rmse for mean, rmse in cells):
            rows[title] = [f"{mean.shown(1)} / {rmse.shown(2)}" for mean, rmse in cells]
    return markdown("Estimator: estimated level / RMSE", PAPER_LEVELS, rows)


def restoration(measured: Measured, protocol: str) -> str:
    """Table 7: PSNR (peak 1, dB) / SSIM of the restored views at each level, and the gain over BM3D."""
    counted = protocol == "p_peak"
    columns = {
        f"{level} (K {peak_counts(float(level)):.0f})" if counted else level: (level,)
        for level in (*PAPER_LEVELS, "50")
    }
    rows = {**MAIN, **shipped(MAIN)}
    table = fidelity_table(measured, protocol, "Method", rows, columns)
    return table + lengths(measured, protocol, rows, BAR_LEVELS[0]) + _gain(measured, protocol)


def lesions(measured: Measured, protocol: str) -> str:
    """Table 8: lesions segmented by a residual-SE U-Net, each trained for 15 minutes: precision / IoU / recall.

    Means over patients that have lesions. Many simulated lesions are faint: the networks find few of them even in clean
    views (IoU 0.09 over all pixels of validation views), so only the differences between rows have a meaning.
    """
    rows = {}
    known = [f"{method}, {segmenter}" for segmenter, method in product(SEGMENTERS, MAIN)]
    others = [r.method for r in measured.results if r.measure == "lesions" and r.protocol == protocol]
    for both in dict.fromkeys([*known, *others]):
        found = measured.of("lesions", protocol, both)
        cells = [
            [measured.cell(found, name, (level,)) for name in ("precision", "iou", "recall")] for level in LESION_LEVELS
        ]
        if all(all(group) for group in cells):
            method, segmenter = both.split(", ")
            title = f"{MAIN.get(method, method)}; {SEGMENTERS.get(segmenter, segmenter)}"
            rows[title] = [" / ".join(cell.shown(3) for cell in group) for group in cells]
    return markdown("Restored by; segmentation network trained on", [f"level {level}" for level in LESION_LEVELS], rows)


def thinning(measured: Measured, protocol: str) -> str:
    """The real scan thinned: Poisson deviance of the independent remainder / PSNR against it, dB; change of totals.

    Means over five draws of the counts that are kept.
    """
    rows = {}
    for method, title in {**MAIN, **shipped(MAIN)}.items():
        found = measured.of("thinning", "p_thin", method)
        cells = [[measured.cell(found, name, (at,)) for name in ("deviance", "psnr", "total")] for at in FRACTIONS]
        if all(all(group) for group in cells):
            rows[title] = [f"{d.shown(4)} / {p.shown(2)} ({100 * t.mean:.2f} %)" for d, p, t in cells]
    return markdown("Method", [_share(at) for at in FRACTIONS], rows) + _ahead(measured)


def _share(fraction: str) -> str:
    return f"{100 * float(fraction):.0f} % of the counts"


def _ahead(measured: Measured) -> str:
    """The deviance of EMANet as it ships minus that of others, draw by draw."""
    sentences = []
    for other in ("gaussian", "bm3d_anscombe", "emanet_bone"):
        found = [measured.of("thinning", "p_thin", method) for method in (SHIPPED, other)]
        if all(found):
            ours, theirs = (results[0].values["deviance"] for results in found)
            changes = [[ours[at][draw] - theirs[at][draw] for draw in ours[at]] for at in FRACTIONS]
            ranges = [f"{_share(at)}: {min(c):+.4f} to {max(c):+.4f}" for at, c in zip(FRACTIONS, changes, strict=True)]
            change = f"The deviance of {MAIN[SHIPPED]}, minus that of {MAIN[other]}, over the draws"
            sentences.append(f"{change}: {'; '.join(ranges)}.")
    return "".join(f"\n{sentence}\n" for sentence in sentences)


def _gain(measured: Measured, protocol: str) -> str:
    """EMANet's gain over Anscombe-BM3D on the same patients, with its 95 % interval."""
    levels = {level: f"K {peak_counts(float(level)):.0f}" for level in BAR_LEVELS}
    sentences = [
        f"\n{MAIN[method]}, minus Anscombe-BM3D, 95 % interval over patients: {gain}.\n"
        for method in ("emanet_bone", SHIPPED)
        if (gain := gains(measured, protocol, method, "bm3d_anscombe", levels))
    ]
    return "".join(sentences)


PAPER = Paper(
    title="EMANet",
    protocols=("p_peak", "p_lit"),
    sources=("bone:BoneScans", "scintigrams:Scintigrams"),
    card=("7", "thinning"),
    tables={
        "3": Table(transfer),
        "4": Table(modules),
        "5": Table(losses),
        "6": Table(estimators),
        "7": Table(restoration),
        "8": Table(lesions),
        "thinning": Table(thinning, "p_thin"),
    },
)
