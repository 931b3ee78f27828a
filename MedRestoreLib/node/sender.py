"""Delivers derived files, by C-STORE or STOW-RS, again and again until they are acknowledged or time is up."""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path

from ..files.headers import read_header, text
from ..files.quiet import quiet_pydicom
from .config import Config, Peer
from .queue import Delivery, Queue
from .web import Web

LOG = logging.getLogger("medrestore.node")

_SYNTAXES = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"]
_LONGEST_WAIT = 3600.0
_MOST_CLASSES = 100  # of one association: the standard has room for 128 presentation contexts


def deliver(config: Config, queue: Queue) -> int:
    """Try what is waiting for one destination.

    Returns:
        How many deliveries were tried.
    """
    waiting = queue.waiting()
    if not waiting:
        return 0
    peer = config.peer(waiting[0].destination)
    if peer is None or not peer.takes:
        for one in waiting:
            queue.give_up(one, "the destination is no longer configured")
        return len(waiting)
    kinds = {one: _class_of(one) for one in waiting}
    way = Web(config, peer) if peer.url else _Association(config, peer, sorted(set(kinds.values()) - {""}))
    try:
        for one, kind in kinds.items():
            problem = way.send(one.file) if kind else "its file is gone, or cannot be read"
            late = time.time() - one.since > 3600 * config.give_up_hours
            if not problem:
                queue.sent(one)
                queue.count("sent")
            elif late or not one.file.is_file():
                queue.give_up(one, problem)
            else:
                queue.postpone(one, min(_LONGEST_WAIT, 2.0 ** min(one.attempts, 12)), problem)
    finally:
        way.close()
    return len(waiting)


def _class_of(delivery: Delivery) -> str:
    try:
        with quiet_pydicom():
            return text(read_header(delivery.file, ["SOPClassUID"]), "SOPClassUID")
    except Exception:  # absent, damaged, or not to be read for the moment
        return ""


class _Association:
    """An association with a peer for files of some classes; where there is none, nothing can be sent."""

    def __init__(self, config: Config, peer: Peer, classes: list[str]) -> None:
        from pynetdicom import AE

        entity = AE(ae_title=config.ae_title)
        entity.network_timeout = entity.dimse_timeout = entity.acse_timeout = entity.connection_timeout = 60.0
        for one in classes[:_MOST_CLASSES] or ["1.2.840.10008.1.1"]:
            entity.add_requested_context(one, _SYNTAXES)
        tls = None
        if peer.tls and config.tls is not None:
            context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=config.tls.authorities)
            context.load_cert_chain(config.tls.certificate, config.tls.key)
            tls = (context, peer.address)
        self._association = entity.associate(peer.address, peer.port, ae_title=peer.ae_title, tls_args=tls)

    def send(self, file: Path) -> str:
        """Why a file could not be delivered; "" if it was."""
        from pydicom import dcmread

        if not self._association.is_established:
            return "the destination is not there, or refuses the association"
        try:
            with quiet_pydicom():
                answer = self._association.send_c_store(dcmread(file))
        except Exception as error:  # the peer went away, or takes none of these
            return f"it could not be sent ({type(error).__name__})"
        if "Status" not in answer:
            return "the destination did not answer"
        status = int(answer.Status)
        return "" if status == 0 or status >> 12 == 0xB else f"the destination refused it (status {status:04X})"

    def close(self) -> None:
        """End the association."""
        if self._association.is_established:
            self._association.release()
