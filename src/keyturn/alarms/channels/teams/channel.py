"""A channel of Microsoft Teams, by a workflow that posts what a webhook receives, with an adaptive card.

https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec

from keyturn.alarms.channels.http import post_json, shown_host
from keyturn.alarms.channels.kind import Config
from keyturn.alarms.notification import Item, Notification
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock
from keyturn.ports.http import NamedHostTransport

_MOST = 15
_MOST_BYTES = 24 * 1024
"""Of 28 KB that a message may have: https://learn.microsoft.com/en-us/microsoftteams/limits-specifications-teams"""
_LONGEST = 500
_COLORS = {"critical": "Attention", "warning": "Warning", "notice": "Default"}


@dataclass(frozen=True)
class Teams:
    """Whoever knows the address can write to the channel: it is the secret, and only its host is shown."""

    transport: NamedHostTransport
    clock: Clock
    key: str = "teams"
    title: str = "Microsoft Teams"
    secret: str = "Address of the workflow"
    secret_needed: bool = True
    secret_goes_to: frozenset[str] = frozenset()
    for_programs: bool = False

    def check(self, config: Config, secret: Plaintext | None) -> dict[str, Any]:
        return shown_host(config, secret)

    def send(self, config: Config, secret: Plaintext | None, notification: Notification) -> str:
        return post_json(self.transport, secret, body(notification), self.clock.now())


def body(notification: Notification) -> dict[str, Any]:
    """Return the message as the workflow takes it."""
    shown = _as_many_as_fit([_container(section) for section in notification.sections[:_MOST]])
    left = notification.not_in(notification.sections[: len(shown)])
    head = _text(notification.title, weight="Bolder", size="Medium")
    more = [_text(f"And {left} more.")] if left else []
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [head, *shown, *more],
        "actions": [{"type": "Action.OpenUrl", "title": "All alarms", "url": notification.link}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _as_many_as_fit(containers: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the first of them: a sign may take several bytes, so that their number says little of their size."""
    sizes = accumulate(len(msgspec.json.encode(each)) for each in containers)
    return [each for each, size in zip(containers, sizes, strict=True) if size <= _MOST_BYTES]


def _container(item: Item) -> dict[str, Any]:
    return {
        "type": "Container",
        "separator": True,
        "items": [
            _text(item.headline, weight="Bolder", color=_COLORS.get(item.severity, "Default")),
            _text(item.cause),
            _text(f"What to do: {item.fix}"),
            *([_text(f"Contact: {item.contact}")] if item.contact else []),
            {"type": "ActionSet", "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": item.link}]},
        ],
    }


def _text(text: str, **more: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": _escaped(text[:_LONGEST]), "wrap": True, **more}


def _escaped(text: str) -> str:
    """Take away the meaning of signs that a card reads as links: names are of people's choice."""
    return text.replace("[", "\\[").replace("](", "]\\(")
