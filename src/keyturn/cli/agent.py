"""``keyturn agent``: keep files as the secrets are, and tell programs when they changed."""

import contextlib
import os
import signal
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keyturn.cli.client_options import Method, Url, client_of
from keyturn.cli.context import command_context, tell
from keyturn.client.agent import Agent, require_known_owners, require_one_writer
from keyturn.client.agent_config import read_plan
from keyturn.client.agent_state import SetState, StateFile
from keyturn.client.cache import cache_key
from keyturn.errors import Refused

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Keep files as the secrets are.")

Config = Annotated[Path, typer.Option("--config", "-c", help="File that says what to write where (TOML).")]
State = Annotated[
    Path | None, typer.Option(help="File in which the agent notes what it delivered; beside --config unless given.")
]


@app.command()
def run(
    ctx: typer.Context,
    config: Config,
    state: State = None,
    once: Annotated[bool, typer.Option("--once", help="Write the files once and end; fails if one cannot be.")] = False,
    url: Url = None,
    method: Method = None,
) -> None:
    """Write the files and keep them as the secrets are, until a signal comes."""
    client = client_of(ctx, url, method)
    plan = read_plan(config, client.settings)
    require_known_owners(plan)
    require_one_writer(plan)
    agent = Agent(
        plan,
        lambda source: client.reader(source, interval=plan.interval),
        StateFile(_state_file(ctx, state, config)),
        cache_key(client.settings, client.environ),
        tell,
        environ=client.environ,
    )
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    wait = agent.turn()
    troubles = agent.troubles()
    if once and troubles:
        raise Refused(f"Not everything could be delivered: {troubles[0]}", code="client.not_delivered")
    notify(client.environ.get("NOTIFY_SOCKET"))
    while not once and not over.wait(wait):
        wait = agent.turn()


@app.command()
def status(ctx: typer.Context, config: Config, state: State = None) -> None:
    """Show what was delivered when, and what is wrong. Exit status 1 when something is."""
    states = StateFile(_state_file(ctx, state, config)).all()
    now = datetime.now(UTC)
    for name, each in sorted(states.items()):
        print(f"{name}: {_shown(each, now)}")
    if not states:
        print("The agent has delivered nothing yet.")
    if not states or any(each.trouble for each in states.values()):
        raise typer.Exit(1)


def notify(address: str | None) -> None:
    """Tell systemd that all is delivered: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html."""
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(b"READY=1", address.replace("@", "\0", 1) if address.startswith("@") else address)


def _state_file(ctx: typer.Context, given: Path | None, config: Path) -> Path:
    """Return the place of the state: what is given, the folder that systemd makes for it, or beside the plan."""
    folder = command_context(ctx).environ.get("STATE_DIRECTORY")
    name = f"{config.stem}.state.json"
    return given or (Path(folder.split(os.pathsep)[0]) / name if folder else config.with_name(name))


def _shown(state: SetState, now: datetime) -> str:
    if state.delivered_at is None or state.read_at is None:
        return state.trouble or "nothing delivered"
    words = [f"as of {_ago(now, state.read_at)} ago, changed {_ago(now, state.delivered_at)} ago"]
    if state.told != state.delivered:
        words.append("its program was not told yet")
    return "; ".join([*words, *([state.trouble] if state.trouble else [])])


def _ago(now: datetime, moment: datetime) -> str:
    seconds = max(int((now - moment).total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
