"""Anatomy outlined before and after restoration, on a small stand-in for the folders of PSFHS and FH-PS-AOP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import zoom

from Testing.support.small_trainings import smoke, trained
from training import build, tables
from training.data import SPLITS
from training.data.folder import Pictures
from training.data.intrapartum import HEAD, IMAGES, LABELS, SYMPHYSIS, Intrapartum
from training.evaluation import structures
from training.evaluation.protocols import HeldOut
from training.recipe import RecipeError
from training.trainers.loop import train

SIDE = 64


def anatomy(turn: float, distance: float, radius: float, side: int = 256, mirrored: bool = False) -> np.ndarray:
    """A bar whose lower end is the middle of the image, and a round head ``distance`` from there."""
    y, x = np.mgrid[:side, :side] - side / 2
    if mirrored:
        x = -x
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    bar = (along < 0) & (along > -side / 5) & (abs(across) < side / 40)
    centre = distance * side * np.array([np.cos(turn + 1), np.sin(turn + 1)])
    head = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (radius * side) ** 2
    return np.uint8(SYMPHYSIS * bar + HEAD * (head & ~bar))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("psfhs")
    for name in (IMAGES, LABELS):
        (place / name).mkdir()
    for number in range(40):
        rng = np.random.default_rng(number)
        classes = anatomy(rng.uniform(0, 6), rng.uniform(0.25, 0.3), rng.uniform(0.12, 0.2), SIDE)
        scene = zoom(rng.uniform(-40, 40, (4, 4)), SIDE / 4, order=1)
        grey = np.clip(np.choose(classes, (60, 230, 150)) + scene + rng.normal(0, 5, classes.shape), 0, 255)
        sitk.WriteImage(sitk.GetImageFromArray(np.uint8([grey] * 3)), str(place / IMAGES / f"{number:05d}.mha"))
        sitk.WriteImage(sitk.GetImageFromArray(classes), str(place / LABELS / f"{number:05d}.mha"))
    return place


@pytest.fixture(scope="module")
def source(folder, tmp_path_factory) -> Intrapartum:
    made = Intrapartum(tmp_path_factory.mktemp("cache"), folder=str(folder), patch=SIDE)
    made.prepare()
    return made


def test_every_frame_has_its_outlines_and_one_split(source):
    members = {split: set(source.patients(split)) for split in SPLITS}
    assert all(members.values())
    assert sum(map(len, members.values())) == len(set.union(*members.values()))
    patient = source.patient(source.patients("test")[0])
    assert patient.clean.shape == patient.structures.shape == (1, SIDE, SIDE)
    assert set(np.unique(patient.structures)) == {0, SYMPHYSIS, HEAD}
    head = patient.clean[patient.structures == HEAD]
    assert 0.4 < head.mean() < 0.8
    assert patient.clean.max() <= 1


def test_a_frame_without_outlines_is_named(folder, tmp_path):
    (tmp_path / IMAGES).mkdir()
    (tmp_path / LABELS).mkdir()
    (tmp_path / IMAGES / "00007.mha").write_bytes((folder / IMAGES / "00007.mha").read_bytes())
    with pytest.raises(RecipeError, match=r"lacks 00007\.mha"):
        Intrapartum(tmp_path, folder=str(tmp_path)).prepare()
    with pytest.raises(RecipeError, match="no frames in"):
        Intrapartum(tmp_path, folder=str(tmp_path / IMAGES)).prepare()


@given(turn=st.floats(0, 6.28), distance=st.floats(0.25, 0.32), radius=st.floats(0.08, 0.15), mirrored=st.booleans())
def test_the_angle_of_progression_is_that_of_the_tangent_however_the_probe_is_turned(turn, distance, radius, mirrored):
    # Back along the bar to the head's middle the angle is pi - 1; the tangent lies asin(radius / distance) beyond.
    expected = np.degrees(np.pi - 1 + np.arcsin(radius / distance))
    assert structures.angle_of_progression(anatomy(turn, distance, radius, mirrored=mirrored)) == pytest.approx(
        expected, abs=2.5
    )


def test_there_is_no_angle_without_both_structures():
    both = anatomy(0.3, 0.3, 0.1)
    for one in (SYMPHYSIS, HEAD):
        assert np.isnan(structures.angle_of_progression(np.where(both == one, 0, both)))


def by_grey(frame: np.ndarray, level: float) -> np.ndarray:
    """Outlines by grey value: what is erased or smeared is not found."""
    return np.stack([-abs(255 * frame - grey) for grey in (60, 230, 150)])


def test_a_method_that_erases_the_anatomy_loses_it_and_one_that_changes_nothing_loses_nothing(source):
    patients = [source.patient(id) for id in source.patients("test")]
    kept = structures.measure(lambda frame: frame, by_grey, patients)
    erased = structures.measure(lambda frame: np.full_like(frame, 60 / 255), by_grey, patients)
    assert set(kept) == {"dice symphysis", "dice head", "dice all", "angle error"}
    assert np.mean(list(kept["dice head"]["0"].values())) > 0.8
    assert max(erased["dice head"]["0"].values()) == 0
    assert "angle error" not in erased


def test_added_speckle_is_the_same_for_every_method_and_worse_the_stronger(source):
    patients = [source.patient(id) for id in source.patients("test")]
    first, second = (structures.measure(lambda frame: frame, by_grey, patients) for _ in range(2))
    assert first == second
    means = [np.mean(list(first["dice head"][f"{level:g}"].values())) for level in structures.LEVELS["speckle"]]
    assert means == sorted(means, reverse=True)


def test_a_network_outlines_several_structures_and_is_measured_by_its_name(folder, source, tmp_path):
    where = f'data.arguments={{folder="{folder}", patch={SIDE}}}'
    recipe = smoke("seunet_intrapartum", folder, 'data={source="intrapartum:Intrapartum"}', where)
    segmenter = train(recipe, tmp_path / "segmenter", tmp_path, device="cpu")
    assert build.trained(segmenter)(np.zeros((SIDE, SIDE), np.float32), 0.0).shape == (3, SIDE, SIDE)
    test = HeldOut(source, "speckle", 2, segmenter)
    noisy, median = structures.results(["noisy", "median"], test)
    assert (noisy.method, median.method) == (f"noisy, {recipe.name}", f"median, {recipe.name}")
    assert set(noisy.values["dice head"]) == {"0", "0.25", "0.5"}
    with pytest.raises(RecipeError, match="--segmenter"):
        next(structures.results(["noisy"], HeldOut(source, "speckle", 2)))


def test_ventricles_are_outlined_in_magnitudes_restored_as_a_user_gets_them(pictures, tmp_path):
    test = HeldOut(
        Pictures(tmp_path, folder=str(pictures), patch=SIDE), "rician", 1, trained("busi_lesions", pictures, tmp_path)
    )
    noisy, restored = structures.results(["noisy", "bm3d"], test)
    assert set(noisy.values) == {"dice"}
    assert list(restored.values["dice"]) == ["0", "5", "10"]
    for result in (noisy, restored):
        replace(result, method=result.method.replace(result.method.split()[1], "seunet_ventricles")).write(tmp_path)
    table = tables.render("ventricles", "rician", tmp_path).splitlines()
    assert table[-2].startswith("| noisy |")
    assert table[-1].startswith("| BM3D, stabilised |")
    with pytest.raises(RecipeError, match="speckle or rician"):
        next(structures.results(["noisy"], replace(test, protocol="p_peak")))
