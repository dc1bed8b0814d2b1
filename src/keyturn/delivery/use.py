"""Writes down who has which credential, in the transaction of the caller. Nobody else writes it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.audit.retention import ALONE, AT_ONCE
from keyturn.credentials import rotation_store
from keyturn.db.unit import Database, Tx
from keyturn.delivery import use_store as store
from keyturn.delivery.domain import OTHERS, Read
from keyturn.delivery.use_domain import MOST_INSTANCES, Caller, Use
from keyturn.kit.actor import Actor

KEPT = timedelta(days=90)
"""How long it is kept who had a credential that is gone."""


def note(tx: Tx, reads: Sequence[Read]) -> None:
    """Write down what these callers have now, and wake the rotations in which a removal may have waited for that.

    Values that are no credentials are of no interest here. A key id in ``in_use`` counts when the same read is about a
    credential of the same application: nobody can hold what they cannot read.
    """
    read_ids = {value.credential_id for read in reads for value in read.values if value.credential_id}
    if not read_ids:
        return
    key_ids = {key_id for read in reads for key_id in read.in_use}
    entries = store.entries(tx, read_ids, key_ids)
    rotation_of = {entry.id: entry.rotation_id for entry in entries}
    shown: list[Use] = []
    for read in reads:
        caller = caller_of(read.actor, read.instance)
        refresh = None if read.refresh_interval is None else timedelta(seconds=read.refresh_interval)
        own = {value.credential_id for value in read.values if value.credential_id in rotation_of}
        own_rotations = {rotation_of[str(each)] for each in own}
        shown += [Use(str(each), caller, read.at, read.at, None, refresh, read.ip) for each in sorted(map(str, own))]
        shown += [
            Use(entry.id, caller, read.at, None, read.at, refresh, read.ip)
            for entry in entries
            if entry.key_id in read.in_use and entry.rotation_id in own_rotations
        ]
    write(tx, shown, rotation_of)


def caller_of(actor: Actor, instance: str | None) -> Caller:
    return Caller(actor.kind.value, actor.id or "", instance or "")


def write(tx: Tx, shown: Iterable[Use], rotation_of: dict[str, str]) -> None:
    """Add to what is known what was shown, in this order; wake the rotations of which somebody shows something new."""
    latest = _together(shown)
    known = {(use.credential_id, use.caller): use for use in store.of_callers(tx, *_keys(latest))} if latest else {}
    news: dict[str, datetime] = {}
    for use in latest:
        before = known.get((use.credential_id, use.caller))
        if before is None:
            _add(tx, use)
        else:
            store.save(tx, _merged(before, use))
        if (
            before is None
            or (use.acknowledged_at and not before.acknowledged_at)
            or (use.refresh or before.refresh) != before.refresh
        ):
            news[rotation_of[use.credential_id]] = use.last_at
    for rotation_id, at in sorted(news.items()):
        rotation_store.wake_waiting(tx, rotation_id, at)


def _keys(uses: Sequence[Use]) -> tuple[set[str], set[Caller]]:
    return {use.credential_id for use in uses}, {use.caller for use in uses}


def _together(shown: Iterable[Use]) -> list[Use]:
    """Return one of each caller and credential."""
    latest: dict[tuple[str, Caller], Use] = {}
    for use in shown:
        key = (use.credential_id, use.caller)
        latest[key] = _merged(latest[key], use) if key in latest else use
    return list(latest.values())


def _merged(before: Use, use: Use) -> Use:
    return replace(
        before,
        read_at=use.read_at or before.read_at,
        acknowledged_at=use.acknowledged_at or before.acknowledged_at,
        refresh=use.refresh or before.refresh,
        address=use.address or before.address,
    )


def _add(tx: Tx, use: Use) -> None:
    """Add a caller; one instance too many of an identity is counted with all others, who hold until the end."""
    if use.caller.instance and store.instances_of(tx, use.credential_id, use.caller) >= MOST_INSTANCES:
        gone = store.silent_of(tx, use.credential_id, use.caller, use.last_at)
        for caller in gone:
            store.remove(tx, use.credential_id, caller)
        if not gone:
            use = replace(use, caller=replace(use.caller, instance=OTHERS), refresh=None)
    if not store.add(tx, use):
        store.save(tx, use)


def remove_old_uses(database: Database, confirmed_at: datetime, stopped: Callable[[], bool]) -> bool:
    """Forget who had credentials that are gone, after ``KEPT``, counted from a moment that is certain to have come.

    ``stopped`` is asked after each part of it. Repeatable. Returns whether it was stopped, so that something may be left.
    """
    while True:
        with database.read() as tx:
            old = store.callers_to_forget(tx, confirmed_at - KEPT, AT_ONCE)
        if not old:
            return False
        with database.write() as tx:
            tx.alone_with(ALONE)
            for credential_id, caller in old:
                store.remove(tx, credential_id, caller)
        if stopped():
            return True
