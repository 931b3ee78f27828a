"""Takes instances in: C-ECHO and C-STORE from the peers on the list, and from nobody else.

Standard: DICOM PS3.4 annex B (storage service class; its status codes in table B.2-1) and PS3.8 (associations).
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import sqlite3
import ssl
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..files.atomic import sha256, staged
from ..files.headers import read_header, text
from ..files.quiet import quiet_pydicom
from .config import MODALITIES, Config, Peer
from .queue import Conflict, Queue

LOG = logging.getLogger("medrestore.node")

SUCCESS = 0x0000
NOT_AUTHORISED = 0x0124
DUPLICATE = 0x0111
OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
NOT_UNDERSTOOD = 0xC000

# Storage classes by modality: single and multi-frame, enhanced, and those that are retired but still sent.
_STORAGE = "1.2.840.10008.5.1.4.1.1"
CLASSES = tuple(
    f"{_STORAGE}.{kind}"
    for kind in ("20", "5", "4", "4.1", "4.3", "4.4", "6.1", "6", "3.1", "3", "6.2", "128", "128.1", "130")
)
_SYNTAX = "1.2.840.10008.1.2"
SYNTAXES = tuple(
    f"{_SYNTAX}{kind}" for kind in (".1", "", ".2", ".5", ".4.50", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91")
)
_TAGS = (
    "BodyPartExamined",
    "Modality",
    "SOPInstanceUID",
    "SeriesDescription",
    "SeriesInstanceUID",
    "StationName",
    "StudyInstanceUID",
)
_NAMES = {"modality": "Modality", "station": "StationName", "description": "SeriesDescription"} | {
    "body_part": "BodyPartExamined"
}


class Receiver:
    """The listening half of a node."""

    def __init__(self, config: Config, queue: Queue) -> None:
        self._config, self._queue = config, queue
        self._lock = threading.Lock()
        self._taking: dict[Any, int] = defaultdict(int)  # bytes of the message under way, by association
        self._brought: dict[Any, set[str]] = defaultdict(set)  # series, by association
        self._allowance: dict[str, tuple[float, float]] = {}  # what a peer may still send, and when that was reckoned
        self._server: Any = None

    def start(self) -> int:
        """Listen.

        Returns:
            The port.

        Raises:
            OSError: the port is taken.
        """
        from pynetdicom import AE, _config, evt

        _config.STORE_RECV_CHUNKED_DATASET = True  # an instance goes to the disk as it comes, not into memory
        entity = AE(ae_title=self._config.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = sorted({peer.ae_title for peer in self._config.peers if peer.may_send})
        entity.maximum_associations = self._config.max_associations
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = 60.0
        entity.add_supported_context("1.2.840.10008.1.1")
        for one in CLASSES:
            entity.add_supported_context(one, list(SYNTAXES))
        self._server = entity.start_server(
            (self._config.host, self._config.port),
            block=False,
            ssl_context=self._ssl_context(),
            evt_handlers=[
                (evt.EVT_ACCEPTED, self._accepted),
                (evt.EVT_DATA_RECV, self._data),
                (evt.EVT_DIMSE_RECV, self._message),
                (evt.EVT_C_ECHO, self._echo),
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_RELEASED, self._released),
                (evt.EVT_ABORTED, self._forgotten),
                (evt.EVT_CONN_CLOSE, self._forgotten),
            ],
        )
        return int(self._server.socket.getsockname()[1])

    def stop(self) -> None:
        """End all associations and listen no more."""
        if self._server is not None:
            self._server.shutdown()

    def _ssl_context(self) -> ssl.SSLContext | None:
        tls = self._config.tls
        if tls is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.authorities)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(tls.certificate, tls.key)
        return context

    def _sender(self, event: Any) -> Peer | None:
        """The peer at the other end; None where it is not on the list."""
        requestor = event.assoc.requestor
        for peer in self._config.peers:
            if peer.may_send and peer.ae_title == requestor.ae_title and peer.is_at(requestor.address):
                return peer
        return None

    def _accepted(self, event: Any) -> None:
        if self._sender(event) is None:
            self._queue.count("refused_not_on_the_list")
            LOG.warning("an association from an address that is not on the list was ended")
            event.assoc.abort()

    def _data(self, event: Any) -> None:
        with self._lock:
            self._taking[event.assoc] += len(event.data)
            too_much = self._taking[event.assoc] > 1e6 * self._config.max_instance_mb
        if too_much:
            self._queue.count("refused_too_large")
            LOG.warning("an instance larger than %g MB ended its association", self._config.max_instance_mb)
            event.assoc.abort()

    def _message(self, event: Any) -> None:
        with self._lock:
            self._taking[event.assoc] = 0

    def _echo(self, event: Any) -> int:
        return SUCCESS if self._sender(event) else NOT_AUTHORISED

    def _released(self, event: Any) -> None:
        with self._lock:
            mine = self._brought.pop(event.assoc, set())
            mine -= set().union(*self._brought.values())  # another association is still bringing them
        if self._config.on_release and mine:
            self._queue.complete(mine)

    def _forgotten(self, event: Any) -> None:
        with self._lock:
            self._taking.pop(event.assoc, None)
            self._brought.pop(event.assoc, None)

    def _store(self, event: Any) -> Any:
        """Acknowledge an instance once it is on the disk and in the queue."""
        peer = self._sender(event)
        if peer is None:
            return NOT_AUTHORISED
        if not self._may_send(peer):
            return self._refused(OUT_OF_RESOURCES, "too many instances a minute", "rate")
        if shutil.disk_usage(self._config.folder).free < 1e9 * self._config.least_free_gb:
            return self._refused(OUT_OF_RESOURCES, "the disk is nearly full", "disk_full")
        try:
            return self._keep(event)
        except Conflict:
            return self._refused(DUPLICATE, "another instance has this UID", "duplicate")
        except (OSError, OutputError):
            return self._refused(OUT_OF_RESOURCES, "the disk cannot be written", "disk_failed")
        except Exception as error:  # whatever a damaged data set provokes; its text may hold what names a patient
            LOG.warning("an instance was not understood (%s)", type(error).__name__)
            return self._refused(NOT_UNDERSTOOD, "the data set is damaged", "damaged")

    def _refused(self, status: int, why: str, counter: str) -> Any:
        from pydicom.dataset import Dataset

        self._queue.count(f"refused_{counter}")
        answer = Dataset()
        answer.Status, answer.ErrorComment = status, why
        return answer

    def _may_send(self, peer: Peer) -> bool:
        """Whether a peer keeps to the rate; it may save up what it did not use for a minute."""
        most, now = self._config.instances_per_minute, time.monotonic()
        with self._lock:
            left, when = self._allowance.get(peer.ae_title, (most, now))
            left = min(most, left + (now - when) * most / 60)
            self._allowance[peer.ae_title] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _keep(self, event: Any) -> Any:
        came = Path(event.dataset_path)
        with quiet_pydicom():
            header = read_header(came, _TAGS)
        uid, series = text(header, "SOPInstanceUID"), text(header, "SeriesInstanceUID")
        if uid != event.request.AffectedSOPInstanceUID or not series or not text(header, "StudyInstanceUID"):
            return self._refused(MISMATCH, "UIDs are missing or differ", "mismatch")
        about = {name: text(header, keyword) for name, keyword in _NAMES.items()}
        if about["modality"] not in MODALITIES:
            return self._refused(MISMATCH, f"only {', '.join(MODALITIES)} are taken", "modality")
        digest = sha256(came)
        if not self._queue.knows(uid, digest):
            place = self._config.folder / "incoming" / short(series) / f"{short(uid)}.dcm"
            place.parent.mkdir(parents=True, exist_ok=True)
            with staged(place) as staging:
                shutil.copyfile(came, staging.path)
            rule = self._config.rule_for(about)
            try:
                self._queue.add(uid, series, place, digest, about, rule.name if rule else "")
            except sqlite3.IntegrityError:  # the same instance came over two associations at once
                self._queue.knows(uid, digest)
            else:
                self._queue.count("received")
        with self._lock:
            self._brought[event.assoc].add(series)
        return SUCCESS


def short(uid: str) -> str:
    """A name for files and logs that tells no UID."""
    return hashlib.sha256(uid.encode()).hexdigest()[:24]
