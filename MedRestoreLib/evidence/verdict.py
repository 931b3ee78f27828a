"""The verdict on a result: one of four words, and one sentence. Panel, page, command line and JSON say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .enlargement import Enlargement
from .findings import Audit
from .gain import Gain

GAIN = "gain"  # the error falls, and nothing speaks against the result
CAREFUL = "careful gain"  # the error falls, but a person should look at something
NOT_RELIABLE = "no reliable gain"  # whether the error falls cannot be told
HARM = "harm"  # structure was lost or added, or the error is expected to grow
WORDS = (GAIN, CAREFUL, NOT_RELIABLE, HARM)


@dataclass(frozen=True)
class Verdict:
    """A word of ``WORDS`` and the sentence that gives the reason, with a full stop."""

    word: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.word.capitalize()}: {self.sentence}"


def judge(gain: Gain | None, audit: Audit | None, cautions: Sequence[str] = ()) -> Verdict:
    """The verdict that the evidence supports.

    Args:
        gain: the expected gain; None if it was not estimated.
        audit: of what was removed; None if it was not done.
        cautions: what else a person should know before using the result, as parts of a sentence.
    """
    if audit is not None and (harm := audit.harm):
        return Verdict(HARM, harm)
    if gain is not None and gain.loss:
        return Verdict(HARM, gain.sentence)
    sentence = "the gain was not estimated." if gain is None else gain.sentence
    titles = () if audit is None else tuple(audit.findings[name].title.lower() for name in audit.flags)
    doubts = (*cautions, *titles)
    if doubts:
        sentence = f"{sentence.rstrip('.')}; look closely: {', '.join(doubts)}."
    if gain is None or not gain.certain:
        return Verdict(NOT_RELIABLE, sentence)
    return Verdict(CAREFUL if doubts else GAIN, sentence)


def judge_enlargement(enlargement: Enlargement, learned: bool, cautions: Sequence[str] = ()) -> Verdict:
    """The verdict on an enlarged study: at best a careful gain, as no measure tells whether fine detail is true.

    Args:
        enlargement: how the result agrees with the study.
        learned: a network put detail in, which was better than interpolation on the studies that it was measured on.
        cautions: as of ``judge``.
    """
    sentence = enlargement.sentence
    if cautions:
        sentence = f"{sentence.rstrip('.')}; look closely: {', '.join(cautions)}."
    if enlargement.contradicts:
        return Verdict(HARM, sentence)
    return Verdict(CAREFUL if learned and enlargement.consistent else NOT_RELIABLE, sentence)
