"""The workers of a Dask cluster as an Executor: what a lost worker or a lost connection took is done again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from typing import Any

from ..errors import InvalidPlan, MedRestoreError

PATIENCE_SECONDS = 300.0  # for a scheduler that is lost to come back, such as one that is started anew
_PAUSE_SECONDS = 0.2
LOST = "the Dask scheduler was lost and did not come back; start the batch again to go on."


class Cluster(Executor):
    """Submits to a Dask client, and to a new one when the connection to the scheduler is lost.

    A task whose worker is lost is done by another; one that has been on four lost workers (Dask's ``allowed-failures``)
    ends with BrokenExecutor. When the scheduler is lost for good, what is left ends with MedRestoreError.

    Args:
        connect: makes a ``distributed.Client``, and raises InvalidPlan where it cannot.
        resources: what a call asks of the worker that does it (Dask's ``resources``).
        patience: seconds to wait for a lost scheduler.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        resources: Callable[[Any], dict[str, float]] = lambda call: {},
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._connect, self._resources, self._patience = connect, resources, patience
        self._lock = threading.Lock()
        self._lost: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._shut = False
        self._client = connect()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As of every Executor."""
        if self._shut:
            raise RuntimeError("the cluster has been shut down.")
        future: Future[Any] = Future()
        self._send(partial(fn, *args, **kwargs) if args or kwargs else fn, future)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the connection; what is under way is cancelled."""
        self._shut = True
        self._client.close()

    def _send(self, call: Callable[[], Any], future: Future[Any]) -> None:
        client = self._client
        try:
            # A key of its own says nothing in the cluster's logs, where Dask's would hold the name of the study.
            task = client.submit(call, key=f"call-{uuid.uuid4().hex}", resources=self._resources(call))
        except Exception:
            if client.status == "running":
                raise
            self._lose(call, future)  # the connection went at this very moment
        else:
            future.add_done_callback(lambda one: task.cancel() if one.cancelled() else None)
            asyncio.run_coroutine_threadsafe(self._follow(call, future, task), client.loop.asyncio_loop)

    async def _follow(self, call: Callable[[], Any], future: Future[Any], task: Any) -> None:
        """Hand on how a task ends."""
        try:
            result = await task
        except Exception as error:
            if future.cancelled():
                return
            if task.status == "error":
                future.set_exception(BrokenExecutor(f"no worker could do it ({type(error).__name__})"))
            else:
                self._lose(call, future)
        else:
            if not future.cancelled():
                future.set_result(result)

    def _lose(self, call: Callable[[], Any], future: Future[Any]) -> None:
        """Note what was lost with the connection, to be sent again when there is one."""
        with self._lock:
            self._lost.append((call, future))
            if len(self._lost) == 1:
                threading.Thread(target=self._revive, daemon=True).start()

    def _revive(self) -> None:
        end = time.monotonic() + self._patience
        while self._client.status != "running" and not self._shut and time.monotonic() < end:
            if self._client.status == "closed":
                self._reconnect()
            time.sleep(_PAUSE_SECONDS)
        with self._lock:
            lost, self._lost = self._lost, []
        for call, future in lost:
            if self._shut:
                future.cancel()
            elif self._client.status == "running":
                self._send(call, future)
            else:
                future.set_exception(MedRestoreError(LOST, field="scheduler"))

    def _reconnect(self) -> None:
        with contextlib.suppress(InvalidPlan):  # not yet
            self._client = self._connect()
