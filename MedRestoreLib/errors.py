"""The errors a user can meet. Each message says what is wrong and what to do, in one line, and names no patient."""


def printable(text: str) -> str:
    """A text without what moves a cursor, colours a terminal or is no character: names of files may hold all that."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


class MedRestoreError(Exception):
    """Base of every error that MedRestore raises on purpose.

    Attributes:
        field: the field of ``Plan`` or the argument that would cure it ("level", "noise", "replace_nan"...), "" where
            there is none. The command line adds its flag, the panel its own words; the message names neither.
    """

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(printable(message))
        self.field = field


class UnsupportedImage(MedRestoreError):
    """The study cannot be read, or holds something that cannot be restored."""


class InvalidPlan(MedRestoreError):
    """The plan does not fit: unknown method, level out of range, method unfit for the study."""


class UnknownNoise(MedRestoreError):
    """There is no such noise model."""


class OutputError(MedRestoreError):
    """The result cannot be written where it was asked to go."""


class MissingPackage(MedRestoreError):
    """A Python package that this step needs is not installed."""


class WeightsMissing(MedRestoreError):
    """A network's weights are absent or differ from their recorded SHA-256."""


class OutOfMemory(MedRestoreError):
    """The study does not fit in memory even with the smallest tiles."""


class WorkerStopped(MedRestoreError):
    """The worker process ended before its job was done."""


class Cancelled(MedRestoreError):
    """The caller stopped the job; nothing was written."""
