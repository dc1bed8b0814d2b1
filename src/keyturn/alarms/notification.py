"""What a receiver reads: a title, and for each alarm what happened, why, what to do and where. Pure.

It is made of names, ids and sentences that pages show as well. As a second protection whatever looks like a secret is masked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.domain import Event, Message
from keyturn.alarms.message_store import Told
from keyturn.audit.domain import SubjectKind
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.printable import visible
from keyturn.kit.redact import redact_text

_LONGEST = 1500
_MOST = 50
_NAMES = 5
"""Of many subjects so many are named."""
_LONGEST_HEADLINE = 100
_NOUNS: Mapping[str, tuple[str, str]] = {
    SubjectKind.CONNECTION: ("connection", "connections"),
    SubjectKind.SECRET_ROTATION: ("rotation", "rotations"),
    SubjectKind.ROTATION: ("application", "applications"),
    SubjectKind.IDENTITY: ("machine identity", "machine identities"),
}
_HEADLINES: Mapping[str, str] = {
    Event.RESOLVED: "Resolved",
    Event.ESCALATED: "Nobody has reacted",
    Event.REMINDER: "Still so",
    Event.WORSE: "Worse",
    Event.ENDED: "Ended",
}


@dataclass(frozen=True)
class Item:
    """One alarm in a notification, or ``alarms`` of them that say the same. ``fact`` holds what programs read of the first."""

    event: str
    severity: str
    headline: str
    cause: str
    fix: str
    link: str
    fact: Mapping[str, Any]
    alarms: int = 1

    @property
    def contact(self) -> str:
        """Return where the owner, or somebody else, can be asked; empty where nobody said so."""
        return _clean(str(self.fact.get("contact") or ""))


@dataclass(frozen=True)
class Part:
    """Which of the parts of a message, counted from 1: programs are told of all its alarms, of fifty in each part."""

    number: int = 1
    parts: int = 1

    def id_of(self, message_id: str) -> str:
        """Return the id by which receivers know doubles: each part has its own."""
        return message_id if self.number == 1 else f"{message_id}-{self.number}"


def next_part(taken: int, count: int) -> Part:
    """Return the part that follows the ``taken`` ones, of a message of so many alarms."""
    return Part(taken + 1, max(1, -(-count // _MOST)))


@dataclass(frozen=True)
class Notification:
    """``id`` is the same for each attempt to deliver it. ``receiver`` is an address, where the channel has several.

    ``items`` are for programs: the alarms of this ``part``, one by one. ``left_out`` is how many the parts after it tell.
    ``sections`` are for people: what is so of many subjects for the same cause is said once. ``count`` is of all alarms.
    """

    id: str
    kind: str
    receiver: str
    created_at: datetime
    title: str
    items: tuple[Item, ...]
    sections: tuple[Item, ...]
    count: int
    link: str
    part: Part = Part()

    @property
    def left_out(self) -> int:
        return max(0, self.count - self.part.number * _MOST)

    def not_in(self, shown: Sequence[Item]) -> int:
        """Return of how many alarms these sections do not tell."""
        return self.count - sum(section.alarms for section in shown)

    def text(self, longest: int | None = None) -> str:
        """Return it as plain text: at most the sections that fit into so many characters, but always the first one."""
        shown = len(self.sections)
        text = self._text_of(shown)
        while longest is not None and len(text) > longest and shown > 1:
            shown -= 1
            text = self._text_of(shown)
        return text

    def _text_of(self, shown: int) -> str:
        """Return the first sections, and how many alarms are in none of them."""
        blocks = [_block(section) for section in self.sections[:shown]]
        if left := self.not_in(self.sections[:shown]):
            blocks.append(f"And {left} more: {self.link}")
        return "\n\n".join([*blocks, f"All alarms: {self.link}"]) + "\n"


def notification(message: Message, told: Sequence[Told], site: str, part: Part) -> Notification:
    """Return what a part of a message says. Of a very long one people read the first fifty sections, and how many more."""
    items = tuple(_item(each, site) for each in told[(part.number - 1) * _MOST : part.number * _MOST])
    sections = tuple(_section(each, site) for each in _alike(told)[:_MOST])
    return Notification(
        part.id_of(message.id),
        message.kind,
        message.receiver,
        message.created_at,
        _title(sections, len(told)),
        items,
        sections,
        len(told),
        f"{site}/alarms",
        part,
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
    return Notification(
        message_id, "test", receiver, now, f"[Keyturn] {item.headline}", (item,), (item,), 1, f"{site}/alarms"
    )


def _title(sections: Sequence[Item], count: int) -> str:
    over = sum(section.alarms for section in sections if section.event == Event.RESOLVED)
    if over == count > 1:
        return f"[Keyturn] {counted(count, 'alarm is', 'alarms are')} resolved"
    if len(sections) == 1:
        return f"[Keyturn] {sections[0].headline}"
    return (
        f"[Keyturn] {counted(count, 'alarm')}, the first: {sections[0].headline}" if sections else "[Keyturn] No alarms"
    )


def _alike(told: Sequence[Told]) -> list[list[Told]]:
    """Return those together of which the same is told but for the name of the subject, in the order of the first ones."""
    found: dict[tuple[str, ...], list[Told]] = {}
    for each in told:
        same = (str(each.content.get(name)) for name in ("kind", "severity", "subjectKind"))
        found.setdefault((each.event, *same, _cause_of_many(each)), []).append(each)
    return list(found.values())


def _cause_of_many(told: Told) -> str:
    return str(told.content.get("cause")).replace(f"'{told.content.get('subject')}'", "")


def _section(alike: Sequence[Told], site: str) -> Item:
    """Return what people read of alarms that say the same: of several, of how many it is so, why, and the first names."""
    first = _item(alike[0], site)
    if len(alike) == 1:
        return first
    content = alike[0].content
    words = _NOUNS.get(str(content.get("subjectKind")), ("subject", "subjects"))
    cause = str(content.get("cause"))
    is_of_all = cause == _cause_of_many(alike[0]) and len(cause) <= _LONGEST_HEADLINE
    what = cause.rstrip(".") if is_of_all else str(content.get("kind")).replace("-", " ")
    prefix = _HEADLINES.get(alike[0].event, "")
    names = ", ".join(str(each.content.get("subject")) for each in alike[:_NAMES])
    others = f" and {len(alike) - _NAMES} more" if len(alike) > _NAMES else ""
    contacts = {str(each.content.get("contact") or "") for each in alike}
    return replace(
        first,
        headline=_clean(f"{f'{prefix}: ' if prefix else ''}{what}: {counted(len(alike), *words)}"),
        cause=_clean(f"{first.cause} This is told of {names}{others}."),
        link=f"{site}/alarms",
        fact={**first.fact, "contact": contacts.pop() if len(contacts) == 1 else None},
        alarms=len(alike),
    )


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
    """Return a text as one line in which everything can be seen: names of a tenant are of the choice of strangers."""
    return redact_text(visible(" ".join(text.split()))[:_LONGEST])


def _block(item: Item) -> str:
    lines = [f"{item.headline}  [{item.severity}]", item.cause, f"What to do: {item.fix}", item.link]
    return "\n".join([*lines, *([f"Contact: {item.contact}"] if item.contact else [])])
