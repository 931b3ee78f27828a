"""Echoes that stand alone get narrower and keep their height; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from MedRestoreLib.methods.lone_echoes import narrowed
from MedRestoreLib.methods.sharpening import blended
from MedRestoreLib.metrics.resolution import fwhm
from Testing.support.small_networks import speckled

SIDE, MIDDLE = 64, 32


def echoes(
    *points: tuple[int, int, float], spread: tuple[float, float] = (1.5, 1.5), ground: float = 0.0
) -> torch.Tensor:
    """Gaussians at rows and columns with a height and a standard deviation along both."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    scene = np.full((SIDE, SIDE), ground)
    for row, column, height in points:
        scene += height * np.exp(-(((rows - row) / spread[0]) ** 2 + ((columns - column) / spread[1]) ** 2) / 2)
    return torch.tensor(scene, dtype=torch.float32)[None, None]


def sharpened(calm: torch.Tensor, sharpen: float = 1.0) -> torch.Tensor:
    """With a network that sharpens nothing itself."""
    return blended(torch.cat((calm, calm), 1), sharpen)


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 3.0), st.floats(1.0, 3.0), st.floats(0.1, 1.0))
def test_a_lone_echo_gets_narrower_both_ways_and_keeps_its_height(down, across, height):
    before = echoes((MIDDLE, MIDDLE, height), spread=(down, across))
    after = sharpened(before)
    assert after.max() == pytest.approx(height, rel=0.04)
    assert (after <= 1.04 * before + 0.005).all()
    for old, new in ((before[0, 0, MIDDLE], after[0, 0, MIDDLE]), (before[0, 0, :, MIDDLE], after[0, 0, :, MIDDLE])):
        assert 0.4 < fwhm(new.numpy()) / fwhm(old.numpy()) < 0.85


def test_the_more_is_sharpened_the_narrower_it_is():
    before = echoes((MIDDLE, MIDDLE, 0.8), spread=(2, 2))
    widths = [fwhm(sharpened(before, share)[0, 0, MIDDLE].numpy()) for share in np.linspace(0, 1, 6)]
    assert widths[0] == pytest.approx(2.355 * 2, rel=0.02)
    assert np.all(np.diff(widths) < 0)


def test_what_is_as_narrow_as_pixels_stays():
    before = echoes((MIDDLE, MIDDLE, 0.8), spread=(0.5, 0.5))
    torch.testing.assert_close(sharpened(before), before, atol=0.01, rtol=0)


@pytest.mark.parametrize("distance", [4, 5, 7, 10])
def test_a_pair_does_not_merge(distance):
    before = echoes((MIDDLE, MIDDLE, 0.6), (MIDDLE, MIDDLE + distance, 0.6))
    line, old = (image[0, 0, MIDDLE, MIDDLE : MIDDLE + distance + 1] for image in (sharpened(before), before))
    assert line.min() / line.max() <= old.min() / old.max() + 1e-3


@pytest.mark.parametrize("distance", [6, 8, 12])
def test_a_weak_echo_stays_beside_a_strong_one(distance):
    at = 0, 0, MIDDLE, MIDDLE + distance
    before = echoes((MIDDLE, MIDDLE, 0.8), (MIDDLE, MIDDLE + distance, 0.2))
    assert sharpened(before)[at] == pytest.approx(before[at].item(), rel=0.05)


def test_a_disc_is_no_echo_and_does_not_become_a_ring():
    inside = np.hypot(*np.mgrid[-MIDDLE:MIDDLE, -MIDDLE:MIDDLE])
    for radius in (3, 4, 5, 8):
        disc = torch.tensor(gaussian_filter(0.8 * (inside < radius), 1.0), dtype=torch.float32)[None, None]
        line = sharpened(disc)[0, 0, MIDDLE, MIDDLE - radius + 1 : MIDDLE + radius]
        assert line[radius - 1] > 0.95 * line.max()


def test_edges_grounds_and_speckle_are_left_alone():
    step = (torch.arange(SIDE) >= MIDDLE).float().expand(1, 1, SIDE, SIDE)
    for calm in (step, torch.full((1, 1, SIDE, SIDE), 0.4), echoes((MIDDLE, MIDDLE, 0.3), ground=0.3)):
        torch.testing.assert_close(sharpened(calm), calm, atol=1e-5, rtol=0)
    tissue = speckled(SIDE, SIDE, 0.25).clamp(0, 1)
    assert (sharpened(tissue) - tissue).abs().mean() < 1e-3


def test_brightness_makes_no_difference():
    before = echoes((MIDDLE, MIDDLE - 4, 0.8), (MIDDLE + 3, MIDDLE + 8, 0.3))
    torch.testing.assert_close(sharpened(before / 4) * 4, sharpened(before), atol=2e-3, rtol=0)


def test_a_pixel_is_seen_no_farther_than_45_pixels_away():
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(160, 160, generator=generator) < 0.003
    calm = torch.tensor(gaussian_filter(places.numpy() * 40.0, 2.5), dtype=torch.float32).clamp(0, 1)[None, None]
    other = calm.clone()
    other[..., :, 110:] = torch.rand(160, 50, generator=generator)
    near, share = narrowed(calm)
    assert share.mean() > 0.5
    changed = (torch.lerp(calm, near, share) - torch.lerp(other, *narrowed(other))).abs()
    assert changed[..., : 110 - 45].max() < 1e-4
    assert changed[..., : 110 - 10].max() > 1e-3
