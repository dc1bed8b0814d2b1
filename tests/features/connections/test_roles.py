"""Who may do what, on every route."""

from typing import Any

import pytest

from keyturn.connections.search import ConnectionQuery, ConnectionSearch
from keyturn.projects.domain import GivenRole
from keyturn.projects.role_domain import NewRole
from keyturn.projects.service import Projects
from tests.features.connections.desk import ALL, NOBODY, ROOT, WEEKLY, ApiClient, Json

READ, CONNECT, CREATE = "read-app-connections", "connect-app-connections", "create-app-connections"
EDIT, ROTATE, DELETE = "edit-app-connections", "rotate-credentials", "delete-app-connections"

ROUTES: list[tuple[str, str, Any, str]] = [
    ("GET", "{id}", None, READ),
    ("GET", "connection-name/prod-entra{in}", None, READ),
    ("GET", "{id}/credentials", None, READ),
    ("GET", "{id}/rotation-runs", None, READ),
    ("GET", "{id}/clients", None, CONNECT),
    ("POST", "{id}/test", None, CONNECT),
    ("PATCH", "{id}", {"description": "changed"}, EDIT),
    ("POST", "{id}/rotate-credentials", None, ROTATE),
    ("DELETE", "{id}", None, DELETE),
]
EVERY_ROUTE = [
    *((method, f"{ROOT}/{path}", body) for method, path, body, _ in ROUTES),
    ("POST", ROOT, {}),
    ("GET", ROOT, None),
    ("GET", ALL, None),
    ("GET", f"{ALL}/options", None),
    ("GET", f"{ROOT}/available", None),
]
EVERYTHING = {READ, CONNECT, CREATE, EDIT, ROTATE, DELETE}
IN_ORGANIZATION = {
    "admin": EVERYTHING,
    "robot": EVERYTHING,
    "member": {READ, CONNECT},
    "viewer": {READ},
    "project-admin": {READ},
}
IN_PROJECT: dict[str, set[str]] = {
    "admin": EVERYTHING,
    "robot": EVERYTHING,
    "project-admin": EVERYTHING,
    "project-member": EVERYTHING,
    "project-viewer": {READ},
    "member": set(),
    "viewer": set(),
}
MATRIX = [
    *((who, may, False) for who, may in IN_ORGANIZATION.items()),
    *((who, may, True) for who, may in IN_PROJECT.items()),
]


@pytest.mark.parametrize(("who", "may", "in_project"), MATRIX)
def test_every_role_may_what_it_may(web: ApiClient, who: str, may: set[str], in_project: bool) -> None:
    place: Json = {"projectId": web.project_id} if in_project else {}
    connection = web.create_rotating(**place)
    created = web.ask("POST", "", web.body(f"by-{who}", **place), who=who, expect=200 if CREATE in may else 403)
    if CREATE not in may:
        denied(created, CREATE)
    web.world.settle()
    inside = f"?projectId={web.project_id}" if in_project else ""
    for method, path, body, action in ROUTES:
        before = web.remains()
        address = path.replace("{id}", connection["id"]).replace("{in}", inside)
        answer = web.ask(method, address, body, who=who, expect=200 if action in may else 403)
        if action not in may:
            denied(answer, action)
            assert web.remains() == before


def denied(answer: Json, action: str) -> None:
    assert answer["error"] == "PermissionDenied"
    assert [detail["action"] for detail in answer["details"]] == [action]
    assert action in answer["message"]
    assert "Ask an" in answer["fix"]


def test_another_organization_sees_nothing(web: ApiClient) -> None:
    connection = web.create_rotating()
    inside = web.create("inside", projectId=web.project_id)
    before = web.remains()
    for method, path, body, _ in ROUTES:
        for each in (connection, inside):
            address = path.replace("{id}", each["id"]).replace("{in}", "")
            unknown = web.ask(method, address, body, who="stranger", expect=404)
            assert unknown["error"] == "NotFound"
            nobody = web.ask(method, path.replace("{id}", NOBODY).replace("{in}", ""), body, who="stranger", expect=404)
            assert nobody["message"] == unknown["message"].replace(each["id"], NOBODY)
    for path in (ALL, ROOT, f"{ROOT}/available"):
        assert web.ask("GET", path, who="stranger") == {"appConnections": []}
        web.ask("GET", path, who="stranger", projectId=web.project_id, expect=404)
    web.ask("POST", "", web.body(projectId=web.project_id), who="stranger", expect=400)
    assert web.remains() == before


@pytest.mark.parametrize(("who", "status", "error"), [("", 401, "UnauthorizedError"), ("garbage", 403, "TokenError")])
def test_nobody_gets_in_without_a_token(web: ApiClient, who: str, status: int, error: str) -> None:
    for method, path, body in EVERY_ROUTE:
        answer = web.ask(method, path.replace("{in}", ""), body, who=who, expect=status)
        assert answer["error"] == error


def test_lists_hold_what_the_caller_may_read(web: ApiClient) -> None:
    web.create("shared")
    web.create("inside", projectId=web.project_id)

    def names_for(who: str, path: str = ALL) -> list[str]:
        return [connection["name"] for connection in web.ask("GET", path, who=who)["appConnections"]]

    assert names_for("admin") == names_for("project-viewer") == ["inside", "shared"]
    assert names_for("member") == names_for("viewer") == ["shared"]
    assert names_for("member", f"{ROOT}/available") == ["shared"]
    assert names_for("viewer", f"{ROOT}/available") == []
    inside: Json = {"projectId": web.project_id}
    assert [
        connection["name"]
        for connection in web.ask("GET", f"{ROOT}/available", who="project-member", **inside)["appConnections"]
    ] == ["inside"]
    web.ask("GET", f"{ROOT}/available", who="project-viewer", expect=403, **inside)
    web.ask("GET", ALL, who="member", expect=403, **inside)


def test_a_member_of_the_project_may_set_up_a_rotation_there(web: ApiClient) -> None:
    body = web.body(projectId=web.project_id, isAutoRotationEnabled=True, rotation=WEEKLY)
    web.ask("POST", "", body, who="project-viewer", expect=403)
    connection = web.ask("POST", "", body, who="project-member")["appConnection"]
    (run,) = web.ask("GET", f"{connection['id']}/rotation-runs", who="project-viewer")["rotationRuns"]
    assert run["requestedBy"]["name"] == "project-member@contoso.test"


def test_a_page_of_available_connections_beyond_the_last_one_is_the_last_one(web: ApiClient) -> None:
    for name in ("one", "two", "three"):
        web.create(name, projectId=web.project_id)

    def page(number: int, text: str = "") -> tuple[list[str], int]:
        wanted = web.actors["admin"], web.project_id, "azure-client-secrets", text, number, 2
        found, total = web.world.connections.find_available(*wanted)
        return [each.name for each in found], total

    assert page(2) == (["two"], 3)
    assert page(9) == page(2)
    assert page(9, "nothing") == ([], 0)


def test_a_role_for_one_connection_shows_and_permits_that_one_alone(web: ApiClient) -> None:
    place: Json = {"projectId": web.project_id}
    mine, other = web.create("mine", **place), web.create("secret-lagoon", **place)
    projects, admin, actor = (
        Projects(web.world.database, web.world.clock, web.world.ids),
        web.actors["admin"],
        web.actors["member"],
    )
    where = {"connectionId": {"$eq": mine["id"]}}
    permission = {"subject": "app-connections", "action": ["read", "connect", "edit"], "conditions": where}
    projects.roles.create(admin, web.project_id, NewRole("one", "One", "", (permission,)))
    projects.members.add_people(admin, web.project_id, [actor.name], [GivenRole("one")])
    for path in (f"{ROOT}?projectId={web.project_id}", ALL, f"{ROOT}/available?projectId={web.project_id}"):
        answer = web.ask("GET", path, who="member")
        assert [each["name"] for each in answer["appConnections"]] == ["mine"], path
    search = ConnectionSearch(web.world.database, web.world.clock)
    for project_id, everywhere in ((web.project_id, False), (None, True)):
        page = search.page(actor, project_id, ConnectionQuery(everywhere=everywhere))
        assert ([each.name for each in page.connections], page.total, page.all) == (["mine"], 1, 1)
    web.ask("GET", mine["id"], who="member")
    web.ask("PATCH", mine["id"], {"description": "changed"}, who="member")
    web.ask("DELETE", mine["id"], who="member", expect=403)
    for method, path in (("GET", other["id"]), ("PATCH", other["id"]), ("POST", f"{other['id']}/test")):
        refused = web.ask(method, path, {"description": "x"} if method == "PATCH" else None, who="member", expect=403)
        assert "lagoon" not in str(refused)
    there, nowhere = (
        web.ask("GET", f"connection-name/{name}?projectId={web.project_id}", who="member", expect=403)
        for name in ("secret-lagoon", "no-such")
    )
    assert there["message"] == nowhere["message"]
    web.ask("POST", "", web.body("new", **place), who="member", expect=403)
