"""Credentials that appear on applications which this server rotates, and which it did not make: somebody else can sign in now.

The rotation is woken, so that it looks itself, tells of it as of all drift and raises the alarm at once; here it is found out
who did it, where the directory's audit log may be read.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from keyturn.audit import inventory_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.credentials import store as journal
from keyturn.credentials.domain import is_marker
from keyturn.db.unit import Tx
from keyturn.inventory import appeared_store as store
from keyturn.inventory.appeared_store import Untraced
from keyturn.inventory.list_store import rotations_of
from keyturn.inventory.plan import Inventory
from keyturn.inventory.scan_store import NewKey
from keyturn.kit.actor import platform
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.inventory import DirectoryChange
from keyturn.rotations.store import policies

ABOUT_THEN = timedelta(minutes=10)
"""A change of the audit log by so much apart from the start of a credential is the one that made it."""


def note(tx: Tx, inventory: Inventory, new: Sequence[NewKey], now: datetime) -> None:
    """Note which of these new credentials nobody of this server made, on applications that it rotates, and wake the rotations."""
    rotated = rotations_of(tx, inventory, sorted({each.app_id for each in new}))
    by_object: dict[str, list[NewKey]] = {}
    for each in new:
        if each.app_id in rotated:
            by_object.setdefault(each.object_id, []).append(each)
    woken: set[str] = set()
    for object_id, keys in by_object.items():
        strange = _not_ours(tx, object_id, keys)
        if strange:
            store.mark(tx, inventory.id, object_id, [each.key.key_id for each in strange], now)
            woken.add(rotated[strange[0].app_id].id)
    for rotation_id in sorted(woken):
        policies.set_sweep(tx, rotation_id, now)
        policies.wake(tx, rotation_id, now)


def _not_ours(tx: Tx, object_id: str, keys: Sequence[NewKey]) -> list[NewKey]:
    """Return those that are not in the journal: by key id, or by marker where the answer to the request is still to come."""
    markers = [each.key.name for each in keys if each.key.name and is_marker(each.key.name)]
    rows = journal.of_application(tx, object_id, [each.key.key_id for each in keys], markers)
    known = {row.key_id for row in rows} | {row.marker for row in rows}
    return [each for each in keys if each.key.key_id not in known and each.key.name not in known]


@dataclass(frozen=True)
class Trace:
    """Who made a credential, or why that is not known."""

    change: DirectoryChange | None
    unknown: str | None = None


def trace_change(untraced: Untraced, changes: Sequence[DirectoryChange] | None, *, is_last: bool) -> Trace | None:
    """Return who made it by what the audit log says; None to ask again later, unless this was the last time. Pure."""
    if changes is None:
        return Trace(
            None,
            "The directory's audit log may not be read: it needs AuditLog.Read.All, and the tenant a licence for it.",
        )
    made_at = untraced.starts_at or untraced.appeared_at
    near = [each for each in changes if abs(each.at - made_at) <= ABOUT_THEN]
    if near:
        return Trace(min(near, key=lambda each: abs(each.at - made_at)))
    return Trace(None, "The directory's audit log tells nothing of it.") if is_last else None


def tell(tx: Tx, inventory: Inventory, untraced: Untraced, trace: Trace, now: datetime) -> None:
    """Write down who made it. Safe to repeat: there is one event of each credential."""
    store.mark_traced(tx, untraced.entry_id, now)
    rotation = rotations_of(tx, inventory, [untraced.app_id]).get(untraced.app_id)
    if rotation is None:
        return
    change = trace.change
    record(
        tx,
        platform(inventory.org_id),
        events.CREDENTIAL_APPEARED,
        Subject(SubjectKind.ROTATION, rotation.id, rotation.project_id),
        now,
        f"inventory-appeared:{rotation.id}:{untraced.key_id}",
        applicationObjectId=untraced.object_id,
        appId=untraced.app_id,
        kind=untraced.key_kind,
        keyId=untraced.key_id,
        displayName=untraced.key_name,
        hint=untraced.hint,
        madeBy=change.actor if change else None,
        madeById=change.actor_id if change else None,
        madeAt=iso(change.at) if change else None,
        unknownBecause=trace.unknown,
    )
