"""E-mail, against a mail server that takes it after STARTTLS and a login only."""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.channels.email.channel import Email
from keyturn.app.mail import PersonalMail
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.providers.pinned import system_addresses
from keyturn.settings.model import MailServer
from tests.features.accounts.people import IDS, START, person
from tests.features.alarms.mail_server import PASSWORD, MailBox, mail_server
from tests.features.alarms.office import Office

RECORD = b"\x16\x03\x03\x40\x00"
"""The beginning of a record of TLS, of which 16 KiB are to come."""
WRONG = (
    *("a@b.test\nBcc: eve@evil.test", "a@b.test, c@d.test", "a@b.test\x00", "j\xfcrgen@b.test"),
    *("a@", "@b", "a@.test", "a@..", "a@[", "<'@[,"),
)
LOCAL = [ip_network("127.0.0.0/8")]


class Post:
    """A mail server of this machine, and an office that knows it."""

    def __init__(self, database: Database, folder: Path, port: int, authority: trustme.CA) -> None:
        def trust() -> ssl.SSLContext:
            context = ssl.create_default_context()
            authority.configure_trust(context)
            return context

        self.server = MailServer("localhost", port, "starttls", "keyturn", Plaintext(PASSWORD), "keyturn@acme.test")
        resolve = lambda _host, _port: ["127.0.0.1"]  # noqa: E731
        self.trusting = Email(self.server, LOCAL, trust, resolve)
        self.careful = Email(self.server, [], trust, resolve)
        self.strangers = Email(self.server, LOCAL, ssl.create_default_context, resolve)
        self.office = Office(database, kinds={"email": self.trusting})


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def box() -> MailBox:
    return MailBox()


@pytest.fixture
def post(database: Database, tmp_path: Path, box: MailBox, authority: trustme.CA) -> Iterator[Post]:
    leaf = authority.issue_cert("localhost")
    leaf.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    leaf.private_key_pem.write_to_path(tmp_path / "key.pem")
    with mail_server(box, tmp_path / "cert.pem", tmp_path / "key.pem") as port:
        yield Post(database, tmp_path, port, authority)


def test_mail_goes_to_the_owner_and_later_to_administrators_each_once(post: Post, box: MailBox) -> None:
    office = post.office
    office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
    ann = person(office.database, office.org_id, Role.MEMBER, "ann@acme.test")
    office.happens("prod-entra")
    office.owned_by("prod-entra", ann, "payments@acme.test")
    box.busy = 2
    office.passes(timedelta(minutes=30))
    ((receivers, mail),) = box.mails.values()
    assert receivers == ["payments@acme.test"]
    assert mail["Subject"] == "[Keyturn] prod-entra: connection refused"
    assert (mail["From"], mail["Auto-Submitted"]) == ("keyturn@acme.test", "auto-generated")
    text = mail.get_content()
    for part in (
        "'prod-entra' does not work.",
        "What to do: Make it work.",
        "https://keyturn.example.test/c/prod-entra",
    ):
        assert part in text

    office.passes(timedelta(days=3), timedelta(hours=1))
    told = sorted(receivers[0] for receivers, _ in box.mails.values())
    assert told == ["boss@acme.test", "payments@acme.test", "payments@acme.test"]
    assert PASSWORD not in str([mail.as_string() for _, mail in box.mails.values()])


def test_what_is_wrong_with_a_mail_server_is_said(post: Post) -> None:
    office, server = post.office, post.server
    own = {
        "host": "localhost",
        "port": server.port,
        "username": "keyturn",
        "from": "me@acme.test",
        "to": ["x@acme.test"],
    }
    draft = ChannelDraft("mail", "email", own, Plaintext("wrong"))
    channel = office.channels.create(office.boss, draft)

    def tried(kind: Email, secret: str) -> str:
        channels = office.channels_with(kind)
        channels.update(office.boss, channel.id, ChannelDraft("mail", "email", own, Plaintext(secret)))
        (attempt,) = channels.test(office.boss, channel.id)
        assert secret not in attempt.outcome
        return attempt.outcome

    assert tried(post.trusting, "wrong") == "localhost refuses the user name or the password (status 535)."
    assert "The certificate of localhost is not trusted" in tried(post.strangers, PASSWORD)
    assert "in no network of KEYTURN_ALARM_NETWORKS" in tried(post.careful, PASSWORD)
    assert tried(post.trusting, PASSWORD) == "Taken by localhost"
    for config, fix in (
        ({"to": ["nobody"]}, "one to a line"),
        ({"host": "h", "from": ""}, "keyturn@example.com"),
        ({"security": "rot13"}, "Choose one of starttls, tls, none"),
        *(({"from": sender}, "keyturn@example.com") for sender in WRONG),
        *(({"to": [receiver]}, "one to a line") for receiver in WRONG),
    ):
        with pytest.raises(Refused) as refusal:
            office.channels.create(office.boss, ChannelDraft("other", "email", config))
        assert fix in (refusal.value.fix or "")
    assert len(office.channels.list(office.boss)) == 1


def test_a_mail_to_one_person_is_taken_once_or_it_is_said_why_not(post: Post, box: MailBox) -> None:
    send = PersonalMail(post.trusting, MovableClock(START), IDS)
    link = f"https://keyturn.example/sign-in/link/ktn_{'a' * 59}"
    assert send("bob@acme.test", "You are invited", f"Choose your password:\n\n{link}\n") == ""
    ((receivers, mail),) = box.mails.values()
    assert (receivers, mail["From"], mail["Subject"]) == (["bob@acme.test"], "keyturn@acme.test", "You are invited")
    assert link in mail.get_content()  # one line: a broken link opens nothing
    box.busy = 1
    refused = send("bob@acme.test", "again", link)
    assert (refused, len(box.mails)) == ("localhost answered with status 451.", 1)
    for address in ("bob @acme@test\nBcc: eve@acme.test", "bob@.test"):
        assert "no address" in send(address, "again", link)
    strangers = PersonalMail(post.strangers, MovableClock(START), IDS)
    assert "is not trusted" in strangers("bob@acme.test", "again", link)


def test_a_password_goes_to_no_other_server_than_it_was_entered_for(post: Post, box: MailBox) -> None:
    office, channels = post.office, post.office.channels
    own = {"host": "localhost", "port": post.server.port, "username": "keyturn", "from": "Keyturn <me@acme.test>"}
    draft = ChannelDraft("mail", "email", own | {"to": ["x@acme.test"]}, Plaintext(PASSWORD))
    channel = channels.create(office.boss, draft)
    for changes in ({"host": "mail.evil.test"}, {"port": 25}, {"security": "none"}, {"username": "eve"}):
        with pytest.raises(Refused) as refusal:
            channels.update(office.boss, channel.id, ChannelDraft("mail", "email", {**draft.config, **changes}))
        assert (refusal.value.field, refusal.value.fix) == ("secret", "Enter it again.")
    channels.update(office.boss, channel.id, ChannelDraft("night", "email", {**draft.config, "to": ["y@acme.test"]}))
    assert [attempt.outcome for attempt in channels.test(office.boss, channel.id)] == ["Taken by localhost"]
    ((receivers, mail),) = box.mails.values()
    assert receivers == ["y@acme.test"]
    assert str(mail["Message-ID"]).endswith("@acme.test>")


@pytest.mark.parametrize("without", ["host", "username"])
def test_a_password_that_is_told_to_nobody_any_more_is_forgotten(post: Post, without: str) -> None:
    office, channels = post.office, post.office.channels
    own = {"host": "localhost", "port": post.server.port, "username": "keyturn", "from": "me@acme.test"}
    channel = channels.create(office.boss, ChannelDraft("mail", "email", own, Plaintext(PASSWORD)))
    assert channels.update(office.boss, channel.id, ChannelDraft("mail", "email", own)).secret == channel.secret
    assert channels.update(office.boss, channel.id, ChannelDraft("mail", "email", own | {without: ""})).secret is None
    elsewhere = own | {"host": "mail.evil.test"}
    assert channels.update(office.boss, channel.id, ChannelDraft("mail", "email", elsewhere)).secret is None


def test_names_and_causes_of_any_kind_stay_within_the_text(post: Post, box: MailBox) -> None:
    office = post.office
    office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
    key = office.happens("prod\r\nBcc: eve@evil.test\r\n\r\n<b>Hi</b> \u8b66\u2028\x85\u202ex\x1b[2J\u200b")
    office.conditions[key] = replace(
        office.conditions[key], cause="password=hunter2hunter2 <script>\n.\nQUIT\n", fix="\u00fc"
    )
    office.work(rounds=3)
    ((receivers, mail),) = box.mails.values()
    assert receivers == ["boss@acme.test"]
    assert (mail["Bcc"], mail.get_content_type()) == (None, "text/plain")
    assert mail["Content-Transfer-Encoding"] != "8bit"
    assert mail["Subject"].startswith("[Keyturn] prod Bcc: eve@evil.test <b>Hi</b> \u8b66 \\u202ex\\x1b[2J\\u200b:")
    assert "hunter2" not in mail.get_content()
    assert "<script> . QUIT\nWhat to do: \u00fc" in mail.get_content().replace("\r\n", "\n")


@pytest.mark.parametrize("address", ["j\xfcrgen@acme.test", "ann@.test"])
def test_an_owner_whom_no_mail_can_be_sent_to_is_named(post: Post, address: str) -> None:
    office = post.office
    channel = office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
    office.happens("prod")
    office.owned_by("prod", office.boss, address)
    office.work(rounds=3)
    (delivery,) = office.channels.messages(office.boss, channel.id)
    assert f"'{address}' is no address that a mail can be sent to" in delivery.attempts[0].outcome


def test_each_address_of_a_mail_server_is_tried(post: Post) -> None:
    several = replace(post.trusting, resolve=lambda _host, _port: ["127.0.0.9", "127.0.0.1"])
    office = post.office
    channel = office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
    (attempt,) = office.channels_with(several).test(office.boss, channel.id)
    assert attempt.outcome == "Taken by localhost"


def test_time_that_is_up_before_there_is_a_connection_ends_it_too(post: Post) -> None:
    """Many addresses may have been tried until one answers."""
    office = post.office
    channel = office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
    (attempt,) = office.channels_with(replace(post.trusting, seconds=0.0)).test(office.boss, channel.id)
    assert "did not answer in time" in attempt.outcome


def test_international_domains_are_written_as_each_mail_server_takes_them(post: Post, box: MailBox) -> None:
    office = post.office
    own = {"host": "localhost", "port": post.server.port, "username": "keyturn", "from": "K\xfcche <k@b\xfccher.test>"}
    draft = ChannelDraft("mail", "email", own | {"to": ["ann@b\xfccher.test"]}, Plaintext(PASSWORD))
    channel = office.channels.create(office.boss, draft)
    (attempt,) = office.channels.test(office.boss, channel.id)
    assert attempt.outcome == "Taken by localhost"
    ((receivers, mail),) = box.mails.values()
    assert receivers == ["ann@xn--bcher-kva.test"]
    assert mail["From"] == "K\xfcche <k@xn--bcher-kva.test>"


def test_a_sender_of_the_settings_that_is_no_address_is_named(post: Post) -> None:
    wrong = replace(post.trusting, server=replace(post.server, sender="keyturn"))
    channel = post.office.channels.create(post.office.boss, ChannelDraft("mail", "email", {}))
    (attempt,) = post.office.channels_with(wrong).test(post.office.boss, channel.id)
    assert attempt.outcome == "'keyturn' is no address that a mail can be sent from."


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ([b"250 hi\r\n", b"250 ok\r\n", b"451 greylisted\r\n", b"250 ok\r\n"], "refuses the receiver (status 451)"),
        ([b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"], "ended the conversation before it had taken"),
        ([b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"552 too big\r\n"], "answered with status 552"),
    ],
    ids=["greylisting", "ends within the data", "refuses the data"],
)  # fmt: skip
def test_a_mail_that_is_not_taken_to_the_end_is_sent_again(
    database: Database, says: Sequence[bytes], told: str
) -> None:
    with dripping([b"220 hi\r\n", *says]) as port:
        server = MailServer("localhost", port, "none", "", None, "keyturn@acme.test")
        kind = Email(server, LOCAL, ssl.create_default_context, lambda _host, _port: ["127.0.0.1"])
        office = Office(database, kinds={"email": kind})
        channel = office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
        office.happens("prod")
        office.work(rounds=2)
    (delivery,) = office.channels.messages(office.boss, channel.id)
    assert told in delivery.attempts[0].outcome
    assert delivery.message.state == "waiting"


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("127.0.0.1", "127.0.0.1 is no address of the public internet and in no network of KEYTURN_ALARM_NETWORKS."),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1 is no address of the public internet"),
        ("mail.invalid", "No connection to mail.invalid on port 587: Name or service not known."),
        (f"{'a' * 64}.test", "on port 587: it is no name of a host."),
    ],
)
def test_a_host_that_cannot_be_called_is_told_in_words(database: Database, host: str, told: str) -> None:
    def resolve(name: str, port: int) -> Sequence[str]:
        if name == "mail.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return system_addresses(name, port)

    office = Office(database, kinds={"email": Email(None, [], ssl.create_default_context, resolve)})
    own = {"host": host, "from": "me@acme.test", "to": ["x@acme.test"]}
    channel = office.channels.create(office.boss, ChannelDraft("mail", "email", own))
    (attempt,) = office.channels.test(office.boss, channel.id)
    assert told in attempt.outcome
    assert "Error" not in attempt.outcome


@pytest.mark.parametrize(
    ("says", "security", "told"),
    [
        ([b"220 hi\r\n", b"250 hi\r\n"], "starttls", "does not offer what is asked of it (STARTTLS"),
        ([b"220 hi\r\n", b"250 hi\r\n"], "none", "does not offer what is asked of it (a login"),
        ([b"220 hi\r\n"], "none", "ended the conversation"),
        ([b"554 go away\r\n"], "none", "status 554"),
        ([b"220 hi\r\n", None], "none", "did not answer in time"),
        ([RECORD, None], "tls", "did not answer in time"),
        ([b"220 hi\r\n", b"250-hi\r\n250 STARTTLS\r\n", b"220 go\r\n", RECORD], "starttls", "did not answer in time"),
    ],
)
def test_a_mail_server_that_does_not_take_it_is_told_apart(
    database: Database, says: Sequence[bytes | None], security: str, told: str
) -> None:
    """None: it says one byte at a time from then on, and never comes to an end."""
    with dripping(says) as port:
        server = MailServer("localhost", port, security, "keyturn", Plaintext(PASSWORD), "keyturn@acme.test")
        seconds = 0.3 if "in time" in told else 60.0
        kind = Email(server, LOCAL, ssl.create_default_context, lambda _host, _port: ["127.0.0.1"], seconds=seconds)
        office = Office(database, kinds={"email": kind})
        channel = office.channels.create(office.boss, ChannelDraft("mail", "email", {}))
        (attempt,) = office.channels.test(office.boss, channel.id)
        assert told in attempt.outcome


@contextmanager
def dripping(says: Sequence[bytes | None]) -> Iterator[int]:
    """Serve one client on a port of this machine, which is yielded: answer each line with the next of these."""
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            for answer in says:
                if answer is None:
                    while not over.wait(0.05):
                        connection.sendall(b"2")
                    return
                connection.sendall(answer)
                connection.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()
