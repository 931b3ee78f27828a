"""A CT volume by the automatic plan: simulated scans of a body of water with an insert of bone and a faint lesion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import MedRestoreLib as mr
from training.simulate.transmission import scanned

SIDE, SLICES, PHOTONS, VIEWS = 72, 16, 4e4, 91
MIDDLE = (SIDE - 1) / 2


@pytest.fixture(scope="module")
def scans() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The object, its reconstruction without noise, and one with: HU."""
    y, x = np.indices((SIDE, SIDE)) - MIDDLE
    plane = np.where(np.hypot(y, x) < 30, 0, -1000).astype(np.float32)
    plane[np.hypot(y - 16, x) < 5] = 500
    hounsfield = plane[None].repeat(SLICES, axis=0)
    hounsfield[distance() < 8] -= 15
    return hounsfield, *(scanned(hounsfield, PHOTONS, seed, views=VIEWS) for seed in (None, 1))


def distance() -> np.ndarray:
    """From the middle of the lesion, mm."""
    z, y, x = np.indices((SLICES, SIDE, SIDE))
    return 2 * np.sqrt((z - SLICES // 2) ** 2 + (y - MIDDLE + 10) ** 2 + (x - MIDDLE) ** 2)


def contrast(volume: np.ndarray) -> float:
    far = distance()
    return float(volume[far < 6].mean() - volume[(far > 10) & (far < 18)].mean())


def test_water_is_water_and_the_noise_is_stronger_in_the_middle(scans):
    hounsfield, clean, noisy = scans
    y, x = np.indices((SIDE, SIDE)) - MIDDLE
    water = (hounsfield == 0) & (np.hypot(y - 16, x) > 9) & (np.hypot(y, x) < 26)
    assert clean[water].mean() == pytest.approx(0, abs=5)
    assert clean[:, np.hypot(y - 16, x) < 3].mean() == pytest.approx(500, rel=0.02)
    assert contrast(clean) == pytest.approx(-15, rel=0.2)
    noise, radius = noisy - clean, np.broadcast_to(np.hypot(y, x), noisy.shape)
    assert noise[radius < 8].std() > 1.15 * noise[(radius > 24) & (radius < 29)].std()
    neighbours = (noise[..., 1:] * noise[..., :-1])[water[..., 1:]].mean() / noise[water].var()
    assert neighbours > 0.2, "the kernel colours it"


def test_slices_that_get_fewer_photons_have_more_noise(scans):
    hounsfield, clean, _ = scans
    noise = scanned(hounsfield, np.linspace(PHOTONS, PHOTONS / 4, SLICES), 1, views=VIEWS) - clean
    first, last = (noise[part][hounsfield[part] == 0].std() for part in (np.s_[:4], np.s_[-4:]))
    assert last / first == pytest.approx((0.9 / 0.35) ** 0.5, rel=0.15)


@pytest.mark.parametrize("modality", ["CT", "OT"])
def test_a_faint_lesion_is_kept_in_three_dimensions_with_less_error_than_slice_by_slice(scans, modality):
    hounsfield, clean, noisy = scans
    image = mr.Image.from_array(noisy, modality=modality, spacing=(2.0, 2.0, 2.0))
    plan = mr.recommend(image)
    assert (plan.method, plan.dimensions) == ("prinlm3d" if modality == "CT" else "bm4d", 3)
    noise = (noisy - clean)[hounsfield == 0].std()
    assert 0.6 * noise < plan.level < 1.2 * noise
    after = mr.restore(image, plan).image.voxels[0]
    sliced = mr.restore(image, replace(plan, method="bm3d", dimensions=2)).image.voxels[0]
    before, whole, flat = (np.square(v - clean)[hounsfield > -500].mean() for v in (noisy, after, sliced))
    assert whole < before / 2
    assert whole < flat
    assert contrast(after) == pytest.approx(contrast(noisy), rel=0.15), "what noise does to it is not restoration's"
    assert contrast(sliced) > 0.9 * contrast(after), "slice by slice it fades"
