"""The process that works on due rotations."""

from collections.abc import Callable
from datetime import timedelta

from keyturn.app.core import Core, services
from keyturn.app.upkeep import Upkeep
from keyturn.connections import looks
from keyturn.kit.secret import Place, Plaintext, Sealed
from keyturn.rotations.work.hold import Tools
from keyturn.rotations.work.workflow import Rotator

STOP_GRACE = timedelta(seconds=20)
ENGINE_PLACE = Place("engine", "work", "payload")


class Worker:
    """Finds due rotations and works on them, beside the web server or alone."""

    def __init__(self, core: Core) -> None:
        from keyturn.engine.dbos import DbosEngine  # noqa: PLC0415 - heavy: only for processes that work
        from keyturn.engine.due import Finder  # noqa: PLC0415
        from keyturn.engine.lost import Presence  # noqa: PLC0415
        from keyturn.engine.payload import SealedJson  # noqa: PLC0415

        self._core = core
        settings = core.settings
        codec = SealedJson(
            lambda text: core.sealer.seal(Plaintext(text), ENGINE_PLACE).text,
            lambda text: core.sealer.open(Sealed(text), ENGINE_PLACE).reveal(),
        )
        url = core.database.engine.url
        self._engine = DbosEngine(url, core.process_id, settings.concurrency, codec, core.clock)
        self._presence = Presence(core.database, core.clock, self._engine, core.process_id, settings.pace)
        self._finder = Finder(core.database, core.clock, self._engine, settings.concurrency, settings.pace.find_every)
        self._connections, _ = services(core, self.nudge)
        self._upkeep = Upkeep(core.keyring, self._connections, core.provider.clock_confirmed_at, settings.retention)
        tools = Tools(core.database, core.sealer, core.provider, core.clock, core.ids, settings.pace, core.process_id)
        self._rotator = Rotator(tools)

    def start(self) -> None:
        self._presence.announce()
        self._engine.start(self._do)
        self._presence.start()
        self._finder.start()
        self._upkeep.start()

    def _do(self, work: str) -> None:
        """Do one piece of due work: look at a connection, or go on with a rotation."""
        from keyturn.engine.due import LOOK  # noqa: PLC0415 - as above

        if work.startswith(LOOK):
            looks.look(self._connections, work.removeprefix(LOOK))
        else:
            self._rotator.advance(work)

    def nudge(self) -> None:
        self._finder.nudge()

    def stop(self, left: Callable[[], timedelta] = lambda: STOP_GRACE) -> None:
        """Take no more work and let what runs come to an end; what does not is finished by the next process.

        ``left`` says how long each part of it may take.
        """
        self._upkeep.stop()
        self._finder.stop(left())
        self._engine.stop(left())
        self._presence.stop(left())
