"""JSON of streams of events: what is asked for, and what is told."""

from typing import Annotated, Literal

from msgspec import Meta

from keyturn.changes.domain import Change, ChangeKind
from keyturn.delivery.event_views import Interest
from keyturn.secrets.domain import Address, clean_path
from keyturn.web.schema.wire import ApiModel

Reference = Annotated[str, Meta(max_length=255)]
ProjectId = Annotated[str, Meta(max_length=255, examples=["8c1e2f7a-5b3d-4e6f-9a01-2b4c6d8e0f13"])]
Path = Annotated[str, Meta(max_length=2000, examples=["/billing"])]
EnvironmentSlug = Annotated[str, Meta(max_length=64, examples=["dev"])]


class EventsPlace(ApiModel):
    """Which changes are told: of all environments and folders, unless an environment, or a path in it, is named."""

    project_id: ProjectId | None = None
    project_slug: Reference | None = None
    environment: EnvironmentSlug | None = None
    secret_path: Path | None = None
    recursive: bool = False

    def address(self) -> Address:
        return Address(self.project_id or None, self.project_slug or None, self.environment)

    def interest(self) -> Interest:
        path = None if self.secret_path is None else clean_path(self.secret_path)
        return Interest(self.environment, path, self.recursive)


class ChangeTold(ApiModel, omit_defaults=True):
    """The data of a ``change``. ``reason`` is why a rotation published a value; ``previous...`` of what was renamed."""

    kind: str
    environment: str | None = None
    path: str | None = None
    name: str | None = None
    version: int | None = None
    reason: str | None = None
    previous_name: str | None = None
    previous_path: str | None = None


def present_change(change: Change) -> ChangeTold:
    return ChangeTold(
        change.kind.value,
        change.environment,
        change.path,
        change.name,
        change.version,
        change.reason,
        change.previous_name,
        change.previous_path,
    )


class EndTold(ApiModel):
    error: str
    code: str
    message: str


# --- as other clients subscribe ---------------------------------------------------------------------------------------
# https://infisical.com/docs/api-reference/endpoints/events/project-events and
# https://infisical.com/docs/documentation/platform/event-subscriptions (what is asked for, and what comes)


class EventConditions(ApiModel):
    """``secretPath`` may end in ``**``: the folder and all below it, as the Kubernetes operator asks for."""

    environment_slug: EnvironmentSlug | None = None
    secret_path: Path = "/"


class EventRegistration(ApiModel):
    event: Literal["secret:create", "secret:update", "secret:delete", "secret:import-mutation"]
    conditions: EventConditions | None = None

    def interest(self) -> Interest:
        kinds = frozenset({ChangeKind(self.event)})
        if self.conditions is None:
            return Interest(kinds=kinds)
        path = self.conditions.secret_path
        folder = clean_path(path.removesuffix("**") or "/")
        return Interest(self.conditions.environment_slug, folder, path.endswith("**"), kinds)


_ALL: tuple[Literal["secret:create", "secret:update", "secret:delete", "secret:import-mutation"], ...] = (
    "secret:create",
    "secret:update",
    "secret:delete",
    "secret:import-mutation",
)


class SubscribeToProject(ApiModel):
    """Without ``register`` all events of secrets are told."""

    project_id: ProjectId
    register: Annotated[list[EventRegistration], Meta(max_length=10)] | None = None

    def interests(self) -> list[Interest]:
        return [each.interest() for each in self.register or [EventRegistration(event) for event in _ALL]]


class SecretOfEvent(ApiModel):
    environment: str | None
    secret_path: str | None
    secret_key: str | None


class FolderOfEvent(ApiModel):
    environment: str | None
    secret_path: str | None


class EventOfProject(ApiModel):
    event_type: str
    payload: list[SecretOfEvent] | FolderOfEvent


class ProjectEvent(ApiModel):
    project_type: str
    data: EventOfProject


def event_of_project(change: Change) -> ProjectEvent:
    payload: list[SecretOfEvent] | FolderOfEvent = FolderOfEvent(change.environment, change.path)
    if change.kind is not ChangeKind.IMPORTS_CHANGED:
        payload = [SecretOfEvent(change.environment, change.path, change.name)]
    return ProjectEvent("secret-manager", EventOfProject(change.kind.value, payload))
