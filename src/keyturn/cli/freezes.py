"""``keyturn freezes``: the freeze windows of this server, read from its database."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from keyturn.cli.context import command_context, opened

app = typer.Typer(rich_markup_mode=None)


@app.command(help="List the days on which nothing is rotated, with this machine's configuration. Changes nothing.")
def freezes(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as GET /api/v1/freeze-windows does.")] = False,
) -> None:
    from keyturn.api.freezes.schemas import shown  # noqa: PLC0415 - the help is shown without it
    from keyturn.app.startup import require_current  # noqa: PLC0415
    from keyturn.organizations import store as organizations  # noqa: PLC0415
    from keyturn.rotations.store import freezes as store  # noqa: PLC0415
    from keyturn.web.schema.wire import encode  # noqa: PLC0415

    around = command_context(ctx)
    now = around.clock.now()
    with opened(around.settings()) as database:
        require_current(database)
        with database.read() as tx:
            found = [
                (each.name, shown(window, now))
                for each in organizations.organizations_of_server(tx)
                for window in store.listed(tx, each.id)
            ]
    if as_json:
        print(json.dumps([{"organization": name} | json.loads(encode(window)) for name, window in found], indent=2))
        return
    for name, window in found:
        place = f"project {window.project_id}" if window.project_id else name
        again = ", each year" if window.yearly else ""
        state = "over" if window.begins_at is None else f"next from {window.begins_at} to {window.ends_at}"
        print(f"{window.name}: {window.first} to {window.last} {window.time_zone}{again} ({place}), {state}")
    if not found:
        print("There are no freeze windows.")
