"""``keyturn backup``: make backups, say what they hold, put them back."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keyturn.cli.context import command_context, open_for_command, tell
from keyturn.kit.counting import counted

if TYPE_CHECKING:
    from keyturn.backup.service import Contents
    from keyturn.db.unit import Database

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make backups, say what they hold, put them back.")

_FILE = typer.Argument(help="The backup.", show_default=False)
_KEY_FILE = typer.Option("--key-file", help="File of the private key that opens it.")
_ROOT_KEY = typer.Option(
    "--root-key",
    help="Id of the root key that you know to be yours, where a key vault has it. May be given several times.",
)
_JSON = typer.Option("--json", help="Print JSON instead of lines.")


@app.command()
def key(file: Annotated[Path, typer.Argument(help="File to make, for its owner only.", show_default=False)]) -> None:
    """Make a pair of keys: the private one into a file, to be kept apart from servers and backups; print the public one."""
    from keyturn.backup.age import PrivateKey  # noqa: PLC0415 - the help is shown without it
    from keyturn.crypto.root import write_private  # noqa: PLC0415
    from keyturn.errors import Misconfigured, Refused  # noqa: PLC0415

    private = PrivateKey.generate()
    try:
        write_private(file, f"# public key: {private.public}\n{private.reveal().reveal()}")
    except FileExistsError:
        raise Refused(f"{file} is there already.", code="backup.exists", fix="Choose another name.") from None
    except OSError as error:
        raise Misconfigured(
            f"{file} cannot be written: {error.strerror}.", code="backup.unwritable", fix="Choose another folder."
        ) from error
    print(private.public)
    tell(
        f"{file} holds the private key: keep it apart from servers and backups, where you find it after a fire."
        " Set KEYTURN_BACKUP_PUBLIC_KEYS to the line above on all servers."
    )


@app.command()
def create(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="File to make. Without it, one in KEYTURN_BACKUP_DIR, which keeps the newest KEYTURN_BACKUP_KEEP.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", help="Public key to encrypt it for, instead of those of the settings.")
    ] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Write a backup of the whole database, encrypted, while servers run."""
    from keyturn.app.backups import note_attempt, public_keys  # noqa: PLC0415
    from keyturn.app.startup import open_keyring, require_current  # noqa: PLC0415
    from keyturn.backup import folder, service  # noqa: PLC0415
    from keyturn.errors import Misconfigured  # noqa: PLC0415
    from keyturn.kit.clock import iso  # noqa: PLC0415

    around = command_context(ctx)
    settings = around.settings()
    keys = public_keys(settings, to or ())
    into = settings.backup.folder if file is None else None
    if file is None and into is None:
        raise Misconfigured(
            "Nothing says where the backup goes.", code="backup.no_place", fix="Name a file, or set KEYTURN_BACKUP_DIR."
        )
    with open_for_command(settings) as database:
        require_current(database)
        path = file or (into or Path()) / folder.name_of(around.clock.now())
        with note_attempt(database, into, settings.backup.hours, around.clock) if into else nullcontext():
            keyring = open_keyring(settings, database, around.clock, tell)
            folder.make(path.parent)
            made = service.create(database, keyring, around.clock, keys, path)
            if into:
                folder.keep_newest(into, settings.backup.keep)
    if as_json:
        facts = {"path": str(path), "createdAt": iso(made.header.created_at), "rows": made.rows, "bytes": made.size}
        print(json.dumps(facts, indent=2))
    else:
        print(f"Backed up {counted(made.rows, 'row')} in {made.size} bytes: {path}")


@app.command()
def verify(
    ctx: typer.Context,
    file: Annotated[Path, _FILE],
    key_file: Annotated[Path, _KEY_FILE],
    root_key: Annotated[list[str] | None, _ROOT_KEY] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Read all of a backup and say what it holds. Needs no database; fails when it could not be restored here."""
    from keyturn.app.backups import open_backup, private_keys, root_key_at_hand  # noqa: PLC0415
    from keyturn.backup import service  # noqa: PLC0415

    with open_backup(file) as stream:
        source = root_key_at_hand(command_context(ctx).settings(), tell, command_context(ctx).clock)
        contents = service.verify(stream, private_keys(key_file), source, root_key or ())
    _print(file, contents, as_json=as_json)
    if root_key or (source is not None and contents.root_key is not service.RootKeyAtHand.VAULT):
        service.require_ours(contents, root_key or ())


@app.command()
def restore(
    ctx: typer.Context,
    file: Annotated[Path, _FILE],
    key_file: Annotated[Path, _KEY_FILE],
    replace: Annotated[
        str,
        typer.Option(
            "--replace", help="Name of the database (of the file, for the embedded one) whose content is replaced."
        ),
    ] = "",
    root_key: Annotated[list[str] | None, _ROOT_KEY] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Put a backup into an empty database: all of it, or nothing. All servers are stopped meanwhile."""
    from keyturn.app.backups import open_backup, private_keys, record_restored, settle_restored  # noqa: PLC0415
    from keyturn.app.startup import open_keyring, root_key_source  # noqa: PLC0415
    from keyturn.backup import service  # noqa: PLC0415

    around = command_context(ctx)
    settings, now = around.settings(), around.clock.now()
    with open_backup(file) as stream, open_for_command(settings, new=True) as database:
        _require_meant(database, replace)
        contents = service.restore(
            database,
            stream,
            private_keys(key_file),
            root_key_source(settings, tell, None, around.clock),  # the tables may not be there yet
            now,
            lambda tx: settle_restored(tx, now),
            replace=bool(replace),
            known_roots=root_key or (),
        )
        open_keyring(settings, database, around.clock, tell)
        record_restored(database, contents, now)
    _print(file, contents, as_json=as_json)
    tell("Restored. Before a server starts, run: keyturn doctor")


def _require_meant(database: Database, replace: str) -> None:
    from keyturn.errors import Refused  # noqa: PLC0415

    name = database.engine.url.database or ""
    name = Path(name).name if database.is_sqlite else name
    if replace and replace != name:
        raise Refused(
            f"--replace names {replace}, but the database is {name}.",
            code="backup.other_database",
            fix=f"If it is this one that is to be replaced, write: --replace {name}",
        )


def _print(file: Path, contents: Contents, *, as_json: bool) -> None:
    from keyturn.backup.service import RootKeyAtHand  # noqa: PLC0415
    from keyturn.kit.clock import iso  # noqa: PLC0415

    first = contents.header
    if as_json:
        facts = {
            "path": str(file),
            "createdAt": iso(first.created_at),
            "keyturn": first.version,
            "schema": first.schema,
            "database": first.database,
            "rootKeys": first.root_keys,
            "rootKeyHere": contents.root_key.value,
            "genuine": contents.genuine,
            "rows": contents.rows,
            "tables": contents.tables,
            "sha256": contents.sha256,
        }
        print(json.dumps(facts, indent=2))
        return
    held = ", ".join(counted(contents.tables.get(table, 0), thing) for table, thing in _SHOWN.items())
    here = {
        "opens": "which is here",
        "vault": "which comes with the backup, wrapped for the key vault here",
        "other": "another than the one here",
        "none": "which is not here",
    }
    genuine = {
        True: "made by a server with this root key",
        False: "NOT made by a server with this root key",
        None: "unknown; compare the root key with what keyturn keys status printed, and name it with --root-key"
        if contents.root_key is RootKeyAtHand.VAULT
        else "unknown",
    }
    print(
        f"made      {iso(first.created_at)} by Keyturn {first.version}, of {first.database} at version {first.schema}"
    )
    print(f"complete  {counted(contents.rows, 'row')}, sha256 {contents.sha256}")
    print(f"holds     {held}")
    print(f"root key  {', '.join(first.root_keys)}, {here[contents.root_key.value]}")
    print(f"origin    {genuine[contents.genuine]}")


_SHOWN = {
    "organizations": "organization",
    "users": "user",
    "projects": "project",
    "app_connections": "connection",
    "rotations": "rotation",
    "secrets": "secret",
    "audit_events": "audit event",
}
