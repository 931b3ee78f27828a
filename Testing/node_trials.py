"""What a DICOM node must bear: ``python -m Testing.node_trials [--kills 50] [--hostile 500] [--web]``.

*Kills*: four of dcmtk's ``storescu`` send series again and again until they are acknowledged, while the node is killed
at random moments. Orthanc (Debian's) must end with each derived series exactly once, in the right study and frame of
reference, valid for ``dciodvfy``. *Hostile peers*: malformed associations, PDUs and data sets; the node must live on,
in bounded memory and disk, and hold nothing from anybody who is not on its list.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from pydicom import dcmread

from MedRestoreLib.node.config import read
from MedRestoreLib.node.queue import Queue
from MedRestoreLib.node.server import queue_of
from Testing.fuzz.mutations import mutate
from Testing.support.dicom_objects import head, series
from Testing.support.dicom_peers import echo
from Testing.support.paths import REPOSITORY

SENDERS = 4
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")  # Debian's orthanc-dicomweb


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def make_series(folder: Path, number: int, slices: int) -> None:
    """A series in a study and a frame of reference of its own."""
    uid = f"1.2.826.0.1.3680043.8.498.77.{number}"

    def whole(dataset: Any, index: int) -> None:
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
        dataset.FrameOfReferenceUID, dataset.SOPInstanceUID = f"{uid}.3", f"{uid}.4.{index}"
        dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20260101"
        dataset.StudyTime = dataset.ContentTime = "120000"
        dataset.PatientBirthDate = dataset.PatientSex = dataset.ReferringPhysicianName = ""
        dataset.StudyID = dataset.AccessionNumber = dataset.PositionReferenceIndicator = ""
        dataset.Manufacturer, dataset.SliceThickness = "Phantom", 2.5
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "GR", "SK", ""
        dataset.MRAcquisitionType, dataset.EchoTime, dataset.EchoTrainLength = "2D", 4.0, 1
        dataset.RepetitionTime, dataset.ImageType = 20.0, ["ORIGINAL", "PRIMARY", "M"]
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID

    series(folder, head(slices, seed=number), whole)


class Orthanc:
    """Debian's Orthanc on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.web, self.port = free_port(), free_port()
        told = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": "ARCHIVE",
            "DicomPort": self.port,
            "HttpPort": self.web,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "OverwriteInstances": False,
            "Plugins": [str(DICOMWEB)] if DICOMWEB.is_file() else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(told))
        self._process = subprocess.Popen(
            ["Orthanc", str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: self.get("/system"), 120)

    def get(self, path: str) -> Any:
        """The answer of its REST interface; None where there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=120) as answer:
                body = answer.read()
        except OSError:
            return None
        return json.loads(body) if body[:1] in (b"{", b"[") else body

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(120)


def wait_until(true: Any, seconds: float) -> bool:
    """Wait until something is true; whether it was in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def configure(folder: Path, port: int, archive: int | str, **more: Any) -> Path:
    """The file of a node for the trials; its archive is a port or the URL of a DICOMweb service."""
    takes = f'url = "{archive}"' if isinstance(archive, str) else f"port = {archive}"
    told = {"port": port, "quiet_seconds": 15.0, "least_free_gb": 0.5, "instances_per_minute": 100000, **more}
    path = folder / "node.toml"
    lines = "".join(f"{name} = {value}\n" for name, value in told.items())
    path.write_text(
        f'[node]\nfolder = "state"\n{lines}'
        '[[peers]]\nae_title = "SENDER"\naddress = "127.0.0.1"\n'
        f'[[peers]]\nae_title = "ARCHIVE"\naddress = "127.0.0.1"\n{takes}\nmay_send = false\n'
        '[[rules]]\nname = "all"\nmethod = "adf"\nnoise = "gaussian"\nlevel = 20.0\nsend_to = ["ARCHIVE"]\n'
    )
    return path


def start(config: Path) -> subprocess.Popen:
    """A node as a process, and a group, of its own."""
    command = [sys.executable, "-m", "MedRestoreLib", "node", "--config", str(config)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, start_new_session=True)


def kills(count: int, instances: int, folder: Path, web: bool = False) -> list[str]:
    """Kill the node so often while it takes so many instances, which go on by C-STORE or DICOMweb; what went wrong."""
    slices = 10
    folders = [folder / "send" / str(number) for number in range(instances // slices)]
    for number, one in enumerate(folders):
        make_series(one, number, slices)
    orthanc, port = Orthanc(folder), free_port()
    archive = f"http://127.0.0.1:{orthanc.web}/dicom-web" if web else orthanc.port
    config = configure(folder, port, archive, workers=1)
    chance, left = random.Random(0), list(folders)
    lock = threading.Lock()

    def sender() -> None:
        while True:
            with lock:
                if not left:
                    return
                one = left.pop()
            command = ["storescu", "-aet", "SENDER", "-aec", "MEDRESTORE", "-xe", "127.0.0.1", str(port)]
            command += map(str, sorted(one.iterdir()))
            while subprocess.run(command, capture_output=True, check=False).returncode:
                time.sleep(0.2)
            time.sleep(chance.uniform(0.5, 3.0))

    threads = [threading.Thread(target=sender, daemon=True) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    for _ in range(count):
        node = start(config)
        wait_until(lambda: echo(port) == 0, 120)
        time.sleep(chance.uniform(0.2, 6.0))
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()
    node = start(config)
    for thread in threads:
        thread.join()
    figures = {}

    def all_there() -> bool:
        queue = Queue(queue_of(read(config)), read_only=True)
        figures.update(queue.figures())
        queue.close()
        return figures["series"]["done"] == len(folders) and not figures["deliveries"]["waiting"]

    in_time = wait_until(all_there, 900)
    os.killpg(node.pid, signal.SIGTERM)
    node.wait(120)
    print(f"{count} kills in {time.monotonic() - begun:.0f} s; the queue says {figures}")
    faults = [] if in_time else ["the node did not come to an end"]
    faults += _faults_of_archive(orthanc, folders, slices, folder)
    orthanc.stop()
    return faults


def _faults_of_archive(orthanc: Orthanc, folders: list[Path], slices: int, folder: Path) -> list[str]:
    expected = {}
    for one in folders:
        header = dcmread(next(one.iterdir()), stop_before_pixels=True)
        expected[header.StudyInstanceUID] = header.FrameOfReferenceUID
    faults, found = [], list(orthanc.get("/series") or [])
    places: dict[str, int] = {}
    for name in found:
        about = orthanc.get(f"/series/{name}")
        study = orthanc.get(f"/studies/{about['ParentStudy']}")["MainDicomTags"]["StudyInstanceUID"]
        places[study] = places.get(study, 0) + 1
        if len(about["Instances"]) != slices:
            faults.append(f"a derived series holds {len(about['Instances'])} instances")
        (folder / "check.dcm").write_bytes(orthanc.get(f"/instances/{about['Instances'][0]}/file"))
        if dcmread(folder / "check.dcm").FrameOfReferenceUID != expected.get(study):
            faults.append("a derived series has another frame of reference")
        if shutil.which("dciodvfy"):
            faults += sorted(_errors(folder / "check.dcm") - _errors(next(folders[0].iterdir())))
    if places != dict.fromkeys(expected, 1):
        faults.append(f"{len(found)} derived series in {len(places)} studies, {len(expected)} were sent")
    print(f"Orthanc holds {len(found)} derived series of {len(expected)}")
    return faults


def _errors(path: Path) -> set[str]:
    """What dciodvfy finds wrong in a file."""
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return {line for line in said.stderr.splitlines() if line.startswith("Error")}


def hostile(count: int, folder: Path) -> list[str]:
    """So many malformed peers; what went wrong."""
    for number, name in enumerate(("send", "strange")):
        make_series(folder / name, number, 3)
    good, strange = (sorted((folder / name).iterdir()) for name in ("send", "strange"))
    secret = dcmread(strange[0]).SeriesInstanceUID
    port = free_port()
    config = configure(folder, port, free_port(), max_instance_mb=1.0)
    node = start(config)
    wait_until(lambda: echo(port) == 0, 120)
    request = _association_of(port, good[0])
    random_bytes, faults, most = random.Random(1), [], 0
    for number in range(count):
        _attack(port, request, (strange if number % 5 == 4 else good)[number % 3], number, random_bytes, folder)
        most = max(most, _resident(node.pid))
        if node.poll() is not None:
            faults.append(f"the node ended at trial {number}")
            break
    if not faults and not wait_until(lambda: echo(port) == 0, 120):
        faults.append("the node no longer answers")
    queue = Queue(queue_of(read(config)), read_only=True)
    known = len(queue.known_files())
    if queue.files_of(secret):
        faults.append("a stranger has stored something")
    queue.close()
    size = sum(file.stat().st_size for file in (folder / "state").rglob("*") if file.is_file())
    print(
        f"{count} hostile peers: at most {most / 1e6:.0f} MB of memory, {size / 1e6:.1f} MB on disk, {known} instances"
    )
    if most > 1e9 or size > 1e8:
        faults.append("memory or disk is not bounded")
    if node.poll() is None:
        os.killpg(node.pid, signal.SIGKILL)
    return faults


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _association_of(port: int, path: Path) -> bytes:
    """What a real sender says first, its A-ASSOCIATE-RQ, recorded."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        command = ["storescu", "-aet", "SENDER", "-aec", "MEDRESTORE", "-xe", "127.0.0.1"]
        with subprocess.Popen(
            [*command, str(listener.getsockname()[1]), str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as sending:
            there, _ = listener.accept()
            with there:
                said = there.recv(1 << 16)
            sending.kill()
    return said


def _attack(port: int, request: bytes, good: Path, seed: int, chance: random.Random, folder: Path) -> None:
    """One malformed peer: a damaged request, garbage behind a good one, or a damaged data set; some on the list."""
    kind = seed % 5
    if kind == 4:  # a stranger, who is well behaved
        subprocess.run(
            ["storescu", "-aet", "STRANGER", "-aec", "MEDRESTORE", "127.0.0.1", str(port), str(good)],
            capture_output=True,
            check=False,
        )
        return
    if kind == 3:  # a known peer sends damaged data sets
        damaged = folder / "damaged.dcm"
        damaged.write_bytes(mutate(good.read_bytes(), seed)[1])
        subprocess.run(
            ["storescu", "-aet", "SENDER", "-aec", "MEDRESTORE", "-xe", "127.0.0.1", str(port), str(damaged)],
            capture_output=True,
            check=False,
            timeout=120,
        )
        return
    said = request if kind else mutate(request, seed)[1]
    behind = chance.randbytes(chance.randrange(1, 5000))
    if kind == 2:  # a PDU that announces far more than comes
        behind = b"\x04\x00" + (2**31).to_bytes(4, "big") + behind
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.settimeout(1.0)
            connection.sendall(said)
            if kind:
                connection.recv(1 << 16)
            connection.sendall(behind)
    except OSError:
        return


def main() -> int:
    """Run the trials; 1 where there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--hostile", type=int, default=500)
    parser.add_argument("--web", action="store_true", help="the node delivers over DICOMweb")
    asked = parser.parse_args()
    faults = []
    for name, trial in (
        ("kills", lambda folder: kills(asked.kills, asked.instances, folder, asked.web) if asked.kills else []),
        ("hostile", lambda folder: hostile(asked.hostile, folder) if asked.hostile else []),
    ):
        with tempfile.TemporaryDirectory(prefix=f"node-{name}-") as folder:
            faults += trial(Path(folder))
    for fault, times in Counter(faults).items():
        print(f"{fault} ({times} times)")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
