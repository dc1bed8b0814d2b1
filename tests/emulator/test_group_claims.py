"""What ID tokens and `/me` tell of a person's groups.

Sources: https://learn.microsoft.com/security/zero-trust/develop/configure-tokens-group-claims-app-roles, and
https://learn.microsoft.com/graph/api/user-list-transitivememberof.
"""

from __future__ import annotations

import json

import jwt

from entra_emulator import Request, SigningKey
from tests.emulator.people import People, claims_of
from tests.emulator.scene import LOGIN

SCOPE = "openid profile User.Read"


def signed_in(people: People, user: str) -> tuple[dict[str, object], str]:
    """The claims of the ID token, and the access token."""
    answer = people.redeem(people.authorize(user, scope=SCOPE)["code"]).json()
    return claims_of(answer["id_token"]), answer["access_token"]


def test_a_token_tells_groups_where_the_application_asks_for_them_and_points_elsewhere_for_more_than_200(
    people: People,
) -> None:
    admin, tenant, ada = people.scene.emulator.admin, people.scene.tenant, people.ada
    inner = admin.create_group(tenant, "Inner", members=(ada,))
    outer = admin.create_group(tenant, "Outer", members=(inner,))
    assert "groups" not in signed_in(people, ada)[0]
    admin.set_group_claims(people.web.object_id, "SecurityGroup")
    claims, token = signed_in(people, ada)
    assert set(claims["groups"]) == {inner, outer}  # type: ignore[call-overload]
    for number in range(199):
        admin.create_group(tenant, f"g{number}", members=(ada,))
    claims, _ = signed_in(people, ada)
    assert "groups" not in claims
    assert claims["_claim_names"] == {"groups": "src1"}
    for name, wanted in (("memberOf", {inner}), ("transitiveMemberOf", {inner, outer})):
        request = Request(
            "GET", f"https://graph.microsoft.com/v1.0/me/{name}?$top=999", {"authorization": f"Bearer {token}"}
        )
        value = json.loads(people.scene.emulator.handle(request).body)["value"]
        groups = [item for item in value if item["@odata.type"] == "#microsoft.graph.group"]
        assert wanted <= {item["id"] for item in groups}
        assert {item["displayName"] for item in groups} == {None}, "User.Read shows the ids alone"


def test_another_signing_key_is_published_in_the_place_of_the_one_before(people: People) -> None:
    people.scene.emulator.admin.change_signing_key(SigningKey())
    token = people.redeem(people.authorize(people.ada, scope=SCOPE)["code"]).json()["id_token"]
    keys = people.scene.emulator.handle(Request("GET", f"{LOGIN}/{people.scene.tenant}/discovery/v2.0/keys")).body
    [key] = jwt.PyJWKSet.from_dict(json.loads(keys)).keys
    untimed = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=people.web.app_id, options=untimed)  # type: ignore[arg-type]
    assert claims["tid"] == people.scene.tenant
