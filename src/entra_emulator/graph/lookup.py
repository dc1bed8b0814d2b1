"""Finding directory objects by the keys in a path, as the answering replica knows them."""

from __future__ import annotations

from typing import Any

from entra_emulator.directory.directory import Application, DirectoryObject, Holder, ServicePrincipal, User, as_guid
from entra_emulator.directory.groups import Group
from entra_emulator.directory.world import Call
from entra_emulator.graph.bodies import json_object, needed_text, wrong_type
from entra_emulator.graph.errors import bad_request, denied, not_found
from entra_emulator.graph.permissions import may_touch, may_try

Key = tuple[str, str]
"""The kind of a key in lower case (`id`, `appid`, `uniquename`, `name`) and its value."""


def application_by_key(call: Call, key: Key) -> Application | None:
    """The application of this tenant, whether or not the replica knows it yet."""
    tenant, (kind, value) = call.home(), key
    if kind == "id":
        return tenant.applications.get(value)
    if kind == "appid":
        application = call.world.directory.application(value)
        return application if application and application.tenant_id == tenant.id else None
    if kind == "uniquename":
        matches = (key for key, item in tenant.applications.items() if item.properties.get("uniqueName") == value)
        return tenant.applications.get(next(matches, ""))
    return None


def principal_by_key(call: Call, key: Key) -> ServicePrincipal | None:
    """The service principal of this tenant, whether or not the replica knows it yet."""
    tenant, (kind, value) = call.home(), key
    if kind == "id":
        return tenant.principals.get(value)
    return call.world.directory.principal(tenant, value) if kind == "appid" else None


def creates_missing(call: Call) -> bool:
    """Whether a PATCH by an alternate key that nobody has makes the object.

    Source: https://learn.microsoft.com/graph/api/application-upsert, and the same of groups and service principals.
    """
    return "create-if-missing" in call.headers.get("prefer", "").lower()


_MOST_BOUND = 20
"""Source: https://learn.microsoft.com/graph/api/group-post-groups; for applications and principals what
terraform-provider-azuread a66d423 and b40be14 bind at most when they make one."""

_TARGETS: dict[str, tuple[type, ...]] = {
    "members": (User, Group, ServicePrincipal),
    "owners": (User, ServicePrincipal),
    "manager": (User,),
}


def reference_in(call: Call) -> str:
    """What the body of a request to `$ref` names. Raises GraphError 400 for anything beside it."""
    body = json_object(call)
    unknown = next((name for name in body if name != "@odata.id"), None)
    if unknown is not None:
        raise bad_request(f"The property '{unknown[:100]}' does not exist on a reference.")
    return needed_text(body, "@odata.id")


def referenced(call: Call, reference: str, relation: str) -> DirectoryObject:
    """The object that an address in `@odata.id`, or a bare id, names, as one of `members`, `owners` or `manager`.

    Source of the text for other kinds: https://github.com/MicrosoftDocs/feedback/issues/718. Raises GraphError 400 or 404.
    """
    object_id = as_guid(reference.rstrip("/").rpartition("/")[2])
    item = call.home().directory_object(object_id) if object_id else None
    if item is None:
        raise not_found(reference[-100:])
    if not isinstance(item, _TARGETS[relation]):
        kind = type(item).__name__
        raise bad_request(
            f"The reference target '{kind}_{object_id}' of type '{kind}' is invalid for the '{relation}' reference."
        )
    return item


def take_bound(call: Call, body: dict[str, Any], relation: str) -> list[str]:
    """Takes out of the body the objects that it binds as `members` or `owners`, and gives their object ids.

    Raises GraphError 400 or 404.
    """
    name = f"{relation}@odata.bind"
    references = body.pop(name, [])
    if not isinstance(references, list) or not all(isinstance(reference, str) for reference in references):
        raise wrong_type(name, "Collection(Edm.String)")
    if len(references) > _MOST_BOUND:
        raise bad_request(f"The number of bound references may be {_MOST_BOUND} at most.")
    return [referenced(call, reference, relation).object_id for reference in references]


def the_application(call: Call, key: Key, *, write: bool) -> Application:
    """An application that the replica knows and the caller may read or write. Raises GraphError 403 or 404."""
    may_try(call, write=write)
    application = application_by_key(call, key)
    if application is None:
        raise not_found(key[1][:100])
    _check_known(call, application, key)
    may_touch(call, application, write=write)
    return application


def _check_known(call: Call, holder: Holder, key: Key) -> None:
    if not holder.presence.visible("graph", call.replica, call.now):
        raise denied() if call.settings.young_object_status == 403 else not_found(key[1][:100])


def the_principal(call: Call, key: Key, *, write: bool) -> ServicePrincipal:
    """A service principal that the replica knows and the caller may read or write. Raises GraphError 403 or 404."""
    may_try(call, write=write)
    principal = principal_by_key(call, key)
    if principal is None:
        raise not_found(key[1][:100])
    _check_known(call, principal, key)
    may_touch(call, principal, write=write)
    return principal
