"""Under which addresses sign-in and Graph are reached by whoever asked for this: the real ones apart, or one local for both."""

from __future__ import annotations

from urllib.parse import urlsplit

LOGIN = "https://login.microsoftonline.com"
GRAPH = "https://graph.microsoft.com"
RESOURCE_MANAGER = "https://management.azure.com"
_REAL = frozenset({"login.microsoftonline.com", "graph.microsoft.com", "management.azure.com"})


def login_at(base: str) -> str:
    """Where people and programs sign in, for a caller who used the base URL `base`.

    Without TLS it is the metadata service of a machine, which is no place to sign in.
    """
    return LOGIN if urlsplit(base).netloc.lower() in _REAL or base.startswith("http:") else base


def graph_at(base: str) -> str:
    """The same for Graph."""
    return GRAPH if urlsplit(base).netloc.lower() in _REAL else base


def resource_manager_at(base: str) -> str:
    """The same for Azure Resource Manager."""
    return RESOURCE_MANAGER if urlsplit(base).netloc.lower() in _REAL else base
