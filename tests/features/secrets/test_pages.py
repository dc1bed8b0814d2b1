"""The pages of secrets over HTTP: what they show and never show, what is written down, and what is refused without a trace."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from keyturn.accounts.service import Access
from keyturn.crypto.keyring import Keyring, KeyringDigests
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.errors import Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.pages import TEMPLATES
from keyturn.pages import secrets as pages
from keyturn.pages.project_header import ProjectHeaders
from keyturn.projects.domain import GivenRole, NewProject
from keyturn.projects.role_domain import NewRole
from keyturn.projects.service import Projects
from keyturn.rotations.overviews import Overviews
from keyturn.rotations.secret_rotations.consumers import SecretConsumers
from keyturn.secrets.comparison import Comparisons
from keyturn.secrets.domain import Address, NewSecret
from keyturn.secrets.dotenv_files import DotenvFiles
from keyturn.secrets.listing import SecretListing
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Navigation, Renderer
from keyturn.web.pages import Site
from keyturn.web.server.app import build
from keyturn_simulation.world import ROOT_KEY
from tests.client import Client
from tests.databases import KINDS, database_of_kind
from tests.features.rotations.applications import NAMES, make_applications
from tests.features.secrets.desk import SecretsClient

HIDDEN = "canary-value-of-a-secret"


class Browser:
    """A browser in which one of the callers has signed in."""

    def __init__(self, web: SecretsClient, client: Client) -> None:
        self.web, self.client, self.who = web, client, "member"

    @property
    def at(self) -> str:
        return f"/projects/{self.web.id}/secrets"

    def url(self, action: str = "", environment: str = "dev", path: str = "/", **more: str) -> str:
        return f"{self.at}{action}?{urlencode({'environment': environment, 'path': path, **more})}"

    def get(self, url: str, *, expect: int = 200) -> str:
        answer = self.client.get(url, headers=self._headers(), follow_redirects=False)
        assert answer.status_code == expect
        assert answer.headers["cache-control"] == "no-store"
        return html.unescape(answer.text)

    def post(self, url: str, *, expect: int = 303, **form: Any) -> httpx.Response:
        """Send a form as browsers do: line breaks as two characters."""
        sent = {
            name: [_as_sent(each) for each in value] if isinstance(value, list) else _as_sent(value)
            for name, value in form.items()
        }
        self.web._note_typed({"secretValue": form.get("secret_value")})
        answer = self.client.post(url, data=sent, headers=self._headers(), follow_redirects=False)
        assert answer.status_code == expect
        assert answer.headers["cache-control"] == "no-store"
        assert "content-encoding" not in answer.headers
        return answer  # type: ignore[return-value]

    def refused(self, url: str, *, expect: int = 400, **form: Any) -> str:
        answer = self.post(url, expect=expect, **form)
        self.web.refusals.append(answer.text)
        return html.unescape(answer.text)

    def revealed(self, *ids: str) -> dict[str, str]:
        values: dict[str, str] = self.post(self.url("/reveal"), expect=200, ids=list(ids), as_json="true").json()[
            "values"
        ]
        return values

    def _headers(self) -> dict[str, str]:
        return {
            "sec-fetch-site": "same-origin",
            "accept": "text/html",
            "accept-encoding": "gzip",
            "cookie": f"keyturn_session={self.who}",
        }


def at_field(page: str, field: str) -> str:
    """Return what a page says is wrong at a field, as HTML."""
    return "".join(re.findall(rf'id="{field}-error">(.*?)</p>', page, re.DOTALL))


def _as_sent(value: object) -> str:
    return str(value).replace("\r\n", "\n").replace("\n", "\r\n")


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with database_of_kind(getattr(request, "param", "sqlite"), tmp_path) as opened:
        yield opened


on_both = pytest.mark.parametrize("database", KINDS, indirect=True)


@pytest.fixture
def browser(web: SecretsClient, tmp_path: Path) -> Iterator[Browser]:
    with opened(web, tmp_path) as made:
        yield made


@contextmanager
def opened(web: SecretsClient, folder: Path) -> Iterator[Browser]:
    """Serve the pages of the world of this client to its callers; what a session's cookie holds is their name."""
    world, secrets, projects = web.world, web.secrets, web.projects
    database, clock, ids, sealer = world.database, world.clock, world.ids, world.sealer
    ring = Keyring.open(database, GivenRoot(RootKeys(RootKey(ROOT_KEY))), clock)
    digests = KeyringDigests(ring)

    def recall(session: Plaintext, _ip: str) -> Actor:
        if session.reveal() not in web.actors:
            raise Unauthenticated("This session has ended.", code="session.ended")
        return web.actors[session.reveal()]

    made = pages.SecretPages(
        secrets,
        SecretListing(database, sealer, clock),
        Comparisons(database, sealer),
        DotenvFiles(database, sealer, clock, secrets),
        projects,
        SecretConsumers(database, clock),
        Overviews(database),
        clock,
        ProjectHeaders(Access(database, clock, ids, sealer=sealer, digests=digests), projects),
    )
    site = Site(
        Renderer(clock, folders=(TEMPLATES,)),
        recall,
        lambda actor: Navigation("Contoso", actor.name, actor.role.value),
        SessionCookie(secure=False),
        None,
        Keeper(digests, clock),
    )
    settings = Settings(data_dir=folder, database_url="sqlite://")
    app = build(
        [pages.router(made)],
        authenticate=lambda _token, _ip: web.actors["member"],
        settings=settings,
        clock=clock,
        ids=ids,
        site=site,
    )
    with Client(app) as client:
        yield Browser(web, client)


# --- values -----------------------------------------------------------------------------------------------------------

VALUES = {
    "one line": "canary-of-one-line",
    "blanks around": "  canary with blanks \t ",
    "line breaks at both ends": "\n\ncanary\nof several lines\n",
    "windows": "\r\ncanary of\r\nwindows\r\n",
    "every script": "canary ключ 名前 מפתח 🔑 <b>&amp;</b> \u202e\u200b",
    "empty": "",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_is_kept_as_it_was_typed_and_shown_only_when_asked_for(
    browser: Browser, web: SecretsClient, value: str
) -> None:
    breaks = "crlf" if "\r" in value else "lf"
    browser.post(browser.url("/new"), secret_name="A", secret_value=value, line_breaks=breaks, comment="what for")
    secret = web.get("A")
    assert secret["secretValue"] == value
    listed, one = browser.get(browser.url()), browser.get(f"/secrets/{secret['id']}")
    for page in (listed, one):
        assert "what for" in page
        assert not value or value.strip() not in page
    before = len(web.trail("get-secret"))
    web.world.clock.advance(120)
    assert browser.revealed(secret["id"]) == {secret["id"]: value}
    event = web.trail("get-secret")[-1]
    assert len(web.trail("get-secret")) == before + 1
    assert (event["secretKey"], event["environment"], event["actor"]) == ("A", "dev", web.actors["member"].id)
    assert browser.post(f"/secrets/{secret['id']}/reveal", expect=200, as_json="true").json() == {
        "values": {"1": value}
    }
    shown = browser.post(f"/secrets/{secret['id']}/reveal", expect=200).text
    assert f"<pre>\n{html.escape(value, quote=True).replace(chr(13), '&#13;')}</pre>" in shown.replace(
        "&#34;", "&quot;"
    )


def test_all_values_of_a_page_are_shown_with_an_event_for_each(browser: Browser, web: SecretsClient) -> None:
    for number in range(3):
        web.put(f"NAME_{number}", f"{HIDDEN}-{number}")
    web.put("ELSEWHERE", f"{HIDDEN}-elsewhere", environment="prod")
    web.world.clock.advance(120)
    before = len(web.trail("get-secret"))
    page = browser.post(browser.url("/reveal"), expect=200, all="true").text
    assert [f"{HIDDEN}-{number}" in page for number in range(3)] == [True] * 3
    assert "elsewhere" not in page
    names = [event["secretKey"] for event in web.trail("get-secret")[before:]]
    assert sorted(names) == ["NAME_0", "NAME_1", "NAME_2"]


def test_values_are_shown_to_nobody_who_may_not_read_them(browser: Browser, web: SecretsClient) -> None:
    secret_id = web.put("A", HIDDEN)["id"]
    other = web.projects.create(web.actors["admin"], NewProject(name="Other"))
    events = web.trail("get-secret", "get-secrets")
    for who, status in (("nobody", 403), ("stranger", 404)):
        browser.who = who
        assert HIDDEN not in browser.get(browser.url(), expect=status)
        assert HIDDEN not in browser.refused(browser.url("/reveal"), expect=status, ids=secret_id)
        assert HIDDEN not in browser.refused(f"/secrets/{secret_id}/reveal", expect=status)
        assert HIDDEN not in browser.refused(browser.url("/export"), expect=status)
    browser.who = "admin"
    elsewhere = browser.url("/reveal").replace(web.id, other.id)
    assert "not there any more" in browser.refused(elsewhere, expect=404, ids=secret_id)
    assert web.trail("get-secret", "get-secrets") == events


def test_a_refused_form_keeps_all_but_the_value(browser: Browser, web: SecretsClient) -> None:
    web.put("TAKEN", HIDDEN)
    web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "team-a", "color": ""})
    typed = {"comment": "what\nfor", "tags": "team-a", "metadata": "owner = me", "secret_value": f"{HIDDEN}-2"}
    before = web.counts()
    page = browser.refused(browser.url("/new", path="/"), secret_name="TAKEN", **typed)
    assert "There is a secret 'TAKEN' there already." in at_field(page, "f-secret_name")
    assert "There is a secret 'TAKEN' there already." in page
    assert "Change that one, or choose another." in page
    for text in ('value="TAKEN"', "what\nfor</textarea>", 'value="team-a"', "owner = me</textarea>", "Paste it again"):
        assert text in page
    page = browser.refused(browser.url("/new"), secret_name="a/b c:$", **typed)
    assert ("no colon, no slash" in page, 'value="a/b c:$"' in page) == (True, True)
    pasted = browser.refused(browser.url("/new"), expect=422, secret_name="aB3dE5fG7hJ9kL", tags="none")
    assert "aB3dE5fG7hJ9kL" not in pasted, "it may be a secret"
    assert "There is no tag team-b" in browser.refused(
        browser.url("/new"), expect=422, secret_name="B", **{**typed, "tags": "team-b"}
    )
    assert "Line 2 is no key = value." in browser.refused(
        browser.url("/new"), expect=422, secret_name="B", **{**typed, "metadata": "a = b\nno"}
    )
    assert "This is needed." in browser.refused(browser.url("/new"), expect=422, **typed)
    assert "524288" in browser.refused(browser.url("/new"), expect=422, secret_name="B", secret_value="x" * 600_000)
    nowhere = browser.url("/new", path="/nowhere")
    assert "There is no folder '/nowhere'" in browser.refused(nowhere, expect=404, secret_name="B", **typed)
    assert web.counts() == before


def test_details_change_and_what_a_form_cannot_send_stays(browser: Browser, web: SecretsClient) -> None:
    metadata = [
        {"key": "a=b", "value": " two\nlines \\n ", "isEncrypted": True},
        {"key": "owner", "value": "me", "isEncrypted": False},
    ]
    secret = web.put("A", HIDDEN, secretComment="one\r\ntwo", secretMetadata=metadata)
    web.ask("POST", f"/api/v1/projects/{web.id}/tags", {"slug": "team-a", "color": ""})
    url = f"/secrets/{secret['id']}"
    page = browser.get(url)
    text = re.search(r'name="metadata".*?>([^<]*)</textarea>', page, re.DOTALL)
    assert text is not None
    assert text[1] == "a\\=b =  two\\nlines \\\\n \nowner = me"
    form = {"secret_name": "A", "comment": "one\ntwo", "metadata": text[1], "tags": ""}
    browser.post(f"{url}/details", **form)
    assert web.get("A")["version"] == 1, "nothing was changed"
    browser.post(f"{url}/details", **{**form, "secret_name": "Б", "tags": "team-a"})
    after = web.get("Б")
    assert (after["secretComment"], [tag["slug"] for tag in after["tags"]]) == ("one\r\ntwo", ["team-a"])
    assert [(each["key"], each["value"]) for each in after["secretMetadata"]] == [
        ("a=b", " two\nlines \\n "),
        ("owner", "me"),
    ]
    assert (after["version"], after["secretValue"]) == (2, HIDDEN)
    browser.post(f"{url}/details", **{**form, "secret_name": "Б", "comment": "new", "metadata": "owner = you"})
    after = web.get("Б")
    assert (after["secretComment"], after["tags"]) == ("new", [])
    assert [(each["key"], each["value"]) for each in after["secretMetadata"]] == [("owner", "you")]


def test_versions_are_told_shown_and_rolled_back_to(browser: Browser, web: SecretsClient) -> None:
    secret = web.put("A", f"{HIDDEN}-1")
    url = f"/secrets/{secret['id']}"
    browser.who = "other"
    browser.post(f"{url}/value", secret_value=f"{HIDDEN}-2\n")
    page = browser.get(url)
    assert page.count("Current") == 1
    assert (web.actors["member"].name in page, web.actors["other"].name in page) == (True, True)
    assert HIDDEN not in page
    assert browser.post(f"{url}/reveal", expect=200, version=1, as_json="true").json() == {
        "values": {"1": f"{HIDDEN}-1"}
    }
    assert f"{HIDDEN}-1" in browser.post(f"{url}/reveal", expect=200, version=1).text
    assert "has no version 9" in browser.refused(f"{url}/rollback", expect=404, version=9)
    browser.post(f"{url}/rollback", version=1)
    assert (web.get("A")["secretValue"], web.get("A")["version"]) == (f"{HIDDEN}-1", 3)
    assert "Type A exactly." in browser.refused(f"{url}/delete", expect=422, confirm="B")
    browser.post(f"{url}/delete", confirm="A")
    browser.get(url, expect=404)


def test_a_viewer_reads_and_is_offered_nothing_else(browser: Browser, web: SecretsClient) -> None:
    secret_id = web.put("A", HIDDEN, path="/")["id"]
    browser.who = "viewer"
    listed, one = browser.get(browser.url()), browser.get(f"/secrets/{secret_id}")
    for words in ("New secret", "Import .env", "New folder", "Save value", "Make current again", 'id="delete"'):
        assert words not in listed + one, words
    assert browser.revealed(secret_id) == {secret_id: HIDDEN}
    before = web.counts()
    for url, form in (
        (browser.url("/new"), {"secret_name": "B"}),
        (browser.url("/folders"), {"folder": "f"}),
        (browser.url("/dotenv"), {"secret_text": "A=1"}),
        (browser.url("/imports"), {"source": "prod"}),
        (browser.url("/tags"), {"slug": "t"}),
        (f"/secrets/{secret_id}/value", {"secret_value": "x"}),
        (f"/secrets/{secret_id}/details", {"secret_name": "B"}),
        (f"/secrets/{secret_id}/rollback", {"version": "1"}),
        (f"/secrets/{secret_id}/delete", {"confirm": "A"}),
    ):
        assert "lacks the permission" in browser.refused(url, expect=403, **form), url
    assert web.counts() == before


def test_who_may_see_some_folders_learns_nothing_of_others(browser: Browser, web: SecretsClient) -> None:
    ids = {}
    for path in ("/apps", "/apps/web", "/apps/web/eu", "/other", "/apps/api"):
        web.folder(path)
        ids[path] = web.put(f"IN{path.replace('/', '_').upper()}", f"{HIDDEN}-{path}", path=path)["id"]
    root = web.put("IN_ROOT", HIDDEN)["id"]
    web.put("IN_PROD", HIDDEN, environment="prod")
    place = {"environment": "dev", "secretPath": {"$glob": "/apps/web/**"}}
    seen = ({"subject": "secrets", "action": ["read", "edit"], "conditions": place},)
    admin, web.actors["limited"] = web.actors["admin"], web.actors["nobody"]
    web.projects.roles.create(admin, web.id, NewRole("web-team", "Web team", permissions=seen))
    web.projects.members.add_people(admin, web.id, ["nobody@contoso.test"], [GivenRole("web-team")])
    browser.who = "limited"
    assert "Production" not in browser.get(browser.at), "only what they may look into is offered"
    top, above = browser.get(browser.url()), browser.get(browser.url(path="/apps"))
    assert re.findall(r"path=(%2F[^\"&]*)\"[^>]*><svg.*?<span>(\w+)</span>", top) == [("%2Fapps", "apps")]
    assert "<span>web</span>" in above
    for page in (top, above):
        assert "You may not look into this folder" in page
        assert not any(name in page for name in ("IN_", ">api<", ">other<", "New secret", "Show all values"))
    found = browser.get(browser.url(q="in"))
    assert ("2 in all of" in found, "IN_APPS_WEB_EU" in found, "IN_ROOT" in found) == (True, True, False)
    browser.get(browser.url(environment="prod"), expect=403)
    refusals = [browser.get(browser.url(path=path), expect=403) for path in ("/other", "/nope", "/apps/api", "/apps/x")]
    assert len({re.sub("req-\\w+", "", refusal) for refusal in refusals}) == 1, "nobody learns what is there"
    browser.refused(browser.url("/reveal"), expect=403, ids=[ids["/apps/web"], root])
    browser.get(f"/secrets/{root}", expect=403)
    assert browser.revealed(ids["/apps/web"]) == {ids["/apps/web"]: f"{HIDDEN}-/apps/web"}
    one = browser.get(f"/secrets/{ids['/apps/web']}")
    assert ("Save value" in one, 'id="delete"' in one) == (True, False)
    browser.post(f"/secrets/{ids['/apps/web']}/details", secret_name="IN_APPS_WEB", comment="ours")
    browser.refused(browser.url("/dotenv", path="/apps/web"), expect=403, secret_text="A=1")
    assert "Nothing to compare" in browser.get(browser.url("/compare", path="/apps/web", other="prod"))


# --- folders, search, pages -------------------------------------------------------------------------------------------


def test_folders_are_made_renamed_and_deleted(browser: Browser, web: SecretsClient) -> None:
    made = browser.post(browser.url("/folders"), folder="apps", description="All of them")
    assert "path=%2Fapps" in made.headers["location"]
    browser.post(browser.url("/folders", path="/apps"), folder="web")
    web.put("A", HIDDEN, path="/apps/web")
    page = browser.get(browser.url(path="/apps"))
    assert ("All of them" in page, "path=%2Fapps%2Fweb" in page) == (True, True)
    taken = browser.refused(browser.url("/folders"), folder="apps", description="again")
    assert ("There is a folder '/apps' already." in at_field(taken, "f-new-folder"), 'value="again"' in taken) == (
        True,
        True,
    )
    for name in ("../etc", ""):
        assert "letters (A to Z)" in at_field(browser.refused(browser.url("/folders"), folder=name), "f-new-folder")
    folder = {each["name"]: each for each in web.folders(path="/")}["apps"]
    browser.post(browser.url(f"/folders/{folder['id']}", path="/apps"), folder="programs", description="")
    assert "NAME" not in browser.get(browser.url(path="/apps"))
    assert web.values(path="/programs/web") == {"A": HIDDEN}
    url = browser.url(f"/folders/{folder['id']}/delete", path="/programs")
    assert "Type programs exactly." in browser.refused(url, expect=422, confirm="apps")
    browser.post(url, confirm="programs")
    assert web.folders(path="/") == []
    assert "has no folder /programs/web" in browser.get(browser.url(path="/programs/web"))


@on_both
def test_a_long_list_comes_in_pages_and_is_searched_in_all_folders(browser: Browser, web: SecretsClient) -> None:
    actor, address = web.actors["member"], Address(web.id, None, "dev")
    names = [f"NAME_{number:03}" for number in range(119)]
    web.secrets.create_all(actor, address, [NewSecret(name, Plaintext(HIDDEN)) for name in names])
    web.canaries.add(HIDDEN)
    web.folder("/deep/down")
    web.put("schlüssel_名前_100%", HIDDEN, path="/deep/down")
    first, last = browser.get(browser.url()), browser.get(browser.url(page="3"))
    assert ("1 to 50 of 119" in first, "101 to 119 of 119" in last) == (True, True)
    assert [name in first for name in ("NAME_000", "NAME_049", "NAME_050")] == [True, True, False]
    assert [name in last for name in ("NAME_099", "NAME_100", "NAME_118")] == [False, True, True]
    assert "ends before this page" in browser.get(browser.url(page="9"))
    found = browser.get(browser.url(q="0% 名前"))
    assert ("schlüssel_名前_100%" in found, "/deep/down" in found, "NAME_1" in found) == (True, True, False)
    assert "10 in all of" in browser.get(browser.url(q="e_01 name")), "each of the words"
    assert "No secret has this name" in browser.get(browser.url(q="a_0_"))
    assert "/deep/down" in browser.get(browser.url(q="dow"))
    browser.get(browser.url(environment="nowhere"), expect=404)


@on_both
def test_imported_folders_are_shown_with_what_they_bring(browser: Browser, web: SecretsClient) -> None:
    web.folder("/shared", "prod")
    web.put("FROM_PROD", HIDDEN, environment="prod", path="/shared")
    web.put("OTHER", HIDDEN, environment="staging")
    browser.post(browser.url("/imports"), source="prod", source_path="/shared")
    browser.post(browser.url("/imports"), source="staging", source_path="/")
    page = browser.get(browser.url())
    assert page.index("FROM_PROD") < page.index("OTHER")
    assert "<code>/shared</code>" in page
    assert HIDDEN not in page
    again = browser.refused(browser.url("/imports"), source="prod", source_path="/shared")
    assert ("imports that one already" in again, 'value="/shared"' in again) == (True, True)
    missing = browser.refused(browser.url("/imports"), expect=404, source="prod", source_path="/x")
    assert "There is no folder '/x'" in missing
    staging = re.search(r"imports/([0-9a-f-]+)/move", page)
    assert staging is not None
    browser.post(browser.url(f"/imports/{staging[1]}/move"), position=1)
    page = browser.get(browser.url())
    assert page.index("OTHER") < page.index("FROM_PROD")
    browser.post(browser.url(f"/imports/{staging[1]}/delete"))
    assert "OTHER" not in browser.get(browser.url())


def test_a_form_of_an_ended_session_comes_back_to_the_same_folder(browser: Browser) -> None:
    browser.who = "of-yesterday"
    sent = browser.post(browser.url("/new", environment="prod"), secret_name="A", secret_value=HIDDEN)
    assert sent.headers["location"].startswith("/sign-in?next=")
    assert "/secrets/new%3Fenvironment%3Dprod%26path%3D%252F" in sent.headers["location"]
    assert HIDDEN not in str(sent.headers)


def test_an_address_that_makes_no_sense_is_refused(browser: Browser, web: SecretsClient) -> None:
    secret_id = web.put("A", HIDDEN)["id"]
    for asked, status in (
        ({"path": "/../../etc/passwd"}, 200),
        ({"path": "no-slash"}, 200),
        ({"path": "/" + "x" * 3000}, 422),
        ({"path": "/a\0b"}, 422),
        ({"environment": "../prod"}, 404),
        ({"q": "%_' OR 1=1 --"}, 200),
        ({"q": "\0"}, 422),
        ({"page": "0"}, 422),
        ({"page": "99999999999999999999"}, 422),
    ):
        page = browser.get(browser.url(**asked), expect=status)
        assert (HIDDEN in page, "passwd</h" in page) == (False, False)
    for action in ("/new", "/dotenv", "/compare", "/tags"):
        browser.get(browser.url(action, path="/../x"))
    browser.get(f"/secrets/{secret_id}?page=x", expect=422)
    for wrong in ("x", "00000000-0000-4000-8000-000000000000", "..", "%00"):
        assert HIDDEN not in browser.get(f"/secrets/{wrong}", expect=422 if wrong == "%00" else 404)
    assert "path has 21 names" in browser.refused(browser.url("/folders", path="/a" * 20), folder="b")


def test_tags_are_added_and_deleted(browser: Browser, web: SecretsClient) -> None:
    assert "No tags yet" in browser.get(browser.url("/tags"))
    assert "lower-case letters" in browser.refused(browser.url("/tags"), expect=422, slug="Team A")
    browser.post(browser.url("/tags"), slug="team-a")
    assert "There is a tag 'team-a'" in at_field(browser.refused(browser.url("/tags"), slug="team-a"), "f-slug")
    tag = re.search(r"tags/([0-9a-f-]+)/delete", browser.get(browser.url("/tags")))
    assert tag is not None
    browser.post(browser.url(f"/tags/{tag[1]}/delete"))
    assert "No tags yet" in browser.get(browser.url("/tags"))


# --- files ------------------------------------------------------------------------------------------------------------

FILE = "# all\nexport SAME=canary-same\nCHANGED='canary-after\nof two lines'\nNEW=\"canary-new\\t\"\nключ=canary-5\n"


def draft_of(page: str) -> str:
    draft = re.search(r'name="draft" value="([^"]+)"', page)
    assert draft is not None
    return draft[1]


@on_both
def test_a_file_is_looked_at_and_then_imported_whole(browser: Browser, web: SecretsClient) -> None:
    web.put("SAME", "canary-same")
    web.put("CHANGED", "canary-before")
    before = web.counts()
    page = browser.post(browser.url("/dotenv"), expect=200, secret_text=FILE).text
    assert "canary" not in page
    assert [re.sub("<.*?>", "", part) for part in re.findall(r"<b>.*?(?=[,<]/?[p ])", page)][:1]
    assert "<b>2</b> new, <b>1</b> changed, <b>1</b> the same" in page
    assert "becomes version 2" in page
    assert web.counts() == before, "looking writes nothing"
    done = browser.post(browser.url("/dotenv/import"), draft=draft_of(page))
    assert "Imported%3A%202%20new%2C%201%20changed." in done.headers["set-cookie"]
    assert web.values() == {
        "SAME": "canary-same",
        "CHANGED": "canary-after\nof two lines",
        "NEW": "canary-new\t",
        "ключ": "canary-5",
    }
    assert web.get("SAME")["version"] == 1
    web.canaries |= {"canary-after\nof two lines", "canary-new\t", "canary-same", "canary-before"}


def test_a_file_with_a_wrong_line_is_not_imported_at_all(browser: Browser, web: SecretsClient) -> None:
    page = browser.post(browser.url("/dotenv"), expect=200, secret_text="A=canary-1\nB\nA=canary-2\nC='canary-3").text
    page = html.unescape(page)
    assert "3 lines are wrong" in page
    for words in ("There is no equals sign.", "'A' stands in line 1 already.", "The quote (') that begins the value"):
        assert words in page
    assert ("canary" in page, 'name="draft"' in page) == (False, False)
    assert "Paste a file" in browser.refused(browser.url("/dotenv"), expect=422, secret_text=" \n")
    assert "There is no line NAME=value" in browser.refused(browser.url("/dotenv"), secret_text="# nothing")
    large = browser.refused(browser.url("/dotenv"), secret_text="A=" + "x" * 600_000)
    assert ("524288 are taken at once" in large, "Split it" in large) == (True, True)
    browser.refused(browser.url("/dotenv"), expect=413, secret_text="A=" + "x" * 2_000_000)
    assert web.listed() == []


def test_a_draft_is_good_for_what_was_looked_at_alone(browser: Browser, web: SecretsClient) -> None:
    web.put("A", "canary-before")
    page = browser.post(browser.url("/dotenv"), expect=200, secret_text="A=canary-after\nB=canary-b").text
    draft = draft_of(page)
    apply = browser.url("/dotenv/import")
    before = web.counts()
    for url, who in (
        (browser.url("/dotenv/import", environment="prod"), "member"),
        (apply, "other"),
    ):
        browser.who = who
        assert "Paste the file once more." in browser.refused(url, draft=draft)
    browser.who = "member"
    assert "Paste the file once more." in browser.refused(apply, draft=draft[:-2])
    assert "Paste the file once more." in browser.refused(apply, draft="")
    assert web.counts() == before
    web.ask("PATCH", "/api/v3/secrets/raw/A", web.at(secretValue="canary-between"))
    before = web.counts()
    assert "Somebody changed these secrets" in browser.refused(apply, draft=draft)
    assert (web.values(), web.counts()["secrets"]) == ({"A": "canary-between"}, before["secrets"])
    draft = draft_of(browser.post(browser.url("/dotenv"), expect=200, secret_text="A=canary-after").text)
    web.world.clock.advance(61 * 60)
    assert "Paste the file once more." in browser.refused(apply, draft=draft)


def test_a_circle_of_references_in_a_file_writes_nothing(browser: Browser, web: SecretsClient) -> None:
    page = browser.post(browser.url("/dotenv"), expect=200, secret_text="A=${B}\nB=${A}\nC=canary-c").text
    assert "lead back to it" in browser.refused(browser.url("/dotenv/import"), draft=draft_of(page))
    assert web.listed() == []


def test_an_export_is_a_file_that_is_in_the_audit_log(browser: Browser, web: SecretsClient) -> None:
    values = {"A": "canary-a", "B": 'it\'s\r\n"$x" \\n', "ключ": "canary\nof lines"}
    for name, value in values.items():
        web.put(name, value)
    web.put("my name", "canary-left-out")
    web.put("FROM_PROD", "canary-prod", environment="prod")
    web.put("REFERS", "${A}!")
    browser.post(browser.url("/imports"), source="prod", source_path="/")
    web.world.clock.advance(120)
    before = len(web.trail("get-secrets"))
    answer = browser.post(browser.url("/export"), expect=200)
    assert answer.headers["content-disposition"] == 'attachment; filename="dev.env"'
    assert answer.text.startswith("# 1 secret is left out, whose names cannot stand in a .env file: my name\n")
    assert len(web.trail("get-secrets")) == before + 1
    assert "REFERS='${A}!'" in answer.text
    assert "FROM_PROD" not in answer.text
    resolved = browser.post(browser.url("/export"), expect=200, resolved="true").text
    assert ("REFERS='canary-a!'" in resolved, "FROM_PROD=canary-prod" in resolved) == (True, True)
    for name in (*values, "REFERS", "my name"):
        web.ask("DELETE", f"/api/v3/secrets/raw/{name}", web.at())
    page = browser.post(browser.url("/dotenv"), expect=200, secret_text=answer.text).text
    browser.post(browser.url("/dotenv/import"), draft=draft_of(page))
    assert {name: web.get(name)["secretValue"] for name in values} == values


def test_a_rotated_secret_is_shown_as_such_and_changed_by_nobody(database: Database, tmp_path: Path) -> None:
    scene = make_applications(database, signer_rotates=False)
    scene.create()
    projects = Projects(database, scene.world.clock, scene.world.ids)
    no_api: Any = None
    actors, project = {"member": scene.actor}, {"id": scene.project_id}
    web = SecretsClient(scene.world, no_api, scene.secrets, projects, actors, project, no_api, no_api)
    with opened(web, tmp_path) as browser:
        value, secret_id = scene.read().reveal(), scene.secret(NAMES.client_secret).stored.id
        listed, url = browser.get(browser.url(environment="prod")), f"/secrets/{secret_id}"
        assert listed.count("Rotated") == 2
        one = browser.get(url)
        rotation_id = scene.secret(NAMES.client_secret).stored.secret_rotation_id
        assert f'href="/secret-rotations/{rotation_id}"' in one
        for words in ("Change the value", "Make current again", 'id="delete"', value):
            assert words not in one
        assert browser.revealed(secret_id) == {secret_id: value}
        browser.post(f"{url}/details", secret_name=NAMES.client_secret, comment="of the shop")
        before = scene.secret(NAMES.client_secret).stored
        for action, form in (
            ("value", {"secret_value": "x"}),
            ("details", {"secret_name": "OTHER"}),
            ("rollback", {"version": 1}),
            ("delete", {"confirm": NAMES.client_secret}),
        ):
            assert "cannot be changed by hand" in browser.refused(f"{url}/{action}", **form), action
        assert scene.secret(NAMES.client_secret).stored == before
        text = f"A=canary-a\n{NAMES.client_secret}={value}\n"
        dotenv = browser.url("/dotenv", environment="prod")
        page = browser.post(dotenv, expect=200, secret_text=text).text
        assert "<b>1</b> new, <b>0</b> changed, <b>1</b> the same" in page
        browser.post(browser.url("/dotenv/import", environment="prod"), draft=draft_of(page))
        page = browser.post(dotenv, expect=200, secret_text=f"{NAMES.client_secret}=x\nB=2").text
        assert ("which alone changes it" in page, 'name="draft"' in page) == (True, False)
        assert set(scene.names()) == {"A", NAMES.client_id, NAMES.client_secret}


# --- comparing --------------------------------------------------------------------------------------------------------


@on_both
def test_environments_are_compared_without_a_value_being_shown(browser: Browser, web: SecretsClient) -> None:
    for environment in ("dev", "prod"):
        web.folder("/apps", environment)
        web.put("SAME", "canary-same", environment=environment)
        web.put("DIFFERENT", f"canary-{environment}", environment=environment, path="/apps")
    web.put("ONLY_DEV", "canary-only")
    web.put("ONLY_PROD", "canary-only", environment="prod", path="/apps")
    before = web.counts()
    page = browser.get(browser.url("/compare", other="prod"))
    assert "1</b> only in Development, <b>1</b> only in Production, <b>1</b> different, <b>1</b> the same" in page
    rows = re.findall(r'<span class="name">(\w+)</span>', page)
    assert rows == ["ONLY_DEV", "DIFFERENT", "ONLY_PROD"]
    assert "canary" not in page
    assert "SAME" in browser.get(browser.url("/compare", other="prod", all="true"))
    below = browser.get(browser.url("/compare", path="/apps", other="prod"))
    assert re.findall(r'<span class="name">(\w+)</span>', below) == ["DIFFERENT", "ONLY_PROD"]
    assert "choose another one" in browser.get(browser.url("/compare", other="dev"))
    assert web.counts() == before
    browser.who = "nobody"
    browser.get(browser.url("/compare", other="prod"), expect=403)


def test_the_answer_to_the_script_says_nothing_but_values(browser: Browser, web: SecretsClient) -> None:
    secret_id = web.put("A", HIDDEN)["id"]
    answer = browser.post(browser.url("/reveal"), expect=200, ids=secret_id, as_json="true")
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(answer.text) == {"values": {secret_id: HIDDEN}}
    assert "Load the page again." in browser.refused(browser.url("/reveal"), expect=404, ids=[secret_id, "gone"])
