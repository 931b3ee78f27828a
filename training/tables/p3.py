"""The tables of paper P3 (unpaired MR denoising by disentangled representation), with rows and columns that it lacks.

Its numbers cannot be those of images on one scale: the noisy image itself would be above all of them. ``as_printed``
shows what explains them: references stored on another scale, and noise in percent of the image's mean.
"""

from __future__ import annotations

from .common import Measured, Paper, Rows, Table, markdown, outlined, shipped
from .results import Result, mean

LEVELS = ("5", "10", "15", "20", "25", "30")
METHODS: Rows = {
    "noisy": "noisy",
    "offset": "offset only: the noise's mean taken out",
    "adf": "ADF, best setting for each level on validation",
    "bm3d": "BM3D, stabilised",
    "odct3d": "ODCT3D, stabilised (volume)",
    "prinlm3d": "PRI-NLM3D, stabilised (volume)",
    "bm4d": "BM4D, stabilised (volume)",
    "general": "general network, stabilised",
    "unet_mr": "U-Net, supervised, stabilised",
    "neighbor2neighbor": "U-Net, Neighbor2Neighbor, stabilised: no clean image",
    "cyclegan_mr": "CycleGAN, unpaired",
    "disentangled_paper": "P3, the paper's form, unpaired",
    "disentangled": "P3, recommended form, unpaired, stabilised",
    "disentangled+continued": "P3, recommended form, trained further: ships",
}

EQUAL: Rows = {
    "noisy": "noisy",
    "adf": "ADF, best setting for each level on validation",
    "cyclegan_mr+equal": "CycleGAN",
    "disentangled_paper+equal": "P3, the paper's form",
    "disentangled+equal": "P3, recommended form, stabilised",
}

# Of the drawn slices "as printed": the reference's scale, chosen so that ADF at 5 % has the paper's PSNR; and whom it
# is shown for.
PRINTED = "as printed"
SCALES = {"T1w": 1.18, "PDw": 1.24}
EXPLAINED = ("noisy", "adf", "cyclegan_mr", "disentangled_paper", "disentangled")
PAPER_PSNR = {
    "T1w": {
        "adf": (20.61, 20.38, 19.86, 18.97, 17.90, 16.83),
        "cyclegan_mr": (20.02, 20.15, 20.21, 20.16, 20.08, 19.77),
        "disentangled_paper": (22.51, 22.43, 22.37, 21.41, 20.40, 19.30),
    },
    "PDw": {
        "adf": (15.76, 15.71, 15.54, 15.21, 14.76, 14.26),
        "cyclegan_mr": (20.10, 20.14, 20.14, 20.15, 20.18, 20.19),
        "disentangled_paper": (21.25, 20.91, 20.49, 20.06, 19.67, 19.19),
    },
}


def heads(measured: Measured, protocol: str) -> str:
    """T1w heads that no training saw (MNI152 and one at 1.4 mm): PSNR (peak 1, dB) / SSIM of the foreground.

    Three slices of each; noise in percent of the volume's maximum. One model for all levels, not one for each.
    Trainings had equal minutes of a core shared with others, so steps tell more; what ships had more minutes. CycleGAN
    and the paper's form have a quarter of their published width, and far fewer steps than GANs are given.
    """
    return _table(measured, "T1w heads", "") + _lengths(measured)


def heads_full(measured: Measured, protocol: str) -> str:
    """The same heads, PSNR / SSIM of the full frame, air included."""
    return _table(measured, "T1w heads", "_full")


def seeds(measured: Measured, protocol: str) -> str:
    """Three seeds of the unpaired networks after 4 minutes of a core each: PSNR / SSIM of the foreground.

    Mean ± standard deviation over the seeds; all trained on patches of 64. Slices are drawn as in the tables below.
    CycleGAN and the paper's form have a quarter of their published width, and far fewer steps than GANs are given.
    """
    rows = {}
    for group in ("T1w heads", "T1w slices", "PDw slices"):
        for method, title in EQUAL.items():
            found = measured.of("magnitudes", "rician", method)
            pairs = [[measured.cell(found, name, [f"{group} {at}"]) for name in ("psnr", "ssim")] for at in LEVELS]
            if all(psnr and ssim for psnr, ssim in pairs):
                rows[f"{group}: {title}"] = [f"{psnr.shown(2)} / {ssim.shown(3)}" for psnr, ssim in pairs]
    steps = {
        title: ", ".join(f"{r.about['steps']:,}" for r in measured.of("magnitudes", "rician", method))
        for method, title in EQUAL.items()
        if "+" in method
    }
    told = "; ".join(f"{title}: {each}" for title, each in steps.items())
    return markdown("Method", [f"{at} %" for at in LEVELS], rows) + (f"\nSteps of each seed: {told}.\n" if rows else "")


def grey_levels(measured: Measured, protocol: str) -> str:
    """The same heads: mean error in dark / bright tissue, percent of the maximum."""
    return _table(measured, "T1w heads", "", ("dark", "bright"), (1, 1))


def t1w_slices(measured: Measured, protocol: str) -> str:
    """T1w slices drawn from BrainWeb's tissue labels: PSNR / SSIM of the foreground."""
    return _table(measured, "T1w slices", "")


def pdw_slices(measured: Measured, protocol: str) -> str:
    """PDw slices drawn from BrainWeb's tissue labels, which no training saw: PSNR / SSIM of the foreground."""
    return _table(measured, "PDw slices", "")


def as_printed(measured: Measured, protocol: str) -> str:
    """What explains the paper's numbers: PSNR (dB) of the full frame, the paper's in brackets.

    Drawn slices with noise in percent of the image's mean, compared with a reference on another scale (1.18 for T1w,
    1.24 for PDw). Both scales were chosen for ADF at 5 %; all else follows.
    """
    rows = {}
    for weighting, printed in PAPER_PSNR.items():
        for method in EXPLAINED:
            for result in measured.of("magnitudes", "rician", method):
                own = [_cell(result, ("psnr_full",), f"{weighting} slices {PRINTED} {at}", (2,)) for at in LEVELS]
                theirs = printed.get(method)
                if all(own):
                    rows[f"{weighting}: {METHODS[method]}"] = [
                        f"{cell} ({theirs[k]:.2f})" if theirs else cell for k, cell in enumerate(own)
                    ]
    return markdown("Method", [f"{at} %" for at in LEVELS], rows)


def ventricles(measured: Measured, protocol: str) -> str:
    """Dice of left ventricles outlined by one network in cine frames of six subjects of Sunnybrook, with added noise.

    In brackets the difference from the frame without restoration with its 95 % interval (paired bootstrap over frames).
    Noise in percent of the maximum, restored with the level that the library finds. The frames have noise of their own,
    and the outlining network was trained on them as they are, a few minutes on 26 subjects.
    """
    ships = {"adf": "ADF", "disentangled": "P3, recommended form: ships"}
    return outlined(measured, protocol, {"seunet_ventricles": ""}, {**METHODS, **ships}, "{} %")


def _table(
    measured: Measured,
    group: str,
    suffix: str,
    names: tuple[str, ...] = ("psnr", "ssim"),
    digits: tuple[int, ...] = (2, 3),
) -> str:
    rows = {}
    for method, title in {**METHODS, **shipped(METHODS)}.items():
        for result in measured.of("magnitudes", "rician", method):
            cells = [_cell(result, [n + suffix for n in names], f"{group} {at}", digits) for at in LEVELS]
            if all(cells):
                rows[title] = cells
    return markdown("Method", [f"{at} %" for at in LEVELS], rows)


def _cell(result: Result, names: tuple[str, ...] | list[str], condition: str, digits: tuple[int, ...]) -> str:
    """Means of quantities under a condition; "" where one was not measured."""
    found = [result.values.get(name, {}).get(condition) for name in names]
    if not all(found):
        return ""
    return " / ".join(f"{mean(values):.{places}f}" for values, places in zip(found, digits, strict=True))


def _lengths(measured: Measured) -> str:
    parts = [
        f"{title}: {result.about['steps']:,} steps in {result.about['minutes']:.0f} min"
        for method, title in METHODS.items()
        for result in measured.of("magnitudes", "rician", method)
        if "steps" in result.about
    ]
    return f"\nLength of the last training of each, on a shared core: {'; '.join(parts)}.\n" if parts else ""


TABLES = {
    "heads": heads,
    "heads_full": heads_full,
    "seeds": seeds,
    "grey_levels": grey_levels,
    "t1w_slices": t1w_slices,
    "pdw_slices": pdw_slices,
    "as_printed": as_printed,
    "ventricles": ventricles,
}
PAPER = Paper(
    title="P3",
    protocols=("rician",),
    sources=("unpaired:UnpairedSlices",),
    tables={name: Table(make) for name, make in TABLES.items()},
    card=("heads", "grey_levels", "pdw_slices", "ventricles"),
)
