"""What tells monitoring how this process is: health, metrics, and the listener that answers for both."""

from keyturn.api.metrics import routes as metrics_api
from keyturn.app.core import Core
from keyturn.db.trouble import explain
from keyturn.engine.readiness import look
from keyturn.telemetry.exposition import Exposition
from keyturn.web.server import health
from keyturn.web.server.app import Application, build_probes
from keyturn.web.server.health import Status
from keyturn.web.server.listening import listen
from keyturn.web.server.probes import ProbeServer


def status(core: Core) -> Status:
    """Whether the database answers and takes writes, whether some process takes work, and how far our clock is off."""
    readiness = look(core.database, core.clock.now(), core.settings.pace.dead_after)
    return Status(
        readiness.database, readiness.worker, readiness.writable, readiness.reason, core.providers.clock_ahead()
    )


def exposition(core: Core) -> Exposition:
    """Return what a scrape gets."""
    return Exposition(core.meters.registry)


def probes(core: Core) -> Application:
    """Return the application of the listener for probes."""
    metrics = metrics_api.router(exposition(core).scrape, core.settings.metrics_token, own_listener=True)
    checks = health.router(health.latest(lambda: status(core)).value, core.clock)
    return build_probes([checks, metrics], ids=core.ids, explain=explain)


def probe_server(core: Core) -> ProbeServer | None:
    """Return the listener for probes of a process without a web server, if one is asked for. Raises Misconfigured."""
    settings = core.settings
    if settings.health_port is None:
        return None
    return ProbeServer(probes(core), listen(settings.health_host or settings.host, settings.health_port))
