"""Alarms put together: use cases for the faces, and the watch that every process has."""

import ssl
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from keyturn.alarms.channel_service import Channels
from keyturn.alarms.channels.apprise.channel import Apprise
from keyturn.alarms.channels.email.channel import Email
from keyturn.alarms.channels.kind import ChannelKind
from keyturn.alarms.channels.slack.channel import Slack
from keyturn.alarms.channels.teams.channel import Teams
from keyturn.alarms.channels.webhook.channel import Webhook
from keyturn.alarms.conditions.domain import Condition
from keyturn.alarms.delivery import Delivery, DueMessages, Sender
from keyturn.alarms.evaluation import Evaluation, Evaluations
from keyturn.alarms.leavers import Leavers
from keyturn.alarms.owners import Owners
from keyturn.alarms.service import Alarms
from keyturn.alarms.watch import AlarmWatch
from keyturn.app.core import Core, before_call, condition_finder
from keyturn.errors import busy
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.dataclasses import dataclass
from keyturn.providers.pinned import PinnedTransport
from keyturn.providers.transport import read_certificates, trust


@dataclass(frozen=True)
class AlarmServices:
    alarms: Alarms
    channels: Channels
    owners: Owners
    leavers: Leavers


def site(core: Core) -> str:
    """Return the address that links begin with: the public one, where it is set."""
    settings = core.settings
    return settings.site_url or f"http://{settings.host}:{settings.port}"


def alarm_services(core: Core) -> AlarmServices:
    """Return the use cases of alarms."""
    return AlarmServices(
        Alarms(core.database, core.clock),
        Channels(core.database, core.sealer, core.clock, core.ids, channel_kinds(core), site(core)),
        Owners(core.database, core.clock),
        Leavers(core.database, core.clock),
    )


def channel_kinds(core: Core) -> dict[str, ChannelKind]:
    """Return the kinds of channels, by key and in the order of the form."""
    settings = core.settings
    guard = partial(before_call, core.database, Bulkhead(partial(busy, "telling of alarms"), places=8, waiting=8))
    transport = PinnedTransport(
        networks=settings.alarm_networks,
        setting="KEYTURN_ALARM_NETWORKS",
        ca_file=settings.ca_file,
        guard=guard,
    )

    def context() -> ssl.SSLContext:
        return trust(read_certificates(settings.ca_file) if settings.ca_file else None)

    kinds: tuple[ChannelKind, ...] = (
        Email(settings.mail, settings.alarm_networks, context),
        Teams(transport, core.clock),
        Slack(transport, core.clock),
        Webhook(transport, core.clock),
        Apprise(settings.alarm_networks, settings.ca_file, guard),
    )
    return {kind.key: kind for kind in kinds}


def alarm_evaluation(core: Core) -> Evaluation:
    """Return what looks at an organization."""
    finder = condition_finder(core)

    def find(org_id: str, now: datetime) -> Sequence[Condition]:
        with core.database.read() as tx:
            return finder.of_organization(tx, org_id, now)

    return Evaluation(core.database, core.clock, core.ids, find, core.providers.clock_ahead)


def alarm_watch(core: Core) -> AlarmWatch:
    """Return what evaluates and delivers in this process, whether rotations are worked on here or not."""
    sender = Sender(core.sealer, channel_kinds(core), core.clock)
    messages = Delivery(core.database, sender, core.clock, core.ids, site(core))
    return AlarmWatch(core.database, core.clock, [Evaluations(alarm_evaluation(core)), DueMessages(messages)])
