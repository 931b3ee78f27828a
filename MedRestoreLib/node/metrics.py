"""What a node does, as Prometheus reads it: numbers alone, on this machine alone.

Format: https://prometheus.io/docs/instrumenting/exposition_formats.
"""

from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .config import Config
from .queue import Queue

_PREFIX = "medrestore_node"


class Metrics:
    """A server of ``/metrics`` on 127.0.0.1, where a port is configured."""

    def __init__(self, config: Config, queue: Queue) -> None:
        self._config, self._queue = config, queue
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Serve from now on; OSError where the port is taken."""
        if not self._config.metrics_port:
            return
        metrics = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.path == "/metrics"
                body = metrics.text().encode() if found else b""
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._config.metrics_port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def text(self) -> str:
        """The metrics."""
        figures = self._queue.figures()
        lines = []
        for table in ("series", "deliveries"):
            lines.append(f"# TYPE {_PREFIX}_{table} gauge")
            lines += [f'{_PREFIX}_{table}{{state="{state}"}} {count}' for state, count in figures[table].items()]
        for name, value in figures["counters"].items():
            lines += [f"# TYPE {_PREFIX}_{name}_total counter", f"{_PREFIX}_{name}_total {value}"]
        free = shutil.disk_usage(self._config.folder).free
        lines += [f"# TYPE {_PREFIX}_free_bytes gauge", f"{_PREFIX}_free_bytes {free}"]
        return "\n".join(lines) + "\n"
