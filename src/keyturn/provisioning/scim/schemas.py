"""What this service says of itself: RFC 7643, sections 5 to 7. Pure."""

from collections.abc import Sequence
from typing import Any

from keyturn.provisioning.scim.domain import GROUP, USER

MOST_RESULTS = 500
_CORE = "urn:ietf:params:scim:schemas:core:2.0"


def service_provider_config(base: str) -> dict[str, Any]:
    no = {"supported": False}
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": no | {"maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_RESULTS},
        "changePassword": no,
        "sort": {"supported": True},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token that an admin makes under Members, Provisioning",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    return [_resource_type(base, "User", "/Users", USER), _resource_type(base, "Group", "/Groups", GROUP)]


def _resource_type(base: str, name: str, endpoint: str, schema: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": endpoint,
        "description": f"{name}s of this server",
        "schema": schema,
        "schemaExtensions": [],
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
    }


def schemas(base: str) -> list[dict[str, Any]]:
    return [
        _schema(base, USER, "User", "A user of this server", _USER),
        _schema(base, GROUP, "Group", "A group of users, which has roles here", _GROUP),
    ]


def _schema(base: str, urn: str, name: str, text: str, attributes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": urn,
        "name": name,
        "description": text,
        "attributes": list(attributes),
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
    }


def _attribute(
    name: str,
    text: str,
    kind: str = "string",
    *,
    required: bool = False,
    several: bool = False,
    mutability: str = "readWrite",
    exact: bool = False,
    unique: bool = False,
    parts: Sequence[dict[str, Any]] = (),
    **more: Any,
) -> dict[str, Any]:
    shown = {
        "name": name,
        "type": kind,
        "multiValued": several,
        "description": text,
        "required": required,
        "mutability": mutability,
        "returned": "default",
    }
    if kind in {"string", "reference"}:
        shown |= {"caseExact": exact, "uniqueness": "server" if unique else "none"}
    return shown | ({"subAttributes": list(parts)} if parts else {}) | more


_READ: Any = {"mutability": "readOnly"}
_ONCE: Any = {"mutability": "immutable"}
_USER = (
    _attribute("userName", "The e-mail address with which the user signs in", required=True, unique=True),
    _attribute(
        "name",
        "The name of the user",
        "complex",
        parts=(
            _attribute("familyName", "The last name"),
            _attribute("givenName", "The first name"),
        ),
    ),
    _attribute("displayName", "First and last name, or the address", **_READ),
    _attribute("active", "Whether the user can sign in; false ends sessions and tokens at once", "boolean"),
    _attribute(
        "emails",
        "The address of the user, which is the userName",
        "complex",
        several=True,
        parts=(
            _attribute("value", "The address", **_READ),
            _attribute("type", "Always work", **_READ),
            _attribute("primary", "Always true", "boolean", **_READ),
        ),
        **_READ,
    ),
    _attribute(
        "groups",
        "The groups that the user is in",
        "complex",
        several=True,
        parts=(
            _attribute("value", "The id of the group", exact=True, **_READ),
            _attribute("$ref", "The group", "reference", exact=True, referenceTypes=["Group"], **_READ),
            _attribute("display", "The name of the group", **_READ),
            _attribute("type", "Always direct", canonicalValues=["direct", "indirect"], **_READ),
        ),
        **_READ,
    ),
)
_GROUP = (
    _attribute("displayName", "The name of the group", required=True, unique=True),
    _attribute(
        "members",
        "The users in the group",
        "complex",
        several=True,
        parts=(
            _attribute("value", "The id of the user", exact=True, **_ONCE),
            _attribute("$ref", "The user", "reference", exact=True, referenceTypes=["User"], **_ONCE),
            _attribute("type", "Always User", canonicalValues=["User"], **_ONCE),
        ),
    ),
)
