"""What a node is told: good files are read, bad ones named before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.node.config import Config, Peer, Rule, read
from MedRestoreLib.presets import Preset
from Testing.support.paths import REPOSITORY

GOOD = """
[node]
folder = "state"
port = 11112
quiet_seconds = 5
[[peers]]
ae_title = "SCANNER"
address = "10.1.0.0/16"
[[peers]]
ae_title = "ARCHIVE"
address = "127.0.0.1"
port = 4242
[[rules]]
name = "bones"
modality = "NM"
description = "*whole body*"
method = "bm3d"
strength = 0.8
send_to = ["ARCHIVE"]
[[rules]]
name = "rest"
send_to = ["ARCHIVE"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text)
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    config = read(write(tmp_path, GOOD))
    assert (config.folder, config.port, config.quiet_seconds) == (tmp_path / "state", 11112, 5)
    assert [peer.ae_title for peer in config.peers] == ["SCANNER", "ARCHIVE"]
    assert config.rules[0].preset.edits() == {"method": "bm3d", "strength": 0.8}


def test_the_example_of_the_documentation_is_good(tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "node.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    config = read(write(tmp_path, example))
    assert [rule.name for rule in config.rules] == ["bone scans", "heads"]
    promised = re.findall(r"^(\w+) = ", example, re.MULTILINE) + re.findall(r"`(\w+_\w+)`", page)
    known = {*Config.__dataclass_fields__, *Peer.__dataclass_fields__, *Rule.__dataclass_fields__}
    assert set(promised) - known - {*Preset.__dataclass_fields__} == set()


def test_the_first_rule_that_fits_counts(tmp_path: Path) -> None:
    config = read(write(tmp_path, GOOD))
    bones = {"modality": "NM", "description": "WHOLE BODY ant", "station": "", "body_part": ""}
    assert config.rule_for(bones).name == "bones"
    assert config.rule_for({**bones, "description": "thyroid"}).name == "rest"
    only = read(write(tmp_path, GOOD[: GOOD.rindex("[[rules]]")]))
    assert only.rule_for({**bones, "modality": "MR"}) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("quiet_seconds", "quiet_second", "quiet_seconds is meant"),
        ('folder = "state"', "", "node.folder is missing"),
        ("quiet_seconds = 5", "quiet_seconds = -1", "number from 0"),
        ("quiet_seconds = 5", 'quiet_seconds = "5"', "is a number, not '5'"),
        ("port = 11112", "port = 11112.5", "whole number"),
        ('"SCANNER"', '"A TITLE FAR TOO LONG"', "at most 16"),
        ("port = 4242", "", "no peer with a port"),
        ("port = 4242", 'url = "ftp://there/dicom-web"', "begins with http"),
        ("port = 4242", 'port = 4242\nurl = "http://there"', "exclude each other"),
        ('address = "127.0.0.1"', 'url = "http://there"', "address is"),
        ('send_to = ["ARCHIVE"]\n[[rules]]', "[[rules]]", "send_to is a list"),
        ('method = "bm3d"', 'method = "bm3dd"', "bm3dd"),
        ("strength = 0.8", "strength = 8", "strength is a number from 0 to 1"),
        ('modality = "NM"', "modality = 3", "a pattern is a text"),
        ("[node]", "[node", "is no TOML"),
        ("[[rules]]", "[rules]", "is no TOML|are tables"),
        ("[[peers]]", "[tls]\nkey='a'\ncertificate='b'\nauthorities='c'\n[[peers]]", "there is no file"),
    ],
)
def test_a_bad_file_is_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidPlan, match=words) as error:
        read(write(tmp_path, GOOD.replace(old, new, 1)))
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidPlan, match="cannot be read"):
        read(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("address", "from_where", "good"),
    [
        ("10.1.0.0/16", "10.1.200.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("::1", "::1", True),
        ("no.such.host.invalid", "127.0.0.1", False),
    ],
)
def test_a_peer_is_where_it_is_said_to_be(address: str, from_where: str, good: bool) -> None:
    assert Peer("A", address).is_at(from_where) is good
