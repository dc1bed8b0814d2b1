"""``keyturn worker``: rotations only, without web pages and API."""

import os
import signal
import threading
from typing import Annotated

import typer

from keyturn.cli.context import command_context, loading, tell
from keyturn.cli.ending import Ending
from keyturn.cli.service_manager import tell_ready

app = typer.Typer(rich_markup_mode=None)


@app.command()
def worker(
    ctx: typer.Context,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the embedded database and its key file.")] = None,
) -> None:
    """Run rotations until a signal comes. Any number of workers may share one PostgreSQL database."""
    around = command_context(ctx)
    settings = around.settings(KEYTURN_DATA_DIR=data_dir)
    with loading():
        from keyturn.app.alarms import alarm_watch  # noqa: PLC0415 - the start-up time of the other commands
        from keyturn.app.core import open_core  # noqa: PLC0415 - the start-up time of the other commands
        from keyturn.app.monitoring import probe_server  # noqa: PLC0415
        from keyturn.app.version_watch import VersionWatch  # noqa: PLC0415
        from keyturn.app.worker import Worker  # noqa: PLC0415
        from keyturn.web.server import logs  # noqa: PLC0415

        logs.configure(settings.log_level, settings.log_format)
        core = open_core(settings, tell)
        over, ending = threading.Event(), Ending()

        def end(*_: object) -> None:
            ending.start()
            over.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        probed = probe_server(core)
        rotating = Worker(core)
        rotating.start()
        watch = alarm_watch(core)
        watch.start()
        versions = VersionWatch(core.database, over.set)
        versions.start()
        if probed is not None:
            probed.start()
    print("The worker is ready.", flush=True)
    tell_ready(around)
    over.wait()
    ending.start()
    versions.stop(ending.remaining())
    rotating.stop(ending.remaining)
    watch.stop(ending.remaining())
    core.close()
    # Whoever starts it again after a failure gets the sentence of a process that is too old, or the newer version.
    os._exit(int(versions.is_over))  # see serve: what did not end within its grace must not keep the process
