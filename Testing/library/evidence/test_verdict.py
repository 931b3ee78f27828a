"""The verdict: four words, and each for what it says."""

from __future__ import annotations

import numpy as np
import pytest

from MedRestoreLib.evidence.audit import audit
from MedRestoreLib.evidence.gain import expected_gain
from MedRestoreLib.evidence.verdict import CAREFUL, GAIN, HARM, NOT_RELIABLE, judge
from MedRestoreLib.noise import model
from Testing.support.evidence import phantom, realisations, smooth


def truth(voxels: np.ndarray) -> np.ndarray:
    """The perfect denoiser: it knows the clean study."""
    return phantom() / 0.1


def nearly(voxels: np.ndarray) -> np.ndarray:
    """A good denoiser: it leaves a quarter of the noise."""
    return truth(voxels) + (voxels - truth(voxels)) / 4


def judged(denoise=truth, level: float = 0.1, **gain):
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    noise = model("gaussian")(level)
    after = noise.unbiased_inverse(denoise(noise.stabilise(noisy)))
    return judge(expected_gain(noisy, denoise, noise, **gain), audit(noisy, after, noise))


def test_a_perfect_restoration_is_a_gain():
    verdict = judged()
    assert verdict.word == GAIN
    assert "dB" in verdict.sentence
    assert str(verdict) == f"Gain: {verdict.sentence}"


def test_of_a_gain_whose_size_cannot_be_told_the_least_is_told():
    verdict = judged(nearly, level_error=0.1)
    assert verdict.word in (GAIN, CAREFUL)
    assert "at least" in verdict.sentence
    assert "±" not in verdict.sentence
    assert judged(nearly, level_error=1.0).word == NOT_RELIABLE


def test_a_caution_makes_a_gain_a_careful_one_and_is_named():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    verdict = judge(expected_gain(noisy, truth, noise), None, ["the level is a guess"])
    assert verdict.word == CAREFUL
    assert verdict.sentence.endswith("look closely: the level is a guess.")


def test_doing_nothing_is_no_reliable_gain():
    assert judged(lambda voxels: voxels).word == NOT_RELIABLE
    assert judge(None, None).word == NOT_RELIABLE


@pytest.mark.parametrize("width", [3, 6])
def test_blurring_is_harm(width):
    assert judged(smooth(width)).word == HARM


def test_a_lesion_that_was_lost_or_added_is_harm_and_its_place_is_told():
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    lesion = phantom()
    lesion[..., 58:63, 58:63] += 0.2
    verdict = judge(expected_gain(noisy, truth, noise), audit(noisy, lesion, noise))
    assert verdict.word == HARM
    assert "row 61" in verdict.sentence


def test_a_loss_is_harm_though_nothing_small_was_lost():
    """A constant offset has a white residual and no edges."""
    noisy, noise = next(realisations("gaussian", phantom(), 0.1))
    offset = expected_gain(noisy, lambda voxels: voxels + 3, noise)
    assert offset.loss
    assert judge(offset, None).word == HARM
