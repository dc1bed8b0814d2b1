"""The access door: who gets in, and what those who do not are told."""

from collections.abc import Callable

import pytest

from keyturn.authz.authorize import Scope, is_allowed, require, visible
from keyturn.authz.domain import ORGANIZATION_ACTIONS, PROJECT_ACTIONS, PROJECT_ROLES, Action
from keyturn.db.unit import Database
from keyturn.errors import Forbidden, NotFound
from keyturn.kit.actor import Actor, Role, platform
from tests.features.accounts.people import join, machine, organization, person, project


def test_an_organization_admin_may_everything_everywhere(database: Database) -> None:
    org = organization(database)
    payments = project(database, org)
    admin = person(database, org, Role.ADMIN)
    with database.read() as tx:
        for action in ORGANIZATION_ACTIONS:
            require(tx, admin, action, Scope(org))
        for action in PROJECT_ACTIONS:
            require(tx, admin, action, Scope(org, payments))


@pytest.mark.parametrize("role", list(PROJECT_ROLES))
@pytest.mark.parametrize(("make", "own"), [(machine, Role.VIEWER), (person, Role.VIEWER), (machine, Role.NO_ACCESS)])
def test_others_act_in_a_project_by_membership(
    database: Database, make: Callable[..., Actor], own: Role, role: Role
) -> None:
    org = organization(database)
    payments = project(database, org)
    other = project(database, org, "other")
    actor = make(database, org, own)
    join(database, actor, payments, role)
    with database.read() as tx:
        assert {a for a in Action if is_allowed(tx, actor, a, Scope(org, payments))} == PROJECT_ROLES[role]
        assert not any(is_allowed(tx, actor, a, Scope(org, other)) for a in Action)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role.MEMBER, {"read-app-connections", "connect-app-connections"}),
        (Role.VIEWER, {"read-app-connections"}),
        (Role.NO_ACCESS, set()),
    ],
)
def test_without_a_project_members_use_and_viewers_read(database: Database, role: Role, expected: set[str]) -> None:
    org = organization(database)
    actor = machine(database, org, role)
    with database.read() as tx:
        may = {a.value for a in Action if a.subject == "app-connections" and is_allowed(tx, actor, a, Scope(org))}
    assert may == expected


def test_a_refusal_names_the_permission_and_who_can_grant_it(database: Database) -> None:
    org = organization(database)
    payments = project(database, org)
    actor = machine(database, org, Role.MEMBER)
    join(database, actor, payments, Role.VIEWER)
    with database.read() as tx, pytest.raises(Forbidden) as caught:
        require(tx, actor, Action.EDIT_CONNECTIONS, Scope(org, payments))
    assert caught.value.details == (
        {"action": "edit-app-connections", "inverted": False, "subject": "app-connections", "conditions": {}},
    )
    text = caught.value.diagnostics()
    assert "edit-app-connections" in text
    assert "admin of the project" in text
    assert "'member'" in text


@pytest.mark.parametrize("role", list(Role))
def test_things_of_another_organization_do_not_exist(database: Database, role: Role) -> None:
    org, foreign = organization(database), organization(database, "foreign")
    theirs = project(database, foreign, "theirs")
    actor = machine(database, org, role)
    join(database, actor, theirs, Role.ADMIN)  # even a stray membership row opens nothing
    with database.read() as tx:
        for scope in (Scope(foreign), Scope(foreign, theirs), Scope(org, theirs), Scope(org, "no-such-project")):
            with pytest.raises(NotFound):
                require(tx, actor, Action.READ_CONNECTIONS, scope)
            assert not is_allowed(tx, actor, Action.READ_CONNECTIONS, scope)
        assert theirs not in (visible(tx, actor).projects or ())


def test_lists_show_the_projects_of_a_member_and_all_to_an_admin(database: Database) -> None:
    org = organization(database)
    payments, billing = project(database, org), project(database, org, "billing")
    actor = machine(database, org, Role.MEMBER)
    join(database, actor, payments, Role.VIEWER)
    with database.read() as tx:
        mine = visible(tx, actor)
        everything = visible(tx, platform(org))
    assert mine.projects == {payments}
    assert mine.covers(Scope(org))
    assert mine.covers(Scope(org, payments))
    assert not mine.covers(Scope(org, billing))
    assert not mine.covers(Scope("another", payments))
    assert everything.projects is None
    assert everything.covers(Scope(org, billing))
