"""``keyturn overview``: what needs somebody, for cron and monitoring beside the server.

It reads the database itself, so it also tells that no server and no worker lives.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import command_context, open_for_command, say, tell
from keyturn.kit.counting import counted

if TYPE_CHECKING:
    from keyturn.alarms.conditions.service import Attention

app = typer.Typer(rich_markup_mode=None)
_MOST = 100
"""Conditions that are printed: of those of a provider that is away nobody reads more."""


@app.command(
    help="Say what needs somebody, with this machine's configuration. Changes nothing; fails when something needs action."
)
def overview(
    ctx: typer.Context,
    notices: Annotated[
        bool, typer.Option("--notices", help="Also what needs nobody, such as runs that are due today.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as GET /api/v1/overview does.")] = False,
) -> None:
    from keyturn.app.core import conditions_of  # noqa: PLC0415 - the help is shown without it
    from keyturn.app.startup import require_current  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        with conditions_of(settings, database, around.clock).of_server() as found:
            if not found:
                tell("This server is not set up yet: open its page /setup, or run: keyturn admin bootstrap")
            elif as_json:
                print(json.dumps([_as_json(each.name, attention) for each, attention in found], indent=2))
            else:
                for _, attention in found:
                    _print(attention, notices=notices)
            well = found and not any(attention.needs_action for _, attention in found)
    raise typer.Exit(0 if well else 1)


def _as_json(organization: str, attention: Attention) -> dict[str, object]:
    from keyturn.api.overview.views import present_overview  # noqa: PLC0415 - only this way of printing needs it
    from keyturn.web.schema.wire import encode  # noqa: PLC0415

    overview: dict[str, object] = json.loads(encode(present_overview(attention, attention.count())))
    return {"organization": organization, **overview}


def _print(attention: Attention, *, notices: bool) -> None:
    told = attention.count() if notices else attention.needing_action
    for one in attention.conditions(0, min(told, _MOST)):
        project = attention.projects.get(one.project or "")
        say(f"{one.severity.value:9} {one.subject.name}{f' in {project}' if project else ''}: {one.cause}")
        say(f"{'':9} -> {one.fix} {one.path}")
    if told > _MOST:
        print(f"And {told - _MOST} more: keyturn overview --json lists all of them.")
    if not attention.needs_action:
        tried = attention.tried
        since = f", each at {tried.since:%Y-%m-%d %H:%M} UTC or later" if tried.since else ""
        print(
            f"Nobody is needed. {tried.connections - tried.untried} of {counted(tried.connections, 'connection')} tried{since}."
        )
