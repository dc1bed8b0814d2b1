"""Take pictures of every page, light and dark, wide and on a phone: make screenshots."""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import FLAGS, PROGRAM
from tests.browser.estate import first_start, open_estate, session_of, watch
from tests.browser.tour import addresses, come_to_rest, furnish

SIZES = {"wide": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
SHOWN = {"connection rotating": "light", "projects project integrations app-connections": "dark", "help azure": "light"}
"""What the README shows, as docs/images/*.jpg."""


def main() -> None:
    """Write the pictures into a folder, named page-size-scheme.png; say which pages are wider than the screen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/screenshots"))
    parser.add_argument("--docs", action="store_true", help="also renew the pictures of the README")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS)
        (Path(place) / "estate").mkdir()
        with open_estate(Path(place) / "estate") as estate, first_start(Path(place) / "fresh") as fresh:
            furniture = furnish(estate)
            with watch(browser, estate, session_of(estate)) as watched:
                come_to_rest(watched.page(), estate, furniture)
            places = [(name, estate.url + path) for name, path in addresses(estate, furniture)]
            for session, visited in (
                (session_of(estate), places),
                (None, [("sign-in", f"{estate.url}/sign-in"), ("setup", f"{fresh}/setup")]),
            ):
                for size, (width, height) in SIZES.items():
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, reduced_motion="reduce", timezone_id="Europe/Oslo"
                    )
                    if session:
                        context.add_cookies([{"name": "keyturn_session", "value": session, "url": estate.url}])
                    page = context.new_page()
                    for name, url in visited:
                        page.goto(url)
                        over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
                        if over > 0:
                            print(f"{name} is {over} pixels too wide ({size})")
                        for scheme in SCHEMES:
                            page.emulate_media(color_scheme=scheme)
                            path = folder / f"{name.replace(' ', '-')}-{size}-{scheme}.png"
                            page.screenshot(path=path, full_page=True)
                            if options.docs and (size, SHOWN.get(name)) == ("wide", scheme):
                                shown_as = Path("docs/images") / f"{name.split()[-1]}.jpg"
                                page.screenshot(path=shown_as, type="jpeg", quality=82)
                    context.close()
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
