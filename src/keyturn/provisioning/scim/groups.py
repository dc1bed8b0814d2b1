"""Groups as a client provisions them, and the roles that they give: RFC 7644, sections 3.3 to 3.6.

What a group gives is decided where it is decided for groups of Entra ID: a group is known there by its ``externalId``, which for
Entra ID is its object id; without one, by the id that it has here. Roles change at once, not at the next sign-in.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy.exc

from keyturn.audit import people_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.organizations import store as organization_store
from keyturn.organizations.quotas import require_room
from keyturn.people import store as people_store
from keyturn.ports.clock import Clock, Ids
from keyturn.provisioning.scim import store
from keyturn.provisioning.scim.domain import (
    GROUP_FIELDS,
    Expected,
    Group,
    GroupChange,
    Page,
    Window,
    any_version,
    group_change,
    group_resource,
    require_expected,
    with_version,
)
from keyturn.provisioning.scim.filters import Filter
from keyturn.provisioning.scim.patches import apply_operations, invalid
from keyturn.provisioning.scim.users import not_found, uniqueness_conflict
from keyturn.sso import rights
from keyturn.sso import store as role_store
from keyturn.sso.domain import entitlement

MOST = 2000
_KNOWN = {name.lower(): name for name in GROUP_FIELDS}


@dataclass(frozen=True)
class ScimGroups:
    """The use cases. ``base`` is the address of the service, as clients write it."""

    database: Database
    clock: Clock
    ids: Ids
    base: str

    def find(self, client: Actor, wanted: Filter | None, window: Window) -> Page:
        """Return a page of the groups that match, by name."""
        with self.database.read() as tx:
            groups = store.groups_of(tx, client.org_id, wanted.equals if wanted else None)
        if wanted is None and not window.sort_by:
            return Page(len(groups), [with_version(group_resource(each, self.base)) for each in window.of(groups)])
        resources = [group_resource(each, self.base) for each in groups]
        return window.page([each for each in resources if wanted is None or wanted.matches(each)])

    def get(self, client: Actor, group_id: str) -> dict[str, Any]:
        """Return one group. Raises NotFound."""
        with self.database.read() as tx:
            return with_version(group_resource(_found(tx, client, group_id), self.base))

    def create(self, client: Actor, body: object) -> dict[str, Any]:
        """Add a group. Raises Conflict for a name or an external id that another group has, Refused for unknown members."""
        change, now = group_change(body), self.clock.now()
        with self.database.write() as tx:
            organization_store.organization(tx, client.org_id, lock=True)
            require_room(store.count_groups(tx, client.org_id), MOST, "groups", "number of groups")
            group = Group(self.ids.new(), client.org_id, change.external_id, change.name, now, now)
            self._require_free(tx, group)
            _require_users(tx, client, change.members)
            try:
                store.add_group(tx, group)
            except sqlalchemy.exc.IntegrityError as error:  # another process added it just now
                raise uniqueness_conflict(f"There is a group named '{group.name}' already.") from error
            self._record(tx, client, events.SCIM_GROUP_CREATED, group)
            return self._changed(tx, client, group, change)

    def replace(self, client: Actor, group_id: str, body: object, expected: Expected = any_version) -> dict[str, Any]:
        """Make the group this. Raises as :meth:`create`, NotFound, and Conflict for another version than is ``expected``."""
        change = group_change(body)
        with self.database.write() as tx:
            return self._changed(tx, client, self._managed(tx, client, group_id, expected), change)

    def patch(
        self, client: Actor, group_id: str, operations: object, expected: Expected = any_version
    ) -> dict[str, Any]:
        """Change the group by operations: all of them or none. Raises as :meth:`replace`."""
        with self.database.write() as tx:
            group = self._managed(tx, client, group_id, expected)
            change = group_change(apply_operations(group_resource(group, self.base), operations, _KNOWN))
            return self._changed(tx, client, group, change)

    def delete(self, client: Actor, group_id: str, expected: Expected = any_version) -> None:
        """Remove the group, with what it gives. Raises NotFound, and Conflict as :meth:`replace`."""
        with self.database.write() as tx:
            group = self._managed(tx, client, group_id, expected)
            store.remove_group(tx, group.id)
            self._record(tx, client, events.SCIM_GROUP_DELETED, group)
            self._follow(tx, client, [_key(group)], group.members)

    # --- parts --------------------------------------------------------------------------------------------------------

    def _managed(self, tx: Tx, client: Actor, group_id: str, expected: Expected) -> Group:
        # Two changes of one group that come at the same moment happen one after the other.
        organization_store.organization(tx, client.org_id, lock=True)
        group = _found(tx, client, group_id)
        require_expected(group_resource(group, self.base), expected)
        return group

    def _changed(self, tx: Tx, client: Actor, group: Group, change: GroupChange) -> dict[str, Any]:
        before, wanted = set(group.members), dict.fromkeys(change.members)
        new, gone = [each for each in wanted if each not in before], [each for each in before if each not in wanted]
        after = replace(group, name=change.name, external_id=change.external_id)
        if after != group or new or gone:
            _require_users(tx, client, new)
            self._require_free(tx, after)
            store.change_group(tx, replace(after, updated_at=self.clock.now()))
            store.add_members(tx, group.id, new)
            store.remove_members(tx, group.id, gone)
            self._record(tx, client, events.SCIM_GROUP_CHANGED, after, added=len(new), removed=len(gone))
            keys = {_key(group), _key(after)}
            self._follow(tx, client, keys, {*new, *gone} if len(keys) == 1 else {*before, *new})
        return with_version(group_resource(_found(tx, client, group.id), self.base))

    def _follow(
        self, tx: Tx, client: Actor, keys: Sequence[str] | set[str], user_ids: Sequence[str] | set[str]
    ) -> None:
        """Give these users what all their groups give now, where one of the groups that changed gives anything."""
        rows, now = role_store.of_organization(tx, client.org_id), self.clock.now()
        if not any(row.group_id in keys for row in rows):
            return
        for user_id in sorted(user_ids):
            user = people_store.user_by_id(tx, user_id, lock=True)
            if user is None:
                continue
            given = entitlement(rows, [_key(each) for each in store.groups_of_user(tx, user_id)], None)
            user = rights.change_role(tx, user, given.role_for(user.role) or Role.NO_ACCESS, now)
            rights.follow_groups(tx, self.ids, user, given.projects, now)

    def _require_free(self, tx: Tx, group: Group) -> None:
        if store.group_taken(tx, group.org_id, group.name, group.external_id, group.id):
            raise uniqueness_conflict(f"There is a group named '{group.name}', or with this externalId, already.")

    def _record(self, tx: Tx, client: Actor, event: AuditEvent, group: Group, **facts: object) -> None:
        common = {"groupId": group.id, "externalId": group.external_id, "name": group.name}
        subject = Subject(SubjectKind.ORGANIZATION, group.org_id)
        record(tx, client, event, subject, self.clock.now(), **common, **facts)


def _key(group: Group) -> str:
    return (group.external_id or group.id).lower()


def _found(tx: Tx, client: Actor, group_id: str) -> Group:
    group = store.group(tx, client.org_id, group_id)
    if group is None:
        raise not_found("group", group_id)
    return group


def _require_users(tx: Tx, client: Actor, user_ids: Sequence[str]) -> None:
    known = {user.id for user in people_store.users_of(tx, client.org_id)} if user_ids else set()
    for user_id in user_ids:
        if user_id not in known:
            raise invalid(f"There is no user '{user_id}', so it can be no member.", "members")
