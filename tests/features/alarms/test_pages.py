"""The pages of alarms and channels: what their forms do, and what is said where they are refused."""

import html
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from keyturn.kit.secret import Plaintext
from keyturn.pages import TEMPLATES
from keyturn.pages.alarms import alarms as alarm_pages
from keyturn.pages.alarms import channels as channel_pages
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.render import Navigation, Renderer
from keyturn.web.pages import Site
from keyturn.web.server.app import build
from tests.client import Client
from tests.databases import sqlite_database
from tests.features.alarms.office import Office
from tests.features.alarms.receivers import SECRET, URL

HOOK = {"name": "ops", "url": URL, "secret": SECRET.reveal(), "least": "notice", "digest_hour": "8", "time_zone": "UTC"}


class Browser:
    """A browser of the administrator."""

    def __init__(self, office: Office, client: Client) -> None:
        self.office, self.client = office, client
        client.cookies.set("keyturn_session", "any", domain="keyturn.localhost")

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path, headers={"accept": "text/html", "sec-fetch-site": "none"})
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text)

    def post(self, path: str, status: int = 200, **form: str) -> str:
        """Send a form, and return the page that is shown then."""
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        answer = self.client.post(path, data=form, headers=headers)
        assert answer.status_code == status, answer.text
        assert SECRET.reveal() not in answer.text
        return html.unescape(answer.text)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with sqlite_database(tmp_path) as database:
        office = Office(database)

        def recall(_token: Plaintext, _ip: str) -> object:
            return office.boss

        def shell(actor: object) -> Navigation:
            return Navigation("Acme", "boss", "admin", alarms=office.alarms.count(office.boss))

        site = Site(
            Renderer(office.clock, folders=(TEMPLATES,)), recall, shell, SessionCookie(secure=False), None, None
        )  # type: ignore[arg-type]
        pages = [
            alarm_pages.router(office.alarms, office.clock),
            channel_pages.router(office.channels, has_mail_server=False),
        ]
        settings = Settings(data_dir=tmp_path, database_url="sqlite://")
        app = build(pages, authenticate=recall, settings=settings, clock=office.clock, ids=office.ids, site=site)  # type: ignore[arg-type]
        with Client(app) as client:
            yield Browser(office, client)


def test_a_channel_and_an_alarm_by_forms(browser: Browser) -> None:
    office = browser.office
    assert "Nobody is told of alarms" in browser.get("/alarms/channels")
    assert "begins with https://" in browser.post("/alarms/channels/new/webhook", 400, **HOOK | {"url": "ftp://a"})
    assert "ops was added. Test it now." in browser.post("/alarms/channels/new/webhook", **HOOK)
    (channel,) = office.channels.list(office.boss)
    one = f"/alarms/channels/{channel.id}"
    assert "The message was taken" in browser.post(f"{one}/test")
    assert "night was saved." in browser.post(f"{one}/change", **HOOK | {"name": "night", "secret": ""})
    office.receiver.down = True
    assert "did not answer in time" in browser.post(f"{one}/test")
    assert "Failing" in browser.get("/alarms/channels")
    office.receiver.down = False
    browser.post(f"{one}/test")

    assert "Nobody has looked yet" in browser.get("/alarms")
    office.happens("prod-entra")
    office.work(rounds=3)
    assert "prod-entra: connection refused" in browser.get("/alarms")
    (alarm,) = office.alarms.list(office.boss)
    page = browser.get(f"/alarms/one/{alarm.id}")
    for part in ("Make it work.", "Taken, with status 204", "night"):
        assert part in page
    assert "This is needed." in browser.post(f"/alarms/one/{alarm.id}/acknowledge", 422, reason=" ")
    assert "You see to it" in browser.post(f"/alarms/one/{alarm.id}/acknowledge", reason="Mine")
    assert "Acknowledged by boss@acme.test" in browser.get(f"/alarms/one/{alarm.id}")
    assert "It is open again." in browser.post(f"/alarms/one/{alarm.id}/reopen")
    browser.post(f"/alarms/one/{alarm.id}/acknowledge", reason="Mine", days="3")
    assert "(until" in browser.get(f"/alarms/one/{alarm.id}")
    browser.post(f"/alarms/one/{alarm.id}/reopen")
    assert "Nothing is told of it until 2026-12-08" in browser.post(
        f"/alarms/one/{alarm.id}/snooze", days="7", reason="The team is away"
    )
    office.conditions.clear()
    office.passes(timedelta(minutes=2))
    assert "prod-entra: connection refused" in browser.get("/alarms/resolved")
    assert "All that this server knows was looked at" in browser.get("/alarms")

    rules = {"reaction_days": "2", "reminder_days": "9"}
    assert "Choose at least one" in browser.post("/alarms/rules", 400, **rules)
    assert "The rules were saved." in browser.post("/alarms/rules", **rules, day_30="true")
    assert office.alarms.rules(office.boss).days == (30,)
    assert "Type night exactly." in browser.post(f"{one}/delete", 422, confirm="ops")
    assert "night was deleted." in browser.post(f"{one}/delete", confirm="night")
