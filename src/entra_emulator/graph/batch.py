"""$batch: up to twenty requests in one body, each checked, throttled and failing on its own.

Sources: learn.microsoft.com/graph/json-batching (twenty, any order, 424) and learn.microsoft.com/graph/throttling (each
throttled on its own). The texts of malformed batches are assumed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from entra_emulator.core.wire import Request, Response, json_body
from entra_emulator.directory.directory import new_guid
from entra_emulator.directory.world import Call
from entra_emulator.graph.bodies import json_object
from entra_emulator.graph.errors import GraphError, answer, success

_MOST = 20
_OF_BATCH, _OF_STEP = frozenset({"requests"}), frozenset({"id", "method", "url", "headers", "body", "dependsOn"})
_METHODS = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection", "accept-encoding", "content-encoding"})
_KEPT_HEADERS = frozenset({"authorization", "user-agent", "x-keyturn-instance", "host"})
_SAFE = "/$()'=,:?&%;@+*!~"


def handle(call: Call, answer_one: Callable[[Call], Response]) -> Response:
    """Answers all items with `answer_one`, in an order of its own. Raises GraphError 400 for a malformed batch."""
    items = _read(json_object(call))
    responses_by_id: dict[str, Response] = {}
    for item in items:
        responses_by_id[item["id"]] = (
            _failed_dependency(call) if _blocked(item, responses_by_id) else _run(call, item, answer_one)
        )
    responses = [{"id": name, **_shown(response)} for name, response in responses_by_id.items()]
    call.world.rng.shuffle(responses)
    delay = max((response.delay for response in responses_by_id.values()), default=0.0)
    whole = success(call, {"responses": responses}, "Collection(microsoft.graph.batchResponse)")
    return replace(whole, delay=whole.delay + delay)


def _read(body: dict[str, Any]) -> list[dict[str, Any]]:
    _only(body, _OF_BATCH, "The batch request")
    items = body.get("requests")
    if not isinstance(items, list) or not items:
        raise _malformed("The batch request must have a non-empty collection 'requests'.")
    if len(items) > _MOST:
        raise _malformed(f"Number of batch request steps exceeds the maximum value of {_MOST}.")
    names: list[str] = []
    for item in items:
        _check(item, names)
        names.append(item["id"])
    _check_order(items)
    return items


def _check(item: Any, names: list[str]) -> None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
        raise _malformed("Each batch request step needs an 'id' that is text.")
    name = item["id"][:100]
    _only(item, _OF_STEP, f"Batch request step '{name}'")
    if item["id"] in names:
        raise _malformed(f"Batch request step '{name}' appears more than once.")
    if not isinstance(item.get("method"), str) or item["method"].upper() not in _METHODS:
        raise _malformed(f"Batch request step '{name}' has no valid 'method'.")
    if not isinstance(item.get("url"), str) or not item["url"].strip("/") or "://" in item["url"].partition("?")[0]:
        raise _malformed(f"Batch request step '{name}' needs a 'url' that is relative to the version.")
    headers = item.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise _malformed(f"Batch request step '{name}' has 'headers' that are not an object of texts.")
    if item.get("body") is not None and not any(header.lower() == "content-type" for header in headers):
        raise _malformed(f"Batch request step '{name}' has a body but no Content-Type header.")
    needs = item.get("dependsOn") or []
    if not isinstance(needs, list) or not all(isinstance(need, str) and need in names for need in needs):
        raise _malformed(f"Batch request step '{name}' depends on a step that does not come before it.")


def _only(value: dict[str, Any], names: frozenset[str], what: str) -> None:
    unknown = next((name for name in value if name not in names), None)
    if unknown is not None:
        raise _malformed(f"{what} has a property '{unknown[:100]}', which does not exist.")


def _check_order(items: list[dict[str, Any]]) -> None:
    """Dependencies are none at all, a chain through all steps, or the same one for all that have any.

    Source: https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/2339.
    """
    needs = [list(item.get("dependsOn") or ()) for item in items]
    chain = [[]] + [[item["id"]] for item in items[:-1]]
    dependencies = [need for need in needs if need]
    if needs != chain and any(need != dependencies[0] for need in dependencies):
        raise _malformed("The steps of a batch must be all parallel, all sequential, or all depend on the same step.")


def _blocked(item: dict[str, Any], responses_by_id: dict[str, Response]) -> bool:
    return any(responses_by_id[need].status >= 400 for need in item.get("dependsOn") or ())


def _run(call: Call, item: dict[str, Any], answer_one: Callable[[Call], Response]) -> Response:
    version = call.path.strip("/").partition("/")[0]
    path, _, query = quote(item["url"].strip(), safe=_SAFE, errors="replace").lstrip("/").partition("?")
    headers = {name: value for name, value in call.headers.items() if name in _KEPT_HEADERS}
    own_headers = {str(name).lower(): value for name, value in (item.get("headers") or {}).items()}
    headers |= {name: value for name, value in own_headers.items() if name not in _OWN_HEADERS}
    body = _body(item.get("body"), headers.get("content-type", ""))
    request = Request(item["method"].upper(), f"{call.host}/{version}/{path}?{query}", headers, body)
    entry = call.world.ledger.open(call.now, request.method, f"/{version}/{path}", body)
    entry.user_agent, entry.instance, entry.address = call.entry.user_agent, call.entry.instance, call.entry.address
    inner = Call(call.world, request, entry, call.now, call.host, f"/{version}/{path}", query, headers)
    inner.request_id = entry.request_id = new_guid(call.world.rng)
    response = _refused(inner) if path.lower().startswith("$batch") else answer_one(inner)
    if response.wire.kind in {"reset", "hang"}:
        response = answer(inner, GraphError(504, "UnknownError", "The request timed out at the gateway."))
    entry.status = response.status
    return response


def _body(body: Any, kind: str) -> bytes:
    """JSON as it is; other bodies come as base64."""
    if body is None:
        return b""
    if "json" in kind.lower() or not isinstance(body, str):
        return json_body(body)
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        return body.encode("utf-8", "replace")


def _shown(response: Response) -> dict[str, Any]:
    headers = {name: value for name, value in response.headers if name.lower() not in _OWN_HEADERS}
    fields: dict[str, Any] = {"status": response.status, "headers": headers}
    if response.body:
        plain = (response.header("Content-Type") or "").startswith("text/")
        fields["body"] = response.body.decode() if plain else json.loads(response.body)
    return fields


def _failed_dependency(call: Call) -> Response:
    refusal = GraphError(424, "FailedDependency", "A request that this one depends on has failed.")
    before = call.entry.error
    response = answer(call, refusal)
    call.entry.error = before
    return response


def _refused(inner: Call) -> Response:
    return answer(inner, GraphError(400, "BadRequest", "A batch request cannot be a step of another one."))


def _malformed(why: str) -> GraphError:
    return GraphError(400, "BadRequest", f"Invalid batch payload format. {why}")
