"""What a deletion leaves to be removed from Entra ID is watched on a page that follows by itself."""

import re
from contextlib import suppress

import sqlalchemy as sa
from playwright.sync_api import Page, expect

from entra_emulator import Effect, Fault
from keyturn.db.tables import credentials, rotations
from keyturn.projects.domain import Project
from tests.browser.estate import BrowserServer
from tests.browser.test_page import is_at_rest
from tests.features.accounts.people import START

REFUSED = Effect(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def test_a_deletion_leads_to_its_removal_which_is_followed_to_the_end(
    page: Page, estate: BrowserServer, project: Project
) -> None:
    application = estate.application("Leaving API")
    connection = estate.connect("leaving", application, project, days=30)
    page.goto(estate.page_of(connection))
    is_at_rest(page, generation=1)
    fault = Fault("removePassword", (REFUSED,), "before", times=3, application=application.object_id)
    estate.emulator.faults.add(fault)
    page.get_by_label(re.compile("^More for")).click()
    page.locator(".menu-body").get_by_text("Delete Connection", exact=True).click()
    dialog = page.locator("#delete")
    dialog.get_by_role("textbox").fill("leaving")
    dialog.get_by_label(re.compile("all", re.IGNORECASE)).first.check()
    dialog.get_by_role("button", name=re.compile("^Delete")).click()
    page.wait_for_url("**/removals/*")
    expect(page.get_by_role("heading", name="Removal of leaving")).to_be_visible()
    live = page.locator("#live")
    expect(live.get_by_text("Refused", exact=True)).to_be_visible()
    expect(live).to_contain_text("permission")

    removal = page.url
    page.goto(estate.list_path(project))
    row = page.get_by_role("region", name="Removals under way")
    expect(row).to_contain_text("1 of 2 credentials left")
    row.get_by_role("link", name="leaving").click()
    assert page.url == removal
    expect(live.get_by_text("Being confirmed", exact=True)).to_be_visible()
    assert not estate.emulator.admin.secrets(application.object_id)
    done = page.get_by_text("The removal is done.")
    for _ in range(10):  # a quarter of an hour later, and again where a step that was under way has put it off
        with estate.core.database.write() as tx:
            tx.run(sa.update(credentials).values(retry_at=None, issued_at=START, asked_at=START, starts_at=START))
            tx.run(sa.update(rotations).values(wake_at=START))
        with suppress(AssertionError):
            expect(done).to_be_visible(timeout=4_000)
            break
    expect(done).to_be_visible()
    expect(live.get_by_text("Removed", exact=True)).to_have_count(2)
