"""``keyturn inventory``: what the tenants hold that this server reads, for scripts beside the server.

It reads the database itself, and asks Entra ID nothing.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import command_context, open_for_command, say, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from keyturn.inventory.domain import Row
    from keyturn.inventory.service import TenantView

app = typer.Typer(rich_markup_mode=None)


class Form(StrEnum):
    """How it is printed: lines for people, a JSON object for each credential in a line of its own, or CSV."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


@app.command(
    help="Show the credentials of the tenants whose inventory is switched on, with this machine's configuration. Changes nothing."
)
def inventory(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Option("--tenant", help="Only of the tenant with this id.")] = "",
    finding: Annotated[
        str, typer.Option("--finding", help="Only what has this finding, such as no-owner, expired or lives-too-long.")
    ] = "",
    within: Annotated[
        int | None, typer.Option("--ends-within", help="Only what has not ended, and will within so many days.", min=0)
    ] = None,
    form: Annotated[
        Form, typer.Option("--format", help="Text, JSON (one object in a line for each credential), or CSV.")
    ] = Form.TEXT,
) -> None:
    from keyturn.app.startup import require_current  # noqa: PLC0415 - the help is shown without it
    from keyturn.inventory.domain import Finding  # noqa: PLC0415
    from keyturn.inventory.service import Inventories  # noqa: PLC0415

    if finding and finding not in set(Finding):
        raise typer.BadParameter(f"one of: {', '.join(Finding)}", param_hint="--finding")
    around = command_context(ctx)
    now = around.clock.now()
    found, tenants = False, []
    with open_for_command(around.settings()) as database:
        require_current(database)
        if form is Form.CSV:
            _write_csv_header()
        for view, parts in Inventories(database, around.clock).all_of_server():
            tenants.append(view.inventory.tenant_id)
            if tenant.lower() in {"", view.inventory.tenant_id}:
                found = True
                wanted = _wanted(finding, within, now)
                rows = (row for part in parts for row in part if wanted(row))
                _print(form, view, rows, now)
    if tenants and not found:
        raise typer.BadParameter(f"it is not read; these are: {', '.join(tenants)}", param_hint="--tenant")
    if not found:
        tell("No inventory: switch it on for a connection, on the page Inventory.")
        raise typer.Exit(1)


def _wanted(finding: str, within: int | None, now: datetime) -> Callable[[Row], bool]:
    from datetime import timedelta  # noqa: PLC0415

    from keyturn.kit.moments import shift  # noqa: PLC0415

    until = None if within is None else shift(now, timedelta(days=within))

    def wanted(row: Row) -> bool:
        ends = row.entry.ends_at
        in_time = until is None or (ends is not None and now < ends <= until)
        return in_time and (not finding or finding in row.findings(now))

    return wanted


def _print(form: Form, view: TenantView, rows: Iterator[Row], now: datetime) -> None:
    if form is Form.TEXT:
        _print_text(view, rows, now)
    elif form is Form.JSON:
        _print_json(view, rows, now)
    else:
        from keyturn.inventory import export  # noqa: PLC0415

        for row in rows:
            sys.stdout.write(export.lines([export.values(row, now)]).decode())


def _write_csv_header() -> None:
    from keyturn.inventory import export  # noqa: PLC0415

    sys.stdout.write(export.header().decode())


def _print_json(view: TenantView, rows: Iterator[Row], now: datetime) -> None:
    from keyturn.api.inventory.views import credential  # noqa: PLC0415 - only this way of printing needs it
    from keyturn.web.schema.wire import encode  # noqa: PLC0415

    for row in rows:
        shown: dict[str, object] = json.loads(encode(credential(row, now)))
        print(json.dumps({"tenantId": view.inventory.tenant_id, **shown}))


def _print_text(view: TenantView, rows: Iterator[Row], now: datetime) -> None:
    from keyturn.kit.counting import distance_in_words  # noqa: PLC0415

    inventory = view.inventory
    since = f"as of {inventory.read_at:%Y-%m-%d %H:%M} UTC" if inventory.read_at else "still being read"
    tell(f"Tenant {inventory.tenant_id}, read through '{view.connection.name}', {since}.")
    if not inventory.sees_all:
        tell(
            "Only applications that the connection owns: it lacks Application.Read.All, so nothing is known of the others."
        )
    for row in rows:
        entry, ends = row.entry, "no end"
        if entry.ends_at is not None:
            ends = f"{'ends' if entry.ends_at > now else 'ended'} {distance_in_words(entry.ends_at, now)}"
        what = f"{entry.key_kind.value} {entry.key_id} {_quoted(entry.key_name)}" if entry.key_kind else "no credential"
        line = f"{entry.name} ({entry.app_id}): {what}{ends if entry.key_kind else ''}{_findings(row, now)}"
        say(line)


def _quoted(name: str | None) -> str:
    return f"'{name}', " if name else ""


def _findings(row: Row, now: datetime) -> str:
    found: Sequence[str] = row.findings(now)
    return f" [{', '.join(found)}]" if found else ""
