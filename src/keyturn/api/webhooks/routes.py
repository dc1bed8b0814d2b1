"""Routes of webhooks: changes of a project, told to an address."""

from keyturn.api.webhooks.schemas import (
    CreateWebhook,
    OfProject,
    UpdateWebhook,
    WebhookAnswer,
    WebhookJournal,
    WebhookJournalPage,
    WebhookList,
    WebhookMade,
    WebhookMessageAnswer,
    message,
    present_message,
    present_webhook,
)
from keyturn.delivery.webhooks import Webhooks
from keyturn.kit.actor import Actor
from keyturn.web.routes import Routes, delete, get, group, patch, post

ROOT = "/api/v1/webhooks"
ONE = f"{ROOT}/{{webhook_id}}"


def router(webhooks: Webhooks) -> Routes:
    def list_webhooks(actor: Actor, query: OfProject) -> WebhookList:
        """List the webhooks of a project."""
        return WebhookList([present_webhook(each) for each in webhooks.list(actor, query.project())])

    def create_webhook(actor: Actor, data: CreateWebhook) -> WebhookMade:
        """Have the changes of a project told to an address, as far as whoever makes it may know of them.

        Messages are signed as Standard Webhooks say; the signing secret is answered this once. Names are sent, never values.
        """
        webhook, secret = webhooks.create(actor, data.project(), data.new())
        return WebhookMade(present_webhook(webhook), secret.reveal())

    def get_webhook(actor: Actor, webhook_id: str) -> WebhookAnswer:
        """Show a webhook."""
        return WebhookAnswer(present_webhook(webhooks.get(actor, webhook_id)))

    def update_webhook(actor: Actor, webhook_id: str, data: UpdateWebhook) -> WebhookAnswer:
        """Change a webhook, or switch it off or on. One that is switched on begins with what changes from then on."""
        return WebhookAnswer(present_webhook(webhooks.update(actor, webhook_id, data.change())))

    def delete_webhook(actor: Actor, webhook_id: str) -> WebhookAnswer:
        """Remove a webhook with its messages."""
        return WebhookAnswer(present_webhook(webhooks.delete(actor, webhook_id)))

    def rotate_secret(actor: Actor, webhook_id: str) -> WebhookMade:
        """Make another signing secret, answered this once. For a day messages carry the signatures of both."""
        webhook, secret = webhooks.rotate_secret(actor, webhook_id)
        return WebhookMade(present_webhook(webhook), secret.reveal())

    def test_webhook(actor: Actor, webhook_id: str) -> WebhookMessageAnswer:
        """Have a message sent that tells of nothing. What became of it is among the messages a moment later."""
        delivery = webhooks.test(actor, webhook_id)
        return WebhookMessageAnswer(message(delivery, delivery.body, []))

    def list_messages(actor: Actor, webhook_id: str, query: WebhookJournalPage) -> WebhookJournal:
        """List messages with their attempts, the newest first."""
        return WebhookJournal(
            [present_message(each) for each in webhooks.journal(actor, webhook_id, query.limit, query.offset)]
        )

    def replay_message(actor: Actor, webhook_id: str, message_id: str) -> WebhookMessageAnswer:
        """Have a message sent again, under the id that it has."""
        return WebhookMessageAnswer(message(webhooks.replay(actor, webhook_id, message_id), None, []))

    return group(
        "Webhooks",
        get(ROOT)(list_webhooks),
        post(ROOT)(create_webhook),
        get(ONE)(get_webhook),
        patch(ONE)(update_webhook),
        delete(ONE)(delete_webhook),
        post(f"{ONE}/rotate-secret")(rotate_secret),
        post(f"{ONE}/test")(test_webhook),
        get(f"{ONE}/messages")(list_messages),
        post(f"{ONE}/messages/{{message_id}}/replay")(replay_message),
    )
