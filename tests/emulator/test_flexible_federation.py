"""Flexible federated identity credentials: an expression about the claims of a token in place of one subject."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entra_emulator import Emulator, Response, SigningKey, VirtualClock
from entra_emulator.directory.claims_expressions import check_expression, fits_expression
from tests.emulator.certificates import Certificate
from tests.emulator.issuer import AUDIENCE, Issuer
from tests.emulator.scene import EmulatorFixture
from tests.emulator.test_federation import exchange

GITHUB = "https://token.actions.githubusercontent.com"
BETA = "https://graph.microsoft.com/beta"
ANY_BRANCH = "claims['sub'] matches 'repo:contoso/app:ref:refs/heads/*'"


@pytest.fixture
def issuer(certificate: Certificate) -> Issuer:
    issuer = Issuer(certificate.key, url=GITHUB)
    issuer.publish("k1")
    return issuer


@pytest.fixture
def scene(signing_key: SigningKey, issuer: Issuer) -> EmulatorFixture:
    clock = VirtualClock()
    emulator = Emulator(clock, seed=7, signing_key=signing_key, outside=issuer)
    return EmulatorFixture(emulator, clock, emulator.admin.create_tenant("Contoso"))


def flexible(expression: Any, **changes: Any) -> dict[str, Any]:
    credential = {"name": "any-branch", "issuer": GITHUB, "audiences": [AUDIENCE]}
    return credential | {"claimsMatchingExpression": {"value": expression, "languageVersion": 1}} | changes


def test_an_expression_stands_for_many_subjects(scene: EmulatorFixture, issuer: Issuer) -> None:
    manager, app, now = scene.manager(), scene.application(secrets=0), scene.clock.now()
    path = f"{BETA}/applications/{app.object_id}/federatedIdentityCredentials"
    made = scene.graph(manager, "POST", path, flexible(ANY_BRANCH)).json()
    assert (made["subject"], made["claimsMatchingExpression"]) == (None, {"value": ANY_BRANCH, "languageVersion": 1})
    head = "repo:contoso/app:ref:refs/heads/"
    for subject, code in (
        (f"{head}main", None), (f"{head}feature/x", None), (head, None), ("repo:contoso/app:ref:refs/tags/1", 700213),
        (f"x{head}main", 700213), (f"{head}main".upper(), 700213),
    ):  # fmt: skip
        assert exchange(scene, app, issuer.token(now, sub=subject)) == code, subject
    reusable = (
        ANY_BRANCH + " and claims['job_workflow_ref'] eq 'contoso/flows/.github/workflows/deploy.yml@refs/heads/main'"
    )
    change = {"claimsMatchingExpression": {"value": reusable, "languageVersion": 1}}
    assert scene.graph(manager, "PATCH", f"{path}/{made['id']}", change).status == 204
    assert exchange(scene, app, issuer.token(now, sub=f"{head}main")) == 700213
    flow = {"job_workflow_ref": "contoso/flows/.github/workflows/deploy.yml@refs/heads/main"}
    assert exchange(scene, app, issuer.token(now, sub=f"{head}main", **flow)) is None
    assert scene.graph(manager, "PATCH", f"{path}/{made['id']}", {"subject": "exact"}).status == 204
    assert exchange(scene, app, issuer.token(now, sub="exact")) is None
    assert exchange(scene, app, issuer.token(now, sub=f"{head}main", **flow)) == 700213
    plain = scene.graph(manager, "GET", path.replace("beta", "v1.0")).json()["value"][0]
    assert "claimsMatchingExpression" not in plain


def answer_to(scene: EmulatorFixture, body: dict[str, Any], root: str = BETA) -> Response:
    app = scene.application()
    return scene.graph(
        scene.manager(), "POST", f"{root}/applications/{app.object_id}/federatedIdentityCredentials", body
    )


@pytest.mark.parametrize(
    "body",
    [
        flexible(ANY_BRANCH, subject="also"),
        flexible(ANY_BRANCH, issuer="https://ci.example"),
        flexible("claims['email'] eq 'x'"),
        flexible("claims['sub'] like 'x'"),
        flexible("claims['sub']  eq 'x'"),
        flexible("claims[sub] eq 'x'"),
        flexible("claims['sub'] eq 'x' or claims['sub'] eq 'y'"),
        flexible("claims['sub'] eq ''"),
        flexible(""),
        flexible(7),
        flexible(ANY_BRANCH, claimsMatchingExpression={"value": ANY_BRANCH, "languageVersion": 2}),
        flexible(ANY_BRANCH, claimsMatchingExpression={"value": ANY_BRANCH}),
        flexible(ANY_BRANCH, claimsMatchingExpression={"value": ANY_BRANCH, "languageVersion": 1, "more": 1}),
        flexible(ANY_BRANCH, claimsMatchingExpression="x"),
        flexible(ANY_BRANCH, claimsMatchingExpression=None),
    ],
)
def test_what_is_no_expression_is_refused(scene: EmulatorFixture, body: dict[str, Any]) -> None:
    assert answer_to(scene, body).status == 400


def test_version_1_of_graph_has_no_expressions(scene: EmulatorFixture) -> None:
    refused = answer_to(scene, flexible(ANY_BRANCH), "https://graph.microsoft.com/v1.0")
    assert (refused.status, "claimsMatchingExpression" in refused.json()["error"]["message"]) == (400, True)


@given(st.text("ab*?", max_size=12), st.text("ab*?", max_size=12))
def test_a_pattern_is_read_as_shells_read_it(pattern: str, value: str) -> None:
    def fits(rest: str, text: str) -> bool:
        if not rest:
            return not text
        if rest[0] == "*":
            return fits(rest[1:], text) or (bool(text) and fits(rest, text[1:]))
        return bool(text) and rest[0] in {"?", text[0]} and fits(rest[1:], text[1:])

    assert fits_expression(f"claims['sub'] matches '{pattern}'", {"sub": value}) == fits(pattern, value)


def test_a_pattern_costs_little_whatever_it_is() -> None:
    text = f"claims['sub'] matches '{'*a' * 280}b'"
    check_expression(GITHUB, text)
    assert not fits_expression(text, {"sub": "a" * 5_000})


def test_what_was_made_is_read_where_the_answer_says(scene: EmulatorFixture) -> None:
    manager = scene.manager()
    for path, body in (
        ("applications", {"displayName": "x"}),
        (
            f"applications/{scene.application().object_id}/federatedIdentityCredentials",
            flexible(None, subject="s") | {"claimsMatchingExpression": None},
        ),
    ):
        made = scene.graph(manager, "POST", path, body)
        assert scene.graph(manager, "GET", made.header("Location") or "").json()["id"] == made.json()["id"]
