"""``keyturn leaked``: replaces a secret that leaked, and removes it as soon as the new one works."""

from typing import Annotated

import typer

from keyturn.cli import named, previews
from keyturn.cli.client_options import Method, Project, Url, client_of
from keyturn.cli.confirm import AsJson, Confirmation, Done, DryRun, Foreseen, Reason, Yes, request_sentence
from keyturn.cli.delete import OfProject
from keyturn.client.server import Server

_PATIENCE = 120.0
"""Seconds that a request may take: that of a secret rotation is answered once the new secret works."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Replace a secret that leaked: all that were made before are removed as soon as the new one works. Says who stops "
    "signing in, and asks. Exit statuses are those of `keyturn delete`.",
)
Emergency = Annotated[
    str, typer.Option("--emergency-reason", help="Why an administrator does not wait for another person's approval.")
]


@app.command()
def rotation(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the secret rotation in its project, or its id.")],
    reason: Reason = "",
    emergency: Emergency = "",
    url: Url = None,
    method: Method = None,
    project: Project = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Replace the secret of an application that is rotated into secrets of a project."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, project, seconds=_PATIENCE)
    one = named.rotation(client.server, name, named.project_of(client, name))
    _replace(client.server, wanted, one, "rotate-secrets", reason, emergency)


@app.command()
def connection(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or id of the app connection.")],
    reason: Reason = "",
    emergency: Emergency = "",
    url: Url = None,
    method: Method = None,
    project: OfProject = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Replace the secret or the certificate with which a connection signs in."""
    wanted, client = Confirmation(dry_run, yes, as_json), client_of(ctx, url, method, seconds=_PATIENCE)
    one = named.connection(client.server, name, named.project(client.server, project) if project else None)
    _replace(client.server, wanted, one, "rotate-credentials", reason, emergency)


def _replace(server: Server, wanted: Confirmation, one: named.Named, order: str, reason: str, emergency: str) -> None:
    facts = server.ask("GET", f"{one.path}/preview", {"change": "leak"})
    reasons = {"approvalReason": reason, "emergencyReason": emergency}

    def replace() -> Done:
        said = {"reason": "leaked"} | {name: why for name, why in reasons.items() if why}
        answer = server.ask("POST", f"{one.path}/{order}", body=said)
        return Done(
            request_sentence(answer) or f"The rotation of {one.words} has begun; its page shows when it is done.",
            answer,
        )

    wanted.carry_out(Foreseen(f"Replace what leaked of {one.words}", previews.of_leak(facts), facts), replace)
