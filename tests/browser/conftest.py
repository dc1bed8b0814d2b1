"""One Keyturn and one local Entra ID for the tests of a module, and one browser; each test has its own project and session.

The browser ends with this folder: tests of others start event loops of their own in the same process.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from keyturn.projects.domain import Project
from tests.browser.estate import PATIENCE_MS, BrowserServer, Watched, open_estate, session_of, watch

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# The same engine without the windows, tabs and toolbars that nobody sees: a test takes a third of the processor time.
PROGRAM = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"

Visit = Callable[..., AbstractContextManager[Watched]]


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserServer]:
    with open_estate(tmp_path_factory.mktemp("estate")) as opened:
        yield opened


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(chromium: Browser, estate: BrowserServer) -> Visit:
    """Open another browser, signed in as the admin unless told otherwise."""

    def opened(session: str | None = None, **options: Any) -> AbstractContextManager[Watched]:
        return watch(chromium, estate, session or session_of(estate), **options)

    return opened


@pytest.fixture
def watched(visit: Visit) -> Iterator[Watched]:
    with visit() as opened:
        yield opened


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page()


@pytest.fixture
def project(estate: BrowserServer) -> Project:
    return estate.project(f"Project {estate.core.ids.new()[:6]}")
