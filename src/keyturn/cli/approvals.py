"""``keyturn approvals``: what waits for a second person, and a way out for the operator where nobody could approve any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from keyturn.cli.context import command_context, open_for_command, say, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyturn.db.unit import Database
    from keyturn.organizations.domain import Organization

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show what waits for a second person; switch that off."
)


@app.command(name="list")
def list_requests(ctx: typer.Context) -> None:
    """List the requests that wait, of all organizations. Changes nothing."""
    from keyturn.approvals.domain import describe_change  # noqa: PLC0415 - the help is shown without it
    from keyturn.approvals.operator import waiting  # noqa: PLC0415
    from keyturn.approvals.outcome import outcome_of  # noqa: PLC0415

    now = command_context(ctx).clock.now()
    found = [request for database, each in _organizations(ctx) for request in waiting(database, each.id, now)]
    for request in found:
        say(f"{request.id} {describe_change(request.kind, request.subject_name)}")
        for sentence in outcome_of(request):
            say(f"  {sentence}")
        say(f"  asked by {request.asked_by_name}, until {request.expires_at:%Y-%m-%d %H:%M} UTC: {request.reason}")
    if not found:
        print("Nothing waits.")


@app.command()
def off(ctx: typer.Context) -> None:
    """Need no second person any more, in all organizations and projects. For when nobody is left who could approve."""
    from keyturn.app.startup import open_keyring  # noqa: PLC0415
    from keyturn.approvals.operator import switch_off  # noqa: PLC0415

    around = command_context(ctx)
    now = around.clock.now()
    for database, organization in _organizations(ctx):
        open_keyring(around.settings(), database, around.clock, tell)
        for place in switch_off(database, organization.id, now):
            tell(f"No second person is needed any more in {place} of '{organization.name}'.")
    tell("Switch it on again under Approvals. The audit log has this.")


def _organizations(ctx: typer.Context) -> Iterator[tuple[Database, Organization]]:
    from keyturn.app.startup import require_current  # noqa: PLC0415
    from keyturn.organizations import store as organizations  # noqa: PLC0415

    with open_for_command(command_context(ctx).settings()) as database:
        require_current(database)
        with database.read() as tx:
            found = organizations.organizations_of_server(tx)
        for organization in found:
            yield database, organization
