"""``keyturn freezes``: the freeze windows of this server, in its database: shown, created, changed and deleted by its operator.

What is given is read as the JSON API reads it. A running server needs no restart: it finds the new moments by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import command_context, open_for_command, say, tell
from keyturn.errors import Invalid, NotFound, Refused
from keyturn.kit.actor import platform
from keyturn.kit.dataclasses import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from keyturn.api.freezes.schemas import FreezeBody
    from keyturn.db.unit import Database
    from keyturn.organizations.domain import Organization
    from keyturn.rotations.freezes.domain import FreezeWindow
    from keyturn.rotations.freezes.service import FreezeChange, Freezes

MOST_RUNS = 50
"""So many are printed as text."""

app = typer.Typer(
    rich_markup_mode=None,
    help="List the days on which nothing is rotated, with this machine's configuration; show, create, change and delete them.",
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the freeze window, as the list shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, as the HTTP API does.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which runs would move. Nothing is written.")]
_ZONE = "Name of a time zone, such as Europe/Oslo."


@app.callback(invoke_without_command=True)
def freezes(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as GET /api/v1/freeze-windows does.")] = False,
) -> None:
    if ctx.invoked_subcommand is not None:
        return
    with _server(ctx) as server:
        found = [(each, window) for each in server.organizations for window in server.windows(each)]
    if as_json:
        rows = [{"organization": each.name} | _json(window, server.now) for each, window in found]
        print(json.dumps(rows, indent=2))
        return
    for each, window in found:
        _print(each, window, server.now)
    if not found:
        print("There are no freeze windows.")


@app.command()
def show(ctx: typer.Context, freeze_id: Id, as_json: AsJson = False) -> None:
    """Show a freeze window. Changes nothing."""
    with _server(ctx) as server:
        organization, window = server.window(freeze_id)
    if as_json:
        print(json.dumps(_json(window, server.now), indent=2))
    else:
        _print(organization, window, server.now)


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Such as: Year end.")],
    first: Annotated[str, typer.Option("--from", help="First day, as YYYY-MM-DD.")],
    last: Annotated[str, typer.Option("--to", help="Last day, included.")],
    reason: Annotated[str, typer.Option("--reason", help="Shown to whoever wants to rotate meanwhile.")] = "",
    time_zone: Annotated[str, typer.Option("--time-zone", help=_ZONE)] = "UTC",
    yearly: Annotated[bool, typer.Option("--yearly/--once", help="On the same days of each year again.")] = False,
    project: Annotated[
        str | None, typer.Option("--project", help="Slug of a project; else for all of the organization.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option("--organization", help="Its slug, where this server has several.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Have nothing rotated on these days, and say which runs move. Without --project in all of the organization."""
    given = {"name": name, "from": first, "to": last, "reason": reason, "timeZone": time_zone, "yearly": yearly}
    body = _read(given)
    with _server(ctx, writes=not dry_run) as server:
        where = server.organization(organization)
        place = server.project(where, project) if project else None
        change = server.freezes.create(platform(where.id), body.command(place), dry_run=dry_run)
    _tell_change(server, where, change, dry_run=dry_run, as_json=as_json)


@app.command()
def change(
    ctx: typer.Context,
    freeze_id: Id,
    name: Annotated[str | None, typer.Option("--name", help="Another name.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="Another first day.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Another last day.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Another reason.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help=_ZONE)] = None,
    yearly: Annotated[bool | None, typer.Option("--yearly/--once", help="On the same days of each year again.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a freeze window, and say which runs move. Where it holds stays."""
    with _server(ctx, writes=not dry_run) as server:
        where, before = server.window(freeze_id)
        given = {"name": name, "from": first, "to": last, "reason": reason, "timeZone": time_zone, "yearly": yearly}
        body = _read(_as_given(before) | {key: value for key, value in given.items() if value is not None})
        freeze_change = server.freezes.update(platform(where.id), before.id, body.command(), dry_run=dry_run)
    _tell_change(server, where, freeze_change, dry_run=dry_run, as_json=as_json)


@app.command()
def delete(ctx: typer.Context, freeze_id: Id, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Delete a freeze window, and say which runs move: what it put off is done when the schedule says."""
    with _server(ctx, writes=not dry_run) as server:
        where, window = server.window(freeze_id)
        deleted = server.freezes.delete(platform(where.id), window.id, dry_run=dry_run)
    _tell_change(server, where, deleted, dry_run=dry_run, as_json=as_json, deleted=True)


# --- the server -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Server:
    """What this server holds, for its operator."""

    database: Database
    freezes: Freezes
    organizations: Sequence[Organization]
    now: datetime

    def windows(self, organization: Organization) -> Sequence[FreezeWindow]:
        from keyturn.rotations.store import freezes as store  # noqa: PLC0415

        with self.database.read() as tx:
            return store.list_windows(tx, organization.id)

    def window(self, window_id: str) -> tuple[Organization, FreezeWindow]:
        """Return a window with its organization. Raises NotFound."""
        found = [(each, one) for each in self.organizations for one in self.windows(each) if one.id == window_id]
        if not found:
            raise NotFound(
                f"There is no freeze window '{window_id}'.",
                code="freezes.not_found",
                fix="List them with their ids: keyturn freezes",
            )
        return found[0]

    def organization(self, slug: str | None) -> Organization:
        """Return the one that is meant. Raises Refused where that is not clear."""
        chosen = [each for each in self.organizations if slug in {None, each.slug}]
        if len(chosen) == 1:
            return chosen[0]
        slugs = ", ".join(each.slug for each in self.organizations) or "none: set this server up first"
        what = f"There is no organization '{slug}'." if slug else "It is not clear for which organization."
        raise Refused(what, code="freezes.organization", fix=f"Give --organization with one of: {slugs}.")

    def project(self, organization: Organization, slug: str) -> str:
        """Return the id of a project. Raises NotFound."""
        from keyturn.projects import store as projects  # noqa: PLC0415

        with self.database.read() as tx:
            refs = projects.refs(tx, organization.id, None).values()
        found = [ref.id for ref in refs if slug in {ref.slug, ref.id}]
        if not found:
            raise NotFound(
                f"There is no project '{slug}' in '{organization.name}'.",
                code="projects.not_found",
                fix="Give its slug: it stands in the settings of the project.",
            )
        return found[0]


@contextmanager
def _server(ctx: typer.Context, *, writes: bool = False) -> Iterator[_Server]:
    from keyturn.app.startup import open_keyring, require_current  # noqa: PLC0415 - the help is shown without it
    from keyturn.kit.ids import SystemIds  # noqa: PLC0415
    from keyturn.organizations import store as organizations  # noqa: PLC0415
    from keyturn.rotations.freezes.service import Freezes  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        if writes:  # events are linked with a key
            open_keyring(settings, database, around.clock, tell)
        with database.read() as tx:
            found = list(organizations.organizations_of_server(tx))
        yield _Server(database, Freezes(database, around.clock, SystemIds()), found, around.clock.now())


# --- what is read and printed -----------------------------------------------------------------------------------------

_OPTIONS = {"name": "--name", "from": "--from", "to": "--to", "reason": "--reason", "timeZone": "--time-zone"}


def _read(given: Mapping[str, object]) -> FreezeBody:
    """Read it as the JSON API does. Raises Refused that names the options."""
    from keyturn.api.freezes.schemas import FreezeBody  # noqa: PLC0415
    from keyturn.web.schema.validate import parse  # noqa: PLC0415

    try:
        body: FreezeBody = parse(FreezeBody, dict(given))
    except Invalid as error:
        raise Refused(
            " ".join(f"{_option(issue)}: {issue['message']}." for issue in error.issues),
            code="freezes.invalid",
            fix="See: keyturn freezes create --help",
        ) from None
    return body


def _option(issue: Mapping[str, object]) -> str:
    path = issue.get("path")
    name = str(path[0]) if isinstance(path, list | tuple) and path else ""
    return _OPTIONS.get(name, name)


def _as_given(window: FreezeWindow) -> dict[str, object]:
    return {
        "name": window.name,
        "reason": window.reason,
        "from": window.first.isoformat(),
        "to": window.last.isoformat(),
        "timeZone": window.time_zone,
        "yearly": window.yearly,
    }


def _json(window: FreezeWindow, now: datetime) -> dict[str, object]:
    from keyturn.api.freezes.schemas import present_window  # noqa: PLC0415
    from keyturn.web.schema.wire import encode  # noqa: PLC0415

    told: dict[str, object] = json.loads(encode(present_window(window, now)))
    return told


def _print(organization: Organization, window: FreezeWindow, now: datetime) -> None:
    from keyturn.rotations.freezes.domain import next_freeze  # noqa: PLC0415

    place = f"project {window.project_id}" if window.project_id else organization.name
    again, coming = ", each year" if window.yearly else "", next_freeze(window, now)
    state = f"next from {_moment(coming.begins)} to {_moment(coming.ends)}" if coming else "over"
    print(
        f"{window.name}: {window.first} to {window.last} {window.time_zone}{again} ({place}), {state}, id {window.id}"
    )


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _tell_change(
    server: _Server,
    organization: Organization,
    change: FreezeChange,
    *,
    dry_run: bool,
    as_json: bool,
    deleted: bool = False,
) -> None:
    from keyturn.api.freezes.schemas import present_answer  # noqa: PLC0415
    from keyturn.web.schema.wire import encode  # noqa: PLC0415

    if dry_run:
        tell("Nothing was written: this is what would be.")
    if as_json:
        print(json.dumps(json.loads(encode(present_answer(change, server.now))), indent=2))
        return
    if deleted:
        print(f"{change.window.name} {'would be' if dry_run else 'is'} deleted.")
    else:
        _print(organization, change.window, server.now)
    moved = change.moved
    print(f"{len(moved)} {'run moves' if len(moved) == 1 else 'runs move'}." if moved else "No run moves.")
    for run in moved[:MOST_RUNS]:
        before = _moment(run.before) if run.before else "not planned"
        say(f"  {run.name}: {before} -> {_moment(run.at)}")
    if len(moved) > MOST_RUNS:
        print(f"  and {len(moved) - MOST_RUNS} more: see them with --json")
