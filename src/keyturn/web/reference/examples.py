"""An example of each request in curl, made from the OpenAPI document: what is needed, and of the rest what has an example.

Who pastes one has set ``KEYTURN_URL`` and ``KEYTURN_TOKEN``; ids and values are samples to be replaced.
"""

import json
import re
import shlex
from typing import Any
from urllib.parse import quote

from keyturn.web.reference.fields import Facts, component_name

SAMPLE_ID = "8c1e2f7a-5b3d-4e6f-9a01-2b4c6d8e0f13"
_BY_NAME = {
    "email": "ada@example.com",
    "emails": "ada@example.com",
    "username": "ada@example.com",
    "password": "a pass phrase of your own",
    "newPassword": "a pass phrase of your own",
    "role": "viewer",
    "ipAddress": "203.0.113.0/24",
}
_TEXTS = ("example", "02:30", "2026-12-31T12:00:00Z", "example-" * 6)
"""Tried in this order where a text has to match a pattern."""
_HOLE = re.compile(r"\{(\w+)\}")


def curl(method: str, path: str, facts: Facts, schemas: Facts) -> str:
    """Return a command for a POSIX shell. ``schemas`` are the components that the operation's schemas refer to.

    Raises ValueError for a text whose pattern no sample matches.
    """
    parameters = facts.get("parameters", ())
    shown = [each for each in parameters if each["required"] or _has_example(each["schema"])]
    samples = {each["name"]: sample(each["schema"], schemas, each["name"]) for each in shown}
    address = _HOLE.sub(lambda hole: quote(_text(samples[hole[1]]), safe=""), path)
    names = [each["name"] for each in shown if each["in"] == "query"]
    query = "&".join(f"{name}={quote(_text(samples[name]), safe='')}" for name in names)
    words = [
        "curl" if method == "GET" else f"curl -X {method}",
        f'"$KEYTURN_URL{address}{"?" if query else ""}{query}"',
    ]
    lines = [" ".join(words)]
    if facts["security"]:
        lines.append('-H "Authorization: Bearer $KEYTURN_TOKEN"')
    if "requestBody" in facts and facts["requestBody"]["required"]:
        body = sample(facts["requestBody"]["content"]["application/json"]["schema"], schemas)
        lines += ['-H "Content-Type: application/json"', f"-d {shlex.quote(json.dumps(body, indent=2))}"]
    return " \\\n  ".join(lines)


def sample(schema: Facts, schemas: Facts, name: str = "") -> Any:
    """Return a value that the schema takes. Of an object: what is required, or its first field where nothing is."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return sample(schemas[component_name(schema["$ref"])], schemas, name)
    if "anyOf" in schema:
        return sample(next(arm for arm in schema["anyOf"] if arm.get("type") != "null"), schemas, name)
    if "enum" in schema:
        return _BY_NAME[name] if _BY_NAME.get(name) in schema["enum"] else schema["enum"][0]
    return _plain(schema, schemas, name)


def _plain(schema: Facts, schemas: Facts, name: str) -> Any:
    match schema.get("type"):
        case "object":
            return _object(schema, schemas)
        case "array":
            return [sample(schema.get("items", {}), schemas, name)]
        case "integer" | "number":
            return schema.get("default") or max(schema.get("minimum", 1), 1)
        case "boolean":
            return True
        case _:
            return _string(schema, name)


def _object(schema: Facts, schemas: Facts) -> dict[str, Any]:
    properties, required = schema.get("properties", {}), schema.get("required", ())
    names = [name for name, inner in properties.items() if name in required or _has_example(inner)]
    return {name: sample(properties[name], schemas, name) for name in names or list(properties)[:1]}


def _has_example(schema: Facts) -> bool:
    return "examples" in schema or any("examples" in arm for arm in schema.get("anyOf", ()))


def _string(schema: Facts, name: str) -> str:
    if schema.get("format") == "uuid" or name.endswith("Id"):
        return SAMPLE_ID
    if schema.get("format") == "date-time":
        return "2026-12-31T12:00:00Z"
    texts = (_BY_NAME[name],) if name in _BY_NAME else _TEXTS
    pattern, least = schema.get("pattern", ""), schema.get("minLength", 0)
    example = next((text for text in texts if re.search(pattern, text) and len(text) >= least), None)
    if example is None:
        raise ValueError(f"no sample for {name!r} matches {pattern}")
    return example


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
