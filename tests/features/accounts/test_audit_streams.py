"""All audit events are sent to a file, by syslog and to a webhook: each at least once, in order, whatever fails."""

import json
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from keyturn.audit import stream_store
from keyturn.audit.receivers import FileReceiver, NotTaken, Receiver, SyslogReceiver, WebhookReceiver
from keyturn.audit.retention import remove_old_events
from keyturn.audit.streams import AT_ONCE, DueStreams
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from keyturn.settings.reader import read_settings
from tests.databases import CHAIN_KEY
from tests.features.accounts.people import START
from tests.features.accounts.test_audit_chain import ADA, BOB, faults, write

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Hook:
    """A receiver of webhooks; it fails as long as ``status`` is no success, and is away when that is 0."""

    def __init__(self) -> None:
        self.status = 204
        self.taken: list[dict[str, object]] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        if not self.status:
            raise TransportFailed("connection refused", sent=False)
        if self.status == 204:
            told = Webhook(SECRET).verify(request.body, dict(request.headers))
            self.taken += told["data"]["events"]
        return HttpResponse(self.status)


def rounds(database: Database, clock: MovableClock, receiver: Receiver) -> int:
    """Send for as long as something is due; return how many rounds that took."""
    due, count = DueStreams(database, clock, [receiver]), 0
    while True:
        with database.write() as tx:
            works = due.claim(tx, clock.now(), 5)
        if not works:
            return count
        due.do(works[0].id)
        count += 1


def state(database: Database, stream: str) -> stream_store.StreamState:
    with database.read() as tx:
        return stream_store.state(tx, CHAIN_KEY, stream)


def test_every_event_is_appended_to_the_file_once_though_the_sender_is_killed(
    database: Database, tmp_path: Path
) -> None:
    clock, file = MovableClock(START), tmp_path / "audit.jsonl"
    write(database, "old", age=100)
    write(database, "a", "b")
    write(database, "c", org=BOB)
    remove_old_events(database, 30, START, START, lambda: False)
    assert rounds(database, clock, FileReceiver(file)) == 1
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in found if line["organizationId"] == ADA] == ["a", "b", "remove-audit-events"]
    assert [line["position"] for line in found if line["organizationId"] == ADA] == [2, 3, 4]
    assert file.stat().st_mode & 0o777 == 0o600

    class Killed(FileReceiver):
        def send(self, *given: object) -> None:
            super().send(*given)  # type: ignore[arg-type]
            raise KeyboardInterrupt

    write(database, *(f"e{number}" for number in range(AT_ONCE + 1)))
    due = DueStreams(database, clock, [Killed(file)])
    with database.write() as tx:
        works = due.claim(tx, clock.now(), 5)
    with pytest.raises(KeyboardInterrupt):
        due.do(works[0].id)
    assert rounds(database, clock, FileReceiver(file)) == 0  # the claim of who died is waited for
    clock.advance(180)
    assert rounds(database, clock, FileReceiver(file)) == 1
    names = [json.loads(line)["event"] for line in file.read_text().splitlines()]
    assert set(names) >= {f"e{number}" for number in range(AT_ONCE + 1)}
    assert (names.count("e0"), names.count(f"e{AT_ONCE}")) == (2, 1)  # at least once
    assert state(database, "file").behind == 0


def test_a_webhook_that_fails_is_left_alone_for_longer_each_time_and_gets_all_in_the_end(database: Database) -> None:
    begun = datetime.now(UTC)  # whoever verifies a signature compares it with the clock
    clock, hook = MovableClock(begun), Hook()
    receiver = WebhookReceiver("https://siem.example.com/in", Plaintext(SECRET), hook)
    write(database, "a", "b")
    for hook.status, reason in ((500, "The receiver answered 500."), (0, "No answer: connection refused.")):
        assert rounds(database, clock, receiver) == 1
        assert state(database, "webhook").reason == reason
        clock.advance(5)
    failing = state(database, "webhook")
    assert (failing.failing_since, failing.failures, failing.behind) == (begun, 2, 3)
    hook.status = 204
    assert rounds(database, clock, receiver) == 1
    assert {"a", "b"} <= {event["event"] for event in hook.taken}
    assert state(database, "webhook").failing_since is None


def test_syslog_counts_octets_over_tcp_and_sends_datagrams_over_udp(database: Database) -> None:
    write(database, "a", "b")
    clock, got = MovableClock(START), bytearray()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def take() -> None:
            for _ in range(2):
                connection, _address = server.accept()
                with connection:
                    while part := connection.recv(4096):
                        got.extend(part)

        taker = threading.Thread(target=take)
        taker.start()
        assert rounds(database, clock, SyslogReceiver("tcp", "127.0.0.1", server.getsockname()[1])) == 1
        taker.join()
    messages = []
    while got:
        length, _, rest = bytes(got).partition(b" ")
        messages.append(rest[: int(length)].decode())
        del got[: len(length) + 1 + int(length)]
    assert [message.split(" ")[5] for message in messages][1:] == ["a", "b"]
    assert messages[-1].startswith("<110>1 2026-")
    assert json.loads(messages[-1].split(" - ", 2)[2])["facts"] == {"n": "b"}

    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        write(database, "c")
        assert rounds(database, clock, SyslogReceiver("udp", "127.0.0.1", listener.getsockname()[1])) == 1
        assert b" keyturn - c - {" in listener.recv(65536)
    write(database, "d")
    with pytest.raises(NotTaken, match="cannot be reached"), database.read() as tx:
        SyslogReceiver("tls", "127.0.0.1", 1).send(stream_store.after(tx, ADA, 0, 1), START)


def test_whoever_writes_into_the_database_how_far_a_receiver_is_silences_nobody(
    database: Database, tmp_path: Path
) -> None:
    clock, file = MovableClock(START), tmp_path / "audit.jsonl"
    receiver = FileReceiver(file)

    def sent() -> list[str]:
        return [json.loads(line)["event"] for line in file.read_text().splitlines()]

    write(database, "a", "b")
    assert rounds(database, clock, receiver) == 1
    shown = state(database, "file")
    assert (shown.behind, shown.failing_since) == (0, None)
    for statement in (
        "UPDATE audit_stream_positions SET position = position + 1000",  # to keep quiet of what comes
        f"UPDATE audit_stream_positions SET position = position + 1 WHERE chain = '{ADA}'",
    ):
        file.write_text("")
        write(database, "secret doing")
        with database.engine.begin() as connection:
            connection.exec_driver_sql(statement)
        shown = state(database, "file")
        assert shown.failing_since == clock.now()
        assert "was changed in the database" in str(shown.reason)
        assert rounds(database, clock, receiver) == 1
        assert sent() == []
        assert state(database, "file").failures == 1
        clock.advance(61)
        assert rounds(database, clock, receiver) == 1
        assert [name for name in sent() if name in "ab"] == ["a", "b"], "all of it once more"
        assert {"secret doing", "change-audit-stream"} <= set(sent())
        assert state(database, "file").failing_since is None
    file.write_text("")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE audit_stream_positions SET seal = NULL")
        connection.exec_driver_sql("UPDATE audit_streams SET wake_at = '2999-01-01'")
    assert rounds(database, clock, receiver) == 1
    assert (sent(), state(database, "file").failures) == ([], 1), "a seal that is gone is a change like others"
    clock.advance(61)
    assert rounds(database, clock, receiver) == 1
    assert sent()[-1] == "change-audit-stream"


def test_whoever_writes_into_the_database_where_a_chain_starts_has_no_event_left_out(
    database: Database, tmp_path: Path
) -> None:
    clock, file = MovableClock(START), tmp_path / "audit.jsonl"
    receiver = FileReceiver(file)

    def sent() -> list[int]:
        told = [json.loads(line) for line in file.read_text().splitlines()]
        return [line["position"] for line in told if line["organizationId"] == ADA]

    def start(position: str) -> None:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE audit_chains SET start_position = {position} WHERE id = '{ADA}'")

    write(database, "a", "b", "c")
    assert rounds(database, clock, receiver) == 1
    write(database, "d", "e", "f")
    start("position - 1")
    assert "was changed in the database" in str(state(database, "file").reason)
    assert rounds(database, clock, receiver) == 1
    assert (sent(), state(database, "file").failures) == ([1, 2, 3], 1)
    start("0")
    clock.advance(61)
    assert rounds(database, clock, receiver) == 1
    assert sent() == [1, 2, 3, 4, 5, 6, 7]
    assert '"change-audit-stream"' in file.read_text().splitlines()[-1]
    assert (state(database, "file").failing_since, state(database, "file").behind) == (None, 0)
    assert any("seal of the head" in fault for fault in faults(database))
    start("position - 1")  # of a chain that never holds again
    write(database, "g", "h")
    assert rounds(database, clock, receiver) == 1
    assert sent() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert rounds(database, clock, receiver) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEYTURN_AUDIT_FILE", "/"),
        ("KEYTURN_AUDIT_SYSLOG", "logs.example.com"),
        ("KEYTURN_AUDIT_SYSLOG", "tls://logs.example.com"),
        ("KEYTURN_AUDIT_WEBHOOK", "http://siem.example.com/in"),
        ("KEYTURN_AUDIT_WEBHOOK", "https://siem.example.com/in"),
        ("KEYTURN_AUDIT_WEBHOOK_SECRET", "whsec_short"),
    ],
)
def test_a_receiver_that_cannot_be_is_refused_at_the_start(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name) as caught:
        read_settings({"HOME": "/home/keyturn", name: value})
    assert value not in str(caught.value) or name in {"KEYTURN_AUDIT_FILE", "KEYTURN_AUDIT_SYSLOG"}
