"""A batch from and to an object store leaves what it leaves in a folder, as whole objects."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.service.stores import Store, place_of
from Testing.kills import snapshot
from Testing.node_trials import free_port
from training.simulate.dicom import as_mr

fsspec = pytest.importorskip("fsspec")
EDITS: dict[str, Any] = {"method": "adf", "noise": "gaussian", "level": 5.0}


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    """One of each kind: alone, with a data file, with a sidecar, as a series; a damaged one and a letter."""
    folder = tmp_path_factory.mktemp("studies")
    values = np.random.default_rng(0).normal(100, 5, (3, 24, 24)).astype(np.float32)
    image = mr.Image.from_array(values, axes="zyx", modality="MR")
    for name in ("one.nrrd", "below/pair.nhdr", "below/brain.nii.gz"):
        (folder / name).parent.mkdir(exist_ok=True)
        mr.write(image, folder / name)
    (folder / "below" / "brain.json").write_text('{"Modality": "MR"}')
    as_mr(image, folder / "series")
    (folder / "damaged.nrrd").write_bytes(b"NRRD0004\n")
    (folder / "letter.txt").write_text("Dear colleague, ...")
    return folder


@pytest.fixture(scope="module")
def alone(studies: Path, tmp_path_factory) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    target = tmp_path_factory.mktemp("alone") / "out"
    return states(mr.batch(studies, target, **EDITS)), snapshot(target)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The endpoint of a moto server, with a bucket."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    told = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    told["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        system = fsspec.filesystem("s3", skip_instance_cache=True)
        end = time.monotonic() + 120
        while True:
            try:
                system.mkdir("archive")
                break
            except Exception:
                assert time.monotonic() < end
                time.sleep(0.2)
        yield "s3://archive"
        server.kill()
        server.wait()


@pytest.fixture(params=["memory", "s3"])
def root(request) -> str:
    """A place in a store, which nothing lies in."""
    where = request.getfixturevalue("s3") if request.param == "s3" else "memory://archive"
    return f"{where}/{uuid.uuid4().hex}"


def states(rows: list[mr.Row]) -> list[tuple[str, str]]:
    return [(row.study, row.status) for row in rows]


def fill(url: str, folder: Path) -> None:
    Store(url).put([path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()], folder)


def fetched(url: str, folder: Path) -> dict[str, Any]:
    store = Store(url)
    store.fetch([below / name for below, names in store.walk() for name in names], folder)
    return snapshot(folder)


def test_a_store_gets_what_a_folder_gets_and_a_rerun_does_nothing(studies, alone, root, tmp_path) -> None:
    rows, files = alone
    fill(f"{root}/in", studies)
    assert states(mr.batch(f"{root}/in", f"{root}/out", **EDITS)) == rows
    assert fetched(f"{root}/out", tmp_path / "out") == files
    again = {row.status for row in mr.batch(f"{root}/in", f"{root}/out", **EDITS)}
    assert again == {"already done", "failed"}


def test_what_was_changed_in_a_store_is_done_again(studies, alone, root, tmp_path) -> None:
    mr.batch(studies, f"{root}/out", **EDITS)
    system, place = Store(f"{root}/out").open()
    system.pipe_file(f"{place}/one.nrrd", b"something else")
    system.rm_file(f"{place}/below/brain.nii.gz.json")
    done = {row.study: row.status for row in mr.batch(studies, f"{root}/out", **EDITS)}
    assert {study for study, status in done.items() if status == "restored"} == {"one.nrrd", "below/brain.nii.gz"}
    assert fetched(f"{root}/out", tmp_path / "out") == alone[1]
    other = mr.batch(studies, f"{root}/out", **{**EDITS, "level": 7.0})
    assert [row.status for row in other].count("restored") == 4


def test_from_a_store_into_a_folder(studies, alone, root, tmp_path) -> None:
    fill(f"{root}/in", studies)
    assert states(mr.batch(f"{root}/in", tmp_path / "out", **EDITS)) == alone[0]
    assert snapshot(tmp_path / "out") == alone[1]


def test_the_record_goes_first_and_comes_last(studies, tmp_path, monkeypatch) -> None:
    """Whoever looks after any step finds no record but a true one."""
    target, seen = f"memory://archive/{uuid.uuid4().hex}", []
    mr.batch(studies, target, **EDITS)
    put, remove = Store.put, Store.remove

    def watched(self, names, *folder):
        for name in list(names):
            (put if folder else remove)(self, [name], *folder)
            check = tmp_path / str(len(seen))
            fetched(target, check)
            for record in check.rglob("*.json"):
                for file, digest in json.loads(record.read_text())["files"].items():
                    assert mr.files.atomic.sha256(record.parent / file) == digest
            seen.append(name)

    monkeypatch.setattr(Store, "put", watched)
    monkeypatch.setattr(Store, "remove", watched)
    rows = mr.batch(studies, target, **{**EDITS, "level": 7.0})
    assert [row.status for row in rows].count("restored") == 4
    assert len(seen) > 8


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("ftp://there/out", mr.UnsupportedImage, "no store that a batch can use"),
        ("memory://in", mr.OutputError, "inside"),
        ("memory://in/below/out", mr.OutputError, "inside"),
    ],
)
def test_places_that_do_not_fit_are_refused(target, error, words) -> None:
    with pytest.raises(error, match=words):
        mr.batch("memory://in", target, **EDITS)


def test_an_empty_place_holds_no_study(root) -> None:
    with pytest.raises(mr.UnsupportedImage, match=r"cannot be listed|holds no study"):
        mr.batch(f"{root}/nothing", f"{root}/out", **EDITS)


def test_the_command_takes_urls(studies, s3, tmp_path) -> None:
    root = f"{s3}/{uuid.uuid4().hex}"
    fill(f"{root}/in", studies)
    command = [sys.executable, "-m", "MedRestoreLib", "batch", f"{root}/in", f"{root}/out", "--method", "adf"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert "1 failed, 4 restored in" in run.stdout, run.stderr
    fetched(f"{root}/out", tmp_path / "out")
    assert "one.nrrd" in (tmp_path / "out" / "summary.csv").read_text()


def test_a_folder_is_a_folder() -> None:
    assert place_of("studies") == Path("studies").absolute()
