"""What apprise sends goes over HTTPS, to judged addresses only, and nobody leads it elsewhere."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

import pytest
import trustme

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.channels.apprise.channel import Apprise, inert
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from tests.features.alarms.office import Office

SECRET = "very-secret-part"


class Answers(BaseHTTPRequestHandler):
    """Takes everything, but sends who comes to ``/elsewhere`` on to another address of this server."""

    taken: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).taken.append((self.path, json.loads(body)))
        elsewhere = self.path.startswith("/elsewhere")
        self.send_response(307 if elsewhere else 200)
        if elsewhere:
            self.send_header("location", "/internal")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def receiver(folder: Path) -> Iterator[tuple[int, Path]]:
    """Serve on a port of this machine; yields it and the file of the authority to trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    Answers.taken.clear()
    try:
        yield server.server_address[1], folder / "ca.pem"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_is_told_to_judged_addresses_only(database: Database, tmp_path: Path) -> None:
    with receiver(tmp_path) as (port, ca_file):
        allowed = Apprise([ip_network("127.0.0.0/8")], ca_file)
        office = Office(database, kinds={"apprise": allowed})
        address = Plaintext(f"jsons://localhost:{port}/{SECRET}")
        channel = office.channels.create(office.boss, ChannelDraft("chat", "apprise", {}, address))
        assert channel.config == {"service": "JSON over HTTPS"}
        office.happens("prod-entra")
        office.work(rounds=3)
        ((path, told),) = Answers.taken
        assert path == f"/{SECRET}"
        assert told["title"] == "[Keyturn] prod-entra: connection refused"
        assert "What to do: Make it work." in told["message"]
        messages = office.channels.messages(office.boss, channel.id)
        assert messages[0].attempts[0].outcome == "Taken by JSON over HTTPS"

        def tried(kind: Apprise, where: str) -> str:
            channels = office.channels_with(kind)
            draft = ChannelDraft("chat", "apprise", {}, Plaintext(f"jsons://localhost:{port}/{where}/{SECRET}"))
            channels.update(office.boss, channel.id, draft)
            (attempt,) = channels.test(office.boss, channel.id)
            assert not attempt.ok
            assert SECRET not in attempt.outcome
            return attempt.outcome

        assert tried(allowed, "elsewhere") == "Answered with status 307."
        assert "127.0.0.1, which is not one of the public internet" in tried(Apprise([], ca_file), "in")
        assert [path.split("/")[1] for path, _ in Answers.taken] == [SECRET, "elsewhere"]


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"json://localhost/{SECRET}", "jsons://"),
        ("syslog://", "jsons://"),
        (SECRET, "jsons://"),
        (f"jsons://localhost/{SECRET}?verify=no", "not encrypted, or not proven"),
        (f"discord://{SECRET}", "not complete"),
    ],
)
def test_an_address_that_leads_past_the_judgement_is_refused(database: Database, address: str, says: str) -> None:
    office = Office(database, kinds={"apprise": Apprise([])})
    with pytest.raises(Refused) as refusal:
        office.channels.create(office.boss, ChannelDraft("chat", "apprise", {}, Plaintext(address)))
    assert says in f"{refusal.value.message} {refusal.value.fix}"
    assert SECRET not in refusal.value.diagnostics()
    assert office.channels.list(office.boss) == []


@pytest.mark.parametrize(
    "name",
    [
        "@everyone", "@here now", "(@channel)", "<@&12345>", "<@all>", "<!channel>", "<users/all>", "@**all**", "@room",
        "[click](https://evil.test)", "<https://evil.test|click>", "<mailto:eve@evil.test|click>", "<#C024BE91L>",
    ],
)  # fmt: skip
def test_names_call_nobody_and_link_nowhere(name: str) -> None:
    text = inert(f"{name}: connection refused")
    assert name not in text
    assert text.replace("\u200b", "") == f"{name}: connection refused"


def test_addresses_stay_as_they_are() -> None:
    text = "Ask bob@contoso.test, or see https://keyturn.example.test/alarms?a=1 (today) [1] <b>"
    assert inert(text) == text


def test_a_name_that_calls_everybody_is_sent_as_words(database: Database, tmp_path: Path) -> None:
    with receiver(tmp_path) as (port, ca_file):
        office = Office(database, kinds={"apprise": Apprise([ip_network("127.0.0.0/8")], ca_file)})
        address = Plaintext(f"mmosts://localhost:{port}/{'k' * 24}")
        office.channels.create(office.boss, ChannelDraft("chat", "apprise", {}, address))
        office.happens("@channel [click](https://evil.test)")
        office.work(rounds=3)
        ((_, told),) = Answers.taken
        assert "channel" in told["text"]
        assert "@channel" not in told["text"]
        assert "](http" not in told["text"]


def test_a_long_message_is_cut_to_what_the_service_takes(database: Database, tmp_path: Path) -> None:
    """Rocket.Chat takes a thousand characters: of more it takes nothing."""
    with receiver(tmp_path) as (port, ca_file):
        office = Office(database, kinds={"apprise": Apprise([ip_network("127.0.0.0/8")], ca_file)})
        address = Plaintext(f"rockets://hook/{'k' * 40}@localhost:{port}/%23ops")
        office.channels.create(office.boss, ChannelDraft("chat", "apprise", {}, address))
        for number in range(40):
            key = office.happens(f"app-{number}")
            office.conditions[key] = replace(office.conditions[key], cause=f"It does not work, for reason {number}.")
        office.work(rounds=3)
        ((_, told),) = Answers.taken
        assert "40 alarms, the first: " in told["text"]
        assert "What to do: Make it work" in told["text"]
        assert 900 < len(told["text"]) <= 1000
