"""Pages that ask for themselves again, when the server is away for a while and when the session ends meanwhile."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

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
