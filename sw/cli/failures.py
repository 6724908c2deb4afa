"""What the user did wrong, told in one line."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

STATUS = 2
"""Exit status of a command that was refused."""

_EXTRAS = {
    "cocotb": "sim",
    "cocotb_tools": "sim",
    "matplotlib": "train",
    "serial": "board",
    "sklearn": "train",
    "torch": "train",
}

# Modules whose package has another name.
_PACKAGES = {"serial": "pyserial"}
# These need more than one package: naming one's extra would only lead to the next refusal.
_COMMAND_EXTRAS = {"build": "board", "demo": "train,sim"}


def describe(error: Exception, *, command: str | None = None) -> str | None:
    """Return the line for an error that is the user's to mend, None for a fault of the program."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            return None
        extra = _COMMAND_EXTRAS.get(command, _EXTRAS[package])
        name = _PACKAGES.get(package, package)
        return f"{name} must be installed for this command: pip install 'darb[{extra}]'"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, ValueError | TypeError | OSError):
        return str(error) or type(error).__name__
    # darb's own kinds of RuntimeError tell of a missing tool or of one that failed.
    if isinstance(error, RuntimeError) and type(error).__module__.startswith("darb."):
        return str(error)
    return None


def tell(message: str) -> None:
    """Write ``error: message`` to stderr, in one line whatever the message is."""
    typer.echo(f"error: {' '.join(message.split())}", err=True)


class _Interrupted(Exception):
    """Control-C, under another name: click prints an empty line when it sees the builtin one."""


class _Terminated(BaseException):
    """Signal TERM or HUP, as an exception, so that what was half written is cleaned away."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Let signals TERM and HUP raise `_Terminated` while the body runs."""

    def stop(number: int, frame: object) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Windows knows no HUP; nohup lets a command ignore it, and so does this.
    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class OneLineFailures(TyperGroup):
    """The group of commands; the one place where exceptions become exit statuses."""

    _traceback = False
    _command: str | None = None

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the command that was asked for."""
        self._traceback = bool(ctx.params.get("traceback"))
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted from None
        finally:
            self._command = ctx.invoked_subcommand

    def main(
        self, args: Sequence[str] | None = None, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run a command; a refusal ends in one line on stderr and exit status 2."""
        arguments = list(sys.argv[1:] if args is None else args)
        self._traceback, self._command = False, None
        try:
            with _terminable():
                status = super().main(args=arguments, standalone_mode=False, **extra)
        except (_Interrupted, typer.Abort):
            tell("interrupted")
            sys.exit(128 + signal.SIGINT)
        except _Terminated:
            tell("terminated")
            sys.exit(128 + signal.SIGTERM)
        except Exception as error:
            # Usage errors are of a class that typer does not export; they know their own message.
            usage = getattr(error, "format_message", None)
            message = usage() if usage else describe(error, command=self._command)
            if message is None or (self._traceback and not usage):
                raise
            tell(message)
            sys.exit(STATUS)
        if standalone_mode:
            sys.exit(status if isinstance(status, int) else 0)
        return status
