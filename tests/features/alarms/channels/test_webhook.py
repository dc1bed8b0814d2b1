"""Signed webhooks lead to addresses that people type."""

from keyturn.alarms.channels.webhook.channel import Webhook
from keyturn.db.unit import Database
from keyturn.providers.pinned import PinnedTransport
from tests.features.alarms.office import Office


def test_an_address_that_people_type_is_judged(database: Database) -> None:
    transport = PinnedTransport(setting="KEYTURN_ALARM_NETWORKS", resolve=lambda _host, _port: ["169.254.169.254"])
    office = Office(database)
    office.kinds["webhook"] = Webhook(transport, office.clock)
    channel = office.webhook()
    (attempt,) = office.channels.test(office.boss, channel)
    assert "169.254.169.254, which is not one of the public internet" in attempt.outcome
    assert "KEYTURN_ALARM_NETWORKS" in attempt.outcome
