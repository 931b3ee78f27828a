"""Claims about block matching: every block is covered, and the most similar ones are found, as by trying all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from MedRestoreLib.methods.groups import Grid, match
from MedRestoreLib.methods.matching import (
    INDICES,
    Lattice,
    distances,
    most_similar,
    positions,
    valid_references,
    windows,
)

LATTICES = {
    "plane": Lattice(side=3, stride=2, radius=2, batch=(2, 3)),
    "volume": Lattice(side=2, stride=1, radius=1, batch=(1, 2, 2)),
}
every_lattice = pytest.mark.parametrize("lattice", LATTICES.values(), ids=LATTICES)


@given(
    side=st.integers(1, 8),
    stride=st.integers(1, 4),
    radius=st.integers(0, 5),
    batch=st.integers(1, 5),
    count=st.integers(0, 5),
    more=st.integers(0, 40),
)
def test_references_stand_at_the_multiples_of_the_stride_and_at_the_end(side, stride, radius, batch, count, more):
    lattice = Lattice(side, stride, radius, (batch,))
    margin, length = lattice.margins[0], side + more
    found = []
    for run in lattice.runs(length, 0, count):
        assert run.start >= 0
        assert run.stop == run.start + stride * (len(run.valid) - 1) + lattice.window
        assert run.valid.all() if count else len(run.valid) == batch
        references = run.start + radius - margin + stride * torch.arange(len(run.valid))
        found += references[run.valid].tolist()
    assert len(found) == len(set(found))
    assert set(found) == {*range(0, more + 1, stride), more}


def test_a_batch_never_searches_beyond_its_margin():
    lattice = LATTICES["plane"]
    for length in range(3, 40):
        for axis, margin in enumerate(lattice.margins):
            runs = lattice.runs(length, axis)
            assert min(run.start for run in runs) >= 0
            assert max(run.stop for run in runs) <= length - lattice.side + 1 + 2 * margin


@every_lattice
def test_distances_are_those_of_every_reference_to_its_window(lattice):
    dimensions = len(lattice.batch)
    blocks = torch.rand(2, *lattice.region, 5, generator=torch.Generator().manual_seed(0))
    energies = blocks.square().sum(-1)
    found = distances(blocks, energies, lattice)
    own = energies[:, *lattice.references]
    found = found + own[(..., *[None] * dimensions)]
    for index in np.ndindex(2, *lattice.batch):
        corner = [lattice.stride * k for k in index[1:]]
        window = blocks[index[0], *(slice(c, c + lattice.window) for c in corner)]
        reference = blocks[index[0], *(c + lattice.radius for c in corner)]
        torch.testing.assert_close(found[index], (window - reference).square().sum(-1))


@every_lattice
def test_windows_are_views_of_regions(lattice):
    values = torch.rand(2, *lattice.batch, *lattice.region)
    found = windows(values, lattice)
    assert found.data_ptr() == values.data_ptr()
    for index in np.ndindex(2, *lattice.batch):
        corner = [lattice.stride * k for k in index[1:]]
        assert torch.equal(found[index], values[index][tuple(slice(c, c + lattice.window) for c in corner)])


@pytest.mark.parametrize("candidates", [39**2, 11**3, 25, 7])
def test_the_most_similar_blocks_are_those_of_a_sort(candidates):
    generator = torch.Generator().manual_seed(0)
    levels = torch.randint(0, 50, (40, candidates), generator=generator, dtype=torch.int32)  # many are equally far
    keys = levels * INDICES + torch.arange(candidates, dtype=torch.int32)
    counts = torch.rand(40, generator=generator) < 0.7
    starts, offsets = 1000 * torch.arange(40), 3 * torch.arange(candidates)
    most = min(16, candidates - 1)
    found, similar = most_similar(keys.clone(), counts, starts, offsets, most, 20 * INDICES)
    middle = candidates // 2
    for row, places, near in zip(counts.nonzero()[:, 0].tolist(), found, similar, strict=True):
        others = sorted((int(key), k) for k, key in enumerate(keys[row].tolist()) if k != middle)[: most - 1]
        assert (places - starts[row]).tolist() == [3 * middle, *(3 * k for _, k in others)]
        assert near == 1 + sum(key < 20 * INDICES for key, _ in others)


def test_references_count_where_they_count_along_every_axis():
    lattice = LATTICES["plane"]
    row, column = lattice.runs(9, 0)[-1], lattice.runs(11, 1)[0]
    assert torch.equal(valid_references([row, column]), row.valid[:, None] & column.valid)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_positions_are_those_in_the_flattened_array(sides):
    shape = [side + 2 for side in sides]
    array = torch.arange(int(np.prod(shape))).view(shape)
    axes = [torch.arange(1, side + 1) for side in sides]
    assert torch.equal(positions(axes, shape), array[tuple(slice(1, side + 1) for side in sides)])


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sides", [(9, 9), (17, 26), (40, 33)])
def test_groups_hold_the_patches_nearest_to_each_reference(sides, channels):
    grid = Grid(side=3, stride=2, radius=3, group=6, margin=4)
    rng = torch.Generator().manual_seed(0)
    images = grid.mirrored(torch.rand(2, channels, *sides, generator=rng))
    found = match(images, grid)
    patches = images.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 1, 4, 5).flatten(3).double()
    assert found.shape == (2, *(grid.along(side) for side in images.shape[2:]), grid.group)
    for n, row, column in np.ndindex(found.shape[:3]):
        y, x = (grid.margin + grid.stride * k for k in (row, column))
        far = (patches[n] - patches[n, y, x]).square().sum(-1)
        nearest = far[y - 3 : y + 4, x - 3 : x + 4].flatten().sort().values[: grid.group]
        members = found[n, row, column]
        assert len(set(members.tolist())) == grid.group  # whichever of two that are equally far, as mirrored ones are
        torch.testing.assert_close(far.flatten()[members].sort().values, nearest)
        assert (members // far.shape[1] - y).abs().max() <= grid.radius >= (members % far.shape[1] - x).abs().max()
