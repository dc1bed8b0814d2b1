"""The list and the page of a connection: what they show, and what can be done there."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from keyturn.connections.domain import Connection
from keyturn.projects.domain import Project
from keyturn.rotations.commands import ConnectionChange
from tests.browser.estate import BrowserServer
from tests.browser.steps import error_at, fill


@pytest.fixture
def rotating(estate: BrowserServer, project: Project) -> Connection:
    return estate.connect("rotating", estate.application("Rotating"), project, days=30)


@pytest.fixture
def resting(page: Page, estate: BrowserServer, rotating: Connection) -> Connection:
    """A rotating connection at rest, with its page open."""
    page.goto(estate.page_of(rotating))
    is_at_rest(page, generation=1)
    return rotating


def is_at_rest(page: Page, generation: int) -> None:
    expect(page.locator(".bar-current")).to_contain_text(f"Generation {generation}")
    expect(page.locator("#live")).not_to_have_attribute("data-live", re.compile("."))


def menu(page: Page, entry: str) -> None:
    page.get_by_label(re.compile("^More for")).click()
    page.locator(".menu-body").get_by_text(entry, exact=True).click()


# --- the list ---------------------------------------------------------------------------------------------------------


def test_search_sort_and_pages(page: Page, estate: BrowserServer, project: Project) -> None:
    for name in ("alpha", "beta", "gamma"):
        estate.connect(name, estate.application(name.title()), project)
    names = page.locator("tbody .name")
    page.goto(f"{estate.list_path(project)}?size=2")
    expect(names).to_have_text(["alpha", "beta"])
    page.get_by_role("link", name="Next").click()
    expect(names).to_have_text(["gamma"])
    expect(page.get_by_text("3 to 3 of 3")).to_be_visible()
    page.goto(estate.list_path(project))
    page.get_by_role("link", name="Name").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Name").click()
    expect(names).to_have_text(["gamma", "beta", "alpha"])
    page.get_by_role("searchbox", name="Search connections").fill("BET")
    expect(names).to_have_text(["beta"])
    assert "q=BET" in page.url
    page.get_by_role("searchbox", name="Search connections").fill("nothing like it")
    expect(page.get_by_role("heading", name="No connection matches")).to_be_visible()


def test_the_organization_shows_its_own_or_all(page: Page, estate: BrowserServer, project: Project) -> None:
    unique = f"of-project-{project.id[:6]}"
    estate.connect(unique, estate.application("Of a project"), project)
    estate.connect(f"of-org-{project.id[:6]}", estate.application("Of the organization"))
    page.goto(f"{estate.url}/organization/app-connections?q={project.id[:6]}")
    expect(page.locator("tbody .name")).to_have_text([f"of-org-{project.id[:6]}"])
    page.goto(f"{estate.url}/organization/app-connections")
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("searchbox", name="Search connections").fill(project.id[:6])
    row = page.get_by_role("row").filter(has_text=unique)
    expect(row.get_by_role("link", name=project.name)).to_be_visible()


def test_the_navigation_marks_where_a_connection_is(page: Page, estate: BrowserServer, project: Project) -> None:
    marked = page.get_by_role("navigation", name="Main").locator("[aria-current=page]")
    of_organization = f"{estate.url}/organization/app-connections"
    for home, lists, section in (
        (project, estate.list_path(project), "Projects"),
        (None, of_organization, "App Connections"),
    ):
        name = f"marked-{section[:3].lower()}-{project.id[:6]}"
        overview = estate.page_of(estate.connect(name, estate.application(name), home))
        for address in (
            lists,
            f"{lists}/new/azure-client-secrets",
            overview,
            f"{overview}/credentials",
            f"{overview}/schedule",
        ):
            page.goto(address)
            expect(marked).to_have_text([section])


def test_a_dialog_named_by_the_address_has_the_focus_in_its_first_field(
    page: Page, estate: BrowserServer, project: Project
) -> None:
    page.goto(f"{estate.list_path(project)}#add-connection")
    expect(page.get_by_role("searchbox", name="Search apps")).to_be_focused()
    page.wait_for_timeout(100)
    expect(page.get_by_role("searchbox", name="Search apps")).to_be_focused()


def test_the_sections_of_a_project_fit_on_a_phone(page: Page, estate: BrowserServer, project: Project) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(estate.list_path(project))
    assert (
        page.evaluate("() => { const t = document.querySelector('.tabs'); return t.scrollWidth - t.clientWidth; }") == 0
    )


def test_the_options_of_a_row(page: Page, estate: BrowserServer, project: Project) -> None:
    connection = estate.connect("optional", estate.application("Optional"), project)
    page.goto(estate.list_path(project))
    page.get_by_label("Options of optional").click()
    page.get_by_role("button", name="Copy Connection ID").click()
    expect(page.get_by_role("status")).to_contain_text(
        re.compile(f"Connection ID (copied|: {connection.id})|Connection ID: ")
    )
    page.get_by_label("Options of optional").click()
    page.get_by_role("button", name="Test Connection").click()
    expect(page.get_by_role("heading", name="The connection works")).to_be_visible()
    expect(page.get_by_text("Its secrets may be added and removed.")).to_be_visible()


def test_names_without_a_space_stay_within_their_lists(page: Page, estate: BrowserServer) -> None:
    project = estate.project("N" * 64)
    connection = estate.connect("n" * 64, estate.application("W" * 120), project)
    estate.connect("usual", estate.application("Usual"), project)
    places = (
        estate.list_path(project),
        f"{estate.url}/organization/app-connections?scope=all",
        f"{estate.url}/projects/{project.id}/integrations/secret-rotations/new",
        f"{estate.url}/projects/{project.id}/integrations/secret-rotations/new?connection={connection.id}",
        estate.page_of(connection),
    )
    for width in (1440, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for place in places:
            page.goto(place)
            over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
            wide = page.locator(".table-box, .choice").evaluate_all(
                "boxes => boxes.some(box => box.scrollWidth > box.clientWidth + 1)"
            )
            assert (over <= 0, wide) == (True, False), f"{place} at {width}"
    page.set_viewport_size({"width": 720, "height": 450})  # as with twice the size
    test, more = (page.locator(f".page-head > .actions > {part}").bounding_box() for part in ("form", ".menu"))
    assert test is not None
    assert more is not None
    assert test["y"] >= more["y"] + more["height"], "the menu lies on a button"
    page.emulate_media(media="print")
    expect(page.locator(".side")).to_be_hidden()


# --- rotating ---------------------------------------------------------------------------------------------------------


def test_rotate_now_is_followed_live(page: Page, resting: Connection) -> None:
    page.get_by_role("button", name="Rotate Now").click()
    is_at_rest(page, generation=2)
    expect(page.locator(".run")).to_have_count(2)
    page.locator(".run").first.locator("summary").click()
    expect(page.get_by_text("Prove that the new secret signs in").first).to_be_visible()
    expect(page.get_by_text("Make the new secret current").first).to_be_visible()


def test_a_leaked_secret_is_replaced_after_saying_what_that_does(page: Page, resting: Connection) -> None:
    menu(page, "The Secret Leaked")
    expect(page.get_by_text("Programs that still hold an old secret stop signing in")).to_be_visible()
    page.get_by_role("button", name="Replace and Remove").click()
    is_at_rest(page, generation=2)
    expect(page.locator(".run").first).to_contain_text("Leaked")


def test_pause_and_resume(page: Page, resting: Connection) -> None:
    menu(page, "Pause Rotation")
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    expect(page.get_by_text("Paused: nothing is rotated until it is resumed.")).to_be_visible()
    menu(page, "Resume Rotation")
    expect(page.locator(".coming time")).to_have_count(5)


def test_what_is_open_and_chosen_stays_when_somebody_else_changes_something(
    page: Page, estate: BrowserServer, resting: Connection
) -> None:
    page.clock.install()
    page.reload()
    run, table = page.locator(".run").first, page.locator("details", has_text="As a table")
    table.locator("summary").click()
    run.locator("summary").click()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.run-body'))")
    estate.rotations.update(estate.actor, resting.id, ConnectionChange(enabled=False))
    page.clock.run_for(6000)
    expect(page.get_by_text("Paused", exact=True)).to_have_count(0)  # it waits as long as something is marked
    page.evaluate("getSelection().removeAllRanges()")
    expect(page.get_by_text("Paused", exact=True)).to_be_visible()
    expect(run).to_have_attribute("open", "")
    expect(table).to_have_attribute("open", "")
    expect(run.locator("summary")).to_be_focused()
    _agreement_is_not_carried_to_something_else(page)


CONSENT = (
    '<form method="post"><input type="hidden" name="keyId" value="{}">'
    '<label><input type="checkbox" name="confirmed">{} may stop signing in</label></form>'
)


def _agreement_is_not_carried_to_something_else(page: Page) -> None:
    shown = [("key-1", "web")]

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.text().replace(' data-mark="', f' data-mark="{len(shown)} ')
        body = re.sub(r'<div id="live"[^>]*>', lambda found: found[0] + CONSENT.format(*shown[-1]), body)
        route.fulfill(response=response, body=body)

    page.route(re.compile(r"/app-connections/[0-9a-f-]{36}(\?.*)?$"), answer)
    page.reload()
    agreed = page.get_by_role("checkbox", name=re.compile("may stop signing in"))
    agreed.check()
    for key, names, stays in (
        ("key-1", "web", True),
        ("key-1", "web and batch", False),
        ("key-2", "web and batch", False),
    ):
        page.locator("#live").evaluate("part => (part.dataset.before = 'yes')")
        shown.append((key, names))
        page.clock.run_for(6000)
        expect(page.locator("#live")).not_to_have_attribute("data-before", "yes")
        expect(agreed).to_be_checked(checked=stays)
        agreed.check()
    page.unroute_all(behavior="ignoreErrors")


def test_a_schedule_is_changed_without_a_secret_and_seen_before(page: Page, resting: Connection) -> None:
    page.get_by_role("link", name="Edit Schedule").click()
    expect(page.get_by_label(re.compile("Client Secret"))).to_have_count(0)
    before = page.locator(".coming time").last.get_attribute("datetime")
    fill(page, interval="7", at="04:20", zone="America/New_York")
    expect(page.locator(".coming time").last).not_to_have_attribute("datetime", str(before))
    expect(page.locator(".coming time").first).to_contain_text("04:20")
    page.get_by_role("button", name="Save Schedule").click()
    expect(page.get_by_text("Every 7 days at 04:20, America/New_York.")).to_be_visible()


def test_rotation_is_set_up_later_without_a_secret(page: Page, estate: BrowserServer, project: Project) -> None:
    connection = estate.connect("later", estate.application("Later"), project)
    page.goto(estate.page_of(connection))
    page.get_by_role("main").get_by_role("link", name="Set Up Rotation").last.click()
    fill(page, interval="0")
    page.get_by_role("button", name="Start Rotating").click()
    assert error_at(page, "Rotation Interval") == "1 or more."
    fill(page, interval="60")
    page.get_by_role("button", name="Start Rotating").click()
    is_at_rest(page, generation=1)


def test_a_failed_rotation_says_why_and_when_it_is_tried_again(
    page: Page, estate: BrowserServer, resting: Connection
) -> None:
    for secret in estate.emulator.admin.secrets(_object_id(estate, resting)):
        estate.emulator.admin.remove_secret(_object_id(estate, resting), secret.key_id)
    with estate.later(minutes=30):  # past the time in which replication explains a refusal
        page.get_by_role("button", name="Rotate Now").click()
        expect(page.get_by_text("Rotation Failed")).to_be_visible()
    expect(page.locator(".mark-note").filter(has_text="Next attempt:")).to_have_count(1)
    expect(page.locator("#trouble")).to_contain_text(
        "az ad app credential reset"
    )  # followed live, not only after a reload
    expect(page.locator(".run[open] [role=alert]")).to_contain_text("For the same reason as above.")
    expect(page.get_by_text("does not accept the client secret")).to_have_count(1)


def _object_id(estate: BrowserServer, connection: Connection) -> str:
    return estate.emulator.admin.application(connection.client_id).object_id


def test_secrets_of_others_are_greyed_and_what_others_do_is_told(
    page: Page, estate: BrowserServer, resting: Connection
) -> None:
    estate.emulator.admin.add_secret(_object_id(estate, resting), "made by hand")
    page.get_by_role("button", name="Rotate Now").click()
    is_at_rest(page, generation=2)
    page.reload()
    expect(page.locator(".bar-foreign")).to_contain_text("made by hand")
    expect(page.get_by_role("heading", name="Changes by others")).to_be_visible()
    page.get_by_text("As a table").click()
    expect(page.get_by_role("row").filter(has_text="made by hand")).to_contain_text("Not managed")


# --- changing ---------------------------------------------------------------------------------------------------------


def test_details_are_edited_in_place(page: Page, estate: BrowserServer, project: Project) -> None:
    estate.connect("other-name", estate.application("Other"), project)
    page.goto(estate.page_of(estate.connect("old-name", estate.application("Named"), project)))
    menu(page, "Edit Details")
    dialog = page.get_by_role("dialog", name="Edit Details")
    dialog.get_by_label("Name").fill("other-name")
    dialog.get_by_role("button", name="Save").click()
    assert "already exists here" in error_at(page, "Name")
    dialog.get_by_label("Name").fill("new-name")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="new-name")).to_be_visible()


def test_credentials_are_edited_and_a_refused_secret_is_not_shown(
    page: Page, estate: BrowserServer, project: Project
) -> None:
    application = estate.application("Edited", secrets_count=2)
    page.goto(estate.page_of(estate.connect("edited", application, project)))
    menu(page, "Edit Credentials")
    fill(page, secret="z" * 40)
    page.get_by_role("button", name="Reconnect to Azure").click()
    assert "does not accept" in error_at(page, "Client Secret")
    expect(page.get_by_label("Client Secret", exact=True)).to_have_value("")
    fill(page, secret=application.secrets[1].value)
    page.get_by_role("button", name="Reconnect to Azure").click()
    expect(page.get_by_role("status").first).to_contain_text("edited signs in with its new credentials.")


def test_deleting_asks_what_becomes_of_the_secrets(
    page: Page, estate: BrowserServer, project: Project, resting: Connection
) -> None:
    menu(page, "Delete Connection")
    dialog = page.get_by_role("dialog", name="Delete rotating")
    expect(dialog).to_contain_text("Generation 1")
    expect(dialog).to_contain_text("valid until")
    expect(dialog.get_by_role("button", name="Delete Connection")).to_be_disabled()
    keep_all = dialog.get_by_role("radio", name=re.compile("Keep all of them"))
    keep_all.check()
    page.locator("#live").evaluate("part => (part.dataset.mark = 'of what was before')")
    page.locator("#living").evaluate("part => (part.dataset.before = 'yes')")
    page.evaluate("htmx.trigger('#live', 'news')")
    expect(page.locator("#living")).not_to_have_attribute("data-before", "yes")
    expect(keep_all).to_be_checked()  # what is chosen is not undone by what happens meanwhile
    dialog.get_by_label("Type rotating to confirm").fill("rotating")
    dialog.get_by_role("button", name="Delete Connection").click()
    page.wait_for_url(estate.list_path(project))
    expect(page.get_by_role("status")).to_contain_text("rotating was deleted. 1 of its secrets stay valid")
    assert len(estate.emulator.admin.secrets(_object_id(estate, resting))) == 1


# --- what Entra refuses -----------------------------------------------------------------------------------------------


def test_a_refusal_shows_since_when_and_the_way_out(page: Page, estate: BrowserServer, resting: Connection) -> None:
    application = next(
        application
        for tenant in estate.emulator.admin._world.directory.tenants.values()
        for application in tenant.applications.values()
        if application.app_id == resting.client_id
    )
    estate.emulator.admin.set_disabled(application.object_id, disabled=True)
    page.get_by_role("button", name="Test", exact=True).click()
    page.goto(estate.page_of(resting))
    expect(page.get_by_text(re.compile("^Refused by Entra ID since"))).to_be_visible()
    expect(page.get_by_text("0 secrets sign in now.").first).to_be_visible()
    expect(page.get_by_role("link", name="Enter a new client secret")).to_have_count(0)


# --- failures ---------------------------------------------------------------------------------------------------------


def test_a_failure_is_read_once_with_commands_to_copy(page: Page, estate: BrowserServer, project: Project) -> None:
    application = estate.application("Refused")
    connection = estate.connect("refused", application, project)
    admin = estate.emulator.admin
    for secret in admin.secrets(application.app_id):
        admin.remove_secret(application.app_id, secret.key_id)
    page.goto(estate.page_of(connection))
    for time in ({"minutes": 0}, {"minutes": 30}):  # it may still spread, then it is refused
        with estate.later(**time):
            page.get_by_role("button", name="Test").click()
            expect(page.get_by_role("heading", name="The connection does not work")).to_be_visible()
            expect(page.get_by_text("Entra ID does not accept")).to_have_count(1)
            page.goto(estate.page_of(connection))
            expect(page.get_by_text("Entra ID does not accept")).to_have_count(1)
    notice = page.locator(".notice-bad")
    expect(notice.get_by_text("az ad app credential reset")).to_be_hidden()
    notice.get_by_text("How to fix").click()
    expect(notice.locator(".copied code", has_text="az ad app credential reset")).to_be_visible()
    expect(notice.get_by_role("button", name="Copy the command").first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
