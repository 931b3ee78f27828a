"""How fast a batch is, is said as it is now."""

from __future__ import annotations

from MedRestoreLib.service.pace import Pace


def test_studies_that_were_done_already_do_not_make_the_rest_look_fast() -> None:
    now = [0.0]
    pace = Pace(1000, clock=lambda: now[0])
    pace(0)
    now[0] = 1.0
    assert "500 a second" in pace(500)
    for done in range(501, 531):
        now[0] += 10.0
        said = pace(done)
    assert said == "530 of 1000, 6 a minute, 1 h 18 min left"


def test_a_batch_that_has_not_begun_says_no_rate() -> None:
    assert Pace(3)(0) == "0 of 3"
