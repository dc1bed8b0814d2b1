"""Slack and Microsoft Teams: what is told is shown, and names of people's choice do nothing there."""

import json
from collections.abc import Iterator

import pytest

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.db.unit import Database
from keyturn.kit.secret import Plaintext
from tests.features.alarms.office import Office

HOOK = Plaintext("https://hooks.example.test/services/T0/B0/very-secret-part")


def markup(document: object) -> Iterator[str]:
    """Yield the texts of a message in which signs mean something."""
    if isinstance(document, list):
        for each in document:
            yield from markup(each)
    elif isinstance(document, dict):
        if document.get("type") in {"mrkdwn", "TextBlock"}:
            yield document["text"]
        for each in document.values():
            yield from markup(each)


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_chats_show_cause_fix_and_link_and_nothing_that_names_can_do(database: Database, kind: str) -> None:
    office = Office(database)
    channel = office.channels.create(office.boss, ChannelDraft("chat", kind, {}, HOOK))
    assert channel.config == {"host": "hooks.example.test"}
    office.happens("<!channel> [click](https://evil.test)")
    office.work(rounds=3)
    (request,) = office.receiver.requests
    assert request.url == HOOK.reveal()
    text = request.body.decode()
    for part in (
        "does not work.",
        "Make it work.",
        "https://keyturn.example.test/c/",
        "https://keyturn.example.test/alarms",
    ):
        assert part in text
    for read_as_markup in markup(json.loads(text)):
        assert "<!channel>" not in read_as_markup if kind == "slack" else "](" not in read_as_markup
    assert "very-secret-part" not in str([each.attempts for each in office.channels.messages(office.boss, channel.id)])
