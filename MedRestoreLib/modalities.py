"""One table of modalities: what an acquisition implies before anybody has looked at its voxels."""

from __future__ import annotations

from dataclasses import dataclass

LABELS = "SEG"  # DICOM's code of segmentations: voxels name things, and none is between two others


@dataclass(frozen=True)
class Modality:
    """One row of the table.

    Attributes:
        code: DICOM's (0008,0060).
        title: for a person.
        noise: id of the noise model that its studies have.
        aliases: retired DICOM codes and words that people type, in lower case.
        unit: of its voxels as acquired, "" where that is not fixed.
        inverted: shown dark on light.
        paired: two frames of one slice are two views of one patient (anterior and posterior), not moments in time.
        compressed: 8-bit frames show log-compressed amplitudes.
        window: grey values customarily shown as black and white, in ``unit``; None where they depend on the study.
    """

    code: str
    title: str
    noise: str
    aliases: tuple[str, ...] = ()
    unit: str = ""
    inverted: bool = False
    paired: bool = False
    compressed: bool = False
    window: tuple[float, float] | None = None

    def has(self, name: str) -> bool:
        """Whether this is the row of a DICOM code or alias, in any case."""
        return name.upper() == self.code or name.lower() in self.aliases


MODALITIES = (
    Modality(
        "NM",
        "Nuclear medicine, planar or SPECT",
        noise="poisson",
        aliases=("st", "spect", "scintigraphy", "bone scan"),
        unit="counts",
        inverted=True,
        paired=True,
    ),
    Modality("MR", "Magnetic resonance", noise="rician", aliases=("mri", "t1", "t2", "flair", "pd")),
    Modality("US", "Ultrasound", noise="speckle", aliases=("ultrasound", "sonography", "echo"), compressed=True),
    Modality("PT", "PET", noise="reconstructed", aliases=("pet",)),
    Modality("CT", "CT or cone beam", noise="gaussian", aliases=("cbct",), unit="HU", window=(-160.0, 240.0)),
    Modality("OT", "Other", noise="gaussian", aliases=("other",)),
)

# DICOM codes (PS3.3 C.7.3.1.1.1) of other acquisitions that give images: their noise is taken for Gaussian.
OTHERS = (
    *("BI", "BMD", "CR", "DG", "DMS", "DX", "ECG", "EPS", "ES", "GM", "HD", "IO", "IVOCT", "IVUS", "KER", "LEN", "LS"),
    *(
        "MG",
        "NEAR",
        "OAM",
        "OCT",
        "OP",
        "OPM",
        "OPT",
        "OPV",
        "OSS",
        "PA",
        "PX",
        "RF",
        "RG",
        "RTIMAGE",
        "SC",
        "SM",
        "TG",
    ),
    *("VA", "XA", "XC"),
)
UNKNOWN = "OT"  # DICOM's code for other
RETIRED = ("ST",)  # DICOM codes that files of former years still have: ST was SPECT


def find(code: str) -> Modality:
    """The row of a DICOM code or alias, in any case; that of "OT" for any other.

    >>> find("MRI").code, find("ST").code, find("XA").code
    ('MR', 'NM', 'OT')
    """
    return next((row for row in MODALITIES if row.has(code)), MODALITIES[-1])


def named(text: str) -> Modality:
    """The row that a person means by a DICOM code or alias; KeyError where nobody could tell.

    >>> named("PET").code, named("xa").code
    ('PT', 'OT')
    """
    row = find(text)
    if not row.has(text) and text.upper() not in OTHERS:
        raise KeyError(text)
    return row
