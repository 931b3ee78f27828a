"""The audit flags what is wrong and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from MedRestoreLib.evidence.audit import SAMPLE, audit
from MedRestoreLib.evidence.gain import expected_gain
from MedRestoreLib.noise import model
from Testing.support.evidence import phantom, realisations, restored, smooth


@pytest.mark.parametrize(
    ("name", "scale", "level"),
    [("gaussian", 1.0, 0.1), ("poisson", 20.0, 1.0), ("poisson", 4.0, 1.0), ("speckle", 100.0, 0.2)],
)
def test_a_perfect_restoration_raises_no_flag(name, scale, level):
    clean = scale * phantom()
    flags = [audit(noisy, clean, noise).flags for noisy, noise in realisations(name, clean, level, 5)]
    assert flags == [()] * 5


def test_a_perfect_rician_restoration_raises_no_flag_though_its_mean_is_moved():
    clean = 100 * phantom()
    noisy = model("rician").add(clean, 8.0, np.random.default_rng(0))
    assert audit(noisy, clean, model("rician")(8.0, float(clean.max()))).flags == ()


def test_rician_bias_that_was_left_in_is_flagged():
    clean = 100 * phantom()
    noisy = model("rician").add(clean, 15.0, np.random.default_rng(0))
    found = audit(noisy, uniform_filter(noisy, (1, 1, 5, 5)), model("rician")(15.0, float(clean.max())))
    assert found.findings["bias"].flagged


def test_blurred_edges_are_found_as_removed_structure():
    noisy, noise = next(realisations("gaussian", phantom(), 0.05))
    found = audit(noisy, smooth(2)(noisy), noise)
    assert {"variance", "leakage"} <= set(found.flags)


def test_doing_next_to_nothing_is_flagged():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    for after in (noisy, noisy + 0.2 * (phantom() - noisy)):
        found = audit(noisy, after, noise)
        assert found.findings["variance"].flagged
        assert "still noisy" in found.findings["variance"].sentence


def test_removed_correlated_noise_is_not_white():
    rng = np.random.default_rng(0)
    correlated = gaussian_filter(rng.standard_normal((1, 1, 192, 192)), (0, 0, 0.8, 0.8))
    noisy = (phantom() + 0.1 * correlated / correlated.std()).astype(np.float32)
    whiteness = audit(noisy, phantom(), model("gaussian")(0.1)).findings["whiteness"]
    assert whiteness.flagged
    assert whiteness.measures["moran_z"] > 10
    assert whiteness.measures["flatness"] < 0.9


def test_an_unsupported_lesion_is_found():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    fancy = phantom()
    fancy[..., 60:68, 60:68] += 0.6
    assert "unsupported" in audit(noisy, fancy, noise).flags
    assert "unsupported" not in audit(noisy, phantom(), noise).flags


def test_a_shift_of_two_percent_is_found():
    noisy, noise = next(realisations("gaussian", phantom(), 0.05))
    found = audit(noisy, 1.02 * phantom(), noise)
    assert found.flags == ("bias",)
    assert "raised" in found.findings["bias"].sentence


def test_what_was_not_restored_is_not_judged():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    after = noisy.copy()
    after[..., 40:150, 40:150] = phantom()[..., 40:150, 40:150]
    found = audit(noisy, after, noise)
    assert found.flags == ()
    assert found.voxels == pytest.approx(110 * 110, rel=0.1)


def test_masked_air_is_not_judged():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    air = np.zeros_like(noisy)
    found = audit(np.concatenate([noisy, air], axis=1), np.concatenate([phantom(), air], axis=1), noise)
    assert found.flags == ()
    assert found.voxels == noisy.size


def test_an_audit_of_nothing_but_air_has_no_findings():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    found = audit(np.zeros_like(noisy), np.zeros_like(noisy), noise)
    assert found.voxels == 0
    assert not found.findings


def test_a_result_with_holes_is_refused():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    after = phantom()
    after[0, 0, 5, 5] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        audit(noisy, after, noise)


def test_large_studies_are_sampled_and_small_ones_bear_it():
    large = np.random.default_rng(0).standard_normal((1, 90, 256, 256)).astype(np.float32)
    found = audit(large, np.zeros_like(large), model("gaussian")(1.0))
    assert found.voxels <= SAMPLE
    assert found.planes == SAMPLE // 256**2
    small = large[:, :1, :9, :9]
    assert json.loads(json.dumps(audit(small, 0 * small, model("gaussian")(1.0)).to_dict()))["voxels"] == 81


def test_the_real_bone_scan_passes_a_mild_filter(data_folder):
    from MedRestoreLib.files.studies import read

    scan = read(data_folder / "nuclear" / "bone_scan_whole_body.dcm")
    noise = model("poisson").bind(scan.voxels, 1.0)
    gain = expected_gain(scan.voxels, smooth(0.7), noise)
    assert gain.reliable
    assert 5 < gain.gain_db < 12
    found = audit(scan.voxels, restored(scan.voxels, noise, 0.9), noise)
    assert not {"variance", "whiteness", "unsupported"} & set(found.flags)


def test_of_real_frames_a_usual_result_is_not_flagged_and_a_blurred_one_is(data_folder):
    """The limits for speckle are what despeckling does to real frames, not what white noise would leave."""
    import MedRestoreLib as mr

    paths = [p for p in sorted((data_folder / "ultrasound").glob("*/*/*.png")) if "_mask" not in p.name][13::90]
    usual, blurred = [], []
    for path in paths:
        frame = mr.Image(mr.read(path).voxels, modality="US", source=mr.read(path).source)
        result = mr.restore(frame, method="srad", noise="speckle", level=0.2)
        noise = model("speckle").bind(frame.voxels, 0.2)
        usual.append(result.report.audit.flags)
        blurred.append(audit(frame.voxels, gaussian_filter(frame.voxels, (0, 0, 5, 5)), noise).flags)
    assert len(paths) > 5
    assert sum(map(bool, usual)) <= 0.25 * len(paths)  # three limits of 5 % each
    assert all("leakage" in flags for flags in blurred)
