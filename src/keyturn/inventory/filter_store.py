"""SQL of what is looked for in an inventory: each filter as a condition on its lines."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from keyturn.authz.authorize import Visibility
from keyturn.credentials.store import ENTRIES as JOURNAL
from keyturn.db.tables import inventory_entries, inventory_objects, inventory_uses
from keyturn.db.tables.views import rotations
from keyturn.inventory.domain import NO_KEY, Finding, InventoryFilter, Origin, Owners
from keyturn.inventory.plan import Inventory
from keyturn.inventory.policies import PolicyState, apply_policy
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import FIRST, LAST, shift
from keyturn.ports.inventory import KeyKind, ListedPolicy, ObjectKind, PolicyScope
from keyturn.rotations.store import evidence

_E, _O = inventory_entries, inventory_objects
_KEY = _E.c.object_id + " " + _E.c.key_id
"""By which a credential is found in the journal: certificates of two applications may have the same key id.

One text, as SQLite compares each pair of two columns with all others where it finds none that is equal.
"""
Condition = sa.ColumnElement[bool]


@dataclass(frozen=True)
class Selection:
    """Which lines of an inventory are asked for, at a moment. ``sight`` is which connections may be named.

    ``policies`` are those of the tenant; None: nobody knows them.
    """

    inventory: Inventory
    criteria: InventoryFilter
    now: datetime
    sight: Visibility
    policies: Sequence[ListedPolicy] | None = None

    @property
    def is_everything(self) -> bool:
        return self.criteria == InventoryFilter()

    @property
    def source(self) -> sa.FromClause:
        """What the lines are selected from. Where words are asked for, those are looked for in the objects first."""
        return _O.join(_E, _E.c.holder_id == _O.c.id) if self.criteria.words else _E

    def conditions(self) -> list[Condition]:
        """Return what all of these lines meet, of :attr:`source`."""
        of_inventory = (_O if self.criteria.words else _E).c.inventory_id == self.inventory.id
        return [of_inventory, *_of_words(self.criteria.words), *self._but_words()]

    def conditions_in_turn(self) -> list[Condition]:
        """Return the same of lines alone, for who goes through them in the order of an index: each is looked at by itself."""
        return [_E.c.inventory_id == self.inventory.id, *self._but_words(), *_of_words_in_turn(self.criteria.words)]

    def _but_words(self) -> Iterator[Condition]:
        yield from _of_columns(self.criteria)
        yield from _of_moment(self.criteria, self.now)
        yield from _of_uses(self.inventory, self.criteria, self.now)
        yield from _of_others(self.inventory, self.criteria)
        yield from _of_policies(self)


def _of_words(words: Sequence[str]) -> Iterator[Condition]:
    """Yield what finds the objects that have the words, whichever of their credentials it is, and then those credentials."""
    for word in words:
        of_object, of_any, of_line = _has(word)
        yield from (sa.or_(of_object, of_any), sa.or_(of_object, of_line))


def _of_words_in_turn(words: Sequence[str]) -> Iterator[Condition]:
    """Yield what a line with all of these words meets. As it is asked of its object, no database makes a join of it."""
    found = [sa.or_(of_object, of_line) for of_object, _, of_line in map(_has, words)]
    if found:
        yield sa.select(sa.and_(*found)).where(_O.c.id == _E.c.holder_id).correlate(_E).scalar_subquery()


def _has(word: str) -> tuple[Condition, Condition, Condition]:
    """Return whether an object itself has the word, any of its credentials, or the credential of the line."""
    columns = (_O.c.search, _O.c.key_search, _E.c.search)
    of_object, of_any, of_line = (column.contains(word.lower(), autoescape=True) for column in columns)
    return of_object, of_any, of_line


def _of_columns(criteria: InventoryFilter) -> Iterator[Condition]:
    """Yield what is asked of what stands in the line itself."""
    equal = {
        "object_kind": criteria.object_kind,
        "owner_state": criteria.owners,
        "audience": criteria.audience,
        "key_kind": criteria.kind if criteria.kind != NO_KEY else None,
    }
    yield from (_E.c[name] == str(value) for name, value in equal.items() if value is not None)
    if criteria.kind == NO_KEY:
        yield _E.c.key_kind.is_(None)
    if criteria.disabled is not None:
        yield _E.c.disabled.is_(criteria.disabled)
    if criteria.foreign is not None:
        yield _E.c.foreign_home.is_(criteria.foreign)
    if criteria.longer_than_days is not None:
        yield _E.c.life_days > criteria.longer_than_days
    if criteria.has_slot is not None:
        is_full = _E.c.slots_left == 0
        yield sa.or_(_E.c.slots_left.is_(None), ~is_full) if criteria.has_slot else is_full


def _of_moment(criteria: InventoryFilter, now: datetime) -> Iterator[Condition]:
    """Yield what is asked of start and end."""
    if criteria.older_than_days is not None:
        yield _E.c.starts_at < shift(now, -timedelta(days=criteria.older_than_days))
    if criteria.expired is not None:
        yield _E.c.order_at <= now if criteria.expired else _E.c.order_at > now
    until = criteria.until(now)
    if until is not None:
        yield from (_E.c.order_at > now, _E.c.order_at <= until, _E.c.order_at < LAST)
    if criteria.finding is not None:
        yield finding_conditions(now)[criteria.finding]


def _of_uses(inventory: Inventory, criteria: InventoryFilter, now: datetime) -> Iterator[Condition]:
    """Yield what is asked of the last success. Of what is not known nobody may say that it was long ago."""
    is_known = _used_since(inventory, FIRST)
    if criteria.last_success is not None:
        yield is_known if criteria.last_success else sa.or_(_E.c.key_id.is_(None), ~is_known)
    if criteria.quiet_for_days is not None:
        yield from (is_known, ~_used_since(inventory, shift(now, -timedelta(days=criteria.quiet_for_days))))


def _used_since(inventory: Inventory, moment: datetime) -> Condition:
    reported = sa.select(inventory_uses.c.key_id).where(
        inventory_uses.c.inventory_id == inventory.id, inventory_uses.c.last_used_at > moment
    )
    used = evidence.keys_used_since(inventory.org_id, moment).subquery()
    return sa.or_(_E.c.key_id.in_(reported), _KEY.in_(sa.select(used.c.object_id + " " + used.c.key_id)))


def _of_others(inventory: Inventory, criteria: InventoryFilter) -> Iterator[Condition]:
    """Yield what is asked of what this server has to do with it."""
    if criteria.origin is not None:
        yield from _of_origin(inventory, criteria.origin)
    if criteria.rotated is not None:
        apps = rotated_apps(inventory)
        yield _E.c.app_id.in_(apps) if criteria.rotated else _E.c.app_id.not_in(apps)


HAS_KEY = _E.c.key_kind.in_([KeyKind.SECRET.value, KeyKind.CERTIFICATE.value])


def finding_conditions(now: datetime | sa.BindParameter[Any]) -> dict[Finding, Condition]:
    """Return the rules of ``domain.findings``, as conditions."""
    is_secret = _E.c.key_kind == KeyKind.SECRET.value
    is_local = _E.c.object_kind != ObjectKind.PRINCIPAL.value
    return {
        Finding.NO_OWNER: sa.and_(_E.c.owner_state == Owners.NONE.value, is_local),
        Finding.OWNERS_DISABLED: _E.c.owner_state == Owners.DISABLED.value,
        Finding.LIVES_TOO_LONG: _E.c.long_lived.is_(True),
        Finding.EXPIRED: _E.c.order_at <= now,
        Finding.FOREIGN_APPLICATION: sa.and_(_E.c.foreign_home.is_(True), HAS_KEY),
        Finding.FEDERATED_BESIDE: sa.and_(_E.c.has_federated.is_(True), is_secret),
        Finding.BLUEPRINT_SECRET: sa.and_(_E.c.object_kind == ObjectKind.BLUEPRINT.value, is_secret),
        Finding.DISABLED_APPLICATION: sa.and_(_E.c.disabled.is_(True), HAS_KEY),
        Finding.APPEARED: _E.c.appeared_at.is_not(None),
    }


def _of_origin(inventory: Inventory, origin: Origin) -> list[Condition]:
    of = JOURNAL.c
    of_journal = sa.select(of.object_id + " " + of.key_id).where(of.org_id == inventory.org_id, of.key_id.is_not(None))
    if origin is Origin.FOREIGN:
        return [_E.c.key_kind.is_not(None), _KEY.not_in(of_journal)]
    return [_KEY.in_(of_journal.where(of.adopted.is_(origin is Origin.ADOPTED)))]


def rotated_apps(inventory: Inventory) -> sa.Select[Any]:
    return sa.select(sa.func.lower(rotations.c.app_id)).where(
        rotations.c.org_id == inventory.org_id,
        rotations.c.cloud == inventory.cloud,
        rotations.c.retired.is_(False),
        rotations.c.app_id.is_not(None),
    )


# --- policies ---------------------------------------------------------------------------------------------------------


def _of_policies(selection: Selection) -> Iterator[Condition]:
    """Yield what is asked of the policy that applies."""
    state, policies = selection.criteria.policy, selection.policies
    if state is None:
        return
    if policies is None:
        yield sa.true() if state is PolicyState.NOT_KNOWN else sa.false()
        return
    is_certificate = _E.c.key_kind == KeyKind.CERTIFICATE.value
    is_federated = _E.c.key_kind == KeyKind.FEDERATED.value
    is_secret = sa.func.coalesce(_E.c.key_kind, KeyKind.SECRET.value) == KeyKind.SECRET.value
    found = [
        sa.and_(is_kind, _E.c.holder_id.in_(_holders(selection.inventory, policies, kind, state)))
        for is_kind, kind in ((is_secret, KeyKind.SECRET), (is_certificate, KeyKind.CERTIFICATE))
    ]
    yield sa.or_(*found, is_federated) if state is PolicyState.UNRESTRICTED else sa.or_(*found)


def _holders(
    inventory: Inventory, policies: Sequence[ListedPolicy], kind: KeyKind, state: PolicyState
) -> sa.Select[Any]:
    """Select the objects of which the policy in force says this of new credentials of the kind."""
    places = [sa.and_(_is_under(each, policies), *_made(each, kind, state)) for each in policies]
    return sa.select(_O.c.id).where(_O.c.inventory_id == inventory.id, sa.or_(sa.false(), *places))


def _is_under(policy: ListedPolicy, policies: Sequence[ListedPolicy]) -> Condition:
    if policy.scope is PolicyScope.ASSIGNED:
        return _O.c.policy_id == policy.id
    assigned = [each.id for each in policies if each.scope is PolicyScope.ASSIGNED]
    is_principal = _O.c.kind == ObjectKind.PRINCIPAL.value
    of_kind = is_principal if policy.scope is PolicyScope.PRINCIPALS else ~is_principal
    return sa.and_(of_kind, sa.or_(_O.c.policy_id.is_(None), _O.c.policy_id.not_in(assigned)))


def _made(policy: ListedPolicy, kind: KeyKind, state: PolicyState) -> Iterator[Condition]:
    """Yield when an object was made of which the policy says so: rules hold from moments on, in between nothing changes."""
    edges = sorted({rule.made_after for rule in policy.rules if rule.made_after} | {FIRST})
    spans = [
        sa.and_(_O.c.made_at >= first, *([_O.c.made_at < last] if last else ()))
        for first, last in pairwise([*edges, None])
        if first is not None and apply_policy(policy, kind, first).state is state
    ]
    if apply_policy(policy, kind, None).state is state:
        spans.append(_O.c.made_at.is_(None))
    yield sa.or_(sa.false(), *spans)
