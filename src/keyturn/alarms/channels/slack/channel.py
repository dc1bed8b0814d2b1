"""A channel of Slack, by an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

from dataclasses import dataclass
from typing import Any

from keyturn.alarms.channels.http import post_json, shown_host
from keyturn.alarms.channels.kind import Config
from keyturn.alarms.notification import Item, Notification
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import NamedHostTransport

_MOST_BLOCKS = 45
"""Slack takes 50 blocks in a message: https://docs.slack.dev/reference/block-kit/blocks"""
_HEADER = 150
_SECTION = 2900
_SIGNS = {"critical": ":red_circle:", "warning": ":large_yellow_circle:", "notice": ":white_circle:"}


@dataclass(frozen=True)
class Slack:
    """Whoever knows the address can write to the channel: it is the secret, and only its host is shown."""

    transport: NamedHostTransport
    key: str = "slack"
    title: str = "Slack"
    secret: str = "Address of the incoming webhook"
    secret_needed: bool = True

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        return shown_host(config, secret)

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        return post_json(self.transport, secret, body(notification))


def body(notification: Notification) -> dict[str, Any]:
    """Return the message as Slack takes it."""
    shown = notification.items[:_MOST_BLOCKS]
    left = notification.left_out + len(notification.items) - len(shown)
    more = f"And {left} more. " if left else ""
    head = {"type": "header", "text": {"type": "plain_text", "text": notification.title[:_HEADER]}}
    foot = {"type": "context", "elements": [{"type": "mrkdwn", "text": f"{more}<{notification.link}|All alarms>"}]}
    return {"text": _escaped(notification.title), "blocks": [head, *(_section(item) for item in shown), foot]}


def _section(item: Item) -> dict[str, Any]:
    lines = [
        f"{_SIGNS.get(item.severity, '')} *{_escaped(item.headline)}*",
        _escaped(item.cause),
        f"*What to do:* {_escaped(item.fix)}",
    ]
    text = "\n".join(lines)[:_SECTION]
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"{text}\n<{item.link}|Open>"}}


def _escaped(text: str) -> str:
    """Take away the meaning of signs that could notify or link: https://docs.slack.dev/messaging/formatting-message-text"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
