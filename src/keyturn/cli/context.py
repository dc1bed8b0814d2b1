"""What a command is given: the environment and the clock. Commands find it as ``ctx.obj``.

The settings and the database are imported when a command asks for them: a light installation is without what they need.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.printable import visible, visible_line
from keyturn.ports.clock import Clock

if TYPE_CHECKING:
    from keyturn.db.unit import Database
    from keyturn.settings.model import Settings


@dataclass
class CommandContext:
    """Environment and clock of one command. With ``debug`` a failure shows its traceback."""

    environ: Mapping[str, str]
    clock: Clock
    debug: bool = False

    def settings(self, **overrides: object) -> Settings:
        """Read the settings. An override is named like its variable; None means not given."""
        with _uncollected():
            from keyturn.settings.reader import read_settings  # noqa: PLC0415

        return read_settings(self.environ, {name: str(value) for name, value in overrides.items() if value is not None})


def command_context(ctx: typer.Context) -> CommandContext:
    """Return what :func:`keyturn.cli.main.main` gave to the command."""
    context = ctx.obj
    if not isinstance(context, CommandContext):
        raise TypeError("a command runs through keyturn.cli.main")
    return context


def tell(text: str) -> None:
    """Print a sentence for the operator on standard error, so that standard output holds results only.

    As :func:`say` it writes out what a terminal would obey.
    """
    print(visible(text), file=sys.stderr, flush=True)


def say(line: str) -> None:
    """Print one line of a result: names in it may be of the choice of strangers, and a terminal obeys what it reads."""
    print(visible_line(line))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Do without the garbage collector while modules are loaded: it would go through all that stays anyway, again and again.

    What is there at the end counts as lasting, and is never looked through.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def loading() -> Iterator[None]:
    """Let a server start without the garbage collector, and load structlog without rich, which is large.

    Rich only serves to show tracebacks with the values of variables, and these may be secrets.
    """
    with _uncollected():
        if "rich" not in sys.modules:
            sys.modules["rich"] = None  # type: ignore[assignment] # as Python says that a module is not to be found
            try:
                importlib.import_module("structlog")
            finally:
                del sys.modules["rich"]
        yield


@contextmanager
def open_for_command(settings: Settings, *, new: bool = False) -> Iterator[Database]:
    """Open the database for one command; a ``new`` one is made where there is none.

    Raises Misconfigured when it is not there, or does not answer.
    """
    from keyturn.app import startup  # noqa: PLC0415 - commands without a database start without it

    if not new:
        startup.require_there(settings)
    database = startup.open_database(settings)
    try:
        startup.reach(database)
        yield database
    finally:
        database.close()
