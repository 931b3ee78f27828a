"""Claims about the networks for speckle, with random weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.networks.dncnn import PaperDnCNN, SpeckleDnCNN
from MedRestoreLib.networks.dran import DRAN, DynamicConvolution
from MedRestoreLib.networks.unet_att import Gate, PaperUNetAtt, UNet, UNetAtt
from Testing.benchmarks.lesions import pattern
from Testing.support.small_networks import made, speckled

PAPER_FORMS = {
    "PaperUNetAtt": partial(PaperUNetAtt, width=8),
    "UNet": partial(UNet, width=8, guard=None),
    "SpeckleDnCNN": partial(SpeckleDnCNN, layers=4, width=8, guard=None),
}
REACH = 117  # of UNetAtt with three transitions; the catalogue's rows carry it
SHARP = {"blurred": True, "fine": 8}  # the form without a pattern, which sees three pixels more


def restored(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(images)


@settings(max_examples=20)
@given(st.floats(0.1, 3.0), st.floats(-10, 10), st.integers(0, 100))
def test_recommended_images_stay_within_the_display_range(level, wild, seed):
    network = made(lambda: UNetAtt(width=8), seed)
    torch.nn.init.constant_(network.body.last.bias, wild)
    images = restored(network, speckled(32, 32, level, seed))
    assert images.isfinite().all()
    assert 0 <= images.min() <= images.max() <= 1


@pytest.mark.parametrize("grey", [0.0, 0.01, 0.3, 1.0])
def test_training_starts_from_a_smooth_image_and_n_near_nothing(grey):
    torch.manual_seed(0)
    network = UNetAtt(width=8)
    even = torch.full((1, 1, 40, 24), grey)
    torch.testing.assert_close(restored(network, even), even)
    noisy = speckled(64, 64)
    assert restored(network, noisy)[..., 4:12, 4:12].std() < 0.5 * noisy[..., 4:12, 4:12].std()


def test_the_division_is_guarded():
    network = made(lambda: UNetAtt(width=8))
    torch.nn.init.zeros_(network.body.last.weight)
    with torch.no_grad():
        network.body.last.bias[:4] = -20.0  # log(1 + n): a network that is wrong about everything
    torch.testing.assert_close(restored(network, torch.full((1, 1, 16, 16), 0.04)), torch.full((1, 1, 16, 16), 0.4))


@pytest.mark.parametrize("name", PAPER_FORMS)
def test_the_papers_forms_divide_by_one_plus_n_whatever_it_is(name):
    network, images = made(PAPER_FORMS[name]), speckled(48, 40)
    with torch.inference_mode():
        torch.testing.assert_close(network(images) * (1 + network.noise(images)), images)
        torch.nn.init.zeros_(network.body.last.weight)
        torch.nn.init.constant_(network.body.last.bias, -0.999)
        torch.testing.assert_close(network(images), 1000 * images, rtol=1e-3, atol=0)


@pytest.mark.parametrize("build", [UNet, SpeckleDnCNN, partial(PaperUNetAtt, guard=0.1)])
def test_baselines_and_the_guarded_form_never_divide_by_less_than_a_tenth(build):
    network, images = made(partial(build, width=8)), speckled(48, 40)
    with torch.inference_mode():
        torch.nn.init.zeros_(network.body.last.weight)
        torch.nn.init.constant_(network.body.last.bias, -0.999)
        torch.testing.assert_close(network(images), 10 * images, rtol=1e-3, atol=0)


def test_n_is_what_the_recommended_form_took_away():
    network, images = made(lambda: UNetAtt(width=8)), speckled(48, 40).clamp_min(0.1)
    with torch.inference_mode():
        torch.testing.assert_close(network(images) * (1 + network.noise(images)), images)
        assert network.noise(torch.zeros(1, 1, 16, 16)).eq(-1).all()  # no signal: finite, and not to be trusted


def test_the_papers_decoder_sees_gated_features_alone_and_the_recommended_one_more():
    def spread(network):
        for gate in network.body.gates:
            for weight in gate.up.parameters():
                torch.nn.init.zeros_(weight)
        inputs = 1 if isinstance(network, PaperUNetAtt) else 8
        return restored(network.body, torch.rand(1, inputs, 64, 64))[..., 16:48, 16:48].std((2, 3)).max()

    assert spread(made(lambda: PaperUNetAtt(width=8))) < 1e-6
    assert spread(made(lambda: UNetAtt(width=8))) > 1e-4


@settings(max_examples=30)
@given(st.floats(0.1, 4), st.floats(0.1, 4), st.booleans())
def test_a_gate_strengthens_what_both_paths_hold(down, up, agree):
    gate = Gate(1, norm=False)
    for projection in (gate.down[0], gate.up[0]):
        torch.nn.init.ones_(projection.weight)
        torch.nn.init.zeros_(projection.bias)
    product = down * up if agree else -down * up
    with torch.inference_mode():
        gated = gate(torch.full((1, 1, 1, 1), product / up), torch.full((1, 1, 1, 1), up)).item()
    share = gated / up - 1
    assert share == pytest.approx(1 / (1 + np.exp(-product)), abs=1e-5)
    assert (share > 0.5) == agree


def test_without_gates_the_network_is_smaller_and_every_weight_of_both_learns():
    sizes = []
    for gates in (True, False):
        network = made(lambda gates=gates: UNetAtt(width=8, gates=gates)).train()
        (network(speckled(32, 32, batch=2)) - 0.5).square().mean().backward()
        assert not [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        sizes.append(sum(p.numel() for p in network.parameters()))
    assert sizes[1] < sizes[0]


def test_the_form_without_a_pattern_prints_nothing_of_period_two():
    """Whatever the weights: neither on an even image, nor on speckle, where the spectrum has no peak at its end."""
    even, noise = (
        torch.full((1, 1, 64, 64), 0.5),
        torch.randn(16, 1, 64, 64, generator=torch.Generator().manual_seed(0)),
    )
    white = 0.5 * (1 + 0.2 * noise)
    across = (-1.0) ** torch.arange(32)
    swings, peaks = {}, {}
    for name, form in {"plain": {}, "sharp": SHARP}.items():
        network = made(lambda form=form: UNetAtt(width=8, **form))
        image = restored(network, even)[0, 0, 16:48, 16:48]
        swings[name] = max(
            abs(float((image * signs).mean())) for signs in (across, across[:, None], across * across[:, None])
        )
        peaks[name] = pattern(restored(network, white)[:, 0].numpy())
    assert swings["sharp"] < 1e-5 < 1e-3 < swings["plain"]
    assert peaks["sharp"] < 1.5 < 10 < peaks["plain"]


def test_the_correction_at_full_resolution_starts_as_nothing_and_learns():
    torch.manual_seed(0)
    network = UNetAtt(width=8, **SHARP).train()
    (network(speckled(32, 32)) - 0.5).square().mean().backward()
    assert network.fine.last.weight.grad.any()
    assert not network.fine.last.weight.any()


@pytest.mark.parametrize(("form", "reach"), [({}, REACH), (SHARP, REACH + 3)], ids=["plain", "sharp"])
def test_nothing_farther_away_than_its_reach_is_seen(form, reach):
    network = made(lambda: UNetAtt(width=8, **form))
    farthest = 0
    for place in range(160, 176):  # every place on the grid of 16 pixels; what is not a number spreads as far as it can
        images = speckled(336, 16)
        images[..., place, 8] = float("nan")
        lost = restored(network, images).isnan().any(3).flatten().nonzero()
        farthest = max(farthest, place - int(lost.min()), int(lost.max()) - place)
    assert farthest == reach


def test_half_precision_inside_gives_nearly_the_same_image():
    network, images = made(lambda: UNetAtt(width=8)), speckled(64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        half = restored(network, images)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, restored(network, images), rtol=0.05, atol=0.02)


def test_a_few_steps_teach_more_than_smoothing():
    torch.manual_seed(0)
    network = UNetAtt(width=8, transitions=2)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    test, truth = speckled(64, 64, seed=999), speckled(64, 64, level=0, seed=999)
    before = (restored(network, test) - truth).square().mean()
    for step in range(60):
        clean, noisy = (speckled(64, 64, level, seed=step, batch=4) for level in (0.0, 0.3))
        optimiser.zero_grad()
        (network(noisy) - clean).square().mean().backward()
        optimiser.step()
    after = (restored(network, test) - truth).square().mean()
    assert after < 0.7 * before < 0.7 * (test - truth).square().mean()


def test_dran_takes_away_no_more_than_the_hyperbolic_tangent_allows():
    network, images = made(DRAN), speckled(24, 24)
    torch.nn.init.constant_(network.last.bias, 50.0)
    torch.testing.assert_close(restored(network, images), images - 0.5)


def test_dran_has_three_distinct_blocks_or_one_passed_three_times():
    for shared in (False, True):
        network = made(lambda shared=shared: DRAN(width=8, shared_blocks=shared))
        passed: list[torch.nn.Module] = []
        for block in network.blocks:
            block.register_forward_hook(lambda block, *_, to=passed: to.append(block))
        restored(network, speckled(16, 16))
        assert passed == list(network.blocks) * (3 if shared else 1)


def test_a_dynamic_convolution_is_a_mixture_of_its_kernels():
    torch.manual_seed(0)
    layer, images = DynamicConvolution(8), torch.rand(2, 8, 12, 12)
    torch.nn.init.normal_(layer.choose[2].bias, std=50.0)
    with torch.inference_mode():
        shares = torch.softmax(layer.choose(images.mean((2, 3))) / 34, 1)
        kernels = layer.kernels.reshape(4, 8, 8, 3, 3)
        single = [torch.nn.functional.conv2d(images, kernel, padding=1) for kernel in kernels]
        expected = sum(shares[:, k].view(-1, 1, 1, 1) * single[k] for k in range(4))
        torch.testing.assert_close(layer(images), expected, rtol=1e-3, atol=1e-5)


def test_a_chain_that_predicts_differences_needs_no_level():
    network, images = made(lambda: PaperDnCNN(layers=4, width=8)), speckled(24, 24)
    with torch.inference_mode():
        assert torch.equal(network(images), network(images, torch.tensor([0.3])))
