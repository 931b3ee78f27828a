"""A learned method knows the studies that it was validated on, and names what differs."""

from __future__ import annotations

from MedRestoreLib.methods import catalogue
from MedRestoreLib.methods.validity import Traits, Validity

SCANS = Validity("scans", ("NM",), peak_counts=(26, 2600), pixel_mm=(2, 5), views=("STATIC",))


def test_what_lies_within_has_no_misfit_nor_has_what_is_unknown():
    assert SCANS.misfits(Traits("NM", 100.0, 2.3, "STATIC")) == ()
    assert SCANS.misfits(Traits("NM")) == ()


def test_each_misfit_is_named():
    found = SCANS.misfits(Traits("OT", 8.0, 1.0, "RECON TOMO"))
    assert len(found) == 4
    for words in ("modality OT", "8 counts", "1 mm", "RECON TOMO"):
        assert any(words in one for one in found)


def test_a_reconstruction_is_no_study_for_the_networks_of_counts():
    for row in catalogue.METHODS:
        if row.domain == "rate":
            assert row.validity.misfits(Traits("NM", 500.0, 4.1, "RECON TOMO"))
