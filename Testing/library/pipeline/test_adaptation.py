"""A network that goes on learning on the study before it restores it, and a guard that the study itself holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib import weights
from MedRestoreLib.methods import adapting, catalogue
from MedRestoreLib.noise import model
from Testing.support.scintigraphy import ORGANS


def flood(peak: float = 60.0) -> np.ndarray:
    """Uptake that is even within a field of view with sharp edges: what the networks for bone scans never saw."""
    clean = np.asarray(ORGANS["flood"](np.random.default_rng(5)), np.float32)
    return peak * clean / clean.max()


def scan(clean: np.ndarray, seed: int = 6) -> mr.Image:
    return mr.Image.from_array(np.random.default_rng(seed).poisson(clean).astype(np.float32), modality="NM")


def error(result: mr.Result, clean: np.ndarray) -> float:
    return float(np.square(result.image.voxels.reshape(clean.shape) - clean).mean())


def test_a_network_learns_what_it_never_saw_from_the_study_itself(monkeypatch):
    monkeypatch.setattr(adapting, "STEPS", 60)
    clean = flood()
    study = scan(clean)
    shipped, adapted = (mr.restore(study, method="emanet", adapt=adapt) for adapt in (False, True))
    assert error(adapted, clean) < 0.9 * error(shipped, clean)
    record = adapted.report.adaptation
    assert record.kept
    assert record.sentence in adapted.report.notes
    assert adapted.report.provenance.weights.endswith("adapted to this study")
    assert "adapted" in adapted.report.derivation
    assert adapted.image.voxels.sum() == pytest.approx(study.voxels.sum(), rel=1e-4)
    assert shipped.report.adaptation is None
    again = type(adapted.report).from_dict(adapted.report.to_dict())
    assert again.adaptation == record
    assert np.array_equal(mr.restore(study, method="emanet").image.voxels, shipped.image.voxels), "nothing is kept"


def test_a_network_that_is_not_surely_better_is_not_used(monkeypatch):
    monkeypatch.setattr(adapting, "STEPS", 3)
    monkeypatch.setattr(adapting, "RATE", 0.05)  # it forgets what it knows
    study = scan(flood())
    shipped, adapted = (mr.restore(study, method="emanet", adapt=adapt) for adapt in (False, True))
    assert not adapted.report.adaptation.kept
    assert "as it ships" in adapted.report.adaptation.sentence
    assert np.array_equal(adapted.image.voxels, shipped.image.voxels)
    assert adapted.report.provenance.weights == shipped.report.provenance.weights


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.2, 0.9), sigma=st.floats(0.05, 0.5), counts=st.booleans(), seed=st.integers(0, 99))
def test_the_parts_of_a_study_have_its_mean_and_independent_noise(share, sigma, counts, seed):
    rng = np.random.default_rng(seed)
    clean = np.full((1, 200, 200), 0.7)
    if counts:
        values = rng.poisson(clean / sigma**2) * sigma**2
        variance = 0.7 * sigma**2
    else:
        values = clean + sigma * rng.standard_normal(clean.shape)
        variance = sigma**2
    thinning = adapting.Thinning(sigma, None if counts else lambda shape, rng: rng.standard_normal(shape))
    first, second = thinning.parts(values, share, rng)
    for part, of in ((first, share), (second, 1 - share)):
        assert part.mean() == pytest.approx(0.7, abs=6 * (variance / of / clean.size) ** 0.5)
        assert part.var() == pytest.approx(variance / of, rel=0.06)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03
    np.testing.assert_allclose(share * first + (1 - share) * second, values, atol=1e-4)


def test_a_general_network_adapts_to_magnetic_resonance(monkeypatch):
    monkeypatch.setattr(adapting, "STEPS", 40)
    monkeypatch.setattr(adapting, "RATE", 5e-4)
    rng = np.random.default_rng(0)
    clean = 100 * np.kron(rng.uniform(0.2, 1, (12, 12)), np.ones((8, 8)))
    study = mr.add_noise(mr.Image.from_array(clean, modality="MR"), "gaussian", 8.0)
    plan = {"method": "general", "noise": "gaussian", "level": 8.0}
    shipped, adapted = (mr.restore(study, adapt=adapt, **plan) for adapt in (False, True))
    assert adapted.report.adaptation.kept
    assert error(adapted, clean) < error(shipped, clean)


@pytest.mark.parametrize(
    ("study", "edits", "field", "says"),
    [
        ("counts", {"method": "bm3d"}, "adapt", "networks that can: emanet"),
        ("frame", {"method": "unet_att_small"}, "adapt", "cannot be adapted"),
        ("magnitudes", {"method": "general", "level": 5.0}, "adapt", "Gaussian noise alone"),
        ("scaled", {"method": "emanet", "level": 1.0}, "adapt", "no whole numbers"),
        ("noise unknown", {"method": "general"}, "level", "only where the noise level is sure"),
    ],
)
def test_what_cannot_be_adapted_is_refused(study, edits, field, says):
    counts = scan(flood())
    rng = np.random.default_rng(0)
    studies = {
        "counts": counts,
        "frame": mr.Image.from_array(rng.integers(0, 255, (64, 64)).astype(np.uint8), modality="US"),
        "scaled": counts.with_voxels(counts.voxels * 0.7),
        "magnitudes": mr.Image.from_array(rng.rayleigh(9.0, (64, 64)), modality="MR"),
        "noise unknown": mr.Image.from_array(np.add.outer(np.arange(64.0), np.arange(64.0)), modality="CT"),
    }
    with pytest.raises(mr.InvalidPlan, match=says) as raised:
        mr.restore(studies[study], adapt=True, **edits)
    assert raised.value.field == field


def test_there_is_no_map_of_trust_of_an_adapted_network():
    with pytest.raises(mr.InvalidPlan, match="as they ship"):
        mr.trust(mr.restore(scan(flood()), method="emanet"), mr.recommend(scan(flood()), method="emanet", adapt=True))


def test_adapting_hears_a_cancel():
    def stop(fraction: float, message: str) -> None:
        if message.startswith("Adapting") and fraction > 0.05:
            raise mr.Cancelled("enough")

    with pytest.raises(mr.Cancelled):
        mr.restore(scan(flood()), method="emanet", adapt=True, progress=stop)


def test_a_network_itself_is_never_changed(monkeypatch):
    monkeypatch.setattr(adapting, "STEPS", 2)
    row = weights.find("emanet_bone")
    network = row.load()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    counts = scan(flood()).voxels[0]
    thinning = adapting.Thinning(60**-0.5)
    inside = model("poisson").bind(counts, 1.0).covers(counts)
    levels = adapting.Levels(60**-0.5, 60**-0.5)
    adapting.adapt(network, counts / 60, inside, thinning, levels, catalogue.find("emanet").load_with)
    assert all((value == before[name]).all() for name, value in network.state_dict().items())


@pytest.mark.parametrize(("modality", "method"), [("NM", "emanet"), ("CT", "general")])
def test_without_a_method_the_network_for_such_studies_is_taken(modality, method):
    assert mr.recommend(replace(scan(flood()), modality=modality), adapt=True, level=1.0).method == method
