"""What the rows of the catalogue say of the methods, measured on the methods themselves."""

from __future__ import annotations

import inspect
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue, options
from MedRestoreLib.modalities import MODALITIES
from MedRestoreLib.noise import IDS, model
from MedRestoreLib.pipeline import device as devices
from MedRestoreLib.pipeline.domains import DOMAINS
from MedRestoreLib.pipeline.tiles import windows
from Testing.support.paths import REPOSITORY

CHANGED = 48  # columns: a multiple of every row's ``align``
BEYOND = 24
SIGMA = 0.15

# Those that enlarge have tests of their own: test_enlarging.py.
every_method = pytest.mark.parametrize("row", catalogue.making(1), ids=lambda row: row.id)


def restored(row: catalogue.Method, images: np.ndarray, sigma: float = SIGMA, **given) -> np.ndarray:
    """One image or volume in [0, 1], restored by the row's function."""
    noise = model(row.noises[0])(sigma, 0.5)
    given = {**DOMAINS[row.domain].options(noise, 1.0), **given}
    with torch.inference_mode():
        return row.load()(torch.from_numpy(images)[None, None], sigma, **given)[0, 0].numpy()


def noisy(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Blocks of 8 voxels of random brightness, with noise in proportion to it."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.2, 0.8, [-(-side // 8) for side in shape])
    clean = np.kron(coarse, np.ones((8,) * len(shape)))[tuple(map(slice, shape))]
    return np.clip(clean * (1 + SIGMA * rng.standard_normal(shape)), 0, 1).astype(np.float32)


@pytest.mark.parametrize(
    ("row", "dimensions"),
    [pytest.param(row, d, id=f"{row.id}-{d}") for row in catalogue.making(1) for d in row.dimensions],
)
def test_nothing_farther_away_than_its_reach_changes_a_voxel(row, dimensions):
    reach = row.reach_at(SIGMA)
    others = (max(32, row.patch),) if dimensions == 2 else (8, 8)
    first = noisy((*others, CHANGED + reach + BEYOND))
    second = first.copy()
    second[..., :CHANGED] = np.random.default_rng(1).uniform(0, 1, (*others, CHANGED))
    change = np.abs(restored(row, first) - restored(row, second))
    assert change[..., : CHANGED + 3].max() > 0.1
    assert change[..., CHANGED + reach :].max() < 1e-5


@every_method
def test_an_image_of_the_smallest_side_is_restored(row):
    for dimensions in row.dimensions:
        image = noisy((row.patch,) * dimensions)
        result = restored(row, image)
        assert result.shape == image.shape
        assert np.isfinite(result).all()


@every_method
def test_a_method_without_options_works_and_leaves_its_input_alone(row):
    image = noisy((32,) * row.dimensions[0])
    before = image.copy()
    restored(row, image)
    np.testing.assert_array_equal(image, before)


@every_method
def test_blind_methods_and_no_others_ignore_the_level(row):
    image = noisy((32,) * row.dimensions[0])
    assert np.array_equal(restored(row, image, 0.05), restored(row, image, 0.3)) == row.blind


@every_method
def test_the_row_says_which_methods_take_the_dynamic_range_of_a_display(row):
    assert ("compressed" in options.known(row.load())) == row.compressed


@every_method
def test_the_row_says_which_methods_take_the_spectrum_of_coloured_noise(row):
    function = row.load()
    function = function.func if isinstance(function, partial) else function
    assert ("spectrum" in inspect.signature(function).parameters) == row.coloured


@every_method
def test_the_domain_is_known(row):
    assert row.domain in DOMAINS


@every_method
@pytest.mark.parametrize(
    "bad", [{"no_such_option": 1}, {"weights": "emanet_bone"}, {"reference": 0.5}], ids=lambda bad: next(iter(bad))
)
def test_an_option_that_it_does_not_have_is_refused_before_any_work(row, bad):
    refused(row, bad)


@pytest.mark.parametrize(
    ("row", "name"),
    [
        pytest.param(row, name, id=f"{row.id}-{name}")
        for row in catalogue.making(1)
        for name in options.known(row.load())
    ],
)
def test_a_value_of_another_kind_is_refused_before_any_work(row, name):
    refused(row, {name: "many"})
    refused(row, {name: {"a": 1}})


def refused(row: catalogue.Method, given: dict) -> None:
    """``recommend``, ``restore`` and a plan that was edited by hand all name the options as what is wrong."""
    side = max(32, row.patch)
    voxels = 100 * noisy((side,) * max(row.dimensions))
    image = mr.Image.from_array(voxels, modality=row.modalities[0])
    level = {"gaussian": 5.0, "poisson": 1.0, "speckle": 0.2}[row.noises[0]]
    chosen = {"method": row.id, "noise": row.noises[0], "level": level, "dimensions": row.dimensions[-1]}
    plan = mr.recommend(image, **chosen)
    for call in (
        lambda: mr.recommend(image, **chosen, options=given),
        lambda: mr.restore(image, plan, options=given),
        lambda: mr.restore(image, mr.Plan(**{**plan.__dict__, "options": given})),
    ):
        with pytest.raises(mr.InvalidPlan, match=row.id) as caught:
            call()
        assert caught.value.field == "options"
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("noise", IDS)
@pytest.mark.parametrize("modality", [row.code for row in MODALITIES])
@pytest.mark.parametrize("shape", [(), ("volume",), ("cine",), ("volume", "cine")], ids=str)
@pytest.mark.parametrize("sure", [True, False], ids=["sure", "careful"])
def test_there_is_a_first_choice_for_every_study(noise, modality, shape, sure):
    found = catalogue.recommended(modality, noise, shape, sure)
    assert not found[-1][0].learned, "outside of what the learned methods were validated on, nothing is left"
    for row, reason in found:
        assert noise in row.noises
        assert row.title.split(",")[0].split()[0] in reason or row.id.upper() in reason


@every_method
def test_what_gives_the_first_look_takes_the_same_studies(row):
    if row.look:
        look = catalogue.find(row.look)
        assert set(row.noises) <= set(look.noises)
        assert set(row.dimensions) <= set(look.dimensions)
        assert look.coloured >= row.coloured


@every_method
def test_learned_methods_and_no_others_say_what_they_were_validated_on(row):
    assert (row.validity is not None) == row.learned
    if row.learned:
        assert set(row.validity.modalities) <= set(row.modalities)


MEASURED = """
import ctypes
import sys
from pathlib import Path
import numpy as np, torch
import MedRestoreLib as mr
from MedRestoreLib.pipeline.denoising import Denoising
from MedRestoreLib.pipeline.restore import run_plan

def megabytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) / 1000

torch.set_num_threads(1)
method, memory_gb, *shape = sys.argv[1:]
voxels = np.random.default_rng(0).poisson(20, tuple(map(int, shape))).astype(np.float32)
image = mr.Image.from_array(voxels, modality="NM")
plan = mr.recommend(image, method=method, level=1.0, dimensions=3 if len(shape) == 3 else 2, memory_gb=float(memory_gb))
small = mr.Image(image.voxels[..., :64, :64], modality="NM")
run_plan(Denoising.of(small, plan, torch.device("cpu")), small.voxels, plan)  # imports, and what is set up once
denoising = Denoising.of(image, plan, torch.device("cpu"))
ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back to the system, or it would be used again unseen
Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak falls back to what is held now
held = megabytes("VmRSS")
run = run_plan(denoising, image.voxels, plan)
print(megabytes("VmHWM") - held - run.voxels.nbytes / 1e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak memory")
@pytest.mark.parametrize(
    ("method", "memory_gb", "shape"),
    [
        ("adf", 0.02, (1800, 1800)),
        ("dncnn_bone", 0.1, (512, 640)),
        ("emanet", 0.35, (640, 640)),
        ("general", 0.35, (512, 640)),
        ("odct3d", 0.03, (64, 96, 96)),
        ("bm4d", 0.25, (64, 64, 64)),
        ("bm3d", 0.2, (512, 512)),
        ("wnnm", 0.12, (512, 512)),
        ("dncnn_bone", 0.06, (512, 512)),
        ("prinlm3d", 0.03, (64, 64, 64)),
    ],
)
def test_a_study_is_restored_within_the_memory_limit(method, memory_gb, shape):
    """As the system counts it, in a process of its own; adf needs 90 MB in a single tile, and takes smaller ones."""
    command = [sys.executable, "-c", MEASURED, method, str(memory_gb), *map(str, shape)]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 1.3 * 1000 * memory_gb + 10


@every_method
def test_a_large_study_fits_the_memory_that_a_cpu_takes_unless_told(row):
    for dimensions in row.dimensions:
        reach, shape = row.reach_at(SIGMA), ((20, 4096, 4096) if dimensions == 2 else (1024, 1024, 1024))
        limit = row.voxels_within(max(row.window_gb, devices.DEFAULT_MEMORY_GB["cpu"]))
        tiles = windows(shape, (0 if dimensions == 2 else reach, reach, reach), row.align, limit)
        kept = np.mean([np.prod([s.stop - s.start for s in w.core]) / w.size for w in tiles])
        assert kept > 0.1, "most of the work is done over and over"
