"""What becomes of the account of somebody who leaves: functions with the caller's transaction.

A disabled person can do nothing here: sessions, access tokens and one-time links end at once and for good, and no sign-in
succeeds. Memberships, role, password and second factor stay, so that enabling takes it back. What they answered
for is handed over by ``alarms.leavers``.
"""

from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, require
from keyturn.authz.domain import Action, require_at_most
from keyturn.db.unit import Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor
from keyturn.organizations import store as organization_store
from keyturn.people import link_store, store
from keyturn.people.domain import User
from keyturn.tokens import store as token_store


def disable(tx: Tx, actor: Actor, user_id: str, now: datetime) -> User:
    """End all that the user can do, and return them as they are then. Safe to repeat.

    Raises NotFound, Forbidden for a role above the caller's, Refused for the last admin who can sign in.
    """
    user = managed_user(tx, actor, user_id)
    if user.disabled_at is not None:
        return user
    keep_an_admin(tx, user)
    _end_links(tx, user, now)
    store.change_user(tx, user.id, now, disabled_at=now)
    store.end_sessions_of_user(tx, user.id)
    token_store.revoke_tokens_of_user(tx, user.id, now)
    record(tx, actor, events.USER_DISABLED, subject(user), now, email=user.email)
    return find_user(tx, actor, user_id)


def enable(tx: Tx, actor: Actor, user_id: str, now: datetime) -> User:
    """Let the user sign in again, and return them. Safe to repeat. Raises NotFound, and Forbidden as :func:`disable`."""
    user = managed_user(tx, actor, user_id)
    if user.disabled_at is None:
        return user
    _end_links(tx, user, now)  # of somebody whom a version disabled that left them
    store.change_user(tx, user.id, now, disabled_at=None)
    store.end_sessions_of_user(tx, user.id)
    token_store.revoke_tokens_of_user(tx, user.id, now)
    record(tx, actor, events.USER_ENABLED, subject(user), now, email=user.email)
    return find_user(tx, actor, user_id)


def delete(tx: Tx, actor: Actor, user_id: str, now: datetime) -> User:
    """Remove the user with tokens and memberships. Raises as :func:`disable`."""
    user = managed_user(tx, actor, user_id)
    keep_an_admin(tx, user)
    _end_links(tx, user, now)
    store.remove_user(tx, user.id)
    record(tx, actor, events.USER_DELETED, subject(user), now, email=user.email)
    return user


def _end_links(tx: Tx, user: User, now: datetime) -> None:
    """End the one-time links of a user. Before the row of the user is written: who redeems one locks them in this order."""
    link_store.expire_of_user(tx, user.id, now)


def managed_user(tx: Tx, actor: Actor, user_id: str) -> User:
    """Return a user whom the caller may manage, locked against others who do. Raises NotFound and Forbidden."""
    require(tx, actor, Action.MANAGE_USERS, Scope(actor.org_id))
    # Two admins that remove each other at the same time must not both succeed.
    organization_store.organization(tx, actor.org_id, lock=True)
    user = find_user(tx, actor, user_id)
    require_at_most(actor.role, user.role)
    return user


def keep_an_admin(tx: Tx, user: User) -> None:
    """Raise Refused for the last admin who can sign in with a password: that way in works when all others are away."""
    if store.admins_with_password(tx, user.org_id) == {user.id}:
        raise Refused(
            f"'{user.email}' is the last admin of the organization who can sign in with a password.",
            code="access.last_admin",
            fix="Make somebody else an admin first.",
        )


def find_user(tx: Tx, actor: Actor, user_id: str) -> User:
    """Return a user of the caller's organization. Raises NotFound."""
    user = store.user(tx, actor.org_id, user_id)
    if user is None:
        raise NotFound(
            f"There is no user '{user_id}'.",
            code="access.user_not_found",
            fix="GET /api/v1/users lists them, as the page Members does.",
        )
    return user


def subject(user: User) -> Subject:
    return Subject(SubjectKind.USER, user.id)


def refusal(user: User) -> Forbidden | None:
    """Return why somebody who has proven who they are can not sign in all the same; None: they can."""
    if user.disabled_at is None:
        return None
    return Forbidden(
        f"'{user.email}' is disabled here.",
        code="access.user_disabled",
        fix="An admin of the organization can enable the user again, under Members.",
    )
