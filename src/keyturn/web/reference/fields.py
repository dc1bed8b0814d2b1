"""What the API reference says about the fields of parameters, bodies and answers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keyturn.kit.dataclasses import dataclass

Facts = Mapping[str, Any]

_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "pattern": "matches `{}`",
}


@dataclass(frozen=True)
class Row:
    """One field. ``place`` says where a parameter stands: path or query."""

    name: str
    schema: Facts
    required: bool
    notes: str
    place: str = ""


@dataclass(frozen=True)
class Fields:
    """The fields of an object; none for any other value, of which ``schema`` says the type."""

    schema: Facts
    rows: Sequence[Row]


def fields_of(schema: Facts, schemas: Facts) -> Fields:
    """Return the fields of an object, also when the schema refers to one of ``schemas``."""
    struct = schemas[component_name(schema["$ref"])] if "$ref" in schema else schema
    required = set(struct.get("required", ()))
    rows = [
        Row(name, inner, name in required, "; ".join(_notes(inner)))
        for name, inner in struct.get("properties", {}).items()
    ]
    return Fields(schema, rows)


def parameters_of(operation: Facts) -> Sequence[Row]:
    return [
        Row(each["name"], each["schema"], each["required"], "; ".join(_notes(each["schema"])), each["in"])
        for each in operation.get("parameters", ())
    ]


def references(facts: object, schemas: Facts) -> frozenset[str]:
    """Return the names of the types that are referred to, directly or through others."""
    names, queue = set[str](), [facts]
    while queue:
        for name in _references(queue.pop()):
            if name not in names:
                names.add(name)
                queue.append(schemas[name])
    return frozenset(names)


def component_name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def _references(facts: object) -> Iterator[str]:
    if isinstance(facts, Mapping):
        if isinstance(reference := facts.get("$ref"), str):
            yield component_name(reference)
        for inner in facts.values():
            yield from _references(inner)
    elif isinstance(facts, list):
        for inner in facts:
            yield from _references(inner)


def _notes(schema: Facts) -> Iterator[str]:
    for arm in (schema, *schema.get("anyOf", ())):
        if "description" in arm:
            yield arm["description"].rstrip(".")
        for name, sentence in _LIMITS.items():
            if name in arm:
                yield "not empty" if (name, arm[name]) == ("minLength", 1) else sentence.format(arm[name])
    if "default" in schema and schema["default"] not in (None, "", []):
        yield f"default {schema['default']}"
