"""Roles that a project makes itself, as their holders meet them: what is within a role's places works, and nothing else shows.

POST   /api/v1/projects/ID/roles       {"slug", "name", "description", "permissions": [{"subject", "action": [...], "inverted",
                                        "conditions": {"environment": {"$eq"}, "secretPath": {"$glob"}}}]} -> {"role": {...}}
PATCH  /api/v1/projects/ID/roles/ROLE  DELETE  GET  GET .../slug/SLUG  GET /api/v1/projects/roles/ROLE
PATCH  .../identity-memberships/ID     {"roles": [{"role": SLUG, "isTemporary", "temporaryMode": "relative",
                                        "temporaryRange": "1h", "temporaryAccessStartTime"}]}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
