"""Windows cover every voxel once, stay within the limit and are read as far as the reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib.errors import OutOfMemory
from MedRestoreLib.methods import catalogue
from MedRestoreLib.pipeline import device as devices
from MedRestoreLib.pipeline import tiles
from MedRestoreLib.pipeline.tiles import windows


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 70), st.integers(1, 70)),
    reach=st.integers(1, 12),
    align=st.integers(1, 6),
    limit=st.integers(200, 4000),
)
def test_cores_cover_every_voxel_exactly_once_with_their_reach_and_within_the_limit(shape, reach, align, limit):
    try:
        cut = windows(shape, (0, reach, reach), align, limit)
    except OutOfMemory:
        assume(False)
    covered = np.zeros(shape, int)
    for window in cut:
        covered[window.core] += 1
        seen = np.zeros(shape, bool)
        seen[window.read] = True
        assert seen.sum() <= limit
        for axis, (core, read) in enumerate(zip(window.core, window.read, strict=True)):
            around = 0 if axis == 0 else reach
            assert core.start % align == 0 or axis == 0
            assert read.start % align == 0 or axis == 0
            assert read.start <= max(0, core.start - around)
            assert read.stop >= min(shape[axis], core.stop + around)
        assert np.array_equal(np.ones(shape)[window.read][window.inner].shape, covered[window.core].shape)
    assert (covered == 1).all()


def test_what_does_not_fit_is_said_before_any_work():
    with pytest.raises(OutOfMemory, match="raise the limit") as caught:
        windows((1, 512, 512), (0, 64, 64), 3, 1000)
    assert caught.value.field == "memory_gb"


def test_a_study_that_fits_is_not_cut():
    (window,) = windows((3, 40, 50), (0, 8, 8), 3, 10_000)
    assert window.core == (slice(0, 3), slice(0, 40), slice(0, 50)) == window.read


LEVELS = {"gaussian": 5.0, "poisson": 1.0, "speckle": 0.2}
CASES = [(row, dimensions) for row in catalogue.METHODS for dimensions in row.dimensions]


def noisy(row: catalogue.Method, dimensions: int) -> mr.Image:
    shape = (2, 12, 40, 50) if dimensions == 3 else (2, 1, 140, 150)
    z, y, x = np.indices(shape[1:], dtype=np.float32)
    clean = 60 + 40 * (np.hypot(y - 40, x - 60) < 30) + 10 * np.sin(x / 5) + z
    image = mr.Image.from_array(np.stack([clean] * shape[0]), axes="fzyx", modality=row.modalities[0])
    return mr.add_noise(image, row.noises[0], LEVELS[row.noises[0]], seed=1)


@pytest.mark.parametrize(("row", "dimensions"), CASES, ids=lambda value: getattr(value, "id", value))
def test_the_same_plan_gives_the_same_bytes_whatever_memory_is_allowed(row, dimensions, monkeypatch):
    """In a study of one tile and of two; a limit that a tile does not fit is an error, never another result."""
    image, expected = noisy(row, dimensions), {}
    plan = mr.recommend(image, method=row.id, noise=row.noises[0], level=LEVELS[row.noises[0]], dimensions=dimensions)

    @settings(max_examples=6, deadline=None)
    @given(memory_gb=st.floats(1e-4, 1.0), usual=st.sampled_from([0.6, 0.6 if row.stencil else small(row, image)]))
    def same(memory_gb: float, usual: float) -> None:
        monkeypatch.setitem(devices.DEFAULT_MEMORY_GB, "cpu", usual)
        if usual not in expected:
            expected[usual] = mr.restore(image, plan).image.voxels
        try:
            restored = mr.restore(image, plan, memory_gb=memory_gb).image.voxels
        except OutOfMemory:
            return
        np.testing.assert_array_equal(restored, expected[usual])

    same()


def small(row: catalogue.Method, image: mr.Image) -> float:
    """Gigabytes of which a method cuts a study of two frames in two."""
    return (row.least_bytes + 0.7 * image.voxels.size * row.bytes_per_voxel) / 1e9


def test_a_limit_that_a_tile_does_not_fit_is_said_with_what_it_needs():
    row = catalogue.find("bm4d")
    image = noisy(row, 3)
    with pytest.raises(OutOfMemory, match=r"bm4d needs 0.23 GB .* 0.1 are allowed; raise the limit") as caught:
        mr.restore(image, method="bm4d", noise="gaussian", level=5.0, memory_gb=0.1)
    assert caught.value.field == "memory_gb"
    assert tiles.MOST_VOXELS * row.bytes_per_voxel + row.least_bytes < 1e9  # what the largest study needs
