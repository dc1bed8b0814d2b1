"""Machine identities and users: who may change them, and what nobody may."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from keyturn.alarms.leavers import Leavers
from keyturn.audit.service import AuditTrail
from keyturn.errors import Forbidden, KeyturnError, NotFound, Refused, Unauthenticated
from keyturn.identities.domain import IdentityChange, NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.identities.store import makers_of
from keyturn.kit.actor import Actor, Role
from keyturn.kit.secret import Plaintext
from keyturn.people import leaving
from keyturn.people.domain import NewUser, person_actor
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.people import machine, organization
from tests.features.rotations.test_locks import waits_for_a_lock

NEW_PASSWORD = Plaintext("granite-teapot-violin-7")
NO_CHANGES = UniversalAuthChanges()


def test_an_identity_is_made_changed_and_deleted(house: AccessFixture) -> None:
    identities = house.access.identities
    identity = identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER, metadata=[("team", "a")]))
    assert identity.auth_methods == ()
    house.clock.advance(5)
    changed = identities.update(house.admin, identity.id, IdentityChange(name="android", has_delete_protection=True))
    stored = identities.get(house.admin, identity.id)
    assert stored == changed
    assert (stored.name, stored.role, stored.metadata) == ("android", Role.MEMBER, identity.metadata)
    assert stored.updated_at > stored.created_at
    with pytest.raises(Refused, match="protected"):
        identities.delete(house.admin, identity.id)
    identities.update(house.admin, identity.id, IdentityChange(has_delete_protection=False))
    identities.delete(house.admin, identity.id)
    with pytest.raises(NotFound):
        identities.get(house.admin, identity.id)


def test_who_knows_how_an_identity_signs_in_is_known_for_good(house: AccessFixture) -> None:
    """Also after the audit events are removed: it decides who may approve what the identity asks for."""
    access, ann = house.access, person_actor(house.first.user)
    bob = person_actor(access.users.create(ann, NewUser("bob@acme.test", Plaintext(GOOD_PASSWORD), Role.ADMIN)))

    def makers(identity_id: str | None) -> set[str]:
        with house.database.read() as tx:
            return set(makers_of(tx, identity_id or ""))

    assert makers(house.admin.id) == {ann.id}, "the first start gave them its token"
    robot = access.identities.create(bob, NewIdentity(name="robot", role=Role.ADMIN))
    access.identities.update(ann, robot.id, IdentityChange(name="android"))
    assert makers(robot.id) == {bob.id}, "who gives another name learns nothing"
    access.universal.attach(bob, robot.id, NO_CHANGES)
    access.universal.create_secret(ann, robot.id, NewClientSecret())
    assert makers(robot.id) == {ann.id, bob.id}
    tool = access.identities.create(house.admin, NewIdentity(name="tool", role=Role.MEMBER))
    assert makers(tool.id) == {ann.id}, "made by a machine identity whose token Ann has"
    access.universal.attach(bob, tool.id, NO_CHANGES)
    assert makers(tool.id) == {ann.id, bob.id}


def test_whoever_is_deleted_while_they_give_an_identity_a_way_to_sign_in_is_noted_nowhere(house: AccessFixture) -> None:
    access, ann = house.access, person_actor(house.first.user)
    bob = person_actor(access.users.create(ann, NewUser("bob@acme.test", Plaintext(GOOD_PASSWORD), Role.ADMIN)))
    robot = access.identities.create(ann, NewIdentity(name="robot", role=Role.MEMBER))
    with ThreadPoolExecutor(1) as others:
        with house.database.write() as tx:
            leaving.delete(tx, ann, bob.id or "", house.clock.now())
            attached = others.submit(access.universal.attach, bob, robot.id, NO_CHANGES)
            if tx.postgres:
                waits_for_a_lock(house.database)
        attached.result(10)
    access.universal.create_secret(bob, robot.id, NewClientSecret())
    with house.database.read() as tx:
        assert makers_of(tx, robot.id) == {ann.id}


@pytest.mark.parametrize("text", ["Ärger", "ärger", "ÄRGER bot", "arger"])
def test_an_identity_is_found_by_words_of_its_name_in_capitals_or_not(house: AccessFixture, text: str) -> None:
    ann = person_actor(house.first.user)
    house.access.identities.create(ann, NewIdentity(name="Ärger-Bot", role=Role.MEMBER))
    found, total = house.access.identities.page(ann, text, 1, 20)
    assert ([each.name for each in found], total) == ((["Ärger-Bot"], 1) if text != "arger" else ([], 0))


def test_a_page_of_identities_beyond_the_last_one_is_the_last_one(house: AccessFixture) -> None:
    ann, identities = person_actor(house.first.user), house.access.identities
    for name in ("robot", "tool"):
        identities.create(ann, NewIdentity(name=name, role=Role.MEMBER))
    (last,), total = identities.page(ann, "", 2, 2)
    assert (last.name, total) == ("tool", 3)
    assert identities.page(ann, "", 9, 2) == ([last], 3)
    assert identities.page(ann, "nobody", 9, 2) == ([], 0)


def test_settings_of_universal_auth_that_contradict_each_other_are_refused(house: AccessFixture) -> None:
    identity = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER))
    attach = house.access.universal.attach
    with pytest.raises(Refused, match="longer than its maximum"):
        attach(house.admin, identity.id, UniversalAuthChanges(access_token_ttl=11, access_token_max_ttl=10))
    with pytest.raises(Refused, match="neither an IP address"):
        attach(house.admin, identity.id, UniversalAuthChanges(access_token_trusted_ips=("300.1.1.1",)))
    with pytest.raises(NotFound, match="does not have Universal Auth"):
        house.access.universal.get(house.admin, identity.id)
    attach(house.admin, identity.id, NO_CHANGES)
    with pytest.raises(Refused, match="already"):
        attach(house.admin, identity.id, NO_CHANGES)
    assert house.access.identities.get(house.admin, identity.id).auth_methods == ("universal-auth",)


def test_a_client_secret_is_shown_once_and_only_its_prefix_later(house: AccessFixture) -> None:
    identity = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER))
    auth = house.access.universal.attach(house.admin, identity.id, NO_CHANGES)
    secret, stored = house.access.universal.create_secret(house.admin, identity.id, NewClientSecret(description="ci"))
    assert stored.prefix == secret.reveal()[:4]
    assert secret.reveal() not in repr(stored)
    assert house.access.universal.list_secrets(house.admin, identity.id) == [stored]
    house.access.machines.login_machine(auth.client_id, secret, HOME)
    assert house.access.universal.get_secret(house.admin, identity.id, stored.id).uses == 1
    house.access.universal.revoke_secret(house.admin, identity.id, stored.id)
    assert house.access.universal.revoke_secret(house.admin, identity.id, stored.id).revoked
    assert house.access.universal.list_secrets(house.admin, identity.id) == []


def test_universal_auth_added_several_times_at_once_exists_once(house: AccessFixture) -> None:
    identity = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER))
    start = threading.Barrier(4)
    results: list[object] = []

    def attach() -> None:
        start.wait()
        try:
            results.append(house.access.universal.attach(house.admin, identity.id, NO_CHANGES))
        except KeyturnError as error:
            results.append(error.code)

    threads = [threading.Thread(target=attach) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("access.universal_auth_exists") == 3
    assert len(results) == 4


def test_an_identity_that_signs_in_while_it_is_deleted_harms_nobody(house: AccessFixture) -> None:
    outcomes: list[object] = []

    def sign_in(client_id: str, secret: Plaintext) -> None:
        for _ in range(20):
            try:
                house.machine_login(client_id, secret)
            except Exception as error:  # noqa: BLE001 - anything but a refusal is the fault looked for
                outcomes.append(error)
                return

    identity = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER))
    auth = house.access.universal.attach(house.admin, identity.id, NO_CHANGES)
    secret, _ = house.access.universal.create_secret(house.admin, identity.id, NewClientSecret())
    threads = [threading.Thread(target=sign_in, args=(auth.client_id, secret)) for _ in range(3)]
    for thread in threads:
        thread.start()
    house.access.identities.delete(house.admin, identity.id)
    for thread in threads:
        thread.join()
    assert all(isinstance(outcome, Unauthenticated) for outcome in outcomes), outcomes


# --- nobody rises above their own role --------------------------------------------------------------------------------


def _changes(house: AccessFixture, actor: Actor, target: str) -> list[Callable[[], object]]:
    identities, universal, users = house.access.identities, house.access.universal, house.access.users
    return [
        lambda: identities.create(actor, NewIdentity(name="evil", role=Role.ADMIN)),
        lambda: identities.create(actor, NewIdentity(name="evil", role=Role.VIEWER)),
        lambda: identities.update(actor, target, IdentityChange(role=Role.ADMIN)),
        lambda: identities.update(actor, actor.id or "", IdentityChange(role=Role.ADMIN)),
        lambda: identities.delete(actor, target),
        lambda: universal.attach(actor, target, NO_CHANGES),
        lambda: universal.update(actor, target, NO_CHANGES),
        lambda: universal.detach(actor, target),
        lambda: universal.create_secret(actor, target, NewClientSecret()),
        lambda: universal.list_secrets(actor, target),
        lambda: universal.clear_lockouts(actor, target),
        lambda: users.create(actor, NewUser(email="evil@acme.test", password=NEW_PASSWORD, role=Role.ADMIN)),
        lambda: users.change_role(actor, house.first.user.id, Role.VIEWER),
        lambda: Leavers(house.database, house.clock).delete(actor, house.first.user.id),
    ]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER])
def test_only_admins_change_identities_and_users(house: AccessFixture, role: Role) -> None:
    target = house.access.identities.create(house.admin, NewIdentity(name="target", role=Role.ADMIN))
    house.access.universal.attach(house.admin, target.id, NO_CHANGES)
    actor = machine(house.database, house.admin.org_id, role)
    for change in _changes(house, actor, target.id):
        with pytest.raises(Forbidden):
            change()
    assert house.access.identities.get(house.admin, target.id) == house.access.identities.get(actor, target.id)


def test_an_admin_of_another_organization_finds_nothing(house: AccessFixture) -> None:
    target = house.access.identities.create(house.admin, NewIdentity(name="target", role=Role.VIEWER))
    house.access.universal.attach(house.admin, target.id, NO_CHANGES)
    stranger = machine(house.database, organization(house.database, "foreign"), Role.ADMIN)
    for change in _changes(house, stranger, target.id)[4:11]:
        with pytest.raises(NotFound):
            change()
    with pytest.raises(NotFound):
        house.access.identities.get(stranger, target.id)
    with pytest.raises(NotFound):
        house.access.identities.create(stranger, NewIdentity(name="spy", role=Role.ADMIN, org_id=house.admin.org_id))
    with pytest.raises(NotFound):
        Leavers(house.database, house.clock).delete(stranger, house.first.user.id)


# --- users ------------------------------------------------------------------------------------------------------------


def test_the_last_admin_can_be_neither_removed_nor_demoted(house: AccessFixture) -> None:
    users, leavers = house.access.users, Leavers(house.database, house.clock)
    ann = house.first.user
    for change in (
        lambda: leavers.delete(house.admin, ann.id),
        lambda: leavers.disable(house.admin, ann.id),
        lambda: users.change_role(house.admin, ann.id, Role.MEMBER),
    ):
        with pytest.raises(Refused, match="last admin"):
            change()
    bob = users.create(house.admin, NewUser(email="bob@acme.test", password=NEW_PASSWORD, role=Role.ADMIN))
    assert users.change_role(house.admin, ann.id, Role.MEMBER).role is Role.MEMBER
    for leave in (leavers.delete, leavers.disable):
        with pytest.raises(Refused, match="last admin"):
            leave(house.admin, bob.id)


def test_two_admins_who_demote_each_other_at_once_do_not_both_succeed(house: AccessFixture) -> None:
    users = house.access.users
    bob = users.create(house.admin, NewUser(email="bob@acme.test", password=NEW_PASSWORD, role=Role.ADMIN))
    start = threading.Barrier(2)
    refused: list[KeyturnError] = []

    def demote(user_id: str) -> None:
        start.wait()
        try:
            users.change_role(house.admin, user_id, Role.VIEWER)
        except KeyturnError as error:
            refused.append(error)

    threads = [threading.Thread(target=demote, args=(user_id,)) for user_id in (bob.id, house.first.user.id)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert sum(user.role is Role.ADMIN for user in users.list(house.admin)) == 1


def test_an_address_is_used_once_whatever_its_case(house: AccessFixture) -> None:
    with pytest.raises(Refused, match="already"):
        house.access.users.create(house.admin, NewUser(email="ANN@acme.test", password=NEW_PASSWORD, role=Role.VIEWER))


def test_a_changed_password_ends_all_tokens_of_the_user(house: AccessFixture) -> None:
    def login(password: str) -> Plaintext:
        return house.access.signin.login_person("ann@acme.test", Plaintext(password), HOME).token

    first, second = login(GOOD_PASSWORD), login(GOOD_PASSWORD)
    ann = house.whoami(first)
    with pytest.raises(Unauthenticated, match="present password"):
        house.access.users.change_password(ann, Plaintext("something else"), NEW_PASSWORD)
    with pytest.raises(Refused, match="too easy"):
        house.access.users.change_password(ann, Plaintext(GOOD_PASSWORD), Plaintext("passwordpassword"))
    house.whoami(second)
    house.access.users.change_password(ann, Plaintext(GOOD_PASSWORD), NEW_PASSWORD)
    for token in (first, second):
        with pytest.raises(Unauthenticated):
            house.whoami(token)
    with pytest.raises(Unauthenticated):
        login(GOOD_PASSWORD)
    assert house.whoami(login(NEW_PASSWORD.reveal())).id == ann.id


def test_a_machine_has_no_password_to_change(house: AccessFixture) -> None:
    with pytest.raises(NotFound):
        house.access.users.change_password(house.admin, Plaintext(GOOD_PASSWORD), NEW_PASSWORD)


# --- the audit trail --------------------------------------------------------------------------------------------------


def test_every_change_is_in_the_audit_trail_and_no_secret_is(house: AccessFixture) -> None:
    identity = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER))
    auth = house.access.universal.attach(house.admin, identity.id, NO_CHANGES)
    secret, stored = house.access.universal.create_secret(house.admin, identity.id, NewClientSecret())
    token = house.machine_login(auth.client_id, secret)
    house.access.tokens.revoke(token, HOME)
    house.access.universal.update(house.admin, identity.id, UniversalAuthChanges(access_token_ttl=60))
    house.access.universal.revoke_secret(house.admin, identity.id, stored.id)
    house.access.universal.detach(house.admin, identity.id)
    house.access.identities.delete(house.admin, identity.id)
    trail = AuditTrail(house.database)
    events = trail.page(house.admin).events
    assert [event.name for event in reversed(events)] == [
        "bootstrap-instance",
        "create-identity",
        "add-identity-universal-auth",
        "create-identity-universal-auth-client-secret",
        "login-identity-universal-auth",
        "revoke-access-token",
        "update-identity-universal-auth",
        "revoke-identity-universal-auth-client-secret",
        "revoke-identity-universal-auth",
        "delete-identity",
    ]
    assert {event.subject_id for event in events[:-1]} == {identity.id}
    text = repr(events)
    assert secret.reveal() not in text
    assert token.reveal() not in text


def test_a_refused_change_leaves_no_event(house: AccessFixture) -> None:
    trail = AuditTrail(house.database)
    before = trail.page(house.admin).events
    viewer = machine(house.database, house.admin.org_id, Role.VIEWER)
    with pytest.raises(Forbidden):
        house.access.identities.create(viewer, NewIdentity(name="evil", role=Role.VIEWER))
    assert trail.page(house.admin).events == before
