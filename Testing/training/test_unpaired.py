"""Unpaired training: noisy and clean images show different people, and the trainers do what their names say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MedRestoreLib.networks.disentangled import Disentangled
from training import build, checkpoint
from training import recipe as recipes
from training.data import SPLITS, degradations
from training.data.unpaired import UnpairedSlices
from training.losses.gan import log_loss, squared_loss
from training.networks.cyclegan import ResNetGenerator
from training.networks.discriminators import MultiScale, PatchGAN
from training.networks.disentangled import Code, NoiseEncoder, Noising
from training.networks.disentangled_paper import PaperDisentangled
from training.networks.unet import UNet
from training.recipe import RecipeError
from training.trainers import neighbor
from training.trainers.loop import train
from training.trainers.supervised import Supervised
from training.trainers.unpaired import Pool

UNPAIRED = ("disentangled", "disentangled_paper", "cyclegan_mr")
SMALL = {  # of each recipe: narrow networks
    "disentangled": [
        "network.arguments={width=8, blocks=1, fine=8}",
        "partner.arguments={width=8, blocks=1, inner=8}",
        "critic.arguments={width=2, by_level=true}",
    ],
    "disentangled_paper": [
        *(f"{part}.arguments={{width=2, blocks=1}}" for part in ("network", "partner")),
        "critic.arguments={width=2}",
    ],
    "cyclegan_mr": [
        *(f"{part}.arguments={{width=2, blocks=1}}" for part in ("network", "partner")),
        "critic.arguments={width=2}",
    ],
}
SUBJECTS = (
    'data.arguments={noisy=["patient03_study2_T1W"], clean=["patient01_study1_T1W"], contrasts=["T1W"], '
    "shares={clinical_heads=1}, patch=80}"
)


@pytest.fixture(scope="module")
def cache(data_folder, tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def small(name: str, *settings: str) -> recipes.Recipe:
    brief = ["schedule={steps=2, batch=2, warm_up=0}", "validation={every=2, patients=1}"]
    return recipes.read(name, [SUBJECTS, *SMALL[name], *brief, *settings])


# Data


def test_no_subject_is_noisy_and_clean_and_none_is_trained_on_and_held_out(data_folder, tmp_path):
    for name in (*UNPAIRED, "unet_mr", "neighbor2neighbor"):
        source = UnpairedSlices(tmp_path, **recipes.read(name).data.arguments)
        halves = [{half.name(id).partition(":")[0] for id in half.patients("train")} for half in source.halves]
        held_out = {source.name(id).partition(":")[0] for split in SPLITS[1:] for id in source.patients(split)}
        assert all(halves)
        assert not halves[0] & halves[1]
        assert held_out
        assert not held_out & (halves[0] | halves[1])


def test_both_images_of_a_sample_are_in_the_same_domain(cache):
    source = UnpairedSlices(cache, **small("disentangled").data.arguments)
    source.prepare()
    sample = source.sample(np.random.default_rng(0))
    assert not np.array_equal(sample["clean"], sample["other"])
    options = {"levels": (20.0, 20.0), "model": "rician"}
    drawn = degradations.draw(dict(sample), np.random.default_rng(1), **options)
    assert np.array_equal(drawn["other"], sample["other"])
    drawn = degradations.draw(dict(sample), np.random.default_rng(1), **{**options, "model": "rician_stabilised"})
    other = degradations.rician_stabilised(sample["other"], 20.0, np.random.default_rng(2))["clean"]
    assert np.array_equal(drawn["other"], other)


@pytest.mark.parametrize("level", [5.0, 15.0, 30.0])
def test_stabilised_noise_has_one_strength_around_its_target(level):
    rng = np.random.default_rng(0)
    for grey in (0.0, 0.1, 0.5, 1.0):
        found = degradations.rician_stabilised(np.full((200, 200), grey, np.float32), level, rng)
        residual = found["noisy"] - found["clean"]
        assert residual.std() == pytest.approx(level / 100, rel=0.04)
        assert abs(residual.mean()) < 0.02 * level / 100
        assert -0.1 < found["clean"].min() <= found["clean"].max() < 1.2


# Networks


def test_a_code_has_a_number_for_each_pixel_and_begins_as_the_noise_itself():
    noise = torch.randn(2, 1, 16, 24)
    code = NoiseEncoder(8)(noise)
    assert code.mean.shape == code.log_variance.shape == (2, 16, 4, 6)
    assert torch.equal(Noising(8, 1, 8).noise(torch.zeros(2, 8, 4, 6), code.mean), noise)


def test_synthetic_noise_begins_as_white_noise_of_the_level():
    clean, level = torch.rand(1, 1, 64, 64), torch.tensor([0.1])
    found = Noising(8, 1, 8).translated(Disentangled(8, 1, 8), torch.rand(1, 1, 64, 64), clean, level)
    assert float((found.fakel - clean).detach().std()) == pytest.approx(0.1, rel=0.1)


def test_the_paper_s_code_is_global_and_its_image_in_the_unit_range():
    network = PaperDisentangled(width=2, blocks=1, code=8)
    assert network.code(torch.rand(2, 1, 32, 32)).mean.shape == (2, 8, 1, 1)
    images = network(torch.rand(2, 1, 33, 30), torch.tensor([0.1, 0.2]))
    assert images.shape == (2, 1, 33, 30)
    assert 0 <= images.detach().min() <= images.detach().max() <= 1


def test_the_divergence_is_that_of_normal_distributions():
    mean, log_variance = torch.full((1, 2, 3, 3), 0.5), torch.full((1, 2, 3, 3), 0.7)
    theirs = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, (log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    assert Code(mean, log_variance).kl() == pytest.approx(float(theirs.sum(1).mean()))


def test_the_nine_block_generator_has_the_size_of_its_paper_and_patchgan_sees_70_pixels():
    assert sum(p.numel() for p in ResNetGenerator().parameters()) == pytest.approx(11.4e6, rel=0.01)
    network = PatchGAN(width=2).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.InstanceNorm2d):
            module.forward = lambda x: x  # it sees the whole image
    image = torch.rand(1, 1, 160, 160, requires_grad=True)
    logits = network(image, torch.ones(1))
    side = int(logits.numel() ** 0.5)
    logits.view(side, side)[side // 2, side // 2].backward()
    assert int((image.grad[0, 0].abs().sum(1) > 0).sum()) == 70


def test_a_discriminator_by_level_judges_noise_in_its_own_unit():
    critic, image = MultiScale(width=2, by_level=True), torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(critic(2 * image, torch.tensor([0.2])), critic(image, torch.tensor([0.1])))


@pytest.mark.parametrize("loss", [log_loss, squared_loss])
def test_discrimination_rewards_the_right_answer(loss):
    high, low = torch.full((1, 3), 0.9), torch.full((1, 3), 0.1)
    assert loss(high, True) < loss(low, True)
    assert loss(low, False) < loss(high, False)


# Trainers


@pytest.mark.parametrize("name", UNPAIRED)
def test_unpaired_recipes_train_all_their_networks(name, cache, tmp_path):
    recipe = small(name)
    folder = train(recipe, tmp_path / name, cache, device="cpu")
    saved = checkpoint.read(folder)
    row = saved["rows"][-1]
    assert all(np.isfinite(row[term]) for term in ("loss", "critic", "cycle", "adversarial", "val score"))
    torch.manual_seed(recipe.seed + 1)
    partner = build.module(recipe.partner.implementation, recipe.partner.arguments).state_dict()
    assert any(not torch.equal(partner[key], value) for key, value in saved["trainer"]["partner"].items())
    restored = build.trained(folder)(np.random.default_rng(0).random((37, 50), dtype=np.float32), 10.0)
    assert restored.shape == (37, 50)


@pytest.mark.parametrize("name", ["disentangled", "cyclegan_mr"])
def test_a_stopped_unpaired_training_ends_like_an_undisturbed_one(name, cache, tmp_path, monkeypatch):
    """Codes that are drawn, both discriminators and the pool of earlier images continue where they were."""
    recipe = small(name, "schedule.steps=5")
    whole = checkpoint.read(train(recipe, tmp_path / "whole", cache, device="cpu"))
    update, calls = Supervised.update, []

    def stopped(*arguments):
        calls.append(None)
        if len(calls) == 7:  # within the fourth step: of each, the makers' update comes first
            raise KeyboardInterrupt
        return update(*arguments)

    monkeypatch.setattr(Supervised, "update", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "parts", cache, device="cpu", checkpoint_every=0.0)
    monkeypatch.undo()
    assert checkpoint.read(tmp_path / "parts")["progress"]["step"] == 3
    resumed = checkpoint.read(train(recipe, tmp_path / "parts", cache, device="cpu", resume=True))
    for part in ("network", "partner", "critic"):
        ours, theirs = whole["trainer"][part], resumed["trainer"][part]
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), part
    assert len(whole["trainer"]["pools"][0]) == len(resumed["trainer"]["pools"][0])


def test_the_recommended_form_learns_from_images_without_partners(cache, tmp_path):
    settings = ("schedule={steps=60, batch=2, warm_up=0, decay=0.1}", "validation={every=20, patients=1}")
    levels = ("degradation.levels=[20.0, 20.0]", "validation.levels=[15.0]", "optimiser.rate=3e-3")
    folder = train(small("disentangled", *settings, *levels), tmp_path / "run", cache, device="cpu")
    rows = checkpoint.read(folder)["rows"]
    assert rows[-1]["val score"] > rows[0]["val score"] > 16
    assert rows[-1]["val score"] > 17.5  # the noisy image has 16.4


def test_an_unpaired_recipe_says_what_it_lacks(cache, tmp_path):
    with pytest.raises(RecipeError, match=r"needs the tables \[critic\] and \[partner\]"):
        train(recipes.read("unet_mr", [SUBJECTS, 'trainer="unpaired:Unpaired"']), tmp_path / "a", cache, device="cpu")
    with pytest.raises(RecipeError, match="no loss 'beauty'"):
        train(small("disentangled", 'losses=[{name="beauty"}]'), tmp_path / "b", cache, device="cpu")


def test_a_pool_shows_earlier_images_half_of_the_time():
    torch.manual_seed(0)
    pool = Pool(4)
    shown = [float(pool(torch.full((1, 1, 1, 1), float(k)))) for k in range(400)]
    assert shown[:4] == [0, 1, 2, 3]
    earlier = sum(value < k for k, value in enumerate(shown))
    assert 150 < earlier < 250
    assert len(pool.images) == 4


def test_neighbours_are_the_pixels_next_to_each_other():
    places = [divmod(place, 2) for place in range(4)]
    steps = [np.abs(np.subtract(places[a], places[b])).sum() for a, b in neighbor.NEIGHBOURS]
    assert steps == [1] * 8
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert neighbor.chosen(image, torch.tensor([[0, 1], [2, 3]])).flatten().tolist() == [0, 3, 12, 15]


def test_a_u_net_begins_by_changing_nothing():
    images = torch.rand(2, 1, 19, 30)
    torch.testing.assert_close(UNet(width=4)(images, torch.tensor([0.1, 0.2])), images)
