"""Do points that Field II simulated get narrower when they are sharpened? Their width in mm, shown with 40 to 60 dB.

    MEDRESTORE_DATA=FOLDER python -m Testing.benchmarks.scatterers [METHOD]

METHOD is weights that ship, "swin_conv" by default, or a training's folder. Four points stand alone.
"""

from __future__ import annotations

import sys

from Testing.benchmarks.enlarging import RF, beamformed, displayed, widths
from training.data import data_folder
from training.evaluation.methods import learned

SHOWN_DB = 40.0, 50.0, 60.0
SHARPEN = 0.0, 0.5, 1.0


def main(method: str = "swin_conv") -> None:
    amplitude = beamformed(data_folder() / RF)
    print("| shown, dB | sharpen | FWHM across the beam, mm | along |\n|" + " --- |" * 4)
    for shown in SHOWN_DB:
        frame = displayed(amplitude, shown)
        print("| {:.0f} | the frame | {:.2f} | {:.2f} |".format(shown, *widths(frame, shown).mean(axis=0)))
        for share in SHARPEN:
            found = widths(learned(method, share).restore(frame, 0.1), shown).mean(axis=0)
            print("| {:.0f} | {:g} | {:.2f} | {:.2f} |".format(shown, share, *found))


if __name__ == "__main__":
    main(*sys.argv[1:])
