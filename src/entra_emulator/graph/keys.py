"""addKey and removeKey: rolling certificates with a proof of possessing one that is registered already.

Sources: learn.microsoft.com/graph/api/application-addkey and .../application-removekey (no permission is needed for one's own),
https://learn.microsoft.com/graph/application-rollkey-prooftoken (the proof). Status and text of a wrong proof are assumed.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import Response
from entra_emulator.directory.credentials import remove_credential
from entra_emulator.directory.directory import Application, Holder
from entra_emulator.directory.world import Call
from entra_emulator.graph import views
from entra_emulator.graph.bodies import json_object, needed_guid, only, text_or_none, wrong_type
from entra_emulator.graph.errors import GraphError, bad_request, empty, success
from entra_emulator.graph.key_collections import read_key
from entra_emulator.graph.lookup import Key, application_by_key, principal_by_key, the_application, the_principal
from entra_emulator.graph.restrictions import check_certificate, check_size
from entra_emulator.graph.writes import check_quiet, committed
from entra_emulator.tokens.jwt import Jwt
from entra_emulator.tokens.sts_errors import StsError

_AUDIENCE = "00000002-0000-0000-c000-000000000000"
_LONGEST_PROOF = 600.0
_SKEW_ALLOWED = 300.0  # assumed


def _application(call: Call, key: Key) -> Holder:
    """An application may roll its own keys without any permission; others need one."""
    application = application_by_key(call, key)
    if application is not None and call.user is None and application.app_id == call.entry.caller:
        return application
    return the_application(call, key, write=True)


def _principal(call: Call, key: Key) -> Holder:
    principal = principal_by_key(call, key)
    if principal is not None and call.user is None and principal.object_id == call.caller_oid:
        return principal
    return the_principal(call, key, write=True)


def _add_to_application(call: Call, keys: tuple[Key, ...]) -> Response:
    return _add(call, _application(call, keys[0]))


def _add_to_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    return _add(call, _principal(call, keys[0]))


def _remove_from_application(call: Call, keys: tuple[Key, ...]) -> Response:
    return _remove(call, _application(call, keys[0]))


def _remove_from_principal(call: Call, keys: tuple[Key, ...]) -> Response:
    return _remove(call, _principal(call, keys[0]))


def _add(call: Call, holder: Holder) -> Response:
    check_quiet(call, holder)
    body = json_object(call)
    only(body, frozenset({"keyCredential", "passwordCredential", "proof"}), "addKey")
    credential = body.get("keyCredential")
    if not isinstance(credential, dict):
        raise wrong_type("keyCredential", "microsoft.graph.keyCredential")
    _check_kind(credential, body.get("passwordCredential"))
    _check_proof(call, holder, body)
    item = read_key(call, credential)
    check_certificate(call, holder, item.start, item.end)
    if isinstance(holder, Application):
        check_size(call.settings, holder)
    holder.forget_gone(call.now)
    holder.keys.append(item)
    committed(call, holder, item.key_id)
    return success(call, views.key(item, with_key=False), "microsoft.graph.keyCredential")


def _check_kind(credential: dict[str, Any], password: Any) -> None:
    kind, usage = text_or_none(credential, "type"), text_or_none(credential, "usage")
    if kind != "AsymmetricX509Cert" or usage != "Verify" or password is not None:
        raise bad_request(
            "Key credential is invalid: this directory holds keys of type 'AsymmetricX509Cert' and usage 'Verify', which "
            "come without a passwordCredential."
        )


def _remove(call: Call, holder: Holder) -> Response:
    body = json_object(call)
    only(body, frozenset({"keyId", "proof"}), "removeKey")
    key_id = needed_guid(body, "keyId")
    call.entry.key_id = key_id
    check_quiet(call, holder)
    _check_proof(call, holder, body)
    certificate = next((item for item in holder.keys_held() if item.key_id == key_id), None)
    not_yet_visible = (
        certificate is not None
        and call.settings.remove_needs_visible
        and not certificate.presence.visible("graph", call.replica, call.now)
    )
    if certificate is None or not_yet_visible:
        raise bad_request(f"No key credential found with keyId '{key_id}'.")
    remove_credential(certificate, call.now, call.settings, call.world.rng)
    committed(call, holder, key_id)
    return empty(call)


def _check_proof(call: Call, holder: Holder, body: dict[str, Any]) -> None:
    """The proof is signed by a valid certificate of this very object, for Graph, and lives ten minutes at most.

    `iss` is the object id, not the app id, and padding in the JWT makes it malformed: the source named above says both.
    """
    text = text_or_none(body, "proof")
    if not text or "=" in text:
        raise _no_proof()
    try:
        jwt = Jwt(text)
        begins, ends = jwt.moment("nbf"), jwt.moment("exp")
    except StsError as error:
        raise _no_proof() from error
    now = call.local_now
    names_this_object = jwt.text("aud") == _AUDIENCE and jwt.text("iss").lower() == holder.object_id
    if not names_this_object or begins is None or ends is None or not 0 < ends - begins <= _LONGEST_PROOF:
        raise _bad_proof()
    if not begins - _SKEW_ALLOWED <= now < ends:
        raise _bad_proof()
    valid = [key for key in holder.keys_seen("graph", call.replica, call.now) if key.start <= now < key.end]
    if not any(jwt.signed_by(key.public_key) for key in valid):
        raise _bad_proof()


def _no_proof() -> GraphError:
    return GraphError(401, "Authentication_MissingOrMalformed", "Access Token missing or malformed.")


def _bad_proof() -> GraphError:
    return GraphError(403, "Authorization_RequestDenied", "The proof of possession of an existing key is not valid.")


ROUTES = (
    ("POST", "applications/{}/addKey", "addKey", _add_to_application),
    ("POST", "applications/{}/removeKey", "removeKey", _remove_from_application),
    ("POST", "servicePrincipals/{}/addKey", "addServicePrincipalKey", _add_to_principal),
    ("POST", "servicePrincipals/{}/removeKey", "removeServicePrincipalKey", _remove_from_principal),
)
