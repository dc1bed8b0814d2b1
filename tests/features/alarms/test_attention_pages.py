"""The pages that say what needs somebody: the overview, the list of connections with its chips and search, and finding."""

import html
import logging
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from keyturn.app.core import open_core
from keyturn.app.web import open_access, web_application
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.secret import Plaintext
from keyturn.people.sessions import BrowserInfo
from keyturn.projects.domain import NewProject
from keyturn.projects.service import Projects
from keyturn.secrets.domain import Address, NewSecret
from keyturn.secrets.service import Secrets
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin
from tests.client import Client
from tests.features.accounts.people import person
from tests.features.alarms.ailing import Ailing

TENANT = "7a2c1f0e-5b3d-4c6f-9a1b-2d3e4f5a6b7c"
EMAIL, PASSWORD = "ada@example.com", Plaintext("vellum-orbit-pickle-97")


@dataclass
class Site:
    """A server in process, in whose organization everything is the matter."""

    client: Client
    ailing: Ailing
    sessions: dict[str, str]

    def page(self, path: str, who: str = "ada", *, status: int = 200, **form: str | list[str]) -> str:
        """Return the text of the page; with a form it is sent there."""
        headers = {"cookie": f"keyturn_session={self.sessions[who]}", "sec-fetch-site": "same-origin"}
        method = "POST" if form else "GET"
        answer = self.client.request(method, path, data=form or None, headers=headers, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text.split("<main", 1)[-1])).split())

    def rows(self, query: str) -> list[str]:
        """Return the names of the connections of the list."""
        headers = {"cookie": f"keyturn_session={self.sessions['ada']}"}
        answer = self.client.get(f"/organization/app-connections?scope=all&size=100&{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return sorted(re.findall(r'<a class="name" href="/app-connections/[^"]+">(c\d+)</a>', answer.text))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    folder: Path = tmp_path_factory.mktemp("site")
    core = open_core(
        read_settings({"KEYTURN_DATA_DIR": str(folder), "ENCRYPTION_KEY": secrets.token_hex(32)}), lambda _notice: None
    )
    try:
        access = open_access(core)
        made = access.bootstrap(EMAIL, PASSWORD, "Contoso")
        ada = Actor(ActorKind.USER, made.user.id, EMAIL, made.organization.id, Role.ADMIN)
        projects = Projects(core.database, core.clock, core.ids)
        project = projects.create(ada, NewProject(name="Payments", slug="payments"))
        ailing = Ailing(core.database, core.clock.now(), ada.org_id, project.id)
        ailing.all_of_it()
        with core.database.write() as tx:
            ailing.owned(tx, made.user.id, tenant_id=TENANT, secret_ends_at=core.clock.now() + timedelta(days=3.5))
        Secrets(core.database, core.sealer, core.clock, core.ids).create(
            ada, Address(project.id, None, "dev"), NewSecret("DATABASE_URL", Plaintext("postgres://one"))
        )
        guest = person(core.database, ada.org_id, Role.NO_ACCESS, "gil@example.com")
        browser = BrowserInfo(Origin("127.0.0.1"))
        sessions = {
            "ada": access.sessions.sign_in(EMAIL, PASSWORD, browser).token.reveal(),
            "gil": access.sessions.open_for(guest, browser).reveal(),
        }
        with Client(web_application(core, None)) as client:
            yield Site(client, ailing, sessions)
    finally:
        core.close()


def test_home_says_what_needs_somebody_to_who_may_see_it(site: Site) -> None:
    text = site.page("/overview")
    assert "c1 in Payments" in text
    assert "Entra ID does not accept it." in text
    assert "Repair : c1" in text
    assert "Show all" in text
    assert "c1 in Payments" in site.page("/overview?show=failing")
    of_project = site.page(f"/projects/{site.ailing.project_id}/overview")
    assert "Entra ID does not accept it." in of_project
    assert "This server" not in of_project
    for_guest = site.page("/overview", "gil")
    assert "Nobody is needed There is no connection yet." in for_guest
    assert "Payments" not in for_guest


CHIPS = {
    "failed": ["c2", "c6", "c7"],
    "refused": ["c1"],
    "ending": ["c10", "c17", "c4"],
    "paused": ["c10"],
    "not-rotated": ["c1", "c15", "c17", "c2", "c3", "c4", "c5"],
    "mine": ["c17"],
}


def test_a_chip_shows_those_of_one_status(site: Site) -> None:
    assert {status: site.rows(f"status={status}") for status in CHIPS} == CHIPS
    every = site.rows("")
    assert len(every) == 16
    assert "No connection matches" in site.page("/organization/app-connections?scope=all&status=mine&q=c1x")
    text = site.page("/organization/app-connections?status=broken&page=x&size=0", status=422)
    assert "status: One of failed, refused, ending, paused, not-rotated, mine." in text
    assert "page: A whole number. size: 1 or more. Correct it there, or leave it out." in text


def test_the_end_of_a_secret_is_shown_and_sorted_by_whether_it_rotates_or_not(site: Site) -> None:
    path = "/organization/app-connections?scope=all&sort=ends"
    text = site.page(path)
    soonest = [text.index(f" {name} ") for name in ("c17", "c4", "c10", "c6")]
    assert soonest == sorted(soonest)
    assert re.search(r"c17 Client Secret \S+ Payments in 3 days", text)


def test_an_end_is_coloured_where_nothing_replaces_it_in_time(site: Site) -> None:
    headers = {"cookie": f"keyturn_session={site.sessions['ada']}"}
    shown = site.client.get("/organization/app-connections?scope=all&size=100", headers=headers).text
    row = re.compile(
        r'href="/app-connections/[^"]+">(c\d+)</a>.*?"Secret ends"><span class="(?:ends ends-)?(\w+)', re.DOTALL
    )
    colours = {name: colour for name, colour in row.findall(shown) if colour not in {"far", "soft"}}
    assert colours == {"c4": "near", "c10": "soon", "c17": "near"}
    assert sorted(colours) == CHIPS["ending"]
    assert all(f" {name} " in site.page("/overview?show=ending") for name in colours)
    assert " c9 " not in site.page("/overview?show=ending")


def test_connections_are_found_by_every_id_that_a_log_may_hold(site: Site) -> None:
    with site.ailing.reading() as tx:
        rotating = site.ailing.ids_of(tx, "c12")
    assert site.rows(f"q={TENANT}") == ["c17"]
    assert site.rows(f"q={rotating.client_id}") == ["c12"]
    assert site.rows(f"q={rotating.key_id}") == ["c12"]
    assert site.rows("q=Salaries") == ["c12"]


def test_what_is_done_with_several_names_them_first_and_tells_of_each_how_it_went(site: Site) -> None:
    with site.ailing.reading() as tx:
        ids = [site.ailing.ids_of(tx, name).id for name in ("c12", "c13", "c1")]
    path = "/organization/app-connections/several"
    asked = site.page(f"{path}?act=pause&" + "&".join(f"id={one}" for one in ids))
    assert all(name in asked for name in ("c12", "c13", "Pause rotation: 3 connections"))
    assert site.rows("status=paused") == ["c10"], "nothing was done yet"
    told = site.page(path, act="pause", id=ids)
    assert "c12 Paused. c13 Paused." in told
    gone = "00000000-0000-4000-8000-00000000dead"
    told = site.page(path, act="resume", id=[ids[0], gone, ids[1]])
    assert "c12 Resumed. There is no app connection" in told
    assert "c13 Resumed." in told
    assert "Pause rotation: 1 connection" in site.page(f"{path}?act=pause&id={gone}&id={ids[0]}")
    site.page(path, act="pause", id=ids[:2])
    told = site.page(path, act="rotate", id=ids[2:])
    assert "c1 Automatic credential rotation is not set up for this connection." in told
    assert site.rows("status=paused") == ["c10", "c12", "c13"]
    site.page(path, act="resume", id=ids[:2])
    assert site.rows("status=paused") == ["c10"]
    site.page(path, "gil", status=403, act="pause", id=ids)


def test_everything_is_found_by_name_as_far_as_one_may_see_it(site: Site) -> None:
    assert "DATABASE_URL Payments, Development / Secret" in site.page("/find?q=database")
    assert "c17 Payments Connection" in site.page(f"/find?q={TENANT}")
    assert "Payments Project" in site.page("/find?q=pay")
    assert "Audit log Page" in site.page("/find?q=audit")
    assert all(word not in site.page(f"/find?q={word}", "gil") for word in ("DATABASE_URL", "Payments"))
    assert "Nothing has this in its name." in site.page("/find?q=nothing-like-it")
