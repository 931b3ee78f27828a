"""Losses are least at the truth, and weigh what they are said to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.checkpoint import MovingAverage
from training.losses import Losses
from training.losses.classes import LevelClasses, Presence, Segmentation
from training.losses.features import VGG, Features
from training.losses.gan import critic_loss, generator_loss
from training.losses.perceptual import Perceptual
from training.losses.pixel import Charbonnier, LesionUptake, MeanSquares, PoissonLikelihood
from training.recipe import Loss, RecipeError


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Four images with air, at four levels."""
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(4, 1, 32, 32, generator=generator) * 0.5
    clean[..., :8] = 0
    return {"clean": clean, "level": torch.tensor([5.0, 10.0, 20.0, 40.0]) / 255, "mean": clean.mean((1, 2, 3))}


LIKENESSES = [
    MeanSquares(),
    Charbonnier(epsilon=1e-6),
    PoissonLikelihood(),
    PoissonLikelihood(soft=0.05),
    Perceptual(back_end="random"),
]


@pytest.mark.parametrize("loss", LIKENESSES, ids=lambda loss: type(loss).__name__)
def test_the_clean_image_is_the_best_output(loss, batch):
    best = loss(batch["clean"], batch).item()
    assert best == pytest.approx(0, abs=1e-3)
    for other in (batch["clean"] * 1.1, batch["clean"] + 0.02, batch["clean"].roll(1, 3)):
        assert loss(other, batch).item() > 2 * best + 1e-6


@pytest.mark.parametrize("loss", LIKENESSES, ids=lambda loss: type(loss).__name__)
def test_gradients_are_finite_even_where_nothing_is(loss, batch):
    output = torch.full_like(batch["clean"], 1e-4).requires_grad_()
    loss(output, batch).backward()
    assert torch.isfinite(output.grad).all()
    assert output.grad.abs().sum() > 0


def test_a_lost_lesion_costs_its_squared_signal_to_noise_ratio_and_nothing_else_counts(batch):
    batch["lesions"] = torch.zeros_like(batch["clean"], dtype=torch.bool)
    batch["clean"] = torch.full_like(batch["clean"], 0.5)
    loss = LesionUptake(soft=0.0)
    assert loss(batch["clean"] * 0.5, batch) == 0  # no lesion
    batch["lesions"][..., 12:20, 12:20] = True
    counts = batch["level"].view(-1, 1, 1, 1) ** -2
    smoothing = loss.weights.square().sum() ** 2  # of the variance
    lost = batch["clean"] - 2 * torch.sqrt(smoothing * batch["clean"] / counts)  # two standard deviations
    assert loss(lost, batch).item() == pytest.approx(4.0, rel=0.05)
    assert LesionUptake(soft=1.0)(lost, batch).item() == pytest.approx(np.log(5.0), rel=0.05)


def test_balanced_squares_weigh_an_image_by_its_noise_s_variance(batch):
    """Errors that grow as the 0.7th power of the variance then count alike, whatever the level."""
    variance = batch["level"].square() * batch["mean"]
    error = (variance**0.35).view(-1, 1, 1, 1)
    loss = MeanSquares(balance=0.7)

    def of_sample(k: int) -> float:
        one = {name: value[k : k + 1] for name, value in batch.items()}
        return loss(one["clean"] + error[k], one).item()

    assert [of_sample(k) for k in range(4)] == pytest.approx([of_sample(0)] * 4, rel=1e-4)
    assert MeanSquares()(batch["clean"] + 0.1, batch).item() == pytest.approx(0.01, rel=1e-4)


def test_the_poisson_loss_is_the_deviance_and_its_minimum_the_rate(batch):
    rate, counts = 0.3, (255 / 10) ** 2
    drawn = np.random.default_rng(0).poisson(rate * counts, (1, 1, 200, 200)) / counts
    observed = {"clean": torch.tensor(drawn, dtype=torch.float32), "level": torch.tensor([10 / 255])}
    loss = PoissonLikelihood()
    values = {r: loss(torch.full((1, 1, 200, 200), r), observed).item() for r in (0.29, 0.3, 0.31)}
    assert min(values, key=values.get) == 0.3
    assert values[0.3] == pytest.approx(1.0, abs=0.03)  # chi-square of one degree of freedom


def test_features_weigh_the_same_whatever_their_scale(batch):
    loss = Perceptual(back_end="random")
    value = loss(batch["clean"] + 0.02, batch).item()
    with torch.no_grad():
        for layer in loss.features.layers:
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight *= 3
    assert loss(batch["clean"] + 0.02, batch).item() == pytest.approx(value, rel=1e-3)
    assert not any(p.requires_grad for p in loss.parameters())


def test_features_are_vgg_s(tmp_path):
    """The first four layers with torchvision's names, poolings and normalisation."""
    torch.manual_seed(0)
    saved = {}
    before, index = 3, 0
    for channels in VGG["vgg16"][:5]:
        if channels:
            saved[f"features.{index}.weight"] = 0.1 * torch.randn(channels, before, 3, 3)
            saved[f"features.{index}.bias"] = 0.1 * torch.randn(channels)
            before = channels
        index += 2 if channels else 1
    torch.save(saved | {"classifier.0.weight": torch.zeros(3)}, tmp_path / "vgg16.pth")
    features = Features("imagenet", str(tmp_path / "vgg16.pth"), depth=4, taps=[2, 4])
    image = torch.rand(1, 1, 16, 16)
    x = (image.expand(-1, 3, -1, -1) - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)

    def layer(x: torch.Tensor, index: int) -> torch.Tensor:
        weight, bias = saved[f"features.{index}.weight"], saved[f"features.{index}.bias"]
        return torch.relu(torch.nn.functional.conv2d(x, weight, bias, padding=1))

    second = layer(layer(x, 0), 2)
    fourth = layer(layer(torch.nn.functional.max_pool2d(second, 2), 5), 7)
    found = features(image)
    assert [tuple(f.shape) for f in found] == [(1, 64, 16, 16), (1, 128, 8, 8)]
    assert torch.allclose(found[0], second, atol=1e-4)
    assert torch.allclose(found[1], fourth, atol=1e-4)


def test_feature_back_ends_say_what_they_lack(tmp_path):
    with pytest.raises(RecipeError, match="no feature back-end 'guess'"):
        Features("guess")
    with pytest.raises(RecipeError, match="need the file"):
        Features("imagenet", str(tmp_path / "absent.pth"))
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "small.pth")
    with pytest.raises(RecipeError, match="does not hold layer"):
        Features("imagenet", str(tmp_path / "small.pth"))


def test_random_features_are_the_same_every_time():
    first, second = Features("random"), Features("random")
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(first(image)[1], second(image)[1])


def test_a_level_is_best_told_by_its_own_class():
    loss = LevelClasses(smoothing=1.0)
    logits = {c: torch.nn.functional.one_hot(torch.tensor([c - 1]), 50).float() * 9 for c in (18, 20, 23)}
    values = {c: loss(found, {"level": torch.tensor([20 / 255])}).item() for c, found in logits.items()}
    assert values[20] < values[18] < values[23]
    exact = LevelClasses(smoothing=0.0)(logits[20], {"level": torch.tensor([20.3 / 255])})
    assert exact.item() == pytest.approx(np.log(1 + 49 * np.exp(-9)), rel=1e-3)


def test_segmentation_and_presence_prefer_the_truth():
    lesions = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    lesions[0, 0, 2:5, 2:5] = True
    right, wrong = 20.0 * (2 * lesions.float() - 1), 20.0 * (1 - 2 * lesions.float())
    assert Segmentation()(right, {"lesions": lesions}).item() == pytest.approx(0, abs=1e-3)
    assert Segmentation()(wrong, {"lesions": lesions}).item() > 1
    said = torch.tensor([5.0, -5.0])
    assert Presence()(said, {"lesions": lesions}).item() < 0.01 < Presence()(-said, {"lesions": lesions}).item()


class Slope(torch.nn.Module):
    """A critic whose slope is known: ``steepness`` times the mean, so its gradient has norm steepness / sqrt(n)."""

    def __init__(self, steepness: float) -> None:
        super().__init__()
        self.steepness = torch.nn.Parameter(torch.tensor(steepness))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.steepness * images.flatten(1).mean(1)


def test_the_critic_s_loss_is_the_gap_plus_the_penalty_on_its_slope():
    real, made = torch.full((3, 1, 4, 4), 0.7), torch.full((3, 1, 4, 4), 0.2)
    mix = torch.tensor([0.1, 0.5, 0.9])
    critic = Slope(12.0)
    loss = critic_loss(critic, real, made, mix, penalty=10.0)
    assert loss.item() == pytest.approx(12 * (0.2 - 0.7) + 10 * (12 / 4 - 1) ** 2, rel=1e-5)
    loss.backward()
    assert critic.steepness.grad.item() == pytest.approx((0.2 - 0.7) + 10 * 2 * (12 / 4 - 1) / 4, rel=1e-5)
    assert generator_loss(critic, made).item() == pytest.approx(-12 * 0.2, rel=1e-5)


def test_losses_are_summed_with_their_weights(batch):
    both = Losses((Loss("mse", 2.0), Loss("charbonnier", 3.0, {"epsilon": 1e-6})))
    value = both(batch["clean"] + 0.1, batch)
    assert value.item() == pytest.approx(2 * 0.01 + 3 * 0.1, rel=1e-3)
    assert both.values["mse"].item() == pytest.approx(0.01, rel=1e-3)


def averaged(values: list[float], decay: float) -> float:
    """The moving average of a weight that took these values, one per step."""
    network = torch.nn.Linear(1, 1)
    average = MovingAverage(network, decay)
    for step, value in enumerate(values, 1):
        torch.nn.init.constant_(network.weight, value)
        average.update(network, step)
    return average.network.weight.item()


def test_the_average_of_the_weights_forgets_the_beginning_even_of_a_short_training():
    """Whatever the decay: the average of a weight that grows evenly lags a tenth of the steps behind."""
    for steps in (30, 300):
        lag = 1 - averaged([step / steps for step in range(1, steps + 1)], decay=0.9999)
        assert lag == pytest.approx(0.1, abs=0.02)


def test_the_average_of_the_weights_is_over_as_many_steps_as_the_decay_says():
    risen = [0.0] * 2000 + [1.0] * 100
    assert averaged(risen, decay=0.99) == pytest.approx(1 - 0.99**100, abs=1e-3)
