"""``keyturn approvals``: what waits for a second person, and a way out for the operator where nobody could approve any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from keyturn.cli.context import command_context, opened, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keyturn.approvals.service import Approvals
    from keyturn.organizations.domain import Organization

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Show what waits for a second person; switch that off."
)


@app.command(name="list")
def list_requests(ctx: typer.Context) -> None:
    """List the requests that wait, of all organizations. Changes nothing."""
    from keyturn.approvals.domain import told  # noqa: PLC0415 - the help is shown without it
    from keyturn.kit.actor import platform  # noqa: PLC0415

    waiting = 0
    for organization, approvals in _organizations(ctx):
        for request in approvals.list(platform(organization.id)):
            waiting += 1
            print(f"{request.id} {told(request.kind, request.subject_name)}")
            print(
                f"  asked by {request.asked_by_name}, until {request.expires_at:%Y-%m-%d %H:%M} UTC: {request.reason}"
            )
    if not waiting:
        print("Nothing waits.")


@app.command()
def off(ctx: typer.Context) -> None:
    """Need no second person any more, in all organizations and projects. For when nobody is left who could approve."""
    for organization, approvals in _organizations(ctx):
        for name in approvals.switch_off(organization.id):
            tell(f"No second person is needed any more in {name} of '{organization.name}'.")
    tell("Switch it on again under Approvals. The audit log has this.")


def _organizations(ctx: typer.Context) -> Iterator[tuple[Organization, Approvals]]:
    from keyturn.app.startup import open_keyring, require_current  # noqa: PLC0415
    from keyturn.approvals.service import Approvals  # noqa: PLC0415
    from keyturn.crypto.keyring import KeyringSealer  # noqa: PLC0415
    from keyturn.kit.ids import SystemIds  # noqa: PLC0415
    from keyturn.organizations import store as organizations  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with opened(settings) as database:
        require_current(database)
        keyring = open_keyring(settings, database, around.clock, tell)
        approvals = Approvals(database, around.clock, SystemIds(), KeyringSealer(keyring))
        with database.read() as tx:
            found = organizations.organizations_of_server(tx)
        for organization in found:
            yield organization, approvals
