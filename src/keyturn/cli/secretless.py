"""``keyturn secretless``: makes a connection sign in without a secret, says how far it is, and goes back."""

import json
import shlex
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from keyturn.cli import named, previews
from keyturn.cli.client_options import Method, Url, client_of
from keyturn.cli.confirm import AsJson, Confirmation, Done, DryRun, Foreseen, Reason, Yes, request_sentence
from keyturn.cli.context import say
from keyturn.cli.delete import OfProject
from keyturn.client.server import Server

_PATIENCE = 120.0
"""Seconds that a request may take: the connection signs in meanwhile."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Have a connection sign in without a secret: its application trusts an identity of the server. Exit statuses are those "
    "of `keyturn delete`.",
)
Name = Annotated[str, typer.Argument(help="Name or id of the app connection.")]
Source = Annotated[
    str, typer.Option("--source", help="Name of a token source of the server, as its KEYTURN_TOKEN_SOURCES says.")
]
WatchHours = Annotated[
    int,
    typer.Option(
        "--watch-hours", min=1, max=336, help="For so long the secret is kept, and the connection can go back."
    ),
]


@app.command()
def show(
    ctx: typer.Context,
    name: Name,
    url: Url = None,
    method: Method = None,
    project: OfProject = None,
    as_json: AsJson = False,
) -> None:
    """Say how far a connection is. Changes nothing."""
    server = client_of(ctx, url, method).server
    one = _connection(server, name, project)
    conversion = server.ask("GET", f"{one.path}/secretless")["conversion"]
    if as_json:
        print(json.dumps(conversion, indent=2))
        return
    for line in previews.of_conversion(one.words, conversion):
        say(line)


@app.command()
def begin(
    ctx: typer.Context,
    name: Name,
    source: Source,
    watch_hours: WatchHours = 24,
    reason: Reason = "",
    url: Url = None,
    method: Method = None,
    project: OfProject = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have a connection give its secret up step by step. With --dry-run: check whether it can."""
    wanted, server = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, seconds=_PATIENCE).server
    one = _connection(server, name, project)
    plan = server.ask("POST", f"{one.path}/secretless/plan", body={"tokenSource": source})

    def begin_it() -> Done:
        asked = {"tokenSource": source, "watchHours": watch_hours} | ({"approvalReason": reason} if reason else {})
        answer = server.ask("POST", f"{one.path}/secretless", body=asked)
        return Done(request_sentence(answer) or f"It has begun. {_see(name, project)}", answer)

    lines = previews.of_secretless(plan, watch_hours)
    wanted.carry_out(Foreseen(f"Make {one.words} sign in without a secret", lines, plan), begin_it)


@app.command()
def back(
    ctx: typer.Context,
    name: Name,
    leave: Annotated[
        bool, typer.Option("--leave", help="What its application trusts, and cannot be removed, is left there.")
    ] = False,
    url: Url = None,
    method: Method = None,
    project: OfProject = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Have a connection that is watched, or on its way there, sign in with its secret as before."""
    wanted, server = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method).server
    one = _connection(server, name, project)
    facts: Mapping[str, Any] = server.ask("GET", f"{one.path}/secretless")

    def go_back() -> Done:
        answer = server.ask("POST", f"{one.path}/secretless/back", body={"leave": leave})
        return Done(f"It goes back. {_see(name, project)}", answer)

    conversion = facts["conversion"]
    lines, refused = previews.of_conversion(one.words, conversion), previews.nothing_to_take_back(conversion)
    wanted.carry_out(Foreseen(f"Let {one.words} go back to its secret", lines, facts, refused), go_back)


def _see(name: str, project: str | None) -> str:
    of_project = ["--project", project] if project else []
    return f"See how far it is: {shlex.join(['keyturn', 'secretless', 'show', name, *of_project])}"


def _connection(server: Server, name: str, project: str | None) -> named.Named:
    return named.connection(server, name, named.project(server, project) if project else None)
