"""The one answer of Azure Resource Manager that `az login` needs: no subscriptions."""

from __future__ import annotations

from entra_emulator.core.wire import Response, json_body
from entra_emulator.directory.world import Call

_JSON = (("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-cache"))


def handle(call: Call) -> Response:
    """An empty list of subscriptions, or the refusal of anything else."""
    if call.path.rstrip("/") == "/subscriptions" and call.request.method == "GET":
        call.entry.operation = "listSubscriptions"
        return Response(200, _JSON, json_body({"value": [], "count": {"type": "Total", "value": 0}}))
    call.entry.error = "NotFound"
    body = {"error": {"code": "NotFound", "message": "The resource was not found."}}
    return Response(404, _JSON, json_body(body))
