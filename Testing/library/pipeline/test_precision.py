"""bfloat16 makes networks quicker and changes nothing that noise would not hide; the report says where it was used."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue
from MedRestoreLib.noise import model
from MedRestoreLib.pipeline import device as devices
from MedRestoreLib.samples import make

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scan() -> mr.Image:
    """Part of the bone scan among the samples."""
    whole = make("MedRestoreBoneScan")
    return mr.Image(whole.voxels[..., 200:328, 64:192], whole.spacing, modality="NM", unit="counts")


@pytest.mark.parametrize("method", ["emanet", "dncnn_bone"])
def test_bfloat16_differs_by_far_less_than_the_noise_and_the_report_says_so(scan, method):
    exact, fast = (mr.restore(scan, method=method, precision=name) for name in ("float32", "bfloat16"))
    std = np.maximum(model("poisson")(1.0).std(exact.image.voxels), 0.5)
    off = (fast.image.voxels - exact.image.voxels) / std
    assert 0 < np.sqrt(np.mean(off**2)) < 0.02
    assert np.abs(off).max() < 0.3
    assert [result.report.provenance.precision for result in (exact, fast)] == ["float32", "bfloat16"]


def test_methods_without_learning_calculate_in_float32_whatever_is_asked_for(scan):
    usual, fast = (mr.restore(scan, method="adf", precision=name) for name in ("auto", "bfloat16"))
    assert np.array_equal(usual.image.voxels, fast.image.voxels)
    assert fast.report.provenance.precision == "float32"


@pytest.mark.parametrize("has", [True, False])
@pytest.mark.parametrize("preferred", [True, False])
def test_auto_takes_bfloat16_where_it_was_measured_and_the_processor_has_it(monkeypatch, has, preferred):
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: has)
    chosen = devices.precision("auto", CPU, learned=True, preferred=preferred)
    assert chosen == ("bfloat16" if has and preferred else "float32")


def test_auto_prefers_bfloat16_for_networks_alone():
    assert all(method.learned for method in catalogue.METHODS if method.bfloat16)


def test_an_apple_gpu_is_not_asked_for_bfloat16():
    with pytest.raises(mr.InvalidPlan, match="choose auto or float32") as found:
        devices.precision("bfloat16", torch.device("mps"), learned=True, preferred=True)
    assert found.value.field == "precision"


def test_an_unknown_precision_is_refused(scan):
    with pytest.raises(mr.InvalidPlan, match="precision 'half' is unknown") as found:
        mr.recommend(scan, method="adf", precision="half")
    assert found.value.field == "precision"
