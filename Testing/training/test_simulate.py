"""The phantoms look like what they stand for, in numbers, and come out the same every time."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from training.simulate import bone, brain, ultrasound

bone_scan = functools.cache(bone.whole_body)


@pytest.fixture(scope="module")
def scan():
    return bone_scan(0)


@pytest.fixture(scope="module")
def head():
    return brain.t1_stack(seed=0, shape=(5, 217, 181), spacing=(1.0, 1.0, 4.0))


@pytest.mark.parametrize(
    "make",
    [
        bone.whole_body,
        lambda seed: brain.t1_stack(seed, (2, 48, 40), (4.0, 4.0, 4.0)),
        lambda seed: ultrasound.echogenicity(seed, (96, 80)),
    ],
)
def test_a_seed_is_a_patient(make):
    first, again, other = make(1).voxels, make(1).voxels, make(2).voxels
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_bone_scan_is_a_nuclear_study_of_counts(scan):
    assert (scan.modality, scan.unit) == ("NM", "counts")
    assert scan.voxels.shape == (2, 1, 1024, 256)
    assert scan.spacing[:2] == pytest.approx((2.26, 2.26))
    assert scan.voxels.min() >= 0
    assert scan.voxels.max() == pytest.approx(200, rel=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_bone_scan_has_the_counts_of_a_real_one(seed):
    """A real whole-body scan of this matrix: 3.6 million counts, 43 % of the pixels body, mean 30 in it, peak 220."""
    for view in bone_scan(seed).voxels[:, 0]:
        body = view > 3
        assert 1.8e6 < view.sum() < 5e6
        assert 0.35 < body.mean() < 0.5
        assert 15 < view[body].mean() < 40
        assert view[~body].mean() < 1


def test_counts_scale_with_the_peak(scan):
    assert np.allclose(bone.whole_body(0, peak_counts=20).voxels, scan.voxels / 10, rtol=1e-4, atol=1e-5)


def test_body_is_nearly_symmetric(scan):
    front = gaussian_filter(scan.voxels[0, 0], 6)
    middle = round(np.average(np.arange(256), weights=front.sum(0)))
    half = min(middle, 256 - middle)
    left, right = front[:, middle - half : middle][:, ::-1], front[:, middle : middle + half]
    assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.9
    assert left.sum() == pytest.approx(right.sum(), rel=0.1)


def test_spine_and_kidneys_are_brighter_from_behind_and_face_and_bladder_from_the_front(scan):
    front, back = scan.voxels[:, 0]
    back = back[:, ::-1]  # both with the patient's left on the right
    middle = round(np.average(np.arange(256), weights=front.sum(0)))

    def around(view: np.ndarray, y: float, x: float) -> float:
        row, column = round(bone.TOP + y / bone.PIXEL), round(middle + x / bone.PIXEL)
        return view[row - 4 : row + 5, column - 4 : column + 5].mean()

    for y, x in ((650, 0), (600, 66), (605, -66)):
        assert around(back, y, x) > 1.15 * around(front, y, x)
    for y, x in ((166, 0), (860, 0)):
        assert around(front, y, x) > 1.3 * around(back, y, x)


def test_lesions_are_hot_and_small():
    seed = 1
    scan, masks = bone_scan(seed).voxels, bone.lesion_masks(seed)
    assert masks.dtype == bool
    assert masks.shape[1:] == scan.shape
    assert 3 <= len(masks) <= 6
    for mask in masks:
        # at least one camera head sees it stand out from its surroundings
        contrast = [scan[f][mask[f]].mean() / scan[f][_ring(mask[f])].mean() for f in range(2)]
        assert max(contrast) > 1.1
        assert 4 < mask[0].sum() < 300


def _ring(mask: np.ndarray) -> np.ndarray:
    near = gaussian_filter(mask.astype(float), (0, 6, 6)) > 0.005
    return near & ~(gaussian_filter(mask.astype(float), (0, 2, 2)) > 0.02)


def test_head_is_an_mr_study_with_its_geometry(head):
    assert head.modality == "MR"
    assert head.voxels.shape == (1, 5, 217, 181)
    assert head.spacing == (1.0, 1.0, 4.0)
    assert head.origin == (-90.0, -108.0, -8.0)
    assert head.voxels.min() >= 0
    assert 700 < head.voxels.max() < 1300


def test_head_has_fluid_grey_and_white_matter(head):
    """The tissues that a Rician study needs: air, fluid, two kinds of brain, in plausible amounts."""
    values = head.voxels[0, 2]
    assert np.mean(values < 5) > 0.25
    brain_only = values[50:170, 45:135]
    fluid, grey, white = (np.mean((brain_only > a) & (brain_only < b)) for a, b in ((60, 250), (380, 580), (650, 1000)))
    assert fluid > 0.04
    assert 0.15 < grey < 0.55
    assert 0.25 < white < 0.7


def test_head_does_not_depend_on_the_grid():
    """A coarse grid holds the same brain as a fine one: the points they share have nearly the same values."""
    fine = brain.t1_stack(1, (5, 121, 121), (1.0, 1.0, 1.0)).voxels[0]
    coarse = brain.t1_stack(1, (3, 61, 61), (2.0, 2.0, 2.0)).voxels[0]
    shared = fine[::2, ::2, ::2]
    assert np.corrcoef(shared.ravel(), coarse.ravel())[0, 1] > 0.97
    assert np.abs(shared.mean() - coarse.mean()) < 10


@pytest.mark.parametrize("shape", [(128, 128), (200, 320)])
def test_echogenicity_is_an_amplitude(shape):
    image = ultrasound.echogenicity(1, shape)
    assert image.modality == "US"
    assert image.voxels.shape == (1, 1, *shape)
    assert image.voxels.min() > 0
    assert image.voxels.max() <= 1
    assert image.spacing[0] == image.spacing[1] == pytest.approx(40 / shape[0])


def test_cysts_are_dark_and_hyperechoic_lesions_bright():
    kinds = list(ultrasound.KINDS)
    seen = set()
    for seed in range(8):
        echo, label = ultrasound.echogenicity(seed, (256, 256)).voxels[0, 0], ultrasound.lesion_mask(seed, (256, 256))
        around = np.median(echo[label == 0])
        for number in np.unique(label[label > 0]):
            kind, inside = kinds[number - 1], np.median(echo[label == number])
            seen.add(kind)
            assert (inside > 1.2 * around) if kind == "hyperechoic" else (inside < 0.7 * around)
            assert kind != "cyst" or inside < 0.05
    assert seen == set(kinds)
