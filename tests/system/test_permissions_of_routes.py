"""A walk over every route of the whole application with callers of every kind: nobody gets what they may not have."""

import contextlib
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from keyturn.authz.domain import ORGANIZATION_ROLES, PROJECT_ROLES, Action, permits
from keyturn.authz.permissions import Scope
from keyturn.kit.actor import Role
from keyturn.web.server.app import Application
from keyturn.web.unbuilt import is_unbuilt
from tests.simulation.seeds import share
from tests.system.estate import HttpCaller, RunningServer
from tests.system.routes import Place, Rule, all_lines, rule_of, without_types

WHO = [
    *("anonymous", "viewer", "member", "admin", "project admin"),
    *("member of no project", "machine of no project", "admin elsewhere", "reader of elsewhere"),
]
_OF_READS = {"get-secret", "get-secrets", "get-secret-rotation-generated-credentials", "export-inventory"}
REFUSED = {"forbidden": 403, "sign in": 303, "unauthenticated": 401, "token needed": 400}


def routes_of(application: Application) -> list[tuple[str, str, bool]]:
    """Every method and path, and whether it is a page for browsers. What is not built has a test of its own."""
    routes = [(each.method, without_types(each.path), each.is_page) for each in application.endpoints]
    return sorted(each for each in routes if not is_unbuilt(*each[:2]))


def test_every_route_is_classified_and_no_line_is_left_over(whole: RunningServer) -> None:
    rules = {(method, path): rule_of(method, path) for method, path, _ in routes_of(whole.application)}
    assert [route for route, rule in rules.items() if rule is None] == [], "not classified in tests/system/routes.py"
    assert all_lines() - {rule[0] for rule in rules.values() if rule} == set(), "lines that fit no route"


def test_what_the_product_declares_public_is_what_is_classified_so(whole: RunningServer) -> None:
    declared = {
        (each.method, without_types(each.path))
        for each in whole.application.endpoints
        if not is_unbuilt(each.method, each.path)
        if getattr(each, "public", False)
    }
    assert declared == {
        (method, path) for method, path, _ in routes_of(whole.application) if _rule(method, path).place is Place.PUBLIC
    }


def _rule(method: str, path: str) -> Rule:
    line_and_rule = rule_of(method, path)
    assert line_and_rule is not None
    return line_and_rule[1]


def expected(rule: Rule, caller: HttpCaller, *, page: bool) -> str:
    """What the permission table says: "allowed", or how the request is to be refused."""
    if rule.place is Place.PUBLIC:
        return "public"
    if rule.place is Place.PROVISIONING:
        return "unauthenticated"
    if caller.anonymous or (rule.by_cookie and not caller.person):
        return "sign in" if page else "unauthenticated"
    if rule.by_token and caller.person:
        return "token needed"
    if rule.place is Place.SELF:
        return "allowed"
    if rule.place is Place.SERVER:
        return "allowed" if caller.organization is Role.ADMIN else "forbidden"
    if not caller.home and rule.place in {Place.PROJECT, Place.OF_ORGANIZATION}:
        return "absent"
    assert rule.action is not None
    return "allowed" if _permitted(rule, caller, rule.action) else "forbidden"


def _permitted(rule: Rule, caller: HttpCaller, action: Action) -> bool:
    if caller.grants is not None and rule.place is Place.PROJECT:
        # All that the walk names is in this folder, or in one below it.
        return caller.grants.allow(action, Scope("", "the project", "dev", "/"))
    return permits(*_role(rule, caller), action)


def _role(rule: Rule, caller: HttpCaller) -> tuple[Mapping[Role, frozenset[Action]], Role | None]:
    if rule.place is Place.PROJECT:
        return PROJECT_ROLES, caller.project
    return ORGANIZATION_ROLES, caller.organization


@pytest.mark.parametrize("who", WHO)
def test_nobody_gets_data_or_effects_that_the_table_does_not_grant(whole: RunningServer, who: str) -> None:
    caller = whole.callers[who]
    rows, writes = whole.rows(), whole.writes_at_entra()
    faults = []
    # A ninth of them, for the next caller another ninth, and with the next run others.
    for method, path, page in share(routes_of(whole.application), 9, WHO.index(who)):
        fault = _ask(whole, caller, method, path, page=page)
        changed = _changed(whole, rows, _rule(method, path))
        if fault is None and changed and _may_change(method, path, caller, page=page) is False:
            fault = f"changed {_difference(rows, whole.rows())}"
        if (
            fault is None
            and whole.writes_at_entra() != writes
            and _may_change(method, path, caller, page=page) is False
        ):
            fault = "something was written at Entra"
        if fault:
            faults.append(f"{who}: {method} {path}: {fault}")
        whole.put_back()
        writes = whole.writes_at_entra()
    assert not faults, "\n".join(faults)


def _may_change(method: str, path: str, caller: HttpCaller, *, page: bool) -> bool:
    return method != "GET" and expected(_rule(method, path), caller, page=page) in {"allowed", "public"}


def _changed(whole: RunningServer, before: dict[str, list[object]], rule: Rule) -> bool:
    """Whether anything changed, besides the trail where it tells of values that were read."""
    after = whole.rows()
    if rule.reads_values:
        new = after["audit_events"][len(before["audit_events"]) :]
        assert {row[7] for row in new} <= _OF_READS
        after |= {"audit_events": before["audit_events"]}
    return after != before


def _difference(before: dict[str, list[object]], after: dict[str, list[object]]) -> list[str]:
    return [name for name in before if before[name] != after[name]]


def _ask(whole: RunningServer, caller: HttpCaller, method: str, path: str, *, page: bool) -> str | None:
    """Send one request; return what is wrong with its answer, None when nothing is."""
    rule = _rule(method, path)
    names = whole.things | {hole: whole.things[thing] for hole, thing in rule.fill.items()}
    url, body = (path + rule.query).format(**names), whole.body(rule.body)
    headers = dict(caller.headers)
    if page and method == "POST":
        headers |= {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
        answer = whole.client.request(
            method, url, content=urlencode(body or {}), headers=headers, follow_redirects=False
        )
    else:
        answer = whole.client.request(method, url, json=body, headers=headers, follow_redirects=False)
    whole.client.cookies.clear()
    status, outcome = answer.status_code, expected(rule, caller, page=page)
    if path == "/readyz" and status == 503:
        return None  # no worker lives beside these tests
    if status >= 500 and status not in rule.also:
        return f"{status} {answer.text[:300]}"
    if leaked := [text for text in _hidden(whole, caller) if text in answer.text and text not in f"{url} {body}"]:
        return f"{status}, and shows {leaked}"
    if outcome == "public":
        return None
    if outcome == "allowed":
        return (
            None if status < 400 or status in rule.also else f"{status} instead of being allowed: {answer.text[:300]}"
        )
    want = rule.absent if outcome == "absent" else REFUSED[outcome]
    if status != want:
        return f"{status} instead of {want} ({outcome}): {answer.text[:300]}"
    if outcome == "sign in" and not answer.headers["location"].startswith("/sign-in"):
        return f"sent to {answer.headers['location']}"
    if outcome == "forbidden" and not page and rule.place is not Place.SERVER:
        (named,) = [detail["action"] for detail in answer.json()["details"]]
        return f"names {named}, which is permitted" if _permitted(rule, caller, Action(named)) else None
    return None


def _hidden(whole: RunningServer, caller: HttpCaller) -> set[str]:
    """The texts that the caller may see nowhere."""
    hidden: set[str] = set()
    if caller.project is None:
        hidden |= whole.secrets
    if caller.grants is not None:
        hidden -= {"Hidden Harbour"}  # that they are in it they know
    if not caller.home or caller.anonymous:
        hidden |= whole.common
    return hidden


def test_a_route_that_nobody_classified_is_found() -> None:
    assert rule_of("GET", "/api/v1/projects/{project_id}/brand-new-route") is None
    assert rule_of("POST", "/brand-new-page") is None
    with contextlib.suppress(AssertionError):
        _rule("POST", "/brand-new-page")
        pytest.fail("an unclassified route must not have a rule")
