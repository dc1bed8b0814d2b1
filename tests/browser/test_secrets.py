"""The story of a team's secrets, in a browser: typed, shown, copied, changed, rolled back, imported, compared, exported."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from keyturn.projects.domain import Project
from tests.browser.conftest import Visit
from tests.browser.estate import BrowserServer
from tests.browser.test_tour import faults

VALUE = "  canary-of-the-story\nsecond line\n\n"


def test_secrets_are_kept_shown_and_moved_between_environments(
    visit: Visit, estate: BrowserServer, project: Project, tmp_path: Path
) -> None:
    with visit(permissions=["clipboard-read", "clipboard-write"], accept_downloads=True) as watched:
        page = watched.page()
        page.goto(f"{estate.url}/projects/{project.id}/secrets")
        page.get_by_role("link", name="New secret").first.click()
        page.get_by_label("Name").fill("DATABASE_URL")
        page.get_by_label("Value", exact=True).fill(VALUE)
        page.get_by_label(re.compile("^Comment")).fill("the primary")
        page.get_by_role("button", name="Create secret").click()
        expect(page.get_by_role("status")).to_contain_text("DATABASE_URL was created.")
        assert "canary" not in page.content()

        page.get_by_role("button", name="Show DATABASE_URL").click()
        assert page.locator(".value pre").text_content() == VALUE
        page.get_by_role("button", name="Hide DATABASE_URL").click()
        assert "canary" not in page.content()
        page.get_by_role("button", name="Copy DATABASE_URL").click()
        expect(page.get_by_role("status")).to_contain_text("The value was copied.")
        assert page.evaluate("navigator.clipboard.readText()") == VALUE

        _change_and_roll_back(page, tmp_path)
        _import(page, tmp_path)
        page.get_by_role("button", name="Show all values").click()
        expect(page.locator(".value pre")).to_have_count(3)
        assert not faults(page, "values that are shown")
        with page.expect_download() as download:
            page.get_by_label("More for this folder").click()
            page.get_by_role("button", name="Export .env").click()
            page.get_by_role("button", name="Download").click()
        file = tmp_path / "exported.env"
        download.value.save_as(file)
        assert file.read_text().splitlines()[0] == "API_KEY=canary-api"

        page.get_by_role("link", name="Production").click()
        page.get_by_role("link", name="Import .env").first.click()
        page.locator("#dotenv-file").set_input_files(file)
        page.get_by_role("button", name="See what happens").click()
        page.get_by_role("button", name="Import 3 secrets").click()
        page.get_by_role("link", name="Compare").click()
        page.get_by_label("Compared with").select_option(label="Development")
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_text("have the same secrets with the same values here")).to_be_visible()
        assert "canary" not in page.content()


def _change_and_roll_back(page: Page, folder: Path) -> None:
    page.get_by_role("link", name="DATABASE_URL").click()
    page.get_by_text("Change the value").click()
    page.get_by_role("button", name="Begin with the current one").click()
    expect(page.get_by_label("New value")).to_have_value(VALUE)
    page.get_by_label("New value").press("x")
    assert "canary" not in page.evaluate("JSON.stringify(history.state)"), "what is typed there waits nowhere"
    windows = folder / "windows.txt"
    windows.write_bytes(b"canary-of\r\nwindows\r\n")
    page.locator("[data-reads-value]").set_input_files(windows)
    expect(page.get_by_label("Line breaks of the value")).to_have_value("crlf")
    page.get_by_role("button", name="Save value").click()
    expect(page.get_by_role("status")).to_contain_text("The value was changed.")
    page.get_by_role("button", name="Show", exact=True).click()
    assert page.locator("#value-2 pre").text_content() == "canary-of\r\nwindows\r\n"
    page.get_by_role("button", name="Show version 1").click()
    assert page.locator("#value-1 pre").text_content() == VALUE
    assert not faults(page, "a secret with values that are shown")
    page.get_by_role("button", name="Make current again 1").click()
    dialog = page.get_by_role("dialog", name="Make version 1 current again?")
    dialog.get_by_role("button", name="Make it current").click()
    expect(page.get_by_role("status")).to_contain_text("What version 1 said is current again.")
    page.get_by_role("button", name="Show", exact=True).click()
    assert page.locator("#value-3 pre").text_content() == VALUE
    page.get_by_role("navigation", name="Folder").get_by_role("link", name="Development").click()


def _import(page: Page, folder: Path) -> None:
    file = folder / "team.env"
    file.write_bytes('\ufeffexport API_KEY="canary-api"\r\nLOG_LEVEL=info # as in staging\r\n'.encode())
    page.get_by_role("link", name="Import .env").click()
    page.locator("#dotenv-file").set_input_files(file)
    expect(page.get_by_role("status")).to_contain_text("team.env was read.")
    page.get_by_role("button", name="See what happens").click()
    expect(page.get_by_role("row", name=re.compile("LOG_LEVEL"))).to_contain_text("New")
    assert "canary" not in page.content()
    assert not faults(page, "what an import would do")
    page.get_by_role("button", name="Import 2 secrets").click()
    expect(page.get_by_role("status")).to_contain_text("Imported: 2 new, 0 changed.")
