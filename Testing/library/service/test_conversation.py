"""A conversation with a worker: however the bytes are cut, whoever dies and whenever, each job ends once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

import MedRestoreLib as mr
from MedRestoreLib.service.conversation import (
    STOPPED,
    Conversation,
    Event,
    ForeignLine,
    JobCancelled,
    JobDone,
    JobFailed,
    JobProgress,
    Ready,
    decode,
    encode,
)

READY = Ready(4711, "0.1.0")
IDS, TEXTS = st.integers(1, 4), st.text(max_size=20)
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda v: st.lists(v, max_size=3))
REPLIES = st.one_of(
    st.builds(JobProgress, IDS, st.floats(0, 1), TEXTS),
    st.builds(JobDone, IDS, st.dictionaries(TEXTS.filter(lambda name: name not in ("id", "event")), VALUES)),
    st.builds(JobFailed, IDS, TEXTS, TEXTS, TEXTS),
    st.builds(JobCancelled, IDS),
)
FOREIGN = st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")) | st.sampled_from(
    [
        *(b"", b"null", b"[]", b"[" * 100_000, b"\xff\xfe\x00"),
        *(b'{"event": []}', b'{"event": "ready"}', b'{"event": "ready", "pid": 0}', b'{"event": "done"}'),
        b'{"event": "progress", "id": 1, "fraction": "half", "message": ""}',
    ]
)


def events_of(conversation: Conversation) -> list[Event]:
    return list(iter(conversation.next_event, None))


def busy(jobs: int = 4) -> Conversation:
    """A conversation whose worker does the first of some jobs."""
    conversation = Conversation()
    for id in range(1, jobs + 1):
        conversation.submit({"id": id, "do": "restore"})
    conversation.receive(encode(READY))
    assert events_of(conversation) == [READY]
    return conversation


def said(conversation: Conversation) -> list[dict]:
    return [json.loads(line) for line in conversation.to_send().splitlines()]


@given(st.one_of(REPLIES, st.just(READY)))
def test_what_a_worker_says_is_what_the_caller_hears(event):
    line = encode(event)
    assert line.count(b"\n") == 1
    assert decode(line.removesuffix(b"\n")) == event


@given(FOREIGN)
def test_any_other_line_is_passed_on_as_it_is(line):
    assert decode(line) == ForeignLine(line)


@settings(max_examples=200)
@given(
    lines=st.lists(st.one_of(REPLIES.map(encode), FOREIGN.map(lambda line: line + b"\n")), max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=30),
    ends=st.booleans(),
)
@example(lines=[encode(JobDone(1, {}))], cuts=list(range(40)), ends=True)
def test_any_split_of_the_bytes_gives_the_same_events(lines: Sequence[bytes], cuts: Sequence[int], ends: bool):
    stream = b"".join(lines)
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    whole, split = busy(), busy()
    whole.receive(stream)
    if ends:
        whole.ended()
    expected = events_of(whole)
    found = []
    for start, stop in pairwise(borders):
        split.receive(stream[start:stop])
        found += events_of(split)
    if ends:
        split.ended()
        found += events_of(split)
    assert found == expected
    assert split.to_send() == whole.to_send()


@settings(max_examples=200)
@given(st.data())
def test_every_job_ends_once_whoever_dies_and_whatever_is_cancelled(data):
    """Jobs come, are cancelled, end and fail, and the worker dies, in any order."""
    conversation, submitted, ended, cancelled = Conversation(), [], Counter(), set()

    def hear() -> None:
        for event in events_of(conversation):
            if isinstance(event, JobDone | JobFailed | JobCancelled):
                ended[event.id] += 1
                assert (event.id in cancelled) == isinstance(event, JobCancelled)

    for _ in range(data.draw(st.integers(1, 30))):
        step = data.draw(st.sampled_from(["submit", "cancel", "ready", "reply", "die"]))
        if step == "submit":
            submitted.append(len(submitted) + 1)
            conversation.submit({"id": submitted[-1], "do": "restore"})
        elif step == "cancel" and submitted:
            id = data.draw(st.sampled_from(submitted))
            cancelled |= {id} - set(ended)
            conversation.cancel(id)
        elif step == "ready" and conversation.pid is None:
            conversation.receive(encode(READY))
        elif step == "reply" and conversation.current:
            id = conversation.current
            replies = [JobProgress(id, 0.5, ""), JobDone(id, {}), JobFailed(id, "InvalidPlan", "no")]
            conversation.receive(encode(data.draw(st.sampled_from(replies))))
        elif step == "die":
            conversation.ended()
        hear()
    while conversation.is_busy:
        conversation.ended()
        hear()
    assert ended == Counter(submitted)


def test_jobs_are_sent_one_at_a_time_in_their_order():
    conversation = busy(3)
    assert [request["id"] for request in said(conversation)] == [1]
    conversation.receive(encode(JobDone(1, {})))
    events_of(conversation)
    assert [request["id"] for request in said(conversation)] == [2]
    assert conversation.current == 2


def test_a_cancel_is_asked_once_and_the_next_job_waits_for_the_answer():
    conversation = busy(3)
    said(conversation)
    conversation.cancel(2)
    assert events_of(conversation) == [JobCancelled(2)]
    for _ in range(2):
        conversation.cancel(1)
    assert said(conversation) == [{"id": 1, "do": "cancel"}]
    conversation.receive(encode(JobProgress(1, 0.5, "")) + encode(JobDone(1, {})))
    assert events_of(conversation) == [JobCancelled(1)], "a result that nobody wants any more is none"
    assert [request["id"] for request in said(conversation)] == [3]


def test_a_worker_that_dies_fails_its_job_and_the_others_wait_for_the_next():
    conversation = busy(2)
    conversation.receive(b'{"event": "done", "id": ')
    conversation.ended()
    assert events_of(conversation) == [
        ForeignLine(b'{"event": "done", "id": '),
        JobFailed(1, "WorkerStopped", STOPPED),
    ]
    assert conversation.needs_worker
    conversation.ended("no such program")
    assert events_of(conversation) == [JobFailed(2, "WorkerStopped", "no such program")]
    assert not conversation.is_busy


def test_nothing_is_said_to_a_worker_that_is_not_there():
    conversation = Conversation()
    conversation.tell({"do": "forget", "input": "1-study.npy"})
    assert conversation.to_send() == b""


def test_an_error_is_again_what_it_was():
    error = JobFailed.of(1, mr.InvalidPlan("no method 'bm3b'", field="method")).error
    assert type(error) is mr.InvalidPlan
    assert (str(error), error.field) == ("no method 'bm3b'", "method")
    assert type(JobFailed(1, "SystemExit", "").error) is mr.MedRestoreError
