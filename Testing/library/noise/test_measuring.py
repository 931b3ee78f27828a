"""Noise as scanners make it is measured: its total, its spectrum and its map. ``Testing.benchmarks.mr_noise`` does so
for every weighting, kind and level; these are a few of them."""

from __future__ import annotations

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.noise import NoiseMap, Spectrum, model
from MedRestoreLib.noise.measuring import measure
from Testing.benchmarks import mr_noise
from Testing.support.phantoms import simulated_brain
from training.simulate.magnetic import FILTERS, KINDS, acquire, fermi, zero_filled

RICIAN = model("rician")


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return simulated_brain(24, 160, 144)


def test_the_benchmark_counts_what_is_sure_and_right(head):
    rows = [mr_noise.measured("T1w", head, kind, 5.0) for kind in ("white", "fermi")]
    assert all(row.sure and row.right for row in rows)
    wrong = rows[0]._replace(ratio=1.2)
    assert "2 of 3 sure cases are right (66.7%), of 4 in all" in mr_noise.summary(
        [*rows, wrong, wrong._replace(confidence=0.5)]
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "uneven"])
def test_the_total_is_found_whatever_scanners_do_to_the_noise(head, kind):
    acquired = acquire(head, kind, 4.0, seed=1)
    found = measure(acquired.noisy[None])
    assert found.confidence > 0.5
    assert found.sigma == pytest.approx(acquired.sigma, rel=0.1)
    assert (found.spectrum is None) == (kind not in FILTERS)
    assert found.noise_map is None


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_air_tells_the_total_of_weak_filtered_noise_where_flat_blocks_may_hold_anatomy(head, level):
    acquired = acquire(head, "fermi", level, seed=1)
    estimate = RICIAN.estimate(acquired.noisy[None])
    assert not estimate.sure
    assert RICIAN.bind(acquired.noisy[None], estimate.level).sigma == pytest.approx(acquired.sigma, rel=0.06)
    assert estimate.spectrum is not None
    masked = np.where(acquired.inside, acquired.noisy, 0)[None]
    careful = RICIAN.bind(masked, RICIAN.estimate(masked).level).sigma
    assert careful < 0.8 * acquired.sigma, "without air the lower value is taken"


@pytest.mark.parametrize(("kind", "coloured"), [("white", False), ("stripped", False), ("zero_filled_1.2", True)])
def test_the_noise_of_a_small_slice_is_not_called_coloured_for_the_chance_of_few_blocks(head, kind, coloured):
    found = [measure(acquire(head[12:13, :112, :112], kind, 4.0, seed=seed).noisy[None]) for seed in range(8)]
    assert all(one.blocks < 120 for one in found)
    assert [one.spectrum is not None for one in found] == [coloured] * 8


def test_the_spectrum_of_blocks_is_that_of_the_filter():
    white = np.random.default_rng(0).standard_normal((32, 96, 96)).astype(np.float32)
    coloured = np.fft.ifftn(np.fft.fftn(white) * zero_filled(1.5)(white.shape)).real
    clean = np.full(white.shape, 100.0)
    found = measure((clean + coloured / coloured.std())[None].astype(np.float32)).spectrum
    density = found.density / found.density.max()
    inside, outside = density[:, :5, :5].mean(), density[:, 6:].mean()
    assert outside < 0.01 * inside
    covariance = found.covariance(4, 4, 4)
    measured = [float((coloured[..., : 96 - lag] * coloured[..., lag:]).mean() / coloured.var()) for lag in range(4)]
    np.testing.assert_allclose(covariance[0, :4], measured, atol=0.06)


def test_coloured_noise_is_whitened_and_white_noise_coloured():
    white = np.random.default_rng(0).standard_normal((24, 64, 64)).astype(np.float32)
    filtered = np.fft.ifftn(np.fft.fftn(white) * (0.4 + 0.6 * fermi(white.shape))).real
    spectrum = measure((100 + filtered / filtered.std())[None].astype(np.float32)).spectrum
    coloured = spectrum.coloured(white)
    assert coloured.std() == pytest.approx(1, abs=0.03)
    assert neighbours(coloured) > 0.15
    assert abs(neighbours(spectrum.whitened(coloured))) < 0.08


def neighbours(noise: np.ndarray) -> float:
    return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.var())


def test_the_map_follows_the_noise():
    field = np.linspace(1, 3, 128, dtype=np.float32)
    noisy = 200 + field * np.random.default_rng(0).standard_normal((1, 24, 128, 128), np.float32)
    found = measure(noisy)
    assert found.sigma == pytest.approx(np.sqrt(np.square(field).mean()), rel=0.05)
    on = found.noise_map.on(noisy.shape[1:])
    np.testing.assert_allclose((on * found.sigma).mean(axis=(0, 1)), field, rtol=0.15)
    assert "uneven" in found.words


def anatomy(data_folder) -> np.ndarray:
    """Slices of a real head, averaged over cubes of eight voxels."""
    from Testing.benchmarks.mr_quality import study

    return study("child, T1w")[:44]


def test_the_map_is_found_beneath_real_anatomy(data_folder):
    acquired = acquire(anatomy(data_folder), "uneven", 5.0, seed=3)
    found = measure(acquired.noisy[None])
    assert found.sigma == pytest.approx(acquired.sigma, rel=0.12)
    beside = np.log(found.noise_map.on(acquired.noisy.shape) / acquired.spread)[acquired.inside]
    assert beside.std() < 0.6 * np.log(acquired.spread)[acquired.inside].std()
    assert RICIAN.estimate(acquired.noisy[None]).noise_map is not None, "whether the level is sure or not"


def test_the_map_of_weak_noise_is_found_where_anatomy_hardly_reaches(data_folder):
    """At 1 % anatomy is many times stronger than noise at all but the highest frequencies of a block."""
    from Testing.benchmarks.mr_quality import study

    acquired = acquire(study("Colin 27, T1w"), "uneven", 1.0, seed=2)
    found = measure(acquired.noisy[None])
    beside = np.log(found.noise_map.on(acquired.noisy.shape) / acquired.spread)[acquired.inside]
    assert beside.std() < 0.5 * np.log(acquired.spread)[acquired.inside].std()


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_real_anatomy_is_not_taken_for_uneven_noise(level, data_folder):
    assert measure(acquire(anatomy(data_folder), "white", level, seed=3).noisy[None]).noise_map is None


def test_thick_slices_are_not_taken_for_uneven_noise_either(data_folder):
    """Their anatomy reaches up to the highest frequencies, and is there as uneven as below them."""
    from Testing.benchmarks.mr_quality import study

    clean = study("multiple sclerosis, T2w, patient 4")
    assert measure(acquire(clean, "coils", 1.0, seed=2).noisy[None]).noise_map is None


def test_frames_that_repeat_one_object_tell_the_noise_of_anatomy_that_is_nowhere_flat():
    rng = np.random.default_rng(0)
    rough = 100 + 20 * rng.standard_normal((1, 16, 64, 64))
    frames = (rough + 3 * rng.standard_normal((4, 16, 64, 64))).astype(np.float32)
    found = measure(frames)
    assert found.repeats
    assert found.sigma == pytest.approx(3, rel=0.05)
    assert found.spectrum is None


def test_anatomy_without_noise_is_never_sure(data_folder):
    import MedRestoreLib as mr

    for name in ("mni152_t1.nii.gz", "colin27/ch2bet_1mm.nii.gz", "fnndsc_eun/t1w_brain_8bit.nii.gz"):
        estimate = RICIAN.estimate(mr.read(data_folder / "mri" / name).voxels)
        assert not estimate.sure, name


def test_a_single_volume_of_a_series_is_not_sure_where_the_repeats_show_a_tenth(data_folder):
    """Echo-planar voxels of 3 mm: no block of the brain is flat."""
    import MedRestoreLib as mr

    frames = mr.read(data_folder / "mri/epi_repeats_studyforrest/epi_24_repeats_half_scale.nii.gz").voxels
    mean = frames.mean(axis=0)
    inside = mean > 0.3 * np.percentile(mean, 99)
    own = np.median(frames.std(axis=0, ddof=1)[inside])
    alone = [RICIAN.estimate(frame[None]) for frame in frames[::4]]
    assert not any(estimate.sure for estimate in alone)
    levels = [estimate.level * frame.max() / 100 / own for estimate, frame in zip(alone, frames[::4], strict=True)]
    assert 0.7 < np.median(levels) < 1.5, "careful: what anatomy adds to the flattest squares is three times the noise"
    assert measure(frames).sigma == pytest.approx(own, rel=0.1)


def test_spectrum_and_map_go_through_json():
    rng = np.random.default_rng(0)
    spectrum, noise_map = Spectrum(rng.uniform(0, 2, (1, 8, 8))), NoiseMap(rng.uniform(1, 2, (3, 5, 4)))
    np.testing.assert_allclose(Spectrum.from_list(spectrum.to_list()).density, spectrum.density, rtol=1e-3)
    np.testing.assert_allclose(NoiseMap.from_list(noise_map.to_list()).values, noise_map.values, rtol=1e-3)


@pytest.mark.parametrize("kind", ["white", "zero_filled_1.2", "zero_filled_1.5"])
def test_what_anatomy_adds_to_weak_noise_is_taken_out(kind, data_folder):
    """At 1 % in FLAIR the flattest blocks still hold a tenth of anatomy."""
    clean = mr_noise.weighted("FLAIR")[mr_noise.SLICES]
    acquired = acquire(clean, kind, 1.0, seed=1)
    found = measure(acquired.noisy[None])
    assert found.growth > 1.04, "there is anatomy in them"
    assert found.sigma == pytest.approx(acquired.sigma, rel=0.1)


@pytest.mark.parametrize("level", [3.0, 9.0])
def test_few_uneven_slices_whose_air_is_calm_are_not_sure(level, data_folder):
    """There is no map of five slices, and air at the border has three quarters of the noise."""
    few = mr_noise.weighted("T2w")[mr_noise.FEW]
    assert not RICIAN.estimate(acquire(few, "uneven", level, seed=1).noisy[None]).sure
    assert RICIAN.estimate(acquire(few, "white", level, seed=1).noisy[None]).sure


def test_weak_filtered_noise_of_few_slices_is_not_sure(data_folder):
    """Squares of anatomy hold as much at low frequencies as such noise has: the level found is a fifth too high."""
    few = mr_noise.weighted("PDw")[mr_noise.FEW]
    assert not RICIAN.estimate(acquire(few, "zero_filled_2", 1.0, seed=1).noisy[None]).sure
    assert RICIAN.estimate(acquire(few, "zero_filled_2", 5.0, seed=1).noisy[None]).sure


def test_air_helps_few_squares_to_tell_the_total_of_filtered_noise(data_folder):
    few = anatomy(data_folder)[18:23]
    ratios = {True: [], False: []}
    for seed in range(6):
        acquired = acquire(few, "zero_filled_2", 5.0, seed=seed)
        noisy = acquired.noisy[None]
        ratios[True].append(RICIAN.bind(noisy, RICIAN.estimate(noisy).level).sigma / acquired.sigma)
        ratios[False].append(measure(noisy).sigma / acquired.sigma)
    error = {air: np.sqrt(np.square(np.subtract(found, 1)).mean()) for air, found in ratios.items()}
    assert error[True] < error[False]


def test_fine_texture_of_a_photograph_is_not_surely_noise(data_folder):
    ratios = []
    for number, path in enumerate(sorted((data_folder / "natural").glob("*.png"))):
        clean = mr.read(path).voxels[:1, :1, :256, :256]
        noisy = clean + 10 * np.random.default_rng(number).standard_normal(clean.shape).astype(np.float32)
        found = model("gaussian").estimate(noisy)
        if found.sure:
            ratios.append(found.level / 10)
    assert len(ratios) > 20
    assert np.percentile(ratios, 95) < 1.15
    assert max(ratios) < 1.25
