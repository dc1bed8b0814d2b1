"""``keyturn agent``: keep files as the secrets are, and tell programs when they changed."""

import os
import secrets
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from keyturn.cli.client_options import Method, Url, client_of
from keyturn.cli.context import command_context, say, tell
from keyturn.cli.service_manager import tell_ready
from keyturn.client.agent import Agent, require_known_owners, require_one_writer
from keyturn.client.agent_config import read_plan
from keyturn.client.agent_state import StateFile
from keyturn.client.agent_status import metric_lines, status_lines
from keyturn.client.core_dumps import forbid_core_dumps
from keyturn.client.domain import Expired
from keyturn.client.instance import kept_instance
from keyturn.client.keys import cache_key
from keyturn.client.watching import Watch
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
    forbid_core_dumps()
    client = client_of(ctx, url, method)
    plan = read_plan(config, client.settings)
    require_known_owners(plan)
    require_one_writer(plan)
    place = _state_file(ctx, state, config)
    instance = kept_instance(place.with_suffix(".instance"))
    woken, over = threading.Event(), threading.Event()
    agent = Agent(
        plan,
        lambda source: client.reader(source, interval=plan.interval, instance=instance, announced=not once),
        StateFile(place),
        cache_key(client.settings, client.environ, tell) or secrets.token_bytes(32),
        tell,
        environ=client.environ,
        news_of=None if once else lambda reader: Watch(reader, woken.set),
    )

    def end(*_: object) -> None:
        over.set()
        woken.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    ready = False
    while not over.is_set():
        woken.clear()
        wait = agent.turn()
        if not ready and agent.looked:
            ready = True
            tell_ready(command_context(ctx))
        if once:
            break
        woken.wait(wait)
    troubles = agent.troubles()
    if once and troubles:
        raise Refused(
            f"Not everything could be delivered: {troubles[0]}",
            code="client.not_delivered",
            fix="See all of it with: keyturn agent status",
        )


@app.command()
def status(
    ctx: typer.Context,
    config: Config,
    state: State = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="In the text format of Prometheus.")] = False,
) -> None:
    """Show what was delivered when, and what is wrong.

    Exit status 1 when something is, 75 when files hold what is not promised to work any more.
    """
    states = StateFile(_state_file(ctx, state, config)).all()
    now = datetime.now(UTC)
    for line in metric_lines(states, now) if metrics else status_lines(states, now):
        say(line)
    if any(each.usable_until and each.usable_until <= now for each in states.values()):
        raise typer.Exit(Expired.exit_status)
    if not states or any(each.trouble for each in states.values()):
        raise typer.Exit(1)


def _state_file(ctx: typer.Context, given: Path | None, config: Path) -> Path:
    """Return the place of the state: what is given, the folder that systemd makes for it, or beside the plan."""
    folder = command_context(ctx).environ.get("STATE_DIRECTORY")
    name = f"{config.stem}.state.json"
    return given or (Path(folder.split(os.pathsep)[0]) / name if folder else config.with_name(name))
