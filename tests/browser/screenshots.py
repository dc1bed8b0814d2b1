"""Take pictures of every page, light and dark, wide, narrow and on a phone: make screenshots."""

import argparse
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import structlog
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from keyturn.app.alarms import alarm_services
from keyturn.connections.domain import NewConnection
from keyturn.kit.secret import Plaintext
from keyturn.providers.azure.methods.client_secret import ClientSecret
from tests.browser.conftest import FLAGS, PROGRAM
from tests.browser.estate import BrowserServer, first_start, open_estate, session_of, watch
from tests.browser.tour import Furniture, addresses, come_to_rest, furnish

SIZES = {"wide": (1440, 900), "narrow": (1024, 800), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
DOCS = Path("docs/images")
DOCS_SIZE = (1280, 900)
SHOWN: dict[str, Literal["light", "dark"]] = {
    "overview": "light",
    "connection rotating": "light",
    "projects project integrations app-connections": "dark",
    "help azure": "light",
}
"""What the README shows, as docs/images/*.jpg, and in which scheme."""
Places = Sequence[tuple[str, str]]


def main() -> None:
    """Write the pictures into a folder, named page-size-scheme.png; say which pages are wider than the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/screenshots"))
    parser.add_argument("--docs", action="store_true", help="only renew the pictures of the README")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        (Path(place) / "estate").mkdir()
        with open_estate(Path(place) / "estate") as estate:
            with estate.later(hours=-1), watch(browser, estate, session_of(estate)) as watched:
                furniture = furnish(estate)
                come_to_rest(watched.page(), estate, furniture)
            if options.docs:
                with watch(browser, estate, session_of(estate)) as watched:
                    trouble(watched.page(), estate, furniture)
            places = [(name, estate.url + path) for name, path in addresses(estate, furniture)]
            if options.docs:
                renew(browser, estate, places)
            else:
                with first_start(Path(place) / "fresh") as fresh:
                    take(browser, estate, session_of(estate), places, folder)
                    outside = [("sign-in", f"{estate.url}/sign-in"), ("setup", f"{fresh}/setup")]
                    take(browser, estate, None, outside, folder)
        browser.close()


def trouble(page: Page, estate: BrowserServer, furniture: Furniture) -> None:
    """Let something need somebody: a secret that somebody removed in the portal, and one that ends within hours."""
    admin, now = estate.emulator.admin, estate.core.clock.now().timestamp()
    alarm_services(estate.core).channels.delete(estate.actor, furniture.channel_id)
    for secret in admin.secrets(furniture.resting.client_id):
        admin.remove_secret(furniture.resting.client_id, secret.key_id)
    page.goto(estate.page_of(furniture.resting))
    page.get_by_role("button", name="Test").click()
    ending = estate.application("Customer portal", secrets_count=0)
    made = admin.add_secret(ending.object_id, "by hand", end=now + 5.5 * 3600)
    credentials = ClientSecret(estate.tenant_id, ending.app_id, Plaintext(made.value), made.key_id)
    draft = NewConnection("customer-portal", credentials, None, furniture.project.id)
    page.goto(estate.page_of(estate.rotations.create(estate.actor, draft, None)))
    page.get_by_role("button", name="Test").click()
    page.goto(f"{estate.url}/overview")
    server = page.get_by_role("link", name="This server")
    for _ in range(120):  # its worker is missed until it was seen by the clock that went on
        if server.count() == 0:
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(server).to_have_count(0)
    for group in ("Failing", "Ending"):
        expect(page.get_by_role("heading", name=group)).to_be_visible()


def take(browser: Browser, estate: BrowserServer, session: str | None, places: Places, folder: Path) -> None:
    """Take pictures of whole pages, in every size and scheme."""
    for size, viewport in SIZES.items():
        with _context(browser, estate, session, viewport) as context:
            page = context.new_page()
            for name, url in places:
                page.goto(url)
                over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
                if over > 0:
                    print(f"{name} is {over} pixels too wide ({size})")
                for scheme in SCHEMES:
                    page.emulate_media(color_scheme=scheme)
                    path = folder / f"{name.replace(' ', '-')}-{size}-{scheme}.png"
                    page.screenshot(path=path, full_page=True)
    print(f"{len(places) * len(SIZES) * len(SCHEMES)} pictures in {folder}")


def renew(browser: Browser, estate: BrowserServer, places: Places) -> None:
    """Take the pictures of the README: what stands on the first screen."""
    urls = dict(places)
    with _context(browser, estate, session_of(estate), DOCS_SIZE) as context:
        page = context.new_page()
        for name, scheme in SHOWN.items():
            page.emulate_media(color_scheme=scheme)
            page.goto(urls[name])
            page.screenshot(path=DOCS / f"{name.split()[-1]}.jpg", type="jpeg", quality=75)
    print(f"{len(SHOWN)} pictures in {DOCS}")


@contextmanager
def _context(
    browser: Browser, estate: BrowserServer, session: str | None, viewport: tuple[int, int]
) -> Iterator[BrowserContext]:
    width, height = viewport
    size: Any = {"width": width, "height": height}
    context = browser.new_context(viewport=size, reduced_motion="reduce", timezone_id="Europe/Oslo")
    context.add_cookies([{"name": "keyturn_zone", "value": "Europe%2FOslo", "url": estate.url}])
    if session:
        context.add_cookies([{"name": "keyturn_session", "value": session, "url": estate.url}])
    yield context
    context.close()


if __name__ == "__main__":
    main()
