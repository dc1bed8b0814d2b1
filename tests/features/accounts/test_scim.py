"""Users and groups that an identity provider keeps here, by SCIM 2.0 (RFC 7643, 7644), and the forms in which Entra ID writes.

POST /api/scim/v2/Users {"schemas": [...], "userName": "ada@contoso.test", "externalId": "...", "active": true}
PATCH /api/scim/v2/Users/{id} {"schemas": [...PatchOp], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]}
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from keyturn.api.scim.routes import router
from keyturn.db.unit import Database
from keyturn.errors import Refused, Unauthenticated
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser, person_actor
from keyturn.people.sessions import BrowserInfo
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.provisioning.scim.groups import ScimGroups
from keyturn.provisioning.scim.patches import apply_operations
from keyturn.provisioning.scim.tokens import ScimTokens
from keyturn.provisioning.scim.users import ScimUsers
from keyturn.settings.model import Settings
from keyturn.sso.domain import NewGroupRole
from keyturn.sso.group_roles import GroupRoles
from keyturn.web.server.app import build
from tests.client import Client
from tests.features.accounts.conftest import GOOD_PASSWORD, HOME, AccessFixture
from tests.features.accounts.people import IDS

BASE = "https://keyturn.example/api/scim/v2"
USER, GROUP = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
EXTENSION = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OBJECT, TEAM = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
OWN = "mellow-carpet-zebra-41"
Json = dict[str, Any]


@dataclass
class Provider:
    """An identity provider, with its token."""

    client: Client
    house: AccessFixture
    tokens: ScimTokens
    token: str
    token_id: str
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Json:
        answer = self.raw(method, path, body)
        assert answer.status_code == expect, answer.text
        if expect == 204:
            assert answer.content == b""
            return {}
        assert answer.headers["content-type"] == "application/scim+json"
        decoded: Json = answer.json()
        if expect >= 400:
            assert (decoded["schemas"], decoded["status"]) == ([ERROR], str(expect))
        return decoded

    def raw(self, method: str, path: str, body: object = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/scim+json"} | self.headers
        return self.client.request(method, f"/api/scim/v2{path}", json=body, headers=headers)  # type: ignore[return-value]

    def user(self, address: str = "ada@contoso.test", **more: object) -> Json:
        return self.ask("POST", "/Users", {"schemas": [USER], "userName": address, **more}, expect=201)

    def patch(self, path: str, *operations: Json, expect: int = 200) -> Json:
        return self.ask("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, expect=expect)

    def found(self, where: str, query: str) -> list[Json]:
        resources: list[Json] = self.ask("GET", self.at(where, query))["Resources"]
        return resources

    @staticmethod
    def at(where: str, query: str) -> str:
        return f"/{where}?{httpx.QueryParams({'filter': query})}"


@pytest.fixture
def provider(database: Database, clock: MovableClock, house: AccessFixture, tmp_path: Path) -> Iterator[Provider]:
    tokens = ScimTokens(database, clock, IDS, lambda size: IDS.new().encode().ljust(size)[:size])
    made, secret = tokens.create(person_actor(house.first.user), "Entra ID", None)
    users = ScimUsers(database, clock, IDS, house.access.users, BASE)
    groups = ScimGroups(database, clock, IDS, BASE)
    app = build(
        [router(users, groups, lambda token, _ip: tokens.authenticate(token))],
        authenticate=house.access.authenticate,
        settings=Settings(data_dir=tmp_path, database_url="sqlite://"),
        clock=clock,
        ids=IDS,
    )
    with Client(app) as client:
        yield Provider(client, house, tokens, secret.reveal(), made.id)


def test_a_user_comes_changes_and_goes(provider: Provider) -> None:
    name = {"givenName": "Ada", "familyName": "Lovelace"}
    answer = provider.raw(
        "POST",
        "/Users",
        {
            "schemas": [USER, EXTENSION],
            "userName": "Ada@Contoso.test",
            "externalId": OBJECT,
            "name": name,
            "active": True,
            EXTENSION: {"department": "Engines"},
        },
    )
    ada = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"{BASE}/Users/{ada['id']}")
    assert (ada["userName"], ada["displayName"], ada["active"]) == ("ada@contoso.test", "Ada Lovelace", True)
    assert ada["meta"]["location"] == answer.headers["location"]
    assert provider.ask("GET", f"/Users/{ada['id']}") == ada
    taken = provider.ask("POST", "/Users", {"schemas": [USER], "userName": "ADA@contoso.test"}, expect=409)
    assert taken["scimType"] == "uniqueness"
    twice = {"schemas": [USER], "userName": "eve@contoso.test", "externalId": OBJECT}
    assert provider.ask("POST", "/Users", twice, expect=409)["scimType"] == "uniqueness"
    assert provider.found("Users", 'userName eq "eve@contoso.test"') == []  # nothing half done

    whole = {"schemas": [USER], "userName": "ada.king@contoso.test", "name": {"givenName": "Ada"}}
    replaced = provider.ask("PUT", f"/Users/{ada['id']}", whole)
    assert (replaced["userName"], replaced["name"]) == (
        "ada.king@contoso.test",
        {"givenName": "Ada"},
    )
    assert "externalId" not in replaced
    provider.ask("DELETE", f"/Users/{ada['id']}", expect=204)
    provider.ask("DELETE", f"/Users/{ada['id']}", expect=404)
    assert "no user" in provider.ask("GET", f"/Users/{ada['id']}", expect=404)["detail"]


def test_deactivation_ends_sessions_and_tokens_at_once(provider: Provider) -> None:
    access, login = provider.house.access, (Plaintext(GOOD_PASSWORD), HOME)
    access.users.create(provider.house.admin, NewUser("bob@acme.test", Plaintext(f"first {OWN}"), Role.MEMBER))
    access.signin.login_person("bob@acme.test", Plaintext(f"first {OWN}"), HOME, new_password=login[0])
    (bob,) = provider.found("Users", 'userName eq "BOB@acme.test"')  # somebody who was there before is found, and kept
    for value in ("False", "false", False):
        token = access.signin.login_person("bob@acme.test", *login).token.reveal()
        session = access.sessions.sign_in("bob@acme.test", login[0], BrowserInfo(HOME)).token
        assert (
            provider.patch(f"/Users/{bob['id']}", {"op": "Replace", "path": "active", "value": value})["active"]
            is False
        )
        with pytest.raises(Unauthenticated):
            access.sessions.recall(session, HOME.ip)
        with pytest.raises(Unauthenticated):
            access.authenticate(token, HOME.ip)
        assert provider.patch(f"/Users/{bob['id']}", {"op": "replace", "value": {"active": "True"}})["active"] is True
    odd = provider.patch(f"/Users/{bob['id']}", {"op": "replace", "path": "active", "value": "maybe"}, expect=400)
    assert odd["scimType"] == "invalidValue"


def test_the_last_administrator_is_never_deactivated(provider: Provider) -> None:
    (ann,) = provider.found("Users", 'userName eq "ann@acme.test"')
    for refused in (
        provider.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "active", "value": False}, expect=403),
        provider.ask(
            "PUT", f"/Users/{ann['id']}", {"schemas": [USER], "userName": "ann@acme.test", "active": False}, expect=403
        ),
        provider.ask("DELETE", f"/Users/{ann['id']}", expect=403),
    ):
        assert "last admin" in refused["detail"]
    assert provider.ask("GET", f"/Users/{ann['id']}")["active"] is True


def test_the_address_of_an_administrator_with_a_password_is_not_changed(provider: Provider) -> None:
    (ann,) = provider.found("Users", 'userName eq "ann@acme.test"')
    moved = {"op": "replace", "path": "userName", "value": "eve@contoso.test"}
    with_address = {"schemas": [USER], "userName": "eve@contoso.test", "externalId": "eve"}
    for refused in (
        provider.patch(f"/Users/{ann['id']}", moved, expect=409),
        provider.ask("PUT", f"/Users/{ann['id']}", with_address, expect=409),
    ):
        assert "is an administrator with a password" in refused["detail"]
        assert "Leave them out" in refused["detail"]
    assert provider.ask("GET", f"/Users/{ann['id']}")["userName"] == "ann@acme.test"
    assert "externalId" not in provider.ask("GET", f"/Users/{ann['id']}")
    provider.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "name.givenName", "value": "Anna"})
    bob = provider.user()["id"]
    assert provider.patch(f"/Users/{bob}", moved)["userName"] == "eve@contoso.test"


def test_changes_as_entra_id_writes_them(provider: Provider) -> None:
    ada = provider.user(externalId=OBJECT)
    path = f"/Users/{ada['id']}"
    changed = provider.patch(
        path,
        {"op": "Add", "path": "name.givenName", "value": "Ada"},
        {"op": "Replace", "path": f"{USER}:name.familyName", "value": "King"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "elsewhere@contoso.test"},
        {"op": "Add", "path": f"{EXTENSION}:department", "value": "Engines"},
        {"op": "Replace", "value": {"displayName": "Somebody", "title": "Countess", "name.givenName": "Augusta"}},
    )
    assert changed["name"] == {"givenName": "Augusta", "familyName": "King"}
    assert (changed["userName"], changed["emails"][0]["value"]) == ("ada@contoso.test", "ada@contoso.test")
    renamed = provider.patch(path, {"op": "replace", "path": "userName", "value": "augusta@contoso.test"})
    assert renamed["userName"] == "augusta@contoso.test"
    assert "externalId" not in provider.patch(path, {"op": "remove", "path": "externalId"})

    before = provider.ask("GET", path)
    for operation, kind in (
        ({"op": "rename", "path": "userName", "value": "x"}, "invalidValue"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "path": "a b", "value": 1}, "invalidPath"),
        ({"op": "replace", "path": "name[", "value": 1}, "invalidPath"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "path": "userName", "value": "nobody"}, "invalidValue"),
        ({"op": "replace", "path": "userName", "value": "ann@acme.test"}, "uniqueness"),
        ({"op": "replace", "path": "name", "value": "Ada"}, "invalidValue"),
        ({"op": "replace", "path": "name.givenName", "value": "A\u202eda"}, "invalidValue"),
    ):
        first = {"op": "replace", "path": "name.givenName", "value": "Half"}
        status = 409 if kind == "uniqueness" else 400
        assert provider.patch(path, first, operation, expect=status)["scimType"] == kind, operation
    for named in ({}, {"schemas": 5}):
        provider.ask("PATCH", path, {**named, "Operations": [{"op": "remove", "path": "externalId"}]}, expect=400)
    provider.ask("GET", "/Users/%00", expect=404)
    assert provider.ask("GET", path) == before  # all of them or none


def test_filters_and_pages(provider: Provider) -> None:
    for number in range(5):
        provider.user(
            f"user{number}@contoso.test",
            externalId=f"Ext-{number}",
            name={"givenName": "No", "familyName": f"{number}"},
        )
    one = provider.found("Users", 'externalId eq "Ext-3"')[0]["id"]

    def names(query: str) -> set[str]:
        return {each["userName"].partition("@")[0] for each in provider.found("Users", query)}

    assert names('externalId eq "ext-3"') == set()  # exact
    assert names(f'id eq "{one}"') == {"user3"}
    assert names('userName sw "USER" and (name.familyName eq "1" or name.familyName eq "2")') == {"user1", "user2"}
    assert names('not (userName sw "user")') == {"ann"}
    assert names(f'id eq "{one}" and (active eq true or userName eq "x") and not (title eq "x")') == {"user3"}
    assert names(f'(id eq "{one}" or userName eq "user1@contoso.test") and externalId pr') == {"user1", "user3"}
    assert names('emails[type eq "work" and value ew "3@contoso.test"]') == {"user3"}
    assert names('emails.value co "user4"') == names('emails co "user4"') == {"user4"}
    assert names("externalId pr and active eq true") == {f"user{each}" for each in range(5)}
    assert names('title eq "x" or nickName pr') == set()
    assert names('meta.created gt "2000-01-01T00:00:00+01:00" and userName lt "b"') == {"ann"}
    assert names(f'{USER}:userName eq "user0@contoso.test"') == {"user0"}
    for bad in (
        "userName eq",
        'userName like "x"',
        "userName eq x",
        'userName eq "x',
        "(userName pr",
        "active gt true",
        r'userName eq "\ud800"',  # no database holds these
        r'externalId eq "\u0000"',
        ")",
    ):
        refused = provider.ask("GET", provider.at("Users", bad), expect=400)
        assert refused["scimType"] == "invalidFilter", bad
    provider.ask("GET", provider.at("Users", " and ".join(["active eq true"] * 60)), expect=400)

    seen: list[str] = []
    for start in (1, 3, 5):
        page = provider.ask("GET", f"/Users?startIndex={start}&count=2")
        assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (6, start, 2)
        seen += [each["userName"] for each in page["Resources"]]
    assert seen == sorted(seen)
    assert len(set(seen)) == 6
    assert provider.ask("GET", "/Users?count=0")["Resources"] == []
    assert provider.ask("GET", "/Users?startIndex=-7&count=1")["startIndex"] == 1
    assert provider.ask("GET", "/Users?startIndex=9")["Resources"] == []
    provider.ask("GET", "/Users?count=many", expect=400)
    search = {"filter": f'id eq "{one}"', "attributes": ["userName"], "count": 1}
    (only,) = provider.ask("POST", "/Users/.search", search)["Resources"]
    assert set(only) == {"schemas", "id", "userName"}
    (only,) = provider.ask("GET", f"/Users?filter=id%20eq%20%22{one}%22&attributes=userName,name.givenName")[
        "Resources"
    ]
    assert set(only) == {"schemas", "id", "userName", "name"}


def test_lists_are_put_in_the_order_that_is_asked_for(provider: Provider) -> None:
    for address, family in (("a@contoso.test", "zuse"), ("b@contoso.test", "Ada"), ("c@contoso.test", "")):
        provider.user(address, name={"familyName": family} if family else {}, externalId=f"{address[0].upper()}x")

    def names(query: str) -> str:
        page = provider.ask("GET", f"/Users?{query}")
        return "".join(each["userName"][0] for each in page["Resources"] if "contoso" in each["userName"])

    assert names("sortBy=userName") == names("sortBy=userName&sortOrder=Ascending") == "abc"
    assert names("sortBy=emails.value&sortOrder=descending") == "cba"
    assert names("sortBy=name.familyName") == "bac", "without regard to case, and who has none at the end"
    assert names(f"sortBy={USER}:name.familyName&sortOrder=descending") == "cab"
    assert names("sortBy=externalId&sortOrder=descending&count=2&startIndex=2") == "cb", "after ann, who has none"
    assert names("sortBy=nickName") == "abc", "what nobody has puts nobody first"
    search = {"sortBy": "meta.created", "sortOrder": "descending", "filter": 'userName ew "contoso.test"', "count": 1}
    assert provider.ask("POST", "/Users/.search", search)["Resources"][0]["userName"] == "a@contoso.test"
    for name in ("Zoo", "ant"):
        provider.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": name}, expect=201)
    groups = provider.ask("GET", "/Groups?sortBy=displayName")["Resources"]
    assert [each["displayName"] for each in groups] == ["ant", "Zoo"]
    assert provider.ask("GET", "/Users?sortBy=a%20b", expect=400)["scimType"] == "invalidPath"
    assert provider.ask("GET", "/Users?sortBy=emails[type%20pr]", expect=400)["scimType"] == "invalidPath"
    assert provider.ask("GET", "/Users?sortBy=userName&sortOrder=up", expect=400)["scimType"] == "invalidValue"


def test_a_change_that_expects_another_version_changes_nothing(provider: Provider) -> None:
    made = provider.raw("POST", "/Users", {"schemas": [USER], "userName": "ada@contoso.test"})
    path, first = f"/Users/{made.json()['id']}", made.headers["etag"]
    assert (
        first
        == made.json()["meta"]["version"]
        == provider.ask("GET", "/Users?count=1")["Resources"][0]["meta"]["version"]
    )

    def sent(method: str, where: str, version: str, body: object = None) -> int:
        headers = {"authorization": f"Bearer {provider.token}", "if-match": version, "if-none-match": version}
        answer = provider.client.request(method, f"/api/scim/v2{where}", json=body, headers=headers)
        return int(answer.status_code)

    rename = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "name.givenName", "value": "Ada"}]}
    assert sent("GET", path, first) == sent("GET", path, "*") == 304
    assert sent("PATCH", path, f'"other", {first}', rename) == 200
    assert sent("GET", path, first) == 200, "it is another one now"
    whole = {"schemas": [USER], "userName": "eve@contoso.test"}
    assert [
        sent(*each) for each in (("PATCH", path, first, rename), ("PUT", path, first, whole), ("DELETE", path, first))
    ] == [
        412,
        412,
        412,
    ]
    provider.headers = {"if-match": first}
    assert "has changed it since" in provider.ask("PUT", path, whole, expect=412)["detail"]
    provider.headers = {}
    ada = provider.ask("GET", path)
    assert (ada["userName"], ada["name"]["givenName"]) == ("ada@contoso.test", "Ada")
    assert sent("PUT", path, "no tag", whole) == 412, "what cannot be read is no version"
    assert sent("PUT", path, "*", whole) == 200

    team = provider.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Team"}, expect=201)
    of_team, before = f"/Groups/{team['id']}", team["meta"]["version"]
    provider.patch(of_team, {"op": "add", "path": "members", "value": [{"value": ada["id"]}]})
    assert (
        sent("DELETE", of_team, before) == sent("PUT", of_team, before, {"schemas": [GROUP], "displayName": "x"}) == 412
    )
    assert provider.ask("GET", path)["meta"]["version"] != ada["meta"]["version"], "the user is in a group now"
    assert sent("DELETE", of_team, provider.raw("GET", of_team).headers["etag"]) == 204
    assert sent("DELETE", path, "*") == 204


def test_a_large_group_is_changed_quickly_and_costly_filters_are_refused() -> None:
    group = {"members": [{"value": f"id-{number}", "type": "User"} for number in range(10_000)]}
    removals = [{"op": "Remove", "path": f'members[value eq "ID-{number}"]'} for number in range(40)]
    added = [{"op": "Add", "path": "members", "value": [{"value": f"new-{number}"}]} for number in range(40)]
    began = time.process_time()
    after = apply_operations(group, [*removals, *added], {"members": "members"})["members"]
    assert time.process_time() - began < 0.5
    assert (len(after), after[0]["value"], after[-1]["value"]) == (10_000, "id-40", "new-39")
    costly = {"op": "remove", "path": 'members[type eq "User" and value eq "id-1"]'}
    with pytest.raises(Refused, match="too many elements"):
        apply_operations(group, [costly], {"members": "members"})
    assert (
        apply_operations({"members": group["members"][:2]}, [costly], {"members": "members"})["members"]
        == group["members"][:1]
    )


def test_groups_give_roles_and_take_them(provider: Provider) -> None:
    house, database = provider.house, provider.house.database
    ann = person_actor(house.first.user)
    projects = Projects(database, house.clock, IDS)
    project = projects.create(ann, NewProject(name="Payments"))
    roles = GroupRoles(database, house.clock, IDS, None)
    roles.add(ann, NewGroupRole(TEAM, "member", "Platform", project.id))
    roles.add(ann, NewGroupRole(TEAM, "viewer", "Platform"))
    ada, eve = provider.user(), provider.user("eve@contoso.test")

    def role(user: Json) -> tuple[str, int]:
        actor = person_actor(house.access.users.by_email(user["userName"]))
        return actor.role.value, len(projects.list(actor))

    team = provider.ask(
        "POST",
        "/Groups",
        {"schemas": [GROUP], "displayName": "Platform", "externalId": TEAM.upper(), "members": [{"value": ada["id"]}]},
        expect=201,
    )
    path = f"/Groups/{team['id']}"
    assert [each["value"] for each in team["members"]] == [ada["id"]]
    assert (role(ada), role(eve)) == (("viewer", 1), ("no-access", 0))
    assert provider.ask("GET", f"/Users/{ada['id']}")["groups"][0]["display"] == "Platform"
    provider.patch(path, {"op": "Add", "path": "members", "value": [{"value": eve["id"]}, {"value": ada["id"]}]})
    assert role(eve) == ("viewer", 1)
    provider.patch(path, {"op": "Remove", "path": "members", "value": [{"value": eve["id"]}]})
    provider.patch(path, {"op": "remove", "path": f'members[value eq "{ada["id"]}"]'})
    assert (role(ada), role(eve)) == (("no-access", 0), ("no-access", 0))
    assert provider.ask("GET", path)["members"] == []
    provider.patch(path, {"op": "Add", "path": "members", "value": [{"value": ada["id"]}]})
    for user, there in ((ada, [team["id"]]), (eve, [])):  # as Entra ID asks whether somebody is in it
        asked = f'id eq "{team["id"]}" and members eq "{user["id"]}"'
        assert [each["id"] for each in provider.found("Groups", asked)] == there
    provider.patch(path, {"op": "remove", "path": f'members[value eq "{ada["id"]}" and type eq "Group"]'})
    assert role(ada) == ("viewer", 1), "that is no member of it"
    provider.patch(path, {"op": "remove", "path": f'members[value eq "{ada["id"]}" and type eq "User"]'})
    assert role(ada) == ("no-access", 0)
    unknown = {"op": "add", "path": "members", "value": [{"value": eve["id"]}, {"value": "nobody"}]}
    assert provider.patch(path, unknown, expect=400)["scimType"] == "invalidValue"
    assert role(eve) == ("no-access", 0)

    (found,) = provider.found("Groups", 'displayName eq "PLATFORM"')
    assert found["id"] == team["id"]
    bare = provider.ask("GET", f"/Groups?excludedAttributes=members&filter=externalId%20eq%20%22{TEAM.upper()}%22")
    assert "members" not in bare["Resources"][0]
    provider.ask("POST", "/Groups", {"schemas": [GROUP], "displayName": "Platform"}, expect=409)
    provider.ask("POST", "/Groups", {"schemas": [GROUP]}, expect=400)
    provider.ask(
        "PUT",
        path,
        {"schemas": [GROUP], "displayName": "Renamed", "externalId": TEAM, "members": [{"value": eve["id"]}]},
    )
    assert role(eve) == ("viewer", 1)
    provider.patch(path, {"op": "replace", "value": {"displayName": "Again"}})
    assert provider.ask("GET", path)["displayName"] == "Again"

    # Whoever is deactivated is out, and what the group gives goes with the group.
    provider.patch(f"/Users/{eve['id']}", {"op": "replace", "path": "active", "value": False})
    provider.ask("DELETE", path, expect=204)
    assert role(eve) == ("no-access", 0)
    provider.ask("GET", path, expect=404)


def test_nobody_is_let_in_without_a_token_that_works(provider: Provider, clock: MovableClock) -> None:
    provider.ask("GET", "/ServiceProviderConfig")
    good, ann = provider.token, person_actor(provider.house.first.user)
    for wrong in ("", "ktn_nothing", provider.house.first.token.reveal()):
        provider.token = wrong
        refused = provider.raw("GET", "/Users")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        said = provider.ask("POST", "/Users", {"userName": "x"}, expect=401)["detail"]
        assert "expired. An admin makes one under Members, Provisioning." in said, "what the test of a connection shows"
    provider.token = good
    provider.tokens.revoke(ann, provider.token_id)
    provider.ask("GET", "/Users", expect=401)
    _, short = provider.tokens.create(ann, "short", timedelta(hours=1))
    provider.token = short.reveal()
    assert provider.ask("GET", "/Users?count=1")["totalResults"] == 1
    clock.advance(3600)
    provider.ask("GET", "/Users", expect=401)
    with pytest.raises(Unauthenticated):
        provider.house.access.authenticate(short.reveal(), HOME.ip)  # it opens nothing else


def test_the_service_describes_itself_and_refuses_what_is_no_json(provider: Provider) -> None:
    config = provider.ask("GET", "/ServiceProviderConfig")
    assert (config["patch"]["supported"], config["filter"]["supported"], config["bulk"]["supported"]) == (
        True,
        True,
        False,
    )
    types = provider.ask("GET", "/ResourceTypes")["Resources"]
    assert [each["endpoint"] for each in types] == ["/Users", "/Groups"]
    assert provider.ask("GET", "/ResourceTypes/User") == types[0]
    described = provider.ask("GET", "/Schemas")["Resources"]
    assert provider.ask("GET", f"/Schemas/{USER}") == described[0]
    provider.ask("GET", "/Schemas/urn:nothing", expect=404)
    provider.ask("GET", "/Schemas?filter=id%20pr", expect=403)
    provider.ask("GET", "/Nothing/at/all", expect=404)
    provider.ask("DELETE", "/Schemas", expect=405)
    assert (config["sort"]["supported"], config["etag"]["supported"]) == (True, True)
    for method, path in (("POST", "/.search"), ("POST", "/Bulk"), ("GET", "/Me"), ("PATCH", "/Me")):
        provider.ask(method, path, {} if method != "GET" else None, expect=501)
    provider.headers = {"content-type": "text/plain"}
    bad = provider.client.request(
        "POST", "/api/scim/v2/Users", content=b"{", headers={"authorization": f"Bearer {provider.token}"}
    )
    assert (bad.status_code, bad.json()["scimType"], bad.json()["schemas"]) == (400, "invalidSyntax", [ERROR])
    for body in (
        [],
        "text",
        None,
        {"userName": 7},
        {"userName": "a@b.test", "active": 7},
        {"userName": "a@b.test", "name": []},
    ):
        assert provider.ask("POST", "/Users", body, expect=400)["scimType"] == "invalidValue", body
    long = provider.client.request(
        "POST", "/api/scim/v2/Users", content=b" " * 5_000_000, headers={"authorization": f"Bearer {provider.token}"}
    )
    assert (long.status_code, long.json()["schemas"]) == (413, [ERROR])
