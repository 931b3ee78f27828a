"""A method bound to a study, run window by window: parts agree with the whole, and memory that runs out is survived."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch

import MedRestoreLib as mr
from MedRestoreLib.pipeline import device as devices
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.reports import build_report, sample
from MedRestoreLib.pipeline.restore import run_plan
from MedRestoreLib.pipeline.tiles import run_tiled

CPU = torch.device("cpu")


def noisy(frames: int = 1, slices: int = 1, side: int = 96) -> mr.Image:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2
    disc = np.where(np.hypot(y, x) < side / 3, 100.0, 20.0)
    return mr.Image.from_array(disc + rng.normal(0, 8, (frames, slices, side, side)))


def bound(image: mr.Image, **edits) -> tuple[Denoising, mr.Plan]:
    plan = mr.recommend(image, **{"method": "adf", "noise": "gaussian", "level": 8.0, **edits})
    return Denoising.of(image, plan, CPU), plan


def quietly(fraction: float) -> None:
    """Nobody wants to know."""


def test_a_denoising_never_changes_and_gives_the_same_again():
    image = noisy()
    denoising, _ = bound(image)
    with pytest.raises(FrozenInstanceError):
        denoising.scale = 1.0
    first, second = (denoising(image.voxels[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_part_is_restored_with_the_level_and_the_scale_of_the_whole_study():
    image = noisy()
    denoising, _ = bound(image, options={"iterations": 4})
    whole = denoising(image.voxels[0])
    part = denoising(image.voxels[0, :, 30:70, 20:60])
    assert denoising.reach == 5
    np.testing.assert_allclose(part[:, 5:-5, 5:-5], whole[:, 35:65, 25:55], atol=1e-4)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_memory_layout_of_a_study_does_not_matter(dimensions):
    image = noisy(frames=2, slices=6, side=32)
    denoising, plan = bound(image, dimensions=dimensions)
    other = np.asfortranarray(image.voxels)
    expected = run_plan(denoising, image.voxels, plan).voxels
    np.testing.assert_array_equal(run_plan(denoising, other, plan).voxels, expected)


def test_where_memory_runs_out_windows_are_halved_until_they_fit():
    image = noisy()
    denoising, _ = bound(image, options={"iterations": 4})
    expected = run_tiled(denoising, image.voxels, None, quietly)
    seen = []

    def small_device(images, sigma, **options):
        if images.numel() > 3000:
            raise MemoryError
        seen.append(images.numel())
        return denoising.implementation(images, sigma, **options)

    run = run_tiled(replace(denoising, implementation=small_device), image.voxels, None, quietly)
    np.testing.assert_allclose(run.voxels, expected.voxels, atol=1e-3)
    assert max(seen) <= 3000
    assert run.limit < expected.limit
    assert expected.notes == ()
    assert run.notes
    assert all("half the size" in note for note in run.notes)


def test_when_nothing_fits_into_a_device_the_cpu_takes_over(monkeypatch):
    """torch's device without memory stands in for one whose memory is full."""
    monkeypatch.setitem(devices.DEFAULT_MEMORY_GB, "meta", 1.0)
    image = noisy()
    denoising, _ = bound(image)
    expected = run_tiled(denoising, image.voxels, 0.001, quietly).voxels

    def full_device(images, sigma, **options):
        if images.device.type != "cpu":
            raise torch.OutOfMemoryError
        return denoising.implementation(images, sigma, **options)

    elsewhere = replace(denoising, implementation=full_device, device=torch.device("meta"))
    run = run_tiled(elsewhere, image.voxels, 0.001, quietly)
    np.testing.assert_array_equal(run.voxels, expected)
    assert run.denoising.device == CPU
    assert "went on on the CPU" in run.notes[-1]
    assert elsewhere.device.type == "meta"


def test_when_nothing_fits_into_the_cpu_it_is_said_with_what_to_do():
    image = noisy()
    denoising, _ = bound(image)

    def full(images, sigma, **options):
        raise MemoryError

    with pytest.raises(mr.OutOfMemory, match="lighter method") as caught:
        run_tiled(replace(denoising, implementation=full), image.voxels, None, quietly)
    assert caught.value.field == "memory_gb"


def test_a_fault_of_the_method_is_not_taken_for_a_lack_of_memory():
    image = noisy()
    denoising, _ = bound(image)

    def faulty(images, sigma, **options):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        run_tiled(replace(denoising, implementation=faulty), image.voxels, None, quietly)


def test_values_that_are_not_numbers_never_come_back_as_plausible_ones():
    image = noisy()
    denoising, _ = bound(image)
    broken = replace(denoising, implementation=lambda images, sigma, **options: images * torch.nan)
    with pytest.raises(mr.MedRestoreError, match="not numbers"):
        run_tiled(broken, image.voxels, None, quietly)


def test_a_report_can_be_built_twice():
    image = noisy()
    denoising, plan = bound(image)
    run = run_plan(denoising, image.voxels, plan)
    first, second = (build_report(image, plan, run, 1.0) for _ in range(2))
    assert first.notes == second.notes
    assert first.to_dict() == second.to_dict()


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_sample_for_the_gain_is_a_small_part_and_shows_dark_and_bright(dimensions):
    voxels = np.zeros((2, 60, 160, 160), np.float32) + np.linspace(10, 100, 160, dtype=np.float32)
    pieces = np.concatenate([voxels[box] for box in sample(voxels, dimensions)])
    assert pieces.size < 0.05 * voxels.size
    assert pieces.min() < 40
    assert pieces.max() > 80
    assert (pieces.shape[1] == 1) == (dimensions == 2)
    assert sample(voxels[:1, :1, :120, :120], dimensions) == [], "a small study is judged as a whole"


def test_the_evidence_is_the_same_whatever_memory_is_allowed():
    image = noisy()
    reports = [mr.restore(image, method="adf", memory_gb=memory).report for memory in (None, 0.001)]
    first, second = (report.to_dict() for report in reports)
    for part in ("gain", "audit", "totals", "verdict"):
        assert first[part] == second[part]
