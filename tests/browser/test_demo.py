"""``keyturn demo --stay``: what it prints can be typed, and all three ways to connect can be clicked through."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import connect, fill
from tests.system.installation import ROOT, system_environ

SILENCE_SECONDS = 200
"""Longer than anything that the demonstration itself waits for: however busy the machine is, it says something meanwhile."""

pytestmark = pytest.mark.timeout(1200)


class Guide:
    """What the demonstration printed."""

    def __init__(self, text: str) -> None:
        self.text = text

    def find(self, pattern: str) -> str:
        match = re.search(pattern, self.text)
        assert match, f"{pattern} is not in:\n{self.text}"
        return match[1]


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "keyturn", "demo", "--stay"]
    environ = system_environ() | {"HOME": str(folder), "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as demo:
        try:
            yield Guide("".join(_told(demo)))
            demo.send_signal(signal.SIGINT)
            assert demo.wait(SILENCE_SECONDS) == 0
        finally:
            demo.kill()


def _told(demo: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the lines up to the last one of the guide. What is silent for too long is killed."""
    assert demo.stdout is not None
    while True:
        patience = threading.Timer(SILENCE_SECONDS, demo.kill)
        patience.start()
        line = demo.stdout.readline()
        patience.cancel()
        yield line
        if not line or "Forgotten consent" in line:
            return


@pytest.fixture
def page(chromium: Browser, guide: Guide) -> Iterator[Page]:
    """A visitor who accepts the demonstration's own certificate and has signed in."""
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(guide.find(r"Keyturn +(http://\S+/app-connections)"))
    page.get_by_label("E-mail address").fill("admin@example.com")
    page.get_by_label("Password").fill(guide.find(r"admin@example.com / (.+)"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="orders-entra", exact=True)).to_be_visible()
    yield page
    context.close()


def form(page: Page, guide: Guide, name: str, method: str) -> None:
    page.get_by_role("button", name="Add Connection").first.click()
    page.get_by_role("dialog").get_by_role("link", name="Azure Client Secrets").click()
    fill(page, name=name, method=method, tenant=guide.find(r"Tenant ID (\S+)"))


def is_connected(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible()


def test_the_story_ends_well(guide: Guide) -> None:
    assert "no orphan" in guide.text
    assert re.search(r"secrets were searched for .*: none found", guide.text)
    assert re.search(r"Analytics +foreign, 1 secret\b", guide.text)
    assert re.search(r"Payments API +owned by prod-entra", guide.text)
    assert int(guide.find(r"read and signed in (\d+) times during the rotation: 0 refused")) > 5
    guide.find(r"refused +the connection's own application: (The application .* signs in with)")


def test_what_an_organization_asks_for_is_shown(guide: Guide) -> None:
    assert re.search(r"Ada Admin +is let in, and sees the page Overview", guide.text)
    assert re.search(r"Uri User +You were not signed in: \S+ is in no group that has a role here", guide.text)
    assert int(guide.find(r"(\d+) series at http://\S+/metrics")) > 100
    assert re.search(r"keyturn audit verify +Demo: \d+ events up to position \d+: verified", guide.text)
    assert "keyturn receipt verify Verified: the receipt of run" in guide.text
    assert "receipt verify refuses it once a single id in it is another one" in guide.text
    guide.find(r"(healed after [\d.]+ s)")


def test_the_overview_has_something_to_say(page: Page, guide: Guide) -> None:
    page.goto(guide.find(r"Overview +(http://\S+)"))
    for group, name in (("Ending", "billing-entra"), ("Failing", "reports-entra"), ("removed", "orders-worker")):
        lines = page.get_by_role("region", name=group)
        expect(lines.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"ends in [45] hours")).first).to_be_visible()


def test_people_of_the_group_are_let_in_through_entra_and_others_told_why_not(chromium: Browser, guide: Guide) -> None:
    for name, told in (("Ada Admin", "Overview"), ("Uri User", "You were not signed in")):
        with chromium.new_context(ignore_https_errors=True) as context:
            page = context.new_page()
            page.goto(guide.find(r"do it yourself at (http://\S+/sign-in) "))
            page.get_by_role("link", name="Sign in through Entra ID").click()
            page.get_by_role("button", name=name).click()
            if "Accept" in page.content():
                page.get_by_role("button", name="Accept").click()
            expect(page.get_by_role("heading", name=told)).to_be_visible()


def test_by_oauth(page: Page, guide: Guide) -> None:
    form(page, guide, "visitor-oauth", "OAuth")
    connect(page)
    page.get_by_role("button", name="Ada Admin").click()
    page.get_by_role("button", name="Accept").click()
    is_connected(page, "visitor-oauth")


def test_by_client_secret(page: Page, guide: Guide) -> None:
    form(page, guide, "visitor-secret", "Client Secret")
    fill(page, client=guide.find(r"Client Secret +Client ID (\S+)"), secret=guide.find(r"Client Secret (\S+8Q~\S+)"))
    connect(page)
    is_connected(page, "visitor-secret")


def test_by_certificate(page: Page, guide: Guide) -> None:
    form(page, guide, "visitor-certificate", "Certificate")
    certificate, key = (Path(guide.find(rf"{name} +(/\S+)")) for name in ("Certificate", "Private Key"))
    fill(page, client=guide.find(r"Certificate +Client ID (\S+)"))
    fill(page, certificate=certificate.read_text(), key=key.read_text())
    connect(page)
    is_connected(page, "visitor-certificate")
