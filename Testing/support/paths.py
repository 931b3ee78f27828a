"""Where things lie in the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PANEL = REPOSITORY / "MedRestore"
MODULE = PANEL / "MedRestore.py"

# The README names files of the repository by where they are on the web, so that package indexes can show it.
ONLINE = "https://github.com/MedRestore/SlicerMedRestore/blob/main/"
PICTURES = "https://raw.githubusercontent.com/MedRestore/SlicerMedRestore/main/"


def local(link: str) -> Path | None:
    """The file of the repository that a link leads to; None where it leads elsewhere."""
    for start in (ONLINE, PICTURES):
        if link.startswith(start):
            return REPOSITORY / link.removeprefix(start).split("#")[0]
    return None if "://" in link else REPOSITORY / link
