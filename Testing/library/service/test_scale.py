"""What docs/scale.md simulates: the limits that can be reckoned by hand, and workers that sleep on a real scheduler."""

from __future__ import annotations

from functools import partial
from time import sleep

import pytest

pytest.importorskip("distributed")
from Testing.cluster_scale import passed, simulate, sleepers

FOR_EVER = float("inf")


def test_one_worker_takes_as_long_as_all_studies_together() -> None:
    assert simulate(10.0, 5000, 1, 1e9, life_hours=FOR_EVER) == pytest.approx(50_000, rel=0.02)


def test_many_workers_take_as_long_as_the_scheduler() -> None:
    assert simulate(0.2, 20_000, 10_000, 400.0, life_hours=FOR_EVER) == pytest.approx(20_000 / 400, rel=0.05)


def test_between_them_the_work_is_shared() -> None:
    assert simulate(10.0, 20_000, 100, 400.0, life_hours=FOR_EVER) == pytest.approx(2000, rel=0.03)


def test_lost_workers_cost_what_they_had_begun() -> None:
    """A worker that lives for an hour loses half a study of 100 s and 20 s of starting each time."""
    told = simulate(100.0, 20_000, 100, 400.0, life_hours=1.0)
    expected = 20_000 * (1 + (50 + 20) / 3600)
    assert told == pytest.approx(expected, rel=0.03)


def test_workers_that_sleep_end_every_task() -> None:
    with sleepers(20) as cluster:
        passed(cluster, [partial(sleep, 0.01)] * 200)
