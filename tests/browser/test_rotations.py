"""Setting up the rotation of an application's secret in a browser, and watching its first secret arrive."""

import re

from playwright.sync_api import Page, expect

from keyturn.projects.domain import Project
from keyturn.secrets.domain import Address, Reading, SecretType
from keyturn.secrets.service import Secrets
from tests.browser.estate import BrowserServer
from tests.browser.steps import error_at, refusal

WRITE_ALL = "Application.ReadWrite.All"


def test_a_rotation_is_set_up_reviewed_and_watched(page: Page, estate: BrowserServer, project: Project) -> None:
    connection = estate.connect("directory-wide", estate.application("Keyturn writer", WRITE_ALL), project)
    billing = estate.application("Accounting portal", secrets_count=2)
    for number in range(17):
        estate.application(f"Shop {number:02}")
    page.goto(f"{estate.url}/projects/{project.id}/integrations")
    page.get_by_role("main").get_by_role("link", name="Secret Rotations").click()
    page.get_by_role("link", name="New Rotation").click()
    page.get_by_role("link", name=re.compile("^directory-wide")).click()

    expect(page.get_by_role("heading", name="Which application?")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="First page")).to_be_visible()
    page.get_by_role("searchbox", name="Search applications").fill("accounting")
    row = page.get_by_role("row").filter(has_text="Accounting portal")
    expect(row).to_contain_text("2 sign in")
    expect(page.get_by_role("table", name="Applications").get_by_role("row")).to_have_count(2)
    row.get_by_role("link").click()

    expect(page.get_by_role("heading", name="Accounting portal")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("accounting-portal")
    page.get_by_label("Name", exact=True).fill("Accounting App")
    page.get_by_label("Folder").fill("/nowhere")
    page.get_by_label("Environment").select_option("prod")
    page.get_by_role("button", name="Review").click()
    assert "slug" in error_at(page, "Name").lower() or "lower" in error_at(page, "Name").lower()
    page.get_by_label("Name", exact=True).fill("accounting-app")
    page.get_by_role("button", name="Review").click()
    assert "/nowhere" in refusal(page)
    expect(page.get_by_label("Environment")).to_have_value("prod")
    page.get_by_label("Folder").fill("/")
    page.get_by_role("button", name="Review").click()

    plan = page.get_by_role("region", name="What will be done")
    expect(plan).to_contain_text("asks Microsoft Graph for a new client secret of Accounting portal")
    expect(page.get_by_role("row").filter(has_text="New secret")).to_contain_text("Added")
    expect(page.get_by_role("cell", name="Kept")).to_have_count(2)
    assert len(estate.emulator.admin.secrets(billing.object_id)) == 2, "a review changes nothing"
    page.get_by_role("button", name="Start Rotating").click()

    page.wait_for_url("**/secret-rotations/*")
    expect(page.locator(".bar-current")).to_contain_text("Generation 1")
    expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."))
    expect(page.get_by_role("region", name="What programs may hold")).to_contain_text("usable until")
    secrets = Secrets(estate.core.database, estate.core.sealer, estate.core.clock, estate.core.ids)
    at = Address(project.id, None, "prod")
    secret = secrets.reader.get(estate.actor, at, "AZURE_CLIENT_SECRET", Reading(), SecretType.SHARED)
    assert secret.value is not None
    assert secret.value.reveal() in {each.value for each in estate.emulator.admin.secrets(billing.object_id)}

    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("status").filter(has_text="signs in")).to_be_visible()
    page.get_by_role("link", name="Plan").click()
    expect(page.get_by_role("row").filter(has_text="keyturn accounting-app g1")).to_contain_text("Removed")
    page.get_by_role("link", name="accounting-app").click()
    page.get_by_role("link", name=connection.name).click()
    expect(page).to_have_url(estate.page_of(connection))

    page.get_by_label("More for directory-wide").click()
    page.get_by_role("link", name="Applications to Rotate").click()
    page.get_by_role("searchbox", name="Search applications").fill("accounting")
    page.get_by_role("button", name="Remove Accounting portal").click()
    page.get_by_role("button", name="Allow Accounting portal").click()
    expect(page.get_by_role("row").filter(has_text="Accounting portal")).to_contain_text("On the list")
