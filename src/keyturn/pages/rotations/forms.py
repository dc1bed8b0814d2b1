"""From what a form holds to what a use case takes, and from what a use case refuses back to the form.

The shapes and their checks are those of the JSON API (``api.rotations.schemas``): a form is a request of it in other clothes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from keyturn.api.rotations.schemas import CreateSecretRotation, UpdateSecretRotation
from keyturn.errors import Invalid, KeyturnError
from keyturn.pages.weekdays import WeekdayFields, ticks
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.web.html.forms import FormState, sentence
from keyturn.web.schema.validate import parse
from keyturn.web.schema.wire import ApiModel


class ScheduleFields(WeekdayFields):
    """The part of a form that says when. It asks for nothing secret."""

    is_auto_rotation_enabled: bool = False
    rotation_interval: str = ""
    rotate_at: str = ""
    time_zone: str = ""
    overlap: str = ""


class RotationForm(ScheduleFields):
    """The form of a secret rotation."""

    name: str = ""
    description: str = ""
    connection_id: str = ""
    client_id_name: str = ""
    client_secret_name: str = ""


class NewRotationForm(RotationForm):
    """The form of a new one; the application was chosen before."""

    object_id: str = ""
    client_id: str = ""
    environment: str = ""
    secret_path: str = ""
    owner_id: str = ""


_FIELDS: Mapping[tuple[str, ...], str] = {
    ("secretsMapping", "clientId"): "clientIdName",
    ("secretsMapping", "clientSecret"): "clientSecretName",
    ("parameters", "objectId"): "objectId",
    ("parameters", "clientId"): "clientId",
    ("rotateAt", "time"): "rotateAt",
    ("rotateAt", "timeZone"): "timeZone",
    ("owner", "userId"): "ownerId",
    ("userId",): "ownerId",
}
"""The field of the form for what the API calls by a path."""


_AT_FIELD = {"secrets.folder_not_found": "secretPath", "projects.environment_not_found": "environment"}
"""Refusals that are about one field: they stand beside it, as those that name theirs."""


def new_rotation(form: NewRotationForm, project_id: str) -> CreateSecretRotation:
    """Return the request of the API that the form stands for. Raises Invalid, each fault at the name of its field."""
    body = _body(form) | {
        "projectId": project_id,
        "environment": form.environment,
        "secretPath": form.secret_path or "/",
        "parameters": {"objectId": form.object_id, "clientId": form.client_id},
        "owner": {"userId": form.owner_id} if form.owner_id else None,
    }
    request: CreateSecretRotation = _read(CreateSecretRotation, body)
    return request


def rotation_change(form: RotationForm) -> UpdateSecretRotation:
    """Return the request of the API that the form stands for. Raises Invalid, each fault at the name of its field."""
    request: UpdateSecretRotation = _read(UpdateSecretRotation, _body(form))
    return request


def _body(form: RotationForm) -> dict[str, object]:
    text = form.rotation_interval.strip()
    body: dict[str, object] = {
        "name": form.name,
        "description": form.description,
        "connectionId": form.connection_id,
        # What is no number is left as it is, for the check to say so.
        "rotationInterval": int(text) if text.isdecimal() and len(text) < 7 else text,
        "rotateAt": {"time": form.rotate_at, "timeZone": form.time_zone},
        "secretsMapping": {"clientId": form.client_id_name, "clientSecret": form.client_secret_name},
        "isAutoRotationEnabled": form.is_auto_rotation_enabled,
    }
    return body | form.ticked() | ({"overlap": form.overlap} if form.overlap else {})


def _read(kind: type[Any], body: Mapping[str, object]) -> Any:
    try:
        return parse(kind, body)
    except Invalid as error:
        raise Invalid([dict(issue, path=[_field(issue)]) for issue in error.issues]) from None


def _field(issue: Mapping[str, object]) -> str:
    path = issue.get("path")
    parts = tuple(str(part) for part in path) if isinstance(path, list | tuple) else ()
    return _FIELDS.get(parts) or (parts[-1] if parts else "")


def values_of(form: ApiModel) -> dict[str, str]:
    """Return the texts of a form by the names of its fields."""
    return {field.encode_name: _text(getattr(form, field.name)) for field in msgspec.structs.fields(form)}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def form_of(view: SecretRotationView) -> RotationForm:
    """Return the form as it is filled in with what there is."""
    each, schedule = view.secret_rotation, view.secret_rotation.schedule
    return RotationForm(
        is_auto_rotation_enabled=each.enabled,
        rotation_interval=str(schedule.interval_days),
        rotate_at=f"{schedule.hour:02}:{schedule.minute:02}",
        time_zone=schedule.time_zone,
        overlap=each.overlap,
        name=each.name,
        description=each.description or "",
        connection_id=each.connection_id,
        client_id_name=view.names.client_id,
        client_secret_name=view.names.client_secret,
        **ticks(schedule.weekdays),
    )


def form_state_of(path: str, form: ApiModel, error: KeyturnError | None = None) -> FormState:
    """Return the form as it was typed, with what is wrong at the fields and on top."""
    values = values_of(form)
    if error is None:
        return FormState(path, values)
    if isinstance(error, Invalid):
        errors: dict[str, str] = {}
        for issue in error.issues:
            errors.setdefault(_field(issue), sentence(issue))
        return FormState(path, values, errors, "Some fields need another look.")
    field = _FIELDS.get(tuple((error.field or "").split("."))) or error.field or _AT_FIELD.get(error.code, "")
    return FormState(path, values, {field: error.message} if field in values else {}, error.message, error.fix)
