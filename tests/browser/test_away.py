"""Pages that ask for themselves again, when the server is away for a while and when the session ends meanwhile."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from keyturn.rotations.commands import ConnectionChange, ScheduleChange
from tests.browser.conftest import Visit
from tests.browser.estate import BrowserServer, Watched, open_estate


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserServer]:
    """A server on which no rotation comes to its end, as nobody works."""
    with open_estate(tmp_path_factory.mktemp("idle"), works=False) as opened:
        yield opened


@pytest.fixture
def busy(watched: Watched, estate: BrowserServer) -> Page:
    """The list of a project in which a rotation is under way, on a clock that is moved."""
    project = estate.project("Busy")
    estate.connect("under-way", estate.application("Under way"), project, days=30)
    page = watched.page()
    page.clock.install()
    page.goto(estate.list_path(project))
    expect(page.locator("[data-refreshes]")).to_be_visible()
    page.locator("#connections").evaluate("list => (list.dataset.before = 'yes')")
    return page


def test_a_list_says_once_that_the_server_is_away_and_goes_on_when_it_is_back(busy: Page, watched: Watched) -> None:
    toasts = busy.locator(".toast")
    busy.route("**/app-connections*", lambda route: route.abort())
    for _ in range(3):
        with busy.expect_event("requestfailed"):
            busy.clock.run_for(2000)
        expect(toasts).to_have_text(["The server does not answer."])
    busy.unroute_all()
    watched.complaints.clear()  # of the requests that failed
    busy.clock.run_for(2000)
    expect(busy.locator("#connections")).not_to_have_attribute("data-before", "yes")
    busy.clock.run_for(7000)
    expect(toasts).to_have_count(0)


def test_the_end_of_a_session_leads_nobody_away_from_what_they_type(busy: Page, visit: Visit) -> None:
    here = busy.url
    search = busy.get_by_role("searchbox", name="Search apps")
    busy.get_by_role("button", name="Add Connection").click()
    search.fill("azu")
    busy.context.clear_cookies(name="keyturn_session")
    busy.clock.run_for(2000)
    expect(busy.locator(".toast")).to_have_text("Your session has ended. Sign in again.")
    assert busy.url == here
    expect(search).to_have_value("azu")


def test_what_somebody_else_begins_is_seen_by_who_is_there(watched: Watched, estate: BrowserServer) -> None:
    project = estate.project("Watched")
    connection = estate.connect("begun-elsewhere", estate.application("Begun elsewhere"), project)
    pages = [watched.page() for _ in range(2)]
    for page, path in zip(pages, (estate.list_path(project), estate.page_of(connection)), strict=True):
        page.clock.install()
        page.goto(path)
        page.locator("[data-refreshes]").evaluate("part => (part.dataset.before = 'yes')")
        with page.expect_response(lambda answer: answer.ok):
            page.clock.run_for(12_000)
    expect(pages[1].locator("#live")).to_have_attribute("data-before", "yes")  # nothing is new: all stays as it is
    estate.rotations.update(
        estate.actor, connection.id, ConnectionChange(enabled=True, schedule=ScheduleChange(30, 2, 15, "Europe/Oslo"))
    )
    for page in pages:
        page.clock.run_for(12_000)
        expect(page.get_by_text("Rotating", exact=True).first).to_be_visible()


def test_a_list_that_nobody_touches_keeps_no_session_alive(watched: Watched, estate: BrowserServer) -> None:
    page, project = watched.page(), estate.project("Left alone")
    estate.connect("resting", estate.application("Resting"), project)
    page.clock.install()
    page.goto(estate.list_path(project))
    page.clock.run_for(301_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
