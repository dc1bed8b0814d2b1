"""What a receiver reads: a title, and for each alarm what happened, why, what to do and where. Pure.

It is made of names, ids and sentences that pages show as well. As a second protection whatever looks like a secret is masked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Event
from keyturn.alarms.message_store import Told
from keyturn.kit.counting import counted
from keyturn.kit.redact import redact_text

_LONGEST = 1500
_MOST = 50
_HEADLINES: Mapping[str, str] = {
    Event.RESOLVED: "Resolved",
    Event.ESCALATED: "Nobody has reacted",
    Event.REMINDER: "Still so",
    Event.WORSE: "Worse",
    Event.ENDED: "Ended",
}


@dataclass(frozen=True)
class Item:
    """One alarm in a notification. ``fact`` holds what programs read of it."""

    event: str
    severity: str
    headline: str
    cause: str
    fix: str
    link: str
    fact: Mapping[str, Any]

    @property
    def contact(self) -> str:
        """Return where the owner, or somebody else, can be asked; empty where nobody said so."""
        return _clean(str(self.fact.get("contact") or ""))


@dataclass(frozen=True)
class Notification:
    """``id`` is the same for each attempt to deliver it. ``receiver`` is an address, where the channel has several."""

    id: str
    kind: str
    receiver: str
    created_at: datetime
    title: str
    items: tuple[Item, ...]
    left_out: int
    link: str

    def text(self) -> str:
        """Return it as plain text."""
        blocks = [_block(item) for item in self.items]
        if self.left_out:
            blocks.append(f"And {self.left_out} more: {self.link}")
        return "\n\n".join([*blocks, f"All alarms: {self.link}"]) + "\n"


def notification(
    message_id: str, kind: str, receiver: str, created_at: datetime, told: Sequence[Told], site: str
) -> Notification:
    """Return what a message says. Of a very long daily message the first fifty alarms are told, and how many more there are."""
    items = tuple(_item(each, site) for each in told[:_MOST])
    return Notification(
        message_id,
        kind,
        receiver,
        created_at,
        _title(items, len(told)),
        items,
        max(0, len(told) - _MOST),
        f"{site}/alarms",
    )


def trial(message_id: str, receiver: str, now: datetime, channel: str, who: str, site: str) -> Notification:
    """Return the message of the test button."""
    item = Item(
        "test",
        Severity.NOTICE.value,
        f"A test of the channel '{channel}'",
        f"{who} asked for it on the page of channels.",
        "Nothing has to be done: alarms will come this way.",
        f"{site}/alarms/channels",
        {},
    )
    return Notification(message_id, "test", receiver, now, f"[Keyturn] {item.headline}", (item,), 0, f"{site}/alarms")


def _title(items: Sequence[Item], count: int) -> str:
    if count == 1:
        return f"[Keyturn] {items[0].headline}"
    over = sum(item.event == Event.RESOLVED for item in items)
    if over == count:
        return f"[Keyturn] {counted(count, 'alarm is', 'alarms are')} resolved"
    return f"[Keyturn] {counted(count, 'alarm')}, the first: {items[0].headline}" if items else "[Keyturn] No alarms"


def _item(told: Told, site: str) -> Item:
    content = told.content
    prefix = _HEADLINES.get(told.event, "")
    about = f"{content.get('subject')}: {str(content.get('kind')).replace('-', ' ')}"
    resolved = told.event == Event.RESOLVED
    return Item(
        told.event,
        str(content.get("severity")),
        _clean(f"{prefix}: {about}" if prefix else about),
        _clean(f"It is over. It was: {content.get('cause')}" if resolved else str(content.get("cause"))),
        "Nothing has to be done." if resolved else _clean(str(content.get("fix"))),
        site + quote(str(content.get("path")), safe="/?=&#"),
        {**content, "cause": _clean(str(content.get("cause"))), "fix": _clean(str(content.get("fix")))},
    )


def _clean(text: str) -> str:
    return redact_text(" ".join(text.split())[:_LONGEST])


def _block(item: Item) -> str:
    lines = [f"{item.headline}  [{item.severity}]", item.cause, f"What to do: {item.fix}", item.link]
    return "\n".join([*lines, *([f"Contact: {item.contact}"] if item.contact else [])])
