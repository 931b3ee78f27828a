"""Networks for speckle: what they promise with any weights, and as methods on the whole path. None is shipped here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import MedRestoreLib as mr
from MedRestoreLib import weights
from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.catalogue import CINE, ULTRASOUND, FirstChoice
from MedRestoreLib.networks.dncnn import PaperDnCNN, SpeckleDnCNN
from MedRestoreLib.networks.dran import DRAN, DynamicConvolution
from MedRestoreLib.networks.unet_att import Gate, PaperUNetAtt, UNet, UNetAtt
from MedRestoreLib.pipeline.plan import revise
from Testing.support.small_networks import blocks, made

NETWORKS = {
    "UNetAtt": lambda: UNetAtt(width=8),
    "UNetAtt, no gates": lambda: UNetAtt(width=8, gates=False),
    "UNetAtt, one transition": lambda: UNetAtt(width=8, transitions=1),
    "PaperUNetAtt": lambda: PaperUNetAtt(width=8),
    "UNet": lambda: UNet(width=8, guard=None),
    "SpeckleDnCNN": lambda: SpeckleDnCNN(layers=4, width=8, guard=None),
    "PaperDnCNN": lambda: PaperDnCNN(layers=4, width=8),
    "DRAN": lambda: DRAN(width=8),
}
LITERAL = [name for name in NETWORKS if name in ("PaperUNetAtt", "UNet", "SpeckleDnCNN")]
REACH = 117  # of UNetAtt with three transitions; the catalogue's rows carry it


def speckled(rows: int, columns: int, level: float = 0.3, seed: int = 0, batch: int = 1) -> torch.Tensor:
    """Blocks of random brightness in [0, 1] under the literal noise, ``(batch, 1, rows, columns)``."""
    generator = torch.Generator().manual_seed(seed)
    clean = blocks(rows, columns, batch, generator)
    return clean * (1 + level * torch.randn(clean.shape, generator=generator))


def restored(network: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network(images)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (UNetAtt, 7_358_552),
        (lambda: UNetAtt(width=24), 1_037_232),
        (PaperUNetAtt, 6_633_825),
        (UNet, 7_240_225),
        (DRAN, 2_453_101),
        (lambda: DRAN(shared_blocks=True), 818_469),
        (SpeckleDnCNN, 556_097),
    ],
)
def test_networks_have_as_many_parameters_as_they_say(build, parameters):
    assert sum(p.numel() for p in build().parameters()) == parameters


@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_any_size_come_back_in_their_size(name):
    network = made(NETWORKS[name])

    @settings(max_examples=8, deadline=None)
    @given(st.integers(16, 70), st.integers(16, 70))
    def check(rows, columns):
        images = restored(network, speckled(rows, columns, batch=2))
        assert images.shape == (2, 1, rows, columns)
        assert images.dtype == torch.float32
        assert images.isfinite().all()

    check()


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_is_restored_alike_alone_and_in_a_batch(name):
    network = made(NETWORKS[name]).to(memory_format=torch.channels_last)
    images = torch.cat([speckled(48, 32, 0.1, seed=1), speckled(48, 32, 0.7, seed=2)])
    together = restored(network, images)
    for i in range(2):
        torch.testing.assert_close(together[i : i + 1], restored(network, images[i : i + 1]), rtol=1e-3, atol=1e-5)


@settings(max_examples=20, deadline=None)
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


@pytest.mark.parametrize("name", LITERAL)
def test_literal_forms_divide_by_one_plus_n_whatever_it_is(name):
    network, images = made(NETWORKS[name]), speckled(48, 40)
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


def test_the_literal_decoder_sees_gated_features_alone_and_the_recommended_one_more():
    def spread(network):
        for gate in network.body.gates:
            for weight in gate.up.parameters():
                torch.nn.init.zeros_(weight)
        inputs = 1 if isinstance(network, PaperUNetAtt) else 8
        return restored(network.body, torch.rand(1, inputs, 64, 64))[..., 16:48, 16:48].std((2, 3)).max()

    assert spread(made(lambda: PaperUNetAtt(width=8))) < 1e-6
    assert spread(made(lambda: UNetAtt(width=8))) > 1e-4


@settings(max_examples=30, deadline=None)
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


def test_batch_normalisation_is_for_the_literal_forms_and_the_baselines():
    for name, build in NETWORKS.items():
        normalised = any(isinstance(m, torch.nn.BatchNorm2d) for m in build().modules())
        assert normalised == (not name.startswith("UNetAtt")), name


def test_nothing_farther_away_than_its_reach_is_seen():
    network = made(lambda: UNetAtt(width=8))
    farthest = 0
    for place in range(160, 176):  # every place on the grid of 16 pixels; what is not a number spreads as far as it can
        images = speckled(336, 16)
        images[..., place, 8] = float("nan")
        lost = restored(network, images).isnan().any(3).flatten().nonzero()
        farthest = max(farthest, place - int(lost.min()), int(lost.max()) - place)
    assert farthest == REACH


def test_a_tile_with_a_margin_agrees_with_the_whole():
    network, images = made(lambda: UNetAtt(width=8)), speckled(336, 320)
    first, last, margin = 128, 176, 128
    tile = images[..., first - margin : last + margin, first - margin : last + margin]
    whole = restored(network, images)[..., first:last, first:last]
    inner = restored(network, tile)[..., margin:-margin, margin:-margin]
    assert (whole - inner).abs().max() < 1e-5 < 1e-2 * whole.std()


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


# ----- as methods -----------------------------------------------------------------------------------------------------

ROW = catalogue.network(
    "linear",
    id="careful",
    title="A tested network",
    summary="Random weights: it smooths, and errs a little.",
    citation="none",
    modalities=ULTRASOUND,
    reach=REACH,
    bytes_per_voxel=300,
    recommended_for=(FirstChoice("it was trained for it", ULTRASOUND),),
    weights="tested",
)
QUICK = replace(
    ROW,
    id="fast",
    title="A quick network",
    recommended_for=(FirstChoice("it is quick enough for a cine", ULTRASOUND, CINE),),
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Weights of a small UNetAtt are installed here; the catalogue has rows for them before all others."""
    network = made(lambda: UNetAtt(width=8))
    path = tmp_path / "tested.safetensors"
    save_file({name: value.half() for name, value in network.state_dict().items()}, path)
    lines = ["[[weights]]", 'name = "tested"', 'network = "unet_att:UNetAtt"', "arguments = { width = 8 }"]
    lines += [f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"']
    (tmp_path / "manifest.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    monkeypatch.setattr(catalogue, "METHODS", (QUICK, ROW, *(row for row in catalogue.METHODS if not row.learned)))
    return tmp_path


def scan(rows: int = 96, columns: int = 80, frames: int = 1, modality: str = "US") -> mr.Image:
    """An 8-bit frame as a scanner exports it, 0 to 255."""
    grey = speckled(rows, columns, 0.25, batch=frames).clamp(0, 1).mul(255).byte().numpy()
    return mr.Image.from_array(grey, spacing=(0.2, 0.3, 1.0), modality=modality)


def test_a_frame_comes_back_smoother_in_its_geometry_and_range(folder):
    noisy = scan()
    result = mr.restore(noisy, method="careful", level=0.25)
    assert result.image.same_grid(noisy)
    assert 0 <= result.image.voxels.min() <= result.image.voxels.max() <= noisy.voxels.max()
    flat = np.s_[0, 0, 4:12, 4:12]
    assert result.image.voxels[flat].std() < 0.7 * noisy.voxels[flat].std()
    assert result.image.voxels[flat].mean() == pytest.approx(noisy.voxels[flat].mean(), rel=0.15)


def test_the_level_does_not_matter_to_a_blind_network(folder):
    noisy = scan()
    first, second = (mr.restore(noisy, method="careful", level=level).image.voxels for level in (0.1, 0.7))
    assert np.array_equal(first, second)


def untold() -> mr.Image:
    """A study in which no speckle can be measured."""
    ramp = np.add.outer(np.arange(64.0), np.arange(64.0))
    return mr.Image.from_array(ramp.astype(np.uint8), modality="US")


def test_a_level_that_cannot_be_told_does_not_stop_a_blind_network(folder):
    plan = mr.recommend(untold())
    assert plan.estimate.level is None
    report = mr.restore(untold(), plan).report
    assert (report.noise.assumed, report.noise.estimated) == (True, False)
    assert any("could not be estimated" in note for note in report.notes)
    assert "tissue" in report.noise.reason


def test_a_level_that_stands_in_for_one_is_not_handed_to_a_method_that_needs_it(folder):
    plan = mr.recommend(untold())
    with pytest.raises(mr.UnknownNoise, match="cannot be told"):
        mr.restore(untold(), plan, method="srad")
    assert revise(untold(), plan, method="srad", level=0.2).level == 0.2


def test_the_unit_of_the_study_does_not_matter(folder):
    noisy = scan()
    rescaled = noisy.with_voxels(noisy.voxels * np.float32(8))
    first, second = (mr.restore(study, method="careful", level=0.2).image.voxels for study in (noisy, rescaled))
    np.testing.assert_allclose(second / 8, first, rtol=1e-4, atol=1e-2)


def test_a_tiled_study_equals_the_untiled_one(folder):
    noisy = scan(rows=400, columns=336)
    whole = mr.restore(noisy, method="careful", level=0.2)
    tiled = mr.restore(noisy, method="careful", level=0.2, memory_gb=ROW.bytes_per_voxel * 320 * 320 / 1e9)
    np.testing.assert_allclose(tiled.image.voxels, whole.image.voxels, rtol=1e-4, atol=1e-2)


def test_every_frame_of_a_cine_is_restored_as_if_it_were_alone(folder):
    cine = scan(frames=3)
    together = mr.restore(cine, method="careful", level=0.2).image.voxels
    scale = float(cine.voxels.max())
    for frame, before in zip(together, cine.voxels, strict=True):
        single = before.copy()
        single[0, 0, 0] = scale  # the brightest voxel of the study sets its scale
        alone = mr.restore(mr.Image.from_array(single[None], modality="US"), method="careful", level=0.2)
        np.testing.assert_allclose(frame[..., 40:, 40:], alone.image.voxels[0][..., 40:, 40:], rtol=1e-3, atol=1.0)


def test_the_trained_network_is_recommended_and_the_quick_one_for_cines(folder):
    plan = mr.recommend(scan(), level=0.2)
    assert (plan.method, plan.options) == ("careful", {})
    cine = mr.recommend(scan(frames=9), level=0.2)
    assert cine.method == "fast"
    assert "quick" in cine.reason


def test_without_weights_the_classical_methods_are_recommended(folder):
    (folder / "tested.safetensors").unlink()
    assert mr.recommend(scan(), level=0.2).method == "nllr"
    assert mr.recommend(scan(frames=9), level=0.2).method == "srad"
    with pytest.raises(mr.WeightsMissing, match="install"):
        mr.restore(scan(), method="careful", level=0.2)


def test_a_classical_method_gets_its_dynamic_range_again_after_a_network(folder):
    noisy = scan()
    plan = mr.recommend(noisy, level=0.2)
    report = mr.restore(noisy, plan, method="srad").report
    assert "compressed" in report.plan["options"]
