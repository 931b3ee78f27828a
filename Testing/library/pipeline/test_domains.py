"""Domains: what a method is given has the range and the noise that it is told, and comes back in the study's unit."""

from __future__ import annotations

import numpy as np
import pytest

from MedRestoreLib.noise import model
from MedRestoreLib.pipeline.domains import DOMAINS, LINEAR, RATE, STABILISED, unit_range

SIDE = 160


def clean(darkest: float, brightest: float) -> np.ndarray:
    """Left half dark, right half bright, ``(1, 1, rows, columns)``."""
    plane = np.full((SIDE, SIDE), darkest, np.float32)
    plane[:, SIDE // 2 :] = brightest
    return plane[None, None]


def given(domain, noise, noisy: np.ndarray) -> tuple[np.ndarray, float]:
    """What a method of the domain is given of a study, and the sigma that it is told."""
    offset, scale = domain.range(noise, noisy)
    return (domain.forward(noise, noisy) - offset) / scale, domain.sigma(noise, scale)


@pytest.mark.parametrize(
    ("id", "level", "greys"),
    [
        ("gaussian", 4.0, (20.0, 90.0)),
        ("poisson", 1.0, (30.0, 300.0)),
        ("poisson", 50.0, (0.6, 6.0)),
        ("rician", 4.0, (30.0, 100.0)),
        ("speckle", 0.1, (40.0, 100.0)),
    ],
)
def test_stabilised_noise_has_the_standard_deviation_that_the_method_is_told(id, level, greys):
    cls = model(id)
    noisy = cls.add(clean(*greys), level, np.random.default_rng(0))
    values, sigma = given(STABILISED, cls.bind(noisy, level), noisy)
    for half in (np.s_[..., : SIDE // 2 - 2], np.s_[..., SIDE // 2 + 2 :]):
        assert values[half].std() == pytest.approx(sigma, rel=0.06)
    assert values[..., : SIDE // 2].mean() == pytest.approx(0, abs=2.5 * sigma)
    assert values[..., SIDE // 2 :].mean() == pytest.approx(1, abs=2.5 * sigma)


@pytest.mark.parametrize("counts_per_unit", [0.5, 1.0, 80.0])
def test_counts_over_the_brightest_rate_have_the_noise_that_the_network_is_told(counts_per_unit):
    cls = model("poisson")
    noisy = cls.add(clean(20 / counts_per_unit, 150 / counts_per_unit), counts_per_unit, np.random.default_rng(1))
    values, sigma = given(RATE, cls.bind(noisy, counts_per_unit), noisy)
    bright = values[..., SIDE // 2 + 2 :]
    assert sigma == pytest.approx(1 / np.sqrt(150), rel=0.15)
    assert bright.mean() == pytest.approx(1, rel=0.3)
    assert bright.std() == pytest.approx(sigma * np.sqrt(bright.mean()), rel=0.06)


def test_a_study_of_hardly_any_counts_is_divided_by_one_count_at_least():
    noisy = model("poisson").add(clean(0.001, 0.01), 1.0, np.random.default_rng(2))
    assert RATE.range(model("poisson").bind(noisy, 1.0), noisy) == (0.0, 1.0)


def test_speckle_methods_are_given_the_study_over_its_maximum_and_the_grey_of_the_level():
    cls = model("speckle")
    noisy = cls.add(clean(60.0, 120.0), 0.2, np.random.default_rng(3))
    noise = cls.bind(noisy, 0.2)
    values, sigma = given(LINEAR, noise, noisy)
    assert values.max() == 1.0
    assert sigma == 0.2
    (reference,) = LINEAR.options(noise, noisy.max()).values()
    assert reference * noisy.max() == pytest.approx(noise.reference)


@pytest.mark.parametrize("name", DOMAINS)
def test_clean_values_come_back_as_they_were(name):
    domain, id = DOMAINS[name], {"linear": "speckle", "rate": "poisson"}.get(name, "gaussian")
    study = clean(30.0, 200.0)
    noise = model(id).bind(study, {"gaussian": 5.0, "poisson": 1.0, "speckle": 0.1}[id])
    np.testing.assert_allclose(domain.inverse(noise, domain.forward(noise, study)), study, rtol=1e-5)


def test_the_expected_rate_of_stabilised_counts_is_the_mean_of_the_counts():
    """What the expected gain relies on: stabilised noise to counts without bias, and means of counts back."""
    cls = model("poisson")
    noise, study = cls(1.0), np.full((1, 1, 400, 400), 7.0, np.float32)
    stable = noise.stabilise(cls.add(study, 1.0, np.random.default_rng(4)))
    assert RATE.from_stabilised(noise, stable).mean() == pytest.approx(7.0, rel=0.01)
    assert RATE.to_stabilised(noise, study).mean() == pytest.approx(stable.mean(), rel=0.005)


def test_the_range_is_that_of_the_clean_image_and_not_of_its_noise():
    rng = np.random.default_rng(5)
    plane = clean(0.0, 100.0)[0]
    low, scale = unit_range(plane + rng.normal(0, 10, plane.shape).astype(np.float32))
    assert low == pytest.approx(0, abs=15)
    assert low + scale == pytest.approx(100, abs=15)
    assert unit_range(np.full((1, 8, 8), 3.0, np.float32)) == (3.0, 1.0)
