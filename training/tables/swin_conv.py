"""The tables of blind enhancement, in the paper's terms, with the rows of degraded frames that its abstract lacks.

The abstract of "Blind ultrasound image enhancement via self-supervised physics-guided degradation modeling" (2026)
claims 1 to 4 dB in strong Gaussian noise and 2 to 5 dB in strong speckle over MSANN, Restormer and DnCNN. It does not
say whether these were trained on the same data; here they were.
"""

from __future__ import annotations

from .common import Cell, Measured, Paper, Rows, Table, markdown, outlined, shipped
from .results import Result, mean

ORGANS = ("breasts", "heads", "hips")
NETWORKS: Rows = {
    "dncnn_blurred": "DnCNN",
    "msan_like_blurred": "multi-scale self-attention, our reconstruction",
    "restormer_blurred": "Restormer, reduced",
    "swin_conv": "Swin-Conv U-Net, light, half of the sharpening",
}
EQUAL = "+gpu"
SHIPPED = "swin_conv+sharpening"
ALL = {f"{SHIPPED}, all": "Swin-Conv U-Net, light, all of the sharpening"}
OUTLINING = "seunet_heads"
METHODS: Rows = {
    "noisy": "as degraded",
    "srad": "SRAD",
    "nllr": "NLLR",
    "unet_att_small": "UNet-Att",
    "wiener": "Wiener, true blur and noise",
    "richardson_lucy": "Richardson-Lucy, true blur",
    **{f"{name}{EQUAL}": f"{title}, equal minutes" for name, title in NETWORKS.items()},
    **dict.fromkeys(("swin_conv", SHIPPED), f"{NETWORKS['swin_conv']}, which ships"),
}
PHANTOMS = {"fwhm": 2, "gradient": 3, "overshoot": 1, "split": 0, "resolved": 0}  # digits of each measure
SHOWN = ("1 px, 0 %", "1 px, 5 %", "1.5 px, 5 %", "2 px, 0 %", "2 px, 5 %", "3 px, 5 %")


def original(measured: Measured, protocol: str) -> str:
    """Frames of the test split after blur and noise, against the frame itself: PSNR (peak 1, dB) / SSIM.

    Degraded frames are clipped and rounded to 8 bits; burned-in graphics are not counted. A frame has speckle of its
    own, which is truth here: a method that removes it is penalised, most where little noise was added. "gaussian" is in
    grey values of 255, "speckle" relative to the signal, "blur" in pixels with 5 % noise. No method knows the noise
    but Wiener and Richardson-Lucy. Methods of equal minutes were trained from nothing on the same data, side by side
    on one GPU.
    """
    return _by_organ(measured, "")


def agreement(measured: Measured, protocol: str) -> str:
    """The same against the frame as NLLR despeckled it: PSNR / SSIM. It measures agreement with NLLR, no more."""
    return _by_organ(measured, "_nllr")


def phantoms(measured: Measured, protocol: str) -> str:
    """Simulated points and edges, blurred by a Gaussian of 1 to 3 px, 0 or 5 % noise: before → after.

    FWHM of points (pixels, before without noise), steepest slope of an edge of height 1 (per pixel), overshoot at it (%
    of its height), single points that became two (%), pairs 2.5 and 3.5 standard deviations apart seen as two (%).
    """
    rows = {}
    for method, title in {**METHODS, **ALL}.items():
        for result in measured.of("resolution", "phantoms", method):
            for at in SHOWN:
                rows[f"{title}: {at}"] = [_change(result, name, at, digits) for name, digits in PHANTOMS.items()]
    return markdown("Method: blur, noise", list(PHANTOMS), rows)


def wires(measured: Measured, protocol: str) -> str:
    """Real wires in water, sequences of four scanners: width across the beam (pixels) / side lobes (%), before → after.

    Medians over the wires of a file. Side lobes are the mean grey between one and a half and three widths from the
    peak. In brackets the median change of a wire's own width.
    """
    rows, files = {}, []
    for method, title in {**METHODS, **ALL}.items():
        for result in measured.of("resolution", "wires", method):
            files = list(result.values["fwhm"]["before"])
            rows[title] = [
                f"{_change(result, 'fwhm', at, 1)} / {_change(result, 'lobes', at, 1)}"
                f" ({100 * (result.values['relative']['after'][at] - 1):+.0f} %)"
                for at in files
            ]
    return markdown("Method", files, rows)


def structures(measured: Measured, protocol: str) -> str:
    """Dice of fetal heads outlined by one network in frames of HC18's test split, as they are and with added speckle.

    In brackets the difference from the frame without restoration with its 95 % interval (paired bootstrap over frames).
    The outlining network was trained on frames without added noise, where the row does not say otherwise: it fails in
    noise that it never saw, and one trained on noisy frames shows how much of the difference is that.
    """
    trained_on = {"": "", "+retrained": ", trained on restored frames", "+on_noisy": ", trained on noisy frames"}
    segmenters = {OUTLINING + override: how for override, how in trained_on.items()}
    return outlined(measured, "speckle", segmenters, METHODS, "speckle {}")


def _by_organ(measured: Measured, suffix: str) -> str:
    """A table for each organ, its conditions as columns; and how long the networks were trained."""
    parts = []
    for organ in ORGANS:
        rows, conditions = {}, []
        for method, title in {**METHODS, **shipped(METHODS)}.items():
            found = measured.of("enhancement", organ, method)
            if found:
                conditions = list(found[0].values["psnr"])
                pairs = [
                    [Cell(mean(found[0].values[name + suffix][at]), float("nan")) for name in ("psnr", "ssim")]
                    for at in conditions
                ]
                rows[title] = [f"{psnr.shown(2)} / {ssim.shown(3)}" for psnr, ssim in pairs]
        if rows:
            count = len(next(iter(measured.of("enhancement", organ, "noisy")[0].values["psnr"].values())))
            parts.append(markdown(f"{organ} ({count} frames)", conditions, rows))
    return "\n".join(parts) + (_lengths(measured) if parts else "")


def _lengths(measured: Measured) -> str:
    trained = {
        title: found[0].about
        for method, title in METHODS.items()
        if (found := measured.of("enhancement", ORGANS[0], method)) and "steps" in found[0].about
    }
    told = [f"{title}: {about['steps']:,} steps in {about['minutes']:.0f} min" for title, about in trained.items()]
    return f"\nLength of the last training of each: {'; '.join(told)}.\n" if told else ""


def _change(result: Result, name: str, at: str, digits: int) -> str:
    before, after = (result.values[name][moment][at] for moment in ("before", "after"))
    return f"{before:.{digits}f} → {after:.{digits}f}"


PAPER = Paper(
    title="blind enhancement",
    protocols=("blurred",),
    sources=("enhancement:FramesAndPhotographs",),
    card=("original", "agreement", "resolution", "wires", "structures"),
    tables={
        "original": Table(original),
        "agreement": Table(agreement),
        "resolution": Table(phantoms),
        "wires": Table(wires),
        "structures": Table(structures, protocol="speckle"),
    },
)
