"""``keyturn keys``: generate, show and rotate encryption keys."""

import json
import time
from typing import Annotated

import typer

from keyturn.app.startup import require_current, root_key_source
from keyturn.audit import server_events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.linking import open_chains
from keyturn.audit.record import record
from keyturn.cli.context import command_context, open_for_command, tell
from keyturn.crypto import rewrap, root, store
from keyturn.crypto.keyring import REFRESH, Keyring, KeyringSealer
from keyturn.crypto.root import GivenRoot, KeyFile, RootKeySource
from keyturn.crypto.root_choice import Place, RootPlaces
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError, Misconfigured, Refused
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso
from keyturn.kit.counting import counted
from keyturn.organizations.store import organizations_of_server
from keyturn.ports.clock import Clock
from keyturn.settings.model import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Generate, show and rotate encryption keys.")


@app.command()
def generate() -> None:
    """Print a new root key."""
    print(root.generate())
    tell("Set it as ENCRYPTION_KEY, and back it up apart from the database: without it the stored secrets are lost.")


@app.command()
def status(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False
) -> None:
    """Show which keys the database uses. Only ids are shown, never a key."""
    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        rows = _rows(database)
        source = root_key_source(settings, tell, database, around.clock)
        root_id = source.load().current.id if rows else None
    if as_json:
        print(json.dumps({"rootKey": root_id, "dataKeys": rows}, indent=2))
        return
    print(f"Root key given: {root_id or 'none made yet'}")
    print(f"{'data key':10} {'root key':18} {'values':>8}  {'made':26} retired")
    for row in rows:
        print(f"{row['id']:10} {row['rootKey']:18} {row['values']:>8}  {row['createdAt']:26} {row['retiredAt'] or '-'}")


def _rows(database: Database) -> list[dict[str, str | int | None]]:
    uses = rewrap.usage(database)
    with database.read() as tx:
        keys = store.load(tx)
    return [
        {
            "id": key.id,
            "rootKey": key.root_key_id,
            "values": uses[key.id],
            "createdAt": iso(key.created_at),
            "retiredAt": iso(key.retired_at) if key.retired_at else None,
        }
        for key in keys
    ]


@app.command()
def rotate(
    ctx: typer.Context,
    new_root: Annotated[bool, typer.Option("--root", help="Also make a new root key in the key file.")] = False,
    to: Annotated[
        Place | None, typer.Option(help="Also change to a root key of this place: a new one, but for the environment.")
    ] = None,
) -> None:
    """Make a new data key and seal all stored values again with it, while servers run. Safe to repeat.

    To change the root key too: --to vault makes one that the key vault wraps, --to file one in the key file (as --root), --to
    environment takes ENCRYPTION_KEY. Servers need the setting of the new place beside that of the present one before this, and
    lose the old one afterwards. From one ENCRYPTION_KEY to another: restart all servers with ENCRYPTION_KEY set to the new key
    and ENCRYPTION_KEY_PREVIOUS to the old one, run this without --to, then remove the latter.
    """
    around = command_context(ctx)
    settings = around.settings()
    with open_for_command(settings) as database:
        require_current(database)
        if not _rows(database):
            raise Refused(
                "There are no keys to rotate: a server makes them at its first start.",
                code="keys.none_yet",
                fix="Start a server once: keyturn serve",
            )
        source = root_key_source(settings, tell, database, around.clock)
        if new_root and to is None and not isinstance(source, RootPlaces):
            _replace_root(source)
        before = _root_ids(database)
        target = _target(settings, database, around.clock, Place.FILE if new_root and to is None else to)
        if to is Place.VAULT and rewrap.servers_run(database, around.clock):
            tell(f"Waiting {REFRESH.total_seconds():.0f} s: running servers learn the new root key from the vault.")
            time.sleep(REFRESH.total_seconds())
        summary = rewrap.rotate(database, target or source, around.clock, progress=tell, pause=time.sleep)
        open_chains(database, KeyringSealer(Keyring.open(database, target or source, around.clock)), around.clock)
        _note(database, around.clock, before, to)
    _finish(source, summary)


def _target(settings: Settings, database: Database, clock: Clock, to: Place | None) -> RootKeySource | None:
    """Return the root key to change to; None where only the settings say which it is."""
    source = root_key_source(settings, tell, database, clock)
    if to is None or (to is Place.FILE and isinstance(source, KeyFile)):
        return None
    places = source if isinstance(source, RootPlaces) else RootPlaces(database, None, None, None)
    if isinstance(source, GivenRoot):
        file = KeyFile(settings.key_file, tell) if settings.embedded else None
        places = RootPlaces(database, source, file, None)
    target = places.target(to)
    tell(f"The new root key is {target.root.id}, of {target.name}.")
    return target


def _root_ids(database: Database) -> set[str]:
    with database.read() as tx:
        return {key.root_key_id for key in store.load(tx) if key.retired_at is None}


def _note(database: Database, clock: Clock, before: set[str], to: Place | None) -> None:
    """Tell each organization that the root key was changed. Ids only."""
    after = _root_ids(database)
    if before == after:
        return
    with database.write() as tx:
        for organization in organizations_of_server(tx):
            subject = Subject(SubjectKind.ORGANIZATION, organization.id)
            facts = {
                "rootKeyIds": sorted(after),
                "previousRootKeyIds": sorted(before),
                "place": to.value if to else "as before",
            }
            record(tx, platform(organization.id), server_events.ROOT_KEY_CHANGED, subject, clock.now(), **facts)


def _replace_root(source: RootKeySource) -> None:
    if not isinstance(source, KeyFile):
        raise Misconfigured(
            "--root changes the key file, but the root key comes from ENCRYPTION_KEY.",
            code="keys.no_key_file",
            fix="Set ENCRYPTION_KEY to a new key (keyturn keys generate) and ENCRYPTION_KEY_PREVIOUS to the present one, "
            "restart all servers, then run: keyturn keys rotate",
        )
    source.replace()
    tell(f"The key file {source.path} holds a new root key. Back it up.")


def _finish(source: RootKeySource, summary: rewrap.Summary) -> None:
    print(
        f"Data key {summary.data_key}: {counted(summary.sealed, 'value')} sealed again, "
        f"{counted(summary.wrapped, 'data key')} wrapped again, "
        f"{counted(len(summary.retired), 'data key')} retired, {counted(summary.remaining, 'value')} left under older keys."
    )
    for table, count in summary.digests.items():
        tell(
            f"{_known_by_digest(table, count)}: it stays in use for that, wrapped with the present root key. Nothing is to be"
            " done."
        )
    if summary.previous_root_needed:
        tell("Some retired data keys are still wrapped with an older root key: keep that key with your old backups.")
    elif isinstance(source, KeyFile):
        source.forget_previous()
    elif isinstance(source, RootPlaces):
        _tell_unused(source)
    elif source.load().previous is not None:
        tell("The previous root key is not needed any more: remove ENCRYPTION_KEY_PREVIOUS from all servers.")
    if summary.remaining > len(summary.refused):
        tell("Values that servers wrote meanwhile are still under an older data key. Run this command again.")
    if summary.refused:
        places = ", ".join(f"{place.table}.{place.column} of row {place.row}" for place in summary.refused[:10])
        raise KeyturnError(
            f"{counted(len(summary.refused), 'value does', 'values do')} not open, left as before: {places}.",
            code="keys.values_refused",
            fix="Enter these secrets again, or restore their rows from a backup. The older data keys are kept.",
        )


def _known_by_digest(table: str, count: int) -> str:
    if table == "setup_codes":
        return "The set-up code is known by an older data key until this server is set up"
    several = "client secrets of machine identities are"
    return f"{counted(count, 'client secret of a machine identity is', several)} known by an older data key until its next use"


def _tell_unused(places: RootPlaces) -> None:
    used = places.in_use()
    if used is Place.FILE and places.file is not None:
        places.file.forget_previous()
    if used is not Place.FILE and places.file is not None and places.file.path.exists():
        tell(
            f"{places.file.path} is not needed any more by this database. Keep it apart as long as you keep backups that need it."
        )
    for place, name in places.unused():
        tell(
            f"{name} is not needed any more ({place.value}): remove it from all servers, and keep it as long as such backups."
        )
