"""``python -m MedRestoreLib`` is the command ``medrestore``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"] and len(sys.argv) == 3:  # the worker runs where typer is not installed: in 3D Slicer
        from MedRestoreLib.service.worker import main as serve

        serve(Path(sys.argv[2]))
    else:
        from MedRestoreLib.cli import main

        main()
