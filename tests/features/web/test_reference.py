"""The API reference: the document and the page."""

from html.parser import HTMLParser
from typing import Any

import pytest

from tests.client import Client
from tests.features.web.things import client


@pytest.fixture(scope="module")
def web() -> Client:
    return client()


@pytest.fixture(scope="module")
def document(web: Client) -> dict[str, Any]:
    return dict(web.get("/api/docs/json").json())


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_document_comes_from_the_types_that_check(document: dict[str, Any]) -> None:
    create = document["paths"]["/api/v1/things"]["post"]
    assert create["summary"] == "Create a thing"
    assert create["description"] == "With all that ``belongs`` to it."
    assert create["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/CreateThing"
    }
    fields = document["components"]["schemas"]["CreateThing"]["properties"]
    assert fields["ownerId"]["format"] == "uuid"
    assert fields["name"].items() >= {"minLength": 1, "maxLength": 64}.items()
    assert fields["size"].items() >= {"minimum": 1, "maximum": 100, "default": 10}.items()
    assert document["components"]["schemas"]["CreateThing"]["required"] == ["name", "ownerId", "credentials"]
    assert "propertyName" in fields["credentials"]["discriminator"]


def test_parameters_are_documented_with_their_wire_names(document: dict[str, Any]) -> None:
    listing = {each["name"]: each for each in document["paths"]["/api/v1/things"]["get"]["parameters"]}
    assert set(listing) == {"projectId", "recursive", "limit", "tag"}
    assert listing["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    below = document["paths"]["/api/v1/things/{thingId}/{rest}"]["get"]["parameters"]
    assert [(each["name"], each["in"], each["required"]) for each in below] == [
        ("thingId", "path", True),
        ("rest", "path", True),
    ]


def test_public_operations_need_no_token(document: dict[str, Any]) -> None:
    assert document["paths"]["/api/v1/login"]["post"]["security"] == []
    assert document["paths"]["/api/v1/things"]["get"]["security"] == [{"bearer": []}]


def test_the_document_refers_only_to_what_it_holds(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]

    def references(part: Any) -> Any:
        if isinstance(part, dict):
            yield from ([part["$ref"]] if "$ref" in part else [])
            for inner in part.values():
                yield from references(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from references(inner)

    assert {each.removeprefix("#/components/schemas/") for each in references(document)} <= set(known)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def test_the_page_shows_every_operation_without_any_script(web: Client, document: dict[str, Any]) -> None:
    answer = web.get("/api/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script" not in answer.headers["content-security-policy"]
    page = Page(answer.text)
    names = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert names <= {attrs.get("id") for tag, attrs in page.tags if tag == "article"}
    assert not [tag for tag, attrs in page.tags if tag in {"script", "iframe", "img"} or "style" in attrs]
    assert all((attrs.get("href") or "/").startswith(("/", "#")) for _, attrs in page.tags)


def test_every_link_inside_the_page_leads_somewhere(web: Client) -> None:
    page = Page(web.get("/api/docs").text)
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    targets = {attrs["href"] for tag, attrs in page.tags if tag == "a" and (attrs.get("href") or "").startswith("#")}
    assert {str(target)[1:] for target in targets} <= ids


def test_search_narrows_the_page(web: Client) -> None:
    found = web.get("/api/docs?q=delete+thing").text
    assert 'id="deleteThing"' in found
    assert 'id="showStatus"' not in found


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", '" autofocus onfocus="x', "\u202e", "%00"])
def test_search_words_are_only_text(web: Client, words: str) -> None:
    answer = web.get("/api/docs", params={"q": words})
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert not [attrs for _, attrs in Page(answer.text).tags if "onfocus" in attrs]


def test_the_style_is_served_from_here(web: Client) -> None:
    answer = web.get("/api/docs/reference.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in answer.text
    assert "light-dark(" in answer.text
