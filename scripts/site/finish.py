"""What is done to the pages that Sphinx made: nothing inline is left, for a strict content security policy; links are checked."""

import hashlib
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'self'"
)
"""The policy that the pages keep; to be sent by whoever serves them."""
_NAMED = (
    ('<aside class="sidebar-drawer">', '<aside class="sidebar-drawer" aria-label="All documents">'),
    ('<aside class="toc-drawer', '<aside aria-label="On this page" class="toc-drawer'),
    ("<pre>", '<pre tabindex="0">'),  # what scrolls is reached by the keyboard
    ('<table class="docutils', '<table tabindex="0" class="docutils'),
)
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_INLINE = re.compile(r'\sstyle="([^"]*)"')


def finish(folder: Path) -> None:
    """Move inline scripts and styles of all pages into files, and name what people without a mouse need. Repeatable."""
    for path in sorted(folder.rglob("*.html")):
        path.write_text(_finished(path.read_text(), folder, "../" * (len(path.relative_to(folder).parts) - 1)))


def _finished(text: str, folder: Path, up: str) -> str:
    text = _SCRIPT.sub(lambda found: f'<script src="{up}{_kept(folder, found[1], "js")}"></script>', text)
    text = _STYLE.sub(lambda found: f'<link rel="stylesheet" href="{up}{_kept(folder, found[1], "css")}">', text)
    text, rules = _classes(text)
    if rules:
        text = text.replace("</head>", f'<link rel="stylesheet" href="{up}{_kept(folder, rules, "css")}"></head>', 1)
    for before, after in _NAMED:
        text = text.replace(before, after)
    return text


def _classes(text: str) -> tuple[str, str]:
    rules: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        name = "s" + hashlib.sha256(found[1].encode()).hexdigest()[:8]
        rules[name] = f"[data-{name}]{{{unescape(found[1])}}}"
        return f" data-{name}"

    return _INLINE.sub(named, text), "\n".join(rules.values())


def _kept(folder: Path, content: str, ending: str) -> str:
    name = f"_static/inline-{hashlib.sha256(content.encode()).hexdigest()[:12]}.{ending}"
    (folder / name).write_text(content)
    return name


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.names.update(told[name] for name in ("id", "name") if name in told)
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        elif tag in {"script", "img", "iframe"} and "src" in told:
            self.loads.append(told["src"])
        elif tag == "link" and told.get("rel") in {"stylesheet", "icon", "preload"}:
            self.loads.append(told["href"])


def faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong: links and anchors that lead nowhere, and whatever would be loaded from elsewhere."""
    pages = {path: _read(path) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        for target in page.loads:
            if urlsplit(target).scheme not in {"", "data"} or target.startswith("//"):
                yield f"{path.relative_to(folder)} loads {target}"
            elif not target.startswith("data:") and not (path.parent / unquote(urlsplit(target).path)).exists():
                yield f"{path.relative_to(folder)} loads {target}, which is not there"
        for target in page.links:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not to.exists():
                yield f"{path.relative_to(folder)} leads to {target}, which is not there"
            elif parts.fragment and to in pages and unquote(parts.fragment) not in pages[to].names:
                yield f"{path.relative_to(folder)} leads to {target}, whose anchor is not there"


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text())
    return page
