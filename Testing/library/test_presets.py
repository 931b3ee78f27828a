"""Presets: every value is checked when it is read, and a file is written whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib import MedRestoreError, presets
from MedRestoreLib.presets import Preset, Shelf

GENTLE = Preset("Gentle", method="adf", noise="gaussian", level=12.5, strength=0.7, options={"iterations": 3}, note="π")


def test_a_preset_survives_its_file(tmp_path):
    assert presets.read(presets.write(GENTLE, tmp_path / "gentle.json")) == GENTLE


def test_a_study_is_restored_as_the_preset_says():
    image = mr.Image.from_array(np.random.default_rng(0).normal(100, 10, (32, 32)), modality="CT")
    plan = mr.recommend(image, **GENTLE.edits())
    assert (plan.method, plan.noise, plan.level, plan.strength) == ("adf", "gaussian", 12.5, 0.7)
    assert plan.options == {"iterations": 3}
    assert Preset("Open").edits() == {"strength": 1.0}


@pytest.mark.parametrize(
    ("change", "said", "field"),
    [
        ({"name": ""}, "name", "name"),
        ({"name": "two\nlines"}, "name", "name"),
        ({"name": 3}, "text", "name"),
        ({"method": "bm3"}, "did you mean 'bm3d'", "method"),
        ({"method": ["adf"]}, "text", "method"),
        ({"noise": "white"}, "no noise model", "noise"),
        ({"method": "srad", "noise": "rician"}, "does not handle", "noise"),
        ({"noise": "auto", "level": 3.0}, "needs the noise model", "noise"),
        ({"level": -1}, "above 0", "level"),
        ({"level": "much"}, "above 0", "level"),
        ({"strength": 2}, "0 to 1", "strength"),
        ({"strength": True}, "0 to 1", "strength"),
        ({"strength": "1"}, "0 to 1", "strength"),
        ({"dimensions": 4}, "2 or 3", "dimensions"),
        ({"options": []}, "object", "options"),
        ({"method": "auto"}, "method that they belong to", "method"),
        ({"device": "gpu"}, "unknown", "device"),
        ({"memory_gb": 0}, "above 0", "memory_gb"),
        ({"nosuch": 1}, "no field 'nosuch'", ""),
        ({"strenght": 1}, "did you mean 'strength'", ""),
        ({"medrestorePreset": 9}, "format 9", ""),
    ],
)
def test_what_is_wrong_is_named(change, said, field):
    values = json.loads(GENTLE.to_json()) | change
    with pytest.raises(MedRestoreError) as caught:
        presets.from_json(json.dumps(values))
    assert said in str(caught.value)
    assert caught.value.field == field


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "x"}', b"\xff\xfe", "[" * 100_000])
def test_what_is_no_preset_is_refused(text):
    with pytest.raises(MedRestoreError):
        presets.from_json(text)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path):
    with pytest.raises(MedRestoreError, match=r"missing\.json"):
        presets.read(tmp_path / "missing.json")
    (tmp_path / "large.json").write_text(" " * 1_100_000)
    with pytest.raises(MedRestoreError, match="too large"):
        presets.read(tmp_path / "large.json")


def test_a_shelf_keeps_one_file_for_each_name(tmp_path):
    shelf = Shelf(tmp_path / "deep" / "shelf")
    assert shelf.all() == ({}, {})
    shelf.keep(Preset("b/c"))
    shelf.keep(Preset("b:c"))
    shelf.keep(Preset("A"))
    shelf.keep(Preset("A", strength=0.5))
    found, _wrong = shelf.all()
    assert list(found) == ["A", "b/c", "b:c"]
    assert found["A"].strength == 0.5
    assert len(list(shelf.folder.iterdir())) == 3
    shelf.remove("A")
    shelf.remove("A")
    assert list(shelf.all()[0]) == ["b/c", "b:c"]
    (shelf.folder / f"broken{presets.ENDING}").write_text("{")
    assert list(shelf.all()[1]) == [f"broken{presets.ENDING}"]


def test_a_write_that_fails_leaves_the_former_file(tmp_path, monkeypatch):
    import os

    path = presets.write(GENTLE, tmp_path / "gentle.json")
    monkeypatch.setattr(os, "replace", lambda *arguments: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(MedRestoreError, match="full"):
        presets.write(Preset("Other"), path)
    monkeypatch.undo()
    assert presets.read(path) == GENTLE
    assert [entry.name for entry in tmp_path.iterdir()] == ["gentle.json"]


@pytest.mark.parametrize("text", ["", "iterations=20", "a=1, b=[1, 2], c=wide", 'a="x", b=true'])
def test_options_are_one_line(text):
    options = presets.options_from_text(text)
    assert presets.options_from_text(presets.options_to_text(options)) == options


@pytest.mark.parametrize("text", ["many", "20", "more a=3"])
def test_a_line_that_is_no_list_of_options_is_refused(text):
    with pytest.raises(MedRestoreError, match="name=value"):
        presets.options_from_text(text)
