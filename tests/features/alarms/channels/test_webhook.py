"""Signed webhooks lead to addresses that people type."""

import ssl
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import trustme

from keyturn.alarms.channel_service import ChannelDraft
from keyturn.alarms.channels.webhook.channel import Webhook
from keyturn.db.unit import Database
from keyturn.providers.pinned import RESPONSE_LIMIT, PinnedTransport
from tests.features.alarms.office import Office
from tests.features.alarms.receivers import SECRET
from tests.unit.providers.test_transport import answering, serving


def test_an_address_that_people_type_is_judged(database: Database) -> None:
    transport = PinnedTransport(setting="KEYTURN_ALARM_NETWORKS", resolve=lambda _host, _port: ["169.254.169.254"])
    office = Office(database)
    office.kinds["webhook"] = Webhook(transport, office.clock)
    channel = office.webhook()
    (attempt,) = office.channels.test(office.boss, channel)
    assert "169.254.169.254, which is not one of the public internet" in attempt.outcome
    assert "KEYTURN_ALARM_NETWORKS" in attempt.outcome


def test_what_a_receiver_has_taken_is_not_sent_again_however_much_it_answers(
    database: Database, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("hooks.example.test").configure_cert(context)
    loopback = PinnedTransport(
        networks=[ip_network("127.0.0.0/8")], ca_file=tmp_path / "ca.pem", resolve=lambda _host, _port: ["127.0.0.1"]
    )
    office = Office(database)
    office.kinds["webhook"] = Webhook(loopback, office.clock)
    with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (RESPONSE_LIMIT + 1)), context) as peer:
        url = f"https://hooks.example.test:{peer.port}/alarms"
        channel = office.channels.create(office.boss, ChannelDraft("hook", "webhook", {"url": url}, SECRET))
        office.happens("prod")
        office.passes(timedelta(minutes=10))
        assert len(peer.requests) == 1
    (delivery,) = office.channels.messages(office.boss, channel.id)
    assert delivery.message.state == "sent"
