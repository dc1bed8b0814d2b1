"""Below a path of a shared host, as people use it: pages, forms, parts of pages, streams, cookies, the reference."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.estate import EMAIL, PASSWORD, BrowserServer, open_estate, watch
from tests.browser.proxy import below
from tests.ports import free_port

BASE = "/tools/keyturn"


@pytest.fixture(scope="module", params=[True, False], ids=["strips", "keeps"])
def behind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[BrowserServer, list[str]]]:
    front, back = free_port(), free_port()
    site = f"http://localhost:{front}{BASE}"
    with (
        open_estate(tmp_path_factory.mktemp("estate"), works=request.param, site=site, port=back) as estate,
        below(BASE, front, back, strips=request.param) as strays,
    ):
        yield estate, strays


def test_everything_stays_below_the_path(chromium: Browser, behind: tuple[BrowserServer, list[str]]) -> None:
    estate, strays = behind
    project = estate.project("Shared")
    connection = estate.connect("one-of-many", estate.application("One"), project)
    with watch(chromium, estate, None, origin=estate.url.removesuffix(BASE)) as watched:
        page = watched.page()
        page.goto(estate.page_of(connection))
        assert page.url.startswith(f"{estate.url}/sign-in?next=/app-connections/"), "sent to sign in, and back"
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(estate.page_of(connection))
        cookies = {cookie["name"]: cookie["path"] for cookie in watched.context.cookies()}
        assert cookies["keyturn_session"] == BASE
        assert {path.rstrip("/") for path in cookies.values()} == {BASE}

        page.goto(estate.list_path(project))
        expect(page.locator("tbody .name")).to_have_text(["one-of-many"])
        with page.expect_response(lambda answer: "q=nothing" in answer.url) as request:  # htmx
            page.get_by_role("searchbox", name="Search connections").fill("nothing")
        assert request.value.url.startswith(estate.url)
        expect(page.get_by_role("heading", name="No connection matches")).to_be_visible()

        page.goto(f"{estate.url}/projects/new")
        page.get_by_label("Name").first.fill("Made below")
        page.get_by_role("button", name="Create project").or_(page.get_by_role("button", name="Create")).first.click()
        page.wait_for_url(f"{estate.url}/projects/**")
        for link in page.locator("a[href^='/']").all():
            assert (link.get_attribute("href") or "").startswith(f"{BASE}/"), link.get_attribute("href")

        page.goto(f"{estate.url}/api/docs")
        expect(page.get_by_role("heading", name="API reference")).to_be_visible()
        document = page.request.get(f"{estate.url}/api/docs/json").json()
        assert document["servers"][0]["url"] == estate.url
        assert page.request.get(f"{estate.url}/api/status").json()["version"]
    assert strays == []


def test_a_watched_rotation_streams_below_the_path(chromium: Browser, behind: tuple[BrowserServer, list[str]]) -> None:
    estate, strays = behind
    if not estate.works:
        pytest.skip("one estate of a process rotates")
    connection = estate.connect("rotating", estate.application("Rotating"), estate.project("Streams"), days=30)
    with watch(chromium, estate, None, origin=estate.url.removesuffix(BASE)) as watched:
        page = watched.page()
        page.goto(f"{estate.url}/sign-in?next=/app-connections/{connection.id}")
        page.get_by_label("E-mail").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".bar-current")).to_contain_text("Generation 1")
    assert [path for path in strays if "favicon" not in path] == []
