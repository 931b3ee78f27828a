"""The options of a method: read off its function's signature, checked and converted in one place.

An option is a keyword-only parameter; its annotation says what it takes: ``int``, ``float``, ``bool``, ``np.ndarray``,
a ``Literal`` of names, ``None``, or several of these; ``Annotated`` with ``AtLeast`` or ``Between`` gives its limits.
"""

from __future__ import annotations

import inspect
import math
import reprlib
import types
from collections.abc import Callable, Mapping
from functools import cache, partial, wraps
from numbers import Integral, Real
from typing import Annotated, Any, Literal, NamedTuple, ParamSpec, TypeVar, Union, get_args, get_origin

import numpy as np

from ..errors import InvalidPlan

# Parameters that restoring fills in; no person chooses them.
FILLED_IN = frozenset({"factor", "pilot", "reference", "spectrum", "weights"})

SHOWN = 60  # characters of a value in a message

P = ParamSpec("P")
R = TypeVar("R")


class AtLeast(NamedTuple):
    """The least number that an option takes."""

    value: float

    @property
    def words(self) -> str:
        return f"of {self.value} or more"

    def fits(self, value: float) -> bool:
        return value >= self.value


class Between(NamedTuple):
    """The least and the greatest number that an option takes."""

    least: float
    most: float

    @property
    def words(self) -> str:
        return f"from {self.least} to {self.most}"

    def fits(self, value: float) -> bool:
        return self.least <= value <= self.most


NonNegativeInt = Annotated[int, AtLeast(0)]
PositiveInt = Annotated[int, AtLeast(1)]
NonNegativeFloat = Annotated[float, AtLeast(0)]
Share = Annotated[float, Between(0, 1)]


class Option(NamedTuple):
    """One option of a method.

    Attributes:
        name: of the parameter.
        annotation: what it takes.
        default: its value where none is given.
    """

    name: str
    annotation: Any
    default: Any

    @property
    def allowed(self) -> str:
        """What it takes, in words.

        >>> Option("passes", PositiveInt | None, None).allowed
        'a whole number of 1 or more, or none'
        """
        return ", or ".join(_words(kind) for kind in _kinds(self.annotation))

    def converted(self, value: Any) -> Any:
        """``value`` as the method takes it; ValueError for one that it does not take."""
        for kind in _kinds(self.annotation):
            try:
                return _converted(kind, value)
            except (TypeError, ValueError):
                continue
        raise ValueError(value)


def known(method: Callable) -> dict[str, Option]:
    """The options of a method's function that a person may choose, by name.

    >>> def example(images, sigma, *, passes: int = 2, reference: float | None = None): ...
    >>> list(known(example))
    ['passes']
    """
    return {name: option for name, option in _parameters(method).items() if name not in FILLED_IN}


def parse(method: Callable, options: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """The options given, checked and converted to what the method takes; those not given stay away.

    Args:
        method: a method's function, as ``Method.load`` gives it.
        options: names and values, such as JSON has them.
        name: of the method in messages; "" takes its file's.

    Raises:
        InvalidPlan: no such option, or no such value of it; ``field`` is "options".

    >>> def example(images, sigma, *, passes: int = 2): ...
    >>> parse(example, {"passes": 3.0})
    {'passes': 3}
    >>> parse(example, {"passes": "many"}, "example")
    Traceback (most recent call last):
    MedRestoreLib.errors.InvalidPlan: example: the option passes is a whole number, not 'many'.
    """
    name = name or _name(method)
    options_there = known(method)
    parsed = {}
    for option, value in options.items():
        if option not in options_there:
            there = ", ".join(options_there) or "none"
            raise InvalidPlan(f"{name} has no option {_shown(option)}; it has {there}.", field="options")
        try:
            parsed[option] = options_there[option].converted(value)
        except ValueError:
            allowed, given = options_there[option].allowed, _shown(value)
            message = f"{name}: the option {option} is {allowed}, not {given}."
            raise InvalidPlan(message, field="options") from None
    return parsed


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """A method's function that checks its level and its options whenever it is called.

    It raises InvalidPlan where ``parse`` does, and for a level that is no number of 0 or more.
    """

    @wraps(method)
    def checking(images: Any, sigma: float, **options: Any) -> Any:
        if not (_is_number(sigma) and sigma >= 0):
            message = f"{_name(method)}: the noise level must be a number of 0 or more, not {sigma}."
            raise InvalidPlan(message, field="level")
        filled_in = {name: options.pop(name) for name in FILLED_IN & options.keys()}
        return method(images, sigma, **parse(method, options), **filled_in)

    return checking


@cache
def _parameters(method: Callable) -> dict[str, Option]:
    parameters = inspect.signature(method, eval_str=True).parameters.values()
    return {p.name: Option(p.name, p.annotation, p.default) for p in parameters if p.kind is p.KEYWORD_ONLY}


def _name(method: Callable) -> str:
    function = method.func if isinstance(method, partial) else method
    return function.__module__.rpartition(".")[2]


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _words(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
        return f"{_words(kind)} {limits.words}"
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    words = {int: "a whole number", float: "a number", bool: "true or false", np.ndarray: "an array of numbers"}
    return "none" if kind is types.NoneType else words[kind]


def _converted(kind: Any, value: Any) -> Any:
    """``value`` as ``kind``; TypeError or ValueError if it is none."""
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
        value = _converted(kind, value)
        fits = limits.fits(value)
    elif get_origin(kind) is Literal:
        fits = value in get_args(kind)
    elif kind is int:
        fits = _is_number(value) and (isinstance(value, Integral) or float(value).is_integer())
        value = int(value) if fits else value
    elif kind is float:
        fits = _is_number(value)
        value = float(value) if fits else value
    elif kind is np.ndarray:
        value = np.asarray(value, np.float64)
        fits = True
    else:  # bool, or None
        fits = isinstance(value, kind)
    if not fits:
        raise ValueError(value)
    return value


def _shown(value: Any) -> str:
    """A value in a message: on one line, and no longer than SHOWN."""
    text = reprlib.repr(value)  # which bounds each level of a list, not all of it
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_) and math.isfinite(value)
