"""Every declared property: what is accepted is kept and read back, a PATCH merges, and nothing else is accepted at any depth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from entra_emulator.graph.declared import APPLICATION, GROUP, PRINCIPAL, USER, Many, Plain, Rule, Shape
from tests.emulator.certificates import Certificate
from tests.emulator.full_tenant import FullTenant
from tests.emulator.scene import EmulatorFixture

UUID = "77777777-7777-4777-8777-777777777777"
SAMPLES: dict[str, Any] = {
    "redirectUris": ["https://app.example.com/back"],
    "resourceAccess/type": "Role",
    "requestedAccessTokenVersion": 2,
    "isEnabled": False,
    "passwordProfile": {"password": "not kept", "forceChangePasswordNextSignIn": True},
    "usageLocation": "DE",
    "groupTypes": ["Unified"],
    "allowedMemberTypes": ["User"],
    "source": "user",
    "legalAgeGroupRule": "BlockMinors",
    "allowedWeakAlgorithms": "rsaSha1",
    "groupMembershipClaims": "SecurityGroup, DirectoryRole",
    "preferredSingleSignOnMode": "saml",
    "userType": "Guest",
    "ageGroup": "Adult",
    "membershipRuleProcessingState": "On",
    "visibility": "Private",
    "theme": "Teal",
}
"""Values of properties that have rules of their own; of all others the declared type makes one."""
WRITE_ONLY = {"passwordProfile"}
GIVEN_ONCE = {"uniqueName", "isAssignableToRole"}
HOSTILE: tuple[Any, ...] = (7, 1.5, True, "text", [], {}, ["text"], [7], [[]], [{}], [None], {"nonsense": 1}, None)


@dataclass(frozen=True)
class Resource:
    """Where objects of one kind are made and changed, and what they declare."""

    path: str
    one: str
    rules: Mapping[str, Rule]
    new: dict[str, Any]


@pytest.fixture
def full(scene: EmulatorFixture, certificate: Certificate) -> FullTenant:
    return FullTenant(scene, certificate)


def resources(full: FullTenant) -> list[Resource]:
    keys, group = full.keys, {"displayName": "x", "mailNickname": "x", "mailEnabled": False, "securityEnabled": True}
    person = {"displayName": "x", "userPrincipalName": "x@contoso.onmicrosoft.com", "mailNickname": "x"}
    person |= {"accountEnabled": True, "passwordProfile": {"password": "x"}}  # type: ignore[dict-item]
    return [
        Resource("applications", f"applications(appId='{full.lonely()}')", APPLICATION, {"displayName": "x"}),
        Resource(
            "servicePrincipals", f"servicePrincipals/{keys['serviceprincipals']}", PRINCIPAL, {"appId": full.lonely()}
        ),
        Resource("users", f"users/{full.people.uri}", USER, person),
        Resource("groups", f"groups/{full.outer}", GROUP, group),
    ]


def sample(name: str, rule: Rule) -> Any:
    """A value that the property takes."""
    if name in SAMPLES:
        return SAMPLES[name]
    if isinstance(rule, Many):
        return [sample(name, rule.of)]
    if isinstance(rule, Shape):
        return {member: sample(member, inner) for member, inner in rule.members.items()}
    if name == "type" and rule.fits("Admin") and not rule.fits("text"):
        return "Admin"
    by_type = {"Edm.String": "text", "Edm.Boolean": True, "Edm.Guid": UUID, "Edm.Int32": 1}
    return SAMPLES.get(rule.edm.removeprefix("microsoft.graph.")) or by_type[rule.edm]


def held(sent: Any, shown: Any) -> bool:
    """Whether what is shown has all that was sent."""
    if isinstance(sent, dict):
        return isinstance(shown, dict) and all(held(item, shown.get(name)) for name, item in sent.items())
    if isinstance(sent, list):
        return isinstance(shown, list) and len(sent) == len(shown) and all(map(held, sent, shown))
    return bool(sent == shown)


def spoiled(name: str, rule: Rule, good: Any) -> Iterator[Any]:
    """The value with one wrong thing in it, at each depth: of another type, or a member that does not exist."""
    yield from (wrong for wrong in HOSTILE if not _could_be(rule, wrong))
    if isinstance(rule, Many):
        yield from (
            [item] for item in spoiled(name, rule.of, good[0]) if item is not None or not isinstance(rule.of, Plain)
        )
    if isinstance(rule, Shape):
        yield good | {"nonsense": None}
        for member, inner in rule.members.items():
            if member in good:
                yield from (good | {member: item} for item in spoiled(member, inner, good[member]))


def _could_be(rule: Rule, value: Any) -> bool:
    """Whether the value is one that the property may take."""
    if isinstance(rule, Plain):
        return rule.nullable if value is None else rule.fits(value)
    if isinstance(rule, Shape):
        return value == {} and not rule.required
    return isinstance(value, list) and all(item is not None and _could_be(rule.of, item) for item in value)


def test_what_is_declared_is_taken_kept_and_read_back(full: FullTenant) -> None:
    for resource in resources(full):
        begun = full.scene.emulator.snapshot()
        for name, rule in resource.rules.items():
            full.scene.emulator.restore(begun)
            value = sample(name, rule)
            made = full.ask("POST", resource.path, resource.new | {name: value})
            assert made.status == 201, (resource.path, name, value, made.body)
            for path in (f"{resource.path}/{made.json()['id']}", *(() if name in GIVEN_ONCE else (resource.one,))):
                if path == resource.one:
                    changed = full.ask("PATCH", path, {name: value})
                    assert changed.status == 204, (path, name, value, changed.body)
                shown = full.ask("GET", f"{path}?$select={name}").json()[name]
                assert held(value, shown) or name in WRITE_ONLY, (path, name, value, shown)


def test_a_patch_changes_the_members_that_it_names_and_null_takes_away(full: FullTenant) -> None:
    for resource in resources(full):
        for name, rule in resource.rules.items():
            if name in WRITE_ONLY | GIVEN_ONCE:
                continue
            whole = sample(name, rule)
            full.ask("PATCH", resource.one, {name: whole})
            for member, inner in rule.members.items() if isinstance(rule, Shape) else ():
                assert full.ask("PATCH", resource.one, {name: {member: sample(member, inner)}}).status == 204
                shown = full.ask("GET", f"{resource.one}?$select={name}").json()[name]
                assert held(whole, shown), (resource.one, name, member, shown)
            if isinstance(rule, Plain):
                assert full.ask("PATCH", resource.one, {name: None}).status == 204, (resource.one, name)
                assert full.ask("GET", f"{resource.one}?$select={name}").json()[name] is None, (resource.one, name)


def test_nothing_else_is_taken_at_any_depth(full: FullTenant) -> None:
    accepted: list[tuple[str, str, str]] = []
    for resource in resources(full):
        for name, rule in resource.rules.items():
            before = full.ask("GET", f"{resource.one}?$select={name}").json()
            for wrong in spoiled(name, rule, sample(name, rule)):
                answer = full.ask("PATCH", resource.one, {name: wrong})
                if answer.status != 400 or not answer.json()["error"]["message"]:
                    accepted.append((resource.path, name, json.dumps(wrong)[:200]))
            after = full.ask("GET", f"{resource.one}?$select={name}").json()
            if before != after:
                accepted.append((resource.path, name, "changed"))
        for wrong in ("nonsense", "", "id ", "ID", "__proto__", "x" * 5_000):
            for method, path in (("PATCH", resource.one), ("POST", resource.path)):
                answer = full.ask(method, path, (resource.new if method == "POST" else {}) | {wrong: 1})
                if answer.status != 400:
                    accepted.append((resource.path, wrong[:20], method))
    assert accepted == []
