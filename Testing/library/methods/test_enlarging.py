"""Claims about frames enlarged by networks, with random weights."""

from __future__ import annotations

import hashlib

import pytest
import torch
from safetensors.torch import save

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods import enlarging
from MedRestoreLib.methods.registration import register
from MedRestoreLib.networks import resizing
from MedRestoreLib.networks.fusion import Neighbours
from MedRestoreLib.networks.student import Student
from Testing.support.phantoms import camera


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request):
    """Small random weights under the names of those that ship."""
    place, rows = tmp_path_factory.mktemp("weights"), []
    torch.manual_seed(0)
    student = Student(2, width=8, layers=2)
    torch.nn.init.normal_(student.tail.weight, std=0.02)
    neighbours = Neighbours(2, width=8, layers=1)
    torch.nn.init.normal_(neighbours.tail.weight, std=0.02)
    for name, network, arguments in (
        (
            "student",
            student,
            "student:Student",
        ),
        ("neighbours", neighbours, "fusion:Neighbours"),
    ):
        data = save({key: value.contiguous() for key, value in network.state_dict().items()})
        (place / f"{name}.safetensors").write_bytes(data)
        more = ", layers = 2" if name == "student" else ', layers = 1, student = "student"'
        rows.append(
            f'[[weights]]\nname = "{name}"\nnetwork = "{arguments}"\n'
            f'arguments = {{ factor = 2, width = 8{more} }}\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        )
    (place / "manifest.toml").write_text("\n".join(rows), encoding="utf-8")
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


def test_a_single_frame_has_no_neighbours_but_itself(clip):
    """Three copies of a frame are what one frame is fused with at both ends of a clip."""
    one = enlarging.fuse_and_enlarge(clip[:1], 0.0, factor=2, weights="neighbours")
    copies = enlarging.fuse_and_enlarge(clip[:1].expand(9, 1, 40, 48), 0.0, factor=2, weights="neighbours")
    assert torch.allclose(one[0], copies[4], atol=1e-5)


def test_a_frame_depends_on_two_before_and_three_after_it_alone(clip):
    usual = enlarging.fuse_and_enlarge(clip, 0.0, factor=2, weights="neighbours")
    changed = clip.clone()
    changed[1] = clip[1].flip(1)
    found = enlarging.fuse_and_enlarge(changed, 0.0, factor=2, weights="neighbours")
    same = [bool(torch.equal(one, other)) for one, other in zip(usual, found, strict=True)]
    assert same[4:] == [True] * 4, "frame 1 is more than two before them"
    assert not same[1]


def test_fused_frames_are_consistent_and_the_same_every_time(clip):
    first, second = (enlarging.fuse_and_enlarge(clip, 0.0, factor=2, weights="neighbours") for _ in range(2))
    assert torch.equal(first, second)
    assert consistency(first, clip) > 45


def test_neighbours_are_moved_onto_the_frame(clip, monkeypatch):
    seen = []
    monkeypatch.setattr(
        enlarging, "register", lambda frames, reference: seen.append(len(frames)) or register(frames, reference)
    )
    enlarging.fuse_and_enlarge(clip, 0.0, factor=2, weights="neighbours")
    assert seen == [5] * len(clip)


@pytest.mark.parametrize("method", [enlarging.enlarge, enlarging.fuse_and_enlarge])
def test_weights_of_another_factor_are_refused(clip, method):
    weights = "student" if method is enlarging.enlarge else "neighbours"
    with pytest.raises(InvalidPlan, match="enlarge by 2, not by 3") as caught:
        method(clip[:1], 0.0, factor=3, weights=weights)
    assert caught.value.field == "factor"
