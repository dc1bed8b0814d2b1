"""SQL by which a scan keeps what it read: objects, and the lines of the list that are made of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.db.tables import inventory_entries, inventory_objects, inventory_uses
from keyturn.db.unit import Tx
from keyturn.inventory.count_store import forget_counts
from keyturn.inventory.domain import first_end, is_long_lived, life, owner_state, slots_left
from keyturn.kit.batches import batches
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import LAST, shift
from keyturn.ports.clock import Ids
from keyturn.ports.inventory import KeyKind, ListedKey, ListedObject, ListedOwner, ObjectKind, UsedKey

_OBJECTS, _ENTRIES = inventory_objects, inventory_entries
_AT_ONCE = 400


@dataclass(frozen=True)
class Holder:
    """An object as it is kept. ``owners`` is None where they were not read or may not be; ``detailed_at``: when that was."""

    id: str
    listed: ListedObject
    owners: tuple[ListedOwner, ...] | None
    detailed_at: datetime | None
    principal_disabled: bool = False
    unread: bool = False
    pending: bool = False
    fingerprint: str = ""


@dataclass(frozen=True)
class NewKey:
    """A credential that an object has, and did not have when it was read before."""

    object_id: str
    app_id: str
    key: ListedKey


def fingerprint(listed: ListedObject) -> str:
    """Return what is equal as long as lists tell the same of an object."""
    return hashlib.sha256(repr(listed).encode()).hexdigest()[:32]


# --- reading ----------------------------------------------------------------------------------------------------------

_BY_OBJECT = sa.select(_OBJECTS).where(
    _OBJECTS.c.inventory_id == sa.bindparam("of_inventory"),
    _OBJECTS.c.object_id.in_(sa.bindparam("ids", expanding=True)),
)
_WAITING = (
    sa.select(_OBJECTS)
    .where(_OBJECTS.c.inventory_id == sa.bindparam("of_inventory"), _OBJECTS.c.stale.is_(True))
    .order_by(_OBJECTS.c.first_end.is_(None), _OBJECTS.c.first_end, _OBJECTS.c.id)
    .limit(sa.bindparam("most"))
)
_KEYS = sa.select(_ENTRIES).where(_ENTRIES.c.holder_id.in_(sa.bindparam("ids", expanding=True)))


def holders(tx: Tx, inventory_id: str, object_ids: Sequence[str]) -> dict[str, Holder]:
    """Return those of these objects that are known, by object id; without their keys."""
    found: dict[str, Holder] = {}
    for part in batches(object_ids, _AT_ONCE):
        rows = tx.rows(_BY_OBJECT, of_inventory=inventory_id, ids=list(part))
        found |= {row["object_id"]: _holder(row) for row in rows}
    return found


def waiting(tx: Tx, inventory_id: str, most: int) -> list[Holder]:
    """Return objects of which owners are to be read, those first of which something ends soonest."""
    return [_holder(row) for row in tx.rows(_WAITING, of_inventory=inventory_id, most=most)]


def _holder(row: Mapping[str, Any]) -> Holder:
    listed = ListedObject(
        ObjectKind(row["kind"]),
        row["object_id"],
        row["app_id"],
        row["name"],
        row["audience"],
        row["disabled"],
        "elsewhere" if row["foreign_home"] else None,
        secret_limit=row["secret_limit"],
        made_at=row["made_at"],
    )
    told = row["owners"]
    owners = tuple(ListedOwner(**owner) for owner in told) if isinstance(told, list) else None
    return Holder(
        row["id"],
        listed,
        owners,
        row["detailed_at"],
        bool(row["principal_disabled"]),
        bool(row["unread"]),
        bool(row["pending"]),
        row["fingerprint"],
    )


# --- writing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Keeper:
    """Writes what was read of one tenant, in the caller's transaction. ``scan`` is the number of the read."""

    ids: Ids
    inventory_id: str
    tenant_id: str
    scan: int
    now: datetime

    def keep(self, tx: Tx, objects: Sequence[ListedObject], *, all_details: bool) -> list[NewKey]:
        """Keep objects as they are listed; return the credentials that came to those which were known before.

        What is unchanged is only marked as seen. With ``all_details`` the owners of all of them are to be read again.
        """
        forget_counts(tx, self.inventory_id)
        known = holders(tx, self.inventory_id, [each.object_id for each in objects])
        seen, changed = [], []
        for listed in objects:
            holder = known.get(listed.object_id)
            if holder and not holder.pending and holder.fingerprint == fingerprint(listed):
                seen.append(holder.id)
            else:
                changed.append((listed, holder))
        self._mark_seen(tx, seen, all_details=all_details)
        return self._write(tx, changed)

    def _mark_seen(self, tx: Tx, ids: Sequence[str], *, all_details: bool) -> None:
        more = {"stale": True} if all_details else {}
        for part in batches(ids, _AT_ONCE):
            values = {"seen_in": self.scan, "unread": False, **more}
            tx.run(sa.update(_OBJECTS).where(_OBJECTS.c.id.in_(part)).values(**values))

    def _write(self, tx: Tx, changed: Sequence[tuple[ListedObject, Holder | None]]) -> list[NewKey]:
        """Write objects and their lines anew, with the federated credentials that they had."""
        before = _entries_of(tx, [holder.id for _, holder in changed if holder])
        inserts: list[dict[str, Any]] = []
        updates: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        new: list[NewKey] = []
        for listed, known in changed:
            holder = known or Holder(self.ids.new(), listed, None, None)
            had = before.get(holder.id, {})
            federated = (_listed(row) for row in had.values() if row["key_kind"] == KeyKind.FEDERATED.value)
            keys = (*listed.keys, *federated)
            values = {**self._values(listed), "search": _words(listed, holder.owners), "key_search": _key_words(keys)}
            (updates if known else inserts).append({"holder" if known else "id": holder.id, **values})
            lines += self._lines(holder, listed, keys, had)
            if known and not known.pending:
                fresh = (key for key in listed.keys if (key.kind.value, key.key_id) not in had)
                new += [NewKey(listed.object_id, listed.app_id, key) for key in fresh]
        tx.run_all(_INSERT, inserts)
        tx.run_all(_UPDATE, updates)
        self._replace(tx, [holder.id for _, holder in changed if holder], lines)
        return new

    def _values(self, listed: ListedObject) -> dict[str, Any]:
        return {
            "inventory_id": self.inventory_id,
            "object_id": listed.object_id,
            "kind": listed.kind.value,
            "app_id": listed.app_id,
            "name": listed.name,
            "audience": listed.audience,
            "foreign_home": self._is_foreign(listed),
            "disabled": listed.disabled,
            "secret_limit": listed.secret_limit,
            "seen_in": self.scan,
            "fingerprint": fingerprint(listed),
            "pending": False,
            "unread": False,
            "stale": True,
            "first_end": first_end([key.ends_at for key in listed.keys], self.now),
            "made_at": listed.made_at,
        }

    def _is_foreign(self, listed: ListedObject) -> bool:
        return listed.home_tenant is not None and listed.home_tenant != self.tenant_id

    def _replace(self, tx: Tx, holder_ids: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        for part in batches(holder_ids, _AT_ONCE):
            tx.run(sa.delete(_ENTRIES).where(_ENTRIES.c.holder_id.in_(part)))
        tx.run_all(_INSERT_ENTRY, rows)

    def detail(
        self, tx: Tx, holder: Holder, owners: Sequence[ListedOwner] | None, federated: Sequence[ListedKey] | None
    ) -> list[NewKey]:
        """Keep the owners and federated credentials of an object, None for those that may not be read.

        Returns the federated credentials that came since they were read before.
        """
        forget_counts(tx, self.inventory_id)
        had = _entries_of(tx, [holder.id]).get(holder.id, {})
        of_lists = [_listed(row) for row in had.values() if row["key_kind"] not in {None, KeyKind.FEDERATED.value}]
        keys = (*of_lists, *(federated or ()))
        values = {
            "owners": None if owners is None else [vars(owner) for owner in owners],
            "federated_read": federated is not None,
            "stale": False,
            "detailed_at": self.now,
            "search": _words(holder.listed, owners),
            "key_search": _key_words(keys),
        }
        tx.run(sa.update(_OBJECTS).where(_OBJECTS.c.id == holder.id).values(**values))
        # Whether its service principal is disabled may have been noted since it was found to be waiting.
        current = holders(tx, self.inventory_id, [holder.listed.object_id]).get(holder.listed.object_id, holder)
        detailed = replace(current, owners=None if owners is None else tuple(owners), detailed_at=self.now)
        listed = replace(holder.listed, keys=tuple(of_lists))
        self._replace(tx, [holder.id], self._lines(detailed, listed, keys, had))
        fresh = (key for key in federated or () if (key.kind.value, key.key_id) not in had)
        return [NewKey(listed.object_id, listed.app_id, key) for key in fresh] if holder.detailed_at else []

    def _lines(
        self, holder: Holder, listed: ListedObject, keys: Sequence[ListedKey], had: Mapping[Any, Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return the lines of one object: one for each credential, or one without."""
        has_federated = any(key.kind is KeyKind.FEDERATED for key in keys)
        common = {
            "inventory_id": self.inventory_id,
            "holder_id": holder.id,
            "object_kind": listed.kind.value,
            "object_id": listed.object_id,
            "app_id": listed.app_id,
            "name": listed.name,
            "audience": listed.audience,
            "foreign_home": self._is_foreign(listed),
            "disabled": bool(listed.disabled) or holder.principal_disabled,
            "owner_state": owner_state(holder.owners, read=holder.detailed_at is not None).value,
            "has_federated": has_federated,
            "slots_left": slots_left(listed),
        }
        return [self._line(common, key, had) for key in (keys or (None,))]

    def _line(
        self, common: dict[str, Any], key: ListedKey | None, had: Mapping[Any, Mapping[str, Any]]
    ) -> dict[str, Any]:
        before = had.get((key.kind.value, key.key_id)) if key else None
        ends = key.ends_at if key else None
        lives = life(key.starts_at, key.ends_at) if key else None
        return {
            "id": self.ids.new(),
            **common,
            "key_kind": key.kind.value if key else None,
            "key_id": key.key_id if key else None,
            "key_name": key.name if key else None,
            "hint": key.hint if key else None,
            "starts_at": key.starts_at if key else None,
            "ends_at": ends,
            "order_at": ends or LAST,
            "issuer": key.issuer if key else None,
            "subject": key.subject if key else None,
            "first_seen_at": before["first_seen_at"] if before else self.now,
            "appeared_at": before["appeared_at"] if before else None,
            "traced_at": before["traced_at"] if before else None,
            "long_lived": key is not None and is_long_lived(key.starts_at, key.ends_at),
            "life_days": lives.days if lives is not None else None,
            "search": _key_words([key] if key else []),
        }

    # --- what lists alone tell ----------------------------------------------------------------------------------------

    def note_principals(self, tx: Tx, listed: Sequence[ListedObject]) -> None:
        """Note of the applications whose service principals are among these whether those are disabled."""
        own = [each for each in listed if each.kind is ObjectKind.PRINCIPAL and not self._is_foreign(each)]
        for is_disabled in (True, False):
            for part in batches([each.app_id for each in own if each.disabled is is_disabled], _AT_ONCE):
                of_these = (_OBJECTS.c.inventory_id == self.inventory_id, _OBJECTS.c.app_id.in_(part))
                other = (*of_these, _OBJECTS.c.principal_disabled.is_(not is_disabled))
                ids = [row["id"] for row in tx.rows(sa.select(_OBJECTS.c.id).where(*other))]
                if ids:
                    self._note_principal(tx, ids, is_disabled=is_disabled)

    def _note_principal(self, tx: Tx, ids: Sequence[str], *, is_disabled: bool) -> None:
        forget_counts(tx, self.inventory_id)
        tx.run(sa.update(_OBJECTS).where(_OBJECTS.c.id.in_(ids)).values(principal_disabled=is_disabled))
        own = sa.select(_OBJECTS.c.disabled).where(_OBJECTS.c.id == _ENTRIES.c.holder_id).scalar_subquery()
        value = sa.true() if is_disabled else sa.func.coalesce(own, sa.false())
        tx.run(sa.update(_ENTRIES).where(_ENTRIES.c.holder_id.in_(ids)).values(disabled=value))

    def remove_unseen(self, tx: Tx) -> None:
        """Remove what the lists of this scan did not have: it was deleted."""
        forget_counts(tx, self.inventory_id)
        gone = (_OBJECTS.c.inventory_id == self.inventory_id, _OBJECTS.c.seen_in != self.scan)
        tx.run(sa.delete(_OBJECTS).where(*gone))

    def remove(self, tx: Tx, object_ids: Sequence[str]) -> None:
        forget_counts(tx, self.inventory_id)
        of_these = (_OBJECTS.c.inventory_id == self.inventory_id, _OBJECTS.c.object_id.in_(object_ids))
        tx.run(sa.delete(_OBJECTS).where(*of_these))

    def note_changed(self, tx: Tx, object_ids: Sequence[str], kind: ObjectKind) -> None:
        """Let these objects be read again, those that are not known as well."""
        forget_counts(tx, self.inventory_id)
        known = holders(tx, self.inventory_id, object_ids)
        for part in batches([holder.id for holder in known.values()], _AT_ONCE):
            tx.run(sa.update(_OBJECTS).where(_OBJECTS.c.id.in_(part)).values(unread=True, stale=True))
        blank = {**self._values(ListedObject(kind, "", "", "")), "pending": True, "unread": True, "fingerprint": ""}
        tx.run_all(
            _INSERT,
            [
                {**blank, "id": self.ids.new(), "object_id": object_id}
                for object_id in object_ids
                if object_id not in known
            ],
        )

    def refresh(self, tx: Tx, within: timedelta, older_than: timedelta) -> None:
        """Let the owners of what ends soon be read again where that was long ago."""
        forget_counts(tx, self.inventory_id)
        query = sa.update(_OBJECTS).where(
            _OBJECTS.c.inventory_id == self.inventory_id,
            _OBJECTS.c.stale.is_(False),
            _OBJECTS.c.first_end <= shift(self.now, within),
            _OBJECTS.c.detailed_at <= shift(self.now, -older_than),
        )
        tx.run(query.values(stale=True))


def _words(listed: ListedObject, owners: Sequence[ListedOwner] | None) -> str:
    """Return what an object is found by."""
    return " ".join((listed.name, listed.app_id, listed.object_id, *(owner.name for owner in owners or ()))).lower()


def _key_words(keys: Sequence[ListedKey]) -> str:
    """Return what credentials are found by."""
    named = (word for key in keys for word in (key.key_id, key.name, key.hint, key.issuer, key.subject))
    return " ".join(filter(None, named)).lower()


def keep_uses(tx: Tx, inventory_id: str, used: Mapping[str, UsedKey]) -> None:
    """Keep when credentials last signed in, by key id."""
    for part in batches(list(used), _AT_ONCE):
        of_these = (inventory_uses.c.inventory_id == inventory_id, inventory_uses.c.key_id.in_(part))
        tx.run(sa.delete(inventory_uses).where(*of_these))
    rows = [
        {
            "inventory_id": inventory_id,
            "key_id": key_id,
            "last_used_at": each.at,
            "app_id": each.app_id,
            "key_kind": each.kind and each.kind.value,
        }
        for key_id, each in used.items()
    ]
    tx.run_all(_INSERT_USE, rows)


def forget_old_uses(tx: Tx, inventory_id: str, before: datetime) -> None:
    """Forget the last uses of credentials that are no more and that were used before then."""
    listed = sa.select(_ENTRIES.c.key_id).where(_ENTRIES.c.inventory_id == inventory_id, _ENTRIES.c.key_id.is_not(None))
    old = (inventory_uses.c.inventory_id == inventory_id, inventory_uses.c.last_used_at < before)
    tx.run(sa.delete(inventory_uses).where(*old, inventory_uses.c.key_id.not_in(listed)))


_INSERT_USE = sa.insert(inventory_uses)
_INSERT = sa.insert(_OBJECTS)
_INSERT_ENTRY = sa.insert(_ENTRIES)
_UPDATE = sa.update(_OBJECTS).where(_OBJECTS.c.id == sa.bindparam("holder"))


def _entries_of(tx: Tx, holder_ids: Sequence[str]) -> dict[str, dict[Any, Mapping[str, Any]]]:
    """Return the lines of these objects, by kind and key id."""
    found: dict[str, dict[Any, Mapping[str, Any]]] = {}
    for part in batches(holder_ids, _AT_ONCE):
        for row in tx.rows(_KEYS, ids=list(part)):
            found.setdefault(row["holder_id"], {})[(row["key_kind"], row["key_id"])] = row
    return found


def _listed(row: Mapping[str, Any]) -> ListedKey:
    return ListedKey(
        KeyKind(row["key_kind"]),
        row["key_id"],
        row["key_name"],
        row["hint"],
        row["starts_at"],
        row["ends_at"],
        row["issuer"],
        row["subject"],
    )
