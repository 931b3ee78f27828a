"""The containers' parts fit together: the same files are started here without containers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from MedRestoreLib.node.config import read
from MedRestoreLib.node.server import Node
from Testing.node_trials import free_port, make_series
from Testing.support.paths import REPOSITORY

yaml = pytest.importorskip("yaml")
DEPLOY = REPOSITORY / "deploy"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]


def stages() -> dict[str, str]:
    """The stages of the Dockerfile, by name."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    parts = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    return {re.match(r"\S+ AS (\S+)", part)[1]: part for part in parts}


def test_every_service_is_locked_up(services) -> None:
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), f"{name} is open to the network"


def test_what_services_need_is_there(services) -> None:
    made = stages()
    for name, service in services.items():
        assert service["build"]["target"] in made, name
        assert set(service.get("depends_on", [])) <= set(services), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./"):
                assert (DEPLOY / source).is_file(), f"{name}: {source}"
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["worker"]["volumes"] == services["batch"]["volumes"], "all see the folders under the same paths"


def test_images_run_as_nobody_in_particular_and_copy_what_exists() -> None:
    for name, stage in stages().items():
        if name in ("medrestore", "orthanc"):
            assert re.search(r"^USER (?!root|0\b)", stage, re.MULTILINE), name
        for line in re.findall(r"^COPY (.+)$", stage, re.MULTILINE):
            for source in line.split()[:-1]:
                assert (REPOSITORY / source).exists(), f"{name}: {source}"


def understood(dask: dict[str, list[str]], ours: dict[str, list[str]]) -> None:
    """Raise an error where an argument of a command is unknown; nothing is run."""
    pytest.importorskip("distributed")
    from distributed.cli import dask_scheduler, dask_worker
    from typer.main import get_command

    from MedRestoreLib.cli import app

    commands = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
    for name, (verb, *arguments) in dask.items():
        assert verb == name
        commands[name].make_context(verb, list(arguments))
    for name, (verb, *arguments) in ours.items():
        assert verb == name
        get_command(app).commands[verb].make_context(verb, list(arguments))


def test_the_commands_of_services_are_understood(services) -> None:
    told = {name: services[name]["command"] for name in ("scheduler", "worker", "node", "batch")}
    understood({name: told[name] for name in ("scheduler", "worker")}, {name: told[name] for name in ("node", "batch")})


def test_kubernetes_gets_what_its_operator_and_ours_understand() -> None:
    cluster, job = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))
    pods = [cluster["spec"]["worker"]["spec"], cluster["spec"]["scheduler"]["spec"], job["spec"]["template"]["spec"]]
    for pod in pods:
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    worker, scheduler, batch = (pod["containers"][0] for pod in pods)
    understood({"worker": worker["args"], "scheduler": scheduler["args"]}, {"batch": batch["args"]})
    operator = pytest.importorskip("dask_kubernetes.operator")
    made = operator.make_cluster_spec("medrestore", image="medrestore:cpu")
    assert (cluster["apiVersion"], cluster["kind"]) == (made["apiVersion"], made["kind"])
    assert cluster["spec"]["scheduler"]["service"] == made["spec"]["scheduler"]["service"]
    ports = [spec["spec"]["scheduler"]["spec"]["containers"][0]["ports"] for spec in (cluster, made)]
    assert sorted(map(str, map(sorted, ports[0]))) == sorted(map(str, map(sorted, ports[1])))


def test_slurm_is_asked_for_a_worker_that_restores_one_study_at_a_time() -> None:
    """``python -m Testing.cluster_trials --slurm`` runs such a worker."""
    jobqueue = pytest.importorskip("dask_jobqueue")
    import dask
    from distributed.cli import dask_worker

    told = yaml.safe_load((DEPLOY / "slurm.yaml").read_text(encoding="utf-8"))
    merged = dask.config.merge(dask.config.config, told)  # as Dask does with a file of the user's
    with (
        dask.config.set(merged),
        jobqueue.SLURMCluster(scheduler_options={"dashboard_address": "127.0.0.1:0"}) as cluster,
    ):
        script = cluster.job_script()
    assert {"#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "#SBATCH -t 08:00:00"} <= set(script.splitlines())
    assert "OMP_NUM_THREADS=4" in script
    (command,) = re.findall(r"-m distributed.cli.dask_worker (.*)", script)
    understood = dask_worker.main.make_context("worker", command.split()).params
    assert (understood["nthreads"], understood["lifetime"]) == (1, "7h")


@contextmanager
def orthanc(folder: Path, ports: dict[str, int]) -> Iterator[Callable[..., Any]]:
    """Debian's Orthanc with the configuration of the container, but for ports and paths: its REST interface."""
    told = json.loads((DEPLOY / "orthanc.json").read_text(encoding="utf-8"))
    told |= {"StorageDirectory": str(folder / "archive"), "IndexDirectory": str(folder / "archive")}
    told |= {"HttpPort": ports["web"], "DicomPort": ports["orthanc"], "LuaScripts": [str(DEPLOY / "orthanc.lua")]}
    told["DicomModalities"]["medrestore"][1:] = ["127.0.0.1", ports["node"]]
    (folder / "orthanc.json").write_text(json.dumps(told))

    def ask(path: str, body: bytes | None = None) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports['web']}{path}", body, timeout=120) as answer:
                return json.loads(answer.read())
        except OSError:
            return None

    command = ["Orthanc", str(folder / "orthanc.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: ask("/system"))
        yield ask
    finally:
        process.terminate()
        process.wait(120)


def until(true: Callable[[], Any], patience: float = 120.0) -> None:
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.2)


@pytest.mark.skipif(not shutil.which("Orthanc"), reason="Debian's orthanc is the archive")
def test_what_the_archive_gets_comes_back_restored_once(tmp_path: Path) -> None:
    pytest.importorskip("pynetdicom")
    ports = {name: free_port() for name in ("web", "orthanc", "node")}
    text = (DEPLOY / "node.toml").read_text(encoding="utf-8")
    for old, new in {
        '"orthanc"': '"127.0.0.1"',
        "port = 4242": f"port = {ports['orthanc']}",
        "[node]": f"[node]\nport = {ports['node']}",
        "/var/lib/medrestore": "state",
        "quiet_seconds = 10": "quiet_seconds = 1",
        'name = "everything"': 'name = "everything"\nmethod = "adf"',
    }.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "node.toml").write_text(text)
    make_series(tmp_path / "send", 1, 3)
    node = Node(read(tmp_path / "node.toml"))
    with orthanc(tmp_path, ports) as ask:
        node.start()
        try:
            for file in sorted((tmp_path / "send").iterdir()):
                ask("/instances", file.read_bytes())
            until(lambda: node.queue.figures()["deliveries"]["sent"] == 3)
            assert len(ask("/series")) == 2
            assert len(ask("/studies")) == 1
            figures = node.queue.figures()["series"]
            assert (figures["done"], figures["failed"]) == (1, 0)
        finally:
            node.stop()
