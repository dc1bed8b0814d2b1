"""How long a scrape of the metrics takes, and the reading of the database behind it, with ten thousand of everything."""

import logging
import secrets
import statistics
import tempfile
import time

import structlog

from benchmarks.measured import Measured
from benchmarks.page_rows import add_events, add_rotations
from benchmarks.pages import CONNECTIONS, add_connections, database
from keyturn.app.core import open_core
from keyturn.app.web import open_access, open_projects
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import person_actor
from keyturn.settings.reader import read_settings
from keyturn.telemetry import catalogue, store
from keyturn.telemetry.exposition import Exposition

LOOKS, LIMIT = 20, 50.0


def measure(kind: str) -> Measured:
    """Time the reading and the text, each as often as the other; return one line with the medians."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder, database(kind) as where:
        variables = {"KEYTURN_DATA_DIR": folder, "ENCRYPTION_KEY": secrets.token_hex(32)}
        core = open_core(read_settings(variables | where), lambda _notice: None)
        try:
            made = open_access(core).bootstrap("ada@example.com", Plaintext("vellum-orbit-pickle-97"), "Contoso")
            ids = add_connections(core, made.organization.id)
            add_rotations(core, open_projects(core), person_actor(made.user), ids[0], CONNECTIONS)
            add_events(core, made.organization.id, ids, CONNECTIONS)
            with core.database.write() as tx:
                tx.connection.exec_driver_sql("ANALYZE")
            readings = []
            for _ in range(LOOKS):
                began = time.perf_counter()
                with core.database.read() as tx:
                    store.figures(tx, core.clock.now(), core.settings.pace.dead_after)
                    endings = store.endings(tx, catalogue.MOST_ENDS)
                readings.append(time.perf_counter() - began)
            texts = []
            for _ in range(LOOKS):
                exposition = Exposition(core.meters.registry)
                began = time.perf_counter()
                exposed = exposition.scrape("")
                texts.append(time.perf_counter() - began)
        finally:
            core.close()
    reading, text = (1000 * statistics.median(sorted(times)) for times in (readings, texts))
    size = len(exposed[0]) if exposed else 0
    line = (
        f"scrape on {kind} with {CONNECTIONS} connections and rotations: reading {reading:.1f} ms, text {text:.1f} ms"
        f" ({size / 1000:.0f} kB, {len(endings)} ends; limit {LIMIT:.0f} ms together)"
    )
    return Measured(line, reading + text < LIMIT)
