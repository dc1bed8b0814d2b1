"""Federated identity credentials of an application.

Source: learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview (twenty; issuer and subject are unique).
The error of the twenty-first is assumed.
"""

from __future__ import annotations

import re
from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.claims_expressions import check_expression
from entra_emulator.directory.directory import Application, FederatedCredential, new_guid
from entra_emulator.directory.replicas import credential_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_text, only_members, text_or_none, texts, wrong_type
from entra_emulator.graph.errors import GraphError, bad_request, empty, in_beta, not_found, success
from entra_emulator.graph.lookup import Key, creates_missing, the_application
from entra_emulator.graph.odata import collection, entity
from entra_emulator.graph.writes import check_quiet, committed

_LIMIT = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_MEMBERS = frozenset({"id", "name", "issuer", "subject", "description", "audiences"})
_EXPRESSION = "claimsMatchingExpression"
_TYPE = "microsoft.graph.federatedIdentityCredential"
_CONTEXT = "applications/federatedIdentityCredentials"


def _list(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=False)
    return collection(call, [views.federated(call, item) for item in _shown(call, application)], _CONTEXT)


def _get(call: Call, keys: tuple[Key, ...]) -> Response:
    item = _one(call, the_application(call, keys[0], write=False), keys[1])
    return entity(call, views.federated(call, item), _CONTEXT)


def _create(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=True)
    return _make(call, application, json_object(call))


def _make(call: Call, application: Application, body: dict[str, Any]) -> Response:
    check_quiet(call, application)
    if len(application.federated_held()) >= _LIMIT:
        raise GraphError(
            400,
            "Directory_ResourceSizeExceeded",
            f"An application may have at most {_LIMIT} federated identity credentials.",
        )
    _check_members(call, body)
    _check_id(body, None)
    issuer = needed_text(body, "issuer", 600)
    subject, expression = _matched(body, issuer)
    item = FederatedCredential(
        id=new_guid(call.world.rng),
        name=_name(body),
        issuer=issuer,
        subject=subject,
        audiences=_audiences(body),
        presence=credential_presence(call.now, call.settings, call.world.rng),
        description=text_or_none(body, "description", 600),
        expression=expression,
    )
    _check_unique(application, item)
    application.federated.append(item)
    committed(call, application, item.id, linked=True)
    return success(call, views.federated(call, item), f"{_CONTEXT}/$entity", 201)


def _update(call: Call, keys: tuple[Key, ...]) -> Response:
    """By a name that nobody has, it makes one, where the caller says so.

    Source: https://learn.microsoft.com/graph/api/federatedidentitycredential-upsert.
    """
    application = the_application(call, keys[0], write=True)
    if (
        creates_missing(call)
        and keys[1][0] == "name"
        and all(item.name != keys[1][1] for item in application.federated_held())
    ):
        return _make(call, application, {"name": keys[1][1]} | json_object(call))
    check_quiet(call, application)
    item = _one(call, application, keys[1])
    body = json_object(call)
    _check_members(call, body)
    _check_id(body, item.id)
    if body.get("name", item.name) != item.name:
        raise bad_request("The name of a federated identity credential cannot be changed.")
    issuer = needed_text(body, "issuer", 600) if "issuer" in body else item.issuer
    subject, expression = _matched(body if {"subject", _EXPRESSION} & body.keys() else _as_sent(item), issuer)
    replacement = FederatedCredential(
        id=item.id,
        name=item.name,
        issuer=issuer,
        subject=subject,
        audiences=_audiences(body) if "audiences" in body else item.audiences,
        presence=credential_presence(call.now, call.settings, call.world.rng),
        description=text_or_none(body, "description", 600) if "description" in body else item.description,
        expression=expression,
    )
    _check_unique(application, replacement)
    item.presence.remove(call.now, call.settings, call.world.rng)
    application.federated.append(replacement)
    _forget_gone(call, application)
    committed(call, application, item.id, linked=True)
    return empty(call)


def _delete(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    item = _one(call, application, keys[1])
    item.presence.remove(call.now, call.settings, call.world.rng)
    _forget_gone(call, application)
    committed(call, application, item.id, linked=True)
    return empty(call)


def _shown(call: Call, application: Application) -> list[FederatedCredential]:
    """What this replica shows; of a credential that was changed a moment ago, one form."""
    seen = application.federated_seen("graph", call.replica, call.now)
    return list({item.id: item for item in seen}.values())


def _forget_gone(call: Call, application: Application) -> None:
    application.federated = [item for item in application.federated if not item.presence.gone(call.now)]


def _check_members(call: Call, body: dict[str, Any]) -> None:
    """Expressions are in beta only: https://learn.microsoft.com/graph/api/resources/federatedidentitycredential."""
    known = in_beta(call) or body.get(_EXPRESSION) is None
    only_members(body, _MEMBERS | {_EXPRESSION} if known else _MEMBERS, _TYPE)


def _matched(body: dict[str, Any], issuer: str) -> tuple[str, str]:
    """The subject, or the expression in place of it; the texts of the refusals are assumed. Raises GraphError 400.

    Source: https://learn.microsoft.com/entra/workload-id/workload-identities-set-up-flexible-federated-identity-credential.
    """
    expression = body.get(_EXPRESSION)
    if expression is None:
        return needed_text(body, "subject", 600), ""
    if body.get("subject") is not None:
        raise bad_request("Only one of 'subject' and 'claimsMatchingExpression' can be set.")
    if not isinstance(expression, dict):
        raise wrong_type(_EXPRESSION, "microsoft.graph.federatedIdentityExpression")
    only_members(expression, frozenset({"value", "languageVersion"}), "microsoft.graph.federatedIdentityExpression")
    text = needed_text(expression, "value", 600)
    if expression.get("languageVersion") != 1:
        raise bad_request(
            "Invalid value specified for property 'languageVersion' of resource 'FederatedIdentityExpression'."
        )
    try:
        check_expression(issuer, text)
    except ValueError as error:
        raise bad_request(f"Invalid value specified for property 'claimsMatchingExpression': {error}.") from error
    return "", text


def _as_sent(item: FederatedCredential) -> dict[str, Any]:
    """What decides whose tokens it trusts, as a body would say it."""
    if item.expression:
        return {_EXPRESSION: {"value": item.expression, "languageVersion": 1}}
    return {"subject": item.subject}


def _check_id(body: dict[str, Any], own: str | None) -> None:
    if body.get("id") not in (None, own):
        raise bad_request("Property 'id' is read-only and cannot be set.")


def _one(call: Call, application: Application, key: Key) -> FederatedCredential:
    """By id, by `name='...'`, or by the bare name."""
    kind, value = key
    for item in _shown(call, application):
        if value == item.name or (kind == "id" and value == item.id):
            return item
    raise not_found(value[:100])


def _name(body: dict[str, Any]) -> str:
    """Fit for a URL: https://learn.microsoft.com/graph/api/resources/federatedidentitycredential; its length:
    https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations.
    """
    name = needed_text(body, "name", 120)
    if not _NAME.fullmatch(name):
        raise bad_request(
            "Invalid value specified for property 'name' of resource 'FederatedIdentityCredential': it has 3 to 120 letters, "
            "digits, '-' or '_', and begins with a letter or digit."
        )
    return name


def _audiences(body: dict[str, Any]) -> list[str]:
    audiences = texts(body, "audiences")
    if len(audiences) != 1:
        raise bad_request("A federated identity credential needs exactly one audience.")
    return audiences


def _check_unique(application: Application, credential: FederatedCredential) -> None:
    for item in application.federated_held():
        twins = [(each.issuer, each.subject, each.expression) for each in (item, credential)]
        same = item.name == credential.name or twins[0] == twins[1]
        if item.id != credential.id and same:
            raise GraphError(
                409,
                "Request_MultipleObjectsWithSameKeyValue",
                "FederatedIdentityCredential with the same name, or issuer and subject, already exists.",
            )


ROUTES = (
    ("GET", "applications/{}/federatedIdentityCredentials", "listFederatedIdentityCredentials", _list),
    ("POST", "applications/{}/federatedIdentityCredentials", "createFederatedIdentityCredential", _create),
    ("GET", "applications/{}/federatedIdentityCredentials/{}", "getFederatedIdentityCredential", _get),
    ("PATCH", "applications/{}/federatedIdentityCredentials/{}", "updateFederatedIdentityCredential", _update),
    ("DELETE", "applications/{}/federatedIdentityCredentials/{}", "deleteFederatedIdentityCredential", _delete),
)
