"""From what a form holds to what a use case takes, and from what a use case refuses back to the form.

The shapes and their checks are those of the JSON API (``schemas``): a form is a request of the API in other clothes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from keyturn.api.connections.schemas import CreateByCertificate, CreateByClientSecret
from keyturn.connections.domain import Method
from keyturn.errors import Invalid, KeyturnError
from keyturn.kit.secret import Plaintext
from keyturn.web.html.forms import FormState, kept, sentence
from keyturn.web.schema.validate import parse
from keyturn.web.schema.wire import ApiModel

Json = dict[str, object]


class ConnectionForm(ApiModel):
    """All that the form of a connection may hold; which of it counts is for the method to say. Names as in the JSON API."""

    name: str = ""
    description: str = ""
    method: str = ""
    tenant_id: str = ""
    client_id: str = ""
    client_secret: Plaintext = Plaintext("")
    certificate_body: Plaintext = Plaintext("")
    private_key: Plaintext = Plaintext("")
    passphrase: Plaintext = Plaintext("")
    is_auto_rotation_enabled: bool = False
    client_secret_key_id: str = ""
    confirm_key_id: bool = False
    move_others_along: bool = False
    rotation_interval: str = ""
    rotate_at: str = ""
    time_zone: str = ""


class ScheduleForm(ApiModel):
    """The form of a schedule. It never asks for a secret."""

    is_auto_rotation_enabled: bool = False
    client_secret_key_id: str = ""
    confirm_key_id: bool = False
    move_others_along: bool = False
    rotation_interval: str = ""
    rotate_at: str = ""
    time_zone: str = ""


# --- to the use case --------------------------------------------------------------------------------------------------

_NAMES = {"time": "rotateAt"}


def read(kind: type[Any], raw: Json) -> Any:
    """Check a form as the API checks its request. Raises Invalid, each fault at the name of its field in the form."""
    try:
        return parse(kind, raw)
    except Invalid as error:
        raise Invalid([dict(issue, path=[_field(issue)]) for issue in error.issues]) from None


def _field(issue: Mapping[str, object]) -> str:
    path = issue.get("path")
    last = str(path[-1]) if isinstance(path, list | tuple) and path else ""
    return _NAMES.get(last, last)


def creation_of(form: ConnectionForm, project_id: str | None) -> CreateByClientSecret | CreateByCertificate:
    """Return the request of the API that the form stands for. Raises Invalid."""
    raw: Json = {
        "name": form.name,
        "description": form.description,
        "projectId": project_id,
        "method": form.method,
        "credentials": credentials_json(form),
        "isAutoRotationEnabled": form.is_auto_rotation_enabled,
    }
    if form.is_auto_rotation_enabled:
        raw["rotation"] = schedule_json(form)
    kind = CreateByClientSecret if form.method == Method.CLIENT_SECRET else CreateByCertificate
    request: CreateByClientSecret | CreateByCertificate = read(kind, raw)
    return request


def credentials_json(form: ConnectionForm) -> Json:
    """Return the filled-in fields of credentials. A field that is left empty is absent."""
    names = ("tenantId", "clientId", "clientSecret", "certificateBody", "privateKey", "passphrase")
    return {name: value for name in names if (value := _values(form)[name])}


def schedule_json(form: ConnectionForm | ScheduleForm) -> Json:
    body: Json = {"rotateAt": {"time": form.rotate_at, "timeZone": form.time_zone}}
    text = form.rotation_interval.strip()
    # What is no number is left as it is, for the check to say so.
    body["rotationInterval"] = int(text) if text.isdecimal() and len(text) < 7 else text or None
    if form.client_secret_key_id:
        body["clientSecretKeyId"] = form.client_secret_key_id
        body["confirmKeyId"] = form.confirm_key_id
    return {name: value for name, value in body.items() if value is not None}


def _values(form: ApiModel) -> dict[str, Any]:
    return {field.encode_name: getattr(form, field.name) for field in msgspec.structs.fields(form)}


# --- back to the form -------------------------------------------------------------------------------------------------

AT_FIELD = {
    "connections.name_taken": "name",
    "rotation.key_id_needed": "clientSecretKeyId",
    "rotation.key_unconfirmed": "clientSecretKeyId",
    "rotation.certificate_key_id_needed": "certificateBody",
    "rotation.shared": "moveOthersAlong",
    "rotation.shared_out_of_sight": "clientSecret",
    "rotation.shared_without_permission": "clientSecret",
    "rotation.credential_replaced": "clientSecret",
    "rotation.key_id_unknown": "clientSecretKeyId",
    "rotation.key_id_of_another": "clientSecretKeyId",
    "rotation.key_expired": "clientSecretKeyId",
    "rotation.key_in_use": "clientSecret",
    "rotation.key_not_found": "clientSecret",
    "rotation.certificate_not_found": "certificateBody",
    "rotation.certificate_expired": "certificateBody",
}
"""Refusals of this server that are about one field: they stand beside it, as those of the provider that name theirs."""


def filled_with(path: str, form: ApiModel, error: KeyturnError | None = None) -> FormState:
    """Return the form as it was typed, less the secrets, with what is wrong at the fields and on top."""
    values, dropped = kept({name: _text(value) for name, value in _values(form).items()})
    if error is None:
        return FormState(path, values)
    if isinstance(error, Invalid):
        errors: dict[str, str] = {}
        for issue in error.issues:
            errors.setdefault(_field(issue), sentence(issue))
        return FormState(path, values, errors, "Some fields need another look.", None, dropped)
    field = (
        error.field
        or AT_FIELD.get(error.code)
        or next((_field(detail) for detail in error.details if "path" in detail), "")
    )
    return FormState(path, values, {field: error.message} if field else {}, error.message, error.fix, dropped)


def _text(value: object) -> str:
    if isinstance(value, Plaintext):
        return value.reveal()  # ``kept`` drops what is secret, and keeps a certificate without its key
    return str(value).lower() if isinstance(value, bool) else str(value)
