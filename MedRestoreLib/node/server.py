"""The node itself: receives, restores what is complete, delivers, forgets what is long done."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ..errors import MedRestoreError, OutputError
from ..files.atomic import remove_partials
from ..files.derived import is_derived
from ..files.held import hold
from ..service.batch import batch
from . import sender
from .config import Config
from .metrics import Metrics
from .queue import Queue, Work
from .receiver import Receiver, short

LOG = logging.getLogger("medrestore.node")

# A series is restored in a process of its own, so a node that ends in the middle was most likely stopped by somebody.
# Begun so often without an end, it is taken to be the cause all the same.
ATTEMPTS = 30
_PAUSE = 0.5  # seconds between looks for work
_FORGET = 60.0  # seconds between looks for what may be forgotten
_ARRIVES = 600.0  # seconds without a byte after which an instance will not come any more


class Node:
    """A node that runs from ``start`` to ``stop``.

    Raises:
        OutputError: its folder cannot be written to, or another node uses it.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        try:
            for name in ("arriving", "incoming", "results"):
                (config.folder / name).mkdir(parents=True, exist_ok=True)
            self._held = hold(config.folder / "node.lock", create=True)
            self.queue = Queue(queue_of(config))
        except (OSError, sqlite3.DatabaseError) as error:
            raise OutputError(f"{config.folder} cannot be used by the node ({error}).", field="node.folder") from error
        if self._held is None:
            raise OutputError(f"another node uses {config.folder}; give each its own.", field="node.folder")
        self.port = 0
        self._receiver = Receiver(config, self.queue)
        self._metrics = Metrics(config, self.queue)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pool: ProcessPoolExecutor | None = None

    def start(self) -> None:
        """Go on where a former node stopped, and listen.

        Raises:
            OutputError: a port is taken.
        """
        self.queue.resume()
        self._clean()
        try:
            self._metrics.start()
            self.port = self._receiver.start()
        except OSError as error:
            raise OutputError(f"the node cannot listen ({error.strerror}).", field="node.port") from error
        jobs: list[Callable[[], object]] = [self._restore_one] * self.config.workers + [self._deliver, self._forget]
        pauses = [_PAUSE] * (len(jobs) - 1) + [_FORGET]
        for job, pause in zip(jobs, pauses, strict=True):
            self._threads.append(threading.Thread(target=self._again_and_again, args=(job, pause), daemon=True))
            self._threads[-1].start()
        LOG.info("listening as %s on port %d", self.config.ae_title, self.port)

    def stop(self) -> None:
        """Take nothing more, and end when what is under way is done."""
        self._receiver.stop()
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._metrics.stop()
        self.queue.close()
        if self._held is not None:
            self._held.release()

    def _again_and_again(self, job: Callable[[], object], pause: float) -> None:
        while not self._stopping.is_set():
            try:
                if job():
                    continue
            except Exception as error:  # a node outlives whatever happens to one series
                LOG.error("%s in %s", type(error).__name__, getattr(job, "__name__", "a job"))
            self._stopping.wait(pause)

    def _restore_one(self) -> bool:
        """Restore the series that is due longest; whether there was one."""
        work = self.queue.begin(self.config.quiet_seconds)
        if work is None:
            return False
        name = short(work.uid)
        try:
            problem = self._restore(work)
        except MedRestoreError as error:
            problem = str(error)
        except Exception as error:
            problem = f"an unexpected {type(error).__name__} ended it"
        if problem and self.queue.fail(work, problem):
            LOG.warning("series %s failed: %s", name, problem)
        elif not problem:
            LOG.info("series %s restored by rule %s", name, work.rule)
        return True

    def _restore(self, work: Work) -> str:
        """Restore a series and queue what is to go out; why that failed, "" if it did not."""
        rule = self.config.rule(work.rule)
        if rule is None:
            return f"its rule '{work.rule}' is no longer configured"
        if work.attempts > ATTEMPTS:
            return f"it was begun {ATTEMPTS} times and did not come to an end"
        files = self.queue.files_of(work.uid)
        if any(is_derived(file) for file in files):
            return "it was made by MedRestore"
        source = self.config.folder / "incoming" / short(work.uid)
        target = self.config.folder / "results" / f"{short(work.uid)}-{work.generation}"
        rows = batch(source, target, executor=self._workers(), **rule.preset.edits())
        made = [target / row.study for row in rows if row.status in ("restored", "already done")]
        failed = "; ".join(dict.fromkeys(row.message for row in rows if row.status == "failed"))
        if not made:
            return failed or "it holds nothing that can be restored"
        out = [file for path in made for file in ([path] if path.is_file() else sorted(path.glob("*.dcm")))]
        self.queue.finish(work, out, rule.send_to, failed)
        return ""

    def _workers(self) -> ProcessPoolExecutor:
        """Processes that restore; a crash of one costs its study, and the next studies get others."""
        if self._pool is None or getattr(self._pool, "_broken", False):
            self._pool = ProcessPoolExecutor(self.config.workers, mp_context=multiprocessing.get_context("spawn"))
        return self._pool

    def _deliver(self) -> int:
        return sender.deliver(self.config, self.queue)

    def _forget(self) -> None:
        """Remove what is done with and old, and what stopped arriving."""
        self._clean_arriving(_ARRIVES)
        for uid, files in self.queue.forget(self.config.keep_hours):
            for file in files:
                file.unlink(missing_ok=True)
            shutil.rmtree(self.config.folder / "incoming" / short(uid), ignore_errors=True)
            for folder in (self.config.folder / "results").glob(f"{short(uid)}-*"):
                shutil.rmtree(folder, ignore_errors=True)

    def _clean(self) -> None:
        """Remove what a kill left: files that came and were not acknowledged."""
        self._clean_arriving(0.0)
        remove_partials(self.config.folder / "incoming")
        known = self.queue.known_files()
        for here, _, names in os.walk(self.config.folder / "incoming"):
            for file in (Path(here) / name for name in names):
                if file not in known:
                    file.unlink(missing_ok=True)

    def _clean_arriving(self, seconds: float) -> None:
        """Remove instances whose association ended before they had come, and which nobody has touched for so long."""
        for file in arriving(self.config).iterdir():
            if file.stat().st_mtime < time.time() - seconds:
                file.unlink(missing_ok=True)


def arriving(config: Config) -> Path:
    """Where instances lie while they come, if the process makes its temporary files there."""
    return config.folder / "arriving"


def queue_of(config: Config) -> Path:
    """Where the queue of a node lies."""
    return config.folder / "queue.sqlite"
