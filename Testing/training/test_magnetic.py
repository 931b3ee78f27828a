"""MR volumes: a subject lies in one split; blocks are what their words say."""

from __future__ import annotations

import numpy as np
import pytest

from training.data import SPLITS
from training.data.magnetic import KINDS, SHAPES, Volumes
from training.simulate.blocks import drifting, planted, recontrasted

SHARES = dict.fromkeys((*KINDS, SHAPES), 1.0)


@pytest.fixture(scope="module")
def volumes(data_folder, tmp_path_factory):
    made = Volumes(tmp_path_factory.mktemp("volumes"), shares=SHARES, patch=64, depth=5)
    made.prepare()
    return made


def test_all_studies_of_a_subject_lie_in_one_split(volumes):
    subjects = {split: {volumes.name(id).partition(":")[0] for id in volumes.patients(split)} for split in SPLITS}
    assert not subjects["train"] & subjects["validation"]
    assert not subjects["train"] & subjects["test"]
    assert not subjects["validation"] & subjects["test"]
    assert {"patient04", "studyforrest", "spine", "mni152"} <= subjects["test"]
    assert sum(name.startswith("patient04") for name in map(volumes.name, volumes.patients("test"))) == 3


def test_blocks_are_neighbouring_slices_in_the_unit_range_the_same_for_one_seed(volumes):
    for seed in range(30):
        found = volumes.sample(np.random.default_rng(seed))
        assert found["stack"].shape == (5, 64, 64)
        assert found["stack"].dtype == np.float32
        assert 0 <= found["stack"].min() <= found["stack"].max() <= 1
        assert np.array_equal(found["clean"], found["stack"][2])
    assert np.array_equal(volumes.sample(np.random.default_rng(29))["stack"], found["stack"])


def test_only_the_contrasts_asked_for_are_read(data_folder, tmp_path):
    found = Volumes(tmp_path, shares={"clinical_heads": 1}, contrasts=("T1W",))
    assert all("T1W" in found.name(id) for split in SPLITS for id in found.patients(split))
    assert len(found.patients("train")) == 3


def test_a_plane_drifts_and_its_middle_slice_is_the_plane_itself():
    plane = np.random.default_rng(0).random((32, 32), dtype=np.float32)
    slices = drifting(np.random.default_rng(1), plane, 7)
    assert np.array_equal(slices[3], plane)
    assert not np.array_equal(slices[2], plane)


def test_lesions_change_a_few_voxels_and_another_contrast_keeps_regions():
    flat = np.full((8, 64, 64), 0.5, np.float32)
    changed = planted(np.random.default_rng(2), flat) != flat
    assert 0 < changed.mean() < 0.5
    other = recontrasted(np.random.default_rng(3), np.where(np.arange(64) < 32, flat, 0.2).astype(np.float32))
    assert len(np.unique(other)) == 2
