"""What is to be written here for what is there. Pure: inventories in, entries and commands out.

What is written is read from the bodies that a client of this server's own API would send, so the same rules hold for it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace

from keyturn.api.folders.schemas import CreateFolder
from keyturn.api.projects.schemas import CreateEnvironment, CreateProject
from keyturn.api.secrets.schemas import HIDDEN, BatchEntry
from keyturn.api.tags.schemas import CreateTag
from keyturn.errors import Invalid, KeyturnError, Refused
from keyturn.importing.answers import EnvironmentThere, ProjectThere, RotationThere, SecretThere, TagThere
from keyturn.importing.report import Entry, Kind, Outcome
from keyturn.kit.dataclasses import dataclass
from keyturn.projects.domain import Environment, NewEnvironment, NewProject, Project
from keyturn.secrets.domain import (
    Folder,
    NewSecret,
    Secret,
    SecretChange,
    SecretType,
    Tag,
    require_name,
    require_size,
)
from keyturn.secrets.folder_names import require_folder_path
from keyturn.web.schema.validate import parse

TAKEN_OVER = "azure-client-secret"
"""The kind of rotation that this server has, too."""
_ROTATIONS = f"/api/v2/secret-rotations/{TAKEN_OVER}"
ROTATED = "a rotation there goes on to change it"


# --- projects, environments, tags, folders ----------------------------------------------------------------------------


def new_project(there: ProjectThere, slug: str) -> NewProject:
    """Raises Invalid for what no project here can be, Refused for a project of another kind."""
    if there.type not in {None, "", "secret-manager"}:
        raise Refused(
            f"It is a project of the kind '{there.type}', which holds no secrets.",
            code="import.kind",
            fix="Name the projects that are to be imported with --project.",
        )
    body = {"projectName": there.name, "slug": slug, "projectDescription": there.description or ""}
    return parse(CreateProject, body | {"shouldCreateDefaultEnvs": False}).command()


def project_differences(new: NewProject, here: Project) -> Iterator[str]:
    if new.name != here.name:
        yield "name"
    if (new.description or "") != (here.description or ""):
        yield "description"


def new_environment(there: EnvironmentThere) -> NewEnvironment:
    """Raises Invalid."""
    return parse(CreateEnvironment, {"name": there.name, "slug": there.slug}).command()


def environment_differences(new: NewEnvironment, here: Environment) -> Iterator[str]:
    if new.name != here.name:
        yield "name"


def new_tag(there: TagThere) -> CreateTag:
    """Raises Invalid."""
    return parse(CreateTag, {"slug": there.slug, "name": there.name or there.slug, "color": there.color or ""})


def tag_differences(new: CreateTag, here: Tag) -> Iterator[str]:
    if new.name != here.name:
        yield "name"
    if new.color != here.color:
        yield "color"


def new_folder(path: str, description: str | None) -> CreateFolder:
    """Raises Invalid, and Refused for a path that no folder can have."""
    require_folder_path(path)
    above, _, name = path.rpartition("/")
    return parse(CreateFolder, {"path": above or "/", "name": name, "description": description or ""})


def folder_differences(new: CreateFolder, here: Folder) -> Iterator[str]:
    if (new.description or "") != (here.description or ""):
        yield "description"


# --- secrets ----------------------------------------------------------------------------------------------------------


@dataclass
class SecretsPlan:
    """What is to be written into one folder, and an entry for each secret by its name."""

    entries: dict[str, Entry] = field(default_factory=dict)
    new: list[NewSecret] = field(default_factory=list)
    changes: dict[str, SecretChange] = field(default_factory=dict)

    def refuse(self, name: str, reason: str) -> None:
        """Note why this one is not written after all."""
        self.entries[name] = replace(self.entries[name], outcome=Outcome.REFUSED, reason=reason)


def plan_secrets(
    place: str,
    there: Sequence[SecretThere],
    here: Mapping[str, Secret],
    tag_ids: Mapping[str, str],
    *,
    overwrite: bool,
) -> SecretsPlan:
    """Compare secrets of a folder there with those here, by name. ``tag_ids`` are the ids here by slug.

    Personal values are left out: only their owners can bring them.
    """
    plan = SecretsPlan()
    for secret in there:
        name = secret.secret_key
        if name in plan.entries or secret.type not in {None, "shared"}:
            continue
        try:
            request = _request(secret, tag_ids)
        except (Invalid, Refused) as error:
            plan.entries[name] = Entry(Kind.SECRET, place, name, Outcome.REFUSED, reason_of(error))
            continue
        differences = _differences(secret, request, here[name]) if name in here else None
        outcome = outcome_of(differences, overwrite=overwrite)
        if outcome is Outcome.CREATED:
            plan.new.append(request.new(name, SecretType.SHARED, request.secret_value))
        elif outcome is Outcome.CHANGED:
            plan.changes[name] = request.change(SecretType.SHARED, request.secret_value)
        reasons = [*(differences or ()), *([ROTATED] if secret.is_rotated_secret else ())]
        plan.entries[name] = Entry(Kind.SECRET, place, name, outcome, ", ".join(reasons))
    return plan


def outcome_of(differences: Sequence[str] | None, *, overwrite: bool) -> Outcome:
    """Return what is to be done about a thing with these differences; None: it is not here."""
    if differences is None:
        return Outcome.CREATED
    if not differences:
        return Outcome.EQUAL
    return Outcome.CHANGED if overwrite else Outcome.DIFFERENT


def _request(secret: SecretThere, tag_ids: Mapping[str, str]) -> BatchEntry:
    """Return what a client would send for it. Raises Invalid or Refused when that would be refused."""
    if secret.secret_value_hidden or secret.secret_value.reveal() == HIDDEN:
        raise Refused(
            "Its value is not shown to this machine identity there.",
            code="import.hidden",
            fix="Permit it there to read values, and import again.",
        )
    unknown = [tag.slug for tag in secret.tags or () if tag.slug not in tag_ids]
    if unknown:
        raise Refused(
            f"Its tags are not here: {', '.join(unknown)}.",
            code="import.tags",
            fix="See above why they could not be made, and import again.",
        )
    require_name(secret.secret_key)
    require_size(secret.secret_value)
    body = {
        "secretKey": secret.secret_key,
        "secretValue": secret.secret_value,
        "secretComment": secret.secret_comment or "",
        "skipMultilineEncoding": bool(secret.skip_multiline_encoding),
        "secretMetadata": [
            {"key": each.key, "value": each.value or "", "isEncrypted": bool(each.is_encrypted)}
            for each in secret.secret_metadata or ()
        ],
        "tagIds": [tag_ids[tag.slug] for tag in secret.tags or ()],
        "secretReminderNote": secret.secret_reminder_note,
        "secretReminderRepeatDays": secret.secret_reminder_repeat_days,
    }
    return parse(BatchEntry, body)


def _differences(there: SecretThere, request: BatchEntry, here: Secret) -> list[str]:
    new = request.new(there.secret_key, SecretType.SHARED, request.secret_value)
    same = {
        "value": here.value is not None and new.value == here.value,
        "comment": new.details.comment == here.details.comment,
        "metadata": new.details.metadata == here.details.metadata,
        "reminder": (new.details.reminder_note, new.details.reminder_days)
        == (here.details.reminder_note, here.details.reminder_days),
        "tags": {tag.slug for tag in there.tags or ()} == {tag.slug for tag in here.tags},
        "multiline encoding": new.skip_multiline_encoding == here.stored.skip_multiline_encoding,
    }
    return [name for name, is_same in same.items() if not is_same]


# --- what is said -----------------------------------------------------------------------------------------------------


def reason_of(error: KeyturnError) -> str:
    """Return why something is refused, in one sentence without values."""
    if isinstance(error, Invalid):
        return "; ".join(f"{_dotted(issue['path'])}: {issue['message']}" for issue in error.issues)
    return error.diagnostics()


def _dotted(path: object) -> str:
    return ".".join(str(step) for step in path) if isinstance(path, list | tuple) else ""


def rotation_entry(slug: str, project_id: str, rotation: RotationThere) -> Entry:
    """Return what is said of a rotation: it goes on there until somebody takes it over."""
    place = f"{slug}/{rotation.environment.slug}{rotation.folder.path}".rstrip("/")
    names = {key: str(name) for key, name in rotation.secrets_mapping.items()}
    reason = f"{rotation.type}, writes {', '.join(names.values())}"
    if rotation.type != TAKEN_OVER:
        fix = "This server does not rotate this kind: its secrets are ordinary ones here."
        return Entry(Kind.ROTATION, place, rotation.name, Outcome.KEPT, reason, fix)
    body = {
        "name": rotation.name,
        "projectId": project_id,
        "connectionId": "ID of a connection here",
        "environment": rotation.environment.slug,
        "secretPath": rotation.folder.path,
        "rotationInterval": rotation.rotation_interval or 30,
        "parameters": {key: str(rotation.parameters.get(key, "")) for key in ("objectId", "clientId")},
        "secretsMapping": {key: f"{name}_NEW" for key, name in names.items()},
    }
    steps = (
        "To take it over: 1. Switch its automatic rotation off there.",
        f"2. POST {_ROTATIONS} {json.dumps(body, ensure_ascii=False)}",
        f"3. Delete {' and '.join(names.values())} here, and at once:",
        f"   PATCH {_ROTATIONS}/ID {json.dumps({'secretsMapping': names}, ensure_ascii=False)}",
        f"4. What still reads there holds the secret of before: POST {_ROTATIONS}/ID/hand-over keeps it until it is released.",
    )
    return Entry(Kind.ROTATION, place, rotation.name, Outcome.KEPT, reason, "\n".join(steps))
