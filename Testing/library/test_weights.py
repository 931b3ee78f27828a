"""Weights: only what the manifest records is ever used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from MedRestoreLib import weights
from MedRestoreLib.errors import WeightsMissing
from MedRestoreLib.networks.dncnn import DnCNN
from Testing.support.paths import REPOSITORY

SHIPPED = REPOSITORY / "Resources" / "weights"

TABLE = """
[[weights]]
name = "small"
network = "dncnn:DnCNN"
arguments = {{ layers = 3, width = 8 }}
sha256 = "{sha256}"
recipe = "small"
trained_on = "nothing: random numbers"
date = "2026-11-20"
"""


def network() -> DnCNN:
    torch.manual_seed(0)
    network = DnCNN(layers=3, width=8)
    torch.nn.init.normal_(network.body.last.weight, std=0.02)
    return network


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of weights with one small network, which the library is told to use."""
    path = tmp_path / "small.safetensors"
    save_file({name: value.half() for name, value in network().state_dict().items()}, path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "manifest.toml").write_text(TABLE.format(sha256=sha256), encoding="utf-8")
    monkeypatch.setenv(weights.VARIABLE, str(tmp_path))
    return tmp_path


def test_a_network_comes_back_as_it_was_saved(folder):
    loaded, saved = weights.find("small").load(), network().eval()
    image, level = torch.rand(1, 1, 32, 32), torch.tensor([0.1])
    torch.testing.assert_close(loaded(image, level), saved(image, level), rtol=0, atol=1e-3)  # float16 on disk
    assert not loaded.training
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in loaded.parameters())


def test_what_the_manifest_says_can_be_read_without_loading(folder):
    row = weights.find("small")
    assert (row.network, row.trained_on) == ("dncnn:DnCNN", "nothing: random numbers")
    assert weights.installed("small")


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_changed_byte_is_refused(folder, place):
    path = folder / "small.safetensors"
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1
    path.write_bytes(contents)
    with pytest.raises(WeightsMissing, match="damaged"):
        weights.find("small").load()


def test_a_file_cut_short_is_refused(folder):
    path = folder / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsMissing, match="damaged"):
        weights.find("small").contents()


def test_an_absent_file_is_named_with_what_to_do(folder):
    (folder / "small.safetensors").unlink()
    assert not weights.installed("small")
    with pytest.raises(WeightsMissing, match=r"'small' are not in .*; install") as caught:
        weights.find("small").load()
    assert "\n" not in str(caught.value)


def test_weights_that_the_manifest_does_not_list_are_not_used(folder):
    (folder / "other.safetensors").write_bytes((folder / "small.safetensors").read_bytes())
    assert not weights.installed("other")
    with pytest.raises(WeightsMissing, match="lists no weights 'other'"):
        weights.find("other")


def test_without_a_manifest_nothing_is_installed(folder):
    (folder / "manifest.toml").unlink()
    assert not weights.installed("small")
    with pytest.raises(WeightsMissing, match="lists no weights"):
        weights.find("small")


@pytest.mark.parametrize("text", ["[[weights]", '[[weights]]\nname = "small"\n', "weights = 3\n", "weights = [1]\n"])
def test_a_manifest_that_cannot_be_read_is_an_error_and_not_a_crash(folder, text):
    (folder / "manifest.toml").write_text(text, encoding="utf-8")
    assert not weights.installed("small")
    with pytest.raises(WeightsMissing, match="cannot be read"):
        weights.find("small")


@pytest.mark.parametrize(
    "change",
    [
        ("dncnn:DnCNN", "dncnn:Unknown"),
        ("dncnn:", "unknown:"),
        ("dncnn:DnCNN", "a network"),
        ("width = 8", "width = 9"),
    ],
)
def test_weights_of_another_network_are_refused(folder, change):
    path = folder / "manifest.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(WeightsMissing, match="do not fit"):
        weights.find("small").load()


def test_weights_lie_beside_the_library_unless_a_folder_is_named(folder, monkeypatch):
    assert weights.folder() == folder
    monkeypatch.delenv(weights.VARIABLE)
    assert weights.folder() == SHIPPED


def test_shipped_weights_are_recorded_whole_and_small():
    rows = weights.manifest(SHIPPED)
    assert rows
    assert {p.stem for p in SHIPPED.glob("*.safetensors")} == set(rows)
    for row in rows.values():
        assert len(row.contents()) < 16e6
        assert "" not in (row.recipe, row.trained_on, row.date)
        assert (REPOSITORY / "Resources" / "cards" / f"{row.name}.md").is_file()
        row.load()
