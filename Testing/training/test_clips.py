"""What enlargement is trained on and with: clips, their reduction, losses, rivals, the teacher and its student."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.networks import resizing
from Testing.support.phantoms import camera
from training import build, checkpoint
from training import recipe as recipes
from training.data import clips, reduced, second_order
from training.data.degradations import degrade
from training.data.folder import Pictures
from training.evaluation import recognition
from training.evaluation.clips import Case, entropy, measure
from training.losses.enlarged import Enlarged
from training.losses.fusion import FusionLoss
from training.networks.discriminators import UNet
from training.networks.edsr import EDSR
from training.networks.enlcn import ENLCN, EfficientNonLocal, contrast
from training.networks.espcn import ESPCN
from training.networks.fdiwn import FDIWN
from training.networks.fsrcnn import FSRCNN
from training.networks.generator import Generator
from training.networks.rcan import RCAN
from training.networks.rrdb import RRDB
from training.networks.vdsr import VDSR
from training.trainers import data_free
from training.trainers.loop import train


@pytest.fixture(scope="module")
def source(data_folder, tmp_path_factory) -> clips.Clips:
    """The clips alone; only the validation split is read."""
    found = clips.Clips(tmp_path_factory.mktemp("cache"), patch=48, shares=[1, 0, 0])
    found.prepare(["validation"])
    return found


def bicubic(small: np.ndarray, place: int) -> np.ndarray:
    return resizing.enlarged(torch.from_numpy(small[place])[None, None], 2)[0, 0].numpy()


def parameters(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_no_patient_is_in_two_splits(source):
    where: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for id in source.patients(split):
            where.setdefault(clips.group_of(source.name(id)), set()).add(split)
    assert all(len(splits) == 1 for splits in where.values()), where
    assert sum(len(source.patients(split)) for split in ("train", "validation", "test")) == 36
    assert set().union(*where.values()) == {"train", "validation", "test"}


def test_pictures_hold_the_image_of_the_scanner_and_whole_blocks_of_it(source):
    patient = source.patient(source.patients("validation")[0])
    assert patient.clean.shape[1] % 12 == patient.clean.shape[2] % 12 == 0
    assert 0 <= patient.clean.min() < patient.clean.max() <= 1
    assert (~patient.overlays).mean() > 0.3


def test_what_never_changes_is_no_tissue():
    rng = np.random.default_rng(0)
    frames = np.full((40, 60, 80), 200.0)
    frames[:, 10:50, 20:70] = rng.normal(100, 20, (40, 40, 50))
    tissue = clips.shows_tissue(frames)
    assert tissue[15:45, 25:65].all()
    assert not tissue[:, :18].any()


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("form", ["bicubic", "blur+down+speckle"])
def test_a_reduced_frame_covers_the_same_field(factor, form):
    """A straight ramp is the same ramp, so nothing moved by a part of a pixel."""
    ramp = np.linspace(0.2, 0.8, 61, dtype=np.float32)[None].repeat(61, 0)
    rng = np.random.default_rng(0)
    found = degrade("reduced", ramp, float(factor), rng, form=form)
    side = 61 - 61 % factor
    assert found["clean"].shape == (side, side)
    expected = ramp[:side, :side].reshape(side // factor, factor, side // factor, factor).mean(axis=(1, 3))
    inner = (slice(3, -3),) * 2
    assert np.abs((found["noisy"] - expected)[inner].mean()) < 0.01
    assert np.allclose(found["noisy"] * 255, np.rint(found["noisy"] * 255), atol=1e-3)


def test_the_loss_of_enlargement_weighs_hard_and_easy_patches_more_alike():
    clean = torch.from_numpy(camera(48, 48))[None, None]
    faint = 0.5 + 0.1 * (clean - 0.5)
    both = torch.cat((clean, faint))
    batch = {"clean": both, "noisy": resizing.reduced(both, 2)}
    start = resizing.enlarged(batch["noisy"], 2)
    alone = [
        float(Enlarged(balance=balance)(start[1:], {k: v[1:] for k, v in batch.items()}))
        / float(Enlarged(balance=balance)(start[:1], {k: v[:1] for k, v in batch.items()}))
        for balance in (0.0, 0.5)
    ]
    assert alone[0] == pytest.approx(0.1, rel=0.01)
    assert alone[1] > 2 * alone[0]


def test_fusion_of_equal_frames_loses_nothing_but_what_brightness_drifts():
    frame = torch.rand(2, 1, 30, 30, generator=torch.Generator().manual_seed(0))
    batch = {"clean": frame.expand(2, 6, 30, 30)}
    literal, recommended = FusionLoss("literal"), FusionLoss("recommended")
    assert float(literal(frame, batch)) == pytest.approx(0, abs=1e-5)
    assert float(literal(frame + 0.1, batch)) == pytest.approx(0, abs=1e-4), "the paper's loss does not see brightness"
    assert float(recommended(frame + 0.1, batch)) == pytest.approx(0.01, abs=1e-4)
    assert float(literal(torch.full_like(frame, 0.5), batch)) > 0.9


def test_fusion_wants_the_frame_of_most_contrast():
    structure = torch.rand(1, 1, 30, 30, generator=torch.Generator().manual_seed(0)) - 0.5
    sharp, faint = 0.5 + 0.4 * structure, 0.5 + 0.1 * structure
    loss, batch = FusionLoss("literal"), {"clean": torch.cat((sharp, faint), 1)}
    found = [float(loss(image, batch)) for image in (sharp, (sharp + faint) / 2, faint)]
    assert found == sorted(found)
    assert found[0] < 1e-4


@pytest.mark.parametrize(
    ("network", "millions"),
    [
        (lambda: FSRCNN(2), 0.0128),
        (lambda: ESPCN(2), 0.0213),
        (lambda: VDSR(2), 0.665),
        (lambda: EDSR(2), 40.7),
        (lambda: EDSR(3), 43.7),
        (lambda: EDSR(4), 43.1),
        (lambda: ENLCN(2, 32, 256), 40.7 + 0.49),
        (lambda: FDIWN(2), 0.629 - 0.011),  # of one channel, not of three
        (lambda: RRDB(4), 16.7),
        (lambda: UNet(), 4.38),
    ],
    ids=["FSRCNN", "ESPCN", "VDSR", "EDSR 2", "EDSR 3", "EDSR 4", "ENLCN", "FDIWN", "RRDB", "its U-Net"],
)
def test_rivals_are_as_large_as_their_papers_say(network, millions):
    with torch.device("meta"):
        assert parameters(network()) / 1e6 == pytest.approx(millions, rel=5e-3)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize(
    "network",
    [
        FSRCNN,
        ESPCN,
        lambda factor: VDSR(factor, layers=3, width=8),
        lambda factor: EDSR(factor, blocks=2, width=8),
        lambda factor: RCAN(factor, groups=1, blocks=1, width=16),
        lambda factor: ENLCN(factor, blocks=8, width=8),
        lambda factor: FDIWN(factor, wide=8),
    ],
    ids=["FSRCNN", "ESPCN", "VDSR", "EDSR", "RCAN", "ENLCN", "FDIWN"],
)
def test_rivals_enlarge(network, factor):
    with torch.inference_mode():
        assert network(factor)(torch.rand(2, 1, 9, 14)).shape == (2, 1, 9 * factor, 14 * factor)


def test_the_attention_tells_apart_what_exact_attention_does_where_scores_are_mild():
    """Features in clusters; scores of up to 1. At the teacher's own sharpness, 6, it is no estimate of the softmax."""
    torch.manual_seed(0)
    centres = torch.randn(8, 64)
    images = (centres[torch.arange(400) % 8] + 0.3 * torch.randn(400, 64)).T.reshape(1, 64, 20, 20)
    for features, most in ((128, 0.2), (4096, 0.06)):
        module = EfficientNonLocal(64, features=features, sharpness=1.0).eval()
        with torch.inference_mode():
            query, key = (module._unit(layer(images)) for layer in (module.query, module.key))
            value = module.value(images).flatten(2).transpose(1, 2)
            exact = torch.softmax(query @ key.transpose(1, 2), dim=2) @ value
            found = ((module(images) - images) / 0.1).flatten(2).transpose(1, 2)
        assert float((found - exact).norm() / exact.norm()) < most


def test_random_features_of_the_teacher_are_among_its_weights():
    network = ENLCN(2, blocks=8, width=16)
    assert sum(name.endswith("projection") for name in network.state_dict()) == len(network.attention) == 2


def test_the_contrastive_loss_rewards_sparse_scores():
    torch.manual_seed(0)
    diffuse = torch.nn.functional.normalize(torch.randn(1, 2304, 16), dim=2) * 0.1
    sparse = torch.zeros(1, 2304, 16)
    sparse[0, torch.arange(2304), torch.arange(2304) % 16] = math.sqrt(6)
    sparse[0, 15 * 16 :] = 0
    assert float(contrast(sparse[:, :1], sparse)) < float(contrast(diffuse, diffuse)) == pytest.approx(1, abs=0.1)


def test_the_generator_makes_images():
    images = Generator(48)(torch.randn(2, 256))
    assert images.shape == (2, 1, 48, 48)
    assert 0 < images.min() < images.max() < 1


def test_bicubic_is_measured_as_bicubic():
    frames = np.repeat(camera(48, 60)[None], 16, axis=0)
    case = Case("lung", "camera", frames, np.ones((48, 60), bool))
    values = measure(bicubic, [case], 2)
    assert 20 < values["psnr"]["2 lung"]["camera"] < 45
    assert values["consistency"]["2 lung"]["camera"] > 30
    sharper = measure(lambda small, place: frames[place], [case], 2)
    assert sharper["psnr"]["2 lung"]["camera"] == float("inf")


def test_noise_raises_the_papers_entropy():
    flat = np.where(np.arange(64)[:, None] < 32, 0.2, 0.6) * np.ones((64, 64))
    noisy = flat + 0.1 * np.random.default_rng(0).standard_normal(flat.shape)
    assert entropy(noisy) > entropy(flat) + 3


TRAINED = ("student_x2", "espcn_x2", "fsrcnn_x2", "vdsr_x2", "edsr_x2", "rcan_x2", "fdiwn_x2", "real_esrgan_x4")


@pytest.mark.parametrize("recipe", TRAINED)
def test_every_recipe_trains_what_it_says(recipe):
    network = build.module(recipes.read(recipe).network.implementation, recipes.read(recipe).network.arguments)
    side = 12 * int(recipe[-1])
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 12, 12)).shape == (1, 1, side, side)


@pytest.mark.parametrize("factor", [2, 4])
def test_rrdb_enlarges_odd_frames(factor):
    with torch.inference_mode():
        found = RRDB(factor, blocks=1, width=8, growth=4)(torch.rand(2, 1, 9, 14))
    assert found.shape == (2, 1, 9 * factor, 14 * factor)


@given(seed=st.integers(0, 10_000), factor=st.sampled_from([2, 3, 4]), grey=st.floats(0.1, 0.9))
@settings(max_examples=30, deadline=None)
def test_the_second_order_degradation_keeps_place_and_brightness(seed, factor, grey):
    """A lone edge stays where it is and as high, though it rings and noise lies on it."""
    edge = np.full((96, 96), grey, np.float32)
    edge[:, 48:] = 0.0
    found = degrade("reduced", edge, float(factor), np.random.default_rng(seed), form="second_order")["noisy"]
    side = 96 // factor
    assert found.shape == (side, side)
    assert found.min() >= 0
    assert found.max() <= 1
    quarter = side // 4
    assert abs(found[:, :quarter].mean() - grey) < 0.1
    assert found[:, -quarter:].mean() < 0.1
    if grey > 0.4:  # in a darker image noise, which is clipped at black, hides the edge
        bright = np.count_nonzero(found.mean(0) > found[:, :quarter].mean() / 2)
        assert abs(bright - side / 2) <= 1


def test_the_second_order_degradation_takes_more_than_reduction_does():
    clean = camera(128, 128)
    plain = degrade("reduced", clean, 4.0, np.random.default_rng(0))["noisy"]
    apart = [
        np.square(degrade("reduced", clean, 4.0, np.random.default_rng(seed), form="second_order")["noisy"] - plain)
        for seed in range(20)
    ]
    assert np.sqrt(np.mean(apart)) > 0.03
    kernels = second_order.gaussian(21, 3, 1, 0.4), second_order.sinc(13, 1.5)
    assert [float(kernel.sum()) for kernel in kernels] == pytest.approx([1, 1])
    assert (kernels[0] >= 0).all()
    assert (kernels[1] < 0).any(), "a sinc rings"


def test_what_neighbours_show_is_one_frame_of_six():
    recipe = recipes.read("neighbours_x2")
    network = build.module(recipe.network.implementation, recipe.network.arguments)
    windows = torch.rand(1, 6, 24, 24)
    with torch.inference_mode():
        assert network(windows).shape == (1, 1, 24, 24)


def test_a_data_free_student_grows_and_sees_no_picture(tmp_path, pictures, monkeypatch):
    """Layers that are not due yet are the identity still; the pictures serve validation alone."""
    data = f'data={{source="folder:Pictures", arguments={{folder="{pictures}", patch=64}}}}'
    teacher = train(recipes.read("edsr_x2+smoke", [data, "validation.patients=1"]), tmp_path / "teacher", tmp_path)
    settings = [f'restorer="{teacher}"', "network.arguments={factor=2, width=8, layers=6}", "schedule.steps=20"]
    recipe = recipes.read("student_x2_data_free+smoke", [data, *settings])
    monkeypatch.setattr(Pictures, "sample", None)
    learned = {}
    for step in (2, 20):
        short = dataclasses.replace(recipe, schedule=dataclasses.replace(recipe.schedule, steps=step))
        monkeypatch.setattr(data_free, "GROWING", 0.4 * 20 / step)  # as if the whole training had 20 steps
        last = checkpoint.read(train(short, tmp_path / f"{step}", tmp_path))["trainer"]["network"]
        middle = [weight for name, weight in last.items() if name.startswith("middle")]
        identity = torch.nn.init.dirac_(torch.empty_like(middle[-1]))
        learned[step] = sum(not torch.equal(weight, identity) for weight in middle)
    assert 1 <= learned[2] < 6
    assert learned[20] > learned[2]


def test_neighbours_in_time_tell_the_video_and_other_people_do_not():
    """A stand-in: what each clip looks like is its own, and says nothing of health."""
    rng = np.random.default_rng(0)
    clips = []
    for number in range(24):
        look = rng.standard_normal((1, 30))
        shown, asked = (look + 0.1 * rng.standard_normal((4, 30)) for _ in range(2))
        clips.append(recognition.Clip(f"{'Reg' if number % 2 else 'Cov'}_{number}", number >= 8, shown, asked))
    right = {question: np.mean(list(shares.values())) for question, shares in recognition.recognised(clips).items()}
    assert right["video, frames apart"] == right["healthy or ill, frames apart"] == 1
    assert 0.1 < right["healthy or ill, people apart"] < 0.9


def test_texture_sees_what_reduction_takes_and_a_thumbnail_does_not():
    image = camera(96, 128)
    enlarged = bicubic(reduced.resized(image[None], 2), 0)
    assert np.abs(recognition.thumbnail(enlarged) - recognition.thumbnail(image)).max() < 0.02
    assert recognition.texture(enlarged)[0] < recognition.texture(image)[0] - 0.3
