"""The command line's manners: misuse is one line with its cure, and what is asked of all commands is done."""

from __future__ import annotations

import json
import logging
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib import cli, modalities, weights
from MedRestoreLib.cli import doctor, screen
from MedRestoreLib.version import __version__
from Testing.support import phantoms

PLAN = ("--method", "adf", "--level", "5")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder: a study, one already restored, one of another size, a folder of studies, a text."""
    mr.write(phantoms.study("MR", slices=3), tmp_path / "head.nrrd")
    shutil.copy(tmp_path / "head.nrrd", tmp_path / "there.nrrd")
    mr.write(phantoms.study("MR", side=32, slices=3), tmp_path / "small.nrrd")
    (tmp_path / "studies").mkdir()
    shutil.copy(tmp_path / "head.nrrd", tmp_path / "studies")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("Dear colleague, ...")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    yield tmp_path
    screen.quiet = False
    cli._log(False, None)


@pytest.fixture
def run(here, monkeypatch, capfd):
    """Run the command in this process; its exit code, what it printed and what it said on standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["medrestore", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


MISUSES = [
    (["restor", "head.nrrd", "out.nrrd"], "did you mean 'restore'"),
    (["restore"], "missing argument 'study'"),
    (["restore", "head.nrrd"], "missing argument 'out'"),
    (["restore", "head.nrrd", "out.nrrd", "more"], "unexpected extra argument"),
    (["restore", "head.nrrd", "out.nrrd", "--levl", "5"], "--level"),
    (["restore", "head.nrrd", "out.nrrd", "--level"], "requires an argument"),
    (["restore", "head.nrrd", "out.nrrd", "--level", "loud"], "'auto' or a number"),
    (["restore", "head.nrrd", "out.nrrd", "--level", "0"], "got 0.0 (--level)"),
    (["restore", "head.nrrd", "out.nrrd", "--level", "nan"], "--level"),
    (["restore", "head.nrrd", "out.nrrd", "--strength", "strong"], "--strength"),
    (["restore", "head.nrrd", "out.nrrd", "--strength", "2"], "(--strength)"),
    (["restore", "head.nrrd", "out.nrrd", "--dimensions", "4"], "--dimensions"),
    (["restore", "head.nrrd", "out.nrrd", "--memory", "-1"], "(--memory)"),
    (["restore", "head.nrrd", "out.nrrd", "--device", "gpu"], "auto, cpu, cuda, mps"),
    (["restore", "head.nrrd", "out.nrrd", "--method", "BM3"], "did you mean 'bm3d'"),
    (["restore", "head.nrrd", "out.nrrd", "--method", "srad"], "not meant for MR"),
    (["restore", "head.nrrd", "out.nrrd", "--noise", "pink"], "gaussian, poisson, reconstructed, rician"),
    (["restore", "head.nrrd", "out.nrrd", "--modality", "cat"], "MRI, PET or ultrasound"),
    (["restore", "head.nrrd", "out.nrrd", "--option", "x"], "NAME=VALUE"),
    (["restore", "head.nrrd", "out.nrrd", *PLAN, "--option", "iterations=many"], "iterations"),
    (["restore", "head.nrrd", "out.nrrd", *PLAN, "--mask", "absent.nrrd"], "absent.nrrd does not exist"),
    (["restore", "head.nrrd", "out.nrrd", *PLAN, "--mask", "small.nrrd"], "mask"),
    (["restore", "absent.nrrd", "out.nrrd"], "does not exist"),
    (["restore", "notes.txt", "out.nrrd"], "not a study"),
    (["restore", "empty", "out.nrrd"], "empty"),
    (["restore", "head.nrrd", "head.nrrd"], "overwrite the study that is read"),
    (["restore", "head.nrrd", "there.nrrd", *PLAN], "(--force)"),
    (
        ["restore", "head.nrrd", "out.nrrd", *PLAN, "--report", "--series"],
        "requires an argument",
    ),
    (["restore", "head.nrrd", "nowhere/out.nrrd", *PLAN], "create it first"),
    (["restore", "head.nrrd", "out.xyz", *PLAN], "cannot write"),
    (["restore", "head.nrrd", "out.dcm", *PLAN], "choose .nrrd or .nii.gz"),
    (["inspect", "--json"], "missing argument 'study'"),
    (["compare", "head.nrrd", "small.nrrd"], "resample it first"),
    (["compare", "head.nrrd", "there.nrrd", "--figure", "head.nrrd"], "overwrite"),
    (["batch", "absent", "out"], "not a folder"),
    (["batch", "empty", "out"], "holds no study"),
    (["batch", "studies", "studies"], "inside the input folder"),
    (["--threads", "0", "methods"], "--threads"),
    (["--log-file", "nowhere/log", "methods"], "give another file"),
    (["--quiet"], "missing command"),
]


@pytest.mark.parametrize(("arguments", "cure"), MISUSES, ids=[" ".join(arguments) for arguments, _ in MISUSES])
def test_misuse_is_one_line_that_says_the_cure_and_writes_nothing(run, here, arguments, cure):
    before = {path: path.stat().st_mtime_ns for path in here.rglob("*")}
    code, printed, said = run(*arguments)
    assert code == 2
    assert not printed
    assert said.startswith("Error: ")
    assert said.count("\n") == 1, said
    assert cure.lower() in said.lower()
    assert {path: path.stat().st_mtime_ns for path in here.rglob("*")} == before


def test_what_is_there_is_replaced_by_force_alone(run, here):
    before = (here / "there.nrrd").read_bytes()
    assert run("restore", "head.nrrd", "out.nrrd", *PLAN, "--report")[0] == 0
    assert run("restore", "head.nrrd", "new.nrrd", *PLAN)[0] == 0
    (here / "new.nrrd").unlink()
    (here / "new.report.html").write_text("mine")
    assert "new.report.html is there already" in run("restore", "head.nrrd", "new.nrrd", *PLAN, "--report")[2]
    assert (here / "new.report.html").read_text() == "mine"
    assert run("restore", "head.nrrd", "there.nrrd", *PLAN, "--force")[0] == 0
    assert (here / "there.nrrd").read_bytes() != before
    assert run("compare", "head.nrrd", "out.nrrd", "--figure", "figure.png")[0] == 0
    assert "(--force)" in run("compare", "head.nrrd", "out.nrrd", "--figure", "figure.png")[2]


def test_without_anything_it_shows_its_help_and_with_version_its_version(run):
    code, printed, _ = run()
    assert code == 2
    assert "restore" in printed
    assert run("--version")[:2] == (0, f"medrestore {__version__}\n")


def test_help_shows_flags_as_flags(run):
    for command in ("restore", "batch", "methods"):
        text = run(command, "-h")[1]
        assert "--json" in text
        assert "<bool>" not in text


def test_method_ids_are_whole_at_eighty_columns(run):
    first = [line.strip("│ ").split()[0] for line in run("methods")[1].splitlines() if line.startswith("│ ")]
    assert {method.id for method in mr.methods()} <= set(first)


def test_quiet_says_nothing_but_what_was_asked_for(run):
    assert run("--quiet", "restore", "head.nrrd", "a.nrrd", *PLAN) == (0, "", "")
    code, printed, said = run("--quiet", "restore", "head.nrrd", "b.nrrd", *PLAN, "--json")
    assert (code, said) == (0, "")
    assert json.loads(printed)["report"]["plan"]["method"] == "adf"


def test_the_log_says_what_was_done_and_no_name(run, here):
    shutil.copy("head.nrrd", "Doe_Jane.nrrd")
    code, _, said = run("--verbose", "--log-file", "log.txt", "restore", "Doe_Jane.nrrd", "Doe_Jane_out.nrrd", *PLAN)
    assert code == 0
    log = (here / "log.txt").read_text()
    for text in (log, said):
        assert "plan: adf, rician noise of 5" in text
        assert "Doe" not in text
    assert re.match(r"\d{4}-\d\d-\d\d ", log)


def test_threads_are_those_that_torch_uses(here):
    from Testing.library.test_cli import run

    result = run("--threads", "1", "doctor", "--json")
    assert result.returncode == 0, result.stdout
    told = {row["what"]: row["found"] for row in json.loads(result.stdout)}
    assert "1 threads" in told["processor"]


def test_off_a_terminal_progress_is_a_line_now_and_then(here, capfd, monkeypatch):
    clock = iter(np.arange(0.0, 1e6, 3.0))
    monkeypatch.setattr(screen.time, "monotonic", lambda: next(clock))
    with screen.progress_bar("head.nrrd") as progress:
        for percent in range(101):
            progress(percent / 100, "restoring")
    lines = capfd.readouterr().err.splitlines()
    assert 5 <= len(lines) <= 10
    assert all(re.fullmatch(r"head\.nrrd: \d+%, restoring", line) for line in lines)


@pytest.mark.parametrize("typed", ["MR", "mri", "MRI", "T1", "flair"])
def test_a_modality_may_be_typed_as_people_say_it(run, typed):
    array = phantoms.study("OT", side=64).voxels
    mr.write(mr.Image.from_array(array, axes="fzyx"), "plain.nrrd")
    printed = run("inspect", "plain.nrrd", "--modality", typed, "--json")[1]
    assert json.loads(printed)["modality"] == "MR"


def test_every_code_and_word_of_the_table_is_understood():
    for row in modalities.MODALITIES:
        for name in (row.code, row.code.lower(), *row.aliases):
            assert modalities.named(name) is row
    assert modalities.named("XA").code == "OT"
    with pytest.raises(KeyError):
        modalities.named("cat")


# The doctor


def test_the_doctor_finds_nothing_here(run):
    code, printed, _ = run("doctor", "--json")
    told = json.loads(printed)
    assert code == 0, printed
    assert {row["what"] for row in told} >= {
        "MedRestore",
        "Python",
        "torch",
        "processor",
        "temporary folder",
        "3D Slicer",
    }
    assert sum(row["what"].startswith("weights ") for row in told) == len(weights.manifest(weights.folder()))
    assert run("doctor")[0] == 0


def test_the_doctor_finds_damaged_weights(run, here, monkeypatch):
    shutil.copytree(weights.folder(), here / "weights")
    victim = next((here / "weights").glob("*.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-1])
    monkeypatch.setenv(weights.VARIABLE, str(here / "weights"))
    code, printed, _ = run("doctor", "--json")
    ill = [row for row in json.loads(printed) if not row["well"]]
    assert code == 1
    assert [row["what"] for row in ill] == [f"weights {victim.stem}"]
    assert "damaged" in ill[0]["found"]


def test_the_doctor_finds_a_missing_package(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    ill = [what for what, _, well in doctor.checks() if not well]
    assert ill == ["no-such-package"]


def test_logs_do_not_reach_other_programs_loggers():
    assert not logging.getLogger("medrestore").propagate


# Batches


def test_a_batch_takes_what_restore_takes_and_sums_up(run, here):
    image = phantoms.study("MR", slices=3)
    voxels = image.voxels.copy()
    voxels[0, 0, 3, 3] = np.nan
    mr.write(image.with_voxels(voxels), here / "studies" / "with_nan.nrrd")
    inside = np.zeros(image.voxels.shape, np.uint8)
    inside[:, :, 20:40] = 1
    mr.write(mr.Image.from_array(inside, axes="fzyx", spacing=image.spacing), here / "mask.nrrd")
    wishes = ("--mask", "mask.nrrd", "--replace-nan", "0", "--modality", "MRI", "--removed", "--report", "--figure")
    asked = ("batch", "studies", "out", *PLAN, "--dimensions", "2", *wishes)
    code, printed, _ = run(*asked)
    assert code == 0, printed
    beside = {"", ".json", ".removed.nrrd", ".report.html", ".report.json", ".figure.png"}
    names = {f"{stem}{'.nrrd' if end in ('', '.json') else ''}{end}" for stem in ("head", "with_nan") for end in beside}
    assert {path.name for path in (here / "out").iterdir()} == names | {"summary.csv", "summary.html"}
    changed = mr.read(here / "out" / "head.nrrd").voxels != mr.read(here / "head.nrrd").voxels
    assert changed.any()
    assert not changed[:, :, :15].any()
    assert (here / "out" / "summary.csv").read_text().count("restored") == 2
    assert "with_nan.nrrd" in (here / "out" / "summary.html").read_text()

    first = "head.nrrd"
    assert _statuses(run(*asked, "--json")[1])[first] == "already done"
    (here / "out" / "head.report.html").write_text("mine")
    assert _statuses(run(*asked, "--json")[1])[first] == "restored"
    assert "mine" not in (here / "out" / "head.report.html").read_text()


def test_names_beside_outputs_are_never_those_of_other_outputs(run, here):
    shutil.copy("head.nrrd", here / "studies" / "head.removed.nrrd")
    assert run("batch", "studies", "out", *PLAN, "--removed")[0] == 0
    both, other = (mr.read(here / "out" / name).voxels for name in ("head.nrrd", "head.removed.nrrd"))
    restored = list((here / "out").glob("*.json"))
    assert len(restored) == 2
    outputs = {path.name.removesuffix(".json") for path in restored}
    removed = {path.name for path in (here / "out").glob("*.nrrd")} - outputs
    assert len(removed) == 2
    assert not np.array_equal(both, other)


def _statuses(printed: str) -> dict[str, str]:
    return {row["study"]: row["status"] for row in json.loads(printed)}
