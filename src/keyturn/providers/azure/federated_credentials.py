"""Federated identity credentials of an application, over Graph: list, add, remove. One request each, never repeated.

Source: https://learn.microsoft.com/graph/api/resources/federatedidentitycredentials-overview.
"""

from collections.abc import Mapping

from keyturn.errors import NeedsAction
from keyturn.ports.provider import Trust
from keyturn.providers.azure.graph import Graph, GraphContext

MOST = 20
"""Of one application."""


def trusts(graph: Graph, caller: GraphContext, object_id: str) -> Mapping[str, Trust]:
    """List what the application trusts, by name. Flexible ones, which have no subject, stand with an empty one. Repeatable."""
    items, _ = graph.page(caller, f"/applications/{object_id}/federatedIdentityCredentials")
    found: dict[str, Trust] = {}
    for item in items:
        audiences = item.get("audiences")
        first = audiences[0] if isinstance(audiences, list) and audiences else ""
        found[str(item.get("name"))] = Trust(str(item.get("issuer")), str(item.get("subject") or ""), str(first))
    return found


def add_trust(graph: Graph, caller: GraphContext, object_id: str, name: str, trust: Trust) -> None:
    """Add one. Raises Unanswered when it may have been made: its name finds it again."""
    content = {
        "name": name,
        "issuer": trust.issuer,
        "subject": trust.subject,
        "audiences": [trust.audience],
        "description": "Made by Keyturn, for a connection without a secret.",
    }
    graph.call(caller, "POST", f"/applications/{object_id}/federatedIdentityCredentials", content)


def remove_trust(graph: Graph, caller: GraphContext, object_id: str, name: str) -> None:
    """Remove one. Repeatable. One that Graph does not find counts as asked for, not as gone."""
    try:
        graph.call(caller, "DELETE", f"/applications/{object_id}/federatedIdentityCredentials/{name}")
    except NeedsAction as refusal:
        if refusal.code != "azure.application_not_found":
            raise
