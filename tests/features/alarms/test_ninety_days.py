"""Ninety days of a server with an end, a deletion in the portal, a leaver, a receiver that is away, a folder of backups that is
lost, a receiver of audit events that takes none, and a wrong clock.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from keyturn.alarms.channel_service import ChannelDraft, Channels
from keyturn.alarms.channels.webhook.channel import Webhook
from keyturn.alarms.conditions.domain import Condition
from keyturn.alarms.conditions.finder import ConditionFinder
from keyturn.alarms.delivery import Delivery, DueMessages, Sender
from keyturn.alarms.evaluation import Evaluation, Evaluations
from keyturn.alarms.owners import Owners
from keyturn.app.backups import ScheduledBackups
from keyturn.audit.domain import ChainedEvent
from keyturn.audit.receivers import NotTaken
from keyturn.audit.streams import DueStreams
from keyturn.backup.age import PrivateKey
from keyturn.connections.domain import Connection, NewConnection
from keyturn.crypto.keyring import Keyring
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.tables import processes
from keyturn.errors import Misconfigured
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.ownership.domain import Owned
from keyturn.people import store as people
from keyturn.providers.azure.methods.certificate import CertificateFiles
from keyturn.settings.model import BackupSettings, Settings
from keyturn_simulation.world import OWNED, ROOT_KEY, START, World, make_world
from tests.databases import sqlite_database
from tests.features.accounts.people import person
from tests.features.alarms.office import SITE
from tests.features.alarms.receivers import SECRET, URL, Receiver
from tests.features.methods.certificates import pair
from tests.simulation.seeds import every_case

DAY = timedelta(days=1)
STEP = timedelta(hours=6 if every_case() else 24)
ENDS, DELETED, REPAIRED, LEAVES, AWAY, BACK, WRONG = (START + days * DAY for days in (70, 20, 25, 60, 40, 43, 80))
LOST, FOUND, DEAF, HEARS = (START + days * DAY for days in (30, 35, 50, 55))
AHEAD = timedelta(days=400)
WITHIN = DAY + STEP + timedelta(hours=6)
"""A day until a connection is tried, and until this test looks and sends, which a server does each minute."""
OSLO = ZoneInfo("Europe/Oslo")


class AuditReceiver:
    """A receiver of audit events, which takes none while it is ``deaf``."""

    id, deaf = "webhook", False

    def send(self, events: Sequence[ChainedEvent], now: datetime) -> None:
        if self.deaf:
            raise NotTaken("The receiver answered 503.")


class Life:
    """A server, what happens to it, and who is told."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.receiver, self.ahead = world, Receiver(fails=0.3), timedelta()
        database, self.org_id = world.database, world.actor.org_id
        finder = ConditionFinder(world.services.providers)
        kinds = {"webhook": Webhook(self.receiver, world.clock)}

        def find(org_id: str, now: datetime) -> Sequence[Condition]:
            with database.read() as tx:
                return finder.of_organization(tx, org_id, now)

        evaluation = Evaluation(database, self, world.ids, find, lambda: self.ahead or None)
        delivery = Delivery(database, Sender(world.sealer, kinds, world.clock), world.clock, world.ids, SITE)
        self.sources = [Evaluations(evaluation), DueMessages(delivery)]
        self.audit, self.backups = AuditReceiver(), folder / "backups"
        self.streams = DueStreams(database, world.clock, [self.audit])
        of_backups = BackupSettings((str(PrivateKey.generate().public),), self.backups, hours=7 * 24)
        settings = Settings(data_dir=folder, database_url="sqlite://", backup=of_backups)
        keyring = Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), world.clock)
        self.scheduled = ScheduledBackups(settings, database, keyring, world.clock)
        channels = Channels(database, world.sealer, world.clock, world.ids, kinds, SITE)
        draft = ChannelDraft("operations", "webhook", {"url": URL}, SECRET, time_zone="Europe/Oslo")
        channels.create(world.actor, draft)

    def now(self) -> datetime:
        """What the clock of the server says."""
        return self.world.clock.now() + self.ahead

    def lives(self) -> None:
        """A worker says that it lives."""
        with self.world.database.write() as tx:
            tx.run(sa.delete(processes))
            row = {"id": "w", "host": "h", "pid": 1, "started_at": START, "seen_at": self.world.clock.now()}
            tx.run(sa.insert(processes).values(row))

    def keep(self) -> None:
        """Make backups, and send audit events, as far as that is possible."""
        with suppress(Misconfigured):
            self.scheduled.make_due()
        with self.world.database.write() as tx:
            works = self.streams.claim(tx, self.world.clock.now(), 1)
        for work in works:
            self.streams.do(work.id)

    def work(self) -> None:
        """Look, and send for some minutes what the receiver does not take at once."""
        self.lives()
        self.keep()
        for source in [*self.sources, *self.sources[1:] * 4]:
            with self.world.database.write() as tx:
                works = source.claim(tx, self.world.clock.now(), 50)
            for work in works:
                source.do(work.id)
            self.world.clock.advance(180)

    def until(self, moment: datetime) -> None:
        while self.world.clock.now() < moment:
            self.world.run_until(min(moment, self.world.clock.now() + STEP))
            self.work()

    def told(self) -> list[tuple[datetime, str, str, str]]:
        """When what was told of which subject: each message once."""
        return sorted(
            (self.receiver.times[message_id], alarm["event"], alarm["kind"], alarm["subject"])
            for message_id, body in self.receiver.taken.items()
            for alarm in body["data"]["alarms"]
        )

    def first(self, event: str, kind: str, subject: str) -> datetime:
        return next(at for at, *what in self.told() if what == [event, kind, subject])


def by_certificate(world: World) -> Connection:
    application = world.emulator.admin.create_application(
        world.tenant_id, "Batch", permissions=(OWNED,), owns_itself=True, secrets=0
    )
    world.applications[application.app_id] = application
    own = pair(begins=START - DAY, ends=ENDS)
    world.emulator.admin.add_certificate(application.object_id, own.pem.encode())
    files = CertificateFiles(world.tenant_id, application.app_id, own.pem, Plaintext(own.key_pem))
    return world.rotations.create(world.actor, NewConnection("batch", files, None, None), None)


def test_nobody_is_ever_surprised(tmp_path: Path) -> None:
    with sqlite_database(tmp_path) as database:
        world = make_world(database, start=START)
        leaver = person(database, world.actor.org_id, Role.ADMIN, "leo@contoso.test")
        rotating = world.connect("rotates", days=30)
        reports = world.emulator.admin.create_application(
            world.tenant_id, "Reports", permissions=(OWNED,), owns_itself=True, secrets=1
        )
        world.applications[reports.app_id] = reports
        deleted = world.connect("reports", reports, rotate=False)
        by_certificate(world)
        Owners(database, world.clock).change(world.actor, Owned.CONNECTION, rotating.id, leaver.id, None)
        life = Life(world, tmp_path)

        life.until(DELETED)
        world.emulator.admin.remove_secret(reports.object_id, reports.secrets[0].key_id)
        life.until(REPAIRED)
        fresh = world.emulator.admin.add_secret(reports.object_id)
        world.change(
            deleted, credentials=world.first_secret(reports, secret=Plaintext(fresh.value), key_id=fresh.key_id)
        )
        life.until(LOST)
        life.backups.rename(tmp_path / "elsewhere")
        life.backups.write_text("no folder")
        life.until(FOUND)
        life.backups.unlink()
        (tmp_path / "elsewhere").rename(life.backups)
        life.until(AWAY)
        life.receiver.down = True
        life.until(BACK)
        life.receiver.down = False
        life.until(DEAF)
        life.audit.deaf = True
        world.change(deleted, description="Of the finance team.", describe=True)
        life.until(HEARS)
        life.audit.deaf = False
        life.until(LEAVES)
        with database.write() as tx:
            people.remove_user(tx, leaver.id or "")
        life.until(WRONG)
        life.ahead = AHEAD  # which the provider's answers have shown
        before = len(life.told())
        life.until(WRONG + DAY / 4)
        assert len(life.told()) == before, "a wrong clock ends nothing"
        life.ahead = timedelta()
        life.until(START + 90 * DAY)

        # What was to be foreseen was told at least a day before; all else within a day.
        steps = [at for at, event, kind, subject in life.told() if (kind, subject) == ("credential-ends", "batch")]
        assert steps[0] <= ENDS - 58 * DAY
        assert max(at for at in steps if at < ENDS) >= ENDS - 2 * DAY
        assert life.first("ended", "credential-ends", "batch") <= ENDS + WITHIN
        assert life.first("opened", "connection-refused", "reports") <= DELETED + WITHIN
        assert life.first("resolved", "connection-refused", "reports") <= REPAIRED + WITHIN
        assert life.first("opened", "owner-left", "rotates") <= LEAVES + WITHIN
        assert life.first("opened", "connection-refused", "batch") <= ENDS + WITHIN
        for kind, begins, ends in (("backup-overdue", LOST, FOUND), ("audit-stream-failing", DEAF, HEARS)):
            assert begins < life.first("opened", kind, "This server") <= begins + DAY + WITHIN
            assert ends < life.first("resolved", kind, "This server") <= ends + WITHIN

        # Nothing without a cause, nothing twice, and what the receiver missed came when it was back.
        causes = {("credential-ends", "batch"), ("connection-refused", "reports"), ("connection-refused", "batch")}
        causes |= {("backup-overdue", "This server"), ("audit-stream-failing", "This server")}
        causes |= {("owner-left", "rotates"), ("channel-failing", "operations"), ("nobody-told", "Alarms")}
        assert {(kind, subject) for _, _, kind, subject in life.told()} <= causes
        opened = Counter((kind, subject) for _, event, kind, subject in life.told() if event == "opened")
        assert opened["connection-refused", "reports"] == opened["credential-ends", "batch"] == 1
        assert opened["backup-overdue", "This server"] == opened["audit-stream-failing", "This server"] == 1
        assert world.states(rotating)
        digests = Counter(
            life.receiver.times[message_id].astimezone(OSLO).date()
            for message_id, body in life.receiver.taken.items()
            if body["type"] == "keyturn.digest"
        )
        late = {(BACK + hours * timedelta(hours=6)).astimezone(OSLO).date() for hours in range(4)}
        assert all(count == 1 for day, count in digests.items() if day not in late), digests
