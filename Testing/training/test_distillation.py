"""Structural-information distillation: what it rewards, and the features that it looks at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import batch_norm, conv2d, max_pool2d

from training import build
from training import recipe as recipes
from training.losses import Losses
from training.losses.back_ends import MEAN, STD
from training.losses.classes import Label
from training.losses.distillation import Distillation
from training.losses.resnet import Classifier, Features
from training.recipe import Loss, RecipeError
from training.shipping import export
from training.trainers.loop import train


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    """Two images of bars with speckle of level 0.3, and its n."""
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 12, 64)
    clean = (0.5 + 0.4 * torch.sin(ramp)[:, None] * torch.cos(ramp)[None]).expand(2, 1, 64, 64)
    noise = 0.3 * torch.randn(2, 1, 64, 64, generator=generator)
    return {"clean": clean, "noisy": clean * (1 + noise), "noise": noise}


# The loss


def test_the_paper_s_teacher_wants_nothing_removed_and_the_clean_one_wants_the_truth(batch):
    nothing, truth = torch.zeros_like(batch["noise"]), batch["noise"]
    paper = Distillation("random", guard=0)
    assert paper(nothing, batch).item() == pytest.approx(0, abs=1e-6)
    assert paper(truth, batch).item() > 1e-4
    clean = Distillation("random", teacher="clean", guard=0)
    assert clean(truth, batch).item() == pytest.approx(0, abs=1e-6)
    assert clean(nothing, batch).item() > 1e-4


@pytest.mark.parametrize("axis", ["position", "channel"])
def test_it_is_the_cross_entropy_of_soft_labels_less_the_teacher_s_entropy(batch, axis):
    loss = Distillation("random", temperature=2.0, axis=axis, output="image")
    expected = 0.0
    for teacher, found in zip(loss.features(batch["noisy"]), loss.features(batch["clean"]), strict=True):
        along = (2, 3) if axis == "position" else 1
        p, q = (f.flatten(2).softmax(2 if axis == "position" else 1).view_as(f) for f in (teacher / 2, found / 2))
        crossed = (-p * q.log()).sum(along).mean()
        expected += (crossed + (p * p.log()).sum(along).mean()).item()
    assert loss(batch["clean"], batch).item() == pytest.approx(expected, rel=1e-3)


def test_hotter_softmaxes_tell_less_apart(batch):
    cold, paper, hot = (Distillation("random", temperature=t)(batch["noise"], batch).item() for t in (1.0, 5.0, 25.0))
    assert cold > 3 * paper > 9 * hot > 0


def test_noise_and_image_are_two_ways_to_say_the_same(batch):
    noise = Distillation("random", guard=0)(batch["noise"], batch)
    assert Distillation("random", output="image")(batch["clean"], batch).item() == pytest.approx(noise.item(), rel=1e-3)


def test_the_guard_keeps_the_division_finite_where_the_paper_s_is_singular(batch):
    singular = torch.full_like(batch["noise"], -1.0).requires_grad_()
    assert not torch.isfinite(Distillation("random", guard=0)(singular, batch))
    value = Distillation("random")(singular, batch)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(singular.grad).all()


def test_only_the_network_learns(batch):
    losses = Losses((Loss("distillation", 0.15, {"back_end": "random"}),)).train()
    (features,) = (part.features for part in losses.parts)
    before = {name: value.clone() for name, value in features.state_dict().items()}
    noise = (0.5 * batch["noise"]).requires_grad_()
    losses(noise, batch).backward()
    assert noise.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in losses.parameters())
    assert all(torch.equal(before[name], value) for name, value in features.state_dict().items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teacher": "noise"}, "teacher is noisy or clean"),
        ({"axis": "row"}, "axis is position or channel"),
        ({"output": "level"}, "output is noise or image"),
        ({"back_end": "bone"}, "no feature back-end 'bone'; there are imagenet, ultrasound and random"),
    ],
)
def test_what_it_cannot_do_it_says(arguments, message):
    with pytest.raises(RecipeError, match=message):
        Distillation(**{"back_end": "random", **arguments})


# The features


def resnet_file(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A file with torchvision's names of ResNet-34, all of them, filled with noise."""
    generator = torch.Generator().manual_seed(1)
    saved: dict[str, torch.Tensor] = {}

    def convolution(name: str, outputs: int, inputs: int, side: int) -> None:
        saved[f"{name}.weight"] = torch.randn(outputs, inputs, side, side, generator=generator) / (inputs**0.5 * side)

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            saved[f"{name}.{part}"] = 0.5 + 0.1 * torch.rand(channels, generator=generator)
        saved[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("conv1", 64, 3, 7)
    norm("bn1", 64)
    inputs = 64
    for block, units in enumerate((3, 4, 6, 3), 1):
        outputs = 32 << block
        for unit in range(units):
            name = f"layer{block}.{unit}"
            convolution(f"{name}.conv1", outputs, inputs, 3)
            norm(f"{name}.bn1", outputs)
            convolution(f"{name}.conv2", outputs, outputs, 3)
            norm(f"{name}.bn2", outputs)
            if inputs != outputs:
                convolution(f"{name}.downsample.0", outputs, inputs, 1)
                norm(f"{name}.downsample.1", outputs)
            inputs = outputs
    saved["fc.weight"] = torch.zeros(1000, 512)
    torch.save(saved, folder / "resnet34.pth")
    return folder / "resnet34.pth", saved


def test_features_are_resnet_s(tmp_path):
    """Three blocks with torchvision's names, strides, shortcuts and normalisation."""
    path, saved = resnet_file(tmp_path)
    features = Features("imagenet", str(path))
    assert sum(parameter.numel() for parameter in features.parameters()) == 8_170_304

    def layer(x: torch.Tensor, conv: str, norm: str, stride: int = 1) -> torch.Tensor:
        weight = saved[f"{conv}.weight"]
        parts = [saved[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return batch_norm(conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2), *parts)

    image = torch.rand(1, 1, 64, 48, generator=torch.Generator().manual_seed(2))
    x = (image.expand(-1, 3, -1, -1) - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    x = max_pool2d(layer(x, "conv1", "bn1", 2).relu(), 3, 2, 1)
    expected = []
    for block, units in enumerate((3, 4, 6), 1):
        for unit in range(units):
            name, stride = f"layer{block}.{unit}", 2 if unit == 0 and block > 1 else 1
            inner = layer(x, f"{name}.conv1", f"{name}.bn1", stride).relu()
            short = layer(x, f"{name}.downsample.0", f"{name}.downsample.1", stride) if stride == 2 else x
            x = (layer(inner, f"{name}.conv2", f"{name}.bn2") + short).relu()
        expected.append(x)
    found = features(image)
    assert [tuple(one.shape) for one in found] == [(1, 64, 16, 12), (1, 128, 8, 6), (1, 256, 4, 3)]
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(found, expected, strict=True))


def ultrasound_folder(folder: Path) -> Path:
    """Sixteen frames of each class, named as theirs are, each class with a brightness of its own."""
    for number, kind in enumerate(("benign", "malignant", "normal", "heads")):
        (folder / kind).mkdir(parents=True)
        for k in range(16):
            name = f"{k:03d}_HC" if kind == "heads" else f"{kind}_{k:03d}"
            rng = np.random.default_rng((number, k))
            coarse = cv2.resize(rng.random((9, 9)), (80, 80), interpolation=cv2.INTER_CUBIC)
            frame = np.clip(50 * number + 20 + 60 * coarse + rng.normal(0, 6, (80, 80)), 0, 255)
            cv2.imwrite(str(folder / kind / f"{name}.png"), np.uint8(frame))
    return folder


def test_a_classifier_of_frames_becomes_a_back_end(tmp_path, monkeypatch):
    folder = ultrasound_folder(tmp_path / "frames")
    data = f'data={{source="ultrasound:Ultrasound", arguments={{folders=["{folder}"], patch=64, processes=1}}}}'
    brief = ["schedule={steps=12, batch=8, warm_up=1}", "validation={every=12, patients=8}"]
    recipe = recipes.read("resnet_features_ultrasound", [data, *brief])
    run = train(recipe, tmp_path / "run", tmp_path / "cache", device="cpu")
    written = export.features_of(run, tmp_path / "own.safetensors")
    assert written.stat().st_size < 1_200_000
    monkeypatch.setattr("training.losses.resnet.ULTRASOUND", written)
    network = build.trained(run).network
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        trained = network.layers(image.expand(-1, 3, -1, -1))
        found = Features("ultrasound")(image)[2]
    assert torch.allclose(found, trained, rtol=0.02, atol=0.02 * float(trained.abs().max()))


def test_labels_are_told_by_their_logits():
    logits = 20.0 * torch.eye(4)
    assert Label()(logits, {"label": torch.arange(4)}).item() == pytest.approx(0, abs=1e-6)
    assert Label()(logits, {"label": torch.arange(4).flip(0)}).item() == pytest.approx(20, rel=1e-3)


def test_a_classifier_takes_frames_of_any_size():
    network = Classifier().eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 1, 70, 101)).shape == (2, 4)
