"""What needs somebody in an organization: the rules over what the store finds. Reads only."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from keyturn.alarms.channel_store import switched_on as channels_switched_on
from keyturn.alarms.conditions import (
    approval_rules,
    channel_rules,
    conversion_rules,
    credential_rules,
    freeze_rules,
    inventory_rules,
    leaver_store,
    rules,
    server_rules,
    sign_in_rules,
    sign_in_store,
    store,
    use_rules,
)
from keyturn.alarms.conditions.domain import DAYS_BEFORE_END, Condition, in_order
from keyturn.approvals import store as requests
from keyturn.connections import store as connections
from keyturn.db.unit import Tx
from keyturn.errors import NeedsAction
from keyturn.inventory import list_store
from keyturn.inventory import store as inventories
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.ownership import store as ownership
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.providers.registry import Providers
from keyturn.provisioning.scim import store as provisioning
from keyturn.rotations.secret_rotations.consumers import SlotWait, UseOfEnding, in_use_and_ending, slots_waited_for
from keyturn.rotations.store import conversions, freezes, policies
from keyturn.rotations.store import secret_rotations as mappings


class ConditionFinder:
    """Finds conditions in the caller's transaction: a fixed number of statements, whatever there is."""

    def __init__(
        self, providers: Providers, sign_in_certificate: Callable[[], SignInCertificate | None] = lambda: None
    ) -> None:
        """``sign_in_certificate`` tells with which one this server signs people in, if it does so by one."""
        self._providers = providers
        self._sign_in_certificate = sign_in_certificate

    def of_organization(self, tx: Tx, org_id: str, now: datetime) -> list[Condition]:
        """Return all conditions of the organization, the most severe first. ``key`` is unique among them."""
        sign_ins = self.of_sign_ins(tx, sign_in_store.all_of(tx, org_id, now), now)
        return in_order([*sign_ins, *self.but_sign_ins(tx, org_id, now)])

    def but_sign_ins(self, tx: Tx, org_id: str, now: datetime) -> list[Condition]:
        """Return all conditions of the organization but those of connections that do not sign in, in order."""
        return in_order(
            [
                *self._owned(tx, org_id, now),
                *self._approvals(tx, org_id, now),
                *self._machines(tx, org_id, now),
                *server_rules.of_server(org_id, store.server(tx, now), now),
                *self._signs_people_in(org_id, now),
                *channel_rules.of_channels(org_id, channels_switched_on(tx, org_id), now),
            ]
        )

    def of_project_but_sign_ins(self, tx: Tx, org_id: str, project_id: str, now: datetime) -> list[Condition]:
        """Return as :meth:`but_sign_ins` the conditions of what lives in the project."""
        found = [*self._owned(tx, org_id, now), *self._approvals(tx, org_id, now)]
        return in_order([one for one in found if one.project == project_id])

    def of_sign_ins(self, tx: Tx, connection_ids: Sequence[str], now: datetime) -> list[Condition]:
        """Return which of these connections do not sign in, or were not tried, in no order."""
        found = (
            sign_in_rules.of_sign_in(each, self._noun(each.method), now)
            for each in connections.with_ids(tx, connection_ids)
        )
        return _with_owners(tx, [one for one in found if one])

    def _owned(self, tx: Tx, org_id: str, now: datetime) -> list[Condition]:
        """Return the conditions of what may have an owner, with that."""
        found = [*self._rotating(tx, org_id, now), *self._credentials(tx, org_id, now)]
        found.extend(self._converted(tx, org_id, now))
        found.extend(self._tenants(tx, org_id, now))
        leavers = [*leaver_store.lost_owners(tx, org_id), *leaver_store.sign_ins_of_leavers(tx, org_id)]
        found.extend(map(server_rules.of_leaver, leavers))
        return _with_owners(tx, found)

    def _tenants(self, tx: Tx, org_id: str, now: datetime) -> Iterator[Condition]:
        """Yield the conditions of inventories: a statement, and one for each tenant of which somebody is to be warned."""
        for each, connection in inventories.read_through(tx, org_id):
            until = shift(now, timedelta(days=DAYS_BEFORE_END[0]))
            since = shift(now, -inventory_rules.ENDED_FOR)
            ending = list_store.ending(tx, each, since, until) if each.warns else None
            state = inventory_rules.InventoryState(each, connection.name, connection.project_id, ending)
            yield from inventory_rules.of_inventory(state, now)

    def _rotating(self, tx: Tx, org_id: str, now: datetime) -> Iterator[Condition]:
        rotating, of_others = store.rotations_to_judge(tx, org_id, now)
        ids = list({*rotating, *store.connections_to_judge(tx, org_id, now)})
        states, refreshed = policies.states(tx, ids), store.refreshed_at(tx, ids)
        converting = conversions.resting(tx, org_id)
        for connection in connections.with_ids(tx, ids):
            noun, used = self._noun(connection.method), refreshed.get(connection.id)
            state = rules.ConnectionState(
                connection, noun, states.get(connection.id), used, converting=connection.id in converting
            )
            yield from rules.of_connection(state, now)
            if state.rotating:
                about = rules.about_connection(connection, noun)
                yield from freeze_rules.of_freeze(about, state.rotating, now)
        uses = _Uses(in_use_and_ending(tx, org_id, now), slots_waited_for(tx, org_id, now))
        for view in mappings.views_among(tx, store.mappings_of(tx, list({*of_others, *uses.rotation_ids}))):
            noun = self._noun(view.rotation.credential_kind)
            yield from rules.of_secret_rotation(view, noun, now)
            about = rules.about_secret_rotation(view, noun)
            yield from freeze_rules.of_freeze(about, view.state, now)
            yield from uses.conditions(view.rotation.id, about, now)

    def _converted(self, tx: Tx, org_id: str, now: datetime) -> Iterator[Condition]:
        went_back = conversions.went_back(tx, org_id, conversion_rules.told_since(now))
        for connection in connections.with_ids(tx, list(went_back)):
            about = rules.about_connection(connection, self._noun(connection.method))
            conversion = went_back[connection.id]
            yield from conversion_rules.of_return(about, conversion.reason or {}, conversion.since)
        used = conversions.used_outside(tx, org_id, now)
        for connection in connections.with_ids(tx, list(used)):
            about, told = rules.about_connection(connection, self._noun(connection.method)), used[connection.id]
            yield from conversion_rules.of_outside_use(about, told, self._noun(told.method_before), now)

    def _credentials(self, tx: Tx, org_id: str, now: datetime) -> Iterator[Condition]:
        windows = freezes.list_windows(tx, org_id)
        for row, where, refusal in store.removals(tx, org_id, now):
            yield from credential_rules.of_removal(row, where, refusal, now, windows)
        for row, where, use in store.refused_uses(tx, org_id, now):
            yield from credential_rules.of_refused(row, where, use, now)
        for seen, where in store.foreign(tx, org_id, now):
            yield from credential_rules.of_foreign(seen, where, now)

    def _approvals(self, tx: Tx, org_id: str, now: datetime) -> Iterator[Condition]:
        yield from map(approval_rules.of_request, requests.pending(tx, org_id, now))
        yield from map(approval_rules.of_request, requests.bypassed_since(tx, org_id, approval_rules.told_since(now)))

    def _machines(self, tx: Tx, org_id: str, now: datetime) -> Iterator[Condition]:
        for identity in store.locked_identities(tx, org_id, now):
            yield from server_rules.of_identity(identity, now)
        for identity, secret in store.ending_client_secrets(tx, org_id):
            yield from server_rules.of_client_secret(identity, secret, now)
        for token in provisioning.tokens_of(tx, org_id):
            yield from server_rules.of_provisioning_token(token, now)

    def _signs_people_in(self, org_id: str, now: datetime) -> Iterator[Condition]:
        certificate = self._sign_in_certificate()
        if certificate is not None:
            yield from server_rules.of_sign_in_certificate(org_id, certificate, now)

    def _noun(self, kind: str) -> str:
        """Return what credentials of this kind are called."""
        try:
            return self._providers.method_of_kind(kind).words.noun
        except NeedsAction:
            return "credential"


def _with_owners(tx: Tx, conditions: Sequence[Condition]) -> list[Condition]:
    owners = ownership.of(tx, list({one.subject.id for one in conditions}))
    return [replace(one, owner=owners[one.subject.id].user_id) for one in conditions]


@dataclass(frozen=True)
class _Uses:
    """What is used of credentials that were replaced."""

    ending: Sequence[UseOfEnding]
    waits: Sequence[SlotWait]

    @property
    def rotation_ids(self) -> set[str]:
        return {*(one.rotation_id for one in self.ending), *(one.rotation.id for one in self.waits)}

    def conditions(self, rotation_id: str, about: rules.About, now: datetime) -> Iterator[Condition]:
        for one in self.ending:
            if one.rotation_id == rotation_id:
                yield from use_rules.of_use(
                    about, one.credential, len(one.holders), one.goes_at, gone=one.dead, now=now, seen=one.seen
                )
        for wait in self.waits:
            if wait.rotation.id == rotation_id:
                yield use_rules.of_slot_wait(about, wait.credential, wait.until)
