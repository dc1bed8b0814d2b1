"""``keyturn serve``: the web server and the worker in one process."""

from datetime import timedelta
from typing import Annotated, NoReturn

import typer

from keyturn.cli.context import CommandContext, command_context, loading, tell
from keyturn.cli.ending import Ending
from keyturn.cli.service_manager import tell_ready
from keyturn.cli.site_checkup import examine_site
from keyturn.kit.secret import Plaintext
from keyturn.settings.model import Settings

app = typer.Typer(rich_markup_mode=None)


@app.command()
def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one. Default: PORT or 8080.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the embedded database and its key file.")] = None,
    worker: Annotated[bool, typer.Option(help="Also run rotations in this process.")] = True,
    clock_ahead: Annotated[float, typer.Option(hidden=True, help="Seconds; for demonstrations.")] = 0.0,
) -> None:
    """Run the server. Without any configuration: an embedded database, a key file beside it, and http://127.0.0.1:8080."""
    around = command_context(ctx)
    settings = around.settings(HOST=host, PORT=port, KEYTURN_DATA_DIR=data_dir)
    run(settings, around, with_worker=worker, ahead=clock_ahead)


def run(settings: Settings, around: CommandContext, *, with_worker: bool, ahead: float = 0.0) -> NoReturn:
    """Serve until a signal comes, then end this process. Raises Misconfigured before anything is served."""
    with loading():
        from keyturn.app.alarms import alarm_watch  # noqa: PLC0415 - the start-up time of the other commands
        from keyturn.app.core import open_core  # noqa: PLC0415 - the start-up time of the other commands
        from keyturn.app.monitoring import probes  # noqa: PLC0415
        from keyturn.app.version_watch import VersionWatch  # noqa: PLC0415
        from keyturn.app.web import open_access, web_application  # noqa: PLC0415
        from keyturn.app.worker import STOP_GRACE, Worker  # noqa: PLC0415
        from keyturn.web.server import logs  # noqa: PLC0415
        from keyturn.web.server.serve import Limits, WebServer, end_process  # noqa: PLC0415

        logs.configure(settings.log_level, settings.log_format)
        for warning in settings.warnings:
            tell(f"Warning: {warning}")
        for finding in examine_site(settings):
            if finding.level == "fail":
                tell(f"Warning: {finding.message} {finding.fix}")
        core = open_core(settings, tell, ahead=timedelta(seconds=ahead))
        rotating = Worker(core) if with_worker else None
        watch = alarm_watch(core)
        ending = Ending()
        application = web_application(core, rotating)

        def stop() -> None:
            ending.start()
            application.release()

        web = WebServer(
            application,
            host=settings.host,
            port=settings.port,
            limits=Limits(
                connections=Limits.connections + settings.max_waiters, quiet_per_network=settings.max_quiet_connections
            ),
            traffic=application.traffic,
            proxies=settings.trusted_proxies,
            health_port=settings.health_port,
            health_host=settings.health_host,
            probes=probes(core) if settings.health_port is not None else None,
            on_stop=stop,
        )
        access = open_access(core)
        code = access.setup.announce()

        def withdraw() -> None:
            if rotating:
                rotating.stop()
            watch.stop(STOP_GRACE)

        versions = VersionWatch(core.database, withdraw)
        if rotating:
            rotating.start()
        watch.start()
        versions.start()

    def ready(url: str) -> None:
        _welcome(url, settings, code, ready=access.bootstrapped())
        tell_ready(around)

    web.run(ready)
    versions.stop(ending.remaining())
    if rotating:
        rotating.stop(ending.remaining)
    watch.stop(ending.remaining())
    core.close()
    # Work that did not end within its grace sits in threads that would keep the process: the next one takes it over.
    end_process(0)


def _welcome(url: str, settings: Settings, code: Plaintext | None, *, ready: bool) -> None:
    print(f"Keyturn is ready at {url}  (API reference: {url}/api/docs)", flush=True)
    if ready:
        return
    if code is not None:
        how = f"enter the set-up code {code.reveal()}"
    elif settings.setup_code is not None:
        how = "enter the set-up code, which is the value of KEYTURN_SETUP_CODE"
    else:
        how = "enter the set-up code that another server of this database was given as KEYTURN_SETUP_CODE"
    tell(f"Nobody can sign in yet. Open {settings.site_url or url}/setup and {how}")
    tell("Or, in another terminal: keyturn admin bootstrap --email you@example.com --organization Example")
