"""Templates of the gallery, from which an application is made together with its service principal.

Sources: https://learn.microsoft.com/graph/api/resources/applicationtemplate, .../applicationtemplate-instantiate (the id of the
one for applications outside the gallery), and https://learn.microsoft.com/graph/application-saml-sso-configure-api, whose example
is the other one here, with all that is made of it. The roles and tags of the former are assumed.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import new_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.applications import new_application
from entra_emulator.graph.bodies import json_object, needed_text, only, text_or_none
from entra_emulator.graph.errors import not_found, success
from entra_emulator.graph.limits import check_limits
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import collection, entity
from entra_emulator.graph.permissions import may_try
from entra_emulator.graph.principals import new_principal
from entra_emulator.graph.writes import committed

OUTSIDE_GALLERY = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"
_AWS = "21ed01d2-ec13-4e9e-86c1-cd546719ebc4"
_CONTEXT = "applicationTemplates"
_INTEGRATED = "WindowsAzureActiveDirectoryIntegratedApp"
_TAGS = {
    OUTSIDE_GALLERY: [_INTEGRATED, "WindowsAzureActiveDirectoryCustomSingleSignOnApplication"],
    _AWS: [_INTEGRATED],
}
_ROLES = {
    OUTSIDE_GALLERY: {
        "User": "18d14569-c3bd-439b-9a66-3a2aee01d14f",
        "msiam_access": "b9632174-c057-4f7e-951b-be3adc52bfe6",
    },
    _AWS: {
        "User": "8774f594-1d59-4279-b9d9-59ef09a23530",
        "msiam_access": "e7f1a7f3-9eda-48e0-9963-bd67bf531afd",
    },
}
_TEMPLATES: dict[str, dict[str, Any]] = {
    OUTSIDE_GALLERY: {
        "id": OUTSIDE_GALLERY,
        "displayName": "Custom",
        "homePageUrl": None,
        "supportedSingleSignOnModes": ["password", "saml"],
        "supportedProvisioningTypes": ["sync"],
        "logoUrl": None,
        "categories": [],
        "publisher": None,
        "description": None,
    },
    _AWS: {
        "id": _AWS,
        "displayName": "AWS IAM Identity Center (successor to AWS Single Sign-On)",
        "homePageUrl": "https://aws.amazon.com/",
        "supportedSingleSignOnModes": ["saml", "external"],
        "supportedProvisioningTypes": ["sync"],
        "logoUrl": None,
        "categories": ["developerServices", "itInfrastructure", "security", "New"],
        "publisher": "Amazon Web Services, Inc.",
        "description": None,
    },
}


def _list(call: Call, _keys: tuple[Key, ...]) -> Response:
    return collection(call, list(_TEMPLATES.values()), _CONTEXT)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    return entity(call, _one(keys[0]), _CONTEXT)


def _instantiate(call: Call, keys: tuple[Key, ...]) -> Response:
    may_try(call, write=True)
    template_id, body = _one(keys[0])["id"], json_object(call)
    only(body, frozenset({"displayName", "serviceManagementReference"}), "instantiate")
    name = needed_text(body, "displayName")
    application = new_application(call, name)
    application.template_id = template_id
    application.properties = {
        "appRoles": [_role(role, role_id) for role, role_id in _ROLES[template_id].items()],
        "api": {"oauth2PermissionScopes": [_scope(name, new_guid(call.world.rng))]},
        "serviceManagementReference": text_or_none(body, "serviceManagementReference"),
    }
    check_limits(name, application.audience, application.identifier_uris, application.properties)
    principal = new_principal(call, application)
    principal.template_id = template_id
    principal.properties = {"tags": list(_TAGS[template_id]), "appRoleAssignmentRequired": True}
    call.world.directory.add_application(application)
    call.world.directory.add_principal(principal)
    call.entry.application = application.object_id
    committed(call, application)
    committed(call, principal)
    made = {"application": views.application(call, application), "servicePrincipal": views.principal(call, principal)}
    return success(call, made, "microsoft.graph.applicationServicePrincipal", 201)


def _one(key: Key) -> dict[str, Any]:
    template = _TEMPLATES.get(key[1])
    if template is None:
        raise not_found(key[1][:100])
    return template


def _role(name: str, role_id: str) -> dict[str, Any]:
    shared = {"description": name, "displayName": name, "isEnabled": True, "value": None}
    return {"id": role_id, "allowedMemberTypes": ["User"], **shared}


def _scope(name: str, scope_id: str) -> dict[str, Any]:
    allow = f"Allow the application to access {name} on"
    return {
        "adminConsentDescription": f"{allow} behalf of the signed-in user.",
        "adminConsentDisplayName": f"Access {name}",
        "id": scope_id,
        "isEnabled": True,
        "type": "User",
        "userConsentDescription": f"{allow} your behalf.",
        "userConsentDisplayName": f"Access {name}",
        "value": "user_impersonation",
    }


ROUTES = (
    ("GET", "applicationTemplates", "listApplicationTemplates", _list),
    ("GET", "applicationTemplates/{}", "getApplicationTemplate", _get),
    ("POST", "applicationTemplates/{}/instantiate", "instantiateApplicationTemplate", _instantiate),
)
