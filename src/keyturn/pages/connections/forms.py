"""From what a form holds to what a use case takes, and from what a use case refuses back to the form.

The shapes and their checks are those of the JSON API (``schemas``, ``app_types``): a form is a request of the API in other
clothes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from keyturn.api.connections.app_types import AppTypes, attribute, types_of
from keyturn.api.connections.schemas import AppConnectionDraft, CredentialsModel, values_of
from keyturn.errors import Invalid, KeyturnError
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.pages.approval_forms import Why
from keyturn.pages.weekdays import WeekdayFields
from keyturn.ports.fields import AskedWhere, Field
from keyturn.ports.sign_in import Credentials, SignInMethod
from keyturn.providers.registry import Providers
from keyturn.web.html.forms import FormState, repeatable_values, sentence
from keyturn.web.schema.validate import parse
from keyturn.web.schema.wire import ApiModel

Json = dict[str, object]


class ScheduleForm(WeekdayFields):
    """The form of a schedule, less what its method asks beside. It never asks for a secret."""

    is_auto_rotation_enabled: bool = False
    confirm_key_id: bool = False
    move_others_along: bool = False
    rotation_interval: str = ""
    rotate_at: str = ""
    time_zone: str = ""


class ConnectionForm(ScheduleForm):
    """The form of a connection, less the fields of its methods. Names as in the JSON API."""

    name: str = ""
    description: str = ""
    method: str = ""
    owner_id: str = ""
    approval_reason: Why = msgspec.field(name="approval_reason", default="")


@dataclass(frozen=True)
class FormTypes:
    """The forms with the fields of all methods; which of them count is for the method to say. ``apps`` are the API's types."""

    connection: type[ConnectionForm]
    schedule: type[ScheduleForm]
    apps: Mapping[str, AppTypes]

    @classmethod
    def of(cls, providers: Providers) -> "FormTypes":
        methods = [method for provider in providers.all for method in provider.methods]
        rotation = [field for method in methods for field in method.rotation_fields if field.label]
        apps = {provider.manifest.app: types_of(provider) for provider in providers.all}
        fields = [field for method in methods for field in method.fields if field.asked is AskedWhere.CREDENTIALS]
        return cls(_with_fields(ConnectionForm, [*fields, *rotation]), _with_fields(ScheduleForm, rotation), apps)


def _with_fields(base: type[Any], fields: Iterable[Field]) -> type[Any]:
    members: dict[str, Any] = {}
    for field in fields:
        secret = field.secret or field.guarded
        members[attribute(field)] = (Plaintext, Plaintext("")) if secret else (str, "")
    return msgspec.defstruct(
        base.__name__,
        [(name, kind, default) for name, (kind, default) in members.items()],
        bases=(base,),
        namespace={"__doc__": base.__doc__},
    )


# --- to the use case --------------------------------------------------------------------------------------------------

_NAMES = {"time": "rotateAt", "userId": "ownerId"}


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


def creation_of(form: ConnectionForm, types: AppTypes, project_id: str | None) -> AppConnectionDraft:
    """Return the request of the API that the form stands for. Raises Invalid."""
    method = method_in(form, types)
    raw: Json = {
        "name": form.name,
        "description": form.description,
        "projectId": project_id,
        "method": form.method,
        "credentials": _values_for(form, method, AskedWhere.CREDENTIALS),
        "isAutoRotationEnabled": form.is_auto_rotation_enabled,
    }
    if form.owner_id:
        raw["owner"] = {"userId": form.owner_id}
    if form.is_auto_rotation_enabled:
        raw["rotation"] = schedule_json(form, method)
    request: AppConnectionDraft = read(types.drafts[method.key], raw)
    return request


def method_in(form: ConnectionForm, types: AppTypes) -> SignInMethod:
    """Return the method that was chosen; the last of the app for none of its methods."""
    return types.methods.get(form.method) or list(types.methods.values())[-1]


def credentials_of(form: ConnectionForm, types: AppTypes, method: SignInMethod) -> Credentials:
    """Return the credentials in the form, with the key id, so that its mistakes are told with all others. Raises Invalid."""
    asked = _values_for(form, method, AskedWhere.CREDENTIALS) | _values_for(form, method, AskedWhere.ROTATION)
    credentials: CredentialsModel = read(types.credentials[method.key], asked)
    return credentials.submission()


def _values_for(form: ScheduleForm, method: SignInMethod, asked: AskedWhere) -> Json:
    """Return the filled-in fields of credentials. A field that is left empty is absent."""
    values = values_of(form)
    return {field.name: values[field.name] for field in method.fields if field.asked is asked and values[field.name]}


def schedule_json(form: ScheduleForm, method: SignInMethod) -> Json:
    body: Json = {"rotateAt": {"time": form.rotate_at, "timeZone": form.time_zone}}
    text = form.rotation_interval.strip()
    # What is no number is left as it is, for the check to say so.
    body["rotationInterval"] = int(text) if text.isdecimal() and len(text) < 7 else text or None
    values = values_of(form)
    for field in method.rotation_fields:
        if values.get(field.name):
            body[field.name] = values[field.name]
            body["confirmKeyId"] = form.confirm_key_id
    return {name: value for name, value in body.items() if value is not None} | form.ticked()


# --- back to the form -------------------------------------------------------------------------------------------------

AT_CREDENTIAL = frozenset(
    {
        "rotation.shared_out_of_sight",
        "rotation.shared_without_permission",
        "rotation.credential_replaced",
        "rotation.key_in_use",
    }
)
"""Refusals that are about the credential itself, whatever its field is called."""


def form_state_of(
    path: str, form: ApiModel, error: KeyturnError | None = None, method: SignInMethod | None = None
) -> FormState:
    """Return the form as it was typed, less the secrets, with what is wrong at the fields and on top."""
    values, left_out = repeatable_values({name: _text(value) for name, value in values_of(form).items()})
    if error is None:
        return FormState(path, values)
    if isinstance(error, Invalid):
        errors: dict[str, str] = {}
        for issue in error.issues:
            errors.setdefault(_field(issue), sentence(issue))
        return FormState(path, values, errors, "Some fields need another look.", None, left_out)
    of_credential = method.credential_field if method and error.code in AT_CREDENTIAL else None
    field = (
        (_NAMES.get(error.field, error.field) if error.field else None)
        or of_credential
        or next((_field(detail) for detail in error.details if "path" in detail), "")
    )
    return FormState(path, values, {field: error.message} if field else {}, error.message, error.fix, left_out)


def _text(value: object) -> str:
    if isinstance(value, Plaintext):
        return value.reveal()  # ``repeatable_values`` drops what is secret, and keeps a certificate without its key
    return str(value).lower() if isinstance(value, bool) else str(value)
