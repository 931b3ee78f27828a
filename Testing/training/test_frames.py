"""Measures without a clean image, on frames and cines: regions lie where they should, numbers move as they should."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from MedRestoreLib.files import studies as files
from MedRestoreLib.image import Image
from training.data.ultrasound import Ultrasound
from training.evaluation import cine, frames, methods
from training.recipe import RecipeError

SIDE = 192


def phantom(seed: int = 0, level: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """A dark round lesion in tissue that is plain above and striped below, with grainy speckle; and the lesion."""
    y, x = np.mgrid[:SIDE, :SIDE]
    lesion = np.hypot(y - 60, x - 100) < 22
    clean = np.where(y < 110, 0.5, 0.5 + 0.15 * np.sin(y / 3.0))
    clean = np.where(lesion, 0.2, clean)
    grain = gaussian_filter(np.random.default_rng(seed).standard_normal((SIDE, SIDE)), 1.0) * 3.5
    return np.clip(clean * (1 + level * grain), 0, 1).astype(np.float32), lesion


def test_regions_lie_in_the_lesion_around_it_and_in_plain_tissue():
    frame, lesion = phantom()
    drawn = np.zeros(frame.shape, bool)
    drawn[50:55, 20:180] = True
    where = frames.regions(frame, lesion, drawn)
    assert not (where.inside & ~lesion).any()
    assert not (where.around & lesion).any()
    assert not any((mask & drawn).any() for mask in (where.inside, where.around, where.edges))
    assert 0.5 < where.around.sum() / lesion.sum() < 4
    assert len(where.tissue) == frames.BLOCKS
    assert all(row + frames.BLOCK <= 112 for row, _ in where.tissue)
    blocks = np.zeros(frame.shape, bool)
    for row, column in where.tissue:
        blocks[row : row + frames.BLOCK, column : column + frames.BLOCK] = True
    assert not (blocks & (lesion | drawn)).any()


def test_smoothing_gains_looks_and_contrast_and_loses_edges():
    frame, lesion = phantom(level=0.25)
    where = frames.regions(frame, lesion)
    plain, some, much = (
        frames.measured(frame, image, where) for image in (frame, gaussian_filter(frame, 1), gaussian_filter(frame, 3))
    )
    assert plain["enl_ratio"] == plain["epi"] == pytest.approx(1)
    assert plain["enl"] == pytest.approx(0.25**-2, rel=0.4)
    assert plain["enl"] < some["enl"] < much["enl"]
    assert 1 < some["enl_ratio"] < much["enl_ratio"]
    assert plain["cnr"] < some["cnr"]
    assert plain["gcnr"] < some["gcnr"]
    assert plain["epi"] > some["epi"] > much["epi"]
    assert some["epi_coarse"] > some["epi"]


def test_a_brighter_display_is_no_better_contrast():
    frame, lesion = phantom()
    where = frames.regions(frame, lesion)
    before, after = frames.measured(frame, frame, where), frames.measured(frame, frame**0.4, where)
    assert after["gcnr"] == pytest.approx(before["gcnr"], abs=0.01)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Ultrasound:
    """Frames with a lesion, without one, and fetal heads, as their files are named."""
    folder = tmp_path_factory.mktemp("frames")
    for kind in ("benign", "normal", "heads"):
        (folder / kind).mkdir()
        for number in range(24):
            name = f"{number:03d}_HC" if kind == "heads" else f"{kind}_{number:03d}"
            frame, lesion = phantom(number)
            shades = gaussian_filter(np.random.default_rng((number, ord(kind[0]))).standard_normal(frame.shape), 12)
            frame += 3 * shades  # unlike the others, or they would count as one patient
            cv2.imwrite(str(folder / kind / f"{name}.png"), np.uint8(255 * np.clip(frame, 0, 1)))
            if kind != "normal":
                cv2.imwrite(str(folder / kind / f"{name}_mask.png"), np.uint8(255 * lesion))
    made = Ultrasound(tmp_path_factory.mktemp("cache"), folders=[str(folder)], processes=1)
    made.prepare(("test",))
    return made


def test_only_patients_with_a_lesion_are_measured(source):
    levels = []

    def halved(frame: np.ndarray, level: float) -> np.ndarray:
        levels.append(level)
        return frame / 2

    found = frames.measure(halved, source, 1000)
    with_lesion = {str(id) for id in source.patients("test") if source.patient(id).label == 0}
    assert with_lesion
    assert set(found["gcnr"]["before"]) == set(found["gcnr"]["after"]) == with_lesion
    assert found["gcnr"]["after"] == pytest.approx(found["gcnr"]["before"], abs=0.01)
    assert len(levels) == len(with_lesion)
    assert all(0.03 < level < 0.5 for level in levels)
    assert len(frames.measure(halved, source, 1)["cnr"]["after"]) == 1


# Methods


@pytest.mark.parametrize("name", ["median", "srad"])
def test_methods_take_frames_alone_and_in_stacks_and_keep_their_brightness(name):
    restore = methods.for_frames(name).restore
    stack = np.stack([phantom(seed)[0] for seed in range(3)])
    together = restore(stack, 0.12)
    assert together.shape == stack.shape
    assert together.mean() == pytest.approx(stack.mean(), rel=0.02)
    assert together[1, 10:50, 10:60].std() < 0.8 * stack[1, 10:50, 10:60].std()
    if name == "median":
        assert np.array_equal(restore(stack[1], 0.12), together[1])


def test_a_method_that_is_unknown_is_named():
    with pytest.raises(RecipeError, match=r"'sharpen' is neither a folder of a training nor one of median, .*srad"):
        methods.for_frames("sharpen")


# Cines


def moving(count: int = 12, noise: float = 0.02) -> np.ndarray:
    """Tissue whose right half sways, with white noise in time."""
    rng = np.random.default_rng(3)
    still = 0.4 + 0.1 * gaussian_filter(rng.standard_normal((96, 128)), 2) * 7
    shown = np.stack([np.hstack([still[:, :64], np.roll(still, 3 * k, axis=0)[:, 64:]]) for k in range(count)])
    return np.clip(shown + noise * rng.standard_normal(shown.shape), 0, 1).astype(np.float32)


def clip(folder: Path, shown: np.ndarray) -> Path:
    """The frames as a video file, which loses a little."""
    return files.write(Image.from_array(np.uint8(np.rint(255 * shown)), axes="fyx", modality="US"), folder / "clip.mp4")


def test_static_tissue_is_neither_dark_nor_drawn_nor_moving():
    shown = moving()
    shown[:, :10] = 0.01
    shown[:, 10:20] = 0.9
    still = cine.static(shown)
    assert 0.1 < still.mean() < 0.3
    assert not still[:20].any()
    assert still[:, 72:].sum() < 0.02 * still.sum()


def test_unsteady_restoring_flickers_and_steady_smoothing_does_not(tmp_path):
    path = clip(tmp_path, moving())

    def smooth(shown: np.ndarray, level: float) -> np.ndarray:
        return gaussian_filter(shown, (0, 1, 1))

    def unsteady(shown: np.ndarray, level: float) -> np.ndarray:
        return smooth(shown, level) + 0.05 * (np.arange(len(shown)) % 2)[:, None, None]

    calm, restless = (cine.measure(restore, [path], 8)["flicker"] for restore in (smooth, unsteady))
    assert calm["before"] == restless["before"] != {}
    assert 1 < calm["before"]["clip"] < 255 * 0.025
    assert calm["after"]["clip"] < 0.6 * calm["before"]["clip"]
    assert restless["after"]["clip"] > 255 * 0.04


def test_frames_that_are_shown_twice_count_once(tmp_path):
    shown = moving(6, noise=0.1)
    path = clip(tmp_path, np.repeat(shown, 2, axis=0))
    assert len(cine.read(path, 100)) == 6
    assert len(cine.read(path, 4)) == 4
    with pytest.raises(RecipeError, match=r"clip\.mp4 has 2 different frames"):
        cine.read(clip(tmp_path, np.repeat(shown[:2], 4, axis=0)), 8)


def test_the_real_clips_calm_down_under_a_median(data_folder):
    found = cine.measure(methods.for_frames("median").restore, cine.clips()[6:9:2], 4)["flicker"]
    assert len(found["after"]) == 2
    assert all(found["after"][name] <= before for name, before in found["before"].items())
