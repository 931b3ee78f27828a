"""Adding something touches few files: each kind of addition is made in a copy of the repository, tried and counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from Testing.project.additions import ADDITIONS, Checkout, made, touched

KINDS = {addition.title: addition for addition in ADDITIONS}


@pytest.mark.parametrize(
    "addition",
    [
        # strict: once the addition is as small as it should be, the test says so, and ``pending`` goes
        pytest.param(a, id=a.title, marks=pytest.mark.xfail(strict=True, reason=a.pending) if a.pending else ())
        for a in ADDITIONS
    ],
)
def test_an_addition_works_and_touches_few_files(addition, tmp_path):
    count = made(addition, tmp_path / "copy")
    assert count.by_hand == {*addition.files, *addition.rows}
    assert len(count.by_hand) <= addition.most


@pytest.mark.parametrize("without", ["rows", "files"])
def test_an_addition_that_lacks_a_part_does_not_work(without, tmp_path):
    with pytest.raises(AssertionError, match="median"):
        made(replace(KINDS["method"], **{without: {}}), tmp_path / "copy")


def test_new_changed_and_lost_files_are_counted(tmp_path):
    checkout = Checkout.copied(tmp_path / "copy")
    assert not touched(checkout.before, checkout.files())
    (checkout.folder / "new.py").touch()
    (checkout.folder / "conftest.py").write_text("# changed")
    (checkout.folder / "LICENSE.txt").unlink()
    assert touched(checkout.before, checkout.files()) == {"new.py", "conftest.py", "LICENSE.txt"}
