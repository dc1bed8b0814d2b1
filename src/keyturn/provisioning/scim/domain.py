"""What SCIM provisions, as values: tokens of clients, groups; and users and groups in the shapes of RFC 7643."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from keyturn.errors import Conflict
from keyturn.kit.clock import iso
from keyturn.kit.dataclasses import dataclass
from keyturn.people.domain import User
from keyturn.provisioning.scim.patches import fields, invalid
from keyturn.provisioning.scim.sorting import in_order

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
USER_FIELDS = ("userName", "externalId", "name", "active")
"""What of a user is taken. Others may be sent, as Entra ID does, and nothing is kept of them."""
GROUP_FIELDS = ("displayName", "externalId", "members")
MOST_MEMBERS = 10_000
LONGEST = 255


@dataclass(frozen=True)
class ScimToken:
    """With what a client that provisions signs in. Only a digest of it is kept."""

    id: str
    org_id: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def works(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class Group:
    """A group that a client provisions. ``members`` are ids of users."""

    id: str
    org_id: str
    external_id: str | None
    name: str
    created_at: datetime
    updated_at: datetime
    members: Sequence[str] = ()


@dataclass(frozen=True)
class Person:
    """A user with what clients call them."""

    user: User
    external_id: str | None = None


@dataclass(frozen=True)
class UserChange:
    """A user as a client wants them to be."""

    email: str
    external_id: str | None
    first_name: str
    last_name: str
    active: bool


@dataclass(frozen=True)
class Window:
    """A page of what matches: ``count`` resources from ``start`` (from 1) on, in the order of an attribute, if any."""

    start: int = 1
    count: int = 100
    sort_by: str = ""
    descending: bool = False

    def of(self, matches: Sequence[Any]) -> Sequence[Any]:
        return matches[self.start - 1 : self.start - 1 + self.count]

    def page(self, matches: Sequence[dict[str, Any]]) -> "Page":
        """Return the page of these resources, put in order and with their versions."""
        if self.sort_by:
            matches = in_order(matches, self.sort_by, descending=self.descending)
        return Page(len(matches), [with_version(each) for each in self.of(matches)])


@dataclass(frozen=True)
class Page:
    """``resources`` of ``total`` that match."""

    total: int
    resources: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class GroupChange:
    name: str
    external_id: str | None
    members: Sequence[str] = field(default_factory=tuple)


Expected = Callable[[str], bool]
"""Whether a version is one that the client expects, who would change or remove nothing else: ``If-Match``."""


def any_version(_version: str) -> bool:
    return True


# --- as clients see them ----------------------------------------------------------------------------------------------


def user_resource(person: Person, groups: Sequence[Group], base: str) -> dict[str, Any]:
    """Return the user in the shape of RFC 7643, section 4.1. ``base`` is the address of the service."""
    user = person.user
    name = {"givenName": user.first_name, "familyName": user.last_name}
    formatted = f"{user.first_name} {user.last_name}".strip()
    shown = {
        "schemas": [USER],
        "id": user.id,
        "externalId": person.external_id,
        "userName": user.email,
        "name": {key: value for key, value in name.items() if value},
        "displayName": formatted or user.email,
        "active": user.disabled_at is None,
        "emails": [{"value": user.email, "type": "work", "primary": True}],
        "groups": [
            {"value": each.id, "$ref": f"{base}/Groups/{each.id}", "display": each.name, "type": "direct"}
            for each in groups
        ],
        "meta": _meta("User", f"{base}/Users/{user.id}", user.created_at, user.updated_at),
    }
    return {key: value for key, value in shown.items() if value not in (None, {}, [])}


def group_resource(group: Group, base: str) -> dict[str, Any]:
    """Return the group in the shape of RFC 7643, section 4.2."""
    shown = {
        "schemas": [GROUP],
        "id": group.id,
        "externalId": group.external_id,
        "displayName": group.name,
        "members": [{"value": each, "$ref": f"{base}/Users/{each}", "type": "User"} for each in group.members],
        "meta": _meta("Group", f"{base}/Groups/{group.id}", group.created_at, group.updated_at),
    }
    return {key: value for key, value in shown.items() if value is not None}


def with_version(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the resource with its version, by which clients tell whether anything in it has changed: RFC 7644, section 3.14."""
    digest = hashlib.sha256(json.dumps(resource, sort_keys=True).encode()).hexdigest()
    return resource | {"meta": resource["meta"] | {"version": f'W/"{digest[:32]}"'}}


def require_expected(resource: dict[str, Any], expected: Expected) -> None:
    """Raise Conflict where the client expects another version of the resource than that of now."""
    if expected is not any_version and not expected(with_version(resource)["meta"]["version"]):
        raise Conflict(
            "Somebody has changed it since this client has read it.",
            code="scim.version",
            fix="Read it again, and send the change with its ETag as If-Match; or without, whatever it is.",
        )


def _meta(kind: str, location: str, created_at: datetime, updated_at: datetime) -> dict[str, str]:
    return {
        "resourceType": kind,
        "created": iso(created_at),
        "lastModified": iso(updated_at),
        "location": location,
    }


# --- as clients send them ---------------------------------------------------------------------------------------------


def user_change(resource: object) -> UserChange:
    """Read a user. Raises Refused for what is none; what of it this server does not keep is passed over."""
    given = fields(_object(resource), USER_FIELDS)
    name = given.get("name")
    names = fields({} if name is None else _object(name), ("givenName", "familyName"))
    email = _text(given, "userName")
    if not email:
        raise invalid("A user has a 'userName', which is an e-mail address here.", "userName")
    first, last = _text(names, "givenName") or "", _text(names, "familyName") or ""
    return UserChange(email, _text(given, "externalId"), first, last, _active(given.get("active")))


def group_change(resource: object) -> GroupChange:
    """Read a group. Raises Refused for what is none."""
    given = fields(_object(resource), GROUP_FIELDS)
    name = _text(given, "displayName")
    if not name:
        raise invalid("A group has a 'displayName'.", "displayName")
    members = given.get("members")
    if not isinstance(members, list | None) or len(members or ()) > MOST_MEMBERS:
        raise invalid(f"'members' is a list of up to {MOST_MEMBERS} members.", "members")
    ids = dict.fromkeys(_text(fields(_object(each), ("value",)), "value") or "" for each in members or ())
    return GroupChange(name, _text(given, "externalId"), tuple(ids))


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid("An object is expected.")
    return value


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise invalid(f"'{name}' is a text of up to {LONGEST} printable characters.", name)
    return value.strip() or None


def _active(value: object) -> bool:
    """Read ``active``, which Entra ID sends as a text, too."""
    if value is None:
        return True
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise invalid("'active' is true or false.", "active")
    return value
