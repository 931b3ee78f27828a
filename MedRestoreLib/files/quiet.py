"""pydicom kept from talking past us: our errors say in one line what is wrong, and name no patient."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_inside = 0
_settings = ExitStack()


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """pydicom without its checks of values: their warnings would print what a header holds.

    Warnings and pydicom's settings belong to the whole process: the first thread to enter changes them, and the last
    one to leave puts them back.
    """
    import pydicom.config

    global _inside
    with _lock:
        if _inside == 0:
            _settings.enter_context(pydicom.config.disable_value_validation())
            _settings.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _settings.close()
