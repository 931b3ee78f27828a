"""What studies a learned method was measured on: outside, nobody knows what it does, and it is not recommended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """What a validity looks at in a study; None and "" where the study does not tell.

    Attributes:
        modality: DICOM code.
        peak_counts: counts expected where the clean study is brightest.
        pixel_mm: size of a pixel.
        view: the third value of DICOM's Image Type, such as "WHOLE BODY" or "RECON TOMO".
    """

    modality: str
    peak_counts: float | None = None
    pixel_mm: float | None = None
    view: str = ""


@dataclass(frozen=True)
class Validity:
    """The studies on which a method was measured.

    Attributes:
        said: what they were, as a noun phrase for a person.
        modalities: DICOM codes.
        peak_counts: least and most counts at the brightest pixel; None where counts do not matter.
        pixel_mm: least and greatest size of a pixel; None where it does not matter.
        views: third values of DICOM's Image Type; empty for any.
    """

    said: str
    modalities: tuple[str, ...]
    peak_counts: tuple[float, float] | None = None
    pixel_mm: tuple[float, float] | None = None
    views: tuple[str, ...] = ()

    def misfits(self, study: Traits) -> tuple[str, ...]:
        """In what the study differs from them, each a part of a sentence; empty if it does not as far as is known.

        >>> Validity("bone scans", ("NM",), peak_counts=(26, 2600)).misfits(Traits("NM", peak_counts=8.2))
        ('8 counts at the brightest pixel, not 26 to 2600',)
        """
        found = []
        if study.modality not in self.modalities:
            found.append(f"modality {study.modality}, not {' or '.join(self.modalities)}")
        if _outside(study.peak_counts, self.peak_counts):
            found.append(f"{study.peak_counts:.0f} counts at the brightest pixel, not {_span(self.peak_counts)}")
        if _outside(study.pixel_mm, self.pixel_mm):
            found.append(f"pixels of {study.pixel_mm:.3g} mm, not {_span(self.pixel_mm)}")
        if self.views and study.view and study.view not in self.views:
            found.append(f"image type {study.view}, not {' or '.join(self.views)}")
        return tuple(found)


def _outside(value: float | None, limits: tuple[float, float] | None) -> bool:
    return value is not None and limits is not None and not limits[0] <= value <= limits[1]


def _span(limits: tuple[float, float]) -> str:
    return f"{limits[0]:g} to {limits[1]:g}"
