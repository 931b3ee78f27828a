"""Claims about options: the signature says what a method takes, and one place checks and converts it."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from MedRestoreLib.errors import InvalidPlan
from MedRestoreLib.methods.options import NonNegativeFloat, PositiveInt, checked, known, parse


def method(
    images,
    sigma: float,
    *,
    passes: PositiveInt = 2,
    scale: NonNegativeFloat | None = None,
    shape: Literal["round", "square"] = "round",
    exact: bool = False,
    density: np.ndarray | None = None,
    reference: float | None = None,
    weights: str = "",
):
    return {"passes": passes, "scale": scale, "shape": shape, "exact": exact, "reference": reference}


def test_options_are_the_keywords_that_a_person_may_choose():
    assert list(known(method)) == ["passes", "scale", "shape", "exact", "density"]
    assert [option.default for option in known(method).values()] == [2, None, "round", False, None]
    assert known(partial(method, weights="some")) == known(method)


def test_what_an_option_takes_is_told_in_words():
    assert [option.allowed for option in known(method).values()] == [
        "a whole number of 1 or more",
        "a number of 0 or more, or none",
        "one of round, square",
        "true or false",
        "an array of numbers, or none",
    ]


@pytest.mark.parametrize(
    ("name", "given_value", "kind"),
    [
        ("passes", 3, int),
        ("passes", 3.0, int),
        ("passes", np.int64(3), int),
        ("passes", np.float32(3), int),
        ("scale", 3, float),
        ("scale", np.float32(3), float),
    ],
)
def test_numbers_are_converted_to_the_type_of_the_option(name, given_value, kind):
    value = parse(method, {name: given_value})[name]
    assert value == 3
    assert type(value) is kind


def test_options_that_are_not_given_stay_away_and_others_keep_their_value():
    assert parse(method, {}) == {}
    assert parse(method, {"scale": None, "shape": "square", "exact": True}) == {
        "scale": None,
        "shape": "square",
        "exact": True,
    }
    np.testing.assert_array_equal(parse(method, {"density": [[1, 2], [3, 4]]})["density"], [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("name", "bad", "takes"),
    [
        ("passes", "many", "a whole number of 1 or more"),
        ("passes", "3", "a whole number"),
        ("passes", 0, "1 or more"),
        ("passes", 2.5, "a whole number"),
        ("passes", True, "a whole number"),
        ("passes", None, "a whole number"),
        ("passes", float("nan"), "a whole number"),
        ("passes", float("inf"), "a whole number"),
        ("scale", -0.1, "0 or more"),
        ("scale", False, "a number"),
        ("scale", float("inf"), "a number"),
        ("shape", "oval", "one of round, square"),
        ("shape", ["round"], "one of round, square"),
        ("exact", "yes", "true or false"),
        ("exact", 1, "true or false"),
        ("density", "wide", "an array of numbers"),
        ("density", [[1, 2], [3]], "an array of numbers"),
    ],
)
def test_another_value_is_refused_with_what_the_option_takes(name, bad, takes):
    with pytest.raises(InvalidPlan) as caught:
        parse(method, {name: bad}, "example")
    assert caught.value.field == "options"
    for word in ("example", name, takes):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["speed", "reference", "weights", "sigma", "images", ""])
def test_a_name_that_is_no_option_is_refused_with_those_there_are(name):
    with pytest.raises(InvalidPlan, match="passes, scale, shape, exact, density") as caught:
        parse(method, {name: 1.0})
    assert caught.value.field == "options"


@example([["x" * 60] * 6] * 6)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=4))
def test_whatever_json_holds_is_taken_or_refused_in_one_line(value):
    for name in known(method):
        try:
            answer = " ".join(parse(method, {name: value}))
        except InvalidPlan as error:
            answer = str(error)
        assert name in answer
        assert "\n" not in answer
        assert len(answer) < 200


def test_a_checked_method_is_called_with_converted_options_and_what_is_filled_in():
    assert checked(method)(None, 0.1, passes=3.0, reference=0.5) == {
        "passes": 3,
        "scale": None,
        "shape": "round",
        "exact": False,
        "reference": 0.5,
    }
    assert known(checked(method)) == known(method)
