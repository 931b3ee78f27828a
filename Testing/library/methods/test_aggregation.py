"""Claims about groups, their aggregation and the transforms of their blocks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from MedRestoreLib.methods import transforms
from MedRestoreLib.methods.aggregation import aggregated, by_size, overlap_add
from MedRestoreLib.methods.groups import Grid, group_means, match, regroup


def test_groups_take_the_nearest_blocks_to_the_largest_power_of_two():
    positions = torch.arange(60).view(15, 4)
    similar = torch.tensor([1, 2, 3, 4, 4, 1, 2, 3, 4, 1, 1, 1, 1, 1, 2])
    found = list(by_size(positions, similar, at_once=8))
    assert all(group.numel() <= 8 for group in found)
    members = {tuple(column.tolist()) for group in found for column in group.T}
    size = {1: 1, 2: 2, 3: 2, 4: 4}
    assert members == {tuple(positions[row, : size[n]].tolist()) for row, n in enumerate(similar.tolist())}


def test_blocks_in_several_groups_are_added_up_with_their_weights():
    table, other = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), torch.tensor([[10.0], [20.0], [30.0]])
    groups = [(torch.tensor([[0], [1]]), 2.0), (torch.tensor([[1], [1]]), 3.0)]

    def change(members, beside, factor):
        assert torch.equal(beside[..., 0], 10 * (members[..., 0] + 1) / 2)
        return factor * members, torch.tensor([factor])

    total, weights = aggregated([table, other], groups, change)
    assert total.tolist() == [[2.0, 4.0], [24.0, 32.0], [0.0, 0.0]]
    assert weights.tolist() == [2.0, 8.0, 0.0]


@pytest.mark.parametrize("positions", [(5, 4), (2, 3, 4)])
@pytest.mark.parametrize("leading", [(), (2,)])
def test_overlapping_blocks_are_added_under_the_window(positions, leading):
    side, dimensions = 3, len(positions)
    blocks = np.random.default_rng(0).random((*leading, side**dimensions, int(np.prod(positions))), np.float32)
    window = [0.5, 1.0, 0.25]
    summed = overlap_add(torch.from_numpy(blocks), positions, window).numpy()
    expected = np.zeros((*leading, *(count + side - 1 for count in positions)))
    heights = np.array([np.prod([window[k] for k in corner]) for corner in product(range(side), repeat=dimensions)])
    for number, corner in enumerate(np.ndindex(positions)):
        block = (blocks[..., number] * heights).reshape(*leading, *[side] * dimensions)
        expected[(..., *(slice(c, c + side) for c in corner))] += block
    np.testing.assert_allclose(summed, expected, rtol=1e-5)


def test_unchanged_groups_give_the_image_back_and_means_are_those_of_their_patches():
    grid = Grid(side=4, stride=3, radius=5, group=7, margin=5)
    images = torch.rand(2, 1, 30, 41, generator=torch.Generator().manual_seed(0))
    mirrored = grid.mirrored(images)
    groups = match(mirrored, grid)
    weights = torch.rand(groups.shape[:3]) + 0.1
    result = regroup(mirrored, groups, grid, lambda patches, weight: (patches, weight), weights)
    torch.testing.assert_close(grid.inside(result, images), images)
    patches = mirrored.unfold(2, 4, 1).unfold(3, 4, 1).flatten(4).mean(4).flatten(2)[:, 0]
    expected = torch.stack([values[members].mean(2) for values, members in zip(patches, groups, strict=True)])
    torch.testing.assert_close(group_means(mirrored, groups, grid), expected)


@pytest.mark.parametrize("transform", [transforms.haar, transforms.dct])
@pytest.mark.parametrize(("size", "dimensions"), [(2, 1), (8, 1), (8, 2), (4, 3)])
def test_haar_and_cosine_transforms_are_orthonormal_and_the_mean_comes_first(transform, size, dimensions):
    matrix = transform(size, dimensions).double()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size**dimensions).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(matrix[0], torch.full_like(matrix[0], size ** (-dimensions / 2)))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_cosine_transform_is_scipys(dimensions):
    block = np.random.default_rng(0).random((4,) * dimensions)
    spectrum = transforms.dct(4, dimensions) @ torch.from_numpy(block).flatten()
    np.testing.assert_allclose(spectrum, dctn(block, norm="ortho").flatten(), atol=1e-12)


def test_bior15_keeps_the_variance_of_white_noise_and_is_the_haar_transform_on_four_samples():
    matrix = transforms.bior15(8, 2)
    torch.testing.assert_close(matrix.norm(dim=1), torch.ones(64, dtype=torch.float64))
    assert torch.linalg.matrix_rank(matrix) == 64
    torch.testing.assert_close(matrix[1:].sum(1), torch.zeros(63, dtype=torch.float64), atol=1e-12, rtol=0)
    difference = transforms.bior15(4) - transforms.haar(4)
    assert difference.abs().max() < 1e-6
