"""Below a path of a shared host: what goes out has the path, what comes in may have it. See also tests/browser."""

import re
from pathlib import Path

import pytest

from keyturn import pages
from keyturn.errors import Misconfigured
from keyturn.settings.model import Settings
from keyturn.web.compression import LEAST, accepts_gzip
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.render import TEMPLATES, Page
from keyturn.web.routes import get, group, post
from keyturn.web.schema.wire import ApiModel
from keyturn.web.subpath import SubPath
from tests.client import Client
from tests.features.web import things

BELOW = SubPath("/tools/keyturn")


def web(site_url: str | None = "https://tools.example/tools/keyturn") -> Client:
    settings = Settings(Path("nowhere"), "sqlite://", site_url=site_url)
    return things.client(settings=settings, site=things.site(SubPath.of(site_url)))


@pytest.mark.parametrize(
    ("path", "outside"),
    [
        *(("/", "/tools/keyturn/"), ("/projects?x=1", "/tools/keyturn/projects?x=1"), ("/a#b", "/tools/keyturn/a#b")),
        *((text, text) for text in ("//evil", "https://elsewhere/x", "", "#x", "/tools/keyturn/x", "/tools/keyturn?x")),
        ("/tools/keyturnx", "/tools/keyturn/tools/keyturnx"),
    ],
)
def test_an_address_of_ours_gets_the_path_once(path: str, outside: str) -> None:
    assert BELOW.outside(path) == outside
    assert SubPath().outside(path) == path


@pytest.mark.parametrize(
    ("path", "inside"),
    [("/tools/keyturn", "/"), ("/tools/keyturn/", "/"), ("/tools/keyturn/a", "/a"), ("/a", "/a"), ("/tools", "/tools")],
)
def test_a_proxy_may_take_the_path_off_or_leave_it(path: str, inside: str) -> None:
    assert BELOW.inside(path) == inside
    assert SubPath().inside(path) == path


def test_pages_lead_below_the_path_and_text_of_people_stays_text() -> None:
    page = '<a class="x" href="/a"><img src="/b"> <form action="/c"> <i data-live="/d"> <p hx-get="/e?f">'
    html = '<p>&#34; href="/x&#34;</p><a href="#y"> <a href="//z"> <input value="/v">'
    assert re.findall(r'="([^"]*)"', BELOW.html(page))[1:] == [
        f"/tools/keyturn/{end}" for end in ("a", "b", "c", "d", "e?f")
    ]
    assert BELOW.html(html).count("/tools/keyturn") <= 1
    assert 'href="#y"' in BELOW.html(html)
    assert 'value="/v"' in BELOW.html(html)
    assert SubPath().html(page) == page


def test_templates_have_no_address_in_another_attribute() -> None:
    """An attribute that is not known to hold an address would lead out of the path."""
    attributes = {
        "href",
        "src",
        "action",
        "formaction",
        "hx-get",
        "hx-post",
        "hx-put",
        "hx-patch",
        "hx-delete",
        "data-live",
    }
    keys = {"aria-keyshortcuts", "data-shortcut"}  # the key / is no address
    for template in (*TEMPLATES.rglob("*.html"), *pages.TEMPLATES.rglob("*.html")):
        for name in re.findall(r'\s([a-z-]+)="/(?!/)', template.read_text()):
            assert name in attributes | keys, f"{template.name}: {name}"


def test_redirects_and_cookies_are_below_the_path() -> None:
    headers = [(b"location", b"/x"), (b"hx-redirect", b"/y"), (b"set-cookie", b"a=b; Path=/; HttpOnly"), (b"x", b"/")]
    assert BELOW.headers(headers) == [
        (b"location", b"/tools/keyturn/x"),
        (b"hx-redirect", b"/tools/keyturn/y"),
        (b"set-cookie", b"a=b; Path=/tools/keyturn; HttpOnly"),
        (b"x", b"/"),
    ]
    assert BELOW.headers([(b"set-cookie", b"a=b; HttpOnly; path=/")])[0][1].endswith(b"path=/tools/keyturn")
    assert SessionCookie(secure=True, shared_host=True).name == "__Secure-keyturn"
    assert SessionCookie(secure=True).name == "__Host-keyturn"


def test_both_ways_to_ask_arrive_at_the_same() -> None:
    served = web()
    for prefix in ("", "/tools/keyturn"):
        assert served.get(f"{prefix}/healthz").json() == {"ok": True}
        assert served.get(f"{prefix}/api/v1/things", headers=things.AUTH).status_code == 200
        text = served.get(f"{prefix}/api/docs").text
        assert 'href="/tools/keyturn/api/docs/things#createThing"' in text
        assert 'href="/tools/keyturn/static/reference.css?' in served.get(f"{prefix}/api/docs/things").text
        assert served.get(f"{prefix}/api/docs/json").json()["servers"][0]["url"].endswith("/tools/keyturn")
    assert served.get("/tools/other").status_code == 404


@pytest.mark.parametrize("path", ["/api", "/healthz", "/api/below"])
def test_a_path_that_begins_like_ours_is_refused(path: str) -> None:
    with pytest.raises(Misconfigured, match="SITE_URL"):
        web(f"https://x.example{path}")


# --- compression ------------------------------------------------------------------------------------------------------


class Long(ApiModel):
    text: str


def long_answers() -> Client:
    @get("/api/long", public=True, compressed=True)
    def show_long() -> Long:
        return Long("long " * 1000)

    @get("/api/secret", public=True)
    def show_secret() -> Long:
        return Long("long " * 1000)

    @get("/api/short", public=True, compressed=True)
    def show_short() -> Long:
        return Long("x" * 10)

    @post("/api/made", public=True)
    def make() -> Long:
        return Long("long " * 1000)

    app = things.application(cors_origins=["https://ui.example"])
    app.add(group("Long", show_long, show_secret, show_short, make))
    return Client(app)


def test_only_what_says_that_it_may_be_is_compressed() -> None:
    served = long_answers()
    good = served.get("/api/long")
    assert good.headers["content-encoding"] == "gzip"
    assert len(good.json()["text"]) == 5000
    assert int(good.headers["content-length"]) < LEAST
    for path in ("/api/secret", "/api/short"):
        assert "content-encoding" not in served.get(path).headers
    assert "content-encoding" not in served.post("/api/made").headers
    assert "content-encoding" not in served.get("/api/long", headers={"accept-encoding": "identity"}).headers


def test_a_cache_tells_compressed_and_plain_apart() -> None:
    served = long_answers()
    plain = served.get("/api/long", headers={"accept-encoding": "br"})
    small = served.get("/api/long", headers={"origin": "https://ui.example"})
    assert plain.headers["etag"] != small.headers["etag"]
    assert "Accept-Encoding" in small.headers["vary"]
    assert "Origin" in small.headers["vary"]
    again = served.get("/api/long", headers={"if-none-match": small.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        *((text, True) for text in ("gzip", "br, gzip;q=0.5", "*", "GZIP", "*;q=0, gzip", "deflate, gzip;q=1.0")),
        *((text, False) for text in ("", "br", "gzip;q=0", "gzip; q=0.0", "*, gzip;q=0", "identity", "xgzip")),
    ],
)
def test_accept_encoding_is_read(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) == accepted


class Inner(ApiModel):
    access_token: str


class Outer(ApiModel):
    items: list[Inner]


def test_an_answer_with_a_secret_cannot_be_declared_to_be_compressed() -> None:
    def show() -> Outer:
        return Outer([])

    with pytest.raises(TypeError, match=r"Inner\.accessToken"):
        get("/api/outer", public=True, compressed=True)(show)


def test_no_page_that_shows_a_secret_or_asks_for_one_is_compressed() -> None:
    names = {page.__name__ for page in _pages() if page.compressed}
    assert not names & {"SetupDonePage", "SecretPage", "EnrolPage", "RecoveryPage", "CodePage", "SignInPage", "NewPage"}


def _pages() -> list[type[Page]]:
    from keyturn.pages import identities as identities_pages  # noqa: F401, PLC0415 - makes them known
    from keyturn.pages.connections import create  # noqa: F401, PLC0415
    from keyturn.pages.connections.urls import PageOfPlace  # noqa: PLC0415
    from keyturn.pages.people import settings as settings_pages  # noqa: F401, PLC0415

    return [*Page.__subclasses__(), *PageOfPlace.__subclasses__()]
