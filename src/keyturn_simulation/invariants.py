"""What must hold whatever crashes, is lost or comes late.

Judged by the emulator's ledger and state, not by what the product says of itself.

Numbers are those of the protocol's list of invariants.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from keyturn.audit.events import RUN_CANCELLED, RUN_FAILED, RUN_SUCCEEDED
from keyturn.connections.domain import Connection
from keyturn.connections.sealed import content_of
from keyturn.credentials.domain import ENDED, MARKER_PREFIX, Credential, State
from keyturn.db.tables import audit_events, metadata, rotations, runs
from keyturn.providers.azure.methods.certificate import CertificateMethod
from keyturn.providers.azure.methods.federated import FederatedMethod
from keyturn.rotations.domain import RotationKind
from keyturn_simulation import published
from keyturn_simulation.world import World


class Broken(AssertionError):
    """An invariant does not hold."""


def check_always(world: World) -> None:
    """Check what holds at every instant, also half-way through a run."""
    journal = world.journal()
    for problem in _always(world, journal):
        raise Broken(problem)


def check_quiet(world: World) -> None:
    """Check what holds in addition once nothing is under way."""
    check_always(world)
    journal = world.journal()
    for problem in _quiet(world, journal):
        raise Broken(problem)


def _always(world: World, journal: list[Credential]) -> Iterator[str]:
    yield from _proven_before_published(world, journal)
    yield from _only_known_keys_removed(world, journal)
    connections = world.all_connections()
    yield from _working_current(world, connections)
    yield from _nobody_left_behind(world, journal, connections)
    yield from _slots(world)
    yield from _one_current(journal)
    yield from _sealed_once(world, connections)


def _quiet(world: World, journal: list[Credential]) -> Iterator[str]:
    live = {row.key_id for row in journal if row.state not in ENDED and row.state is not State.ASKING}
    beyond = _beyond_reach(world, journal)
    out_of_reach = {row.marker for row in journal if row.rotation_id in beyond}
    present = {
        key_id
        for app in _applications(world)
        for key_id, name in world.keys_of(app).items()
        if name.startswith(MARKER_PREFIX + " ") and name not in out_of_reach
    }
    present -= {row.key_id for row in journal if (row.note or "").startswith("expired") and row.state in ENDED}
    ours = {row.key_id for row in journal if not row.adopted and row.key_id in live and row.rotation_id not in beyond}
    recently = world.clock.now() - timedelta(minutes=10)
    being_confirmed = {
        row.key_id
        for row in journal
        if row.state is State.REVOKING and row.removed_at is not None and row.removed_at > recently
    }
    lost = ours - present - world.removed_outside - being_confirmed
    if present - ours or lost:
        yield f"4: in Entra but not live in the journal: {present - ours}; live but not in Entra: {lost}"
    beyond |= _unrepairable(world)
    within = [row for row in journal if row.rotation_id not in beyond]
    restless = [row.state.value for row in within if row.state in _RESTLESS and row.key_id not in being_confirmed]
    if restless:
        yield f"4: at rest, yet credentials are {restless}"
    overdue = world.clock.now() - timedelta(minutes=10)
    late = [
        row.marker for row in within if row.state is State.RETIRING and row.revoke_after and row.revoke_after < overdue
    ]
    if late:
        yield f"4: at rest, yet nobody removes {late}"
    yield from _ended_hold_nothing(world, journal)
    yield from _one_end_per_run(world)


def _unrepairable(world: World) -> set[str]:
    """Rotations of connections for which nobody can type another credential."""
    connections = [connection for connection in world.all_connections() if beyond_repair(world, connection)]
    of_applications = sa.select(rotations.c.id).where(rotations.c.kind == RotationKind.APPLICATION.value)
    with world.database.read() as tx:
        others = {row["id"] for row in tx.rows(of_applications)}
    others -= _with_other_signer(world)
    return {rotation.id for rotation in world.history.rotations(connections).values()} | others


def _beyond_reach(world: World, journal: list[Credential]) -> set[str]:
    """Rotations that have ended, and whose every secret was removed by others or is past its end: nothing can sign in."""
    now, by_certificate = world.clock.now(), _by_certificate(world)
    working = {
        row.rotation_id
        for row in journal
        # Whether its value was ever known here, not whether it was kept: forgetting it too early is what must be noticed.
        if (row.published_at or row.issued_at or (row.asked_at and row.rotation_id in by_certificate))
        and row.state not in ENDED
        and _held(world, row)
        and not (row.ends_at and row.ends_at <= now)
    }
    return _ended(world) - working - _with_other_signer(world)


def _with_other_signer(world: World) -> set[str]:
    """Rotations of applications whose connection may write them: as long as it works, it removes what is left."""
    signers = [each.id for each in world.all_connections() if each.client_id in world.writers]
    query = sa.select(rotations.c.id).where(
        rotations.c.kind == RotationKind.APPLICATION.value, rotations.c.connection_id.in_(signers)
    )
    with world.database.read() as tx:
        return {row["id"] for row in tx.rows(query)}


def _by_certificate(world: World) -> set[str]:
    query = sa.select(rotations.c.id).where(rotations.c.credential_kind == CertificateMethod.key)
    with world.database.read() as tx:
        return {row["id"] for row in tx.rows(query)}


def _held(world: World, row: Credential) -> bool:
    keys = world.keys_of(row.object_id)
    return row.key_id in keys if row.key_id else row.marker in keys.values()


def _ended(world: World) -> set[str]:
    with world.database.read() as tx:
        return {row["id"] for row in tx.rows(sa.select(rotations.c.id).where(rotations.c.retired))}


def _ended_hold_nothing(world: World, journal: list[Credential]) -> Iterator[str]:
    ended = _ended(world) - _beyond_reach(world, journal)
    for row in journal:
        if row.rotation_id in ended and row.value is not None and row.state not in _RESTLESS:
            yield f"8: {row.marker!r} is kept by its user, yet its value is kept here"


_RESTLESS = frozenset({State.PLANNED, State.ASKING, State.ISSUED, State.PROVEN, State.REVOKING, State.LOST})


def _proven_before_published(world: World, journal: list[Credential]) -> Iterator[str]:
    accepted: dict[str, list[float]] = {}
    for entry in world.emulator.ledger.query(operation="token"):
        if entry.status == 200 and entry.auth_key_id:
            accepted.setdefault(entry.auth_key_id, []).append(entry.at)
    for row in journal:
        if row.published_at and not row.adopted:
            latest = (row.published_at + world.clocks_apart).timestamp()
            before = [at for at in accepted.get(str(row.key_id), []) if at <= latest]
            if len(before) < world.pace.proof_count:
                yield f"1: {row.marker} was published after {len(before)} proofs"


def _only_known_keys_removed(world: World, journal: list[Credential]) -> Iterator[str]:
    key_ids = {row.key_id for row in journal}
    ledger = world.emulator.ledger
    for entry in (*ledger.query(operation="removePassword"), *ledger.query(operation="removeKey")):
        if entry.committed and entry.caller in world.applications and entry.key_id not in key_ids:
            yield f"3: removed {entry.key_id}, which the journal does not hold"


def _working_current(world: World, connections: list[Connection]) -> Iterator[str]:
    """What a connection signs in with exists; and where it rotates it has not expired: nobody else promises that."""
    now = world.clock.now().timestamp()
    rotations = world.history.rotations(connections)
    for connection in connections:
        what = f"the current {_NOUNS.get(connection.method, 'secret')} of {connection.name}"
        _, key_id = world.current_of(connection)
        ends = world.ends_of(world.application_of(connection.client_id)).get(key_id or "")
        rotates = connection.id in rotations and rotations[connection.id].enabled
        if ends is None:
            if not beyond_repair(world, connection):
                yield f"5: {what} does not exist in Entra"
        elif ends <= now and rotates and not world.has_no_slot(rotations[connection.id].object_id):
            yield f"5: {what} expired"


_NOUNS = {CertificateMethod.key: "certificate", FederatedMethod.key: "federated identity"}


def beyond_repair(world: World, connection: Connection) -> bool:
    """Whether others removed what the connection signs in with, and took every slot of its application since."""
    object_id = world.application_of(connection.client_id)
    slots = world.slots_of(object_id)
    removed = world.current_of(connection)[1] in world.removed_outside
    return removed and slots is not None and len(world.keys_of(object_id)) >= slots


def _nobody_left_behind(world: World, journal: list[Credential], connections: list[Connection]) -> Iterator[str]:
    """No connection holds a credential that is being removed, whoever else rotates it."""
    removed = {row.key_id for row in journal if row.state is State.REVOKING}
    for connection in connections if removed else ():
        if world.current_of(connection)[1] in removed:
            yield f"5: {connection.name} still signs in with what is being removed"


def _slots(world: World) -> Iterator[str]:
    for app in _applications(world):
        if world.slots_of(app) is not None and len(world.keys_of(app)) > (world.slots_of(app) or 0):
            yield f"6: {app} holds more secrets than it has slots"


def _one_current(journal: list[Credential]) -> Iterator[str]:
    counted = Counter(row.rotation_id for row in journal if row.state is State.CURRENT)
    for rotation_id, count in counted.items():
        if count > 1:
            yield f"rotation {rotation_id} has {count} current secrets"


_UNKEPT = (
    "SELECT c.name, k.state FROM app_connections c LEFT JOIN credentials k ON k.id = c.credential_id"
    " LEFT JOIN rotations r ON r.id = k.rotation_id WHERE c.credential_id IS NOT NULL"
    " AND (k.value IS NULL OR k.state NOT IN ('current', 'retiring') OR r.retired)"
)
"""The connections that point to a row of the journal that has lost its value, or may at any moment."""
_APART = (
    "SELECT c.name, k.state FROM rotations r JOIN app_connections c ON c.id = r.connection_id"
    " LEFT JOIN credentials k ON k.rotation_id = r.id AND k.state = 'current'"
    " WHERE NOT r.retired AND r.kind = 'connection' AND (k.id IS NULL OR c.credential_id IS NULL OR c.credential_id <> k.id)"
    " AND NOT EXISTS (SELECT 1 FROM conversions v WHERE v.connection_id = c.id AND v.state = 'watching')"
)
"""The connections that rotate and do not point to the current row of their journal."""


def check_one_copy(ask: Callable[[str], Iterable[Any]]) -> None:
    """Judge by the tables alone who points where; ``ask`` returns the rows of a query."""
    for name, state in ask(_UNKEPT):
        raise Broken(f"11: {name} points to a value that the journal does not keep: {state}")
    for name, _state in ask(_APART):
        raise Broken(f"11: {name} rotates and does not point to its current credential")


def check_published(ask: Callable[[str], Iterable[Any]]) -> None:
    """Judge by the tables alone what readers of secrets are given."""
    for problem in published.problems(ask):
        raise Broken(problem)


def check_readable(world: World, ask: Callable[[str], Iterable[Any]]) -> None:
    """5: what readers of secrets are given exists in Entra, unless somebody else removed it."""
    for name, object_id, key_id in ask(published.CURRENT):
        if key_id not in world.removed_outside and key_id not in world.keys_of(object_id):
            raise Broken(f"5: the current secret of {name} does not exist in Entra")


def _sealed_once(world: World, connections: list[Connection]) -> Iterator[str]:
    with world.database.read() as tx:

        def ask(query: str) -> list[tuple[Any, ...]]:
            return [tuple(row.values()) for row in tx.rows(sa.text(query))]

        check_one_copy(ask)
        check_published(ask)
        check_readable(world, ask)
    for connection in connections:
        content = content_of(world.sealer, connection)
        if content.credential_id != connection.credential_id:
            yield f"11: {connection.name} is sealed for {content.credential_id}, not for {connection.credential_id}"
        if content.credential_id and content.value:
            yield f"11: {connection.name} holds a second copy of its credential"


def _one_end_per_run(world: World) -> Iterator[str]:
    with world.database.read() as tx:
        finished = [row["id"] for row in tx.rows(sa.select(runs.c.id).where(runs.c.finished_at.is_not(None)))]
        ends = Counter(
            row["data"]["runId"]
            for row in tx.rows(
                sa.select(audit_events.c.data).where(
                    audit_events.c.event.in_([event.name for event in (RUN_SUCCEEDED, RUN_FAILED, RUN_CANCELLED)])
                )
            )
        )
    for run_id in finished:
        if ends[run_id] != 1:
            yield f"7: run {run_id} has {ends[run_id]} terminal events"


def _applications(world: World) -> list[str]:
    return world.our_applications()


@cache
def _dumps() -> dict[str, sa.Executable]:
    """Return for each table, by name, the query of all its rows as text."""
    return {table.name: sa.select(*[sa.cast(c, sa.Text) for c in table.c]) for table in metadata.sorted_tables}


def check_no_plaintext(world: World, folder: Path | None = None) -> None:
    """8: no secret that Entra ever issued here is readable in any table, nor in any file of the folder."""
    values = world.values_ever_issued()
    with world.database.read() as tx:
        for name, dump in _dumps().items():
            text = "\n".join(str(tuple(row.values())) for row in tx.rows(dump))
            if any(value in text for value in values):
                raise Broken(f"8: a secret is readable in the table {name}")
    for path in folder.rglob("*") if folder else ():
        if path.is_file() and any(value.encode() in path.read_bytes() for value in values):
            raise Broken(f"8: a secret is readable in the file {path.name}")
