"""Turns a page into HTML: Jinja2 with escaping on and undefined names refused, our icons, and the static files."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from markupsafe import Markup

from keyturn import __version__
from keyturn.kit.clock import iso
from keyturn.kit.counting import counted, distance_in_words, every
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ends import URGENT_BEFORE_END, WARNS_BEFORE_END
from keyturn.kit.moments import FIRST, in_zone, utc_of
from keyturn.kit.printable import visible
from keyturn.ports.clock import Clock
from keyturn.web.html.wording import blocks, inline
from keyturn.web.subpath import AT_ROOT, SubPath

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
ICONS = TEMPLATES / "icons"
STATIC = HERE / "static"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class Page:
    """Base of what a page shows: each page has its own dataclass, and its template sees that alone, as ``page``.

    ``leaves_by`` lists where its forms may lead besides this server, for the Content-Security-Policy.
    """

    template: ClassVar[str]
    leaves_by: ClassVar[tuple[str, ...]] = ()
    compressed: ClassVar[bool] = False
    """May be compressed, see ``compression.py``: it never shows a secret, a token or a code, nor an input again."""
    titled: ClassVar[bool] = False
    """It has a heading of its own, so that of its project, where it has one, is among the crumbs only."""

    @property
    def section(self) -> str:
        """The entry of the navigation that is marked: mostly the same for all pages of a class, a ``ClassVar`` there."""
        return ""


@dataclass(frozen=True)
class ProjectLink:
    id: str
    name: str
    slug: str


@dataclass(frozen=True)
class Navigation:
    """What surrounds the page of somebody who has signed in. ``can`` holds their permissions in the organization."""

    organization: str
    user: str
    role: str
    projects: Sequence[ProjectLink] = ()
    project_count: int = 0
    """How many there are; ``projects`` are the first of them."""
    can: frozenset[str] = frozenset()
    alarms: int = 0
    """How many alarms go on that nobody has acknowledged or snoozed."""
    approvals: int = 0
    """How many requests wait for this person."""


@dataclass(frozen=True)
class PageFrame:
    """What every template sees besides its page, as ``chrome``. ``theme`` is light, dark or empty: as the system has it."""

    theme: str
    zone: ZoneInfo
    path: str
    now: datetime
    section: str = ""
    toast: str | None = None
    shell: Navigation | None = None
    version: str = __version__


@dataclass(frozen=True)
class StaticFile:
    content: bytes
    media_type: str
    tag: str


@dataclass
class Renderer:
    """Makes the HTML of pages. For any number of threads; the engine is loaded, and templates compiled, at their first use."""

    clock: Clock
    below: SubPath = AT_ROOT
    folders: tuple[Path, ...] = ()
    """Where the templates of pages are; those of the frame around them are known."""

    def html(self, page: Page, chrome: PageFrame) -> str:
        return self.below.html(environment(self.folders).get_template(page.template).render(page=page, chrome=chrome))


@lru_cache(maxsize=4)
def environment(folders: tuple[Path, ...] = ()) -> "Environment":
    """Return the template engine, the same for all: it keeps each template that it has compiled."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - a start does without

    jinja = Environment(
        loader=FileSystemLoader((TEMPLATES, *folders)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_seen,
    )
    jinja.globals |= {"icon": icon, "asset": asset}
    jinja.filters |= {
        "local": local,
        "utc": utc,
        "iso": iso,
        "ago": ago,
        "day": day,
        "date": date_of,
        "second": second,
        "nearness": nearness,
    }
    jinja.filters |= {"blocks": blocks, "inline": inline, "counted": counted, "every": every}
    return jinja


def _seen(value: object) -> object:
    """Write out what cannot be seen in a text, such as a change of direction in a name that was stored before.

    What is HTML already was made here, of texts that went through this: it may be long, and is not looked at again.
    """
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# --- moments ----------------------------------------------------------------------------------------------------------


_UNREADABLE = "cannot be read"
"""What is shown of a stored moment that could not be read, in whose place the first one stands."""


def local(moment: datetime, zone: ZoneInfo) -> str:
    """Return the moment on the user's clock, to the minute."""
    if moment == FIRST:
        return _UNREADABLE
    here = in_zone(moment, zone)
    return f"{here.day} {here:%b %Y, %H:%M} {here.tzname() or ''}".strip()


def second(moment: datetime, zone: ZoneInfo) -> str:
    """Return the moment on the user's clock, to the second."""
    if moment == FIRST:
        return _UNREADABLE
    here = in_zone(moment, zone)
    return f"{here.day} {here:%b %Y, %H:%M:%S} {here.tzname() or ''}".strip()


def day(moment: datetime, zone: ZoneInfo) -> str:
    if moment == FIRST:
        return _UNREADABLE
    here = in_zone(moment, zone)
    return f"{here.day} {here:%b %Y}"


def date_of(found: date) -> str:
    """Return a day of the calendar as :func:`day` shows that of a moment."""
    return f"{found.day} {found:%b %Y}"


def utc(moment: datetime) -> str:
    return f"{utc_of(moment):%Y-%m-%d %H:%M:%S} UTC"


def ago(moment: datetime, now: datetime) -> str:
    """Return how far away the moment is: ``3 hours ago``, ``in 2 days``, ``just now``."""
    return _UNREADABLE if moment == FIRST else distance_in_words(moment, now)


def nearness(ends_at: datetime, now: datetime) -> str:
    """Return how near an end is: ``ended``, ``near`` within 7 days, ``soon`` within 30, else ``far``."""
    if ends_at <= now:
        return "ended"
    return "near" if ends_at - now <= URGENT_BEFORE_END else "soon" if ends_at - now <= WARNS_BEFORE_END else "far"


# --- icons and static files -------------------------------------------------------------------------------------------


def icon(name: str, label: str = "") -> Markup:
    """Return an icon. With a label it has a meaning of its own; without it is decoration."""
    meaning = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="icon" viewBox="0 0 16 16"{}>{}</svg>').format(meaning, _shape(name))


@lru_cache(maxsize=256)
def _shape(name: str) -> Markup:
    text = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    # A file of ours, named by a template of ours: never input.
    return Markup(text[text.index(">") + 1 : text.rindex("</svg>")])  # noqa: S704


_READING = Lock()


def static_files() -> Mapping[str, StaticFile]:
    """Return all files of ``static/`` by name, read once. What is asked for is looked up here and never kept."""
    with _READING:  # or each thread that comes during the first reading reads all of them, too
        return _read_static_files()


@cache
def _read_static_files() -> Mapping[str, StaticFile]:
    paths = (path for path in sorted(STATIC.rglob("*")) if path.suffix in MEDIA_TYPES and path.is_file())
    return {path.relative_to(STATIC).as_posix(): _static_file(path) for path in paths}


def _static_file(path: Path) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, MEDIA_TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:12])


def asset(name: str) -> str:
    """Return the address of a static file. It changes with the content, so browsers may keep the file for ever."""
    file = static_files().get(name)
    if file is None:
        raise LookupError(f"there is no static file {name!r}")
    return f"/static/{name}?v={file.tag}"
