"""The process that works on what is due: rotations above all."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from keyturn.app.audit_streams import due_streams
from keyturn.app.backups import ScheduledBackups
from keyturn.app.continuity import Continuity
from keyturn.app.core import Core, before_call, services
from keyturn.app.inventory import due_scans
from keyturn.app.maintenance import UPKEEP_EVERY, HourlyTasks
from keyturn.app.meters import tell_work
from keyturn.connections.due import Looks, RefreshTokens
from keyturn.delivery.webhook_due import DueWebhooks
from keyturn.delivery.webhook_sender import WebhookSender
from keyturn.engine.dead_processes import Heartbeat
from keyturn.engine.due import Finder
from keyturn.engine.payload import SealedJson
from keyturn.engine.sources import Sources
from keyturn.engine.upkeep import Upkeep
from keyturn.errors import busy
from keyturn.kit.bulkhead import Bulkhead
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.providers.pinned import PinnedTransport
from keyturn.rotations.conversion.due import DueConversions
from keyturn.rotations.due import DueRotations
from keyturn.rotations.evidence.reading import UseReader, UseReportsDue
from keyturn.rotations.work.context import WorkerContext
from keyturn.rotations.work.workflow import Rotator

STOP_GRACE = timedelta(seconds=20)
ENGINE_PLACE = SealContext("engine", "work", "payload")


class Worker:
    """Finds due work and does it, beside the web server or alone."""

    def __init__(self, core: Core) -> None:
        from keyturn.engine.dbos import DbosEngine  # noqa: PLC0415 - heavy: only for processes that work

        settings = core.settings
        codec = SealedJson(
            lambda text: core.sealer.seal(Plaintext(text), ENGINE_PLACE).text,
            lambda text: core.sealer.open(Sealed(text), ENGINE_PLACE).reveal(),
        )
        use_cases = services(core, self.nudge)
        self._continuity = Continuity(core.database, core.clock)
        self._hourly = HourlyTasks(
            core.keyring,
            core.database,
            core.sealer,
            core.providers,
            core.clock,
            use_cases.grants,
            core.providers.clock_confirmed_at,
            settings.retention,
            ScheduledBackups(settings, core.database, core.keyring, core.clock).make_due,
            self._continuity.notice_gap,
        )
        context = WorkerContext(
            core.database,
            core.sealer,
            core.providers,
            core.clock,
            core.ids,
            settings.pace,
            core.process_id,
            use_cases.targets,
            settings.quotas.runs_per_hour,
            core.meters,
            core.tracer,
        )
        self._sources = Sources(
            [
                DueRotations(Rotator(context).advance),
                DueWebhooks(webhook_sender(core)),
                Looks(use_cases.daily_check),
                RefreshTokens(use_cases.grants),
                due_scans(core, use_cases),
                UseReportsDue(UseReader(core.database, core.providers, core.clock, use_cases.targets).read),
                DueConversions(use_cases.conversion_work.advance),
                due_streams(core),
                Upkeep(core.process_id, self._hourly.tasks(), core.clock.now(), UPKEEP_EVERY),
            ]
        )
        url, pace = core.database.engine.url, settings.pace
        self._engine = DbosEngine(url, core.process_id, settings.concurrency, codec, core.clock)
        tell_work(core.meters, self._engine, settings.concurrency)
        self._presence = Heartbeat(core.database, core.clock, self._engine, self._sources.wake, core.process_id, pace)
        self._finder = Finder(
            core.database, core.clock, self._engine, self._sources, settings.concurrency, pace.find_every
        )

    def start(self) -> None:
        self._continuity.begin()
        self._presence.announce()
        self._engine.start(self._sources.do)
        self._presence.start()
        self._finder.start()

    def nudge(self) -> None:
        self._finder.nudge()

    def stop(self, remaining: Callable[[], timedelta] = lambda: STOP_GRACE) -> None:
        """Take no more work and let what runs come to an end; what does not is finished by the next process.

        ``remaining`` says how long each part of it may take.
        """
        self._hourly.stop()
        self._finder.stop(remaining())
        self._engine.stop(remaining())
        self._presence.stop(remaining())


def webhook_sender(core: Core) -> WebhookSender:
    """Return what tells webhooks. It runs beside rotations, so a receiver that is slow keeps no thread of requests."""
    transport = PinnedTransport(
        networks=core.settings.webhook_networks,
        setting="KEYTURN_WEBHOOK_NETWORKS",
        ca_file=core.settings.ca_file,
        guard=partial(before_call, core.database, Bulkhead(partial(busy, "telling webhooks"), places=8, waiting=8)),
    )
    return WebhookSender(core.database, core.sealer, core.clock, core.ids, transport)
