"""Other libraries kept from talking past us: our errors say in one line what is wrong, and name no patient."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """pydicom without its checks of values: their warnings would print what a header holds."""
    import pydicom.config

    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Standard error closed to C libraries (libpng, FFmpeg, OpenJPEG...), which write there when a file is damaged.

    What they found still reaches us as an exception. Affects the whole process while it lasts.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a program without standard error, as Slicer on Windows
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
