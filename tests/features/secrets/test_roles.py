"""Roles that a project makes itself, as their holders meet them: what is within a role's places works, and nothing else shows.

POST   /api/v1/projects/ID/roles       {"slug", "name", "description", "permissions": [{"subject", "action": [...], "inverted",
                                        "conditions": {"environment": {"$eq"}, "secretPath": {"$glob"}}}]} -> {"role": {...}}
PATCH  /api/v1/projects/ID/roles/ROLE  DELETE  GET  GET .../slug/SLUG  GET /api/v1/projects/roles/ROLE
PATCH  .../identity-memberships/ID     {"roles": [{"role": SLUG, "isTemporary", "temporaryMode": "relative",
                                        "temporaryRange": "1h", "temporaryAccessStartTime"}]}
"""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from keyturn.authz.compiled_roles import CompiledRoles
from keyturn.kit.clock import iso
from tests.databases import sqlite_database
from tests.features.secrets.desk import V3, V4, Json, SecretsClient, desk

FOLDERS, IMPORTS, TRAIL = "/api/v1/folders", "/api/v1/secret-imports", "/api/v1/organization/audit-logs"
READ = {"subject": "secrets", "action": ["describeSecret", "readValue"]}


@pytest.fixture
def web(tmp_path: Path) -> Iterator[SecretsClient]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as opened:
        opened.who = "admin"
        yield opened


def roles(web: SecretsClient) -> str:
    return f"/api/v1/projects/{web.id}/roles"


def role(web: SecretsClient, slug: str, *permissions: Json, **more: Any) -> Json:
    body = {"slug": slug, "name": slug.title(), "permissions": list(permissions)}
    return web.ask("POST", roles(web), body, **more).get("role", {})


def membership(web: SecretsClient, who: str = "robot") -> str:
    return f"/api/v1/projects/{web.id}/identity-memberships/{web.actors[who].id}"


def give(web: SecretsClient, *held: Json | str, **more: Any) -> Json:
    """Give the robot these roles instead of those that it has."""
    wanted = [{"role": each} if isinstance(each, str) else each for each in held]
    return web.ask("PATCH", membership(web), {"roles": wanted}, **more)


def within(permission: Json, environment: str | None = "dev", path: str | None = None, **more: Any) -> Json:
    conditions = {"environment": {"$eq": environment}} if environment else {}
    if path:
        conditions["secretPath"] = {"$glob": path}
    return {**permission, "conditions": conditions, **more}


@pytest.fixture
def app_reader(web: SecretsClient) -> SecretsClient:
    """A project of which the robot may read /app and below in dev, and beside it things that it is not to know of."""
    for path in ("/app", "/app/db", "/vault", "/vault/app"):
        web.folder(path)
    for path in ("/", "/app", "/app/db", "/vault", "/vault/app"):
        web.put(f"KEY{path.replace('/', '_').upper()}", f"value in {path}", path=path)
    web.put("PROD", "value in prod", environment="prod")
    role(web, "app-reader", within(READ, path="/app/**"), within({"subject": "secret-imports", "action": ["read"]}))
    give(web, "app-reader")
    return web


HIDDEN = ("vault", "VAULT", 'KEY_"', "PROD", "value in prod")


def test_the_holder_reads_within_the_places_and_nowhere_else(app_reader: SecretsClient) -> None:
    web = app_reader
    web.who = "robot"
    assert web.values(path="/app") == {"KEY_APP": "value in /app"}
    assert web.values(path="//app/db/") == {"KEY_APP_DB": "value in /app/db"}
    assert {each["secretKey"] for each in web.listed(path="/", recursive="true")} == {"KEY_APP", "KEY_APP_DB"}
    assert [folder["name"] for folder in web.folders()] == ["app"]
    assert [folder["path"] for folder in web.folders(recursive="true")] == ["/app", "/app/db"]
    refusals = {
        answer.text.replace(answer.json()["reqId"], "")
        for answer in (
            web.send("GET", V3, **web.at("dev", "/")),
            web.send("GET", V3, **web.at("dev", "/vault")),
            web.send("GET", V3, **web.at("dev", "/nowhere")),
            web.send("GET", V3, **web.at("dev", "/app/../vault")),
            web.send("GET", V3, **web.at("dev", "/vault"), recursive="true"),
            web.send("GET", V3, **web.at("prod", "/")),
            web.send("GET", V3, **web.at("no-such", "/app")),
            web.send("GET", f"{V3}/KEY_VAULT", **web.at("dev", "/vault")),
            web.send("GET", f"{V4}/NOTHING", environment="dev", projectId=web.id, secretPath="/vault"),
        )
        if answer.status_code == 403
    }
    assert len(refusals) == 1, "what is there and what is not are refused alike"


def test_what_it_may_read_it_may_not_change(app_reader: SecretsClient) -> None:
    web, before = app_reader, app_reader.counts()
    web.who = "robot"
    web.ask("POST", f"{V3}/NEW", web.at("dev", "/app", secretValue="x"), expect=403)
    web.ask("PATCH", f"{V3}/KEY_APP", web.at("dev", "/app", secretValue="x"), expect=403)
    web.ask("DELETE", f"{V3}/KEY_APP", web.at("dev", "/app"), expect=403)
    web.ask("POST", FOLDERS, {"workspaceId": web.id, "environment": "dev", "path": "/app", "name": "x"}, expect=403)
    web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "x"}, expect=403)
    assert web.counts() == before


def test_imports_and_references_show_nothing_of_other_places(app_reader: SecretsClient) -> None:
    web = app_reader
    for environment, path in (("dev", "/vault"), ("dev", "/app/db"), ("prod", "/")):
        body = {"workspaceId": web.id, "environment": "dev", "path": "/app"}
        web.ask("POST", IMPORTS, body | {"import": {"environment": environment, "path": path}})
    web.put("URL", "${dev.app.db.KEY_APP_DB} ${dev.vault.KEY_VAULT} ${prod.PROD}", path="/app")
    listed = web.ask("GET", IMPORTS, workspaceId=web.id, environment="dev", path="/app")["secretImports"]
    web.who = "robot"
    query = {"include_imports": "true", "expandSecretReferences": "true"}
    answer = web.ask("GET", V3, **web.at("dev", "/app"), **query)
    assert [each["secretPath"] for each in answer["imports"]] == ["/app/db"]
    assert web.values(path="/app", **query)["URL"] == "value in /app/db ${dev.vault.KEY_VAULT} ${prod.PROD}"
    assert web.ask("GET", f"{V3}/KEY_APP_DB", **web.at("dev", "/app"), **query)["secret"]["secretPath"] == "/app/db"
    web.ask("GET", f"{V3}/KEY_VAULT", **web.at("dev", "/app"), **query, expect=404)
    shown = web.ask("GET", IMPORTS, workspaceId=web.id, environment="dev", path="/app")["secretImports"]
    assert [each["importPath"] for each in shown] == ["/app/db"]
    for each in listed:
        web.ask("GET", f"{IMPORTS}/{each['id']}", expect=200 if each["importPath"] == "/app/db" else 403)


def test_the_trail_is_read_as_far_as_its_reader_may_know(app_reader: SecretsClient) -> None:
    web = app_reader
    role(web, "auditor", {"subject": "audit-logs", "action": "read"})
    give(web, "app-reader", "auditor")
    everything = web.ask("GET", TRAIL, projectId=web.id)["auditLogs"]
    web.who = "robot"
    pages, cursor = [], None
    while True:
        answer = web.ask("GET", TRAIL, projectId=web.id, limit=2, **({"cursor": cursor} if cursor else {}))
        pages += answer["auditLogs"]
        cursor = answer.get("nextCursor")
        if not cursor:
            break
    text = str(pages).replace("'", '"')
    assert "KEY_APP_DB" in text
    assert [word for word in HIDDEN if word in text] == []
    assert [word for word in HIDDEN if word in str(everything).replace("'", '"')] != []


def test_exceptions_take_away_and_roles_add_up(app_reader: SecretsClient) -> None:
    web = app_reader
    role(web, "most", within(READ), within(READ, path="/vault/**", inverted=True))
    role(web, "names", within({"subject": "secrets", "action": "describeSecret"}, path="/vault"))
    give(web, "most")
    assert {each["secretKey"] for each in web.listed(who="robot", recursive="true")} == {
        "KEY_",
        "KEY_APP",
        "KEY_APP_DB",
    }
    give(web, "most", "names")
    hidden = web.ask("GET", f"{V3}/KEY_VAULT", **web.at("dev", "/vault"), who="robot")["secret"]
    assert (hidden["secretValueHidden"], "value in" in str(hidden)) == (True, False)
    assert web.values(path="/app", who="robot") == {"KEY_APP": "value in /app"}


# --- for a time -------------------------------------------------------------------------------------------------------


def temporary(slug: str, lasts: str, **more: Any) -> Json:
    return {"role": slug, "isTemporary": True, "temporaryMode": "relative", "temporaryRange": lasts, **more}


def test_a_temporary_role_begins_and_ends_by_the_clock(app_reader: SecretsClient) -> None:
    web, clock = app_reader, app_reader.world.clock
    begin = clock.now() + timedelta(hours=1)
    [held] = give(web, temporary("app-reader", "2h", temporaryAccessStartTime=iso(begin)))["roles"]
    assert (held["role"], held["customRoleSlug"], held["isTemporary"]) == ("custom", "app-reader", True)
    assert held["temporaryRange"] == "2h"
    assert (held["temporaryAccessStartTime"], held["temporaryAccessEndTime"]) == (
        iso(begin),
        iso(begin + timedelta(hours=2)),
    )
    for passed, status in ((0, 403), (59, 403), (1, 200), (119, 200), (1, 403)):
        clock.advance(60 * passed)
        web.ask("GET", V3, **web.at("dev", "/app"), who="robot", expect=status)
    assert web.ask("DELETE", f"{roles(web)}/{held['customRoleId']}")["role"]["slug"] == "app-reader", (
        "nobody has it now"
    )
    assert web.ask("GET", membership(web))["identityMembership"]["roles"] == []


def test_what_clients_send_of_a_role_without_an_end_is_ignored(web: SecretsClient) -> None:
    started = "2026-03-04T05:06:07.123456789Z"
    body = {"role": "viewer", "isTemporary": False, "temporaryMode": "", "temporaryRange": ""}
    [held] = give(web, body | {"temporaryAccessStartTime": started})["roles"]
    assert (held["role"], held["isTemporary"], held["temporaryAccessEndTime"]) == ("viewer", False, None)


NOT_GIVEN: list[tuple[Json, int, str]] = [
    (temporary("viewer", "soon"), 400, "no time that a role can last"),
    (temporary("viewer", "0m"), 400, "no time that a role can last"),
    (temporary("viewer", "99y"), 400, "no time that a role can last"),
    (temporary("viewer", ""), 422, "for how long"),
    (temporary("viewer", "1h", temporaryMode="cron"), 422, "relative"),
    (temporary("viewer", "1h", temporaryAccessStartTime="at noon"), 422, "time zone"),
    ({"role": "no-such-role"}, 400, "no role 'no-such-role'"),
]


def test_a_role_that_cannot_be_given_changes_nothing(web: SecretsClient) -> None:
    before = web.counts()
    for held, status, says in NOT_GIVEN:
        assert says in str(give(web, "member", held, expect=status))
        assert says in str(web.ask("POST", membership(web), {"roles": [held]}, expect=status))
    assert web.counts() == before


# --- who may make and give them ---------------------------------------------------------------------------------------

MANAGER = (
    {"subject": "role", "action": ["read", "create", "edit", "delete"]},
    {"subject": "identity", "action": ["read", "create", "edit", "delete"]},
    {"subject": "member", "action": ["read", "create", "edit", "delete"]},
)


def test_nobody_makes_gives_or_changes_a_role_that_permits_more_than_they_may(app_reader: SecretsClient) -> None:
    web = app_reader
    role(web, "manager", *MANAGER)
    strong = role(web, "strong", within(READ))
    give(web, "manager", "app-reader")
    web.who = "robot"
    before = web.counts()
    role(web, "more", READ, expect=403)
    role(web, "more", within(READ), expect=403)
    role(web, "more", within(READ, path="/app/**"), {"subject": "tags", "action": "create"}, expect=403)
    refused = web.ask("PATCH", f"{roles(web)}/{strong['id']}", {"permissions": []}, expect=403)
    assert refused["code"] == "access.role_above_own"
    web.ask("DELETE", f"{roles(web)}/{strong['id']}", expect=403)
    give(web, "admin", expect=403)
    give(web, "strong", expect=403)
    people = f"/api/v1/projects/{web.id}/memberships"
    web.ask("POST", people, {"emails": ["nobody@contoso.test"], "roleSlugs": ["member"]}, expect=403)
    assert web.counts() == before
    role(web, "less", within(READ, path="/app/db"))
    give(web, "manager", "app-reader", "less")


def test_who_has_a_role_for_a_time_gives_it_for_no_longer(app_reader: SecretsClient) -> None:
    web = app_reader
    role(web, "manager", *MANAGER)
    give(web, "manager", temporary("app-reader", "1h"))
    web.who = "robot"
    give(web, "manager", "app-reader", expect=403)
    role(web, "copy", within(READ, path="/app/**"), expect=403)
    give(web, "manager", temporary("app-reader", "30m"))
    give(web, "manager", temporary("app-reader", "1h"), expect=403)


def test_a_role_is_not_removed_while_somebody_has_it(app_reader: SecretsClient) -> None:
    web = app_reader
    one = web.ask("GET", f"{roles(web)}/slug/app-reader")["role"]
    refused = web.ask("DELETE", f"{roles(web)}/{one['id']}", expect=400)
    assert web.actors["robot"].name in refused["message"]
    role(web, "janitor", {"subject": "role", "action": "delete"}, within(READ, path="/app/**"))
    give(web, "app-reader", "janitor")
    blind = web.ask("DELETE", f"{roles(web)}/{one['id']}", who="robot", expect=400)
    assert web.actors["robot"].name not in blind["message"], "who may not see members is told of none"
    give(web, "viewer")
    web.ask("DELETE", f"{roles(web)}/{one['id']}")
    web.ask("GET", f"/api/v1/projects/roles/{one['id']}", expect=404)


def test_an_edit_that_would_leave_no_manager_in_the_project_is_refused(web: SecretsClient) -> None:
    boss = role(web, "boss", *MANAGER)
    give(web, "boss")
    for person in web.ask("GET", f"/api/v1/projects/{web.id}/memberships")["memberships"]:
        if person["user"]["email"] == web.actors["admin"].name:
            web.ask("DELETE", f"/api/v1/projects/{web.id}/memberships/{person['id']}")
    refused = web.ask("PATCH", f"{roles(web)}/{boss['id']}", {"permissions": [READ]}, who="robot", expect=403)
    assert "describe" in refused["message"] or "read" in refused["message"]
    for who in ("robot", "admin"):
        lost = web.ask("PATCH", f"{roles(web)}/{boss['id']}", {"permissions": []}, who=who, expect=400)
        assert "nobody in this project" in lost["message"]
    assert web.ask("GET", f"{roles(web)}/{boss['id']}")["role"]["permissions"] == boss["permissions"]
    web.ask("PATCH", f"{roles(web)}/{boss['id']}", {"name": "Chief"}, who="robot")


# --- roles as clients write them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root", ["/api/v1/projects/{id}/roles", "/api/v2/workspace/{id}/roles", "/api/v1/workspace/{slug}/roles"]
)
def test_terraform_manages_a_role_without_drift(web: SecretsClient, root: str) -> None:
    url = root.format(**web.project)
    permissions = [
        {"subject": "integrations", "action": ["read", "create"], "inverted": False},
        {
            "subject": "secrets",
            "action": ["describeSecret", "readValue", "edit"],
            "inverted": False,
            "conditions": {"environment": {"$in": ["dev", "prod"], "$eq": "dev"}, "secretPath": {"$eq": "/"}},
        },
    ]
    body = {
        "slug": "tester",
        "name": "Tester",
        "description": "A test role",
        "permissions": permissions,
        "ProjectId": "x",
    }
    made = web.ask("POST", url, body)["role"]
    assert made["permissions"] == permissions
    for path in (f"{url}/slug/tester", f"{url}/{made['id']}", f"/api/v1/projects/roles/{made['id']}"):
        assert web.ask("GET", path)["role"] == made
    assert made["projectId"] == web.id
    changed = web.ask("PATCH", f"{url}/{made['id']}", body | {"name": "Other", "RoleId": made["id"]})["role"]
    assert (changed["name"], changed["permissions"]) == ("Other", permissions)
    assert [each["slug"] for each in web.ask("GET", url)["roles"]] == [
        "admin",
        "member",
        "viewer",
        "no-access",
        "tester",
    ]
    web.ask("DELETE", f"{url}/{made['id']}", {"ProjectId": "x"})
    web.ask("GET", f"{url}/slug/tester", expect=404)
    assert [
        each["event"] for each in web.trail("create-project-role", "update-project-role", "delete-project-role")
    ] == [
        "create-project-role",
        "update-project-role",
        "delete-project-role",
    ]


NO_PERMISSIONS: list[tuple[Json, str]] = [
    ({"subject": "secrts", "action": "read"}, "no subject"),
    ({"subject": "secrets", "action": ["peek"]}, "no action 'peek'"),
    ({"subject": "secrets", "action": []}, "names no action"),
    ({"subject": "tags", "action": "read", "conditions": {"environment": "dev"}}, "no condition on 'environment'"),
    ({**READ, "conditions": {"secretName": {"$eq": "A"}}}, "no condition on 'secretName'"),
    ({**READ, "conditions": {"secretPath": {"$regex": ".*"}}}, "no operator '$regex'"),
    ({**READ, "conditions": {"secretPath": {"$glob": "/a[bc]"}}}, "stands for nothing"),
    ({**READ, "conditions": {"secretPath": {"$glob": "/a**"}}}, "part of a name"),
    ({**READ, "conditions": {"secretPath": {"$glob": "/" + 40 * "*a"}}}, "stars"),
    ({**READ, "conditions": {"environment": {"$in": []}}}, "1 to 100"),
    ({**READ, "conditions": {"environment": {"$eq": 7}}}, "a text"),
    ({**READ, "conditions": {"environment": []}}, "no condition"),
]


def test_a_permission_that_is_none_is_refused_with_what_to_write(web: SecretsClient) -> None:
    before = web.counts()
    for permission, says in NO_PERMISSIONS:
        body = {"slug": "odd", "name": "Odd", "permissions": [READ, permission]}
        refused = web.ask("POST", roles(web), body, expect=400)
        assert says in refused["message"]
        assert refused["fix"]
    assert web.counts() == before


def test_slugs_of_builtin_roles_and_of_others_are_taken(web: SecretsClient) -> None:
    role(web, "mine")
    for slug, says in (("admin", "built-in"), ("no-access", "built-in"), ("custom", "built-in"), ("mine", "already")):
        body = {"slug": slug, "name": "x", "permissions": []}
        assert says in web.ask("POST", roles(web), body, expect=400)["message"]
    for method in ("PATCH", "DELETE"):
        assert "stays as it is" in web.ask(method, f"{roles(web)}/viewer", {}, expect=400)["message"]
    other = web.ask("POST", "/api/v1/projects", {"projectName": "Other"})["project"]["id"]
    mine = web.ask("GET", f"{roles(web)}/slug/mine")["role"]["id"]
    web.ask("GET", f"/api/v1/projects/{other}/roles/{mine}", expect=404)
    web.ask(
        "POST",
        f"/api/v1/projects/{other}/memberships",
        {"emails": ["viewer@contoso.test"], "roleSlugs": ["mine"]},
        expect=400,
    )
    web.ask("GET", f"/api/v1/projects/roles/{mine}", who="stranger", expect=404)


# --- folders ----------------------------------------------------------------------------------------------------------


def test_no_folder_is_moved_or_removed_from_where_its_holder_may_not(app_reader: SecretsClient) -> None:
    web = app_reader
    folders = {"subject": "secret-folders", "action": ["read", "create", "edit", "delete"]}
    web.folder("/app/private")
    web.put("HIDDEN", "value in private", path="/app/private")
    role(
        web, "mover", within(READ, path="/app/**"), within(READ, path="/app/private/**", inverted=True), within(folders)
    )
    give(web, "mover")
    ids = {folder["path"]: folder["id"] for folder in web.folders(recursive="true")}
    web.who = "robot"
    where = {"workspaceId": web.id, "environment": "dev"}
    web.ask("PATCH", f"{FOLDERS}/{ids['/app/private']}", {"name": "public", **where}, expect=403)
    web.ask("PATCH", f"{FOLDERS}/{ids['/app/db']}", {"name": "base", **where})
    web.who = "admin"
    role(web, "app-folders", within(folders, path="/app/**"), within(folders, path="/app/private/**", inverted=True))
    give(web, "app-folders")
    web.who = "robot"
    before = web.counts()
    web.ask("DELETE", f"{FOLDERS}/{ids['/vault']}", {**where, "path": "/app"}, expect=403)
    web.ask("DELETE", f"{FOLDERS}/app", {**where, "path": "/"}, expect=403)
    web.ask("DELETE", f"{FOLDERS}/private", {**where, "path": "/app"}, expect=403)
    assert web.counts() == before
    web.ask("DELETE", f"{FOLDERS}/base", {**where, "path": "/app"})


def test_the_largest_roles_cost_little_and_a_change_counts_at_once(app_reader: SecretsClient) -> None:
    web = app_reader
    where = {"environment": {"$in": ["dev", *(f"e{number}" for number in range(40))]}}

    def permissions(of: int, last: str) -> list[Json]:
        paths = [{"$in": [f"/p{of}/{number}/{at}" for at in range(40)], "$glob": "/p*/**"} for number in range(99)]
        return [{**READ, "conditions": {**where, "secretPath": path}} for path in paths] + [
            {**READ, "conditions": {**where, "secretPath": {"$glob": last}}}
        ]

    slugs = [f"large-{number}" for number in range(3)]
    made = [role(web, slug, *permissions(number, "/app/db")) for number, slug in enumerate(slugs)]
    give(web, *slugs)
    address = web.at(path="/app/db", viewSecretValue="false")
    web.ask("GET", V3, who="robot", **address)
    began = time.process_time()
    for _ in range(10):
        web.ask("GET", V3, who="robot", **address)
    assert time.process_time() - began < 0.6  # to read these three once takes a tenth of that
    for number, each in enumerate(made):
        web.ask("PATCH", f"{roles(web)}/{each['id']}", {"permissions": permissions(number, "/app")})
    web.ask("GET", V3, who="robot", **address, expect=403)
    assert list(web.values(path="/app", who="robot")) == ["KEY_APP"]


def test_what_is_remembered_of_roles_has_a_bound() -> None:
    known = CompiledRoles(most_characters=200)
    texts = [json.dumps([{"subject": "secrets", "action": "read", "note": number}]) for number in range(20)]
    first = [known.rules(text) for text in texts]
    assert all(len(rules) == 2 for rules in first)
    assert len(known._known) <= 200 // len(texts[0])
    assert known.rules(texts[-1]) is first[-1]
    assert known.rules(texts[0]) == first[0]
    assert known.rules("no JSON") == known.rules(None) == ()
