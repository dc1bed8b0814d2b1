"""The clouds that Entra ID runs in: where tokens come from, where Graph is, where people click.

Tokens of one cloud mean nothing in another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from keyturn.errors import Misconfigured, NeedsAction
from keyturn.kit.dataclasses import dataclass


@dataclass(frozen=True)
class Cloud:
    """One cloud. ``authority`` and ``graph`` are ``https://host[:port]`` without a path."""

    name: str
    title: str
    authority: str
    graph: str
    portal: str = "https://portal.azure.com"
    aliases: frozenset[str] = frozenset()
    """Further origins that are the same authority under another name."""
    reports_credentials: bool = True
    """Whether Graph's beta reports when each credential signed in last: Microsoft offers that in the global cloud alone.

    https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities?view=graph-rest-beta
    """

    @property
    def scope(self) -> str:
        """The scope that asks for every Graph permission granted to the application."""
        return f"{self.graph}/.default"

    def authority_of(self, tenant_id: str) -> str:
        """Return the authority of one tenant, as Microsoft's libraries want it."""
        return f"{self.authority}/{tenant_id}"

    def is_authority(self, url: str) -> bool:
        """Say whether the URL belongs to this cloud's sign-in service."""
        return origin(url) in {self.authority, *self.aliases}

    def is_graph(self, url: str) -> bool:
        """Say whether the URL belongs to this cloud's Graph."""
        return origin(url) == self.graph

    def credentials_page(self, app_id: str) -> str:
        """Return the link to "Certificates & secrets" of an application in the portal."""
        return (
            f"{self.portal}/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/{app_id}"
            "/isMSAApp~/false"
        )


GLOBAL = Cloud(
    "global",
    "Azure (global, and US Government GCC)",
    "https://login.microsoftonline.com",
    "https://graph.microsoft.com",
    aliases=frozenset({"https://login.windows.net", "https://login.microsoft.com"}),
)
USGOV_L4 = Cloud(
    "usgov-l4",
    "US Government L4 (GCC High)",
    "https://login.microsoftonline.us",
    "https://graph.microsoft.us",
    "https://portal.azure.us",
    reports_credentials=False,
)
USGOV_L5 = Cloud(
    "usgov-l5",
    "US Government L5 (DoD)",
    "https://login.microsoftonline.us",
    "https://dod-graph.microsoft.us",
    "https://portal.azure.us",
    reports_credentials=False,
)
CHINA = Cloud(
    "china",
    "China (21Vianet)",
    "https://login.partner.microsoftonline.cn",
    "https://microsoftgraph.chinacloudapi.cn",
    "https://portal.azure.cn",
    aliases=frozenset({"https://login.chinacloudapi.cn"}),
    reports_credentials=False,
)


class Clouds:
    """The table of clouds, by name."""

    def __init__(self, clouds: Iterable[Cloud], only: str | None = None) -> None:
        self._by_name: Mapping[str, Cloud] = MappingProxyType({cloud.name: cloud for cloud in clouds})
        self._only = only

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def get(self, name: str) -> Cloud:
        """Return the cloud. Raises Misconfigured for a name that is not in the table, NeedsAction for one not worked with."""
        if self._only is not None and name != self._only:
            raise NeedsAction(
                f"This was made for the Microsoft cloud '{name}', and this server works with '{self._only}': nothing was sent.",
                code="azure.other_cloud",
                fix=f"Connect again with an application of '{self._only}', or run the server with KEYTURN_CLOUD={name}.",
            )
        cloud = self._by_name.get(name)
        if cloud is None:
            raise Misconfigured(
                f"there is no cloud named {name!r}", code="config.cloud", fix=f"Use one of: {', '.join(self.names)}."
            )
        return cloud

    def overridden(self, name: str, *, authority: str, graph: str) -> "Clouds":
        """Return a table where this name (new or known) has another sign-in service and Graph.

        Raises Misconfigured unless both are ``https://host[:port]``.
        """
        cloud = self._by_name.get(name, GLOBAL)
        title = cloud.title if name in self._by_name else name
        authority, graph = _base(authority, "authority"), _base(graph, "Graph")
        custom = replace(cloud, name=name, title=title, authority=authority, graph=graph, aliases=frozenset())
        return Clouds({**self._by_name, name: custom}.values(), self._only)

    def limited_to(self, name: str) -> "Clouds":
        """Return the table for a server that works with this cloud alone: whatever a row says, no other is talked to."""
        return Clouds(self._by_name.values(), name)


def standard_clouds() -> Clouds:
    """Return the clouds that Microsoft documents."""
    return Clouds((GLOBAL, USGOV_L4, USGOV_L5, CHINA))


def origin(url: str) -> str | None:
    """Return ``https://host[:port]`` in lower case; None for anything else, and for a URL that carries a user name."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() != "https" or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" if port in {None, 443} else f"https://{host}:{port}"


def _base(url: str, what: str) -> str:
    base = origin(url)
    if base is None or urlsplit(url).path.strip("/"):
        raise Misconfigured(
            f"the {what} of a custom cloud must be https://host or https://host:port",
            code="config.cloud_override",
            fix="Leave out paths and tenant names; plain http is refused, since secrets would travel in the clear.",
        )
    return base
