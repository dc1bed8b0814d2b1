"""addPassword and removePassword, on applications and on service principals.

Sources: learn.microsoft.com/graph/api/application-addpassword and .../application-removepassword: 200 with the value, once;
204 without a body; two years where no end is given.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import DAY, LAST_MOMENT
from entra_emulator.core.wire import Response
from entra_emulator.directory.credentials import add_password, remove_credential
from entra_emulator.directory.directory import Application, Holder
from entra_emulator.directory.replicas import credential_presence
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, only, only_members, text_or_none, time_or, wrong_type
from entra_emulator.graph.errors import bad_request, empty, success
from entra_emulator.graph.lookup import Key, the_application, the_principal
from entra_emulator.graph.restrictions import check_password, check_size
from entra_emulator.graph.writes import check_quiet, committed

_TWO_YEARS = 730 * DAY
_MEMBERS = frozenset({
    "customKeyIdentifier", "displayName", "endDateTime", "hint", "keyId", "secretText", "startDateTime",
})  # fmt: skip
"""Source: https://learn.microsoft.com/graph/api/resources/passwordcredential. What the directory makes itself may be sent."""
_CONTEXT = "microsoft.graph.passwordCredential"


def _add_to_application(call: Call, keys: tuple[Key, ...]) -> Response:
    application = the_application(call, keys[0], write=True)
    check_quiet(call, application)
    name, start, end = _requested(call)
    check_password(call, application, start, end)
    _check_room(call, application)
    return _add(call, application, name, start, end)


def _add_to_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    principal = the_principal(call, keys[0], write=True)
    check_quiet(call, principal)
    name, start, end = _requested(call)
    check_password(call, principal, start, end)
    return _add(call, principal, name, start, end)


def _remove_from_application(call: Call, keys: tuple[Key, ...]) -> Response:
    return _remove(call, the_application(call, keys[0], write=True))


def _remove_from_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    return _remove(call, the_principal(call, keys[0], write=True))


def _requested(call: Call) -> tuple[str | None, float, float]:
    """Name, start and end of the secret asked for, with Graph's defaults. Raises GraphError 400.

    Sources: the parameter may be null in the metadata (microsoftgraph/msgraph-metadata, f54f11b); an empty body got two years
    in https://github.com/Azure/azure-cli/issues/28522; azure-cli 2.91.0 sends a displayName of null.
    """
    body = json_object(call)
    only(body, frozenset({"passwordCredential"}), "addPassword")
    credential: Any = body.get("passwordCredential")
    if credential is None:
        credential = {}
    if not isinstance(credential, dict):
        raise wrong_type("passwordCredential", "microsoft.graph.passwordCredential")
    only_members(credential, _MEMBERS, "microsoft.graph.passwordCredential")
    start = time_or(credential, "startDateTime", call.local_now)
    end = time_or(credential, "endDateTime", start + _TWO_YEARS)
    if not start < end <= LAST_MOMENT:
        raise bad_request("The password credential end date must be later than its start date.")
    return text_or_none(credential, "displayName"), start, end


def _check_room(call: Call, application: Application) -> None:
    """Source: learn.microsoft.com/entra/identity-platform/supported-accounts-validation (two secrets). The text is assumed."""
    settings = call.settings
    if application.personal and len(application.passwords_held()) >= settings.personal_secret_cap:
        raise bad_request(
            f"Applications with sign-in audience '{application.audience}' may have at most "
            f"{settings.personal_secret_cap} password credentials."
        )
    check_size(settings, application)


def _add(call: Call, holder: Holder, name: str | None, start: float, end: float) -> Response:
    rng = call.world.rng
    holder.forget_gone(call.now)
    item = add_password(holder, name, start, end, credential_presence(call.now, call.settings, rng), rng)
    committed(call, holder, item.key_id)
    return success(call, {**views.password(item), "secretText": item.value}, _CONTEXT)


def _remove(call: Call, holder: Holder) -> Response:
    """Removes one secret. Raises GraphError 400 for a key that is unknown, or that this replica does not show yet.

    Source of the text: vault-plugin-secrets-azure 81fae24 (client.go) takes it for a success. Of the second case: notes of
    others on live tenants, where a removal raced an addPassword; `remove_needs_visible` switches it off.
    """
    body = json_object(call)
    only(body, frozenset({"keyId"}), "removePassword")
    key_id = needed_guid(body, "keyId")
    call.entry.key_id = key_id
    check_quiet(call, holder)
    secret = next((item for item in holder.passwords_held() if item.key_id == key_id), None)
    not_yet_visible = (
        secret is not None
        and call.settings.remove_needs_visible
        and not secret.presence.visible("graph", call.replica, call.now)
    )
    if secret is None or not_yet_visible:
        raise bad_request(f"No password credential found with keyId '{key_id}'.")
    remove_credential(secret, call.now, call.settings, call.world.rng)
    committed(call, holder, key_id)
    return empty(call)


ROUTES = (
    ("POST", "applications/{}/addPassword", "addPassword", _add_to_application),
    ("POST", "applications/{}/removePassword", "removePassword", _remove_from_application),
    ("POST", "servicePrincipals/{}/addPassword", "addServicePrincipalPassword", _add_to_principal),
    ("POST", "servicePrincipals/{}/removePassword", "removeServicePrincipalPassword", _remove_from_principal),
)
