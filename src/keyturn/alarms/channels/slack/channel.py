"""A channel of Slack, by an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"""

import re
from typing import Any

from keyturn.alarms.channels.http import post_json, shown_host
from keyturn.alarms.channels.kind import Config
from keyturn.alarms.notification import Item, Notification
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.http import NamedHostTransport

_MOST_BLOCKS = 45
"""Slack takes 50 blocks in a message: https://docs.slack.dev/reference/block-kit/blocks"""
_HEADER = 150
_SECTION = 2900
"""Of 3000 characters that the text of a section may have, with its link."""
_LONGEST = 1000
_CUT_SIGN = re.compile("&[a-z]*$")
_SIGNS = {"critical": ":red_circle:", "warning": ":large_yellow_circle:", "notice": ":white_circle:"}


@dataclass(frozen=True)
class Slack:
    """Whoever knows the address can write to the channel: it is the secret, and only its host is shown."""

    transport: NamedHostTransport
    clock: Clock
    key: str = "slack"
    title: str = "Slack"
    secret: str = "Address of the incoming webhook"
    secret_needed: bool = True
    secret_goes_to: frozenset[str] = frozenset()
    for_programs: bool = False

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        return shown_host(config, secret)

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        return post_json(self.transport, secret, body(notification), self.clock.now())


def body(notification: Notification) -> dict[str, Any]:
    """Return the message as Slack takes it."""
    shown = notification.sections[:_MOST_BLOCKS]
    left = notification.not_in(shown)
    more = f"And {left} more. " if left else ""
    head = {"type": "header", "text": {"type": "plain_text", "text": notification.title[:_HEADER]}}
    foot = {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": f"{more}<{_escaped(notification.link)}|All alarms>"}],
    }
    return {"text": _escaped(notification.title), "blocks": [head, *(_section(item) for item in shown), foot]}


def _section(item: Item) -> dict[str, Any]:
    lines = [
        f"{_SIGNS.get(item.severity, '')} *{_escaped(item.headline)}*",
        _escaped(item.cause[:_LONGEST]),
        f"*What to do:* {_escaped(item.fix[:_LONGEST])}",
        *([f"*Contact:* {_escaped(item.contact)}"] if item.contact else []),
    ]
    link = f"<{_escaped(item.link)}|Open>"
    text = _CUT_SIGN.sub("", "\n".join(lines)[: _SECTION - len(link)])
    return {"type": "section", "text": {"type": "mrkdwn", "text": f"{text}\n{link}", "verbatim": True}}


def _escaped(text: str) -> str:
    """Take away the meaning of signs that could notify or link: https://docs.slack.dev/messaging/formatting-message-text

    What has a meaning without them (``@here``, ``#general``, an address) is left alone in a text that is ``verbatim``.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
