"""The command ``keyturn``. A subcommand's module is imported only when that subcommand runs."""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from keyturn import __version__
from keyturn.cli.context import CommandContext, command_context, tell
from keyturn.cli.plain_values import take_plain_values
from keyturn.errors import KeyturnError, Misconfigured
from keyturn.kit.clock import SystemClock
from keyturn.ports.clock import Clock

# Each module has a ``typer.Typer`` named ``app``: one command, or several that become sub-subcommands.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("keyturn.cli.serve", "Run the server."),
    "worker": ("keyturn.cli.worker", "Run rotations only, without web pages and API."),
    "run": ("keyturn.cli.run", "Start a program with its secrets, and again when they change."),
    "agent": ("keyturn.cli.agent", "Keep files as the secrets are, and tell programs when they changed."),
    "credentiald": ("keyturn.cli.credentiald", "Hand secrets to units of systemd that ask for them."),
    "secrets": ("keyturn.cli.secrets", "Read and write the secrets of a folder."),
    "delete": ("keyturn.cli.delete", "Delete things, once it is said what goes with them."),
    "leaked": ("keyturn.cli.leaked", "Replace a secret that leaked."),
    "secretless": ("keyturn.cli.secretless", "Have a connection sign in without a secret, or go back."),
    "release": ("keyturn.cli.release", "Confirm that nobody uses a secret any more."),
    "login": ("keyturn.cli.login", "Sign in as a machine identity and print an access token."),
    "demo": ("keyturn.cli.demo", "Show Keyturn at work against a local Entra ID."),
    "admin": ("keyturn.cli.admin", "Create the first user; invite, unlock and disable people."),
    "keys": ("keyturn.cli.keys", "Generate, show and rotate encryption keys."),
    "import": ("keyturn.cli.importing", "Take over the secrets that another server holds."),
    "backup": ("keyturn.cli.backup", "Make backups, say what they hold, put them back."),
    "migrate": ("keyturn.cli.migrate", "Bring the database up to date."),
    "uses": ("keyturn.cli.uses", "Say who still uses secrets that were replaced."),
    "overview": ("keyturn.cli.overview", "Say what needs somebody: for cron and monitoring."),
    "inventory": ("keyturn.cli.inventory", "Show the credentials of the tenants that are read."),
    "rotation-start": ("keyturn.cli.rotation_start", "Say through what an application can be rotated."),
    "freezes": ("keyturn.cli.freezes", "Show and change the days on which nothing is rotated."),
    "audit": ("keyturn.cli.audit", "Verify that no audit event was changed, added or removed; export events."),
    "receipt": ("keyturn.cli.receipt", "Verify the receipt of a rotation, offline."),
    "approvals": ("keyturn.cli.approvals", "Show what waits for a second person; switch that off."),
    "healthcheck": ("keyturn.cli.healthcheck", "Ask the server of this machine whether it answers."),
    "doctor": ("keyturn.cli.doctor", "Check the configuration, the database and the network."),
    "simulate": ("keyturn_simulation.command", "Run the rotation protocol against a simulated world."),
}


_COMPLETION = {"install_completion", "show_completion"}
"""What typer gives to each ``Typer``: of a subcommand alone it completes nothing."""


class LazyGroup(TyperGroup):
    """Lists all commands by their one-line help; loads one only to run it."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (module, summary) in COMMANDS.items():
            if importlib.util.find_spec(module.partition(".")[0]) is not None:
                self.add_command(TyperCommand(name, help=summary))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        take_plain_values(self, ctx)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in COMMANDS:
            command = typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)
            command.name = name
            command.params = [each for each in command.params if each.name not in _COMPLETION]
            for each in (command, *getattr(command, "commands", {}).values()):
                take_plain_values(each, ctx)
        return name, command, rest


app = typer.Typer(cls=LazyGroup, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True, help="Rotates client secrets of Microsoft Entra applications.")
def _options(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when a command fails.")] = False,
) -> None:
    command_context(ctx).debug |= debug
    if version:
        print(f"keyturn {__version__}")
    elif ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main(arguments: Sequence[str], environ: Mapping[str, str], clock: Clock | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrongly configured or called, others as errors say.

    ``clock`` is another one than the machine's, for demonstrations.

    A failure is one message on standard error with its fix, never a traceback unless it was asked for.
    """
    around = CommandContext(environ, clock or SystemClock(), debug=environ.get("KEYTURN_DEBUG", "") not in {"", "0"})
    try:
        typer.main.get_command(app).main(list(arguments), prog_name="keyturn", obj=around)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyturnError as error:
        return _failed(error, around, error.exit_status)
    except Exception as error:  # noqa: BLE001 - its text might hold a secret, so only its kind is shown
        trouble = _not_installed(error) or _of_the_database(error)
        return _failed(trouble or error, around, 2 if trouble else 1)
    return 0


def _not_installed(error: Exception) -> Misconfigured | None:
    """A light installation has all commands, and the packages of none that a server needs."""
    if not isinstance(error, ModuleNotFoundError) or (error.name or "keyturn").partition(".")[0] == "keyturn":
        return None
    return Misconfigured(
        f"This command needs the package {error.name}, which is not installed.",
        code="command.not_installed",
        fix='Install Keyturn with what a server needs: pip install "keyturn[server]"',
    )


def _of_the_database(error: Exception) -> Misconfigured | None:
    if "sqlalchemy" not in sys.modules:
        return None
    from keyturn.db.trouble import trouble_of  # noqa: PLC0415 - commands without a database start without it

    trouble = trouble_of(error)
    return trouble.misconfigured() if trouble else None


def _failed(error: Exception, around: CommandContext, status: int) -> int:
    if around.debug:
        traceback.print_exception(error)
    if isinstance(error, KeyturnError):
        tell(f"Error: {error.message}" + (f"\nFix: {error.fix}" if error.fix else ""))
    elif not around.debug:
        tell(f"Error: Keyturn failed unexpectedly ({type(error).__name__}).\nFix: Run it again as: keyturn --debug ...")
    return status


def run() -> None:
    """Entry point of the console script."""
    sys.exit(main(sys.argv[1:], os.environ))
