"""The API reference: the OpenAPI document, an overview with the search, and a page for each tag."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, ClassVar

from markupsafe import Markup

from keyturn.errors import NotFound
from keyturn.kit.dataclasses import dataclass
from keyturn.web import pages
from keyturn.web.html.render import Page, environment
from keyturn.web.reference.examples import curl
from keyturn.web.reference.fields import Fields, Row, fields_of, parameters_of, references
from keyturn.web.routes import Routes, get, group
from keyturn.web.schema.wire import ApiModel

Document = Mapping[str, Any]

TAG = "Reference"
_METHODS = ("get", "post", "put", "patch", "delete")
MOST_WORDS = 10
"""A search looks at the first ten words, of a hundred characters at most."""
_LONGEST_WORD = 100
_SAMPLE_URL = "https://keyturn.example.com"


@dataclass(frozen=True)
class Entry:
    """An operation of the document, with all that its page says about it."""

    method: str
    path: str
    anchor: str
    summary: str
    description: str
    public: bool
    parameters: Sequence[Row]
    body: Fields | None
    body_required: bool
    status: str
    answer: Fields | None
    problems: Mapping[str, str]
    example: str = field(repr=False)
    types: frozenset[str]
    """The types that it refers to, directly or through others."""
    text: str = field(repr=False)
    """All that is said about the operation, in lower case, for the search."""


@dataclass(frozen=True)
class Tag:
    """Operations that stand together, and the last part of their page's address."""

    name: str
    slug: str
    entries: Sequence[Entry]


class ReferenceQuery(ApiModel):
    q: str = ""


@dataclass(frozen=True)
class OverviewPage(Page):
    template: ClassVar[str] = "reference/overview.html"
    compressed: ClassVar[bool] = True

    tags: Sequence[Tag]
    content: Markup


@dataclass(frozen=True)
class TagPage(Page):
    template: ClassVar[str] = "reference/tag.html"
    compressed: ClassVar[bool] = True

    tags: Sequence[Tag]
    tag: Tag
    content: Markup


@dataclass(frozen=True)
class SearchPage(Page):
    template: ClassVar[str] = "reference/search.html"

    tags: Sequence[Tag]
    search: str
    found: Sequence[Tag]


@dataclass(frozen=True)
class Reference:
    """The document, and what is made of it once for all visitors. Safe to share between threads."""

    document: Document

    @cached_property
    def tags(self) -> Sequence[Tag]:
        entries = list(_entries(self.document))
        names = [tag["name"] for tag in self.document["tags"]]
        return tuple(Tag(name, _slug(name), [entry for tag, entry in entries if tag == name]) for name in names)

    @cached_property
    def overview(self) -> Markup:
        homes: dict[str, Tag] = {}
        for tag in self.tags:
            for name in _types(tag):
                homes.setdefault(name, tag)
        url = self.document["servers"][0]["url"]
        address = url if url.startswith("http") else _SAMPLE_URL
        about = self.document["info"]["description"]
        return _rendered("overview", tags=self.tags, address=address, about=about, homes=dict(sorted(homes.items())))

    @cached_property
    def _contents(self) -> dict[str, Markup]:
        return {}

    def content(self, tag: Tag) -> Markup:
        """Return all that is said about one of ``tags``: rendered at the first call, kept from then on."""
        if tag.slug not in self._contents:
            schemas = self.document["components"]["schemas"]
            types = {name: (schemas[name], fields_of(schemas[name], schemas)) for name in _types(tag)}
            self._contents[tag.slug] = _rendered("tag", tag=tag, types=types)
        return self._contents[tag.slug]

    def search(self, words: Sequence[str]) -> Sequence[Tag]:
        """Return the operations about which all the words are said, under their tags."""
        matches = [
            Tag(tag.name, tag.slug, [entry for entry in tag.entries if all(word in entry.text for word in words)])
            for tag in self.tags
        ]
        return [tag for tag in matches if tag.entries]


def routes(reference: Callable[[], Reference]) -> Routes:
    """Return the route of the document. The reference is made at the first request for it or for a page."""

    @get("/api/docs/json", public=True, compressed=True)
    def show_document() -> dict[str, Any]:
        """Show the OpenAPI document."""
        return dict(reference().document)

    return group(TAG, show_document)


def page_routes(reference: Callable[[], Reference]) -> pages.Pages:
    """Return the routes of the pages, which everybody may read."""

    @pages.get("/api/docs", public=True)
    def show_overview(query: ReferenceQuery) -> OverviewPage | SearchPage:
        document = reference()
        words = [word[:_LONGEST_WORD] for word in query.q.lower().split(maxsplit=MOST_WORDS)[:MOST_WORDS]]
        if words:
            return SearchPage(document.tags, " ".join(words), document.search(words))
        return OverviewPage(document.tags, document.overview)

    @pages.get("/api/docs/{tag}", public=True)
    def show_tag(tag: str) -> TagPage:
        document = reference()
        section = next((each for each in document.tags if each.slug == tag), None)
        if section is None:
            raise NotFound(
                "The API reference has no such page.", code="request.no_tag", fix="Its pages are listed at /api/docs."
            )
        return TagPage(document.tags, section, document.content(section))

    return pages.group(show_overview, show_tag)


def _rendered(name: str, **values: object) -> Markup:
    # Escaped where it was rendered: the template's own markup, with texts of the document in it.
    return Markup(environment().get_template(f"reference/{name}_content.html").render(values))  # noqa: S704


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _types(tag: Tag) -> Sequence[str]:
    return sorted({name for entry in tag.entries for name in entry.types})


def _entries(document: Document) -> Iterator[tuple[str, Entry]]:
    """Yield each operation with its tag, in the order of the document."""
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield methods[method]["tags"][0], _entry(method, path, methods[method], document)


def _entry(method: str, path: str, facts: Mapping[str, Any], document: Document) -> Entry:
    schemas = document["components"]["schemas"]
    (status, good), *problems = facts["responses"].items()
    body = _schema(facts.get("requestBody", {}))
    answer = _schema(good)
    return Entry(
        method=method.upper(),
        path=path,
        anchor=facts["operationId"],
        summary=facts["summary"],
        description=facts.get("description", ""),
        public=not facts["security"],
        parameters=parameters_of(facts),
        body=None if body is None else fields_of(body, schemas),
        body_required=facts.get("requestBody", {}).get("required", False),
        status=status,
        answer=None if answer is None else fields_of(answer, schemas),
        problems={code: each["description"] for code, each in problems},
        example=curl(method.upper(), path, facts, schemas),
        types=references(facts, schemas),
        text=f"{method} {path} {facts}".lower(),
    )


def _schema(part: Mapping[str, Any]) -> Mapping[str, Any] | None:
    schema: Mapping[str, Any] | None = part.get("content", {}).get("application/json", {}).get("schema")
    return schema
