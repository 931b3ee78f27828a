"""The preview of a slice: what restoring the whole study gives there, for the price of a slice."""

from __future__ import annotations

from pkgutil import resolve_name

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.service.preview import glance, preview

ROWS, COLUMNS = 72, 64


def volume(modality: str = "MR", frames: int = 1, slices: int = 9, seed: int = 0) -> mr.Image:
    """Blocks of four greys that differ from slice to slice: no slice tells the maximum or the noise of all."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices((slices, ROWS, COLUMNS))
    clean = 40.0 * (1 + (y // 18 + x // 16) % 4) * (1 + z / slices)
    voxels = np.stack([clean + rng.normal(0, 6, clean.shape) for _ in range(frames)])
    return mr.Image.from_array(np.abs(voxels), modality=modality, spacing=(1.0, 1.0, 1.2))


def counts(slices: int = 1) -> mr.Image:
    return mr.Image.from_array(np.random.default_rng(1).poisson(volume("NM", slices=slices).voxels / 10), modality="NM")


def agree(image: mr.Image, frame: int, numbers: list[int], tolerance: float, **plan) -> None:
    """The preview of these slices is within ``tolerance`` of the range of what restoring everything gives.

    Methods that pick similar patches may pick another of two that are equally similar in the last bit: there isolated
    voxels may differ, as they do between tilings.
    """
    picky = plan["method"] in ("bm3d", "bm4d", "wnnm", "nllr")
    whole = mr.restore(image, **plan).image.voxels[frame]
    for number in numbers:
        before, after = image.voxels[frame, number], whole[number]
        part = preview(image, None, frame, number, **plan).voxels
        assert part.shape == (1, 1, *after.shape)
        assert np.abs(after - before).max() > 0.01 * np.ptp(image.voxels), "nothing was done"
        difference = np.abs(part[0, 0] - after) / np.ptp(image.voxels)
        assert np.quantile(difference, 0.98 if picky else 1.0) <= tolerance
        assert difference.max() <= (3e-3 if picky else tolerance)


@pytest.mark.parametrize(
    "plan",
    [
        {"method": "adf", "noise": "gaussian", "level": 6.0},
        {"method": "adf", "noise": "rician", "level": 2.0},
        {"method": "bm3d", "noise": "rician", "level": 2.0, "strength": 0.5},
        {"method": "wnnm", "noise": "gaussian", "level": 6.0},
    ],
    ids=lambda plan: f"{plan['method']}-{plan['noise']}",
)
def test_in_two_dimensions_it_is_the_very_slice(plan):
    agree(volume(frames=2), 1, [3], 1e-5, **plan)


@pytest.mark.parametrize("method", ["srad", "nllr", "adf"])
def test_speckle_refers_to_the_tissue_of_the_whole_study(method):
    agree(volume("US", slices=4), 0, [2], 1e-5, method=method, noise="speckle", level=0.2)


def test_a_planar_scan_keeps_its_total():
    image = counts()
    agree(image, 0, [0], 1e-5, method="adf", noise="poisson", level=1.0)
    seen = preview(image, None, 0, 0, method="bm3d").voxels
    assert seen.sum(dtype=np.float64) == pytest.approx(image.voxels.sum(dtype=np.float64), rel=1e-4)


def test_slices_of_counts_differ_by_their_share_of_the_total_alone():
    image = counts(slices=9)
    whole = mr.restore(image, method="adf", level=1.0).image.voxels[0, 3]
    part = preview(image, None, 0, 3, method="adf", level=1.0).voxels[0, 0]
    ratio = part / np.maximum(whole, 1e-3)
    assert np.ptp(ratio[whole > 1]) < 1e-4
    assert ratio.mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("method", ["adf", "odct3d", "prinlm3d", "bm4d"])
def test_in_three_dimensions_it_is_nearly_so(method):
    column = mr.Image(volume(slices=60).voxels[..., :24, :24], modality="MR")  # longer than any method's reach
    agree(column, 0, [0, 1, 31, 59], 1e-4, method=method, noise="gaussian", level=6.0, dimensions=3)


@pytest.mark.parametrize("method", ["odct3d", "prinlm3d", "bm4d"])
def test_a_glance_in_three_dimensions_is_nearly_the_preview(method):
    study = mr.Image(volume(slices=40).voxels[..., :40, :40], modality="MR")
    plan = {"method": method, "noise": "gaussian", "level": 6.0, "dimensions": 3}
    for number in (0, 1, 20, 38, 39):
        before = study.voxels[0, number]
        seen, exact = (of(study, None, 0, number, **plan).voxels[0, 0] for of in (glance, preview))
        removed = np.sqrt(np.mean((exact - before) ** 2))
        assert np.sqrt(np.mean((seen - exact) ** 2)) < 0.35 * removed, number


def test_the_slowest_method_is_first_looked_at_by_another():
    study = mr.Image(volume(slices=12).voxels[..., :40, :40], modality="MR")
    plan = {"noise": "gaussian", "level": 6.0, "dimensions": 3}
    looks = [glance(study, None, 0, 5, method=method, **plan).voxels for method in ("bm4d", "odct3d")]
    assert np.array_equal(*looks)


def test_a_glance_sees_few_slices_and_in_two_dimensions_it_is_the_preview(monkeypatch):
    study, asked = volume(slices=40), []
    work = "MedRestoreLib.service.preview.run_plan"
    run_plan = resolve_name(work.replace(".run_plan", ":run_plan"))

    def noted(denoising, voxels, *rest):
        asked.append(voxels.shape[1])
        return run_plan(denoising, voxels, *rest)

    monkeypatch.setattr(work, noted)
    for of in (glance, preview):
        of(study, None, 0, 20, method="odct3d", noise="gaussian", level=6.0)
    assert asked[0] == 5 < asked[1]
    plan = {"method": "adf", "noise": "gaussian", "level": 6.0, "dimensions": 2}
    assert np.array_equal(glance(study, None, 0, 7, **plan).voxels, preview(study, None, 0, 7, **plan).voxels)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_mask_fades_as_in_the_whole(dimensions):
    image = volume(slices=28)
    mask = np.zeros(image.voxels.shape[1:], bool)
    mask[10:20, 10:60, 12:50] = True
    for number in (9, 10, 11, 15):
        whole = mr.restore(image, method="adf", noise="gaussian", level=6.0, mask=mask, dimensions=dimensions)
        part = preview(
            image, None, 0, number, method="adf", noise="gaussian", level=6.0, mask=mask, dimensions=dimensions
        )
        np.testing.assert_allclose(part.voxels[0, 0], whole.image.voxels[0, number], atol=1e-3)
        if number == 9:
            np.testing.assert_array_equal(part.voxels[0, 0], image.voxels[0, 9])


def test_colour_stays():
    rng = np.random.default_rng(2)
    stored = rng.integers(40, 200, (3, ROWS, COLUMNS, 3), dtype=np.uint8)
    image = mr.Image.from_array(stored, axes="fyxc", modality="US")
    plan = mr.recommend(image, method="srad", level=0.2)
    whole = mr.restore(image, plan).image.stored()
    np.testing.assert_array_equal(preview(image, plan, 2, 0).stored(), whole[2:3])


def test_an_edit_of_the_plan_is_an_edit():
    image = volume()
    plan = mr.recommend(image, method="adf", noise="gaussian", level=6.0)
    np.testing.assert_array_equal(preview(image, plan, 0, 3, strength=0.0).voxels[0, 0], image.voxels[0, 3])


@pytest.mark.parametrize(("frame", "number"), [(1, 0), (0, 9), (0, -1)])
def test_a_slice_that_does_not_exist_is_an_error(frame, number):
    with pytest.raises(IndexError, match="no slice"):
        preview(volume(), None, frame, number, method="adf", level=2.0)


def test_progress_may_end_it():
    def stop(fraction, message):
        raise mr.Cancelled("enough")

    with pytest.raises(mr.Cancelled):
        preview(volume(), None, 0, 3, method="adf", level=2.0, progress=stop)
