"""``keyturn keys``: generate, show and rotate encryption keys."""

import json
import time
from typing import Annotated

import typer

from keyturn.app.startup import require_current, root_key_source
from keyturn.cli.context import command_context, opened, tell
from keyturn.crypto import rewrap, root, store
from keyturn.crypto.root import KeyFile, RootKeySource
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError, Misconfigured, Refused
from keyturn.kit.clock import iso

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
    source = root_key_source(settings, tell)
    with opened(settings) as database:
        require_current(database)
        rows = _rows(database)
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
) -> None:
    """Make a new data key and seal all stored values again with it, while servers run. Safe to repeat.

    To change the root key too: with a key file add --root. Otherwise first restart all servers with ENCRYPTION_KEY set to
    the new key and ENCRYPTION_KEY_PREVIOUS to the old one; remove the latter when this command has succeeded.
    """
    around = command_context(ctx)
    settings = around.settings()
    source = root_key_source(settings, tell)
    with opened(settings) as database:
        require_current(database)
        if not _rows(database):
            raise Refused("There are no keys to rotate: a server makes them at its first start.", code="keys.none_yet")
        if new_root:
            _replace_root(source)
        summary = rewrap.rotate(database, source, around.clock, progress=tell, pause=time.sleep)
    _finish(source, summary)


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
        f"Data key {summary.data_key}: {summary.sealed} values sealed again, {summary.wrapped} data keys wrapped again, "
        f"{len(summary.retired)} data keys retired, {summary.remaining} values left under older keys."
    )
    if summary.digests:
        tell(
            f"{summary.digests} client secrets of machine identities stay known by an older data key until they are used next:"
            " it stays in use for them, wrapped with the present root key. Nothing is to be done."
        )
    if summary.previous_root_needed:
        tell("Some retired data keys are still wrapped with an older root key: keep that key with your old backups.")
    elif isinstance(source, KeyFile):
        source.forget_previous()
    elif source.load().previous is not None:
        tell("The previous root key is not needed any more: remove ENCRYPTION_KEY_PREVIOUS from all servers.")
    if summary.remaining > len(summary.refused):
        tell("Values that servers wrote meanwhile are still under an older data key. Run this command again.")
    if summary.refused:
        places = ", ".join(f"{place.table}.{place.column} of row {place.row}" for place in summary.refused[:10])
        raise KeyturnError(
            f"{len(summary.refused)} values do not open and were left as they are: {places}.",
            code="keys.values_refused",
            fix="Enter these secrets again, or restore their rows from a backup. The older data keys are kept.",
        )
