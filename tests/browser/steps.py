"""What a user does again and again, in the words of the product's documentation."""

import re

from playwright.sync_api import Page, expect

from entra_emulator.admin.admin import ApplicationHandle
from keyturn.projects.domain import Project
from tests.browser.estate import BrowserServer


def choose_azure(page: Page, estate: BrowserServer, project: Project) -> None:
    """Integrations tab, App Connections, Add Connection, Azure Client Secrets."""
    page.goto(f"{estate.url}/projects/{project.id}/integrations")
    expect(page.get_by_role("navigation", name="Project").get_by_role("link", name="Integrations")).to_have_attribute(
        "aria-current", "page"
    )
    page.get_by_role("main").get_by_role("link", name="App Connections").click()
    page.get_by_role("button", name="Add Connection").first.click()
    dialog = page.get_by_role("dialog", name="Add Connection")
    dialog.get_by_role("searchbox", name="Search apps").fill("azure")
    dialog.get_by_role("link", name="Azure Client Secrets").click()
    expect(page.get_by_role("heading", name="Azure Client Secrets")).to_be_visible()


def fill(page: Page, **fields: str) -> None:
    """Fill in fields by their label; ``method`` is chosen."""
    labels = {
        "name": "Name",
        "tenant": "Tenant ID",
        "client": "Client ID",
        "secret": "Client Secret",
        "key_id": "Client Secret Key ID",
        "certificate": "Certificate (PEM format)",
        "key": "Private Key",
        "interval": "Rotation Interval",
        "at": "Rotate At",
        "zone": "Time Zone",
    }
    if "method" in fields:
        page.get_by_label("Method").select_option(label=fields.pop("method"))
    for name, text in fields.items():
        page.get_by_label(re.compile(rf"^{re.escape(labels[name])}( optional)?$")).fill(text)


def client_secret(estate: BrowserServer, application: ApplicationHandle, name: str) -> dict[str, str]:
    """What a user types for an application's first secret."""
    return {
        "name": name,
        "method": "Client Secret",
        "tenant": estate.tenant_id,
        "client": application.app_id,
        "secret": application.secrets[0].value,
    }


def connect(page: Page) -> None:
    page.get_by_role("button", name="Connect to Azure").click()


def refusal(page: Page) -> str:
    """Return what the form says on top when it was refused."""
    return page.locator(".form [role=alert], main > .stack > [role=alert]").first.inner_text()


def error_at(page: Page, label: str) -> str:
    """Return what stands at the field of this label."""
    field = page.get_by_label(re.compile(rf"^{re.escape(label)}( optional)?$"))
    expect(field).to_have_attribute("aria-invalid", "true")
    described = (field.get_attribute("aria-describedby") or "").split()
    return page.locator(f"#{next(each for each in described if each.endswith('-error'))}").inner_text()
