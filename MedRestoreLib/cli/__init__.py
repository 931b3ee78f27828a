"""The command ``medrestore``: methods, inspect, restore, compare, batch, doctor, node, worker.

``options`` holds what may be said, ``screen`` what is shown. May import every room of the library but ``mrml``.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import MedRestoreError, OutputError, printable
from ..version import __version__
from . import batches, clinic, doctor, screen, studies

BAD_INPUT, STOPPED = 2, 130  # exit codes
# What typer raises for a command line that it does not understand. It may bring a click of its own along.
Misused: Any = typer.BadParameter.__mro__[2]


class _Command(typer.core.TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _as_flags(super().get_params(ctx))


class _Group(typer.core.TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _as_flags(super().get_params(ctx))


def _as_flags(params: list[Any]) -> list[Any]:
    """Show flags as flags: ``--json``, not ``--json <bool>``."""
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
    return params


app = typer.Typer(
    cls=_Group,
    help="Restore SPECT, MRI and ultrasound studies, with evidence of what was removed. For research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (studies.methods, studies.inspect, studies.restore, studies.compare, batches.batch, doctor.doctor):
    app.command(cls=_Command)(_command)
app.add_typer(clinic.node, name="node", cls=_Group)


@app.command(hidden=True, cls=_Command)
def worker(folder: Annotated[Path, typer.Argument(help="The exchange folder.")]) -> None:
    """Serve restores over standard input and output, for programs (see MedRestoreLib/service/worker.py)."""
    from ..service.worker import main as serve

    serve(folder)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"medrestore {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say on standard error what is done.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary, only errors.")] = False,
    log_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append what is done to a file, with times; never a name.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processor threads to use; all of them if not said.")
    ] = None,
) -> None:
    """What holds for all commands; it stands before the command's name."""
    screen.quiet = quiet
    _log(verbose, log_file)
    if threads is not None:
        from ..service.executors import THREADS

        os.environ.update(dict.fromkeys(THREADS, str(threads)))


def main() -> None:
    """Run the command; bad input is one line on standard error and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except MedRestoreError as error:
        _say_error(with_flag(error, _command_name(sys.argv)))
        sys.exit(BAD_INPUT)
    except Misused as error:
        _say_misuse(error)
        sys.exit(BAD_INPUT)
    except typer.Abort:
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        typer.echo("Stopped; nothing is left half-written.", err=True)
        sys.exit(STOPPED)


def with_flag(error: MedRestoreError, command: str) -> str:
    """The error's message, with the flag for the field at fault, if the command of this name has it.

    >>> with_flag(MedRestoreError("too much.", field="memory_gb"), "restore")
    'too much (--memory).'
    """
    found = _commands().get(command)
    flags = {parameter.name: parameter.opts[0] for parameter in found.params} if found else {}
    flag = flags.get(error.field, "")
    return f"{str(error).removesuffix('.')} ({flag})." if flag.startswith("--") else str(error)


def _command_name(arguments: list[str]) -> str:
    return next((argument for argument in arguments[1:] if argument in _commands()), "")


def _commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return group.commands


def _say_misuse(error: Any) -> None:
    """What is wrong with the command line, in one line, and where its help is."""
    context = getattr(error, "ctx", None)
    if not sys.argv[1:]:  # nothing was asked for: all that can be
        typer.echo(context.get_help() if context else "")
        return
    path = context.command_path if context else "medrestore"
    message = " ".join(error.format_message().split()).rstrip(".")
    _say_error(f"{message[:1].lower()}{message[1:]}; '{path} --help' lists what there is.")


def _say_error(message: str) -> None:
    typer.echo(f"Error: {printable(message)}", err=True)


def _log(verbose: bool, file: Path | None) -> None:
    """Send what the commands say of their work to standard error, to a file, or nowhere."""
    log = screen.LOG
    log.handlers.clear()
    log.propagate = False
    log.setLevel(logging.INFO if verbose or file else logging.ERROR)
    log.addHandler(logging.NullHandler())
    if verbose:
        log.addHandler(logging.StreamHandler())
    if file is not None:
        try:
            handler = logging.FileHandler(file, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"the log cannot be written to {file} ({error.strerror}); give another file.") from error
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)
