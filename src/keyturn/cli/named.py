"""What commands of the client call by name, as the server's API knows it. Who it is asked as sees only what they may."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from keyturn.client.opening import Client
from keyturn.client.server import Server
from keyturn.errors import NotFound
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid

CONNECTIONS = "/api/v1/app-connections"
ROTATIONS = "/api/v2/secret-rotations/azure-client-secret"
INVENTORIES = "/api/v1/inventories"
_LONGEST_SEARCH = 200
"""Characters that the API looks for."""
_MOST = 20
"""Names that a message lists."""


@dataclass(frozen=True)
class Named:
    """A thing with its address in the API, and what the API says of it."""

    kind: str
    name: str
    path: str
    facts: Mapping[str, Any]

    @property
    def words(self) -> str:
        return f"the {self.kind} '{self.name}'"


def project(server: Server, text: str) -> Named:
    path = f"/api/v1/projects/{text}" if is_uuid(text) else f"/api/v1/projects/slug/{quote(text, safe='')}"
    found = server.ask("GET", path)
    facts = found.get("project", found)
    return Named("project", facts["slug"], f"/api/v1/projects/{facts['id']}", facts)


def project_of(client: Client, text: str) -> Named | None:
    """Return the project that is named beside a thing in it; None for a thing that is called by its id."""
    return None if is_uuid(text) else project(client.server, client.settings.need("project", "--project"))


def environment(server: Server, of: Named, slug: str) -> Named:
    facts = server.ask("GET", f"{of.path}/environments/slug/{quote(slug, safe='')}")
    return Named("environment", facts["slug"], f"{of.path}/environments/{facts['id']}", facts)


def folder(server: Server, of: Named, environment_slug: str, path: str) -> Named:
    where = f"/api/v1/folders/{of.facts['id']}/{quote(environment_slug, safe='')}/{quote(path.strip('/'))}"
    facts = server.ask("GET", where)["folder"]
    return Named("folder", path, f"/api/v1/folders/{facts['id']}", facts)


def rotation(server: Server, text: str, of: Named | None) -> Named:
    """Return a secret rotation by its id, or by its name among those of a project."""
    if of is None:
        facts = server.ask("GET", f"{ROTATIONS}/{quote(text, safe='')}")["secretRotation"]
    else:
        found = server.ask("GET", ROTATIONS, {"projectId": of.facts["id"]})["secretRotations"]
        facts = _one("secret rotation", text, found, f"the project '{of.name}'")
    return Named("secret rotation", facts["name"], f"{ROTATIONS}/{facts['id']}", facts)


def connection(server: Server, text: str, of: Named | None) -> Named:
    """Return an app connection by its id or its name, of a project or of the organization."""
    query = {"projectId": of.facts["id"]} if of else {}
    found = server.ask("GET", CONNECTIONS, query)["appConnections"]
    found = [each for each in found if of or each["projectId"] is None or each["id"] == text]
    facts = _one("connection", text, found, f"the project '{of.name}'" if of else "the organization")
    return Named("connection", facts["name"], f"{CONNECTIONS}/{facts['app']}/{facts['id']}", facts)


def application(server: Server, text: str, tenant_id: str) -> Named:
    """Return an application of the inventories, or of that of one tenant, by its object id, client id or name."""
    found: dict[str, Mapping[str, Any]] = {}
    for inventory in server.ask("GET", INVENTORIES)["inventories"]:
        if tenant_id.lower() in {"", inventory["tenantId"]}:
            for each in _credentials(server, f"{INVENTORIES}/{inventory['id']}", text):
                if text.lower() in {each["objectId"], each["appId"], each["displayName"].lower()}:
                    path = f"{INVENTORIES}/{inventory['id']}/applications/{each['objectId']}"
                    found[path] = {**each, "id": each["objectId"], "name": text, "path": path}
    if not found:
        raise NotFound(
            f"There is no application '{text}' in the inventories that this caller may see.",
            code="client.not_found",
            fix="Give its object id, client id or whole name, as the page Inventory shows them. The inventory of its tenant "
            "has to be switched on.",
        )
    facts = _one("application", text, found.values(), "the inventories")
    return Named("application", facts["displayName"], facts["path"], facts)


def _credentials(server: Server, inventory: str, text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the lines of applications that have the words."""
    asked = {"search": text[:_LONGEST_SEARCH], "objectType": "application", "sort": "name", "limit": "500"}
    offset: int | None = 0
    while offset is not None:
        page = server.ask("GET", f"{inventory}/credentials", asked | {"offset": str(offset)})
        yield from page["credentials"]
        offset = page["nextOffset"]


def identity(server: Server, text: str) -> Named:
    found = [each["identity"] for each in server.ask("GET", "/api/v1/identities")["identities"]]
    facts = _one("machine identity", text, found, "the organization")
    return Named("machine identity", facts["name"], f"/api/v1/identities/{facts['id']}", facts)


def user(server: Server, text: str) -> Named:
    found = [{**each, "name": each["email"]} for each in server.ask("GET", "/api/v1/users")["users"]]
    facts = _one("user", text.lower(), found, "the organization")
    return Named("user", facts["email"], f"/api/v1/users/{facts['id']}", facts)


def _one(kind: str, text: str, found: Iterable[Mapping[str, Any]], where: str) -> Mapping[str, Any]:
    """Return the one with this id or name. Raises NotFound, naming those that there are, and for a name that several have."""
    all_of_them = list(found)
    matches = [each for each in all_of_them if text in {each["id"], each["name"]}]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise NotFound(
            f"In {where} there are {len(matches)} of the name '{text}'.",
            code="client.several",
            fix=f"Give the id of one: {', '.join(each['id'] for each in matches[:_MOST])}",
        )
    names = sorted(each["name"] for each in all_of_them)
    more = f" and {len(names) - _MOST} more" if names[_MOST:] else ""
    there = f"There is: {', '.join(names[:_MOST])}{more}." if names else f"There is no {kind} that this caller may see."
    raise NotFound(f"There is no {kind} '{text}' in {where}.", code="client.not_found", fix=there)
