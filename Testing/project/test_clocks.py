"""No test depends on how busy the machine is: none asserts a time, and time-outs only guard against a hang."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, settings

from Testing.support.paths import REPOSITORY

CLOCKS = {"time", "monotonic", "perf_counter"}  # of the module time; process_time and thread_time count work
WAITS = {"wait", "wait_until"}
PATIENCE = 120.0  # seconds: what ends a test that hangs
POLLING = 1.0  # seconds: shorter waits are steps of a loop
SOURCES = [p for p in sorted((REPOSITORY / "Testing").rglob("*.py")) if "benchmarks" not in p.parts]


def timed_assertions(source: str) -> Iterator[int]:
    """Lines of assertions about a clock, read there or into a name of the same function before.

    In a ``while`` loop they keep a failing test from waiting for ever, and may stay.
    """
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        assigned = [(place, n.value) for n in ast.walk(function) if isinstance(n, ast.Assign) for place in n.targets]
        read = {name for place, value in assigned for name in _clocked(place, value)}
        loops = [loop for loop in ast.walk(function) if isinstance(loop, ast.While)]
        guards = {id(node) for loop in loops for node in ast.walk(loop)}
        for node in ast.walk(function):
            if isinstance(node, ast.Assert) and id(node) not in guards:
                names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                if names & read or _reads_a_clock(node):
                    yield node.lineno


def _clocked(place: ast.AST, value: ast.AST) -> set[str]:
    """Names that an assignment gives what a clock says."""
    if isinstance(place, ast.Tuple) and isinstance(value, ast.Tuple):
        return set().union(*(_clocked(p, v) for p, v in zip(place.elts, value.elts, strict=True)))
    return {place.id} if isinstance(place, ast.Name) and _reads_a_clock(value) else set()


def _reads_a_clock(node: ast.AST) -> bool:
    calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    return any(ast.unparse(call) in {f"time.{clock}" for clock in CLOCKS} for call in calls)


def short_timeouts(source: str) -> Iterator[int]:
    """Lines that give a number below ``PATIENCE`` to ``timeout`` or to a function that waits."""
    for node in ast.walk(ast.parse(source)):
        given: list[tuple[str | None, ast.AST | None]] = []
        if isinstance(node, ast.Call):
            given = [(keyword.arg, keyword.value) for keyword in node.keywords]
            waits = ast.unparse(node.func).split(".")[-1] in WAITS
            given += [("timeout", argument) for argument in node.args if waits]
        elif isinstance(node, ast.FunctionDef):
            plain, named = [*node.args.posonlyargs, *node.args.args], node.args.kwonlyargs
            defaults = [*[None] * (len(plain) - len(node.args.defaults)), *node.args.defaults, *node.args.kw_defaults]
            given = [(argument.arg, default) for argument, default in zip([*plain, *named], defaults, strict=True)]
        for name, value in given:
            number = isinstance(value, ast.Constant) and isinstance(value.value, int | float)
            if name == "timeout" and number and POLLING < value.value < PATIENCE:
                yield node.lineno


def found(check) -> list[str]:
    return [f"{_name(path)}:{line}" for path in SOURCES for line in check(path.read_text(encoding="utf-8"))]


def _name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_the_finders_find():
    source = (
        "def test_a():\n    begun = time.monotonic()\n    work()\n    assert time.monotonic() - begun < 2\n"
        "def test_b():\n    pid, took = 7, work() - time.perf_counter()\n    assert took < 2\n    assert pid == 7\n"
        "def test_c(timeout=20.0):\n    end = time.monotonic() + 120\n    while work():\n"
        "        assert time.monotonic() < end\n    assert time.process_time() < 3\n"
        "    work(timeout=60)\n    work(timeout=120)\n    process.wait(20)\n    process.wait(200)\n    work(20)\n"
    )
    assert list(timed_assertions(source)) == [4, 7]
    assert list(short_timeouts(source)) == [9, 14, 16]


def test_no_test_asserts_a_time():
    assert not found(timed_assertions)


def test_timeouts_only_guard_against_a_hang():
    assert not found(short_timeouts)


def test_hypothesis_does_not_look_at_the_clock():
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
