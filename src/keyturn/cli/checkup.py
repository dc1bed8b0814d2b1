"""The checks of ``keyturn doctor``. Each looks at one thing, changes nothing, and says what to do about what it found."""

import errno
import http.client
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa

from keyturn.app import startup
from keyturn.app.core import clouds
from keyturn.backup.folder import backups_in
from keyturn.cli.context import CommandContext
from keyturn.cli.encryption_checkup import encryption
from keyturn.cli.finding import CheckupFinding, from_error, ok
from keyturn.cli.site_checkup import examine_site
from keyturn.cli.stream_checkup import examine_streams
from keyturn.cli.vault_checkup import examine_vault
from keyturn.connections.store import refused_now
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import HOW_TO_KEEP_PRIVATE, KeyFile, warning_of
from keyturn.crypto.root_choice import RootPlaces
from keyturn.db import migrate
from keyturn.db.sqlite import LEAST_VERSION
from keyturn.db.trouble import at_start, damaged_file
from keyturn.db.unit import PATIENCE, Database
from keyturn.errors import KeyturnError, Misconfigured, RefusalReason
from keyturn.kit.clock import iso
from keyturn.kit.clock_difference import difference
from keyturn.kit.moments import FIRST
from keyturn.ports.http import HttpRequest, Transport, TransportFailed
from keyturn.settings.model import Settings
from keyturn.settings.table import unknown_variables

SKEW_WARNS = timedelta(seconds=30)
SKEW_FAILS = timedelta(minutes=4)
"""Entra refuses assertions whose times are more than five minutes off."""
FREE_WARNS = 1024**3
FREE_FAILS = 100 * 1024**2
OLDEST_POSTGRESQL = 140000
_NAMED = 10


def examine(around: CommandContext, open_transport: Callable[[Settings], Transport]) -> Iterator[CheckupFinding]:
    """Run all checks and yield what they find, the configuration first: without it nothing else can be checked."""
    for name in unknown_variables(around.environ):
        yield CheckupFinding(
            "warn", "settings", f"{name} is not a setting of Keyturn.", "Check its spelling, or remove it."
        )
    try:
        settings = around.settings()
    except Misconfigured as error:
        yield from _faults(error)
        return
    for warning in settings.warnings:
        yield CheckupFinding("warn", "settings", warning, "Remove it, or leave it: it changes nothing here.")
    yield ok("settings", "All variables can be read.")
    yield from examine_site(settings)
    yield port(settings)
    yield from disk(settings)
    yield from key_source(settings)
    yield from modes(settings)
    yield backups(settings, around.clock.now())
    yield from database(settings, around)
    yield from network(settings, around, open_transport)


def _faults(error: Misconfigured) -> Iterator[CheckupFinding]:
    for fault in error.details:
        yield CheckupFinding(
            "fail", "settings", f"{fault['variable']} {fault['fault']}.", f"Example: {fault['example']}"
        )


def port(settings: Settings) -> CheckupFinding:
    """Whether a server could listen where it is told to, or one listens there already."""
    host, number = settings.host, settings.port
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, proto) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _serves(host, number):
            return ok("port", f"Keyturn already serves at {host}:{number}.")
        fix = "Check HOST, and stop the program that uses the port or choose another with PORT."
        return CheckupFinding("fail", "port", f"A server cannot listen on {host}:{number}: {error.strerror}.", fix)
    return ok("port", f"A server can listen on {host}:{number or 'any free port'}.")


def _serves(host: str, number: int) -> bool:
    client = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), number, timeout=2)
    try:
        client.request("GET", "/api/status")
        answer = json.loads(client.getresponse().read(4096))
        return isinstance(answer, dict) and {"ok", "version", "database", "worker"} <= answer.keys()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        client.close()


def disk(settings: Settings) -> Iterator[CheckupFinding]:
    """Free space where the data folder is, or will be."""
    place = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(place).free
    level = "fail" if free < FREE_FAILS else "warn" if free < FREE_WARNS else "ok"
    fix = "" if level == "ok" else "Free some space: a secret that cannot be stored is lost."
    yield CheckupFinding(level, "disk", f"{free // 1024**2} MiB are free at {place}.", fix)


def key_source(settings: Settings) -> Iterator[CheckupFinding]:
    """The root key's source and its permissions. Never makes a key."""
    try:
        notices: list[str] = []
        if settings.key_vault is not None and settings.encryption_key is None:
            return  # the check of the vault tells more
        source = startup.given_root(settings, notices.append)
        if isinstance(source, KeyFile) and not source.path.exists():
            yield ok("root key", f"{source.path} is made at the first start.")
            return
        keys = source.load()
    except Misconfigured as error:
        yield from_error("root key", error)
        return
    where = str(source.path) if isinstance(source, KeyFile) else source.name
    for notice in notices:
        yield CheckupFinding("warn", "root key", notice, HOW_TO_KEEP_PRIVATE)
    yield ok("root key", f"{where} holds root key {keys.current.id}.")
    if keys.previous is not None:
        fix = "Run: keyturn keys rotate"
        yield CheckupFinding("warn", "root key", f"A change from root key {keys.previous.id} is not finished.", fix)


def modes(settings: Settings) -> Iterator[CheckupFinding]:
    """Who else may use the folder and the files of the embedded database."""
    shared_paths = startup.open_to_others(settings)
    for each in shared_paths:
        yield CheckupFinding("warn", "data folder", each.message, each.fix)
    if settings.embedded and not shared_paths:
        yield ok("data folder", "Nobody else may use the folder and the files of the embedded database.")


def backups(settings: Settings, now: datetime) -> CheckupFinding:
    """How old the newest backup is that servers make by themselves."""
    backup = settings.backup
    if backup.folder is None:
        return ok("backups", "This server makes none by itself: KEYTURN_BACKUP_DIR is not set.")
    made = backups_in(backup.folder)
    fix = "See the log of the servers and workers: a line with backup.upkeep_failed says why, or none of them runs."
    if not made:
        return CheckupFinding("warn", "backups", f"There is none in {backup.folder} yet.", fix)
    message = f"The newest is of {iso(made[-1].made_at)}: {made[-1].path}"
    late = now - made[-1].made_at > 2 * timedelta(hours=backup.hours)
    return CheckupFinding("warn", "backups", f"{message}.", fix) if late else ok("backups", f"{message}.")


def database(settings: Settings, around: CommandContext) -> Iterator[CheckupFinding]:
    """Reach, version, kind, clock, writing, keys."""
    if settings.embedded:
        path = Path(sa.make_url(settings.database_url).database or "")
        if not path.exists():
            yield ok("database", f"{path} is made at the first start.")
            return
    try:
        with _opened(settings) as db, startup.clear(db):
            yield from _kind(db, around.clock.now())
            if db.is_sqlite:
                yield _pages(db)
            state = migrate.check(db)
            yield _state(state, db, settings)
            if state is migrate.SchemaState.UP_TO_DATE:
                yield _writes(db)
                yield _keys(db, settings, around)
                yield from examine_vault(db, settings, around.clock)
                yield from examine_streams(db, settings, around.clock)
                yield _refused(db)
    except KeyturnError as error:
        yield from_error("database", error)
    except sa.exc.SQLAlchemyError as error:
        fix = "Check that the database is not damaged and that its user may read and write its tables."
        yield CheckupFinding("fail", "database", f"The database refused a query ({type(error).__name__}).", fix)


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    db = startup.open_database(settings)
    try:
        startup.reach(db)
        yield db
    finally:
        db.close()


def _kind(db: Database, now: datetime) -> Iterator[CheckupFinding]:
    with db.read() as tx:
        if db.is_sqlite:
            mode = tx.connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            fix = "Keep the data folder on a local disk: network file systems cannot do write-ahead logging."
            version = tx.connection.exec_driver_sql("SELECT sqlite_version()").scalar()
            least = ".".join(map(str, LEAST_VERSION))
            message = f"The embedded database is in {mode} mode, by SQLite {version} (the least is {least})."
            yield ok("database", message) if mode == "wal" else CheckupFinding("fail", "database", message, fix)
            return
        number = int(str(tx.connection.exec_driver_sql("SHOW server_version_num").scalar()))
        there = tx.connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    message = f"PostgreSQL {number // 10000} answers."
    old = number < OLDEST_POSTGRESQL
    yield CheckupFinding("warn", "database", message, "Use PostgreSQL 14 or newer.") if old else ok("database", message)
    yield skew("database clock", there - now, "the database server")
    yield encryption(db)


def _state(state: migrate.SchemaState, db: Database, settings: Settings) -> CheckupFinding:
    if state is migrate.SchemaState.EMPTY:
        return ok("tables", "The database is empty; the first start sets it up.")
    if state is migrate.SchemaState.BEHIND:
        note = " The server does this by itself at its next start." if settings.embedded else ""
        return CheckupFinding("warn", "tables", "The tables are of an older version.", f"Run: keyturn migrate.{note}")
    return ok("tables", f"The tables are at version {migrate.current(db)}.")


def _pages(db: Database) -> CheckupFinding:
    """Whether all of the file can be read, and its parts fit together."""
    with db.engine.connect() as connection:
        lines = [str(line) for line in connection.exec_driver_sql("PRAGMA quick_check(3)").scalars()]
    if lines == ["ok"]:
        return ok("database file", "Its pages are sound.")
    trouble = damaged_file(Path(db.engine.url.database or ""))
    return CheckupFinding(
        "fail", "database file", f"{trouble.message} SQLite says: {lines[0].splitlines()[-1]}.", trouble.fix
    )


def _writes(db: Database) -> CheckupFinding:
    try:
        db.check_writable(PATIENCE)
    except Exception as error:
        explanation = at_start(error, db.engine.url)
        if explanation is None:
            raise
        return CheckupFinding("fail", "writing", explanation.message, explanation.fix or "")
    return ok("writing", "The database can be written.")


def _keys(db: Database, settings: Settings, around: CommandContext) -> CheckupFinding:
    try:
        source = startup.root_key_source(
            settings, lambda _: None, db, around.clock
        )  # its notices are findings of their own
        count = Keyring(db, source, around.clock).verify()
    except KeyturnError as error:
        return from_error("data keys", error)
    if isinstance(source, RootPlaces) and (unused := source.unused()):
        place, name = unused[0]
        message = f"{name} is given, and the root key in use is that of {source.name}."
        return CheckupFinding("warn", "data keys", message, f"Run: keyturn keys rotate --to {place.value}")
    current = source.load().current if count or settings.encryption_key else None
    if current is not None and current.guessable:
        message = f"{source.name} can be found by trying: it is text, an example, or the digest of a common word."
        return CheckupFinding("warn" if count else "fail", "data keys", message, warning_of(current, source.name) or "")
    return ok("data keys", f"{count} data keys, all in use can be opened." if count else "None made yet.")


def _refused(db: Database) -> CheckupFinding:
    """Which connections Entra refuses, as far as the daily look and whoever used them found out."""
    with db.read() as tx:
        rows = refused_now(tx)
    if not rows:
        return ok("connections", "None is known to be refused by Entra.")
    names = ", ".join(str(row["name"]) for row in rows[:_NAMED])
    more = f" and {len(rows) - _NAMED} more" if rows[_NAMED:] else ""
    since = f"the oldest since {iso(rows[0]['refused_at'] or FIRST)}"
    fix = "Open each of them: its page says what Entra answered. Enter a new client secret or certificate, or sign in again."
    reasons = [row["refusal"].get("reason") for row in rows if isinstance(row["refusal"], dict)]
    if reasons.count(RefusalReason.CREDENTIAL_UNKNOWN) > 1:
        fix += (
            " Several have a secret that Entra does not know: an older copy of the database may have been restored,"
            " whose secrets were replaced since. Then restore a newer copy instead."
        )
    return CheckupFinding("warn", "connections", f"{len(rows)} refused by Entra now, {since}: {names}{more}.", fix)


def network(
    settings: Settings, around: CommandContext, open_transport: Callable[[Settings], Transport]
) -> Iterator[CheckupFinding]:
    """The sign-in service, its clock, and Graph, the way rotations reach them."""
    try:
        cloud, transport = clouds(settings).get(settings.cloud), open_transport(settings)
    except Misconfigured as error:
        yield from_error("network", error)
        return
    document = f"{cloud.authority}/organizations/v2.0/.well-known/openid-configuration"
    for subject, url in (("sign-in service", document), ("Microsoft Graph", f"{cloud.graph}/v1.0/applications?$top=1")):
        yield from _reach(subject, url, transport, around)


def _reach(subject: str, url: str, transport: Transport, around: CommandContext) -> Iterator[CheckupFinding]:
    host = urlsplit(url).netloc
    started_at = around.clock.now()
    try:
        response = transport.send(HttpRequest("GET", url))
    except TransportFailed as error:
        yield CheckupFinding("fail", subject, f"{host} cannot be reached: {error}.", _way_out(error, host))
        return
    if response.status >= 500 or response.status == 404:
        fix = "Check KEYTURN_CLOUD, or KEYTURN_AUTHORITY and KEYTURN_GRAPH; otherwise wait and try again."
        yield CheckupFinding("warn", subject, f"{host} answers, but with status {response.status}.", fix)
    else:
        yield ok(subject, f"{host} answers.")
    ahead = difference(started_at, around.clock.now(), response.headers.get("date"))
    if subject == "sign-in service" and ahead is not None:
        yield skew("clock", -ahead, host)


def _way_out(error: TransportFailed, host: str) -> str:
    if error.proxy_status == 407:
        return "Set HTTPS_PROXY to http://user:password@proxy:port, special characters in the password %-encoded."
    if error.proxy_status == 403:
        return f"Ask whoever runs the proxy to permit CONNECT to {host}:443, or add {host} to NO_PROXY to go past it."
    return (
        f"Allow https to {host} in the firewall, set HTTPS_PROXY for a proxy, or KEYTURN_CA_FILE for its certificate."
    )


def skew(subject: str, difference: timedelta, whose: str) -> CheckupFinding:
    """Judge how far this machine's clock is from another's."""
    seconds = abs(difference)
    level = "fail" if seconds > SKEW_FAILS else "warn" if seconds > SKEW_WARNS else "ok"
    fix = "" if level == "ok" else "Synchronise the clocks, e.g. with chrony or systemd-timesyncd."
    side = "behind" if difference > timedelta() else "ahead of"
    return CheckupFinding(
        level, subject, f"This machine's clock is {seconds.total_seconds():.0f} s {side} that of {whose}.", fix
    )
