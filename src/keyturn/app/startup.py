"""Opens what the settings name: the database, the root key, the keyring. Every command begins here."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from keyturn.app.key_vault import vault_roots
from keyturn.audit.linking import open_chains
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.crypto.root import HOW_TO_MAKE_ONE, GivenRoot, KeyFile, RootKey, RootKeys, RootKeySource, warning_of
from keyturn.crypto.root_choice import RootPlaces
from keyturn.db import migrate
from keyturn.db.engine import open_engine, parse_url
from keyturn.db.trouble import at_start, network_share
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured, Retryable, Upstream
from keyturn.kit import modes
from keyturn.ports.clock import Clock
from keyturn.settings.model import Settings

Notice = Callable[[str], None]
"""Tells the operator one sentence, e.g. on standard error."""


def open_database(settings: Settings) -> Database:
    """Open the database without looking into it. Makes the data folder, and keeps the database file private.

    Raises Misconfigured when the folder cannot be made or written.
    """
    url = parse_url(settings.database_url)
    if settings.embedded:
        _prepare_file(Path(url.database or ""))
    elif settings.database_ca is not None:
        url = _with_ca(url, settings)
    return Database(open_engine(url))


def root_key_source(settings: Settings, notice: Notice, database: Database | None, clock: Clock) -> RootKeySource:
    """Return where the root key comes from: one place, or several, of which the database names the one in use.

    Raises Misconfigured for an unusable key, or none with PostgreSQL. No vault is called yet.
    """
    vault = vault_roots(settings, database, clock)
    file = KeyFile(settings.key_file, notice) if settings.embedded else None
    if vault is None:
        only = given_root(settings, notice)
        if not isinstance(only, GivenRoot) or file is None or not file.path.exists():
            return only
        return RootPlaces(database, only, file, None)
    given = given_root(settings, notice) if settings.encryption_key is not None else None
    return RootPlaces(database, given if isinstance(given, GivenRoot) else None, file, vault)


def given_root(settings: Settings, notice: Notice) -> GivenRoot | KeyFile:
    """Return the root key of the environment, else the key file of the embedded database. Raises Misconfigured without either."""
    previous = settings.encryption_key_previous
    if settings.encryption_key is not None:
        current = RootKey.parse(settings.encryption_key.reveal(), "ENCRYPTION_KEY")
        before = RootKey.parse(previous.reveal(), "ENCRYPTION_KEY_PREVIOUS") if previous else None
        if before is not None and before.id == current.id:
            before = None
        return GivenRoot(RootKeys(current, before))
    if previous is not None:
        raise Misconfigured(
            "ENCRYPTION_KEY_PREVIOUS is given without ENCRYPTION_KEY.",
            code="config.encryption_key_missing",
            fix="Set ENCRYPTION_KEY to the new key. A key file is changed by: keyturn keys rotate --root",
        )
    if not settings.embedded:
        raise Misconfigured(
            "ENCRYPTION_KEY or KEYTURN_KEY_VAULT_KEY is needed with PostgreSQL: all servers of one database share the root key.",
            code="config.encryption_key_missing",
            fix=HOW_TO_MAKE_ONE,
        )
    return KeyFile(settings.key_file, notice)


def open_keyring(
    settings: Settings,
    database: Database,
    clock: Clock,
    notice: Notice,
    wait: Callable[[Retryable], bool] | None = None,
) -> Keyring:
    """Open the keyring of a database that is up to date, which can be told audit events from then on.

    Raises Misconfigured when the root key is missing or wrong.
    ``wait`` is asked each time that a key vault does not answer, and returns whether to try again; without it nothing is.
    """
    source = root_key_source(settings, notice, database, clock)
    while True:
        try:
            with clear(database):
                keyring = Keyring.open(database, source, clock)
                open_chains(database, KeyringSealer(keyring), clock)
                current = source.load().current
            break
        except Retryable as error:
            if wait is None or not wait(error):
                raise _no_vault(error) from None
        except Upstream as error:
            raise _no_vault(error) from None
    warning = warning_of(current, source.name)
    if warning:
        notice(f"WARNING: {warning}")
    if isinstance(source, RootPlaces):
        for place, name in source.unused():
            notice(
                f"{name} is given, and the root key in use is another one ({source.name}). "
                f"To change to it: keyturn keys rotate --to {place.value}"
            )
    return keyring


def _no_vault(error: Upstream) -> Misconfigured:
    """At the start a vault that is not reached, or refuses, is a fault of the set-up: one sentence and the fix."""
    return Misconfigured(f"The root key cannot be unwrapped. {error.message}", code=error.code, fix=error.fix)


def prepare_database(settings: Settings, database: Database, clock: Clock, notice: Notice) -> None:
    """Bring the tables up to date as far as a server may do that by itself.

    An empty database is set up. The embedded database is migrated, after a copy was made of it. PostgreSQL with older
    tables raises Misconfigured that names the command, since other servers may still run the older version; so does a
    database made by a newer version. Files of the embedded database that others may use are told of, not refused: what is
    secret in them is sealed. Repeatable, and safe in several processes at once.
    """
    for shared_path in open_to_others(settings):
        notice(f"WARNING: {shared_path.message} {shared_path.fix}")
    reach(database)
    with clear(database):
        _bring_up_to_date(settings, database, clock, notice)


def _bring_up_to_date(settings: Settings, database: Database, clock: Clock, notice: Notice) -> None:
    state = migrate.check(database)
    if state is migrate.SchemaState.UP_TO_DATE:
        return
    if state is migrate.SchemaState.BEHIND and not settings.embedded:
        raise Misconfigured(
            f"The database is at version {migrate.current(database)}, this server needs {migrate.newest()}.",
            code="database.behind",
            fix="Run: keyturn migrate",
        )
    if state is migrate.SchemaState.BEHIND:
        copy_before_migration(database, clock, notice)
    migrate.upgrade(database)


def open_to_others(settings: Settings) -> list[modes.Shared]:
    """Return what others may use of the embedded database: its folder, its file, its log. The key file is judged apart."""
    if not settings.embedded:
        return []
    path = Path(parse_url(settings.database_url).database or "")
    return modes.shared_files(path.parent, (path.name, f"{path.name}-wal", f"{path.name}-shm"))


def copy_before_migration(database: Database, clock: Clock, notice: Notice) -> None:
    """Copy the embedded database. PostgreSQL is left to the operator's own backups."""
    if database.is_sqlite:
        notice(f"The database was copied to {migrate.copy_of(database, clock)} before its migration.")


def require_there(settings: Settings) -> None:
    """Raise Misconfigured where the embedded database was never made: a folder may be mistyped. Makes nothing."""
    path = Path(parse_url(settings.database_url).database or "")
    if settings.embedded and not path.exists():
        raise Misconfigured(
            f"There is no database {path}.",
            code="database.not_there",
            fix="Set KEYTURN_DATA_DIR to the data folder of the server. A new database is made by keyturn serve, or: "
            "keyturn migrate",
        )


def require_current(database: Database) -> None:
    """Raise Misconfigured unless the tables are those of this version."""
    if migrate.check(database) is not migrate.SchemaState.UP_TO_DATE:
        raise Misconfigured("The database is not up to date.", code="database.behind", fix="Run: keyturn migrate")


def reach(database: Database) -> None:
    """Raise Misconfigured when the database does not answer or cannot be used. The text never holds its password."""
    with clear(database):
        if not database.is_sqlite:
            with database.engine.connect():
                return
        with database.engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        if mode != "wal":
            raise network_share(Path(database.engine.url.database or "")).misconfigured()


@contextmanager
def clear(database: Database) -> Iterator[None]:
    """Turn what the database raises into Misconfigured with the cause in words, for whoever starts a command."""
    try:
        yield
    except Exception as error:
        explanation = at_start(error, database.engine.url)
        if explanation is None:
            raise
        raise explanation from error


def _prepare_file(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Misconfigured(
            f"The database file {path} cannot be opened for writing: {error.strerror}.",
            code="database.unwritable",
            fix="Make the data folder writable for this user, or set KEYTURN_DATA_DIR to one that is.",
        ) from error


def _with_ca(url: URL, settings: Settings) -> URL:
    # libpq reads certificates from files only.
    path = settings.data_dir / "db-root-cert.pem"
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_text(settings.database_ca or "")
        draft.replace(path)
    except OSError as error:
        raise Misconfigured(
            f"The certificate of DB_ROOT_CERT cannot be written to {path}: {error.strerror}.",
            code="database.certificate_unwritable",
            fix="Set KEYTURN_DATA_DIR to a folder that this user may write.",
        ) from error
    query = {"sslmode": "verify-full", **url.query, "sslrootcert": str(path)}
    return url.set(query=query)
