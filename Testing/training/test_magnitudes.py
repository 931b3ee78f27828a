"""MR magnitudes are measured by numbers that mean what they are called, and the paper's are explained."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.support.small_trainings import held_out
from training import recipe as recipes
from training.data.unpaired import UnpairedSlices
from training.evaluation import magnitudes
from training.evaluation.magnitudes import BASELINES, Case
from training.recipe import RecipeError
from training.tables import p3
from training.tables.common import Measured
from training.tables.results import Result


@pytest.fixture(scope="module")
def drawn() -> Case:
    """Three slices of a bright disc in air, half of each."""
    y, x = np.mgrid[:96, :96]
    disc = ((y - 48) ** 2 + (x - 48) ** 2 < 38**2) * (0.2 + 0.8 * (y > 48))
    return Case("T1w slices", "drawn", np.stack([disc] * 3).astype(np.float32), range(3))


def test_a_noisy_image_has_the_psnr_of_its_level_and_air_adds_to_the_full_frame(drawn):
    found = magnitudes.measure(BASELINES["noisy"], [drawn], (5.0, 10.0))
    for level in (5, 10):
        psnr = found["psnr"][f"T1w slices {level}"]["drawn"]
        assert psnr == pytest.approx(-20 * np.log10(level / 100), abs=0.3)
        assert found["psnr_full"][f"T1w slices {level}"]["drawn"] < psnr


def test_a_perfect_result_is_as_far_from_a_reference_on_another_scale_as_the_scales_are(drawn):
    found = magnitudes.measure(lambda noisy, level: drawn.clean, [drawn], (5.0,), explained=True)
    assert found["psnr"]["T1w slices 5"]["drawn"] > 100
    apart = (p3.SCALES["T1w"] - 1) * float(np.sqrt(np.mean(drawn.clean**2)))
    printed = found["psnr_full"]["T1w slices as printed 5"]["drawn"]
    assert printed == pytest.approx(-20 * np.log10(apart), abs=0.01)


def test_the_offset_and_grey_levels_are_those_of_tissue(drawn):
    noisy, offset, stabilised = (
        magnitudes.measure(BASELINES[name], [drawn], (15.0,)) for name in ("noisy", "offset", "bm3d")
    )
    at = "T1w slices 15"
    assert noisy["dark"][at]["drawn"] > 3  # the mean that the noise adds, percent of white
    assert abs(stabilised["dark"][at]["drawn"]) < 1
    assert abs(stabilised["bright"][at]["drawn"]) < 1
    assert offset["dark"][at]["drawn"] < noisy["dark"][at]["drawn"]
    assert stabilised["psnr"][at]["drawn"] > noisy["psnr"][at]["drawn"] + 6


def test_methods_of_volumes_are_not_given_single_slices(drawn):
    assert magnitudes.measure(BASELINES["bm4d"], [drawn], (5.0,), deep=True) == {}


def test_the_diffusion_is_tuned_on_validation_and_unknown_methods_are_named(data_folder, tmp_path):
    test = held_out(UnpairedSlices(tmp_path, **recipes.read("disentangled").data.arguments), "rician")
    few, many = (magnitudes._best(test, level) for level in (5.0, 30.0))
    assert few[0] * few[1] < many[0] * many[1]
    with pytest.raises(RecipeError, match=r"neither a folder .* adf"):
        next(magnitudes.results(["beauty"], test))


def test_the_tables_show_what_was_measured_and_the_paper_beside_it(tmp_path):
    psnr = {f"{group} {at}": {"a": 20.0} for group in ("T1w heads", "T1w slices as printed") for at in p3.LEVELS}
    values = dict.fromkeys(("psnr", "ssim", "psnr_full", "ssim_full"), psnr)
    measured = Measured([Result("magnitudes", "rician", "adf", values)])
    assert "| ADF, best setting for each level on validation | 20.00 / 20.000 |" in p3.heads(measured, "rician")
    assert "| 20.00 (20.61) | 20.00 (20.38) |" in p3.as_printed(measured, "rician")
    assert p3.pdw_slices(measured, "rician") == ""
