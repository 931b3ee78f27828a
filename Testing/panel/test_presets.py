"""Presets are chosen, saved, shared as files, and refused where they are wrong; a study is restored as they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from MedRestoreLib import presets
from Testing.support.panel_user import User, add_head


@pytest.fixture
def shelf(user: User, tmp_path):
    """An empty folder of presets, and answers to what the panel asks."""
    section = user.panel.presets
    before = (section.folder, section.askNaming, section.askOpen, section.askSave)
    section.folder = lambda: str(tmp_path / "presets")
    section._load()
    yield presets.Shelf(tmp_path / "presets")
    section.folder, section.askNaming, section.askOpen, section.askSave = before
    section._load()


def save(user: User, **naming) -> None:
    from MedRestorePanel.presets import Naming

    user.panel.presets.askNaming = lambda proposed: proposed._replace(**naming) if naming else Naming("unnamed")
    user.panel.presets.actions["save"].trigger()
    user.rest()


def pick(user: User, name: str) -> None:
    box = user.ui.presetComboBox
    box.setCurrentIndex(box.findText(name))
    user.wait_until_read()


def items(user: User) -> list[str]:
    return [user.ui.presetComboBox.itemText(index) for index in range(user.ui.presetComboBox.count)]


def test_what_was_saved_is_there_for_the_next_study(user, shelf, head):
    user.open(head, method="adf", strength=0.5, device="cpu")
    user.choose(options="iterations=3", memory=0.5)
    save(user, name="Gentle")
    assert items(user) == ["None", "Gentle"]
    assert user.ui.presetComboBox.currentText == "Gentle"
    user.choose(strength=0.75)
    assert user.ui.presetComboBox.currentText == "None", "any change by hand makes it another"
    user.open(add_head("next", seed=3))
    assert user.p.method != "adf"
    pick(user, "Gentle")
    assert (user.p.method, user.p.noise, user.p.strength, user.p.memory) == ("adf", "rician", 0.5, 0.5)
    assert user.p.options == "iterations=3"
    assert user.p.level > 0, "read off the study at hand"
    assert user.ui.presetComboBox.currentText == "Gentle"
    from MedRestoreLib import mrml

    plan = mrml.report_of(user.apply())["plan"]
    assert (plan["method"], plan["strength"], plan["options"]) == ("adf", 0.5, {"iterations": 3})


def test_a_level_may_be_kept_and_a_method_left_open(user, shelf, head):
    user.open(head, method="adf", level=7.0)
    save(user, name="Seven")
    save(user, name="Open", anyMethod=True, anyLevel=True)
    stored = shelf.all()[0]
    assert (stored["Seven"].level, stored["Seven"].noise) == (7.0, "rician")
    assert (stored["Open"].method, stored["Open"].noise, stored["Open"].level) == ("auto", "auto", "auto")
    user.open(add_head("next", seed=3))
    recommended = user.p.method
    pick(user, "Seven")
    assert (user.p.method, user.p.level) == ("adf", 7.0)
    pick(user, "Open")
    assert user.p.method == recommended
    assert user.p.level != 7.0


def test_a_preset_travels_as_a_file(user, shelf, head, tmp_path):
    user.open(head, method="adf", strength=0.5)
    save(user, name="Bone / scan: gentle")
    user.panel.presets.askSave = lambda name: str(tmp_path / "shared.json")
    user.panel.presets.actions["export"].trigger()
    assert "shared.json" in user.ui.statusLabel.text
    (path,) = shelf.folder.iterdir()
    assert path.read_bytes() == (tmp_path / "shared.json").read_bytes()
    from Testing import host

    host.answer("Yes")
    user.panel.presets.actions["delete"].trigger()
    assert items(user) == ["None"]
    assert list(shelf.folder.iterdir()) == []
    user.panel.presets.askOpen = lambda: str(tmp_path / "shared.json")
    user.panel.presets.actions["import"].trigger()
    assert items(user) == ["None", "Bone / scan: gentle"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("{", "not JSON"),
        ({"medrestorePreset": 1, "name": "x", "method": "bm4"}, "did you mean 'bm4d'"),
        ({"medrestorePreset": 2, "name": "x"}, "format 2"),
        ({"name": "x"}, "not a preset"),
    ],
)
def test_a_file_that_is_no_preset_is_refused_with_a_reason(user, shelf, head, tmp_path, values, said):
    user.open(head, method="adf")
    path = tmp_path / "wrong.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    user.panel.presets.askOpen = lambda: str(path)
    user.panel.presets.actions["import"].trigger()
    assert said in user.ui.statusLabel.text
    assert user.ui.statusLabel.text.startswith("Wrong.json")
    assert items(user) == ["None"]


def test_a_broken_file_in_the_folder_is_named_and_cannot_be_chosen(user, shelf, head):
    shelf.keep(presets.Preset("Good", method="adf"))
    (Path(shelf.folder) / f"bad{presets.ENDING}").write_text("[]")
    user.open(head)
    user.panel.presets._load()
    user.choose(strength=0.9)
    assert items(user) == ["None", "Good", f"bad{presets.ENDING}: cannot be used"]


def test_saving_where_nothing_can_be_written_is_a_sentence(user, shelf, head, tmp_path):
    (tmp_path / "presets").write_text("a file where the folder should be")
    user.open(head, method="adf")
    save(user, name="Gentle")
    assert "cannot be written" in user.ui.statusLabel.text


def test_options_that_are_no_list_are_said_beside_the_button(user, head):
    user.open(head, method="adf")
    user.choose(options="many iterations")
    assert not user.ui.applyButton.enabled
    assert "name=value" in user.ui.statusLabel.text
    user.choose(options="nosuch=3")
    user.press("applyButton")
    user.wait(lambda: not user.panel.restoring.isRunning)
    assert "no option" in user.ui.statusLabel.text
    user.choose(method="srad")
    assert user.p.options == "", "options belong to a method"
