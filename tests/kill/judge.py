"""What must hold after any number of kills, by the ledger and the state of Entra and by the rows of the database."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa

from entra_emulator import Entry
from keyturn.connections import sealed
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import ENDED, Credential, State, is_marker
from keyturn.db.tables import audit_events, credentials, runs
from keyturn.ports.provider import Tenant
from keyturn.providers.azure.methods.client_secret import ClientSecret, ClientSecretMethod
from tests.kill.watched import WatchedEmulator
from tests.system.installation import Installation

AT_REST = {State.CURRENT, State.REVOKED, State.ABANDONED}
ENDS = ("rotation-run-succeeded", "rotation-run-failed", "rotation-run-cancelled")
OURS = re.compile(r"keyturn/\S+ \((.+)\)")
WITHIN = b"8Q~"
VALUE = re.compile(rb"[A-Za-z0-9._~-]{3}8Q~[A-Za-z0-9._~-]{34}")


def check_current(place: Installation, connection: Connection) -> None:
    """The connection's current secret exists in Entra. Processes may be rotating it meanwhile."""
    object_id = application_of(place, connection)
    for _ in range(10):
        before = _current(place, connection)
        if before in {secret.value for secret in place.emulator.admin.secrets(object_id)}:
            return
        if _current(place, connection) == before:
            break  # nobody published meanwhile: it is truly not there
    raise AssertionError(f"the current secret of {connection.name} does not exist in Entra")


def check_signs_in(place: Installation, connection: Connection) -> None:
    stored = _credentials(place, connection)
    place.provider.sign_in(Tenant("global", stored.tenant_id), stored.client_id, stored.secret)


def _current(place: Installation, connection: Connection) -> str:
    return _credentials(place, connection).secret.reveal()


def _credentials(place: Installation, connection: Connection) -> ClientSecret:
    stored = place.connections.get(place.actor, connection.id)
    method = ClientSecretMethod(place.provider)
    credentials = sealed.open_credentials(place.core.database, place.core.sealer, method, stored)
    assert isinstance(credentials, ClientSecret)
    return credentials


def application_of(place: Installation, connection: Connection) -> str:
    """Return the object id of the application whose credential the connection rotates: its own."""
    return place.services.history.rotations([connection])[connection.id].object_id


def problems_at_rest(place: Installation, applications: Iterable[str]) -> list[str]:
    """Return what is wrong with these applications, by object id, once nothing is under way: nothing should be."""
    journal = read_journal(place)
    ledger = list(place.emulator.ledger)
    problems = [*_orphans_and_losses(place, applications, journal), *_strangers_removed(ledger, journal)]
    return [*problems, *_ends(place), *overlaps(ledger)]


def read_journal(place: Installation) -> list[Credential]:
    names = [name for name in Credential.__dataclass_fields__ if name not in {"state", "value"}]
    with place.core.database.read() as tx:
        rows = tx.rows(sa.select(credentials))
        return [Credential(state=State(row["state"]), **{name: row[name] for name in names}) for row in rows]


def _orphans_and_losses(place: Installation, applications: Iterable[str], journal: list[Credential]) -> Iterator[str]:
    live = {str(row.key_id) for row in journal if row.state not in ENDED and not row.adopted}
    present = {
        secret.key_id
        for object_id in applications
        for secret in place.emulator.admin.secrets(object_id)
        if is_marker(secret.display_name)
    }
    if present - live:
        yield f"{len(present - live)} orphans in Entra"
    if live - present:
        yield f"{len(live - present)} secrets that the journal holds are lost in Entra"
    restless = [row.state for row in journal if row.state not in AT_REST]
    if restless:
        yield f"at rest, yet credentials are {restless}"


def _strangers_removed(ledger: list[Entry], journal: list[Credential]) -> Iterator[str]:
    key_ids = {row.key_id for row in journal}
    for entry in ledger:
        if entry.operation == "removePassword" and entry.committed and entry.key_id not in key_ids:
            yield f"removed {entry.key_id}, which the journal does not hold"


def _ends(place: Installation) -> Iterator[str]:
    with place.core.database.read() as tx:
        finished = [(row["id"], row["finished_at"]) for row in tx.rows(sa.select(runs.c.id, runs.c.finished_at))]
        events = tx.rows(sa.select(audit_events.c.data).where(audit_events.c.event.in_(ENDS)))
        ends = Counter(row["data"]["runId"] for row in events)
    for run_id, finished_at in finished:
        if finished_at is None or ends[run_id] != 1:
            yield f"run {run_id}: finished {finished_at}, {ends[run_id]} terminal events"


def overlaps(ledger: Iterable[Entry]) -> Iterator[str]:
    """Yield writes of two processes to one application at the same time."""
    writes: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in ledger:
        if entry.operation in {"addPassword", "removePassword"} and OURS.match(entry.user_agent):
            writes[entry.application].append(entry)
    for of_application in writes.values():
        ordered = sorted(of_application, key=lambda entry: entry.started)
        for earlier, later in pairwise(ordered):
            if later.started < earlier.ended and earlier.user_agent != later.user_agent:
                yield f"{earlier.user_agent} and {later.user_agent} wrote {earlier.application} at once"


def writers(ledger: Iterable[Entry]) -> set[str]:
    """Return the processes that wrote in Entra."""
    return {entry.user_agent for entry in ledger if entry.operation == "addPassword" and OURS.match(entry.user_agent)}


def search(emulator: WatchedEmulator, contents: Iterable[tuple[str, bytes]]) -> tuple[int, list[str]]:
    """Return how many named contents were searched, and in which a secret that Entra ever issued is readable."""
    values = {value.encode() for value in emulator.values}
    assert values
    assert all(VALUE.fullmatch(value) for value in values)
    count, names = 0, []
    for name, content in contents:
        count += 1
        if not values.isdisjoint(_candidates(content)):
            names.append(name)
    return count, names


def _candidates(content: bytes) -> Iterator[bytes]:
    """Yield what is as long as a value and has its middle where a value has it. A pattern takes fifty times as long."""
    at = content.find(WITHIN, 3)
    while at >= 0:
        yield content[at - 3 : at + 37]
        at = content.find(WITHIN, at + 1)


def files(*folders: Path, since: float = 0) -> Iterator[tuple[str, bytes]]:
    """Yield all files below the folders, as far as they still exist: databases drop theirs at any time.

    None that was last written before ``since``, in seconds of the epoch.
    """
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for path in (Path(parent, name) for name in names):
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime >= since:
                        yield str(path), path.read_bytes()


def postgres_contents(place: Installation) -> Iterator[tuple[str, bytes]]:
    """Yield every table of the database, the engine's too, and the server's files: data, write-ahead log, its own log.

    Of what all databases share, what was written since this one was made; of others' own data, nothing.
    """
    with place.core.database.engine.connect() as connection:
        query = (
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for schema, table in connection.exec_driver_sql(query).all():
            rows = connection.exec_driver_sql(f'SELECT t::text FROM "{schema}"."{table}" AS t').scalars().all()
            yield f"{schema}.{table}", "\n".join(str(row) for row in rows).encode()
        connection.exec_driver_sql("CHECKPOINT")
        folder = Path(str(connection.exec_driver_sql("SHOW data_directory").scalar()))
        number = connection.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").scalar()
    own = folder / "base" / str(number)
    made = (own / "PG_VERSION").stat().st_mtime
    yield from files(own, folder / "base" / "pgsql_tmp")
    yield from files(*(part for part in folder.iterdir() if part.name != "base" and part.is_dir()), since=made)
    yield "log", (folder / "log").read_bytes()
