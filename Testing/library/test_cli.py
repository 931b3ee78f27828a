"""The command line, as a user types it: each command in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest

import MedRestoreLib as mr
from MedRestoreLib import cli
from Testing.support import phantoms
from Testing.support.paths import REPOSITORY
from training.simulate.dicom import as_mr, as_nm

NAME, NUMBER = "Doe^Jane", "ID-4711"


def run(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "MedRestoreLib", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **environment},
    )


@pytest.fixture
def volume(tmp_path) -> Path:
    return mr.write(phantoms.study("MR", slices=3), tmp_path / "head.nrrd")


@pytest.fixture
def series(tmp_path) -> Path:
    """A DICOM series of a named patient."""
    folder = as_mr(phantoms.study("MR", slices=5), tmp_path / "series")
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID = NAME, NUMBER
        dataset.save_as(path)
    return folder


def listing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


def refused(result: subprocess.CompletedProcess, says: str) -> None:
    assert result.returncode == 2, result.stderr
    message = result.stderr.strip()
    assert says.lower() in message.lower()
    assert "\n" not in message
    assert "Traceback" not in message
    assert NAME not in message
    assert NUMBER not in message


def test_methods_are_listed_as_a_table_and_as_json():
    table = run("methods")
    listed = json.loads(run("methods", "--json").stdout)
    assert [m["id"] for m in listed] == [m.id for m in mr.methods()]
    for method in mr.methods():
        assert method.id in table.stdout


def test_inspect_says_what_a_study_is_and_writes_nothing(volume):
    before = listing(volume.parent)
    told = json.loads(run("inspect", volume, "--json").stdout)
    assert told["modality"] == "MR"
    assert told["noise"] == "rician"
    assert told["method"] == "bm3d"
    assert (told["slices"], told["rows"], told["columns"]) == (3, 64, 64)
    assert "rician" in run("inspect", volume).stdout
    assert listing(volume.parent) == before


def test_restore_writes_all_that_is_asked_for(volume):
    out = volume.with_name("restored.nrrd")
    result = run("restore", volume, out, "--method", "adf", "--removed", "--report", "--figure", "--trust", "--json")
    assert result.returncode == 0, result.stderr
    written = {name: Path(path) for name, path in json.loads(result.stdout)["written"].items()}
    assert set(written) == {"restored", "removed", "report", "report_json", "figure", "interval", "method_share"}
    before, after, removed = (mr.read(p) for p in (volume, out, written["removed"]))
    np.testing.assert_allclose(after.voxels + removed.voxels, before.voxels, atol=1e-3)
    assert after.same_grid(before, tolerance=1e-6)
    assert json.loads(written["report_json"].read_text())["plan"]["method"] == "adf"
    assert json.loads(written["report_json"].read_text())["trust"]["coverage"] == 0.9
    assert mr.read(written["interval"]).voxels.min() > 0
    assert written["report"].read_text().startswith("<!")
    assert written["figure"].read_bytes().startswith(b"\x89PNG")


def test_a_dicom_series_comes_back_as_a_derived_series(series):
    out = series.with_name("restored")
    result = run("restore", series, out, "--method", "adf", "--level", "5")
    assert result.returncode == 0, result.stderr
    datasets = [pydicom.dcmread(p) for p in out.iterdir()]
    assert len(datasets) == 5
    assert {d.ImageType[0] for d in datasets} == {"DERIVED"}
    assert {str(d.PatientID) for d in datasets} == {NUMBER}
    assert NAME not in result.stdout + result.stderr
    assert mr.read(out).same_grid(mr.read(series), tolerance=1e-4)


def test_compare_measures_against_the_truth(tmp_path, volume):
    noisy, truth = mr.read(volume), phantoms.clean_study("MR", slices=3)
    clean = mr.write(truth, tmp_path / "clean.nrrd")
    half = mr.write(noisy.with_voxels((noisy.voxels + truth.voxels) / 2), tmp_path / "half.nrrd")  # half the error
    rows = json.loads(run("compare", volume, half, "--reference", clean, "--json").stdout)
    psnr = next(r for r in rows if r["measure"] == "PSNR")
    assert psnr["after"] == pytest.approx(psnr["before"] + 6.02, abs=0.01)
    picture = tmp_path / "compared.png"
    assert "PSNR" in run("compare", volume, half, "--reference", clean, "--figure", picture).stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_best_strength_is_found_where_it_is_asked_for(volume, tmp_path):
    told = json.loads(run("restore", volume, tmp_path / "out.nrrd", "--strength", "auto", "--json").stdout)
    plan = told["report"]["plan"]
    assert plan["strength"] == plan["ranking"][0]["strength"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--method", "bm3b"], "did you mean 'bm3d'"),
        (["--method", "srad", "--level", "0.2"], "not meant for MR"),
        (["--noise", "pink"], "no noise model"),
        (["--level", "0"], "above 0"),
        (["--level", "-3"], "above 0"),
        (["--level", "1e6"], "out of range"),
        (["--level", "loud"], "'auto' or a number"),
        (["--strength", "2"], "between 0 and 1"),
        (["--strength", "full"], "'auto' or a number"),
        (["--memory", "-1"], "memory must be"),
        (["--device", "tpu"], "device 'tpu'"),
        (["--dimensions", "3"], "works in 2"),
        (["--mask", "absent.nrrd"], "does not exist"),
        (["--option", "nonsense"], "NAME=VALUE"),
        (["--option", "nonsense=1"], "nonsense"),
        (["--method", "adf", "--level", "5", "--option", "iterations=many"], "iterations"),
    ],
)
def test_options_that_do_not_fit_are_one_line_and_nothing_is_written(volume, options, says):
    before = listing(volume.parent)
    refused(run("restore", volume, volume.with_name("out.nrrd"), *options), says)
    assert listing(volume.parent) == before


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (["--level", "0"], "--level"),
        (["--strength", "2"], "--strength"),
        (["--memory", "-1"], "--memory"),
        (["--option", "nonsense=1"], "--option"),
        (["--method", "bm3d", "--dimensions", "3"], "--dimensions"),
    ],
)
def test_the_message_ends_with_the_flag_that_would_cure_it(volume, options, flag):
    refused(run("restore", volume, volume.with_name("out.nrrd"), *options), f" ({flag}).")


def test_a_flag_that_the_command_does_not_have_is_not_named():
    for field, command in (("memory_gb", "compare"), ("study", "restore"), ("", "restore"), ("level", ""), ("x", "x")):
        assert cli.with_flag(mr.InvalidPlan("too much.", field=field), command) == "too much."


def as_dicom(folder: Path) -> Path:
    counts = mr.Image.from_array(np.random.default_rng(0).poisson(20, (1, 1, 64, 64)), modality="NM", unit="counts")
    return as_nm(counts, folder / "study.dcm")


def not_an_image(folder: Path) -> Path:
    (folder / "study.nrrd").write_text("Dear colleague, ...")
    return folder / "study.nrrd"


def a_text(folder: Path) -> Path:
    (folder / "study.docx").write_text("Dear colleague, ...")
    return folder / "study.docx"


def empty(folder: Path) -> Path:
    (folder / "study.nrrd").touch()
    return folder / "study.nrrd"


def truncated(folder: Path) -> Path:
    path = as_dicom(folder)
    path.write_bytes(path.read_bytes()[:-3000])
    return path


def unknown_compression(folder: Path) -> Path:
    path = as_dicom(folder)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
    dataset.PixelData = pydicom.encaps.encapsulate([b"not a stream"])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    return path


def gap(folder: Path) -> Path:
    series = as_mr(phantoms.study("MR", slices=6), folder / "study")
    sorted(series.iterdir())[3].unlink()
    return series


def two_series(folder: Path) -> Path:
    (folder / "study").mkdir()
    for k, slices in enumerate((3, 4)):
        for path in as_mr(phantoms.study("MR", slices=slices), folder / str(k)).iterdir():
            dataset = pydicom.dcmread(path)
            dataset.SeriesInstanceUID += f".{k}"
            dataset.SOPInstanceUID += f".{k}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(folder / "study" / f"{k}-{path.name}")
    return folder / "study"


def with_nan(folder: Path) -> Path:
    image = phantoms.study("MR", slices=3)
    voxels = image.voxels.copy()
    voxels[0, 0, 3, 3] = np.nan
    return mr.write(image.with_voxels(voxels), folder / "study.nrrd")


def constant(folder: Path) -> Path:
    return mr.write(mr.Image.from_array(np.full((64, 64), 3.0)), folder / "study.nrrd")


def tiny(folder: Path) -> Path:
    image = phantoms.study("MR", slices=3)
    return mr.write(mr.Image.from_array(image.voxels[0, 0, :7, :7], modality="MR"), folder / "study.nrrd")


def below_zero(folder: Path) -> Path:
    image = phantoms.study("NM", slices=3)
    return mr.write(image.with_voxels(image.voxels - 50), folder / "study.nrrd")


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (not_an_image, [], "damaged"),
        (a_text, [], "not a study"),
        (empty, [], "is empty"),
        (truncated, [], "truncated"),
        (unknown_compression, [], "High-Throughput"),
        (gap, ["--level", "5"], "missing"),
        (two_series, ["--level", "5"], "choose one by its number"),
        (with_nan, ["--level", "5"], "NaN or infinite"),
        (constant, ["--level", "5"], "same value"),
        (tiny, ["--method", "bm3d", "--level", "5"], "smaller than"),
        (below_zero, ["--noise", "poisson", "--level", "1"], "not counts"),
        (lambda folder: folder / "absent.nrrd", [], "does not exist"),
    ],
)
def test_bad_studies_are_one_line_and_nothing_is_written(tmp_path, make, options, says):
    study = make(tmp_path)
    before = listing(tmp_path)
    refused(run("restore", study, tmp_path / "out.nrrd", *options), says)
    assert listing(tmp_path) == before


STRANGE = ("[bold]a[", ":smile:", "two\nlines", "\x1b[31mred", os.fsdecode(b"\xff"))


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_name_is_shown_as_it_is_and_moves_nothing(tmp_path, volume, name):
    """Markup in it is no markup, and what a terminal would obey is not printed."""
    path = tmp_path / "in" / f"{name}.nrrd"
    path.parent.mkdir()
    shutil.copy(volume, path)
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in path.name)
    plan = ("--method", "adf", "--level", "5")
    for result in (
        run("inspect", path),
        run("restore", path, tmp_path / path.name, *plan),
        run("batch", path.parent, tmp_path / "out", *plan),
    ):
        assert result.returncode == 0, result.stderr
        assert shown in result.stdout
        assert "\x1b" not in result.stdout
    path.write_bytes(path.read_bytes()[:-20])
    refused(run("inspect", path), shown)


def test_one_of_several_series_can_be_chosen_and_nan_replaced(tmp_path):
    study = two_series(tmp_path)
    result = run("restore", study, tmp_path / "out.nrrd", "--series", "2", "--method", "adf", "--level", "5")
    assert result.returncode == 0, result.stderr
    first, second = mr.list_series(study)
    assert mr.read(tmp_path / "out.nrrd").voxels.shape[1] == second.images != first.images
    (tmp_path / "nan").mkdir()
    study = with_nan(tmp_path / "nan")
    result = run("restore", study, tmp_path / "b.nrrd", "--replace-nan", "0", "--method", "adf", "--level", "5")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("absent/out.nrrd", "not exist"),
        ("head.nrrd", "overwrite"),
        ("out.xyz", "cannot write"),
        ("out.dcm", "DICOM"),
        ("out.png", ".png"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_any_work(volume, out, says):
    before = listing(volume.parent)
    refused(run("restore", volume, volume.parent / out, "--level", "5"), says)
    assert listing(volume.parent) == before


def test_a_folder_without_permission_is_refused(volume, monkeypatch):
    locked = volume.with_name("locked")
    locked.mkdir(mode=0o555)
    if os.geteuid() == 0:  # the system lets root write anywhere: its answer is what is replaced
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(mr.OutputError, match="not writable"):
        mr.write(mr.read(volume), locked / "out.nrrd")
    assert not list(locked.iterdir())


def test_a_full_disk_leaves_the_disk_as_it_was(volume):
    """A limit on the size of files stands in for a full disk: the write fails in its middle."""
    pytest.importorskip("resource")  # POSIX alone has such limits
    image = mr.Image.from_array(np.random.default_rng(0).normal(100, 20, (64, 128, 128)), modality="OT")
    study = mr.write(image, volume.with_name("large.nrrd"))
    before = listing(volume.parent)
    script = (
        "import resource, runpy, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "sys.argv = ['medrestore', 'restore', *sys.argv[1:]]\n"
        "from MedRestoreLib.cli import main\n"
        "main()\n"
    )
    arguments = [str(study), str(volume.with_name("out.nrrd")), "--method", "adf", "--level", "20"]
    result = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=REPOSITORY)
    assert result.returncode == 2, result.stderr
    assert "cannot be written" in result.stderr
    assert "Traceback" not in result.stderr
    assert listing(volume.parent) == before


def test_without_torch_it_says_what_to_install(volume, tmp_path):
    """A finder that hides torch makes this Python one without it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Hide(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        return None if name.split('.')[0] == 'torch' else super().find_spec(name, path, target)\n"
        "sys.meta_path = [Hide if f is PathFinder else f for f in sys.meta_path]\n"
    )
    path = f"{tmp_path}{os.pathsep}{REPOSITORY}"
    assert run("methods", PYTHONPATH=path).returncode == 0
    refused(run("restore", volume, volume.with_name("out.nrrd"), PYTHONPATH=path), "PyTorch is not installed")


def test_no_identity_in_what_is_said_of_a_broken_series(series):
    sorted(series.iterdir())[2].unlink()
    result = run("restore", series, series.with_name("out.nrrd"))
    refused(result, "missing")


def test_help_is_there_and_short_of_the_worker():
    text = run("--help").stdout
    for command in ("methods", "inspect", "restore", "compare", "batch"):
        assert command in text
    assert shutil.which("medrestore", path=str(Path(sys.executable).parent)), "the command is installed"


def test_a_study_is_enlarged_with_its_figure_report_and_what_was_added(volume, tmp_path):
    out = tmp_path / "large.nrrd"
    told = run("restore", volume, out, "--factor", "3", "--removed", "--trust", "--report", "--figure", "--json")
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)["report"]
    assert report["plan"]["factor"] == 3
    assert report["enlargement"]["factor"] == 3
    small, large = mr.read(volume), mr.read(out)
    assert large.same_grid(small.enlarged(3))
    assert mr.read(tmp_path / "large.removed.nrrd").same_grid(large)
    invented = mr.read(tmp_path / "large.invented.nrrd")
    assert invented.same_grid(large)
    assert 0 <= invented.voxels.min() < invented.voxels.max() <= 1
    assert (tmp_path / "large.figure.png").stat().st_size > 10_000
    assert "Enlarged is not measured" in (tmp_path / "large.report.html").read_text(encoding="utf-8")
    refused(run("restore", volume, tmp_path / "no.nrrd", "--factor", "2", "--method", "bm3d"), "--factor")


def test_a_batch_enlarges(tmp_path):
    (tmp_path / "in").mkdir()
    mr.write(phantoms.study("MR", slices=3), tmp_path / "in" / "head.nrrd")
    done = run("batch", tmp_path / "in", tmp_path / "out", "--factor", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert mr.read(tmp_path / "out" / "head.nrrd").voxels.shape == (1, 3, 128, 128)
