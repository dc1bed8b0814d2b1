"""What each route of the whole application lets people do: the one place where a route is classified.

A route that is not classified here fails the walk, and so does a line here that fits no route. What a role may do is not
said here, it is looked up in the product's own table of permissions by the action.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from keyturn.authz.domain import Action

Json = Mapping[str, Any]
NOTHING: Json = {}


class Place(StrEnum):
    PUBLIC = "anybody, signed in or not"
    SELF = "whoever has signed in: the own account, or a list that holds only what one may see"
    ORGANIZATION = "by the role in the organization"
    OF_ORGANIZATION = "by the role in the organization, on a thing that another organization does not see"
    PROJECT = "by the role in the project"
    SERVER = "admins of the organization"
    PROVISIONING = "clients with a token for that, and none of the callers here"


@dataclass(frozen=True)
class Rule:
    """``body`` is valid, so that only a permission can be missing. ``also``: what a permitted caller may be answered."""

    place: Place
    action: Action | None = None
    body: Json | None = None
    also: frozenset[int] = frozenset()
    absent: int = 404
    fill: Json = field(default_factory=dict)
    query: str = ""
    by_cookie: bool = False
    """Whether only a browser's session counts, as on pages."""
    by_token: bool = False
    reads_values: bool = False
    """Whether an answer hands out values of secrets, which is written to the audit trail."""
    """Whether a browser's session is not enough."""


def _org(action: Action, body: Json | None = None, **more: Any) -> Rule:
    return Rule(Place.ORGANIZATION, action, body, **more)


def _of(action: Action, body: Json | None = None, **more: Any) -> Rule:
    return Rule(Place.OF_ORGANIZATION, action, body, **more)


def _in(action: Action, body: Json | None = None, **more: Any) -> Rule:
    return Rule(Place.PROJECT, action, body, **more)


PUBLIC = Rule(Place.PUBLIC)
SELF = Rule(Place.SELF)
_UNKNOWN_PASSWORD = "no password of anybody"


def _self(body: Json | None = None, *also: int, **more: Any) -> Rule:
    return Rule(Place.SELF, None, body, frozenset(also), **more)


_PROJECT_ROOTS = ("/api/v1/projects", "/api/v1/workspace", "/api/v2/workspace")
_CONNECTIONS = "/api/v1/app-connections"
_AZURE = f"{_CONNECTIONS}/azure-client-secrets"
_UNIVERSAL = "/api/v1/auth/universal-auth/identities/{identity_id}"
_OIDC = "/api/v1/auth/oidc-auth/identities/{identity_id}"
_ENTRA = "/api/v1/auth/azure-auth/identities/{identity_id}"
_ENTRA_BODY = {
    "tenantId": "11111111-2222-4333-8444-555555555555",
    "resource": "https://management.azure.com/",
    "allowedServicePrincipalIds": "11111111-2222-4333-8444-666666666666",
}
_KUBERNETES = "/api/v1/auth/kubernetes-auth/identities/{identity_id}"
_UNSET = frozenset({404})
"""The identity does not have this way to sign in."""
_OIDC_BODY = {"oidcDiscoveryUrl": "https://issuer.test", "boundIssuer": "https://issuer.test", "boundSubject": "x"}
_JOINED = {"identity_id": "joined"}
_FREE = {"identity_id": "free"}

_SCHEDULE = {"rotationInterval": "9", "rotateAt": "03:30", "timeZone": "UTC", "isAutoRotationEnabled": "true"}
_AUTH_FORM = {
    "ttl": "600",
    "max_ttl": "600",
    "uses_limit": "0",
    "lockout_threshold": "3",
    "lockout_seconds": "300",
    "secret_addresses": "0.0.0.0/0",
    "token_addresses": "0.0.0.0/0",
    "lockout": "true",
}
_RULES_FORM = {"ttl": "600", "max_ttl": "600", "uses_limit": "0", "addresses": "0.0.0.0/0"}
_OIDC_FORM = _RULES_FORM | {"discovery_url": "https://issuer.test", "issuer": "https://issuer.test", "subject": "x"}
_ENTRA_FORM = _RULES_FORM | {
    "tenant": "11111111-2222-4333-8444-555555555555",
    "resource": "https://management.azure.com/",
    "principals": "11111111-2222-4333-8444-666666666666",
}
_KUBERNETES_FORM = _RULES_FORM | {"host": "10.0.0.1", "names": "web"}
_OBJECT_ID = "11111111-2222-4333-8444-777777777777"
_NO_GROUP_ROLE = {"group_role_id": "nothing"}
_NEW_USER = {"email": "new@contoso.test", "password": "vellum-orbit-pickle-95", "role": "viewer"}

# --- the JSON API -----------------------------------------------------------------------------------------------------

_SCIM = "/api/scim/v2"
_API: dict[str, Rule] = {
    "POST /api/v1/auth/universal-auth/login": PUBLIC,
    "POST /api/v1/auth/oidc-auth/login": PUBLIC,
    "POST /api/v1/auth/azure-auth/login": PUBLIC,
    "POST /api/v1/auth/kubernetes-auth/login": PUBLIC,
    "POST /api/v1/auth/login": PUBLIC,
    "POST /api/v1/auth/token/renew": PUBLIC,
    "POST /api/v1/auth/token/revoke": PUBLIC,
    "POST /api/v1/admin/bootstrap": PUBLIC,
    "GET /api/status": PUBLIC,
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /api/docs": PUBLIC,
    "GET /api/docs/json": PUBLIC,
    "GET /api/docs/{tag}": Rule(Place.PUBLIC, fill={"tag": "nothing"}),
    "GET /api/v1/users": _org(Action.READ_USERS),
    "POST /api/v1/users": _org(Action.MANAGE_USERS, _NEW_USER),
    "GET /api/v1/users/me": _self(None, 404),
    "POST /api/v1/users/me/password": _self(
        {"oldPassword": _UNKNOWN_PASSWORD, "newPassword": "vellum-orbit-pickle-96"}, 400, 401, 403, 404
    ),
    "PATCH /api/v1/users/{user_id}": _of(Action.MANAGE_USERS, {"role": "viewer"}),
    "DELETE /api/v1/users/{user_id}": _of(Action.MANAGE_USERS),
    "GET /api/v1/users/{user_id}/owned": _of(Action.MANAGE_USERS),
    "POST /api/v1/users/{user_id}/disable": _of(Action.MANAGE_USERS, NOTHING),
    "POST /api/v1/users/{user_id}/enable": _of(Action.MANAGE_USERS),
    "GET /api/v1/organization/sign-in-rules": _org(Action.READ_USERS),
    "PUT /api/v1/organization/sign-in-rules": Rule(Place.SERVER, None, {"secondFactorRequired": False}),
    "POST /api/v1/users/invitations": _org(Action.MANAGE_USERS, {"email": "invited@contoso.test"}),
    "GET /api/v1/users/{user_id}": _of(Action.MANAGE_USERS),
    "POST /api/v1/users/{user_id}/unlock": _of(Action.MANAGE_USERS),
    "POST /api/v1/users/{user_id}/password": _of(Action.MANAGE_USERS, {"password": "vellum-orbit-pickle-97"}),
    "POST /api/v1/users/{user_id}/password-link": _of(Action.MANAGE_USERS),
    "DELETE /api/v1/users/{user_id}/second-factor": _of(Action.MANAGE_USERS),
    # Nobody here was invited.
    "POST /api/v1/users/{user_id}/invitation": _of(Action.MANAGE_USERS, also=frozenset({400})),
    "DELETE /api/v1/users/{user_id}/invitation": _of(Action.MANAGE_USERS, also=frozenset({400})),
    "GET /api/v1/users/{user_id}/sessions": _of(Action.MANAGE_USERS),
    "DELETE /api/v1/users/{user_id}/sessions": _of(Action.MANAGE_USERS),
    "DELETE /api/v1/users/{user_id}/sessions/{session_id}": _of(Action.MANAGE_USERS, also=_UNSET),
    "POST /api/v1/auth/password-links/redeem": PUBLIC,
    "PUT /api/v1/users/{user_id}/entra-identity": _of(Action.MANAGE_USERS, {"objectId": _OBJECT_ID}),
    "DELETE /api/v1/users/{user_id}/entra-identity": _of(Action.MANAGE_USERS),
    "GET /api/v1/group-roles": _org(Action.MANAGE_USERS),
    "POST /api/v1/group-roles": _org(Action.MANAGE_USERS, {"groupId": _OBJECT_ID, "role": "viewer"}),
    "DELETE /api/v1/group-roles/{group_role_id}": _self(None, 403, 404, fill=_NO_GROUP_ROLE),
    "GET /api/v1/identities": _org(Action.READ_IDENTITIES),
    "POST /api/v1/identities": _org(Action.MANAGE_IDENTITIES, {"name": "new", "role": "viewer"}),
    "GET /api/v1/identities/details": SELF,
    "GET /api/v1/identities/{identity_id}": _of(Action.READ_IDENTITIES),
    "PATCH /api/v1/identities/{identity_id}": _of(Action.MANAGE_IDENTITIES, {"name": "renamed"}),
    "DELETE /api/v1/identities/{identity_id}": _of(Action.MANAGE_IDENTITIES),
    f"GET {_UNIVERSAL}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED),
    f"POST {_UNIVERSAL}": _of(Action.MANAGE_IDENTITIES, NOTHING, fill=_FREE),
    f"PATCH {_UNIVERSAL}": _of(Action.MANAGE_IDENTITIES, {"accessTokenTTL": 600}, fill=_JOINED),
    f"DELETE {_UNIVERSAL}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED),
    f"POST {_UNIVERSAL}/clear-lockouts": _of(Action.MANAGE_IDENTITIES, fill=_JOINED),
    f"GET {_UNIVERSAL}/client-secrets": _of(Action.MANAGE_IDENTITIES, fill=_JOINED),
    f"POST {_UNIVERSAL}/client-secrets": _of(Action.MANAGE_IDENTITIES, NOTHING, fill=_JOINED),
    f"GET {_UNIVERSAL}/client-secrets/{{secret_id}}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED),
    f"POST {_UNIVERSAL}/client-secrets/{{secret_id}}/revoke": _of(Action.MANAGE_IDENTITIES, fill=_JOINED),
    f"GET {_OIDC}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED, also=_UNSET),
    f"POST {_OIDC}": _of(Action.MANAGE_IDENTITIES, _OIDC_BODY, fill=_JOINED),
    f"PATCH {_OIDC}": _of(Action.MANAGE_IDENTITIES, {"accessTokenTTL": 600}, fill=_JOINED, also=_UNSET),
    f"DELETE {_OIDC}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED, also=_UNSET),
    f"GET {_ENTRA}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED, also=_UNSET),
    f"POST {_ENTRA}": _of(Action.MANAGE_IDENTITIES, _ENTRA_BODY, fill=_JOINED),
    f"PATCH {_ENTRA}": _of(Action.MANAGE_IDENTITIES, {"accessTokenTTL": 600}, fill=_JOINED, also=_UNSET),
    f"DELETE {_ENTRA}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED, also=_UNSET),
    f"GET {_KUBERNETES}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED, also=_UNSET),
    f"POST {_KUBERNETES}": _of(
        Action.MANAGE_IDENTITIES, {"kubernetesHost": "10.0.0.1", "allowedNames": "web"}, fill=_JOINED
    ),
    f"PATCH {_KUBERNETES}": _of(Action.MANAGE_IDENTITIES, {"accessTokenTTL": 600}, fill=_JOINED, also=_UNSET),
    f"DELETE {_KUBERNETES}": _of(Action.MANAGE_IDENTITIES, fill=_JOINED, also=_UNSET),
    "GET /api/v1/projects": SELF,
    "GET /api/v1/workspace": SELF,
    "POST /api/v1/projects": _org(Action.CREATE_PROJECT, {"projectName": "New", "slug": "brand-new"}),
    "POST /api/v2/workspace": _org(Action.CREATE_PROJECT, {"projectName": "New", "slug": "brand-new"}),
    "GET /api/v1/receipt-key": PUBLIC,
    "GET /api/v1/receipt-keys": PUBLIC,
    "GET /api/v1/rotation-runs/{run_id}/receipt": _self(None, 404, fill={"run_id": "nothing"}),
    "GET /api/v1/organization/audit-logs": _org(Action.READ_AUDIT_LOGS),
    "GET /api/v1/organization/audit-logs/streams": _org(Action.READ_AUDIT_LOGS),
    "GET /api/v1/organization/audit-logs/head": _org(Action.READ_AUDIT_LOGS),
    "POST /api/v1/organization/audit-logs/verify": _org(Action.READ_AUDIT_LOGS, NOTHING),
    f"GET {_CONNECTIONS}/options": SELF,
    f"GET {_CONNECTIONS}": SELF,
    f"GET {_AZURE}": SELF,
    f"GET {_AZURE}/available": SELF,
    f"GET {_AZURE}/removals": SELF,
    f"GET {_AZURE}/removals/{{removal_id}}": _self(None, 404, fill={"removal_id": "nothing"}),
    f"POST {_AZURE}": _in(Action.CREATE_CONNECTIONS, {"connection": "another"}, absent=400),
    f"GET {_AZURE}/{{connection_id}}": _in(Action.READ_CONNECTIONS),
    f"PATCH {_AZURE}/{{connection_id}}": _in(Action.EDIT_CONNECTIONS, {"description": "changed"}),
    f"DELETE {_AZURE}/{{connection_id}}": _in(Action.DELETE_CONNECTIONS),
    f"GET {_AZURE}/connection-name/{{connection_name}}": _in(Action.READ_CONNECTIONS, query="?projectId={project_id}"),
    f"GET {_AZURE}/{{connection_id}}/clients": _in(Action.CONNECT_CONNECTIONS),
    f"GET {_AZURE}/{{connection_id}}/applications": _in(Action.CONNECT_CONNECTIONS),
    f"GET {_AZURE}/{{connection_id}}/allowed-applications": _in(Action.READ_CONNECTIONS),
    f"PATCH {_AZURE}/{{connection_id}}/allowed-applications": _in(Action.EDIT_CONNECTIONS, {"allOwned": True}),
    f"PUT {_AZURE}/{{connection_id}}/allowed-applications/{{object_id}}": _in(
        Action.EDIT_CONNECTIONS, fill={"object_id": "nothing"}, also=_UNSET
    ),
    f"DELETE {_AZURE}/{{connection_id}}/allowed-applications/{{object_id}}": _in(
        Action.EDIT_CONNECTIONS, fill={"object_id": "nothing"}
    ),
    f"POST {_AZURE}/{{connection_id}}/test": _in(Action.CONNECT_CONNECTIONS),
    f"GET {_AZURE}/{{connection_id}}/preview": _in(Action.DELETE_CONNECTIONS),
    f"POST {_AZURE}/{{connection_id}}/rotate-credentials": _in(Action.ROTATE_CREDENTIALS),
    f"GET {_AZURE}/{{connection_id}}/credentials": _in(Action.READ_CONNECTIONS),
    f"GET {_AZURE}/{{connection_id}}/rotation-runs": _in(Action.READ_CONNECTIONS),
    f"POST {_AZURE}/oauth/authorize-url": _in(
        Action.CREATE_CONNECTIONS,
        {"tenantId": "{tenant_id}", "name": "by-oauth", "projectId": "{project_id}"},
        by_token=True,
    ),
    f"POST {_AZURE}/oauth/callback": _self({"state": "unknown", "code": "unknown"}, 400, 404, by_token=True),
}

_PROVISIONED = (
    *(
        "Users",
        "Users/.search",
        "Users/{user_id}",
        "Groups",
        "Groups/.search",
        "Groups/{group_id}",
        ".search",
        "Bulk",
        "Me",
        "{rest}",
    ),
    *("ServiceProviderConfig", "ResourceTypes", "ResourceTypes/{name}", "Schemas", "Schemas/{name}"),
)
_API |= {
    f"{_method} {_SCIM}/{_path}": Rule(
        Place.PROVISIONING, fill=dict.fromkeys(("user_id", "group_id", "name", "rest"), "nothing")
    )
    for _path in _PROVISIONED
    for _method in ("GET", "POST", "PUT", "PATCH", "DELETE")
}

_INVENTORY = "/api/v1/inventories/{inventory_id}"
_ROTATIONS = "/api/v2/secret-rotations"
_ROTATION = f"{_ROTATIONS}/azure-client-secret/{{rotation_id}}"
_A_ROTATION = {"rotation_id": "secret_rotation"}
_NEVER_OVER = frozenset({504})
"""A request that waits for a run, which nobody carries out here."""
_NOTHING_MADE = frozenset({400})
"""Nothing was published yet."""
_HANDED_OVER = {"keyId": "{nothing}", "clientSecret": "no secret of anybody"}
_NEW_ROTATION = {
    "name": "another",
    "projectId": "{project_id}",
    "connectionId": "{connection_id}",
    "environment": "{environment_slug}",
    "secretPath": "/",
    "rotationInterval": 30,
    "parameters": {
        "objectId": "00000000-0000-4000-8000-000000000000",
        "clientId": "00000000-0000-4000-8000-000000000000",
    },
    "secretsMapping": {"clientId": "A", "clientSecret": "B"},
}
_API |= {
    f"GET {_ROTATIONS}/options": SELF,
    f"GET {_ROTATIONS}": _in(Action.READ_ROTATIONS, query="?projectId={project_id}"),
    f"GET {_ROTATIONS}/azure-client-secret": _in(Action.READ_ROTATIONS, query="?projectId={project_id}"),
    f"POST {_ROTATIONS}/azure-client-secret": _in(Action.CREATE_ROTATIONS, _NEW_ROTATION, also=frozenset({400})),
    f"GET {_ROTATIONS}/azure-client-secret/rotation-name/{{rotation_name}}": _in(
        Action.READ_ROTATIONS,
        query="?projectId={project_id}&environment={rotation_environment}&secretPath=/",
        fill={"rotation_name": "rotation_name"},
    ),
    f"GET {_ROTATION}": _in(Action.READ_ROTATIONS, fill=_A_ROTATION),
    f"DELETE {_ROTATION}": _in(Action.DELETE_ROTATIONS, fill=_A_ROTATION),
    f"POST {_ROTATION}/rotate-secrets": _in(Action.ROTATE_SECRETS, also=_NEVER_OVER, fill=_A_ROTATION),
    f"POST {_ROTATIONS}/azure-client-secret/plan": _in(Action.CREATE_ROTATIONS, _NEW_ROTATION, also=frozenset({400})),
    f"GET {_ROTATION}/plan": _in(Action.READ_ROTATIONS, fill=_A_ROTATION),
    f"GET {_ROTATION}/preview": _in(Action.DELETE_ROTATIONS, fill=_A_ROTATION),
    f"GET {_ROTATION}/shared-with": _in(Action.READ_ROTATIONS, fill=_A_ROTATION),
    "GET /api/v1/deletions/preview": _in(Action.DELETE_PROJECT, query="?projectId={project_id}"),
    "POST /api/v1/deletions": _in(Action.DELETE_PROJECT, {"projectId": "{project_id}"}, also=frozenset({400})),
    "GET /api/v1/deletions": SELF,
    "POST /api/v1/deletions/{deletion_id}/restore": _self({}, 404, fill={"deletion_id": "nothing"}),
    f"PATCH {_ROTATION}": _in(Action.EDIT_ROTATIONS, {"description": "changed"}, fill=_A_ROTATION),
    f"POST {_ROTATION}/make-previous-current": _in(Action.ROTATE_SECRETS, also=_NOTHING_MADE, fill=_A_ROTATION),
    f"POST {_ROTATION}/hand-over": _in(Action.EDIT_ROTATIONS, _HANDED_OVER, also=_NOTHING_MADE, fill=_A_ROTATION),
    f"POST {_ROTATION}/release": _in(
        Action.EDIT_ROTATIONS, {"keyId": "{nothing}"}, also=frozenset({400, 404}), fill=_A_ROTATION
    ),
    f"GET {_ROTATION}/generated-credentials": _in(
        Action.READ_GENERATED_CREDENTIALS, fill=_A_ROTATION, reads_values=True
    ),
    f"POST {_ROTATION}/check-credentials": _in(Action.READ_ROTATIONS, also=_NOTHING_MADE, fill=_A_ROTATION),
    f"GET {_ROTATION}/credentials": _in(Action.READ_ROTATIONS, fill=_A_ROTATION),
    f"GET {_ROTATION}/rotation-runs": _in(Action.READ_ROTATIONS, fill=_A_ROTATION),
    f"GET {_ROTATION}/consumers": _in(Action.READ_ROTATIONS, fill=_A_ROTATION),
    "POST /api/v1/delivery/in-use": _in(
        Action.READ_SECRET_VALUES,
        {"projectId": "{project_id}", "environment": "{environment_slug}", "keyIds": ["no-such-key"]},
        also=frozenset({400}),
    ),
}

_AT = "?projectId={project_id}&environment={environment_slug}"
_WHERE = {"projectId": "{project_id}", "environment": "{environment_slug}"}
_INNER = {"secret_name": "secret_name"}


def _values(action: Action, body: Json | None = None, **more: Any) -> Rule:
    return _in(action, body, reads_values=True, **more)


for _root in ("/api/v3/secrets/raw", "/api/v4/secrets"):
    _API |= {
        f"GET {_root}": _values(Action.DESCRIBE_SECRETS, query=_AT),
        f"GET {_root}/{{secret_name}}": _values(Action.DESCRIBE_SECRETS, query=_AT, fill=_INNER),
        f"GET {_root}/id": _values(Action.DESCRIBE_SECRETS, query=_AT, also=frozenset({404})),
        f"GET {_root}/id/{{secret_id}}": _values(Action.DESCRIBE_SECRETS, fill={"secret_id": "stored_secret"}),
        f"POST {_root}/{{secret_name}}": _in(
            Action.CREATE_SECRETS, {**_WHERE, "secretValue": "new"}, fill={"secret_name": "nothing"}
        ),
        f"POST {_root}/id": _in(Action.CREATE_SECRETS, {**_WHERE, "secretValue": "new"}),
        f"PATCH {_root}/{{secret_name}}": _in(Action.EDIT_SECRETS, {**_WHERE, "secretValue": "new"}, fill=_INNER),
        f"PATCH {_root}/id": _in(Action.EDIT_SECRETS, {**_WHERE, "secretValue": "new"}, also=frozenset({404})),
        f"DELETE {_root}/{{secret_name}}": _in(Action.DELETE_SECRETS, _WHERE, fill=_INNER),
        f"DELETE {_root}/id": _in(Action.DELETE_SECRETS, _WHERE, also=frozenset({404})),
    }
for _root in ("/api/v1/folders", "/api/v2/folders"):
    _API |= {
        f"GET {_root}": _in(Action.READ_FOLDERS, query=_AT),
        f"POST {_root}": _in(Action.CREATE_FOLDERS, {**_WHERE, "name": "new"}),
        f"GET {_root}/{{folder}}": _in(Action.READ_FOLDERS, fill={"folder": "folder_id"}),
        f"PATCH {_root}/{{folder}}": _in(Action.EDIT_FOLDERS, {"description": "changed"}, fill={"folder": "folder_id"}),
        f"DELETE {_root}/{{folder}}": _in(Action.DELETE_FOLDERS, _WHERE, fill={"folder": "folder_id"}),
    }
_API |= {
    "GET /api/v1/folders/{folder}/{environment}": _in(
        Action.READ_FOLDERS, fill={"folder": "project_id", "environment": "environment_slug"}
    ),
    "GET /api/v1/folders/{folder}/{environment}/{path}": _in(
        Action.READ_FOLDERS,
        fill={"folder": "project_id", "environment": "environment_slug", "path": "folder_name"},
    ),
}

_PAST = "/api/v2/folders/{folder}"
_BEFORE = {"folder": "folder_id"}
_API |= {
    f"GET {_PAST}/past": _values(Action.DESCRIBE_SECRETS, query="?at=2200-01-01T00:00:00Z", fill=_BEFORE),
    f"GET {_PAST}/past/difference": _in(Action.DESCRIBE_SECRETS, query="?at=2200-01-01T00:00:00Z", fill=_BEFORE),
    f"POST {_PAST}/rollback": _in(Action.EDIT_SECRETS, {"at": "2200-01-01T00:00:00Z"}, fill=_BEFORE),
}

_API |= {
    "GET /api/v1/delivery/current": _values(Action.DESCRIBE_SECRETS, query=f"{_AT}&secretName={{secret_name}}"),
    # Each secret of it is refused or not on its own.
    "POST /api/v1/delivery/batch": _self({"secrets": [{**_WHERE, "secretName": "NONE"}]}),
    "GET /api/v1/delivery/events": _in(Action.DESCRIBE_SECRETS, query=f"{_AT}&secretPath=/", by_token=True),
    "POST /api/v1/events/subscribe/project-events": _in(
        Action.DESCRIBE_SECRETS,
        {
            "projectId": "{project_id}",
            "register": [{"event": "secret:update", "conditions": {"environmentSlug": "{environment_slug}"}}],
        },
        by_token=True,
    ),
}

_NO_HOOK = {"webhook_id": "nothing"}
_NO_REQUEST = {"request_id": "nothing"}
_NO_FREEZE = {"freeze_id": "nothing"}
_FREEZE_FORM = {"name": "Sale", "from": "2027-01-01", "to": "2027-01-03", "timeZone": "UTC"}
_API |= {
    "GET /api/v1/approval-requests": SELF,
    "GET /api/v1/approval-requests/{request_id}": _self(None, 404, fill=_NO_REQUEST),
    "POST /api/v1/approval-requests/{request_id}/approve": _self({}, 404, fill=_NO_REQUEST),
    "POST /api/v1/approval-requests/{request_id}/reject": _self({}, 404, fill=_NO_REQUEST),
    "POST /api/v1/approval-requests/{request_id}/withdraw": _self({}, 404, fill=_NO_REQUEST),
    "GET /api/v1/approval-rules": _in(Action.READ_PROJECT, query="?projectId={project_id}"),
    "PUT /api/v1/approval-rules": _in(Action.EDIT_PROJECT, {"isRequired": False}, query="?projectId={project_id}"),
    "GET /api/v1/freeze-windows": _in(Action.READ_PROJECT, query="?projectId={project_id}"),
    "POST /api/v1/freeze-windows": _in(
        Action.EDIT_PROJECT, {"name": "Sale", "from": "2027-01-01", "to": "2027-01-03", "projectId": "{project_id}"}
    ),
    "PUT /api/v1/freeze-windows/{freeze_id}": _self(
        {"name": "Sale", "from": "2027-01-01", "to": "2027-01-03"}, 404, fill=_NO_FREEZE
    ),
    "DELETE /api/v1/freeze-windows/{freeze_id}": _self(None, 404, fill=_NO_FREEZE),
    "GET /api/v1/webhooks": _in(Action.EDIT_PROJECT, query="?projectId={project_id}"),
    "POST /api/v1/webhooks": _in(
        Action.EDIT_PROJECT, {"projectId": "{project_id}", "webhookUrl": "https://hooks.example.com"}
    ),
    "GET /api/v1/webhooks/{webhook_id}": _self(None, 404, fill=_NO_HOOK),
    "PATCH /api/v1/webhooks/{webhook_id}": _self({"isDisabled": True}, 404, fill=_NO_HOOK),
    "DELETE /api/v1/webhooks/{webhook_id}": _self(None, 404, fill=_NO_HOOK),
    "POST /api/v1/webhooks/{webhook_id}/rotate-secret": _self({}, 404, fill=_NO_HOOK),
    "POST /api/v1/webhooks/{webhook_id}/test": _self({}, 404, fill=_NO_HOOK),
    "GET /api/v1/webhooks/{webhook_id}/messages": _self(None, 404, fill=_NO_HOOK),
    "POST /api/v1/webhooks/{webhook_id}/messages/{message_id}/replay": _self(
        {}, 404, fill={**_NO_HOOK, "message_id": "nothing"}
    ),
}

_NO_ALARM, _NO_CHANNEL = {"alarm_id": "nothing"}, {"channel_id": "nothing"}
_ALARM, _CHANNELS, _CHANNEL = (
    "/api/v1/alarms/{alarm_id}",
    "/api/v1/alarm-channels",
    "/api/v1/alarm-channels/{channel_id}",
)
_SIGNING_SECRET = "whsec_" + "A" * 32
_A_CHANNEL = {
    "name": "hook",
    "kind": "webhook",
    "config": {"url": "https://hooks.example.com"},
    "secret": _SIGNING_SECRET,
}
_SILENCED = {"reason": "known", "until": "2200-01-01T00:00:00Z"}
_THE_RULES = {"daysBeforeEnd": [30, 7]}
_OWNED = ("app-connections/{connection_id}", Action.READ_CONNECTIONS, Action.EDIT_CONNECTIONS, NOTHING)
_OWNED_ROTATION = ("secret-rotations/{rotation_id}", Action.READ_ROTATIONS, Action.EDIT_ROTATIONS, _A_ROTATION)


def _server(body: Json | None = None, *also: int, **more: Any) -> Rule:
    return Rule(Place.SERVER, None, body, frozenset(also), **more)


_API |= {
    "GET /api/v1/overview": SELF,
    "GET /api/v1/inventories": SELF,
    f"GET {_INVENTORY}": _in(Action.CONNECT_CONNECTIONS),
    f"PATCH {_INVENTORY}": _in(Action.EDIT_CONNECTIONS, {"warns": True}),
    f"GET {_INVENTORY}/credentials": _in(Action.CONNECT_CONNECTIONS),
    f"GET {_INVENTORY}/findings": _in(Action.CONNECT_CONNECTIONS),
    f"GET {_INVENTORY}/credentials.csv": _in(Action.CONNECT_CONNECTIONS, reads_values=True),
    f"GET {_INVENTORY}/applications/{{object_id}}/rotation-start": _in(
        Action.CONNECT_CONNECTIONS, also=frozenset({404}), fill={"object_id": "nothing"}
    ),
    f"POST {_INVENTORY}/read": _in(Action.CONNECT_CONNECTIONS),
    f"GET {_AZURE}/{{connection_id}}/secretless": _in(Action.READ_CONNECTIONS),
    f"POST {_AZURE}/{{connection_id}}/secretless": _of(
        Action.CREATE_CONNECTIONS, {"tokenSource": "nowhere"}, also=frozenset({400})
    ),
    f"POST {_AZURE}/{{connection_id}}/secretless/plan": _of(
        Action.CREATE_CONNECTIONS, {"tokenSource": "nowhere"}, also=frozenset({400})
    ),
    f"POST {_AZURE}/{{connection_id}}/secretless/back": _of(Action.CREATE_CONNECTIONS, {}, also=frozenset({404})),
    f"GET {_AZURE}/{{connection_id}}/inventory": _in(Action.READ_CONNECTIONS),
    f"PUT {_AZURE}/{{connection_id}}/inventory": _in(Action.EDIT_CONNECTIONS, {"enabled": False}),
    "GET /api/v1/alarms": SELF,
    f"GET {_ALARM}": _self(None, 404, fill=_NO_ALARM),
    f"POST {_ALARM}/acknowledge": _self({"reason": "known"}, 404, fill=_NO_ALARM),
    f"POST {_ALARM}/snooze": _self(_SILENCED, 400, 404, fill=_NO_ALARM),
    f"POST {_ALARM}/reopen": _self({}, 404, fill=_NO_ALARM),
    "GET /api/v1/alarm-rules": _server(),
    "PUT /api/v1/alarm-rules": _server(_THE_RULES),
    f"GET {_CHANNELS}": _server(),
    f"POST {_CHANNELS}": _server(_A_CHANNEL),
    f"GET {_CHANNEL}": _server(None, 404, fill=_NO_CHANNEL),
    f"PUT {_CHANNEL}": _server({"name": "renamed"}, 404, fill=_NO_CHANNEL),
    f"DELETE {_CHANNEL}": _server(None, 404, fill=_NO_CHANNEL),
    f"POST {_CHANNEL}/test": _server({}, 404, fill=_NO_CHANNEL),
    f"GET {_CHANNEL}/messages": _server(None, 404, fill=_NO_CHANNEL),
}
for _thing, _reads, _edits, _fill in (_OWNED, _OWNED_ROTATION):
    _API |= {
        f"GET /api/v1/owners/{_thing}": _in(_reads, fill=_fill),
        f"PUT /api/v1/owners/{_thing}": _in(_edits, {"contact": "#payments"}, fill=_fill),
    }

_STORED = {"secret_id": "stored_secret"}
_API |= {
    "GET /api/v4/secrets/id/{secret_id}/versions": _in(Action.DESCRIBE_SECRETS, fill=_STORED),
    "POST /api/v4/secrets/id/{secret_id}/rollback": _in(Action.EDIT_SECRETS, {"version": 1}, fill=_STORED),
}
for _batch in ("/api/v3/secrets/batch/raw", "/api/v4/secrets/batch"):
    _API |= {
        f"POST {_batch}": _in(
            Action.CREATE_SECRETS, {**_WHERE, "secrets": [{"secretKey": "NEW", "secretValue": "new"}]}
        ),
        f"PATCH {_batch}": _in(
            Action.EDIT_SECRETS, {**_WHERE, "secrets": [{"secretKey": "{secret_name}", "secretValue": "new"}]}
        ),
        f"DELETE {_batch}": _in(Action.DELETE_SECRETS, {**_WHERE, "secrets": [{"secretKey": "{secret_name}"}]}),
    }
_API["GET /api/v4/secrets/batch"] = _values(Action.DESCRIBE_SECRETS, query=_AT, also=frozenset({404}))

_IMPORT = "/api/v1/secret-imports/{import_id}"
_API |= {
    "GET /api/v1/secret-imports": _in(Action.READ_IMPORTS, query=_AT),
    "POST /api/v1/secret-imports": _in(Action.CREATE_IMPORTS, {**_WHERE, "import": {"environment": "prod"}}),
    f"GET {_IMPORT}": _in(Action.READ_IMPORTS),
    f"PATCH {_IMPORT}": _in(Action.EDIT_IMPORTS, {"import": {"environment": "prod"}}),
    f"DELETE {_IMPORT}": _in(Action.DELETE_IMPORTS),
}

# Many of these routes have two or three paths, as existing clients have grown to expect.
_IN_PROJECTS: dict[str, Rule] = {
    "GET *": _in(Action.READ_PROJECT),
    "PATCH *": _in(Action.EDIT_PROJECT, {"name": "Renamed"}),
    # 400: a connection of the project rotates.
    "DELETE *": _in(Action.DELETE_PROJECT, also=frozenset({400})),
    "POST */environments": _in(Action.CREATE_ENVIRONMENTS, {"name": "New", "slug": "brand-new"}),
    "GET */environments/{environment_id}": _in(Action.READ_PROJECT),
    "GET */environments/slug/{slug}": _in(Action.READ_PROJECT, fill={"slug": "environment_slug"}),
    "PATCH */environments/{environment_id}": _in(Action.EDIT_ENVIRONMENTS, {"name": "Renamed"}),
    "DELETE */environments/{environment_id}": _in(Action.DELETE_ENVIRONMENTS),
    "GET */identity-memberships": _in(Action.READ_IDENTITY_MEMBERS),
    "GET */memberships/identities": _in(Action.READ_IDENTITY_MEMBERS),
    "GET */memberships": _in(Action.READ_MEMBERS),
    "POST */memberships": _in(Action.ADD_MEMBERS, {"emails": ["free@contoso.test"], "roleSlugs": ["viewer"]}),
    "DELETE */memberships": _in(Action.REMOVE_MEMBERS, {"emails": ["joined@contoso.test"]}),
    "POST */memberships/details": _in(Action.READ_MEMBERS, {"username": "joined@contoso.test"}),
    "GET */user/{user_id}/membership": _in(Action.READ_MEMBERS, fill={"user_id": "joined_user"}),
    "GET */memberships/{membership_id}": _in(Action.READ_MEMBERS),
    "PATCH */memberships/{membership_id}": _in(Action.EDIT_MEMBERS, {"role": "member"}),
    "DELETE */memberships/{membership_id}": _in(Action.REMOVE_MEMBERS),
}
_IN_PROJECTS |= {
    "GET */tags": _in(Action.READ_TAGS),
    "POST */tags": _in(Action.CREATE_TAGS, {"slug": "new"}),
    "GET */tags/{tag_id}": _in(Action.READ_TAGS),
    "PATCH */tags/{tag_id}": _in(Action.EDIT_TAGS, {"color": "red"}),
    "DELETE */tags/{tag_id}": _in(Action.DELETE_TAGS),
    "GET */tags/slug/{slug}": _in(Action.READ_TAGS, fill={"slug": "tag_slug"}),
}
_ROLE_BODY = {"slug": "new-role", "name": "New", "permissions": [{"subject": "secrets", "action": "read"}]}
_IN_PROJECTS |= {
    "GET */roles": _in(Action.READ_ROLES),
    "POST */roles": _in(Action.CREATE_ROLES, _ROLE_BODY),
    "GET */roles/{role_id}": _in(Action.READ_ROLES),
    "GET */roles/slug/{slug}": _in(Action.READ_ROLES, fill={"slug": "role_slug"}),
    "PATCH */roles/{role_id}": _in(Action.EDIT_ROLES, {"name": "Renamed"}),
    "DELETE */roles/{role_id}": _in(Action.DELETE_ROLES),
}
for _name in ("identity-memberships", "memberships/identities"):
    _IN_PROJECTS |= {
        f"GET */{_name}/{{identity_id}}": _in(Action.READ_IDENTITY_MEMBERS, fill=_JOINED),
        f"POST */{_name}/{{identity_id}}": _in(Action.ADD_IDENTITY_MEMBERS, {"role": "viewer"}, fill=_FREE),
        f"PATCH */{_name}/{{identity_id}}": _in(Action.EDIT_IDENTITY_MEMBERS, {"role": "member"}, fill=_JOINED),
        f"DELETE */{_name}/{{identity_id}}": _in(Action.REMOVE_IDENTITY_MEMBERS, fill=_JOINED),
    }
_BY_SLUG = {
    "GET /api/v1/projects/roles/{role_id}": _in(Action.READ_ROLES),
    "GET /api/v1/projects/slug/{slug}": _in(Action.READ_PROJECT),
    "GET /api/v1/workspace/slug/{slug}": _in(Action.READ_PROJECT),
    "GET /api/v1/workspace/environments/{environment_id}": _in(Action.READ_PROJECT),
    "GET /api/v2/workspace/identity-memberships/{membership_id}": _in(
        Action.READ_IDENTITY_MEMBERS, fill={"membership_id": "identity_membership"}
    ),
    # In these two paths the project is named by its slug.
    "GET /api/v2/workspace/{project_id}": _in(Action.READ_PROJECT, fill={"project_id": "slug"}),
    "PUT /api/v1/workspace/{project_id}/audit-logs-retention": _in(
        Action.EDIT_PROJECT, {"auditLogsRetentionDays": 30}, fill={"project_id": "slug"}
    ),
    "PUT /api/v1/workspace/{project_id}/version-limit": _in(
        Action.EDIT_PROJECT, {"pitVersionLimit": 5}, fill={"project_id": "slug"}
    ),
    "DELETE /api/v2/workspace/{project_id}": _in(
        Action.DELETE_PROJECT, fill={"project_id": "slug"}, also=frozenset({400})
    ),
}

# --- pages ------------------------------------------------------------------------------------------------------------

_ONE = "/app-connections/{connection_id}"
_PROJECT = "/projects/{project_id}"
_NEW_CONNECTION = "integrations/app-connections/new/azure-client-secrets"
_MEMBERS = "/organization/members"
_IDENTITY = "/organization/identities/{identity_id}"

_PAGES: dict[str, Rule] = {
    "GET /": PUBLIC,
    "GET /setup": PUBLIC,
    "POST /setup": PUBLIC,
    "GET /sign-in": PUBLIC,
    "POST /sign-in": PUBLIC,
    "GET /sign-in/password": PUBLIC,
    "POST /sign-in/password": PUBLIC,
    "GET /sign-in/code": PUBLIC,
    "POST /sign-in/code": PUBLIC,
    "GET /sign-in/two-step": PUBLIC,
    "POST /sign-in/two-step": PUBLIC,
    "POST /sign-in/two-step/begin": PUBLIC,
    "GET /sign-in/two-step/qr.svg": PUBLIC,
    "GET /sign-in/link/{token}": Rule(Place.PUBLIC, fill={"token": "nothing"}),
    "POST /sign-in/link/{token}": Rule(Place.PUBLIC, fill={"token": "nothing"}),
    "GET /sign-in/entra": PUBLIC,
    "GET /sign-in/entra/callback": PUBLIC,
    "POST /sign-out": PUBLIC,
    "POST /settings/theme": PUBLIC,
    "GET /static/{rest}": PUBLIC,
    "GET /favicon.ico": PUBLIC,
    "GET /settings": SELF,
    "POST /settings/password": _self(
        {"old_password": _UNKNOWN_PASSWORD, "new_password": "vellum-orbit-pickle-96"}, 400, 401, 403
    ),
    "GET /settings/sessions": SELF,
    "POST /settings/sessions/{session_id}/end": _self(NOTHING, 404),
    "POST /settings/sessions/end-all": _self(NOTHING),
    "GET /settings/two-step": SELF,
    "POST /settings/two-step/begin": _self({"password": _UNKNOWN_PASSWORD}, 400, 401, 403),
    "GET /settings/two-step/enrol": _self(None, 400, 404),
    "POST /settings/two-step/enrol": _self({"code": "123456"}, 400, 401, 403, 404),
    "GET /settings/two-step/qr.svg": _self(None, 400, 404),
    "POST /settings/two-step/remove": _self({"password": _UNKNOWN_PASSWORD, "code": "000000"}, 400, 401, 403),
    "GET /settings/server": Rule(Place.SERVER),
    f"GET {_MEMBERS}": _org(Action.READ_USERS),
    f"POST {_MEMBERS}": _org(Action.MANAGE_USERS, _NEW_USER),
    f"POST {_MEMBERS}/{{user_id}}/role": _of(Action.MANAGE_USERS, {"role": "member"}),
    f"POST {_MEMBERS}/{{user_id}}/two-step": _of(Action.MANAGE_USERS, NOTHING, also=frozenset({400})),
    "GET /organization/provisioning": Rule(Place.SERVER),
    "POST /organization/provisioning": Rule(Place.SERVER, None, {"name": "Entra ID", "days": "365"}),
    "POST /organization/provisioning/{token_id}/revoke": Rule(
        Place.SERVER, None, NOTHING, frozenset({404}), fill={"token_id": "nothing"}
    ),
    f"POST {_MEMBERS}/second-factor": Rule(Place.SERVER, None, NOTHING),
    f"POST {_MEMBERS}/invitations": _org(Action.MANAGE_USERS, {"email": "invited@contoso.test", "role": "viewer"}),
    f"POST {_MEMBERS}/{{user_id}}/unlock": _of(Action.MANAGE_USERS, NOTHING),
    f"POST {_MEMBERS}/{{user_id}}/password": _of(Action.MANAGE_USERS, {"password": "vellum-orbit-pickle-97"}),
    f"POST {_MEMBERS}/{{user_id}}/password-link": _of(Action.MANAGE_USERS, NOTHING),
    f"POST {_MEMBERS}/{{user_id}}/invitation": _of(Action.MANAGE_USERS, NOTHING, also=frozenset({400})),
    f"POST {_MEMBERS}/{{user_id}}/invitation/withdraw": _of(Action.MANAGE_USERS, NOTHING, also=frozenset({400})),
    f"POST {_MEMBERS}/{{user_id}}/sessions/end-all": _of(Action.MANAGE_USERS, NOTHING),
    f"POST {_MEMBERS}/{{user_id}}/sessions/{{session_id}}/end": _of(Action.MANAGE_USERS, NOTHING, also=_UNSET),
    f"GET {_MEMBERS}/{{user_id}}": _of(Action.MANAGE_USERS),
    f"POST {_MEMBERS}/{{user_id}}/disable": _of(Action.MANAGE_USERS, NOTHING),
    f"POST {_MEMBERS}/{{user_id}}/enable": _of(Action.MANAGE_USERS, NOTHING),
    f"POST {_MEMBERS}/{{user_id}}/delete": _of(Action.MANAGE_USERS, {"confirm": "free@contoso.test"}),
    "GET /organization/identities": _org(Action.READ_IDENTITIES),
    "POST /organization/identities": _org(Action.MANAGE_IDENTITIES, {"name": "new", "role": "viewer"}),
    f"GET {_IDENTITY}": _of(Action.READ_IDENTITIES, fill=_JOINED),
    f"POST {_IDENTITY}": _of(Action.MANAGE_IDENTITIES, {"name": "renamed", "role": "viewer"}, fill=_JOINED),
    f"POST {_IDENTITY}/delete": _of(Action.MANAGE_IDENTITIES, {"confirm": "joined robot"}, fill=_JOINED),
    f"POST {_IDENTITY}/universal-auth/add": _of(Action.MANAGE_IDENTITIES, NOTHING, fill=_FREE),
    f"POST {_IDENTITY}/universal-auth": _of(Action.MANAGE_IDENTITIES, _AUTH_FORM, fill=_JOINED),
    f"POST {_IDENTITY}/universal-auth/unlock": _of(Action.MANAGE_IDENTITIES, NOTHING, fill=_JOINED),
    f"POST {_IDENTITY}/universal-auth/remove": _of(Action.MANAGE_IDENTITIES, {"confirm": "joined robot"}, fill=_JOINED),
    f"POST {_IDENTITY}/oidc-auth": _of(Action.MANAGE_IDENTITIES, _OIDC_FORM, fill=_JOINED),
    f"POST {_IDENTITY}/azure-auth": _of(Action.MANAGE_IDENTITIES, _ENTRA_FORM, fill=_JOINED),
    f"POST {_IDENTITY}/kubernetes-auth": _of(Action.MANAGE_IDENTITIES, _KUBERNETES_FORM, fill=_JOINED),
    **{
        f"POST {_IDENTITY}/{method}-auth/remove": _of(
            Action.MANAGE_IDENTITIES, {"confirm": "joined robot"}, fill=_JOINED, also=_UNSET
        )
        for method in ("oidc", "azure", "kubernetes")
    },
    f"POST {_IDENTITY}/projects": _in(
        Action.ADD_IDENTITY_MEMBERS, {"project": "{project_id}", "role": "viewer"}, fill=_FREE
    ),
    f"POST {_IDENTITY}/client-secrets": _of(Action.MANAGE_IDENTITIES, NOTHING, fill=_JOINED),
    f"POST {_IDENTITY}/client-secrets/{{secret_id}}/revoke": _of(Action.MANAGE_IDENTITIES, NOTHING, fill=_JOINED),
    "GET /rotation-runs/{run_id}/receipt": _self(None, 404, fill={"run_id": "nothing"}),
    "GET /organization/audit-log": _org(Action.READ_AUDIT_LOGS),
    "GET /organization/audit-log/export": _org(Action.READ_AUDIT_LOGS),
    "POST /organization/audit-log/verify": _org(Action.READ_AUDIT_LOGS, NOTHING),
    "GET /projects": SELF,
    "GET /projects/new": _org(Action.CREATE_PROJECT),
    "POST /projects/new": _org(Action.CREATE_PROJECT, {"name": "New"}),
    f"GET {_PROJECT}": _in(Action.READ_PROJECT),
    f"GET {_PROJECT}/integrations": _in(Action.READ_PROJECT),
    f"GET {_PROJECT}/environments": _in(Action.READ_PROJECT),
    "GET /projects/deleted": SELF,
    "POST /projects/deleted/{deletion_id}": _self({}, 404, fill={"deletion_id": "nothing"}),
    f"GET {_PROJECT}/deleted": _in(Action.READ_PROJECT),
    f"POST {_PROJECT}/deleted/{{deletion_id}}": _self({}, 403, 404, fill={"deletion_id": "nothing"}),
    f"GET {_PROJECT}/deletion": _in(Action.DELETE_PROJECT),
    f"POST {_PROJECT}/deletion": _in(Action.DELETE_PROJECT, {"confirm": "Hidden Harbour"}, also=frozenset({400})),
    f"POST {_PROJECT}/environments": _in(Action.CREATE_ENVIRONMENTS, {"name": "New", "slug": "brand-new"}),
    f"POST {_PROJECT}/environments/{{environment_id}}/move": _in(Action.EDIT_ENVIRONMENTS, {"position": "2"}),
    f"POST {_PROJECT}/environments/{{environment_id}}/delete": _in(
        Action.DELETE_ENVIRONMENTS, {"confirm": "Development"}
    ),
    f"GET {_PROJECT}/settings": _in(Action.READ_PROJECT),
    f"POST {_PROJECT}/settings": _in(Action.EDIT_PROJECT, {"name": "Renamed", "slug": "renamed"}),
    f"POST {_PROJECT}/delete": _in(Action.DELETE_PROJECT, {"confirm": "Hidden Harbour"}, also=frozenset({400})),
    f"GET {_PROJECT}/members": _in(Action.READ_MEMBERS),
    f"POST {_PROJECT}/members/people": _in(Action.ADD_MEMBERS, {"email": "free@contoso.test", "roles": "viewer"}),
    f"POST {_PROJECT}/members/identities": _in(Action.ADD_IDENTITY_MEMBERS, {"identity": "{free}", "roles": "viewer"}),
    f"POST {_PROJECT}/members/{{member_id}}/role": _in(Action.EDIT_MEMBERS, {"roles": "member"}),
    f"POST {_PROJECT}/members/{{member_id}}/remove": _in(Action.REMOVE_MEMBERS, NOTHING),
    f"GET {_PROJECT}/roles": _in(Action.READ_ROLES),
    f"POST {_PROJECT}/roles": _in(Action.CREATE_ROLES, {"name": "New", "slug": "new-role"}),
    f"POST {_PROJECT}/roles/{{role_id}}": _in(Action.EDIT_ROLES, {"name": "Renamed", "slug": "renamed"}),
    f"POST {_PROJECT}/roles/{{role_id}}/delete": _in(Action.DELETE_ROLES, {"confirm": "Quiet"}),
    "GET /approvals": SELF,
    "GET /approvals/{request_id}": _self(None, 404, fill=_NO_REQUEST),
    "POST /approvals/{request_id}/approve": _self({}, 404, fill=_NO_REQUEST),
    "POST /approvals/{request_id}/reject": _self({}, 404, fill=_NO_REQUEST),
    "POST /approvals/{request_id}/withdraw": _self({}, 404, fill=_NO_REQUEST),
    "GET /organization/approval-rules": Rule(Place.SERVER),
    "POST /organization/approval-rules": Rule(Place.SERVER, None, {"hours": "24"}),
    f"GET {_PROJECT}/approval-rules": _in(Action.EDIT_PROJECT),
    f"POST {_PROJECT}/approval-rules": _in(Action.EDIT_PROJECT, {"hours": "24"}),
    "GET /organization/entra": _org(Action.MANAGE_USERS),
    "POST /organization/entra": _org(Action.MANAGE_USERS, {"groupId": _OBJECT_ID, "role": "member"}),
    "POST /organization/entra/{group_role_id}/delete": _self({}, 403, 404, fill=_NO_GROUP_ROLE),
    "POST /organization/entra/links": _org(
        Action.MANAGE_USERS, {"email": "nobody@contoso.test", "objectId": _OBJECT_ID}, also=frozenset({404})
    ),
    "POST /organization/entra/links/{user_id}/delete": _of(Action.MANAGE_USERS, {}),
    "GET /organization/freezes": SELF,
    "POST /organization/freezes": Rule(Place.SERVER, None, _FREEZE_FORM),
    "POST /organization/freezes/{freeze_id}": _self(_FREEZE_FORM, 404, fill=_NO_FREEZE),
    "POST /organization/freezes/{freeze_id}/delete": _self({}, 404, fill=_NO_FREEZE),
    f"GET {_PROJECT}/freezes": _in(Action.READ_PROJECT),
    f"POST {_PROJECT}/freezes": _in(Action.EDIT_PROJECT, _FREEZE_FORM),
    f"POST {_PROJECT}/freezes/{{freeze_id}}": _self(_FREEZE_FORM, 403, 404, fill=_NO_FREEZE),
    f"POST {_PROJECT}/freezes/{{freeze_id}}/delete": _self({}, 403, 404, fill=_NO_FREEZE),
    f"GET {_PROJECT}/webhooks": _in(Action.EDIT_PROJECT),
    f"POST {_PROJECT}/webhooks": _in(Action.EDIT_PROJECT, {"url": "https://hooks.example.com"}),
    f"GET {_PROJECT}/webhooks/{{webhook_id}}": _self(None, 404, fill=_NO_HOOK),
    **{
        f"POST {_PROJECT}/webhooks/{{webhook_id}}/{end}": _self({}, 404, fill=_NO_HOOK)
        for end in ("rotate-secret", "test", "enable", "disable", "delete")
    },
    f"POST {_PROJECT}/webhooks/{{webhook_id}}/messages/{{message_id}}/replay": _self(
        {}, 404, fill={**_NO_HOOK, "message_id": "nothing"}
    ),
    "GET /help/azure": SELF,
    "POST /help/azure": Rule(Place.SERVER, None, {"tenant": "{tenant_id}"}, frozenset({400})),
    "GET /organization/app-connections": _org(Action.READ_CONNECTIONS),
    # This only leads on to the form of the one provider there is.
    "GET /organization/app-connections/new": SELF,
    "GET /organization/app-connections/new/azure-client-secrets": _org(Action.CREATE_CONNECTIONS),
    "POST /organization/app-connections/new/azure-client-secrets": _org(
        Action.CREATE_CONNECTIONS, {"connection": "another-form"}
    ),
    "GET /organization/app-connections/azure/oauth/callback": _self(None, 400, 404),
    f"GET {_PROJECT}/integrations/app-connections": _in(Action.READ_CONNECTIONS),
    f"GET {_PROJECT}/integrations/app-connections/new": _in(Action.READ_PROJECT),
    f"GET {_PROJECT}/{_NEW_CONNECTION}": _in(Action.CREATE_CONNECTIONS),
    f"POST {_PROJECT}/{_NEW_CONNECTION}": _in(Action.CREATE_CONNECTIONS, {"connection": "another-form"}),
    # There is none: whose removal somebody sees is tested where there is one.
    "GET /removals/{rotation_id}": _self(None, 404, fill={"rotation_id": "nothing"}),
    "GET /removals/{rotation_id}/events": _self(None, 404, fill={"rotation_id": "nothing"}),
    f"GET {_ONE}": _in(Action.READ_CONNECTIONS),
    # Of a connection at rest: this stream has an end.
    f"GET {_ONE}/events": _in(Action.READ_CONNECTIONS, fill={"connection_id": "still"}),
    f"POST {_ONE}/inventory": _in(Action.EDIT_CONNECTIONS, {"on": "true"}),
    f"POST {_ONE}/details": _in(Action.EDIT_CONNECTIONS, {"name": "renamed"}),
    f"POST {_ONE}/delete": _in(Action.DELETE_CONNECTIONS, {"confirm": "inner-secret-lake"}),
    f"POST {_ONE}/rotate": _in(Action.ROTATE_CREDENTIALS, NOTHING),
    f"POST {_ONE}/pause": _in(Action.EDIT_CONNECTIONS, NOTHING),
    f"POST {_ONE}/resume": _in(Action.EDIT_CONNECTIONS, NOTHING),
    f"POST {_ONE}/test": _in(Action.CONNECT_CONNECTIONS, NOTHING),
    f"POST {_ONE}/reconnect": _in(Action.EDIT_CONNECTIONS, NOTHING, also=frozenset({400})),
    f"GET {_ONE}/credentials": _in(Action.EDIT_CONNECTIONS),
    f"POST {_ONE}/credentials": _in(Action.EDIT_CONNECTIONS, {"connection": "same-form", "moveOthersAlong": "true"}),
    f"GET {_ONE}/schedule": _in(Action.EDIT_CONNECTIONS),
    f"POST {_ONE}/schedule": _in(Action.EDIT_CONNECTIONS, _SCHEDULE),
    f"GET {_ONE}/secretless": _in(Action.READ_CONNECTIONS),
    f"POST {_ONE}/secretless": _of(
        Action.CREATE_CONNECTIONS, {"tokenSource": "nowhere", "watchHours": "24"}, also=frozenset({400})
    ),
    f"POST {_ONE}/secretless/plan": _of(
        Action.CREATE_CONNECTIONS, {"tokenSource": "nowhere", "watchHours": "24"}, also=frozenset({400})
    ),
    f"POST {_ONE}/secretless/back": _of(Action.CREATE_CONNECTIONS, NOTHING, also=frozenset({404})),
}

_PAGES |= {
    "GET /overview": SELF,
    "GET /inventory": SELF,
    "POST /inventory/switch": _in(Action.EDIT_CONNECTIONS, {"connection_id": "{connection_id}", "on": "false"}),
    "GET /inventory/{inventory_id}": _in(Action.CONNECT_CONNECTIONS),
    "POST /inventory/{inventory_id}/read": _in(Action.CONNECT_CONNECTIONS, NOTHING),
    "POST /inventory/{inventory_id}/warn": _in(Action.EDIT_CONNECTIONS, {"warns": "true"}),
    "GET /inventory/{inventory_id}/rotate": _in(
        Action.CONNECT_CONNECTIONS, query="?application={nothing}", also=frozenset({404})
    ),
    f"GET {_PROJECT}/overview": _in(Action.READ_PROJECT),
    "GET /find": _self(query="?q=quiet"),
    "GET /organization/app-connections/several": _self(None, 404, query="?id={nothing}"),
    # With each connection it does what the caller may: nothing with one that they do not see.
    "POST /organization/app-connections/several": _self({"act": "pause", "id": "{nothing}"}, 404),
    "GET /alarms": SELF,
    "GET /alarms/resolved": SELF,
    "GET /alarms/one/{alarm_id}": _self(None, 404, fill=_NO_ALARM),
    "POST /alarms/one/{alarm_id}/acknowledge": _self({"reason": "known"}, 404, fill=_NO_ALARM),
    "POST /alarms/one/{alarm_id}/snooze": _self({"reason": "known", "days": "3"}, 404, fill=_NO_ALARM),
    "POST /alarms/one/{alarm_id}/reopen": _self({}, 404, fill=_NO_ALARM),
    "GET /alarms/rules": _server(),
    "POST /alarms/rules": _server({"reaction_days": "3", "reminder_days": "7", "day_30": "true"}),
    "GET /alarms/channels": _server(),
    "POST /alarms/channels/new/{kind}": _server(
        {"name": "hook", "url": "https://hooks.example.com", "secret": _SIGNING_SECRET}, fill={"kind": "channel_kind"}
    ),
    "GET /alarms/channels/{channel_id}": _server(None, 404, fill=_NO_CHANNEL),
    "POST /alarms/channels/{channel_id}/change": _server({"name": "renamed"}, 404, fill=_NO_CHANNEL),
    "POST /alarms/channels/{channel_id}/test": _server({}, 404, fill=_NO_CHANNEL),
    "POST /alarms/channels/{channel_id}/delete": _server({"confirm": "hook"}, 404, fill=_NO_CHANNEL),
}
for _thing, _reads, _edits, _fill in (_OWNED, _OWNED_ROTATION):
    _PAGES |= {
        f"GET /owners/{_thing}": _in(_reads, fill=_fill),
        f"POST /owners/{_thing}": _in(_edits, {"contact": "#payments"}, fill=_fill),
    }

_TURNING = "/secret-rotations/{rotation_id}"
_ROTATIONS_OF = f"{_PROJECT}/integrations/secret-rotations"
_NEW_FORM = {
    "name": "another",
    "connectionId": "{connection_id}",
    "objectId": "{nothing}",
    "clientId": "{nothing}",
    "environment": "{environment_slug}",
    "secretPath": "/",
    "rotationInterval": "30",
    "rotateAt": "02:15",
    "timeZone": "UTC",
    "clientIdName": "A",
    "clientSecretName": "B",
}


def _turning(action: Action, body: Json | None = None, *also: int) -> Rule:
    return _in(action, body, also=frozenset(also), fill=_A_ROTATION)


_PAGES |= {
    f"GET {_ROTATIONS_OF}": _in(Action.READ_ROTATIONS),
    f"GET {_ROTATIONS_OF}/several": _self(None, 404, 403, query="?id={nothing}"),
    f"POST {_ROTATIONS_OF}/several": _self({"act": "pause", "id": "{nothing}"}, 404, 403),
    f"GET {_ROTATIONS_OF}/new": _in(Action.CREATE_ROTATIONS),
    f"POST {_ROTATIONS_OF}/new": _in(Action.CREATE_ROTATIONS, _NEW_FORM, also=frozenset({400})),
    f"POST {_ROTATIONS_OF}/new/review": _in(Action.CREATE_ROTATIONS, _NEW_FORM, also=frozenset({400})),
    f"GET {_ONE}/applications": _in(Action.CONNECT_CONNECTIONS),
    f"POST {_ONE}/applications/allow": _in(Action.EDIT_CONNECTIONS, {"objectId": "{nothing}"}, also=frozenset({404})),
    f"POST {_ONE}/applications/disallow": _in(Action.EDIT_CONNECTIONS, {"objectId": "{nothing}"}),
    f"POST {_ONE}/applications/owned": _in(Action.EDIT_CONNECTIONS, {"allOwned": "true"}),
    f"GET {_TURNING}": _turning(Action.READ_ROTATIONS),
    f"GET {_TURNING}/events": _turning(Action.READ_ROTATIONS),
    f"GET {_TURNING}/plan": _turning(Action.READ_ROTATIONS),
    f"GET {_TURNING}/edit": _turning(Action.EDIT_ROTATIONS),
    f"POST {_TURNING}/edit": _turning(Action.EDIT_ROTATIONS, {"name": "renamed"}, 422),
    f"POST {_TURNING}/rotate": _turning(Action.ROTATE_SECRETS, NOTHING),
    f"POST {_TURNING}/check": _turning(Action.READ_ROTATIONS, NOTHING, 400),
    f"POST {_TURNING}/pause": _turning(Action.EDIT_ROTATIONS, NOTHING),
    f"POST {_TURNING}/resume": _turning(Action.EDIT_ROTATIONS, NOTHING),
    f"POST {_TURNING}/make-previous-current": _turning(Action.ROTATE_SECRETS, NOTHING, 400),
    f"POST {_TURNING}/hand-over": _turning(Action.EDIT_ROTATIONS, _HANDED_OVER, 400),
    f"POST {_TURNING}/release": _turning(Action.EDIT_ROTATIONS, {"keyId": "{nothing}"}, 404),
    f"POST {_TURNING}/delete": _turning(Action.DELETE_ROTATIONS, {"confirm": "quiet-billing"}),
}


_SECRETS = f"{_PROJECT}/secrets"
_SECRET = "/secrets/{secret_id}"
_HERE = "?environment={environment_slug}&path=/"


def _page_of(action: Action, body: Json | None = None, **more: Any) -> Rule:
    return _in(action, body, query=_HERE, **more)


def _page_of_one(action: Action, body: Json | None = None, **more: Any) -> Rule:
    return _in(action, body, fill=_STORED, **more)


_PAGES |= {
    f"GET {_SECRETS}": _page_of(Action.DESCRIBE_SECRETS),
    f"GET {_SECRETS}/compare": _page_of(Action.READ_PROJECT),
    f"GET {_SECRETS}/dotenv": _page_of(Action.READ_PROJECT),
    f"GET {_SECRETS}/new": _page_of(Action.READ_PROJECT),
    f"GET {_SECRETS}/tags": _page_of(Action.READ_TAGS),
    f"POST {_SECRETS}/new": _page_of(Action.CREATE_SECRETS, {"secret_name": "NEW", "secret_value": "new"}),
    f"POST {_SECRETS}/dotenv": _page_of(Action.EDIT_SECRETS, {"secret_text": "NEW=new"}),
    # The draft was not made by this server.
    f"POST {_SECRETS}/dotenv/import": _page_of(Action.EDIT_SECRETS, {"draft": "none"}, also=frozenset({400, 422})),
    f"POST {_SECRETS}/export": _page_of(Action.READ_SECRET_VALUES, NOTHING, reads_values=True),
    f"POST {_SECRETS}/reveal": _page_of(
        Action.READ_SECRET_VALUES, {"ids": "{stored_secret}", "as_json": "true"}, reads_values=True
    ),
    f"POST {_SECRETS}/folders": _page_of(Action.CREATE_FOLDERS, {"folder": "new"}),
    f"POST {_SECRETS}/folders/{{folder_id}}": _page_of(Action.EDIT_FOLDERS, {"description": "changed"}),
    f"POST {_SECRETS}/folders/{{folder_id}}/delete": _page_of(Action.DELETE_FOLDERS, {"confirm": "quiet-cove"}),
    f"POST {_SECRETS}/imports": _page_of(Action.CREATE_IMPORTS, {"source": "prod"}),
    f"POST {_SECRETS}/imports/{{import_id}}/move": _page_of(Action.EDIT_IMPORTS, {"position": "1"}),
    f"POST {_SECRETS}/imports/{{import_id}}/delete": _page_of(Action.DELETE_IMPORTS, NOTHING),
    f"POST {_SECRETS}/tags": _page_of(Action.CREATE_TAGS, {"slug": "new"}),
    f"POST {_SECRETS}/tags/{{tag_id}}/delete": _page_of(Action.DELETE_TAGS, NOTHING),
    f"GET {_SECRET}": _page_of_one(Action.DESCRIBE_SECRETS),
    f"POST {_SECRET}/reveal": _page_of_one(Action.READ_SECRET_VALUES, {"as_json": "true"}, reads_values=True),
    f"POST {_SECRET}/value": _page_of_one(Action.EDIT_SECRETS, {"secret_value": "new"}),
    f"POST {_SECRET}/details": _page_of_one(Action.EDIT_SECRETS, {"secret_name": "QUIET_TIDE", "comment": "new"}),
    f"POST {_SECRET}/rollback": _page_of_one(Action.EDIT_SECRETS, {"version": "1"}),
    f"POST {_SECRET}/delete": _page_of_one(Action.DELETE_SECRETS, {"confirm": "QUIET_TIDE"}),
}


def without_types(path: str) -> str:
    """Return the path of a route with its parameters as ``{name}``, whatever they take."""
    return path.replace(":path}", "}")


def rule_of(method: str, path: str) -> tuple[str, Rule] | None:
    """Return the name of the line that classifies the route, and its rule; None when there is none."""
    key = f"{method} {path}"
    for table in (_BY_SLUG, _API):
        if key in table:
            return key, table[key]
    if key in _PAGES:
        return key, replace(_PAGES[key], by_cookie=True)
    for root in _PROJECT_ROOTS:
        if path.startswith(f"{root}/{{project_id}}"):
            short = f"{method} *{path.removeprefix(root + '/{project_id}')}"
            return (short, _IN_PROJECTS[short]) if short in _IN_PROJECTS else None
    return None


def all_lines() -> frozenset[str]:
    return frozenset({*_BY_SLUG, *_API, *_PAGES, *_IN_PROJECTS})
