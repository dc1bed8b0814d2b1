"""A real process of an installation: heartbeats, finder and engine. Arguments: the database's address, and hang or work.

It prints ``begin <rotation id>`` when work begins. ``hang``: the work never ends. ``work``: it ends, and is not due again.
"""

import os
import sys
import threading
import uuid
from datetime import timedelta

from keyturn.db.engine import open_engine, parse_url
from keyturn.db.unit import Database
from keyturn.engine.dbos import DbosEngine
from keyturn.engine.dead_processes import Heartbeat
from keyturn.engine.due import Finder
from keyturn.engine.sources import Sources
from keyturn.kit.clock import SystemClock
from keyturn.rotations.due import DueRotations
from keyturn.settings.model import Pace
from tests.engine.rows import set_wake
from tests.engine.sealing import CODEC


def main(address: str, manner: str) -> None:
    url, clock, pace, name = parse_url(address), SystemClock(), Pace(), str(uuid.uuid4())
    database = Database(open_engine(url))
    engine = DbosEngine(url, name, 4, CODEC, clock)

    def advance(rotation_id: str) -> None:
        os.write(1, f"begin {rotation_id}\n".encode())
        if manner == "hang":
            threading.Event().wait()
        set_wake(database, rotation_id, None)
        os.write(1, f"end {rotation_id}\n".encode())

    sources = Sources([DueRotations(advance)])
    presence = Heartbeat(database, clock, engine, sources.wake, name, pace)
    finder = Finder(database, clock, engine, sources, 4, pace.find_every)
    presence.announce()
    engine.start(sources.do)
    presence.start()
    os.write(1, b"ready\n")
    finder.start()
    sys.stdin.read()  # until the parent lets go
    finder.stop(timedelta(seconds=5))
    engine.stop(timedelta(seconds=5))
    presence.stop(timedelta(seconds=5))


if __name__ == "__main__":
    main(*sys.argv[1:])
