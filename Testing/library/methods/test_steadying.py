"""Claims about frames that share the detail that enlarging added to each."""

from __future__ import annotations

import pytest
import torch

from MedRestoreLib.methods.steadying import steadied
from MedRestoreLib.metrics.no_reference import flicker
from MedRestoreLib.networks import resizing
from Testing.support.phantoms import camera

FRAMES = 9


def noisy(scene: torch.Tensor, count: int = FRAMES) -> torch.Tensor:
    """A still scene ``(rows, columns)`` with noise of 2 grey values of its own in each frame."""
    noise = torch.randn(count, 1, *scene.shape, generator=torch.Generator().manual_seed(0))
    return (scene + 2 / 255 * noise).clamp(0, 1)


def sharpened(frames: torch.Tensor, factor: int) -> torch.Tensor:
    """Enlarged bicubically, then sharpened, noise and all."""
    large = resizing.enlarged(frames, factor)
    return (large + 2 * (large - torch.nn.functional.avg_pool2d(large, 5, 1, 2, count_include_pad=False))).clamp(0, 1)


def clip(enlarged: torch.Tensor, frames: torch.Tensor, factor: int) -> torch.Tensor:
    """The frames with a neighbour on either side, each steadied with them."""
    order = [[place, place - 1, place + 1] for place in range(1, len(frames) - 1)]
    return torch.cat([steadied(enlarged[three], frames[three], factor=factor) for three in order])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_still_scene_flickers_no_more_than_its_bicubic_enlargement(factor):
    frames = noisy(0.2 + 0.6 * torch.from_numpy(camera(48, 60)))
    enlarged, bicubic = sharpened(frames, factor), resizing.enlarged(frames, factor)
    least = flicker(bicubic[1:-1].numpy())
    assert flicker(enlarged[1:-1].numpy()) > 1.2 * least
    assert flicker(clip(enlarged, frames, factor).numpy()) <= least


def test_detail_that_all_frames_have_stays():
    frames = torch.from_numpy(camera(40, 48)).expand(3, 1, 40, 48)
    enlarged = sharpened(frames, 2)
    assert torch.allclose(steadied(enlarged, frames, factor=2), enlarged[:1], atol=1e-6)


def test_a_frame_alone_is_left_as_it_is():
    frames = noisy(torch.from_numpy(camera(40, 48)), 1)
    enlarged = sharpened(frames, 3)
    assert torch.equal(steadied(enlarged, frames, factor=3), enlarged)


def test_frames_that_show_something_else_have_no_share():
    scene = torch.from_numpy(camera(48, 60))
    frames = torch.stack([0.3 * scene, 0.6 + 0.3 * scene.flip(0), 0.6 + 0.3 * scene.flip(1)])[:, None]
    enlarged = sharpened(frames, 2)
    assert torch.allclose(steadied(enlarged, frames, factor=2), enlarged[:1], atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 2)])
def test_images_of_any_size(shape):
    frames = torch.full((3, 1, *shape), 0.5)
    assert torch.allclose(steadied(resizing.enlarged(frames, 2), frames, factor=2), torch.tensor(0.5))
