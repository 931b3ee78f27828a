"""Bone scans simulated from voxel phantoms: the same for a seed, lawful, and hard to tell from the real one."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, label

from MedRestoreLib.errors import UnsupportedImage
from training.simulate import bone_realism as realism
from training.simulate.anatomy import INDEX
from training.simulate.bone_phantoms import SHAPES, View, views
from training.simulate.projection import Detector, camera, project
from training.simulate.voxel_phantoms import FILES, load

KINDS = tuple(SHAPES)
PATIENTS = 24


@pytest.fixture(scope="module")
def phantoms(data_folder) -> Path:
    return data_folder / "nuclear" / "phantoms"


@pytest.fixture(scope="module")
def heads(phantoms):
    """Both heads about one of the phantoms, by its name."""
    return functools.cache(lambda name: camera(load(phantoms / FILES[name])))


@pytest.fixture(scope="module")
def real(data_folder) -> np.ndarray:
    return realism.real_scan(data_folder)


@pytest.fixture(scope="module")
def scans(data_folder, real) -> list[np.ndarray]:
    """Simulated front views at the real scan's total counts."""
    return [realism.simulated_scan(seed, data_folder, real.sum()) for seed in range(PATIENTS)]


@pytest.fixture(scope="module")
def trunks(phantoms) -> list[View]:
    """Chest-to-pelvis views of sixty patients."""
    return [views(seed, phantoms, kind="chest_pelvis") for seed in range(60)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_a_patient_whatever_was_drawn_before(phantoms, kind):
    first = views(5, phantoms, kind=kind)
    other, again = views(6, phantoms, kind=kind), views(5, phantoms, kind=kind)
    assert np.array_equal(first.clean, again.clean)
    assert np.array_equal(first.lesions, again.lesions)
    assert not np.allclose(first.clean, other.clean, atol=0.05)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(KINDS))
def test_every_seed_gives_a_lawful_view(phantoms, seed, kind):
    view = views(seed, phantoms, kind=kind)
    assert view.clean.dtype == np.float32
    assert view.clean.shape == view.lesions.shape == (1 if kind == "spect" else 2, *SHAPES[kind])
    assert view.clean.max() == 1
    assert view.clean.min() >= 0
    assert 0 < view.bone_peak <= 1
    assert (view.count == 0) == (not view.lesions.any())


def test_absent_phantoms_are_named(tmp_path):
    with pytest.raises(UnsupportedImage, match="icrp110_male"):
        views(0, tmp_path)


def test_the_real_scans_histogram_lies_among_the_simulated_ones(real, scans):
    _lies_among(realism.histogram(real), [realism.histogram(scan) for scan in scans])


def test_the_real_scans_power_spectrum_lies_among_the_simulated_ones(real, scans):
    _lies_among(realism.spectrum(real), [realism.spectrum(scan) for scan in scans])


def _lies_among(real: np.ndarray, simulated: list[np.ndarray]) -> None:
    """No number of the real scan is the least or the greatest, and on the whole they are not far out."""
    rank = (np.array(simulated) < real).mean(axis=0)
    assert ((rank > 0) & (rank < 1)).all(), rank
    assert np.abs(rank - 0.5).mean() < 0.4, rank


def test_the_real_scans_counts_are_as_independent_as_the_simulated_ones(real, scans):
    """Detail of two pixels holds hardly any anatomy: its variance is the mean, as Poisson's is."""
    assert realism.dispersion(real) == pytest.approx(1, abs=0.03)
    assert np.median([realism.dispersion(scan) for scan in scans]) == pytest.approx(1, abs=0.03)


def test_lesions_are_brighter_than_what_surrounds_them(trunks):
    brighter = []
    for view in trunks[:30]:
        for clean, mask in zip(view.clean, view.lesions, strict=True):
            spots, count = label(mask)
            for spot in range(1, count + 1):
                inside = spots == spot
                around = binary_dilation(inside, iterations=6) & ~binary_dilation(mask, iterations=2)
                brighter.append(clean[inside].mean() > clean[around].mean())
    assert len(brighter) > 60
    assert np.mean(brighter) > 0.9


def test_lesions_come_in_every_size_and_number(trunks):
    counts = [view.count for view in trunks]
    assert 0.03 < np.mean([count == 0 for count in counts]) < 0.4
    assert max(counts) > 8
    areas = [area for view in trunks for mask in view.lesions for area in np.bincount(label(mask)[0].ravel())[1:]]
    widths = 2 * np.sqrt(np.array(areas) / np.pi) * trunks[0].spacing
    assert np.quantile(widths, 0.1) < 14, "mm: little more than the camera resolves"
    assert np.quantile(widths, 0.95) > 30


def test_the_bladder_is_empty_in_some_and_outshines_all_bone_in_others(trunks):
    peaks = np.array([view.bone_peak for view in trunks])
    assert (peaks < 0.7).mean() > 0.05
    assert (peaks > 0.95).mean() > 0.3


@pytest.mark.parametrize("name", FILES)
def test_each_head_sees_best_what_lies_near_it(heads, name):
    view = heads(name)
    front, back = view.reach
    of = {bone: view.phantom.bone == INDEX[bone] for bone in ("sternum", "thoracic", "sacrum")}
    assert front[of["sternum"]].mean() > 2 * back[of["sternum"]].mean()
    assert back[of["thoracic"]].mean() > 1.5 * front[of["thoracic"]].mean()
    assert back[of["sacrum"]].mean() > 1.5 * front[of["sacrum"]].mean()
    assert view.reach.max() <= 1


@pytest.mark.parametrize("name", FILES)
def test_a_point_is_seen_7_to_12_mm_wide_wider_from_afar_and_whole(heads, name):
    view = heads(name)
    step_z, _, step_x = view.phantom.spacing
    pixel = 1.0
    at = np.arange(200, dtype=np.float32) * pixel + 300
    across, down = np.meshgrid(at / np.float32(step_x), at / np.float32(step_z))
    detector = Detector(across, down, pixel)
    widths, totals = [], []
    for depth in (0, 60, 120, 180, 240):
        point = np.array([[400, view.skin[0] + depth, 400]], np.float32)
        seen = project(view, detector, point, np.ones((2, 1)), 0.0)[0]
        spread = np.sqrt((seen.sum(axis=0) * (at - 400) ** 2).sum() / seen.sum())
        widths.append(2.355 * spread)
        totals.append(seen.sum())
    assert np.all(np.diff(widths) > 0)
    assert 7 < widths[0] < 8
    assert 12 < widths[-1] < 12.7
    assert totals == pytest.approx([step_z * step_x / pixel**2] * len(totals), rel=0.01)


def test_slices_of_8_mm_leave_no_trace(heads):
    """Steps between slices would repeat every 8 mm along the arms, legs and spine of the man."""
    view = heads("male")
    pitch, pixel = view.phantom.spacing[0], 1.0
    at = np.arange(1400, dtype=np.float32) + 200
    across, down = np.meshgrid(np.arange(250, dtype=np.float32), at / np.float32(pitch))
    seen = project(view, Detector(across, down, pixel), view.phantom.position, view.reach * view.phantom.volume, 0.0)
    power = np.abs(np.fft.rfft(seen * np.hanning(len(at))[:, None], axis=1)) ** 2
    repeats = np.abs(np.fft.rfftfreq(len(at), pixel) - 1 / pitch) < 0.003
    assert np.sqrt(power[:, repeats].sum() / power.sum()) < 3e-5
