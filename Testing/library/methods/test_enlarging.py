"""Claims about frames enlarged by networks, with random weights."""

from __future__ import annotations

import hashlib

import pytest
import torch
from safetensors.torch import save

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods import enlarging
from MedRestoreLib.networks import resizing
from MedRestoreLib.networks.student import Student
from Testing.support.phantoms import camera


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small random weights under the name "student"."""
    place = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    student = Student(2, width=8, layers=2)
    torch.nn.init.normal_(student.tail.weight, std=0.02)
    data = save({key: value.contiguous() for key, value in student.state_dict().items()})
    (place / "student.safetensors").write_bytes(data)
    (place / "manifest.toml").write_text(
        '[[weights]]\nname = "student"\nnetwork = "student:Student"\n'
        f'arguments = {{ factor = 2, width = 8, layers = 2 }}\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n',
        encoding="utf-8",
    )
    return place


@pytest.fixture(autouse=True)
def _weights(folder, monkeypatch):
    monkeypatch.setenv("MEDRESTORE_WEIGHTS", str(folder))


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """Eight frames that move by a pixel each, ``(8, 1, 40, 48)``."""
    whole = torch.from_numpy(camera(64, 64))
    return torch.stack([whole[4:44, 4 + step : 52 + step] for step in range(8)])[:, None].contiguous()


def consistency(enlarged: torch.Tensor, frames: torch.Tensor) -> float:
    return float(-10 * torch.log10((resizing.reduced(enlarged, 2) - frames).square().mean()))


def test_the_result_reduced_is_the_frame(clip):
    enlarged = enlarging.enlarge(clip, 0.0, factor=2, weights="student")
    assert enlarged.shape == (8, 1, 80, 96)
    assert consistency(enlarged, clip) > 45


def test_back_projection_brings_any_enlargement_nearer(clip):
    wrong = resizing.enlarged(clip, 2) + 0.05 * torch.randn(8, 1, 80, 96, generator=torch.Generator().manual_seed(0))
    assert consistency(enlarging.consistent(wrong, clip, 2), clip) > consistency(wrong, clip) + 10


def test_a_frame_does_not_depend_on_the_others_of_its_batch(clip):
    together = enlarging.enlarge(clip, 0.0, factor=2, weights="student")
    alone = enlarging.enlarge(clip[3:4], 0.0, factor=2, weights="student")
    assert torch.equal(together[3:4], alone)


def test_weights_of_another_factor_are_refused(clip):
    with pytest.raises(InvalidPlan, match="enlarge by 2, not by 3") as caught:
        enlarging.enlarge(clip[:1], 0.0, factor=3, weights="student")
    assert caught.value.field == "factor"
