"""Reports and figures: whole, honest, readable, and without anything but themselves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import MedRestoreLib as mr
from MedRestoreLib.errors import OutputError, UnsupportedImage
from MedRestoreLib.evidence.audit import audit
from MedRestoreLib.evidence.blobs import Place
from MedRestoreLib.evidence.gain import expected_gain
from MedRestoreLib.evidence.totals import totals
from MedRestoreLib.files.studies import read
from MedRestoreLib.image import Image
from MedRestoreLib.noise import model
from MedRestoreLib.reporting.figures import before_after, compare
from MedRestoreLib.reporting.report import Level, Provenance, Report, Study, write_summary
from MedRestoreLib.reporting.views import detail_of, view_of, window_of
from Testing.support.paths import REPOSITORY

PNG = b"\x89PNG\r\n\x1a\n"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what a reader and a browser would see."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text, self.sources, self.seen = "", [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.seen.append((tag, attributes))
        self.sources += [v for k, v in attrs if k in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text += text


def scene(size: int = 96) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size - 0.5
    return (20.0 + 60.0 * (x**2 + y**2 < 0.1) + 40.0 * (abs(x - 0.1) < 0.04)).astype(np.float32)[None, None]


def make(clean: np.ndarray | None = None, width: float = 0.5, **attributes) -> tuple[Image, Image, Report]:
    """A noisy count study, its restoration by a Gaussian filter, and the report."""
    clean = scene() if clean is None else clean
    noisy = model("poisson").add(clean, 1.0, np.random.default_rng(0))
    noise = model("poisson").bind(noisy, 1.0)

    def denoise(voxels):
        return gaussian_filter(voxels, (0, 0, width, width))

    before = Image(noisy, **{"spacing": (2.0, 2.0, 4.0), "modality": "NM", "unit": "counts", **attributes})
    after = before.with_voxels(noise.unbiased_inverse(denoise(noise.stabilise(noisy))))
    report = Report(
        study=Study(before.modality, before.unit, before.voxels.shape, before.spacing, "0" * 64),
        plan={"method": "gauss", "noise": "poisson", "level": 1.0, "strength": 1.0,
              "options": {"width": np.float32(1)}},
        noise=Level("poisson", "Poisson", 1.0, "counts", True, False, 0.9, "<b>raw</b> & counted"),
        gain=expected_gain(noisy, denoise, noise),
        audit=audit(noisy, after.voxels, noise),
        totals=totals(noisy, after.voxels, spacing=before.spacing, unit="counts"),
        provenance=Provenance(
            "MedRestore", "Gauss", "", None, "cpu", "float32", (np.inf,), np.float64(1.5), "3.12", "2.4", "2.13"
        ),
        notes=("Memory ran out: tiles were halved.",),
    )  # fmt: skip
    return before, after, report


def pixels(path: Path) -> np.ndarray:
    from skimage.io import imread

    assert path.read_bytes().startswith(PNG)
    return imread(path)


# Reports


def test_a_report_survives_json(tmp_path):
    _, _, report = make()
    kept = json.loads(report.write(tmp_path / "r.json").read_text(encoding="utf-8"))
    assert kept == report.to_dict()
    again = Report.from_dict(kept)
    assert again.to_dict() == kept
    assert (again.study, again.noise, again.gain, again.totals) == (
        report.study, report.noise, report.gain, report.totals
    )  # fmt: skip
    assert (kept["word"], kept["verdict"]) == (report.judgement.word, report.verdict)
    assert kept["gain"]["gain_db"] == report.gain.gain_db
    assert set(kept["audit"]["findings"]) == {"variance", "whiteness", "leakage", "unsupported", "bias", "blobs"}
    assert kept["totals"]["total"]["before"] == report.totals.total.before
    assert kept["provenance"]["totals_factors"] == [None], "JSON has no infinity"


def test_the_page_needs_nothing_but_itself_and_escapes_what_it_shows(tmp_path):
    before, after, report = make()
    figure = before_after(before, after, tmp_path / "f.png", report=report)
    page = Page(report.write(tmp_path / "r.html", [figure]))
    assert len(page.sources) == 1
    assert page.sources[0].startswith("data:image/png;base64,")
    assert "<b>raw</b> & counted" in page.text  # as text, not as a tag
    assert "For research use only" in page.text
    assert report.verdict in page.text
    assert report.notes[0] in page.text
    assert all("alt" in attributes for tag, attributes in page.seen if tag == "img")
    assert ("html", {"lang": "en"}) in page.seen
    assert all("scope" in attributes for tag, attributes in page.seen if tag == "th")


def test_the_page_shows_the_comparison_behind_the_method(tmp_path):
    report = make()[2]
    assert "Why this method" not in Page(report.write(tmp_path / "r.html")).text
    rows = [
        {"method": name, "score": score, "error": 0.001, "removed": 0.8, "strength": 1.0, "measure": "deviance"}
        for name, score in (("gauss", 0.7), ("median", 0.75))
    ]
    page = Page(replace(report, plan={**report.plan, "ranking": rows}).write(tmp_path / "r.html"))
    assert "Why this method" in page.text
    assert "+0.0500 ± 0.0020" in page.text


def test_the_verdict_names_the_gain_or_says_there_is_none():
    _, _, good = make()
    assert good.gain.reliable
    assert f"{good.gain.gain_db:.1f} dB" in good.verdict
    assert good.judgement.word in ("gain", "careful gain")
    _, _, blurred = make(width=12.0)
    assert blurred.judgement.word == "harm"


def test_what_needs_a_close_look_is_named_neutrally():
    """A title names the test, not its good outcome: "look closely: mean kept" would say the opposite."""
    clean = scene()
    noisy = model("poisson").add(clean, 1.0, np.random.default_rng(0))
    shifted = replace(make()[2], audit=audit(noisy, 1.1 * clean, model("poisson").bind(noisy, 1.0)))
    assert shifted.audit.findings["bias"].flagged
    assert re.search(r"; look closely: .*mean shift\.$", shifted.verdict)
    assert shifted.judgement.word == "careful gain"


def test_a_report_without_gain_and_audit_is_still_a_report(tmp_path):
    bare = replace(make()[2], gain=None, audit=None)
    assert bare.verdict == "No reliable gain: the gain was not estimated."
    assert bare.verdict in Page(bare.write(tmp_path / "r.html")).text


def test_a_summary_has_a_row_and_a_section_for_each_study(tmp_path):
    _, _, report = make()
    rows = [("A & B", report, []), ("C", json.loads(json.dumps(report.to_dict())), [])]
    page = Page(write_summary(rows, tmp_path / "all.html"))
    links = [source for source in page.sources if source.startswith("#")]
    sections = {f"#{attributes['id']}" for tag, attributes in page.seen if tag == "section" and "id" in attributes}
    assert set(links) == sections
    assert len(links) == 2
    assert "A & B" in page.text


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path):
    report = make()[2]
    with pytest.raises(OutputError, match="html"):
        report.write(tmp_path / "r.pdf")
    (tmp_path / "r.html").mkdir()
    with pytest.raises(OutputError):
        report.write(tmp_path / "r.html")
    with pytest.raises(OutputError):
        report.write(tmp_path / "absent" / "r.json")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


# Figures


def test_a_figure_shows_before_after_and_removed(tmp_path):
    before, after, report = make()
    image = pixels(before_after(before, after, tmp_path / "f.png", report=report))
    assert image.shape[1] > 1200
    assert np.ptp(image) == 255
    colourful = np.ptp(image[..., :3].astype(int), axis=-1) > 60
    assert colourful[:, image.shape[1] // 2 :].mean() > 2 * colourful[:, : image.shape[1] // 3].mean()


def test_lost_and_added_blobs_are_circled_where_they_lie(tmp_path):
    before, after, report = make()
    place = Place("lost", "bright", (0, 0, 40, 60), (120.0, 80.0, 0.0), 8.0, 1.5)
    marked = replace(report, audit=replace(report.audit, places=(place,)))
    plain, circled = (
        pixels(before_after(before, after, tmp_path / f"{n}.png", report=r)).astype(int)
        for n, r in enumerate((replace(report, audit=replace(report.audit, places=())), marked))
    )
    changed = np.abs(plain - circled).sum(axis=-1) > 60
    columns = np.flatnonzero(changed.any(axis=0))
    assert changed.any()
    assert changed.mean() < 0.02
    assert np.ptp(columns) > 0.5 * changed.shape[1], "in every panel"
    elsewhere = replace(place, voxel=(3, 0, 40, 60))
    assert view_of(before).place_of(elsewhere.voxel) is None
    assert view_of(before).place_of(place.voxel) == (40, 60)


def test_figures_repeat_bit_for_bit(tmp_path):
    before, after, report = make()
    first = before_after(before, after, tmp_path / "a.png", report=report).read_bytes()
    assert before_after(before, after, tmp_path / "b.png", report=report).read_bytes() == first


def test_bone_scans_are_dark_on_white_and_mri_bright_on_black(tmp_path):
    clean = scene()
    nm, nm_after, _ = make(clean)
    mr, mr_after, _ = make(clean, modality="MR")
    corner = slice(70, 100), slice(45, 75)  # of the first panel: little signal
    white = pixels(before_after(nm, nm_after, tmp_path / "nm.png"))[corner]
    black = pixels(before_after(mr, mr_after, tmp_path / "mr.png"))[corner]
    assert white[..., :3].mean() > 190
    assert black[..., :3].mean() < 65


def test_a_figure_keeps_the_proportions_of_the_patient(tmp_path):
    flat, flat_after, _ = make(spacing=(2.0, 1.0, 1.0))
    square, square_after, _ = make(spacing=(1.0, 1.0, 1.0))
    low = pixels(before_after(flat, flat_after, tmp_path / "f.png"))
    high = pixels(before_after(square, square_after, tmp_path / "s.png"))
    assert low.shape[1] == high.shape[1]
    assert high.shape[0] - low.shape[0] > 200  # half the height of a panel


@pytest.mark.parametrize(
    "shape",
    [(2, 1, 200, 50), (1, 1, 200, 50), (1, 1, 12, 60), (1, 5, 40, 40), (6, 1, 40, 40), (1, 1, 16, 16)],
    ids=["two tall views", "tall", "wide", "volume", "cine", "tiny"],
)
def test_any_shape_of_study_has_a_figure(tmp_path, shape):
    voxels = np.random.default_rng(0).poisson(9.0, shape).astype(np.float32)
    before = Image(voxels, modality="NM")
    after = before.with_voxels(gaussian_filter(voxels, (0, 0, 1, 1)))
    image = pixels(before_after(before, after, tmp_path / "f.png", mask=np.arange(shape[3]) > 5))
    assert min(image.shape[:2]) > 150


def test_colour_stays_colour_and_an_unchanged_study_is_shown(tmp_path):
    frames = np.zeros((1, 64, 64, 3), np.uint8)
    frames[:, 16:48, 16:48] = (200, 30, 30)
    before = Image.from_array(frames, axes="fyxc", modality="US")
    image = pixels(before_after(before, before, tmp_path / "f.png")).astype(int)
    red = (image[..., 0] > 180) & (image[..., 1] < 50)
    assert red.mean() > 0.1


def test_an_upright_patient_stands_on_the_feet_whatever_the_axes(tmp_path):
    voxels = np.full((1, 1, 64, 64), 5.0, np.float32)
    voxels[..., :8, 28:36] = 100.0  # the head is in the first rows
    voxels[..., 8:, 20:44] = 40.0
    towards_feet = (1, 0, 0, 0, 0, 1, 0, -1, 0)
    towards_head = (1, 0, 0, 0, 0, -1, 0, 1, 0)
    normal = Image(voxels, direction=towards_feet, modality="MR")
    turned = Image(voxels[:, :, ::-1], direction=towards_head, modality="MR")
    first = pixels(before_after(normal, normal, tmp_path / "a.png"))
    assert np.array_equal(first, pixels(before_after(turned, turned, tmp_path / "b.png")))


def test_a_comparison_has_four_panels_and_needs_one_grid(tmp_path):
    before, after, _ = make()
    reference = before.with_voxels(scene())
    three = pixels(before_after(before, after, tmp_path / "f.png"))
    four = pixels(compare(before, after, reference, tmp_path / "c.png"))
    assert four.shape[1] > 1.2 * three.shape[1]
    smaller = Image(after.voxels[..., :-1])
    for draw in (lambda: before_after(before, smaller, tmp_path / "x.png"),
                 lambda: compare(before, after, smaller, tmp_path / "x.png")):  # fmt: skip
        with pytest.raises(UnsupportedImage, match="grid"):
            draw()
    assert not (tmp_path / "x.png").exists()


def test_drawing_leaves_pyplot_alone(tmp_path):
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from MedRestoreLib.image import Image;"
        "from MedRestoreLib.reporting.figures import before_after;"
        f"i = Image(np.arange(4096.0).reshape(1, 1, 64, 64)); before_after(i, i, {str(tmp_path / 'f.png')!r});"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


# What figures show


def test_a_figure_cuts_nothing_off_but_a_border_of_one_value():
    plane = np.zeros((60, 80), np.float32)
    plane[10:50, 20:70] = np.random.default_rng(0).uniform(0.2, 1.0, (40, 50))
    plane[30, 75] = 0.01  # faint, and still something
    view = view_of(Image.from_array(plane, modality="US"))
    assert view.rows.start <= 10 < 50 <= view.rows.stop
    assert view.columns.start <= 20 < 76 <= view.columns.stop
    assert view.rows.start > 5, "the border is not shown"


def test_dark_anatomy_is_shown_whole():
    plane = np.full((64, 64), 40.0, np.float32)
    plane[20:30, 20:30] = 4000.0  # one bright spot
    plane += np.random.default_rng(1).normal(0, 5, plane.shape).astype(np.float32)
    view = view_of(Image.from_array(plane, modality="MR"))
    assert (view.rows, view.columns) == (slice(0, 64), slice(0, 64))


def test_computed_tomography_has_a_window_for_tissue():
    grey = np.linspace(-1000, 2000, 4096, dtype=np.float32).reshape(64, 64)
    assert window_of(grey, "CT") == (-160.0, 240.0)
    assert window_of(grey / 3000, "CT") != (-160.0, 240.0), "values that are no Hounsfield units"


def test_the_detail_lies_where_most_was_changed():
    before = np.zeros((100, 100), np.float32)
    after = before.copy()
    after[60:70, 10:20] = 1.0
    rows, columns = detail_of(before, after, (0.0, 1.0), pixel=1.0)
    assert rows.start <= 60 < 70 <= rows.stop
    assert columns.start <= 10 < 20 <= columns.stop


def test_real_frames_show_the_fan_whole(data_folder):
    frames = [p for p in sorted((data_folder / "ultrasound").glob("*/*/*.png")) if "_mask" not in p.name][::25]
    for path in frames:
        image = replace(read(path), modality="US")
        view, plane = view_of(image), image.voxels[0, 0]
        echoes = plane > 0.03 * plane.max()
        assert echoes[view.rows, view.columns].sum() >= 0.98 * echoes.sum(), path.name
    assert len(frames) > 15


def test_where_no_spacing_is_known_nothing_is_said_in_millimetres(tmp_path):
    """No square centimetres from a PNG, and no place or width in mm of what was lost."""
    clean = np.full((96, 96), 100.0)
    clean[40:44, 40:44] = 160
    noisy = mr.add_noise(mr.Image.from_array(clean, spacing_known=False), "gaussian", 5.0)
    report = mr.restore(noisy, method="adf", noise="gaussian", level=5.0, options={"iterations": 40}).report
    values = report.to_dict()
    assert values["study"]["spacing_mm"] is None
    assert values["totals"]["size_unit"] == "pixels"
    assert sum(region["size"] for region in values["totals"]["regions"].values()) == pytest.approx(96 * 96)
    text = report.write(tmp_path / "report.html").read_text()
    for unit in ("cm²", " mm", " ml"):
        assert unit not in text.split("</style>")[1]
    known = mr.restore(replace(noisy, spacing_known=True, spacing=(0.5, 0.5, 1)), method="adf", level=5.0).report
    assert known.to_dict()["totals"]["size_unit"] == "cm²"


def test_the_detail_of_a_noisy_head_lies_in_the_head_and_not_in_its_air():
    from scipy.ndimage import gaussian_filter

    rows, columns = np.indices((128, 128)) - 64
    inside = np.hypot(rows / 1.2, columns) < 36
    clean = 80 * gaussian_filter(inside.astype(np.float32), 1)
    noise = 12 * np.random.default_rng(0).standard_normal((2, 128, 128)).astype(np.float32)
    noisy = np.hypot(clean + noise[0], noise[1])  # in air the mean of magnitudes, 15, is taken out
    box = detail_of(noisy, clean, (0.0, 100.0), pixel=1.0)
    assert inside[box].mean() > 0.5
