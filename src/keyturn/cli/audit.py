"""``keyturn audit``: verify the hash chains of audit events, print their heads, and write events into files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import command_context, open_for_command, tell
from keyturn.kit.counting import counted

if TYPE_CHECKING:
    from keyturn.db.unit import Database

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Verify that no audit event was changed, added or removed; export events.",
)


class Form(StrEnum):
    """A JSON object for each event in a line of its own, or CSV."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def verify(
    ctx: typer.Context,
    anchor: Annotated[
        list[str] | None,
        typer.Option("--anchor", help="A line that `keyturn audit head` printed before. May be given several times."),
    ] = None,
) -> None:
    """Verify all hash chains, and runs of rotations against them.

    Prints a line for each chain, and each fault with its event; exit status 1 when there is one.
    """
    from keyturn.audit.chain import WITHOUT_ORGANIZATION  # noqa: PLC0415 - the help is shown without it
    from keyturn.audit.checks import note, parse_anchor  # noqa: PLC0415
    from keyturn.audit.linking import key_of  # noqa: PLC0415
    from keyturn.audit.verification import verify_all  # noqa: PLC0415
    from keyturn.kit.actor import platform  # noqa: PLC0415
    from keyturn.rotations.run_check import compare_runs  # noqa: PLC0415

    anchors, clock = [parse_anchor(text) for text in anchor or ()], command_context(ctx).clock
    broken = False
    with _opened(ctx) as database:
        names = _names(database)
        for found in verify_all(database, key_of(database), anchors):
            compare_runs(database, found)
            end = f" up to position {found.head.position}" if found.head else ""
            verdict = "verified" if found.ok else f"{counted(found.fault_count, 'FAULT')}"
            print(f"{names.get(found.chain, found.chain)}: {counted(found.events, 'event')}{end}: {verdict}")
            for fault in found.faults:
                print(f"  {fault}")
            broken |= not found.ok
            if found.chain != WITHOUT_ORGANIZATION and found.head is not None:
                with database.write() as tx:
                    note(tx, platform(found.chain), found, clock)
    if broken:
        raise typer.Exit(1)


@app.command()
def head(ctx: typer.Context) -> None:
    """Print the head of each hash chain: a line to be kept where nobody who can write into the database can."""
    from keyturn.audit import heads  # noqa: PLC0415 - the help is shown without it

    with _opened(ctx) as database:
        for anchor in heads.anchors(database):
            print(anchor)


@app.command()
def adopt(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option("--reason", help="Why they belong into the chains. It is kept.")],
) -> None:
    """Link events that are in no chain: of an older version that ran beside this one. Look at them first, with verify."""
    from keyturn.audit import heads  # noqa: PLC0415 - the help is shown without it

    with _opened(ctx) as database:
        counts = heads.adopt(database, reason, command_context(ctx).clock.now())
        names = _names(database)
    for chain, count in sorted(counts.items()):
        tell(f"{names.get(chain, chain)}: {counted(count, 'event')} linked.")
    if not counts:
        tell("Every event is in its chain.")


@app.command()
def export(
    ctx: typer.Context,
    form: Annotated[Form, typer.Option("--format", help="JSON lines or CSV.")] = Form.JSONL,
    organization: Annotated[str, typer.Option("--organization", help="Only of this one: slug or id.")] = "",
    event: Annotated[str, typer.Option("--event", help="Only events with this name.")] = "",
    project: Annotated[str, typer.Option("--project", help="Only of the project with this slug, now or then.")] = "",
    about: Annotated[str, typer.Option("--about", help="Only about this: a name or an id.")] = "",
    by: Annotated[str, typer.Option("--by", help="Only by this one: a name or an id.")] = "",
    since: Annotated[
        datetime | None,
        typer.Option("--since", help="Only from this moment on, in UTC, such as 2026-01-31."),
    ] = None,
    until: Annotated[datetime | None, typer.Option("--until", help="Only before this moment, in UTC.")] = None,
) -> None:
    """Write audit events to standard output, newest first. Changes nothing."""
    from keyturn.app.startup import require_current  # noqa: PLC0415 - the help is shown without it
    from keyturn.audit.export import as_csv, as_json_lines  # noqa: PLC0415
    from keyturn.audit.heads import export_events  # noqa: PLC0415
    from keyturn.audit.known import EVENT_NAMES, event_unknown  # noqa: PLC0415
    from keyturn.audit.service import AuditSearch, require_known_anywhere  # noqa: PLC0415
    from keyturn.organizations import store as organizations  # noqa: PLC0415

    if event and event not in EVENT_NAMES:
        raise typer.BadParameter(event_unknown(event).diagnostics(), param_hint="--event")
    search = AuditSearch(
        event=event or None,
        project_slug=project or None,
        about=about or None,
        by=by or None,
        since=_in_utc(since),
        until=_in_utc(until),
    )
    with open_for_command(command_context(ctx).settings()) as database:
        require_current(database)
        with database.read() as tx:
            known = organizations.organizations_of_server(tx)
        ids = [each.id for each in known if organization in {"", each.id, each.slug}]
        if not ids and organization:
            slugs = ", ".join(each.slug for each in known) or "none yet"
            raise typer.BadParameter(f"There is no {organization!r}; there is: {slugs}", param_hint="--organization")
        header = form is Form.CSV
        if header:
            sys.stdout.write(as_csv([], {}))
        written = False
        for events, names in export_events(database, ids, search):
            written = True
            sys.stdout.writelines([as_csv(events, names, header=False)] if header else as_json_lines(events, names))
        if not written:
            require_known_anywhere(database, ids, search)


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


@contextmanager
def _opened(ctx: typer.Context) -> Iterator[Database]:
    from keyturn.app.startup import open_keyring, require_current  # noqa: PLC0415 - the help is shown without it

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        open_keyring(settings, database, around.clock, tell)
        yield database


def _names(database: Database) -> dict[str, str]:
    from keyturn.organizations import store as organizations  # noqa: PLC0415 - the help is shown without it

    with database.read() as tx:
        return {"": "the server itself"} | {each.id: each.name for each in organizations.organizations_of_server(tx)}
