"""The API reference: the OpenAPI document, and a page made from it here. No script, nothing from elsewhere."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from pathlib import Path
from typing import Any

from keyturn.web.messages import Response
from keyturn.web.routes import Routes, get, group
from keyturn.web.schema.wire import Wire
from keyturn.web.subpath import AT_ROOT, SubPath

Document = Mapping[str, Any]


TAG = "Reference"
_STYLE = Path(__file__).parents[1] / "html" / "static" / "reference.css"
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_METHODS = ("get", "post", "put", "patch", "delete")
MOST_WORDS = 10
"""A search looks at the first ten words, of a hundred characters at most."""
_LONGEST_WORD = 100


class Search(Wire):
    q: str = ""


def router(describe: Callable[[], Document], below: SubPath = AT_ROOT) -> Routes:
    """Return the routes of the reference. ``describe`` makes the document; it is called once, at the first request."""
    made = cache(lambda: Reference(describe()))
    style = cache(lambda: _STYLE.read_text(encoding="utf-8"))

    @get("/api/docs", public=True, compressed=True)
    def show_reference(query: Search) -> Response:
        """Show the API reference as a page; ``q`` searches it."""
        return Response(
            below.html(made().page(query.q)).encode(),
            media_type="text/html",
            headers={"content-security-policy": _POLICY},
        )

    @get("/api/docs/json", public=True, compressed=True)
    def show_document() -> dict[str, Any]:
        """Show the OpenAPI document."""
        return dict(made().document)

    @get("/api/docs/reference.css", public=True, compressed=True)
    def show_style() -> Response:
        """Show the style of the reference page."""
        return Response(
            style().encode(),
            media_type="text/css",
            headers={"cache-control": "public, max-age=300"},
        )

    return group(TAG, show_reference, show_document, show_style)


@dataclass(frozen=True)
class _Entry:
    method: str
    path: str
    facts: Mapping[str, Any]
    text: str
    """All that is said about the operation, in lower case, for the search."""

    @property
    def anchor(self) -> str:
        return str(self.facts["operationId"])


@dataclass(frozen=True)
class Reference:
    """The document with what is made of it once: the text that is searched, the whole page, the HTML of each operation.

    Everybody may read the reference, so a request may cost little: a search puts together what is there.
    """

    document: Document

    def page(self, search: str = "") -> str:
        """Return the page. Everything that comes from the search or the document is escaped."""
        words = [word[:_LONGEST_WORD] for word in search.lower().split(maxsplit=MOST_WORDS)[:MOST_WORDS]]
        return self._render(words) if words else self._whole

    @cached_property
    def _whole(self) -> str:
        return self._render([])

    def _render(self, words: Sequence[str]) -> str:
        document, search = self.document, " ".join(words)
        entries = [entry for entry in self._entries if all(word in entry.text for word in words)]
        groups = {
            tag["name"]: [entry for entry in entries if tag["name"] in entry.facts["tags"]] for tag in document["tags"]
        }
        groups = {tag: found for tag, found in groups.items() if found}
        title = f"{escape(document['info']['title'])} API {escape(document['info']['version'])}"
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<link rel="stylesheet" href="/api/docs/reference.css"></head><body>'
            f'<a class="skip" href="#content">Skip to the operations</a>{_side(title, groups, search)}'
            f'<main id="content">{_intro(document, len(entries), search)}'
            f"{''.join(self._section(tag, found) for tag, found in groups.items())}"
            f"{self._types(entries)}</main></body></html>"
        )

    def _section(self, tag: str, entries: Sequence[_Entry]) -> str:
        shown = "".join(self._operations[entry.anchor] for entry in entries)
        return f"<section><h2>{escape(tag)}</h2>{shown}</section>"

    def _types(self, entries: Sequence[_Entry]) -> str:
        """Show the types that the operations shown refer to, directly or through others."""
        wanted = {name for entry in entries for name in self._wanted[entry.anchor]}
        shown = "".join(self._schemas[name] for name in sorted(wanted))
        return f"<section><h2>Types</h2>{shown}</section>" if shown else ""

    @cached_property
    def _entries(self) -> Sequence[_Entry]:
        return tuple(_entries(self.document))

    @cached_property
    def _operations(self) -> Mapping[str, str]:
        return {entry.anchor: _operation(self.document, entry) for entry in self._entries}

    @cached_property
    def _wanted(self) -> Mapping[str, frozenset[str]]:
        return {entry.anchor: _types_of(self.document, entry) for entry in self._entries}

    @cached_property
    def _schemas(self) -> Mapping[str, str]:
        return {name: _schema(self.document, name) for name in self.document["components"]["schemas"]}


def _entries(document: Document) -> Iterator[_Entry]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                facts = methods[method]
                yield _Entry(method.upper(), path, facts, f"{method} {path} {facts}".lower())


def _side(title: str, groups: Mapping[str, Sequence[_Entry]], search: str) -> str:
    lists = "".join(
        f"<details{' open' if search else ''}><summary>{escape(tag)} <small>{len(entries)}</small></summary><ul>"
        + "".join(
            f'<li><a href="#{escape(entry.anchor)}">{_badge(entry.method)}{escape(entry.facts["summary"])}</a></li>'
            for entry in entries
        )
        + "</ul></details>"
        for tag, entries in groups.items()
    )
    return (
        f'<nav aria-label="Operations"><p class="brand"><a href="/api/docs">{title}</a></p>'
        '<form action="/api/docs" role="search"><label for="q">Search</label>'
        f'<input id="q" name="q" type="search" value="{escape(search)}" placeholder="path, field or word">'
        f"<button>Search</button></form>{lists}</nav>"
    )


def _intro(document: Document, count: int, search: str) -> str:
    if search:
        found = f"{count} operation{'' if count == 1 else 's'} for “{escape(search)}”"
        return f'<header><h1>{found}</h1><p><a href="/api/docs">Show all</a></p></header>'
    return (
        f"<header><h1>API reference</h1><p>{escape(document['info']['description'])}</p>"
        "<p>Send <code>Authorization: Bearer &lt;token&gt;</code>. The same as data: "
        '<a href="/api/docs/json">OpenAPI 3.1 document</a>.</p></header>'
    )


def _badge(method: str) -> str:
    return f'<span class="method {method.lower()}">{method}</span>'


def _operation(document: Document, entry: _Entry) -> str:
    facts = entry.facts
    access = "" if facts["security"] else '<span class="public">no token needed</span>'
    description = f"<p>{_ticked(facts['description'])}</p>" if "description" in facts else ""
    return (
        f'<article id="{escape(entry.anchor)}"><h3>{_badge(entry.method)}<code>{_breakable(entry.path)}</code>{access}</h3>'
        f'<p class="summary">{_ticked(facts["summary"])}</p>{description}'
        f"{_parameters(facts)}{_body(document, facts)}{_answers(document, facts)}</article>"
    )


def _breakable(path: str) -> str:
    return escape(path).replace("/", "/<wbr>")


def _parameters(facts: Mapping[str, Any]) -> str:
    parameters = facts.get("parameters", ())
    if not parameters:
        return ""
    rows = "".join(
        _row(each["name"], each["schema"], required=each["required"], note=f"in the {each['in']}")
        for each in parameters
    )
    return f"<h4>Parameters</h4>{_table(rows)}"


def _body(document: Document, facts: Mapping[str, Any]) -> str:
    if "requestBody" not in facts:
        return ""
    schema = facts["requestBody"]["content"]["application/json"]["schema"]
    note = "" if facts["requestBody"]["required"] else " <small>may be empty</small>"
    return f"<h4>Body{note}</h4>{_fields(document, schema)}"


def _answers(document: Document, facts: Mapping[str, Any]) -> str:
    good, *problems = facts["responses"].items()
    schema = good[1].get("content", {}).get("application/json", {}).get("schema", {})
    shown = _fields(document, schema) if schema else "<p>No body.</p>" if "content" not in good[1] else ""
    rest = "".join(f"<li><b>{status}</b> {_ticked(each['description'])}</li>" for status, each in problems)
    return f"<h4>Answer <small>{good[0]}</small></h4>{shown}<details><summary>Errors</summary><ul>{rest}</ul></details>"


def _ticked(text: str) -> str:
    parts = escape(text).replace("``", "`").split("`")
    return "".join(f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts))


def _fields(document: Document, schema: Mapping[str, Any]) -> str:
    reference = schema.get("$ref")
    found = document["components"]["schemas"][reference.rsplit("/", 1)[-1]] if reference else schema
    if "properties" not in found:
        return f"<p>{_type(schema)}</p>"
    required = set(found.get("required", ()))
    rows = "".join(_row(name, inner, required=name in required) for name, inner in found["properties"].items())
    return _table(rows)


def _table(rows: str) -> str:
    return f"<table><thead><tr><th>Name</th><th>Type</th><th>Notes</th></tr></thead><tbody>{rows}</tbody></table>"


def _row(name: str, schema: Mapping[str, Any], *, required: bool, note: str = "") -> str:
    notes = [note, "required" if required else "", *_limits(schema)]
    shown = "; ".join(escape(each) for each in notes if each)
    return f"<tr><td><code>{escape(name)}</code></td><td>{_type(schema)}</td><td>{shown}</td></tr>"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(arm) for arm in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = escape(str(schema.get("type", "any")))
    return f"{kind} <small>{escape(schema['format'])}</small>" if "format" in schema else kind


_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "pattern": "matches {}",
}


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for arm in (schema, *schema.get("anyOf", ())):
        for name, sentence in _LIMITS.items():
            if name in arm:
                yield sentence.format(arm[name])
    if "default" in schema and schema["default"] not in (None, "", []):
        yield f"default {schema['default']}"


def _schema(document: Document, name: str) -> str:
    fields = _fields(document, document["components"]["schemas"][name])
    return f'<article id="schema-{escape(name)}"><h3>{escape(name)}</h3>{fields}</article>'


def _types_of(document: Document, entry: _Entry) -> frozenset[str]:
    """Return the names of the types that the operation refers to, directly or through others."""
    known, wanted, queue = document["components"]["schemas"], set[str](), [entry.facts]
    while queue:
        for name in _references(queue.pop()):
            if name not in wanted:
                wanted.add(name)
                queue.append(known[name])
    return frozenset(wanted)


def _references(facts: object) -> Iterator[str]:
    if isinstance(facts, Mapping):
        if isinstance(reference := facts.get("$ref"), str):
            yield reference.rsplit("/", 1)[-1]
        for inner in facts.values():
            yield from _references(inner)
    elif isinstance(facts, list):
        for inner in facts:
            yield from _references(inner)
