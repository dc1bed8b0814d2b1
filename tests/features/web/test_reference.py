"""The API reference: the document, its pages, and the examples on them."""

from html.parser import HTMLParser
from typing import Any

import pytest

from keyturn.web.reference import page
from keyturn.web.reference.examples import SAMPLE_ID, sample
from tests.client import Client
from tests.features.web.things import client, site


@pytest.fixture(scope="module")
def web() -> Client:
    return client(site=site())


@pytest.fixture(scope="module")
def document(web: Client) -> dict[str, Any]:
    return dict(web.get("/api/docs/json").json())


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def ids(self, *tags: str) -> set[str]:
        return {str(attrs["id"]) for tag, attrs in self.tags if "id" in attrs and (not tags or tag in tags)}

    def links(self) -> list[str]:
        return [str(attrs["href"]) for tag, attrs in self.tags if tag == "a"]

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
    schemas = document["components"]["schemas"]

    def references(part: Any) -> Any:
        if isinstance(part, dict):
            yield from ([part["$ref"]] if "$ref" in part else [])
            for inner in part.values():
                yield from references(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from references(inner)

    assert {each.removeprefix("#/components/schemas/") for each in references(document)} <= set(schemas)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


# --- the pages --------------------------------------------------------------------------------------------------------


def test_each_operation_is_on_the_page_of_its_tag_and_on_the_overview(web: Client, document: dict[str, Any]) -> None:
    overview = Page(web.get("/api/docs").text)
    assert [each["name"] for each in document["tags"]] == ["Health", "Things"]
    for tag in ("health", "things"):
        answer = web.get(f"/api/docs/{tag}")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        named = {
            operation["operationId"]
            for path in document["paths"].values()
            for operation in path.values()
            if operation["tags"] == [tag.title()]
        }
        assert named == Page(answer.text).ids("article") - schemas(Page(answer.text))
        assert {f"/api/docs/{tag}#{name}" for name in named} <= set(overview.links())


def schemas(page: Page) -> set[str]:
    return {each for each in page.ids("article") if each.startswith("schema-")}


def test_an_address_of_the_reference_in_one_page_still_leads_to_the_operation_and_the_type(web: Client) -> None:
    ids = Page(web.get("/api/docs").text).ids("li")
    assert {"createThing", "schema-CreateThing", "schema-Problem"} <= ids


def test_an_operation_is_shown_with_all_that_a_caller_needs(web: Client) -> None:
    text = web.get("/api/docs/things").text
    create = text[text.index('<article class="card operation" id="createThing"') :]
    create = create[: create.index("</article>")]
    assert "With all that <code>belongs</code> to it" in create
    assert "Needs a token" in create
    assert '<code>name</code> <span class="required">required</span>' in create
    assert "not empty; at most 64 characters" in create
    assert '<a href="#schema-' in create
    assert "curl -X POST &#34;$KEYTURN_URL/api/v1/things&#34; " in create
    assert "<dt>422</dt>" in create
    assert "Anybody may call it" in text[text.index('id="logIn"') :]


def test_every_link_of_a_page_leads_somewhere(web: Client) -> None:
    texts = {path: web.get(path).text for path in ("/api/docs", "/api/docs/health", "/api/docs/things")}
    for path, text in texts.items():
        for link in Page(text).links():
            target, _, anchor = link.partition("#")
            if anchor and (target or path) in texts:
                assert anchor in Page(texts[target or path]).ids(), f"{path}: {link}"
            elif target.startswith("/api/docs") and "?" not in target:
                assert web.get(target).status_code == 200, f"{path}: {link}"


def test_a_page_works_without_script_and_loads_nothing_from_elsewhere(web: Client) -> None:
    page = Page(web.get("/api/docs/things").text)
    assert not [tag for tag, attrs in page.tags if tag in {"iframe", "img"} or "style" in attrs or "onclick" in attrs]
    loaded = [attrs.get("src") or attrs.get("href") or "" for tag, attrs in page.tags if tag in {"script", "link"}]
    assert all(address.startswith("/static/") for address in loaded)
    assert "/projects" in page.links(), "a way back to the product"


def test_a_page_is_rendered_once_and_shown_to_all(web: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    first = web.get("/api/docs/things").text

    def never(*_: object, **__: object) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr(page, "_rendered", never)
    assert web.get("/api/docs/things").text == first
    assert web.get("/api/docs").status_code == 200


def test_a_page_that_is_not_there_is_told_as_a_page(web: Client) -> None:
    answer = web.get("/api/docs/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "The API reference has no such page." in answer.text


def test_search_narrows_the_overview(web: Client) -> None:
    links = Page(web.get("/api/docs?q=delete+thing").text).links()
    assert "/api/docs/things#deleteThing" in links
    assert "/api/docs/health#showStatus" not in links


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", '" autofocus onfocus="x', "\u202e", "%00"])
def test_search_words_are_only_text(web: Client, words: str) -> None:
    answer = web.get("/api/docs", params={"q": words})
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert "\u202e" not in answer.text
    assert not [attrs for _, attrs in Page(answer.text).tags if "onfocus" in attrs]


# --- the examples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "format": "uuid"}, SAMPLE_ID),
        ({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}, "02:30"),
        ({"type": "string", "format": "date-time"}, "2026-12-31T12:00:00Z"),
        ({"type": "integer", "minimum": 30, "maximum": 90}, 30),
        ({"type": "boolean"}, True),
        ({"enum": ["a", "b"]}, "a"),
        ({"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "string"}}]}, ["example"]),
        ({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "boolean"}}}, {"a": "example"}),
        (
            {"type": "object", "properties": {"a": {}, "b": {"type": "boolean"}}, "required": ["b"]},
            {"b": True},
        ),
        ({"type": "string", "examples": ["said"]}, "said"),
    ],
)
def test_a_sample_fits_its_schema(schema: dict[str, Any], value: object) -> None:
    assert sample(schema, {}) == value


def test_a_pattern_that_no_sample_matches_is_found_when_the_reference_is_made() -> None:
    with pytest.raises(ValueError, match="no sample"):
        sample({"type": "string", "pattern": "^[0-9]{9}$"}, {}, "odd")
