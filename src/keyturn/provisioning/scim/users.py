"""Users as a client provisions them: RFC 7644, sections 3.3 to 3.6."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy.exc

from keyturn.audit import events, people_events
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import Conflict, NotFound
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.people import external_store, leaving, link_store
from keyturn.people import store as people_store
from keyturn.people.domain import PROVISIONING, ExternalIdentity, User
from keyturn.people.users import Users, checked_email
from keyturn.ports.clock import Clock, Ids
from keyturn.provisioning.scim import store
from keyturn.provisioning.scim.domain import (
    USER_FIELDS,
    Expected,
    Page,
    Person,
    UserChange,
    Window,
    any_version,
    require_expected,
    user_change,
    user_resource,
    with_version,
)
from keyturn.provisioning.scim.filters import Filter
from keyturn.provisioning.scim.patches import apply_operations

_KNOWN = {name.lower(): name for name in USER_FIELDS}


@dataclass(frozen=True)
class ScimUsers:
    """The use cases. ``base`` is the address of the service, as clients write it.

    A user is made without a password and without a role in the organization; groups give roles. Whoever is deactivated is signed
    out at once, and their access tokens end. The last admin who can sign in with a password stays one: Refused.
    """

    database: Database
    clock: Clock
    ids: Ids
    users: Users
    base: str

    def find(self, client: Actor, wanted: Filter | None, window: Window) -> Page:
        """Return a page of the users that match, by address."""
        with self.database.read() as tx:
            people = self._candidates(tx, client, wanted)
            groups = store.groups_by_user(tx, client.org_id) if people else {}
        if wanted is None and not window.sort_by:
            shown = (user_resource(each, groups.get(each.user.id, ()), self.base) for each in window.of(people))
            return Page(len(people), [with_version(each) for each in shown])
        resources = [user_resource(each, groups.get(each.user.id, ()), self.base) for each in people]
        return window.page([each for each in resources if wanted is None or wanted.matches(each)])

    def get(self, client: Actor, user_id: str) -> dict[str, Any]:
        """Return one user. Raises NotFound."""
        with self.database.read() as tx:
            return with_version(self._shown(tx, leaving.find_user(tx, client, user_id)))

    def create(self, client: Actor, body: object) -> dict[str, Any]:
        """Add a user. Raises Conflict for an address or an external id that another user has."""
        change, now = user_change(body), self.clock.now()
        with self.database.write() as tx:
            self._require_free(tx, change)
            names = {"first_name": change.first_name, "last_name": change.last_name}
            user = self.users.add_without_password(tx, client, change.email, Role.NO_ACCESS, **names)
            facts = {"email": user.email, "role": user.role.value}
            record(tx, client, events.USER_CREATED, leaving.subject(user), now, **facts)
            self._name_outside(tx, user, change.external_id, now)
            self._set_active(tx, client, user, now, active=change.active)
            return with_version(self._shown(tx, leaving.find_user(tx, client, user.id)))

    def replace(self, client: Actor, user_id: str, body: object, expected: Expected = any_version) -> dict[str, Any]:
        """Make the user this. Raises as :meth:`create`, NotFound, and Conflict for another version than is ``expected``."""
        change = user_change(body)
        with self.database.write() as tx:
            user, _ = self._managed(tx, client, user_id, expected)
            return self._changed(tx, client, user, change)

    def patch(
        self, client: Actor, user_id: str, operations: object, expected: Expected = any_version
    ) -> dict[str, Any]:
        """Change the user by operations: all of them or none. Raises as :meth:`replace`."""
        with self.database.write() as tx:
            user, shown = self._managed(tx, client, user_id, expected)
            return self._changed(tx, client, user, user_change(apply_operations(shown, operations, _KNOWN)))

    def delete(self, client: Actor, user_id: str, expected: Expected = any_version) -> None:
        """Remove the user with sessions, tokens and memberships. Raises NotFound, and Conflict as :meth:`replace`."""
        with self.database.write() as tx:
            self._managed(tx, client, user_id, expected)
            leaving.delete(tx, client, user_id, self.clock.now())

    # --- parts --------------------------------------------------------------------------------------------------------

    def _managed(self, tx: Tx, client: Actor, user_id: str, expected: Expected) -> tuple[User, dict[str, Any]]:
        user = leaving.managed_user(tx, client, user_id)
        shown = self._shown(tx, user)
        require_expected(shown, expected)
        return user, shown

    def _candidates(self, tx: Tx, client: Actor, wanted: Filter | None) -> Sequence[Person]:
        """Return the users among whom those are that match: one, where the filter names it by what is unique."""
        attribute, text = (wanted.equals if wanted else None) or ("", "")
        user: User | None = None
        if attribute == "username":
            user = people_store.user_by_email(tx, text.strip().lower())
        elif attribute == "externalid":
            user_id = external_store.user_id_of(tx, PROVISIONING, text)
            user = people_store.user_by_id(tx, user_id) if user_id else None
        elif attribute == "id":
            user = people_store.user_by_id(tx, text)
        else:
            outside = external_store.of_organization(tx, client.org_id)
            return [
                Person(each, _external_id(outside.get(each.id, ())))
                for each in people_store.users_of(tx, client.org_id)
            ]
        if user is None or user.org_id != client.org_id:
            return ()
        return (Person(user, _external_id(external_store.of_user(tx, user.id))),)

    def _shown(self, tx: Tx, user: User) -> dict[str, Any]:
        person = Person(user, _external_id(external_store.of_user(tx, user.id)))
        return user_resource(person, store.groups_of_user(tx, user.id), self.base)

    def _changed(self, tx: Tx, client: Actor, user: User, change: UserChange) -> dict[str, Any]:
        now, email = self.clock.now(), checked_email(change.email)
        self._require_free(tx, change, user.id)
        after = {"email": email, "first_name": change.first_name, "last_name": change.last_name}
        different = {name: value for name, value in after.items() if getattr(user, name) != value}
        if "email" in different and _is_local_admin(tx, user):
            raise _address_kept(user)
        if different:
            people_store.change_user(tx, user.id, now, **different)
            facts = {"email": email, "before": user.email}
            record(tx, client, people_events.USER_UPDATED, leaving.subject(user), now, **facts)
        self._name_outside(tx, user, change.external_id, now)
        self._set_active(tx, client, user, now, active=change.active)
        return with_version(self._shown(tx, leaving.find_user(tx, client, user.id)))

    def _require_free(self, tx: Tx, change: UserChange, own_id: str | None = None) -> None:
        same = people_store.user_by_email(tx, change.email.strip().lower())
        if same is not None and same.id != own_id:
            raise uniqueness_conflict(f"There is a user with the userName '{change.email}' already.")
        holder = external_store.user_id_of(tx, PROVISIONING, change.external_id) if change.external_id else None
        if holder is not None and holder != own_id:
            raise uniqueness_conflict(f"There is a user with the externalId '{change.external_id}' already.")

    def _name_outside(self, tx: Tx, user: User, external_id: str | None, now: datetime) -> None:
        if external_id is None:
            external_store.unlink(tx, user.id, PROVISIONING)
        elif external_store.user_id_of(tx, PROVISIONING, external_id) != user.id:
            try:
                link = ExternalIdentity(self.ids.new(), user.id, PROVISIONING, external_id, now)
                external_store.link(tx, link)
            except sqlalchemy.exc.IntegrityError as error:  # another process linked it just now
                raise uniqueness_conflict(f"There is a user with the externalId '{external_id}' already.") from error

    @staticmethod
    def _set_active(tx: Tx, client: Actor, user: User, now: datetime, *, active: bool) -> None:
        if active:
            leaving.enable(tx, client, user.id, now)
        else:
            leaving.disable(tx, client, user.id, now)


def _is_local_admin(tx: Tx, user: User) -> bool:
    """Say whether somebody is an administrator without Entra ID, whom nobody with the token of SCIM may become by an address."""
    if user.role is not Role.ADMIN:
        return False
    invited = link_store.open_of_user(tx, user.id) is not None
    return bool(user.password_hash) or invited or not external_store.of_user(tx, user.id)


def _address_kept(user: User) -> Conflict:
    return Conflict(
        f"'{user.email}' is an administrator with a password of this server: provisioning does not change their address.",
        code="scim.local_admin",
        fix="Leave them out of what the provider keeps here. To change the address all the same, give them another role"
        " meanwhile.",
    )


def _external_id(identities: Sequence[ExternalIdentity]) -> str | None:
    return next((each.subject for each in identities if each.issuer == PROVISIONING), None)


def uniqueness_conflict(reason: str) -> Conflict:
    """Return the refusal of what is to be unique and is not."""
    return Conflict(reason, code="scim.uniqueness", fix="Look it up with a filter, and change that one.")


def not_found(kind: str, resource_id: str) -> NotFound:
    return NotFound(f"There is no {kind} '{resource_id}'.", code="scim.not_found")
