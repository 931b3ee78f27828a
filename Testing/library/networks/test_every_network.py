"""Claims that networks share, with random weights. None is trained here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from MedRestoreLib.networks.bias_free import BiasFree
from MedRestoreLib.networks.disentangled import Disentangled
from MedRestoreLib.networks.dncnn import DnCNN, PaperDnCNN, SpeckleDnCNN
from MedRestoreLib.networks.dran import DRAN
from MedRestoreLib.networks.emanet import EMANet, PaperEMANet
from MedRestoreLib.networks.level_net import LevelNet, PaperLevelNet
from MedRestoreLib.networks.msan_like import MSANLike
from MedRestoreLib.networks.redcnn import REDCNN
from MedRestoreLib.networks.restormer import Restormer
from MedRestoreLib.networks.seunet import SEUNet
from MedRestoreLib.networks.swin_conv import SwinConvUNet
from MedRestoreLib.networks.unet_att import PaperUNetAtt, UNet, UNetAtt
from MedRestoreLib.networks.wgan_vgg import Critic, Generator
from Testing.support.small_networks import counts, made, speckled


class Case(NamedTuple):
    """A network.

    Attributes:
        small: makes it, smaller where it is large.
        images: makes images for it.
        level: what it does with the level of an image: "" takes none, "blind" ignores it, "told" heeds it.
        norm: whether it has batch normalisation, as the papers' forms do.
        margin: around a tile that is to agree with the whole; 0 for networks that see the whole image. The catalogue's
            rows carry no smaller reach.
    """

    small: Callable[[], torch.nn.Module]
    images: Callable[..., torch.Tensor] = counts
    level: str = ""
    norm: bool = False
    margin: int = 0

    def restored(self, images: torch.Tensor, levels: torch.Tensor, network: torch.nn.Module) -> torch.Tensor:
        with torch.inference_mode():
            return network(images, levels) if self.level else network(images)


RESTORERS = {
    "EMANet": Case(partial(EMANet, width=8), level="told", margin=96),
    "DnCNN": Case(DnCNN, level="told", margin=32),
    "BiasFree": Case(partial(BiasFree, width=8), level="told", margin=80),
    "Disentangled": Case(partial(Disentangled, width=8), level="told", margin=80),
    "PaperEMANet": Case(partial(PaperEMANet, width=8), level="told", norm=True),
    "PaperDnCNN": Case(partial(PaperDnCNN, layers=4, width=8), level="blind", norm=True),
    "REDCNN": Case(partial(REDCNN, width=8), level="blind"),
    "Generator": Case(Generator, level="blind"),
    "UNetAtt": Case(partial(UNetAtt, width=8), speckled, margin=128),
    "SwinConvUNet": Case(partial(SwinConvUNet, width=8, head=4), speckled, margin=192),
    "UNetAtt, no pattern": Case(partial(UNetAtt, width=8, blurred=True, fine=8), speckled, margin=128),
    "UNetAtt, no gates": Case(partial(UNetAtt, width=8, gates=False), speckled),
    "UNetAtt, one transition": Case(partial(UNetAtt, width=8, transitions=1), speckled),
    "Restormer": Case(partial(Restormer, width=8, blocks=(1, 1, 1, 1)), speckled),
    "MSANLike": Case(partial(MSANLike, width=8), speckled, margin=96),
    "PaperUNetAtt": Case(partial(PaperUNetAtt, width=8), speckled, norm=True),
    "UNet": Case(partial(UNet, width=8, guard=None), speckled, norm=True),
    "SpeckleDnCNN": Case(partial(SpeckleDnCNN, layers=4, width=8, guard=None), speckled, norm=True),
    "DRAN": Case(partial(DRAN, width=8), speckled, norm=True),
}
OTHERS = {
    "SEUNet": Case(partial(SEUNet, width=8), norm=True),
    "LevelNet": Case(LevelNet),
    "PaperLevelNet": Case(partial(PaperLevelNet, width=8), norm=True),
    "Critic": Case(partial(Critic, patch=32, width=16)),
}

every_restorer = pytest.mark.parametrize("case", RESTORERS.values(), ids=RESTORERS)
local = {name: case for name, case in RESTORERS.items() if case.margin}
every_local_restorer = pytest.mark.parametrize("case", local.values(), ids=local)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (EMANet, 693_448),
        (PaperEMANet, 2_721_141),
        (DnCNN, 89_016),
        (BiasFree, 1_334_448),
        (Disentangled, 1_411_056),
        (PaperDnCNN, 556_097),
        (SpeckleDnCNN, 556_097),
        (REDCNN, 1_848_865),
        (Generator, 56_097),
        (Critic, 17_923_521),
        (LevelNet, 144_475),
        (PaperLevelNet, 559_930),
        (SEUNet, 7_646_241),
        (UNetAtt, 7_358_552),
        (partial(UNetAtt, width=24), 1_037_232),
        (partial(UNetAtt, width=16, blurred=True, fine=8), 462_886),
        (PaperUNetAtt, 6_633_825),
        (UNet, 7_240_225),
        (SwinConvUNet, 571_333),
        (partial(SwinConvUNet, width=64, blocks=4, levels=4, fold=1, head=32), 16_180_621),
        (Restormer, 3_808_190),
        (MSANLike, 1_086_861),
        (DRAN, 2_453_101),
        (partial(DRAN, shared_blocks=True), 818_469),
    ],
)
def test_networks_have_as_many_parameters_as_they_say(build, parameters):
    assert sum(p.numel() for p in build().parameters()) == parameters


@every_restorer
def test_images_of_any_size_come_back_in_their_size(case):
    network = made(case.small)

    @settings(max_examples=8)
    @given(st.integers(16, 70), st.integers(16, 70))
    def check(rows: int, columns: int) -> None:
        images = case.restored(case.images(rows, columns, batch=2), torch.full((2,), 0.2), network)
        assert images.shape == (2, 1, rows, columns)
        assert images.dtype == torch.float32
        assert images.isfinite().all()

    check()


@pytest.mark.parametrize("name", ["SEUNet", "LevelNet", "PaperLevelNet"])
@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (17, 45)])
def test_segmenter_and_estimators_take_any_size(name, rows, columns):
    found = OTHERS[name].restored(counts(rows, columns, batch=2), None, made(OTHERS[name].small))
    assert found.shape == ((2, 1, rows, columns) if name == "SEUNet" else (2, 50))


@every_restorer
def test_each_image_of_a_batch_is_restored_at_its_own_level_as_if_it_were_alone(case):
    network = made(case.small).to(memory_format=torch.channels_last)
    levels = torch.tensor([0.02, 0.2])
    images = torch.cat([case.images(48, 32, 0.02, seed=1), case.images(48, 32, 0.2, seed=2)])
    together = case.restored(images, levels, network)
    for i in range(2):
        alone = case.restored(images[i : i + 1], levels[i : i + 1], network)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-3, atol=1e-5)


@every_restorer
def test_blind_networks_and_no_others_ignore_the_level(case):
    network, images = made(case.small), case.images(48, 32)
    first, second = (case.restored(images, torch.tensor([level]), network) for level in (0.02, 0.2))
    assert torch.equal(first, second) == (case.level != "told")


@pytest.mark.parametrize("case", {**RESTORERS, **OTHERS}.values(), ids={**RESTORERS, **OTHERS})
def test_batch_normalisation_is_for_the_papers_forms_and_the_segmenter(case):
    """It would mix the images of a batch, and the papers of the others forbid it or do without."""
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in case.small().modules()) == case.norm


@every_local_restorer
def test_a_tile_with_a_margin_agrees_with_the_whole(case):
    network, margin, level = made(case.small), case.margin, torch.tensor([0.2])
    first = max(128, margin)
    last = first + 48
    image = case.images(last + first + 32, last + first + 16)
    tile = image[..., first - margin : last + margin, first - margin : last + margin]
    whole = case.restored(image, level, network)[..., first:last, first:last]
    inner = case.restored(tile, level, network)[..., margin:-margin, margin:-margin]
    assert (whole - inner).abs().max() < 1e-5 < 1e-2 * whole.std()


@every_local_restorer
def test_an_odd_size_is_restored_like_the_larger_image_that_it_is_part_of(case):
    side = 256 + max(0, case.margin - 128)
    rows, columns = side - 17, side - 55
    network, level, image = made(case.small), torch.tensor([0.2]), case.images(side, side)
    whole, part = case.restored(image, level, network), case.restored(image[..., :rows, :columns], level, network)
    kept = np.s_[..., : rows - case.margin - 16, : columns - case.margin - 16]
    assert (whole[kept] - part[kept]).abs().max() < 1e-5
