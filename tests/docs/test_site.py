"""The documents as a site: built strictly, every link followed, looked at in a browser under a strict content security policy."""

import functools
import http.server
import importlib.util
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
LOOKED_AT = (
    "index.html",
    "docs/how-to/rotate-encryption-keys.html",
    "docs/reference/settings.html",
    "docs/adr/0016-decisions-attempts-and-targets-of-rotations.html",
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", ROOT / "scripts" / "site" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_document_has_a_place_in_the_site(tmp_path: Path) -> None:
    sources = script("sources")
    pages = sources.lay_out(tmp_path)
    assert {path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")} <= set(pages)
    trees = "".join(path.read_text() for path in tmp_path.glob("*.md") if path.name.islower())
    assert [str(page) for page in pages if f"\n{str(page).removesuffix('.md')}\n" not in trees] == []


def test_what_is_inline_moves_to_files_and_broken_links_are_found(tmp_path: Path) -> None:
    finish = script("finish")
    (tmp_path / "_static").mkdir()
    (tmp_path / "b.html").write_text('<p id="here">')
    page = tmp_path / "a.html"
    page.write_text(
        '<head></head><script>x()</script><p style="color:red">'
        '<a href="b.html#here">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><script src="https://cdn.example/x.js"></script>'
    )
    finish.finish(tmp_path)
    text = page.read_text()
    assert "<script>" not in text
    assert "style=" not in text
    assert list(finish.faults(tmp_path)) == [
        "a.html loads https://cdn.example/x.js",
        "a.html leads to b.html#gone, whose anchor is not there",
        "a.html leads to c.html, which is not there",
    ]


class _Strict(http.server.SimpleHTTPRequestHandler):
    policy = ""

    def end_headers(self) -> None:
        self.send_header("content-security-policy", self.policy)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    made = subprocess.run(["make", "-s", "site"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert made.returncode == 0, made.stderr
    _Strict.policy = script("finish").POLICY
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Strict, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.client
@pytest.mark.compiled
def test_the_site_works_in_a_browser(address: str) -> None:
    program = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        asked: list[str] = []
        refused: list[str] = []
        for scheme, width in (("light", 1280), ("dark", 390)):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
            page = context.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
            for path in LOOKED_AT:
                page.goto(f"{address}/{path}")
                results = Axe().run(page)
                assert results.violations_count == 0, f"{scheme} {path}\n{results.generate_report()}"
                assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                    f"{path} scrolls sideways at {width}"
                )
                page.screenshot(path=str(SITE.parent / "site-pictures" / f"{scheme}-{Path(path).stem}.png"))
            page.goto(f"{address}/search.html?q=ENCRYPTION_KEY")
            page.locator("ul.search li").first.wait_for()
            assert page.locator("ul.search li").count() >= 3
            page.screenshot(path=str(SITE.parent / "site-pictures" / f"{scheme}-search.png"))
            context.close()
        page = browser.new_page()
        page.goto(address)
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.name") == "q":
                break
        page.keyboard.type("rotate")
        page.keyboard.press("Enter")
        page.locator("ul.search li a").first.wait_for()
        browser.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert refused == []
