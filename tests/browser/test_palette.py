"""Finding anything with the keyboard: what is offered, how it is told, and that nothing is opened that was not meant."""

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from keyturn.kit.actor import Role
from keyturn.projects.domain import Project
from tests.browser.conftest import Visit
from tests.browser.estate import BrowserServer, join, session_of

NAME = "Find pages, connections, rotations and secrets"


@pytest.fixture
def finder(page: Page, estate: BrowserServer) -> Locator:
    """The palette, opened by a slash on a page that has no search of its own."""
    page.goto(f"{estate.url}/overview")
    page.keyboard.press("/")
    return page.get_by_role("combobox", name=NAME)


def test_the_palette_tells_what_enter_would_open(page: Page, finder: Locator) -> None:
    expect(finder).to_be_focused()
    options = page.get_by_role("listbox", name="Found").get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(finder).to_have_attribute("aria-expanded", "true")
    finder.press("ArrowUp")
    last = options.last
    expect(last).to_have_attribute("aria-selected", "true")
    assert finder.get_attribute("aria-activedescendant") == last.get_attribute("id")
    finder.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.type("audit")
    expect(options).to_have_count(1)
    expect(page.locator("#palette").get_by_role("status")).to_have_text("1 found")
    page.keyboard.type(" of nothing like it")
    expect(page.locator("#palette")).to_contain_text("Nothing has this in its name.")
    expect(finder).to_have_attribute("aria-expanded", "false")
    finder.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


def test_enter_waits_for_what_was_typed(page: Page, estate: BrowserServer, finder: Locator) -> None:
    expect(page.get_by_role("option").first).to_contain_text("Overview")

    def late(route: Route) -> None:
        page.wait_for_timeout(300)
        route.continue_()

    page.route(re.compile("/find.q="), late)
    page.keyboard.type("audit")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{estate.url}/organization/audit-log")


def test_only_pages_that_one_may_open_are_offered(visit: Visit, estate: BrowserServer) -> None:
    join(estate, "victor@example.com", Role.NO_ACCESS)
    with visit(session_of(estate, "victor@example.com")) as watched:
        page = watched.page()
        page.goto(f"{estate.url}/find")
        found = page.locator("#found")
        expect(found).to_contain_text("Projects")
        expect(found).not_to_contain_text("Audit log")
        expect(found).not_to_contain_text("Sign-in through Entra")


def test_several_are_chosen_with_the_keyboard_and_no_row_moves(
    page: Page, estate: BrowserServer, project: Project
) -> None:
    for name in ("alpha", "beta", "gamma"):
        estate.connect(name, estate.application(name.title()), project)
    page.goto(estate.list_path(project))
    row = page.get_by_role("row").filter(has_text="gamma")
    before = row.bounding_box()
    page.get_by_role("checkbox", name="Choose alpha").press("Space")
    assert row.bounding_box() == before
    bar = page.get_by_role("form", name="With those that are ticked")
    expect(bar.get_by_role("status")).to_have_text("1 chosen:")
    every = page.get_by_role("checkbox", name="All on this page")
    assert every.evaluate("box => box.indeterminate")
    every.press("Space")
    expect(bar.get_by_role("status")).to_have_text("3 chosen:")
    bar.get_by_role("button", name="Owner").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("gamma")
