"""Signing in at Microsoft and coming back: what may go wrong, each with what to do and a way back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from keyturn.app.sso import group_roles
from keyturn.kit.actor import Role
from keyturn.projects.domain import Project
from keyturn.sso.domain import NewGroupRole
from tests.browser.estate import (
    ADMINISTRATOR,
    BrowserServer,
    Watched,
    join,
    open_estate,
    session_of,
    watch,
)
from tests.browser.steps import connect, fill, refusal
from tests.browser.test_tour import faults


@pytest.fixture
def admin(estate: BrowserServer) -> str:
    name = f"Admin {estate.core.ids.new()[:6]}"
    estate.emulator.admin.create_user(estate.tenant_id, name, roles=(ADMINISTRATOR,))
    return name


@pytest.fixture
def plain(estate: BrowserServer) -> str:
    """Somebody without a role in the directory."""
    name = f"Plain {estate.core.ids.new()[:6]}"
    estate.emulator.admin.create_user(estate.tenant_id, name)
    return name


@pytest.fixture
def begun(page: Page, estate: BrowserServer, project: Project, admin: str, plain: str) -> Page:
    """A browser that was sent to Microsoft, which knows ``admin`` and ``plain``."""
    page.goto(estate.new_path(project))
    begin(page, estate)
    return page


def begin(page: Page, estate: BrowserServer, name: str = "by-oauth") -> None:
    fill(page, name=name, tenant=estate.tenant_id)
    connect(page)
    expect(page.get_by_role("heading", name="Pick an account")).to_be_visible()


def accept(page: Page, account: str) -> None:
    page.get_by_role("button", name=account).click()
    page.get_by_role("button", name="Accept").click()


def is_refilled(page: Page, estate: BrowserServer, name: str = "by-oauth") -> None:
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    expect(page.get_by_label("Tenant ID")).to_have_value(estate.tenant_id)
    assert "callback" not in page.url


def test_cancelling_leads_back_to_the_filled_form(
    begun: Page, estate: BrowserServer, project: Project, admin: str
) -> None:
    begun.get_by_role("button", name="Cancel").click()
    assert "cancelled" in refusal(begun).lower()
    is_refilled(begun, estate)
    connect(begun)
    accept(begun, admin)
    begun.wait_for_url(estate.list_path(project))


def test_declining_the_consent_says_what_to_choose(begun: Page, estate: BrowserServer, admin: str) -> None:
    begun.get_by_role("button", name=admin).click()
    begun.get_by_role("button", name="Cancel").click()
    assert "Access was declined at Microsoft, so nothing was connected" in refusal(begun)
    assert "choose Accept" in refusal(begun)
    is_refilled(begun, estate)


def test_a_consent_that_only_an_admin_can_give(begun: Page, estate: BrowserServer, plain: str) -> None:
    begun.get_by_role("button", name=plain).click()
    begun.get_by_role("button", name="Return to the application without granting consent").click()
    assert "admin" in refusal(begun).lower()
    is_refilled(begun, estate)


def test_two_tabs_at_once_both_arrive(watched: Watched, estate: BrowserServer, project: Project, admin: str) -> None:
    tabs = {name: watched.page() for name in ("tab-one", "tab-two")}
    for name, tab in tabs.items():
        tab.goto(estate.new_path(project))
        begin(tab, estate, name)
    first, second = tabs.values()
    accept(first, admin)
    first.wait_for_url(estate.list_path(project))
    second.get_by_role("button", name=admin).click()
    second.wait_for_url(estate.list_path(project))
    expect(second.get_by_role("link", name="tab-one")).to_be_visible()
    expect(second.get_by_role("link", name="tab-two")).to_be_visible()


def test_coming_back_after_more_than_ten_minutes(begun: Page, estate: BrowserServer, admin: str) -> None:
    with estate.later(minutes=11):
        accept(begun, admin)
        expect(begun.get_by_role("heading", name="Nothing was connected")).to_be_visible()
        expect(begun.get_by_text("The sign-in took longer than 10 minutes.")).to_be_visible()
        begun.get_by_role("main").get_by_role("link", name="App Connections").click()


def test_the_address_of_a_sign_in_works_once(begun: Page, estate: BrowserServer, project: Project, admin: str) -> None:
    came: list[str] = []
    begun.on("request", lambda request: came.append(request.url) if _is_callback(request) else None)
    accept(begun, admin)
    begun.wait_for_url(estate.list_path(project))
    begun.goto(came[0])
    expect(begun.get_by_text("This sign-in was completed before.")).to_be_visible()
    assert begun.url.endswith("/oauth/callback"), "what Microsoft brought is gone from the address"


def _is_callback(request: Request) -> bool:
    return "/oauth/callback?" in request.url


def test_an_address_that_this_server_did_not_ask_for(page: Page, estate: BrowserServer) -> None:
    page.goto(f"{estate.url}/organization/app-connections/azure/oauth/callback?code=planted&state=planted")
    expect(page.get_by_text("This server did not start this sign-in.")).to_be_visible()


def test_signing_in_anew_meanwhile_ends_the_sign_in(
    begun: Page, watched: Watched, estate: BrowserServer, project: Project, admin: str
) -> None:
    cookie = {"name": "keyturn_session", "value": session_of(estate), "url": estate.url}
    watched.context.add_cookies([cookie])  # type: ignore[list-item]
    accept(begun, admin)
    expect(begun.get_by_text("or you have signed in to this server anew since")).to_be_visible()
    begun.goto(estate.list_path(project))
    expect(begun.get_by_role("heading", name="No connections yet")).to_be_visible()


def test_another_users_sign_in_cannot_be_finished(
    begun: Page, watched: Watched, estate: BrowserServer, admin: str
) -> None:
    email = f"{estate.core.ids.new()[:8]}@example.com"
    join(estate, email, Role.ADMIN)
    cookie = {"name": "keyturn_session", "value": session_of(estate, email), "url": estate.url}
    watched.context.add_cookies([cookie])  # type: ignore[list-item]
    accept(begun, admin)
    expect(begun.get_by_text("Another user of this server started this sign-in.")).to_be_visible()


def test_coming_back_without_a_session_asks_to_sign_in(
    begun: Page, watched: Watched, estate: BrowserServer, admin: str
) -> None:
    watched.context.clear_cookies(name="keyturn_session")
    accept(begun, admin)
    begun.wait_for_url(f"{estate.url}/sign-in**")


def test_a_tenant_that_is_not_one(page: Page, estate: BrowserServer, project: Project) -> None:
    page.goto(estate.new_path(project))
    fill(page, name="any", tenant="common")
    connect(page)
    expect(page.locator("#f-tenantId-error")).to_contain_text("'common' is not one tenant.")


def test_reconnecting_keeps_the_connection(begun: Page, estate: BrowserServer, project: Project, admin: str) -> None:
    accept(begun, admin)
    begun.wait_for_url(estate.list_path(project))
    begun.get_by_role("link", name="by-oauth").click()
    address = begun.url
    begun.get_by_role("button", name="Reconnect to Azure").click()
    begun.get_by_role("button", name="Cancel").click()
    assert "cancelled" in refusal(begun).lower()
    begun.goto(address)
    begun.get_by_role("button", name="Reconnect to Azure").click()
    begun.get_by_role("button", name=admin).click()
    begun.wait_for_url(address)
    expect(begun.get_by_role("status").first).to_contain_text("by-oauth is connected again.")


@pytest.fixture
def without_oauth(tmp_path: Path, chromium: Browser) -> Iterator[tuple[BrowserServer, Page]]:
    with (
        open_estate(tmp_path, oauth=False, works=False) as estate,
        watch(chromium, estate, session_of(estate)) as watched,
    ):
        yield estate, watched.page()


def test_oauth_that_is_not_set_up_says_so_and_how(without_oauth: tuple[BrowserServer, Page]) -> None:
    estate, page = without_oauth
    page.goto(f"{estate.url}/organization/app-connections/new/azure-client-secrets")
    expect(page.get_by_label("Method")).to_have_value("client-secret")
    expect(page.locator("option[value=oauth]")).to_be_disabled()
    expect(page.get_by_text("environment variables are not configured")).to_be_visible()
    expect(page.get_by_role("link", name="How to set it up")).to_have_attribute("href", "/help/azure")


def test_somebody_signs_in_to_keyturn_itself_and_lands_where_they_wanted_to_go(
    chromium: Browser, estate: BrowserServer
) -> None:
    admin = estate.emulator.admin
    inside, outside = (admin.create_user(estate.tenant_id, name) for name in ("Ida Inside", "Otto Outside"))
    operators = admin.create_group(estate.tenant_id, "Operators", members=(inside,))
    group_roles(estate.core).add(estate.actor, NewGroupRole(operators, "member", "Operators"))
    with watch(chromium, estate, None) as watched:
        page = watched.page()
        for account, title in (("Otto Outside", "You were not signed in"), ("Ida Inside", "Projects")):
            page.goto(f"{estate.url}/projects")
            page.get_by_role("link", name="Sign in through Entra ID").click()
            accept(page, account)
            expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
            if title != "Projects":
                assert not faults(page, "entra refused")
                expect(
                    page.get_by_text("An administrator of this server gives one of your groups a role")
                ).to_be_visible()
                assert "code=" not in page.url
                watched.context.clear_cookies()
        assert page.url == f"{estate.url}/projects"
        known, _ = group_roles(estate.core).users(estate.actor, 100)
        assert outside not in {user.object_id for user in known}
