"""The command line, ``darb``: one file a command.

Each command imports what it needs when it runs, so that ``darb --help`` answers at once.
"""

from __future__ import annotations

import typer

from darb.sw.cli.boards import boards
from darb.sw.cli.build import build
from darb.sw.cli.demo import demo
from darb.sw.cli.doctor import doctor
from darb.sw.cli.export import export
from darb.sw.cli.failures import OneLineFailures
from darb.sw.cli.fuzz import fuzz
from darb.sw.cli.generate import generate
from darb.sw.cli.inspect import inspect
from darb.sw.cli.plan import plan
from darb.sw.cli.run import run
from darb.sw.cli.simulate import simulate

__all__ = ["app", "main"]

app = typer.Typer(
    name="darb",
    cls=OneLineFailures,
    help="From a PyTorch network to a sparse FPGA inference engine, proved bit for bit.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (demo, export, inspect, generate, simulate, fuzz, boards, plan, build, run, doctor):
    app.command()(command)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"darb {version('darb')}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
    ),
    traceback: bool = typer.Option(
        False, "--traceback", help="On failure show where in the program it happened."
    ),
) -> None:
    """From a PyTorch network to a sparse FPGA inference engine, proved bit for bit."""


def main() -> None:
    """Run the command line."""
    app()
