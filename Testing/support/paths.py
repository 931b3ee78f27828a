"""Where things lie in the repository."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PANEL = REPOSITORY / "MedRestore"
MODULE = PANEL / "MedRestore.py"
