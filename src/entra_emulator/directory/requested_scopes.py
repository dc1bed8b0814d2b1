"""What a client asks for in the parameter `scope`, once it is read."""

from __future__ import annotations

from dataclasses import dataclass

from entra_emulator.directory.directory import GRAPH_APP_ID


@dataclass(frozen=True, slots=True)
class ResourceScopes:
    """What is asked of one resource. `prefix` is how the caller wrote the resource, with its slash; empty for bare names.

    `default` asks for all that is configured, instead of names.
    """

    app_id: str
    audience: str
    prefix: str
    names: frozenset[str] = frozenset()
    default: bool = False


@dataclass(frozen=True, slots=True)
class RequestedScopes:
    """A read `scope` parameter: the OpenID scopes, and each resource in the order of its first mention."""

    oidc: frozenset[str]
    resources: tuple[ResourceScopes, ...]

    @property
    def first(self) -> ResourceScopes:
        """The resource that the access token is for: Graph where none is named."""
        return self.resources[0] if self.resources else ResourceScopes(GRAPH_APP_ID, "", "")
