"""The one decision on permissions: conditions, exceptions, several roles, and what somebody may give to others."""

from time import process_time
from typing import Any

import pytest

from keyturn.authz.domain import PROJECT_ROLES, Action
from keyturn.authz.permissions import ANYTHING, Condition, Grants, Permission, Rules, Scope, of_role
from keyturn.kit.actor import Role

READ, EDIT = Action.DESCRIBE_SECRETS, Action.EDIT_SECRETS


def at(path: str, environment: str = "dev") -> Scope:
    return Scope("org", "project", environment, path)


def rule(*actions: Action, environment: Any = None, path: Any = None, inverted: bool = False) -> Permission:
    return Permission(frozenset(actions), inverted, _condition(environment), _condition(path))


def _condition(given: Any) -> Condition:
    if given is None:
        return ANYTHING
    if isinstance(given, Condition):
        return given
    return Condition(globs=(given,)) if "*" in given else Condition(frozenset({given}))


def test_conditions_limit_a_permission_to_places() -> None:
    grants = Grants(((rule(READ, environment="dev", path="/app/**"),),))
    assert grants.allow(READ, at("/app"))
    assert grants.allow(READ, at("//app/db/"))
    for elsewhere in (at("/"), at("/apps"), at("/app", "prod"), at("/app/../other"), Scope("org", "project")):
        assert not grants.allow(READ, elsewhere)
    assert not grants.allow(EDIT, at("/app"))
    assert grants.anywhere(READ)
    assert grants.anywhere(READ, "dev")
    assert not grants.anywhere(READ, "prod")
    assert not grants.everywhere(READ)


def test_all_parts_of_a_condition_hold() -> None:
    both = Condition(frozenset({"dev", "prod"}), frozenset({"prod"}), ("*",))
    assert [slug for slug in ("dev", "prod", "staging") if both.fits(slug)] == ["dev"]


def test_of_one_role_the_last_permission_that_fits_decides() -> None:
    private = rule(READ, path="/app/private/**", inverted=True)
    rules = (rule(READ), private)
    grants = Grants((rules,))
    assert grants.allow(READ, at("/app"))
    assert not grants.allow(READ, at("/app/private/keys"))
    assert not grants.everywhere(READ)
    assert Grants(((private, rule(READ)),)).allow(READ, at("/app/private"))
    assert not Grants(((rule(READ), rule(READ, inverted=True)),)).anywhere(READ)


def test_roles_add_up_and_none_takes_from_another() -> None:
    narrow = (rule(READ), rule(READ, path="/private", inverted=True))
    assert Grants((narrow, of_role(frozenset({READ})))).allow(READ, at("/private"))
    assert Grants((of_role(frozenset({READ})), narrow)).everywhere(READ)


def test_nobody_may_do_anything_without_a_role() -> None:
    assert not any(Grants().allow(action, at("/")) or Grants().anywhere(action) for action in Action)


@pytest.mark.parametrize("own", list(PROJECT_ROLES))
@pytest.mark.parametrize("other", list(PROJECT_ROLES))
def test_a_builtin_role_covers_those_after_it(own: Role, other: Role) -> None:
    order = list(PROJECT_ROLES)
    covered = Grants((of_role(PROJECT_ROLES[own]),)).lacking(of_role(PROJECT_ROLES[other])) is None
    assert covered == (order.index(other) >= order.index(own))


WHOLE = (rule(READ, EDIT),)
APP = (rule(READ, EDIT, environment="dev", path="/app/**"),)
BUT_PRIVATE = (rule(READ), rule(READ, path="/app/private/**", inverted=True))


@pytest.mark.parametrize(
    ("own", "wanted", "covered"),
    [
        (WHOLE, APP, True),
        (APP, WHOLE, False),
        (APP, APP, True),
        (APP, (rule(READ, environment="dev", path="/app/db/**"),), True),
        (APP, (rule(READ, environment="dev", path="/app/db"),), True),
        (APP, (rule(READ, environment="dev", path="/app/*"),), True),
        (APP, (rule(READ, environment="dev", path="/apps/**"),), False),
        (APP, (rule(READ, path="/app/**"),), False),
        (APP, (rule(READ, environment=Condition(frozenset({"dev", "prod"})), path="/app"),), False),
        (APP, (rule(Action.DELETE_SECRETS, environment="dev", path="/app"),), False),
        (BUT_PRIVATE, (rule(READ),), False),
        (BUT_PRIVATE, BUT_PRIVATE, True),
        (BUT_PRIVATE, (rule(READ), rule(READ, path="/app/**", inverted=True)), True),
        (BUT_PRIVATE, (rule(READ, path="/other/**"),), True),
        (BUT_PRIVATE, (rule(READ, path="/app/**"),), False),
        (BUT_PRIVATE, (rule(READ, path="/app/private/**", inverted=True), rule(READ)), False),
        ((rule(READ, environment=Condition(besides=frozenset({"prod"}))),), (rule(READ, environment="dev"),), True),
        ((rule(READ, environment=Condition(besides=frozenset({"prod"}))),), (rule(READ, environment="prod"),), False),
        ((rule(READ, environment=Condition(besides=frozenset({"prod"}))),), (rule(READ, environment="*"),), False),
        ((), (rule(READ, inverted=True),), True),
    ],
)
def test_what_somebody_may_give_is_within_what_they_have(own: Rules, wanted: Rules, covered: bool) -> None:
    assert (Grants((own,)).lacking(wanted) is None) == covered


def test_roles_with_as_many_permissions_as_one_may_have_are_compared_at_once() -> None:
    """While they are, nobody else changes anything in the project."""
    many = [f"e{number}" for number in range(99)]
    actions = [action for action in Action if action.subject == "secrets"]
    here = Condition(frozenset([*many, "here"]))
    own = (rule(*actions), *[rule(*actions, environment=here, path="/private/*", inverted=True)] * 99)
    exceptions = [
        rule(*actions, environment=Condition(frozenset([*many, f"x{number}"])), inverted=True) for number in range(48)
    ]
    wanted = (*[rule(*actions, environment=here)] * 50, *exceptions, rule(*actions, environment=here, inverted=True))
    begun = process_time()
    assert Grants((own,)).lacking(wanted) is None
    assert Grants((own,)).lacking(wanted[:-1]) is not None
    assert process_time() - begun < 2
