"""DICOM peers on this machine: a sender, and a destination that remembers what it was sent."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

STORAGE = "1.2.840.10008.5.1.4.1.1"
CLASSES = [f"{STORAGE}.{kind}" for kind in ("20", "4", "3.1", "128", "2")]
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
ECHO = "1.2.840.10008.1.1"


@contextmanager
def destination(
    title: str = "ARCHIVE", statuses: Iterator[int] | None = None, tls: Path | None = None
) -> Iterator[tuple[int, list[Any]]]:
    """A storage that answers with ``statuses``, else with success: its port, and the data sets that it took.

    Args:
        title: its title.
        statuses: of its answers.
        tls: its certificate and key, without ``.pem`` and ``.key``.
    """
    from pynetdicom import AE, evt

    taken: list[Any] = []

    def store(event: Any) -> int:
        status = 0 if statuses is None else next(statuses, 0)
        if status == 0:
            path = getattr(event.request, "_dataset_path", None)
            taken.append(event.dataset if path is None else dcmread(event.dataset_path))
        return status

    entity = AE(ae_title=title)
    for one in CLASSES:
        entity.add_supported_context(one, SYNTAXES)
    secured = None
    if tls is not None:
        secured = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secured.load_cert_chain(tls.with_suffix(".pem"), tls.with_suffix(".key"))
    handlers = [(evt.EVT_C_STORE, store)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers, ssl_context=secured)
    try:
        yield server.socket.getsockname()[1], taken
    finally:
        server.shutdown()


@contextmanager
def web_destination(lost_answers: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """A DICOMweb service that stores (STOW-RS) and is searched (QIDO-RS): its URL, and the data sets that it was sent.

    Args:
        lost_answers: the first so many data sets are stored, and the connection ends without an answer.
    """
    taken: list[Any] = []
    left = [lost_answers]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kind = self.headers["Content-Type"]
            boundary = kind.partition("boundary=")[2].partition(";")[0].strip('"').encode()
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for part in body.split(b"--" + boundary)[1:-1]:
                taken.append(dcmread(BytesIO(part.partition(b"\r\n\r\n")[2])))
            if left[0]:
                left[0] -= 1
                self.close_connection = True
                return
            self._answer({"00081190": {"vr": "UR", "Value": ["studies"]}})

        def do_GET(self) -> None:
            series = self.path.partition("/series/")[2].partition("/")[0]
            there = {str(one.SOPInstanceUID) for one in taken if one.SeriesInstanceUID == series}
            (offset,) = parse_qs(urlsplit(self.path).query).get("offset", ["0"])
            found = sorted(there)[int(offset) :]
            self._answer([{"00080018": {"vr": "UI", "Value": [uid]}} for uid in found])

        def _answer(self, told: Any) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web", taken
    finally:
        server.shutdown()
        server.server_close()


def send(port: int, paths: Iterable[Path | Any], title: str = "SENDER", called: str = "MEDRESTORE") -> list[int | None]:
    """Send files or data sets; the status of each, None where there was no association, or no answer."""
    from pynetdicom import AE

    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 120.0
    for one in (*CLASSES, ECHO):
        entity.add_requested_context(one, SYNTAXES)
    paths = list(paths)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return [None] * len(paths)
    found: list[int | None] = []
    for path in paths:
        try:
            answer = association.send_c_store(dcmread(path) if isinstance(path, Path) else path)
            found.append(answer.get("Status"))
        except (RuntimeError, ValueError):
            found.append(None)
    association.release()
    return found


def echo(
    port: int, title: str = "SENDER", called: str = "MEDRESTORE", tls: Path | None = None, trusted: Path | None = None
) -> int | None:
    """The answer to a C-ECHO; None where the association is refused or ended.

    Args:
        tls: path of our certificate and key, without their suffixes; None speaks without TLS.
        trusted: the certificate that the other end must show.
    """
    from pynetdicom import AE

    secured = None
    if tls is not None:
        context = ssl.create_default_context(cafile=trusted)
        context.load_cert_chain(tls.with_suffix(".pem"), tls.with_suffix(".key"))
        secured = (context, "127.0.0.1")

    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 120.0
    entity.add_requested_context(ECHO)
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=secured)
    if not association.is_established:
        return None
    answer = association.send_c_echo()
    association.release()
    return answer.get("Status")
