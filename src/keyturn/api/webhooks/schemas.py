"""JSON of webhooks. What existing clients name ``workspaceId``, ``webhookUrl``, ``secretPath`` and ``isDisabled`` is named so.

Source of these names: https://infisical.com/docs/documentation/platform/webhooks (address, environment, path as a pattern,
signing secret). Everything else is our own; messages are signed as Standard Webhooks say, not as there.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from keyturn.changes.domain import ChangeKind
from keyturn.delivery.webhook_rules import EVERYWHERE, Attempt, Delivery, NewWebhook, Webhook, WebhookChange
from keyturn.delivery.webhooks import Told
from keyturn.errors import Refused
from keyturn.kit.clock import iso
from keyturn.kit.secret import Plaintext
from keyturn.web.schema.paging import Offset
from keyturn.web.schema.wire import ApiModel, Timestamp

Reference = Annotated[str, Meta(max_length=255)]
ProjectId = Annotated[str, Meta(max_length=255, examples=["8c1e2f7a-5b3d-4e6f-9a01-2b4c6d8e0f13"])]
Url = Annotated[str, Meta(max_length=2000, examples=["https://hooks.example.com/keyturn"])]
Pattern = Annotated[str, Meta(max_length=256, examples=["/billing/**"])]
EnvironmentSlug = Annotated[str, Meta(max_length=64, examples=["prod"])]
Kinds = Annotated[list[ChangeKind], Meta(max_length=20)]
Certificates = Annotated[str, Meta(max_length=64 * 1024)]
Secret = Annotated[Plaintext, Meta(max_length=200)]


class CreateWebhook(ApiModel):
    """Without ``environment`` all of them, without ``events`` all kinds. ``identityId``: acts for a machine identity."""

    webhook_url: Url
    project_id: ProjectId | None = None
    workspace_id: Reference | None = None
    environment: EnvironmentSlug | None = None
    secret_path: Pattern = EVERYWHERE
    events: Kinds | None = None
    identity_id: Reference | None = None
    webhook_secret_key: Secret | None = None
    ca: Certificates = field(default="", name="caCert")

    def project(self) -> str:
        return _project(self.project_id, self.workspace_id)

    def new(self) -> NewWebhook:
        kinds = frozenset(self.events or ())
        path, secret = self.secret_path, self.webhook_secret_key
        return NewWebhook(
            self.webhook_url, self.environment or None, path, kinds, self.identity_id or None, self.ca, secret
        )


class UpdateWebhook(ApiModel):
    """What is absent stays as it is."""

    webhook_url: Url | None = None
    secret_path: Pattern | None = None
    events: Kinds | UnsetType = UNSET
    is_disabled: bool | None = None
    ca: Certificates | UnsetType = field(default=UNSET, name="caCert")

    def change(self) -> WebhookChange:
        return WebhookChange(
            self.webhook_url,
            self.secret_path,
            None if self.events is UNSET else frozenset(self.events),
            None if self.ca is UNSET else self.ca,
            None if self.is_disabled is None else not self.is_disabled,
        )


class OfProject(ApiModel):
    project_id: ProjectId | None = None
    workspace_id: Reference | None = None

    def project(self) -> str:
        return _project(self.project_id, self.workspace_id)


def _project(project_id: str | None, workspace_id: str | None) -> str:
    """Return which project is named. Raises Refused for none."""
    if project := project_id or workspace_id:
        return project
    raise Refused("Say which project.", code="secrets.no_project", fix="Send its id as projectId or workspaceId.")


class WebhookJournalPage(ApiModel):
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    offset: Offset = 0


class WebhookShown(ApiModel):
    id: str
    project_id: str
    url: str
    environment: str | None
    secret_path: str
    events: list[str]
    acts_for: str
    is_disabled: bool
    disabled_reason: str | None
    last_status: str | None
    """``success`` or ``failed``."""
    last_run_at: Timestamp | None
    last_run_error_message: str | None
    failing_since: Timestamp | None
    ca: str = field(name="caCert")
    created_at: Timestamp
    updated_at: Timestamp


class WebhookAnswer(ApiModel):
    webhook: WebhookShown


class WebhookMade(ApiModel):
    """``webhookSecretKey`` is shown this once."""

    webhook: WebhookShown
    webhook_secret_key: str


class WebhookList(ApiModel):
    webhooks: list[WebhookShown]


class WebhookAttempt(ApiModel):
    number: int
    at: Timestamp
    status: int | None
    reason: str | None
    milliseconds: int


class WebhookMessage(ApiModel):
    """``body`` is what is sent; null for who may not know what it tells of."""

    id: str
    revision: int | None
    kind: str
    state: str
    attempts: list[WebhookAttempt]
    next_attempt_at: Timestamp | None
    created_at: Timestamp
    body: str | None


class WebhookMessageAnswer(ApiModel):
    message: WebhookMessage


class WebhookJournal(ApiModel):
    messages: list[WebhookMessage]


def present_webhook(webhook: Webhook) -> WebhookShown:
    ok = webhook.last_status is not None and 200 <= webhook.last_status < 300
    return WebhookShown(
        id=webhook.id,
        project_id=webhook.project_id,
        url=webhook.url,
        environment=webhook.environment,
        secret_path=webhook.path,
        events=sorted(kind.value for kind in webhook.kinds),
        acts_for=webhook.acts_for_id,
        is_disabled=not webhook.enabled,
        disabled_reason=webhook.disabled_reason,
        last_status=None if webhook.last_at is None else "success" if ok else "failed",
        last_run_at=iso(webhook.last_at) if webhook.last_at else None,
        last_run_error_message=webhook.last_reason,
        failing_since=iso(webhook.failing_since) if webhook.failing_since else None,
        ca=webhook.ca,
        created_at=iso(webhook.created_at),
        updated_at=iso(webhook.updated_at),
    )


def message(delivery: Delivery, body: str | None, attempts: "list[Attempt]") -> WebhookMessage:
    return WebhookMessage(
        delivery.id,
        delivery.revision,
        delivery.kind,
        delivery.state.value,
        [WebhookAttempt(each.number, iso(each.at), each.status, each.reason, each.milliseconds) for each in attempts],
        iso(delivery.next_at) if delivery.next_at else None,
        iso(delivery.created_at),
        body,
    )


def present_message(entry: Told) -> WebhookMessage:
    return message(entry.delivery, entry.body, list(entry.attempts))
