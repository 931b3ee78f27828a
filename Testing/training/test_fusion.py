"""Networks that make one frame of several, none of which ships; and what neighbouring frames are worth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, shift

from MedRestoreLib.files.studies import read
from MedRestoreLib.metrics.fidelity import psnr
from MedRestoreLib.networks import resizing
from Testing.support.phantoms import camera
from Testing.support.small_networks import made
from training.evaluation import clips, fusion
from training.networks.fusion import Fusion, Neighbours


@pytest.mark.parametrize("count", [1, 2, 6, 12])
def test_fusion_takes_any_number_of_frames_and_heeds_no_order(count):
    frames = torch.rand(1, count, 16, 20, generator=torch.Generator().manual_seed(0))
    network = made(Fusion)
    with torch.inference_mode():
        fused, turned = network(frames), network(frames.flip(1))
    assert fused.shape == (1, 1, 16, 20)
    assert torch.equal(fused, turned)


def test_the_frozen_layer_of_fusion_has_576_weights():
    assert Fusion().features.weight.numel() == 576


def test_untrained_neighbours_change_nothing():
    frames = torch.rand(1, 6, 16, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(Neighbours().eval()(frames), frames[:, :1])


def test_untrained_neighbours_give_the_frame_enlarged_alone():
    """At the end of a clip, too, beyond which the frame stands for those that are missing."""
    small = np.stack([camera(40, 48)[4:28, step : step + 30] for step in range(8)])
    trained = SimpleNamespace(
        network=Neighbours().eval(), recipe=SimpleNamespace(data=SimpleNamespace(arguments={"student": "student_x2"}))
    )
    alone = clips.enlarger("student_x2+apart", 2)
    for place in (0, 4, 7):
        found = clips.refined(trained, 2)(small, place)
        np.testing.assert_allclose(found, alone(small, place), atol=2 / 255)


def test_more_frames_are_no_gain_where_each_shows_the_same():
    """The mean of equal frames is the frame; of a frame that shows something else nothing is taken."""
    frames = np.repeat(camera(48, 60)[None], 12, axis=0)
    for count, (_, weighed), image in fusion.fused(frames):
        np.testing.assert_allclose(image, frames[0], atol=0.02, err_msg=f"{count} {weighed}")
    frames[1:] = 1 - frames[1:]
    found = {(count, form): image for count, form, image in fusion.fused(frames)}
    error = {form: np.abs(found[6, form] - frames[0]).mean() for form in fusion.FORMS}
    assert error["as they are", "those alike"] < 0.5 * error["as they are", "all"]


def test_registered_frames_gain_where_each_shows_what_the_others_miss(data_folder):
    """Every second pixel of a photograph that moves by pixels: aliased, unlike frames that were reduced by bicubic."""
    photograph = read(data_folder / "natural" / "budgie_roman_colosseum_0.png").voxels[0, 0, 100:300, 100:300] / 255
    scene = gaussian_filter(photograph, 0.8)
    moves = [(0, 0), (1, 0), (0, 1), (1, 1), (3, 0), (0, 3)]
    small = np.stack([np.roll(scene, move, (0, 1))[::2, ::2] for move in moves])
    enlarged = resizing.enlarged(torch.from_numpy(small)[:, None], 2)[:, 0].numpy()
    truth = shift(photograph, 0.5, mode="nearest")  # a pixel that was kept stands for the middle of four
    inner = (slice(20, -20),) * 2
    found = {
        (count, form[0]): psnr(image[inner], truth[inner], data_range=1)
        for count, form, image in fusion.fused(enlarged)
        if count <= len(moves)
    }
    assert found[6, "registered"] > found[1, "registered"] + 0.3
    assert found[6, "as they are"] < found[1, "as they are"]
