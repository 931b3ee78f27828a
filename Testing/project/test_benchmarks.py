"""The benchmark measures what ``restore`` does, and prints what it measured."""

from __future__ import annotations

import numpy as np
import pytest

import MedRestoreLib as mr
from MedRestoreLib.methods import catalogue
from Testing.benchmarks import run
from Testing.benchmarks.inputs import CASES, Case, Sample
from Testing.benchmarks.peers import PEERS
from Testing.support import phantoms


@pytest.mark.parametrize(
    ("modality", "noise", "level", "method"),
    [
        ("OT", "gaussian", 0.1, "adf"),
        ("MR", "rician", 9.0, "adf"),
        ("NM", "poisson", 50.0, "adf"),
        ("US", "speckle", 0.25, "srad"),
    ],
)
def test_what_is_measured_is_what_restore_does(modality, noise, level, method):
    clean = phantoms.body(64)
    study = mr.add_noise(mr.Image.from_array(clean, modality=modality), noise, level)
    sample = Sample(clean, np.ascontiguousarray(study.voxels[0, 0]))
    measured = run._ours(Case("", noise, level, lambda: [sample]), catalogue.find(method), sample)
    expected = mr.restore(study, method=method, noise=noise, level=level).image.voxels[0, 0]
    if noise == "poisson":  # restore keeps the total, too
        measured = measured * (expected.sum() / measured.sum())
    np.testing.assert_allclose(measured, expected, atol=1e-5 * np.ptp(expected))
    assert np.abs(expected - sample.noisy).max() > 0.01


def test_every_case_has_a_method_and_a_peer():
    for case in CASES.values():
        assert [row for row in catalogue.METHODS if case.noise in row.noises and case.dimensions in row.dimensions]
        assert [peer for peer in PEERS.values() if case.dimensions in peer.dimensions]


def test_the_best_method_comes_first_and_what_failed_last():
    good = {"seconds": 2.0, "megabytes": 8.0, "psnr": 30.0, "ssim": 0.9}
    rows = run.table({"worse": {**good, "psnr": 20.0}, "absent": "not installed", "better": good, run.REFERENCE: good})
    assert [row[0] for row in rows] == ["better", run.REFERENCE, "worse", "absent"]
    assert rows[0] == ["better", "30.00", "0.900", "2", "8", "1.00"]
