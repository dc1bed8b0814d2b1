"""What every page keeps: accessible by the rules of axe, in light and dark, and usable with the keyboard alone."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.people.domain import NewUser
from keyturn.projects.domain import Project
from tests.browser.conftest import Visit
from tests.browser.estate import PASSWORD, SETUP_CODE, BrowserServer, Watched, first_start, session_of
from tests.browser.steps import client_secret, error_at
from tests.browser.tour import (
    VIEWER,
    Furniture,
    addresses,
    come_to_rest,
    furnish,
    inventory_of,
    open_alarm,
    read_inventory,
)
from tests.simulation.seeds import share

OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at colours: only these can find something else in the dark."""
SCHEMES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": OF_COLOURS},
}


@pytest.fixture(scope="module")
def furniture(estate: BrowserServer) -> Furniture:
    return furnish(estate)


def faults(page: Page, name: str) -> list[str]:
    """Return what axe finds, in both schemes."""
    problems, rules = [], Axe()
    for scheme, options in SCHEMES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # nothing half faded
        for violation in rules.run(page, options=options).response["violations"]:
            nodes = "; ".join(str(node["target"]) for node in violation["nodes"][:3])
            problems.append(f"{name} ({scheme}): {violation['id']}: {violation['help']}: {nodes}")
        rules = Axe(
            "0"
        )  # the page has the rules by now: half a megabyte of script, which takes longer than asking them
    return problems


def test_every_page_is_accessible(page: Page, estate: BrowserServer, furniture: Furniture) -> None:
    come_to_rest(page, estate, furniture)
    problems, walk = [], list(addresses(estate, furniture))
    judged = share(walk, 3)
    for name, path in walk:
        page.goto(estate.url + path)
        assert page.locator("main h1").count() == 1, name
        if (name, path) in judged:
            problems += faults(page, name)
    page.goto(f"{estate.url}/settings/two-step")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    problems += faults(page, "two-step enrol")
    assert not problems, "\n".join(problems)


def test_a_first_password_is_changed_at_the_first_sign_in(visit: Visit, estate: BrowserServer) -> None:
    email, first = "frida@example.com", f"first {PASSWORD}"
    estate.access.users.create(estate.actor, NewUser(email=email, password=Plaintext(first), role=Role.VIEWER))
    with visit("no session") as stranger:
        page = stranger.page()
        page.goto(f"{estate.url}/settings")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(first)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{estate.url}/sign-in/password?next=/settings")
        assert not faults(page, "choose a password")
        page.get_by_label("New password").fill(first)
        page.get_by_role("button", name="Save and go on").click()
        assert "The new password is the old one." in error_at(page, "New password")
        page.get_by_label("New password").fill(f"own {PASSWORD}")
        page.get_by_role("button", name="Save and go on").click()
        page.wait_for_url(f"{estate.url}/settings")


def test_the_pages_before_signing_in_are_accessible(visit: Visit, estate: BrowserServer) -> None:
    with visit("no session") as stranger:
        page = stranger.page()
        page.goto(f"{estate.url}/sign-in")
        assert not faults(page, "sign-in")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with first_start(tmp_path_factory.mktemp("fresh")) as url:
        yield url


def test_the_first_start_makes_an_admin_once(chromium: Browser, fresh: str) -> None:
    context = chromium.new_context()
    watched = Watched(context, (fresh,))
    page = watched.page()
    page.goto(fresh)
    assert not faults(page, "first start")
    page.get_by_label("Set-up code").fill("not the code")
    page.get_by_label("Organization").fill("Contoso")
    page.get_by_label("Your e-mail address").fill("ada@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up this server").click()
    assert "This is not the set-up code" in error_at(page, "Set-up code")
    page.get_by_label("Set-up code").fill(SETUP_CODE)
    page.get_by_label("Password").fill("short")
    page.get_by_role("button", name="Set up this server").click()
    assert "a password has 12 to 256" in error_at(page, "Password")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set up this server").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Contoso")
    assert not faults(page, "set up")
    page.goto(f"{fresh}/setup")
    assert page.url == f"{fresh}/overview", "an organization is set up once, and its admin is signed in"
    assert not watched.complaints
    context.close()


def test_a_connection_is_made_with_the_keyboard_alone(page: Page, estate: BrowserServer, project: Project) -> None:
    application = estate.application("By keyboard")
    fields = client_secret(estate, application, "by-keyboard")
    page.goto(f"{estate.url}/projects/{project.id}/integrations")
    press_on(page, "App Connections", within="main")
    page.wait_for_url(estate.list_path(project))
    press_on(page, "Add Connection")
    expect(page.get_by_role("searchbox", name="Search apps")).to_be_focused()
    page.keyboard.type("azure")
    press_on(page, "Azure Client Secrets")
    page.wait_for_url(estate.new_path(project))
    tab_to(page, "Name")
    page.keyboard.type(fields["name"])
    tab_to(page, "Method")
    page.keyboard.type("Client")
    tab_to(page, "Tenant ID")
    page.keyboard.type(fields["tenant"])
    tab_to(page, "Client ID")
    page.keyboard.type(fields["client"])
    tab_to(page, "Client Secret")
    page.keyboard.type(fields["secret"])
    tab_to(page, "Automatic Credential Rotation")
    page.keyboard.press("Space")
    tab_to(page, "Client Secret Key ID")
    page.keyboard.type(application.secrets[0].key_id)
    press_on(page, "Connect to Azure")
    page.wait_for_url("**/app-connections/*")
    expect(page.locator(".bar-current")).to_contain_text("Generation 1")


@pytest.mark.usefixtures("furniture")
def test_an_inventory_is_filtered_with_the_keyboard_alone(page: Page, estate: BrowserServer) -> None:
    read_inventory(page, estate)
    page.goto(f"{estate.url}/inventory/{inventory_of(estate)}")
    press_on(page, "Filters")
    tab_to(page, "Credential")
    for kind in ("client-secret", "certificate"):
        page.keyboard.press("ArrowDown")
        expect(page).to_have_url(re.compile(f"kind={kind}"))
        expect(page.get_by_role("link", name="CSV")).to_have_attribute("href", re.compile(f"kind={kind}"))
    expect(page.get_by_role("combobox", name="Credential")).to_be_focused()
    expect(page.locator("#found tbody")).to_contain_text("Batch")
    expect(page.locator("#found tbody")).not_to_contain_text("Client secret")


@pytest.mark.usefixtures("furniture")
def test_an_alarm_is_acknowledged_with_the_keyboard_alone(page: Page, estate: BrowserServer) -> None:
    page.goto(f"{estate.url}/alarms/one/{open_alarm(estate)}")
    press_on(page, "Acknowledge")
    page.keyboard.type("It is being repaired.")
    press_on(page, "Acknowledge")
    expect(page.get_by_role("main")).to_contain_text("It is being repaired.")
    expect(page.get_by_role("main")).to_contain_text("Acknowledged")


@pytest.mark.usefixtures("furniture")
def test_a_freeze_is_tried_with_the_keyboard_alone(page: Page, estate: BrowserServer) -> None:
    today = estate.core.clock.now()
    page.goto(f"{estate.url}/organization/freezes")
    press_on(page, "New freeze")
    page.keyboard.type("Year end")
    for label, days in (("First day", 20), ("Last day", 40)):
        tab_to(page, label)
        day = today + timedelta(days=days)
        page.locator(":focus").fill(
            f"{day:%Y-%m-%d}"
        )  # in which order its parts are typed, the machine's language says
    tab_to(page, "Time Zone")
    expect(page.get_by_role("region", name="Rotations that this moves")).to_contain_text("accounting-portal")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="New freeze")).to_be_focused()


NAME_OF_FOCUS = """() => {
  const one = document.activeElement;
  const label = one.labels && one.labels[0];
  const text = one.getAttribute("aria-label") || (label ? label.innerText : one.innerText) || "";
  return [text.trim().split("\\n")[0].replace(/ optional$/, ""), Boolean(one.closest("main, dialog"))];
}"""


def tab_to(page: Page, label: str, within: str = "") -> None:
    """Press Tab until what bears this label has the focus."""
    for _ in range(80):
        text, in_main = page.evaluate(NAME_OF_FOCUS)
        if text == label and (in_main or not within):
            outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            shadow = page.evaluate("() => getComputedStyle(document.activeElement).boxShadow")
            assert outline != "none" or shadow != "none", f"the focus on {label} does not show"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{label} cannot be reached with Tab")


def press_on(page: Page, label: str, within: str = "") -> None:
    tab_to(page, label, within)
    page.keyboard.press("Enter")


def test_a_viewer_is_offered_only_what_a_viewer_may_do(
    visit: Visit, estate: BrowserServer, furniture: Furniture
) -> None:
    with visit(session_of(estate, VIEWER)) as watched:
        page = watched.page()
        answer = page.goto(f"{estate.url}/organization/app-connections")
        assert answer is not None
        assert answer.ok
        expect(page.get_by_role("link", name="organization-wide")).to_be_visible()
        expect(page.get_by_role("button", name="Add Connection")).to_have_count(0)
        page.get_by_role("link", name="organization-wide").click()
        for button in ("Test", "Rotate now", "Delete"):
            expect(page.get_by_role("button", name=button)).to_have_count(0)
        for path in ("/organization/app-connections/new/azure-client-secrets", "/organization/audit-log"):
            refused = page.goto(estate.url + path)
            assert refused is not None
            assert refused.status == 403, path
        elsewhere = page.goto(estate.page_of(furniture.rotating))
        assert elsewhere is not None
        assert elsewhere.status == 403, "it is in a project that one is no member of"


def test_the_api_reference_fits_a_phone_and_leads_back_without_script(visit: Visit, estate: BrowserServer) -> None:
    with visit("no session", viewport={"width": 360, "height": 740}, java_script_enabled=False) as stranger:
        page = stranger.page()
        for path in ("/api/docs", "/api/docs/app-connections", "/api/docs?q=rotate"):
            page.goto(estate.url + path)
            assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0, path
        page.goto(f"{estate.url}/api/docs/app-connections#rotateAppConnectionCredentials")
        expect(page.locator("#rotateAppConnectionCredentials")).to_be_in_viewport()
        page.get_by_role("navigation", name="API reference").get_by_role("link", name="API reference").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("API reference")
        page.get_by_role("navigation", name="API reference").get_by_role("link", name="Projects", exact=True).click()
        page.wait_for_url(f"{estate.url}/sign-in?next=/projects&ended=1")
