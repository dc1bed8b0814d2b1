"""How soon home is painted in Chromium when there are ten thousand connections and secret rotations, by its own paint timing."""

import logging
import statistics
import tempfile
from pathlib import Path

import structlog
from playwright.sync_api import Page, sync_playwright

from benchmarks.measured import Measured
from benchmarks.page_rows import add_rotations
from benchmarks.pages import CONNECTIONS, add_connections
from tests.browser.conftest import FLAGS, PROGRAM
from tests.browser.estate import open_estate, session_of, watch

LOOKS, LIMIT = 15, 100
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def measure() -> Measured:
    """Visit home again and again, with scripts and styles at hand; return the median from the click to the first content."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with (
        tempfile.TemporaryDirectory() as folder,
        open_estate(Path(folder), works=False) as estate,
        sync_playwright() as playwright,
    ):
        ids = add_connections(estate.core, estate.actor.org_id)
        add_rotations(estate.core, estate.projects, estate.actor, ids[0], CONNECTIONS)
        with estate.core.database.write() as tx:
            tx.connection.exec_driver_sql("ANALYZE")
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        with watch(browser, estate, session_of(estate)) as watched:
            page = watched.page()
            times = [_painted(page, f"{estate.url}/overview") for _ in range(LOOKS)][1:]
        browser.close()
    took = statistics.median(times)
    line = (
        f"home is painted after {took:.0f} ms in Chromium, at best {min(times):.0f} ms, with {CONNECTIONS} connections"
    )
    return Measured(f"{line} (limit {LIMIT} ms)", took <= LIMIT)


def _painted(page: Page, url: str) -> float:
    page.goto(url)
    page.wait_for_function(_PAINTED)
    return float(page.evaluate(_PAINTED))
