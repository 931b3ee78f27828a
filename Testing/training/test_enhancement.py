"""What is measured of blind enhancement: fidelity under blur and noise, resolution on phantoms and on wires."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from MedRestoreLib.methods.sharpening import blended
from MedRestoreLib.networks.swin_conv import SwinConvUNet
from Testing.support.phantoms import camera
from Testing.support.small_networks import made
from Testing.support.small_trainings import smoke, trained
from training import build
from training import recipe as recipes
from training.data import Patient
from training.evaluation import enhancement, methods, resolution
from training.trainers.loop import train


def unchanged(frame: np.ndarray, level: float) -> np.ndarray:
    return frame


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    frame = 0.9 * camera(96, 96)[None]
    return [Patient(id, frame, np.zeros(frame.shape, bool), smooth=gaussian_filter(frame, (0, 1, 1))) for id in (1, 2)]


def test_every_method_sees_the_same_degraded_frames(patients):
    first, second = ([] for _ in range(2))
    for seen in (first, second):
        enhancement.measure(lambda frame, _, seen=seen: seen.append(frame) or frame, patients)
    assert len(first) == 2 * len(enhancement.CONDITIONS)
    assert all(map(np.array_equal, first, second))


def test_the_stronger_the_noise_the_lower_the_row_of_the_noisy_frames(patients):
    found = enhancement.measure(enhancement.ORACLES["noisy"], patients)
    for kind, levels in (("gaussian", enhancement.GAUSSIAN), ("speckle", enhancement.SPECKLE)):
        rows = [np.mean(list(found["psnr"][f"{kind} {level}"].values())) for level in levels]
        assert rows == sorted(rows, reverse=True)


def test_the_despeckled_frame_itself_agrees_with_nllr_and_not_with_the_frame(patients):
    smooth = patients[0].smooth[0]
    found = enhancement.measure(lambda frame, _: smooth, patients[:1])
    assert min(value for of in found["psnr_nllr"].values() for value in of.values()) > 100
    assert max(value for of in found["psnr"].values() for value in of.values()) < 50


@pytest.mark.parametrize("oracle", ["wiener", "richardson_lucy"])
def test_deconvolution_with_the_true_point_spread_gains_where_there_is_blur(oracle):
    # A smooth scene with edges: both are for blur, not for strong noise.
    scene = np.kron(np.random.default_rng(0).uniform(0.2, 0.8, (8, 8)), np.ones((16, 16))).astype(np.float32)
    blurred = enhancement.degraded(scene, "blur 2", 0)
    restored = enhancement.ORACLES[oracle](blurred, "blur 2")
    assert np.mean((restored - scene) ** 2) < 0.8 * np.mean((blurred - scene) ** 2)


def test_what_is_left_alone_resolves_as_before():
    found = resolution.phantoms(unchanged)
    for name, moments in found.items():
        assert [moments["after"][at] for at in moments["after"] if at.endswith(" 0 %")] == pytest.approx(
            [value for at, value in moments["before"].items() if at.endswith(" 0 %")], abs=1e-6
        ), name
    assert found["fwhm"]["before"]["2 px, 0 %"] == pytest.approx(2.355 * 2, rel=0.02)
    assert found["gradient"]["before"]["2 px, 0 %"] == pytest.approx(1 / (2 * np.sqrt(2 * np.pi)), rel=0.03)


def test_over_sharpening_narrows_points_and_is_caught_by_the_overshoot():
    def unsharp(frame: np.ndarray, level: float) -> np.ndarray:
        return frame + 2 * (frame - gaussian_filter(frame, 3))

    found = resolution.phantoms(unsharp)
    at = "2 px, 0 %"
    assert found["fwhm"]["after"][at] < found["fwhm"]["before"][at]
    assert found["gradient"]["after"][at] > found["gradient"]["before"][at]
    assert found["overshoot"]["after"][at] > 10


def test_blur_merges_pairs():
    found = resolution.phantoms(lambda frame, level: gaussian_filter(frame, 3))
    assert found["resolved"]["after"]["1.5 px, 0 %"] < found["resolved"]["before"]["1.5 px, 0 %"]


@pytest.mark.parametrize(
    ("profile", "peaks"),
    [([0, 1, 3, 1, 0], 1), ([0, 1, 3, 1, 3, 1, 0], 2), ([0, 3, 2.9, 3, 0], 1), ([0, 3, 0, 1, 0], 1)],
)
def test_peaks_are_counted_where_there_is_a_dip_between_them(profile, peaks):
    assert resolution._peaks_in(np.array(profile, float)) == peaks


def test_real_wires_are_found_and_blur_makes_them_wider(data_folder):
    found = resolution.wires(lambda frame, level: gaussian_filter(frame, (0, 6)))
    widths = found["fwhm"]["before"]
    assert len(widths) == 6
    assert all(3 < before < 30 for before in widths.values())
    assert np.median([found["fwhm"]["after"][name] / before for name, before in widths.items()]) > 1.1


def test_of_a_network_with_two_images_half_of_the_sharpening_is_measured():
    network = made(lambda: SwinConvUNet(width=8))
    frame = 0.9 * camera(64, 64)
    measured = methods._sharpened(build.Trained(recipes.read("swin_conv"), network, {}), 0.5)(frame, 0.1)
    with torch.inference_mode():
        pair = network.pair(torch.from_numpy(frame)[None, None])
    np.testing.assert_allclose(measured, blended(pair, 0.5)[0, 0].numpy(), atol=1e-6)


def test_half_and_all_of_the_sharpening_are_measured_under_two_names():
    half, every = resolution._methods("swin_conv")
    assert every.name == half.name + resolution.ALL
    frame = np.zeros((64, 64), np.float32)
    frame[32, 32] = 20
    frame = gaussian_filter(frame, 2)
    widths = [resolution._width(method.restore(frame, 0.1), 32, 32) for method in (half, every)]
    assert widths[1] < widths[0] < resolution._width(frame, 32, 32)
    assert [method.name for method in resolution._methods("srad")] == ["srad"]


def test_a_part_of_a_network_learns_while_the_rest_stays(pictures, tmp_path):
    settings = ["network.arguments={width=8}", "validation.every=2", "schedule.batch=2"]
    first = trained("swin_conv", pictures, tmp_path, *settings)
    settings += ['network.learns="sharpening"', f'network.start="{first}"']
    second = train(smoke("swin_conv", pictures, *settings), tmp_path / "part", tmp_path, device="cpu")
    before, after = (build.trained(folder).network.state_dict() for folder in (first, second))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("sharpening.") for name in changed)
