"""Films of cines: before and after side by side, small, at the study's speed, and in the report."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageSequence

from MedRestoreLib import cli
from MedRestoreLib.errors import UnsupportedImage
from MedRestoreLib.image import Image
from MedRestoreLib.reporting.film import FRAMES, SIDE, before_after


def cine(count: int = 5, size: int = 64, **attributes) -> tuple[Image, Image]:
    """A square that grows in noise, and the same without noise."""
    y, x = np.mgrid[:size, :size] - size / 2
    clean = np.stack([np.where(np.maximum(abs(x), abs(y)) < 8 + 2 * k, 180.0, 60.0) for k in range(count)])
    noisy = clean + np.random.default_rng(0).normal(0, 20, clean.shape)
    before = Image(noisy[:, None], **{"modality": "US", **attributes})
    return before, before.with_voxels(clean[:, None])


def played(data: bytes) -> tuple[list[np.ndarray], list[int]]:
    """Frames, ``(rows, columns)`` in grey, and how long each is shown, ms."""
    picture = Picture.open(io.BytesIO(data))
    assert picture.format == "WEBP"
    frames, times = [], []
    for frame in ImageSequence.Iterator(picture):
        frames.append(np.asarray(frame.convert("L"), np.float32))
        times.append(frame.info["duration"])
    return frames, times


def test_a_film_shows_before_on_the_left_and_after_on_the_right(tmp_path):
    before, after = cine(frame_times=tuple(40.0 * k for k in range(5)))
    path = before_after(before, after, tmp_path / "f.webp")
    frames, times = played(path.read_bytes())
    assert len(frames) == 5
    assert times == [40] * 5
    width = (frames[0].shape[1] - 4) // 2
    for frame in frames:
        left, right = frame[2:10, 2:20], frame[2:10, width + 6 : width + 24]
        assert left.std() > 4 * right.std() + 4
        assert (frame[:, width : width + 4] > 240).all()
    bright = [(frame[:, width + 4 :] > 128).sum() for frame in frames]
    assert bright == sorted(bright)
    assert bright[-1] > 2 * bright[0]


def test_a_film_of_a_long_and_large_cine_stays_small(tmp_path):
    before, after = cine(50, 500)
    path = before_after(before, after, tmp_path / "f.webp")
    frames, times = played(path.read_bytes())
    assert len(frames) == FRAMES
    assert frames[0].shape == (SIDE, 2 * SIDE + 4)
    assert times == [50] * FRAMES
    assert path.stat().st_size < 4_000_000


def test_a_film_keeps_proportions_and_shows_counts_dark_on_white(tmp_path):
    before, after = cine(spacing=(1.0, 2.0, 1.0), modality="NM")
    frames, _ = played(before_after(before, after, tmp_path / "f.webp").read_bytes())
    rows, columns = frames[0].shape
    assert rows == pytest.approx(2 * (columns - 4) / 2, abs=2)
    assert frames[0][rows // 2, columns // 4] < frames[0][4, 4]


def test_colour_stays_colour(tmp_path):
    frames = np.zeros((4, 48, 48, 3), np.uint8)
    frames[:, 12:36, 12:36] = (200, 30, 30)
    before = Image.from_array(frames, axes="fyxc", modality="US")
    path = before_after(before, before, tmp_path / "f.webp")
    shown = np.asarray(Picture.open(path).convert("RGB")).astype(int)
    assert ((shown[..., 0] > 150) & (shown[..., 1] < 80)).mean() > 0.1


def test_stills_and_other_grids_have_no_film(tmp_path):
    before, after = cine(2)
    with pytest.raises(UnsupportedImage, match="at least 3 frames"):
        before_after(before, after, tmp_path / "f.webp")
    with pytest.raises(UnsupportedImage, match="grid"):
        before_after(cine(4)[0], cine(5)[1], tmp_path / "f.webp")
    assert not list(tmp_path.iterdir())


def test_the_report_of_a_cine_plays_it(tmp_path, monkeypatch):
    """From the command line: the film lies beside the result and, byte for byte, in the page."""
    from MedRestoreLib.files import studies as files

    rng = np.random.default_rng(1)
    voxels = np.uint8(np.clip(cine(4)[1].voxels * (1 + 0.15 * rng.standard_normal((4, 1, 64, 64))), 0, 255))
    study = files.write(Image.from_array(voxels, modality="US"), tmp_path / "heart.nrrd")
    out = tmp_path / "out.nrrd"
    command = ["restore", study, out, "--method", "srad", "--level", "0.15", "--report", "--figure"]
    monkeypatch.setattr("sys.argv", ["medrestore", *map(str, command)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    page = Path(tmp_path / "out.report.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'alt="The cine before[^"]*" src="data:image/webp;base64,([^"]+)"', page)
    assert base64.b64decode(data) == (tmp_path / "out.film.webp").read_bytes()
    assert len(played(base64.b64decode(data))[0]) == 4
    assert "data:image/png;base64," in page
