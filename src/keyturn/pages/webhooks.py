"""The webhooks of a project on pages: what is told to whom, and how each attempt went."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.changes.domain import ChangeKind
from keyturn.delivery.webhook_rules import EVERYWHERE, NewWebhook, Webhook, WebhookChange
from keyturn.delivery.webhooks import LONGEST_URL, Told, Webhooks, host_of
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.project_header import ProjectHeader, ProjectHeaders
from keyturn.projects.domain import Environment
from keyturn.projects.service import Projects
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Trimmed
from keyturn.web.schema.wire import ApiModel

HERE = "/projects/{project_id}/webhooks"
ONE = f"{HERE}/{{webhook_id}}"
MESSAGES = 50
_OF_SECRETS = (ChangeKind.SECRET_CREATED, ChangeKind.SECRET_UPDATED, ChangeKind.SECRET_DELETED)


@dataclass(frozen=True)
class WebhooksPage(Page):
    template: ClassVar[str] = "webhooks/list.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    webhooks: Sequence[tuple[str, Webhook]]
    """Each with the host of its address."""
    environments: Sequence[Environment]
    form_state: FormState
    tab: str = "webhooks"


@dataclass(frozen=True)
class WebhookPage(Page):
    template: ClassVar[str] = "webhooks/one.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    webhook: Webhook
    host: str
    is_own: bool
    """Whether it acts for the viewer, who alone may change where it tells what they know."""
    messages: Sequence[Told]
    form_state: FormState
    tab: str = "webhooks"


@dataclass(frozen=True)
class WebhookSecretPage(Page):
    """A signing secret in the clear: shown by the request that made it, and never again."""

    template: ClassVar[str] = "webhooks/secret.html"
    section: ClassVar[str] = "projects"

    project: ProjectHeader
    webhook: Webhook
    host: str
    secret: str
    tab: str = "webhooks"


class WebhookForm(ApiModel, rename=None):
    url: Annotated[NonEmpty, Meta(max_length=LONGEST_URL)]
    path: Annotated[NonEmpty, Meta(max_length=256)] = EVERYWHERE
    environment: Annotated[Trimmed, Meta(max_length=64)] = ""
    only_secrets: bool = False
    ca: Annotated[Trimmed, Meta(max_length=64 * 1024)] = ""

    def kinds(self) -> frozenset[ChangeKind]:
        return frozenset(_OF_SECRETS) if self.only_secrets else frozenset()

    def new(self) -> NewWebhook:
        return NewWebhook(self.url, self.environment or None, self.path, self.kinds(), ca=self.ca)


class ConfirmForm(ApiModel, rename=None):
    confirm: Trimmed = ""


def router(webhooks: Webhooks, projects: Projects, heads: ProjectHeaders) -> Pages:
    """Return the pages of a project's webhooks, and what can be done on them."""

    @get(HERE)
    def show_webhooks(actor: Actor, project_id: str, form_state: FormState) -> WebhooksPage:
        shown = [(host_of(each.url), each) for each in webhooks.list(actor, project_id)]
        environments = projects.get(actor, project_id).environments
        return WebhooksPage(heads.project(actor, project_id), shown, environments, form_state)

    @get(ONE)
    def show_webhook(actor: Actor, project_id: str, webhook_id: str, form_state: FormState) -> WebhookPage:
        webhook = webhooks.get(actor, webhook_id)
        messages = webhooks.journal(actor, webhook_id, MESSAGES)
        own = webhook.acts_for_id == actor.id
        head = heads.project(actor, project_id)
        return WebhookPage(head, webhook, host_of(webhook.url), own, messages, form_state)

    @post(
        HERE,
        form_page=show_webhooks,
        fields={"webhookUrl": "url", "secretPath": "path", "caCert": "ca"},
    )
    def create_webhook(actor: Actor, project_id: str, form: WebhookForm) -> WebhookSecretPage:
        webhook, secret = webhooks.create(actor, project_id, form.new())
        head = heads.project(actor, project_id)
        return WebhookSecretPage(head, webhook, host_of(webhook.url), secret.reveal())

    return group(show_webhooks, show_webhook, create_webhook, *_on_one(webhooks, heads, show_webhook))


def _on_one(webhooks: Webhooks, heads: ProjectHeaders, show_webhook: PageRoute) -> list[PageRoute]:
    """Return what can be done on the page of one webhook."""

    def back(project_id: str, webhook_id: str, toast: str) -> Redirect:
        return Redirect(f"/projects/{project_id}/webhooks/{webhook_id}", toast=toast)

    @post(f"{ONE}/rotate-secret", form_page=show_webhook)
    def rotate_secret(actor: Actor, project_id: str, webhook_id: str) -> WebhookSecretPage:
        webhook, secret = webhooks.rotate_secret(actor, webhook_id)
        head = heads.project(actor, project_id)
        return WebhookSecretPage(head, webhook, host_of(webhook.url), secret.reveal())

    @post(f"{ONE}/test", form_page=show_webhook)
    def test_webhook(actor: Actor, project_id: str, webhook_id: str) -> Redirect:
        webhooks.test(actor, webhook_id)
        return back(project_id, webhook_id, "A test message is on its way. Reload the page to see how it went.")

    @post(f"{ONE}/disable", form_page=show_webhook)
    def disable_webhook(actor: Actor, project_id: str, webhook_id: str) -> Redirect:
        webhooks.update(actor, webhook_id, WebhookChange(enabled=False))
        return back(project_id, webhook_id, "The webhook is switched off.")

    @post(f"{ONE}/enable", form_page=show_webhook)
    def enable_webhook(actor: Actor, project_id: str, webhook_id: str) -> Redirect:
        webhooks.update(actor, webhook_id, WebhookChange(enabled=True))
        return back(project_id, webhook_id, "The webhook is switched on. It tells what changes from now on.")

    @post(f"{ONE}/messages/{{message_id}}/replay", form_page=show_webhook)
    def replay_message(actor: Actor, project_id: str, webhook_id: str, message_id: str) -> Redirect:
        webhooks.replay(actor, webhook_id, message_id)
        return back(project_id, webhook_id, "The message is sent again, under the same id.")

    @post(f"{ONE}/delete", form_page=show_webhook)
    def delete_webhook(actor: Actor, project_id: str, webhook_id: str, form: ConfirmForm) -> Redirect:
        require_typed(form.confirm, host_of(webhooks.get(actor, webhook_id).url))
        webhooks.delete(actor, webhook_id)
        return Redirect(f"/projects/{project_id}/webhooks", toast="The webhook was deleted.")

    return [rotate_secret, test_webhook, disable_webhook, enable_webhook, replay_message, delete_webhook]
