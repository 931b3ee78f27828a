"""A node among real peers: what it takes it restores and sends on, over kills, and nobody else gets in."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from MedRestoreLib.errors import OutputError
from MedRestoreLib.node.config import read
from MedRestoreLib.node.queue import Queue
from MedRestoreLib.node.sender import deliver
from MedRestoreLib.node.server import Node
from Testing.support.dicom_objects import CLASSES, head, series
from Testing.support.dicom_peers import destination, echo, send, web_destination
from Testing.support.paths import REPOSITORY

pytest.importorskip("pynetdicom")
PATIENCE = 240.0


def configured(folder: Path, archive: int, **values: Any) -> Path:
    """The file of a node that sends to an archive at a port."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"folder": '"state"', "port": 0, "quiet_seconds": 1.0, "least_free_gb": 0.0, **values}
    path = folder / "node.toml"
    path.write_text(
        "[node]\n"
        + "".join(f"{name} = {value}\n" for name, value in told.items())
        + f"""
[[peers]]
ae_title = "SENDER"
address = "127.0.0.1"
[[peers]]
ae_title = "ELSEWHERE"
address = "10.0.0.1"
[[peers]]
ae_title = "ARCHIVE"
address = "127.0.0.1"
port = {archive}
may_send = false
[[rules]]
name = "heads"
modality = "MR"
description = "head*"
method = "adf"
noise = "gaussian"
level = 5.0
send_to = ["ARCHIVE"]
"""
    )
    return path


@contextmanager
def node(config: Path) -> Iterator[Node]:
    running = Node(read(config))
    running.start()
    try:
        yield running
    finally:
        running.stop()


def study(folder: Path, seed: int = 0, slices: int = 5, description: str = "head t1") -> list[Path]:
    """A series of its own, as files."""
    uids = {"SeriesInstanceUID": generate_uid(entropy_srcs=[str(folder), str(seed)]), "StudyInstanceUID": "1.2.3"}

    def whole(dataset: Any, index: int) -> None:
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[uids["SeriesInstanceUID"], str(index)])
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.FrameOfReferenceUID = f"1.2.840.7.{seed}"

    series(folder, head(slices, seed=seed), whole, SeriesDescription=description, **uids)
    return sorted(folder.iterdir())


def until(true: Callable[[], Any], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def test_a_series_is_restored_and_sent_on_as_a_derived_one(tmp_path: Path) -> None:
    files = study(tmp_path / "in")
    with destination() as (port, taken), node(configured(tmp_path, port, on_release="true", quiet_seconds=600)) as one:
        assert echo(one.port) == 0
        assert send(one.port, files) == [0] * 5
        until(lambda: len(taken) == 5 and one.queue.figures()["deliveries"]["sent"] == 5)
        assert one.queue.figures()["counters"] == {"received": 5, "sent": 5}
    sources = [dcmread(file) for file in files]
    assert {one.StudyInstanceUID for one in taken} == {"1.2.3"}
    assert {one.FrameOfReferenceUID for one in taken} == {sources[0].FrameOfReferenceUID}
    (made,) = {one.SeriesInstanceUID for one in taken}
    assert made != sources[0].SeriesInstanceUID
    assert len({one.SOPInstanceUID for one in taken} - {one.SOPInstanceUID for one in sources}) == 5
    assert all(one.ImageType[0] == "DERIVED" and "ADF" in one.DerivationDescription.upper() for one in taken)


def test_what_no_rule_fits_is_kept_and_not_sent(tmp_path: Path) -> None:
    with destination() as (port, taken), node(configured(tmp_path, port)) as one:
        assert send(one.port, study(tmp_path / "in", description="knee")) == [0] * 5
        assert one.queue.figures()["series"]["ignored"] == 1
        assert not taken


def test_a_series_that_cannot_be_restored_says_why_and_stops_no_other(tmp_path: Path) -> None:
    torn = study(tmp_path / "torn", seed=1)
    with destination() as (port, taken), node(configured(tmp_path, port, on_release="true")) as one:
        send(one.port, [torn[0], torn[1], torn[4]])
        send(one.port, study(tmp_path / "good", seed=2))
        until(lambda: len(taken) == 5 and one.queue.figures()["series"]["failed"] == 1)
        ((_, state, why),) = one.queue.troubles()
        assert state == "failed"
        assert "missing" in why
        assert send(one.port, torn) == [0] * 5  # the missing slices come, and those there are come again
        until(lambda: len(taken) == 10)
        assert one.queue.figures()["series"]["failed"] == 0


def test_nobody_else_gets_in(tmp_path: Path) -> None:
    (file,) = study(tmp_path / "in", slices=1)
    with destination() as (port, _), node(configured(tmp_path, port)) as one:
        for who in ({"title": "STRANGER"}, {"title": "ELSEWHERE"}, {"title": "ARCHIVE"}, {"called": "OTHER"}):
            assert echo(one.port, **who) is None
            assert send(one.port, [file], **who) == [None]
        assert one.queue.figures()["series"]["receiving"] == 0
    assert not list((tmp_path / "state" / "incoming").iterdir())


def test_what_is_damaged_or_not_ours_is_refused_with_a_status(tmp_path: Path) -> None:
    first, second, third, fourth = (dcmread(file) for file in study(tmp_path / "in", slices=4))
    del first.SeriesInstanceUID
    second.Modality, second.SOPClassUID = "CT", CLASSES["MR"]
    other = dcmread(tmp_path / "in" / "0003.dcm")
    other.PixelData = other.PixelData[::-1]
    del third.StudyInstanceUID
    with destination() as (port, _), node(configured(tmp_path, port)) as one:
        assert send(one.port, [first, second, third, fourth, fourth, other]) == [0xA900, 0xA900, 0xA900, 0, 0, 0x0111]
        counters = one.queue.figures()["counters"]
        assert (counters["received"], counters["refused_duplicate"], counters["refused_mismatch"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("limits", "status", "counter"),
    [
        ({"least_free_gb": 1e9}, 0xA700, "disk_full"),
        ({"instances_per_minute": 1}, 0xA700, "rate"),
        ({"max_instance_mb": 0.02}, None, "too_large"),
    ],
)
def test_limits_hold(limits: dict[str, Any], status: int | None, counter: str, tmp_path: Path) -> None:
    small, large = study(tmp_path / "in", slices=2)
    huge = dcmread(large)
    huge.PixelData, huge.Rows, huge.Columns = np.zeros(20_000, np.uint16).tobytes(), 100, 200
    with destination() as (port, _), node(configured(tmp_path, port, **limits)) as one:
        assert send(one.port, [small, huge])[1] == status
        until(lambda: one.queue.figures()["counters"].get(f"refused_{counter}", 0) >= 1)


def test_a_destination_that_refuses_is_tried_again(tmp_path: Path) -> None:
    busy = iter([0xA700, 0xA700, 0, 0])
    with destination(statuses=busy) as (port, taken), node(configured(tmp_path, port, on_release="true")) as one:
        send(one.port, study(tmp_path / "in", slices=4))
        until(lambda: one.queue.figures()["deliveries"]["sent"] == 4)
        assert len({data.SOPInstanceUID for data in taken}) == 4


def test_dicomweb_takes_each_instance_once_though_an_answer_is_lost(tmp_path: Path) -> None:
    pytest.importorskip("dicomweb_client")
    config = configured(tmp_path, 4242, on_release="true")
    with web_destination(lost_answers=1) as (url, taken):
        config.write_text(config.read_text().replace("port = 4242", f'url = "{url}"'))
        with node(config) as one:
            send(one.port, study(tmp_path / "in", slices=3))
            until(lambda: one.queue.figures()["deliveries"]["sent"] == 3)
    assert len(taken) == len({data.SOPInstanceUID for data in taken}) == 3
    assert all(data.ImageType[0] == "DERIVED" for data in taken)


def test_what_we_made_is_not_restored_again(tmp_path: Path) -> None:
    with destination() as (port, taken), node(configured(tmp_path, port, on_release="true")) as one:
        send(one.port, study(tmp_path / "in"))
        until(lambda: len(taken) == 5)
        for data in taken:
            data.SeriesDescription = "head again"
        assert send(one.port, taken) == [0] * 5
        until(lambda: one.queue.figures()["series"]["failed"] == 1)
        assert one.queue.troubles()[0][2] == "it was made by MedRestore"


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    with destination() as (port, taken), node(configured(tmp_path, port, on_release="true", keep_hours=0)) as one:
        send(one.port, study(tmp_path / "in"))
        until(lambda: len(taken) == 5 and one.queue.figures()["deliveries"]["sent"] == 5)
        one._forget()
        assert one.queue.figures()["series"]["done"] == 0
    assert not list((tmp_path / "state").glob("*/*"))


def test_metrics_are_numbers_alone(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = free.getsockname()[1]
    with destination() as (port, _), node(configured(tmp_path, port, metrics_port=at)) as one:
        send(one.port, study(tmp_path / "in", description="knee of Phantom"))
        with urllib.request.urlopen(f"http://127.0.0.1:{at}/metrics") as answer:
            text = answer.read().decode()
    assert 'medrestore_node_series{state="ignored"} 1' in text
    assert "medrestore_node_received_total 5" in text
    assert "phantom" not in text.casefold()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with two certificates and keys, ours and a stranger's."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificates")
    for name in ("ours", "strangers"):
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        command += " -addext subjectAltName=IP:127.0.0.1"
        files = ["-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"]
        subprocess.run([*command.split(), *files], check=True, capture_output=True)
    return tmp_path


def over_tls(config: Path) -> Path:
    """The file of a node, with our certificate, and an archive that is sent to over TLS."""
    ours = 'certificate = "ours.pem"\nkey = "ours.key"\nauthorities = "ours.pem"\n'
    text = config.read_text().replace("may_send = false", "may_send = false\ntls = true")
    config.write_text(f"{text}[tls]\n{ours}")
    return config


def test_over_tls_only_those_with_a_certificate_get_in(certificates: Path) -> None:
    trusted = certificates / "ours.pem"
    with node(over_tls(configured(certificates, 4242))) as one:
        assert echo(one.port) is None
        assert echo(one.port, tls=certificates / "strangers", trusted=trusted) is None
        assert echo(one.port, tls=certificates / "ours", trusted=trusted) == 0


@pytest.mark.parametrize(("who", "count"), [("ours", 1), ("strangers", 0)])
def test_over_tls_only_a_destination_we_trust_gets_something(certificates: Path, who: str, count: int) -> None:
    (file,) = study(certificates / "in", slices=1)
    with destination(tls=certificates / who) as (port, taken):
        config = read(over_tls(configured(certificates, port)))
        queue = Queue(certificates / "queue.sqlite")
        queue.add("1.2", "1.2.3", file, "", {}, "heads")
        work = queue.begin(0.0)
        assert work is not None
        queue.finish(work, [file], ["ARCHIVE"])
        assert deliver(config, queue) == 1
        assert queue.figures()["deliveries"]["sent"] == len(taken) == count
        queue.close()


def test_two_nodes_do_not_share_a_folder(tmp_path: Path) -> None:
    config = configured(tmp_path, 4242)
    with node(config), pytest.raises(OutputError, match="another node uses"):
        Node(read(config))


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_kills_lose_nothing_that_was_acknowledged_and_double_nothing(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = free.getsockname()[1]
    studies = [study(tmp_path / f"in{k}", seed=k) for k in range(4)]
    left = [file for files in studies for file in files]
    with destination() as (port, taken):
        config = configured(tmp_path, port, port=at, quiet_seconds=2.0)
        command = [sys.executable, "-m", "MedRestoreLib", "node", "--config", str(config)]
        wait = np.random.default_rng(0)
        for killed in (True, True, True, False):
            running = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, start_new_session=True)
            try:
                until(lambda: echo(at) == 0)
                several = left if not killed else left[:5]
                statuses = send(at, several)
                refused = [file for file, status in zip(several, statuses, strict=True) if status != 0]
                left = refused + left[len(several) :]
                if killed:
                    time.sleep(wait.uniform(0.5, 6.0))
                else:
                    assert not left
                    until(lambda: len({data.SOPInstanceUID for data in taken}) >= 20)
                    time.sleep(2)
            finally:
                os.killpg(running.pid, signal.SIGKILL if killed else signal.SIGTERM)
                running.wait(120)
    whole: dict[str, set[str]] = {}
    for data in taken:
        whole.setdefault(data.SeriesInstanceUID, set()).add(data.SOPInstanceUID)
    assert sorted(map(len, whole.values())) == [5, 5, 5, 5]
    source = {dcmread(file).FrameOfReferenceUID for files in studies for file in files}
    assert {data.FrameOfReferenceUID for data in taken} == source


def test_the_command_says_what_a_node_has_done(tmp_path: Path) -> None:
    config = configured(tmp_path, 4242)
    with node(config) as one:
        send(one.port, study(tmp_path / "in", description="knee"))
    command = [sys.executable, "-m", "MedRestoreLib", "node", "--config", str(config), "status", "--json"]
    said = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert '"received": 5' in said
    assert '"ignored": 1' in said
