"""Windows cover every voxel once, stay within the limit and are read as far as the reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from MedRestoreLib.errors import OutOfMemory
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
