"""The command for a DICOM node."""

from __future__ import annotations

import signal
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ..errors import MissingPackage
from . import options as opt
from . import screen

ConfigFile = Annotated[Path, typer.Option(metavar="FILE", help="What the node is told (TOML).")]

node = typer.Typer(help="Take series by DICOM C-STORE, restore them by rules, and send the derived series on.")


@node.callback(invoke_without_command=True)
def run(context: typer.Context, config: ConfigFile = Path("node.toml")) -> None:
    """Take series by DICOM C-STORE, restore them by rules, and send the derived series on, until it is stopped."""
    if context.invoked_subcommand:
        context.obj = config
        return
    import importlib.util

    from ..node.config import read

    told = read(config)
    for package in ("pynetdicom", *(["dicomweb_client"] if any(peer.url for peer in told.peers) else [])):
        if importlib.util.find_spec(package) is None:
            raise MissingPackage(f"{package} is not installed: run 'pip install \"medrestore[node]\"'.")
    from ..node.server import Node, arriving

    stopped = threading.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: stopped.set())
    # What other libraries print of damaged data sets may hold what names a patient.
    warnings.simplefilter("ignore")
    threading.excepthook = lambda what: screen.LOG.error("%s ended a thread", what.exc_type.__name__)
    running = Node(told)
    tempfile.tempdir = str(arriving(told))
    running.start()
    screen.say(f"Listening as {told.ae_title} on port {running.port}. Stop with Ctrl+C.")
    while not stopped.wait(1.0):
        pass
    running.stop()


@node.command()
def status(context: typer.Context, as_json: opt.AsJson = False) -> None:
    """What a node has taken, restored and sent, and what is in trouble."""
    from ..node.config import read
    from ..node.queue import Queue
    from ..node.receiver import short
    from ..node.server import queue_of

    place = queue_of(read(context.obj))
    if not place.is_file():
        raise typer.BadParameter(f"no node has run in {place.parent}.")
    queue = Queue(place, read_only=True)
    figures, troubles = queue.figures(), queue.troubles()
    queue.close()
    if as_json:
        screen.print_json({**figures, "troubles": [[short(uid), *rest] for uid, *rest in troubles]})
        return
    rows = [(table, name, str(count)) for table, counts in figures.items() for name, count in counts.items()]
    screen.print_table("Node", ("what", "state", "count"), rows)
    if troubles:
        screen.print_table("In trouble", ("series", "state", "why"), [(short(uid), *rest) for uid, *rest in troubles])
