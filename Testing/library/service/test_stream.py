"""Frames that come one by one are enlarged as those of a whole cine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue, steadying


def cine(*more: int, count: int = 4) -> np.ndarray:
    frames = np.random.default_rng(0).integers(0, 256, (count, 14, 18, *more), np.uint8)
    frames[:, 0, 0], frames[:, 0, 1] = 0, 255  # the scale is that of the whole cine and of each frame
    return frames


@pytest.mark.parametrize("more", [(), (3,)])
@pytest.mark.parametrize("factor", [2, 3])
def test_a_stream_gives_what_the_whole_cine_gives(factor, more):
    frames = cine(*more)
    study = mr.Image.from_array(frames, axes="fyxc"[: frames.ndim], modality="US")
    whole = mr.restore(study, method="bicubic", factor=factor, level=0.2).image
    stream = mr.Stream("bicubic", factor)
    pushed = np.stack([stream.push(frame) for frame in frames])
    assert pushed.dtype == np.uint8
    assert pushed.shape == (4, 14 * factor, 18 * factor, *more)
    wanted = whole.stored()[:, 0].astype(np.float32)
    np.testing.assert_allclose(pushed.astype(np.float32), np.clip(wanted, 0, 255), atol=0.51)


@settings(max_examples=20, deadline=None)
@given(
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=5),
)
def test_frames_of_any_type_and_changing_size(dtype, sizes):
    stream = mr.Stream("bicubic", factor=2)
    for rows, columns in sizes:
        result = stream.push(np.full((rows, columns), 7, dtype))
        assert result.dtype == dtype
        assert result.shape == (2 * rows, 2 * columns)
        np.testing.assert_allclose(result, 7, atol=1e-4)


def test_a_frame_shares_detail_with_the_two_before_it_and_waits_for_none(monkeypatch):
    row = replace(catalogue.find("bicubic"), across="steadying:steadied")
    monkeypatch.setattr(catalogue, "METHODS", (row,))
    seen = []

    def noting(enlarged: torch.Tensor, frames: torch.Tensor, *, factor: int) -> torch.Tensor:
        seen.append([round(255 * float(frame.mean())) for frame in frames])
        assert enlarged.shape[2:] == (8, 10) or len(frames) == 1
        return enlarged[:1]

    monkeypatch.setattr(steadying, "steadied", noting)
    stream = mr.Stream("bicubic")
    results = [stream.push(np.full((4, 5), value, np.uint8)) for value in (1, 2, 3, 4)]
    stream.push(np.full((6, 5), 9, np.uint8))  # a new clip
    assert seen == [[1], [2, 1], [3, 2, 1], [4, 3, 2], [9]]
    assert [int(result[0, 0]) for result in results] == [1, 2, 3, 4]


@pytest.mark.parametrize(("method", "factor"), [("bm3d", 2), ("bicubic", 7), ("bicubic", 1), ("", 1), ("", 0)])
def test_what_cannot_enlarge_is_refused_at_once(method, factor):
    with pytest.raises(mr.InvalidPlan) as caught:
        mr.Stream(method, factor)
    assert caught.value.field == "factor"


def test_a_frame_with_values_that_are_no_numbers_is_refused():
    with pytest.raises(mr.UnsupportedImage, match="not numbers"):
        mr.Stream().push(np.full((3, 3), np.nan, np.float32))
