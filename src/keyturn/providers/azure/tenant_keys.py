"""Entra ID as an issuer: how its tokens name it, and where their keys are.

Sources: https://learn.microsoft.com/entra/identity-platform/access-tokens (keys of a tenant, versions 1.0 and 2.0) and
https://learn.microsoft.com/answers/questions/1190472 (issuers by cloud).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from keyturn.ports.http import HttpRequest, HttpResponse, Transport
from keyturn.providers.azure.clouds import CHINA, Cloud

_FIRST_VERSION: Mapping[str, str] = {CHINA.name: "https://sts.chinacloudapi.cn"}
_USUAL_FIRST_VERSION = "https://sts.windows.net"


class TenantKeys:
    """``asked`` is the cloud as this server calls it: at other addresses than the ``cloud`` itself, where those are set."""

    def __init__(
        self, transport: Transport, cloud: Cloud, endpoints: Cloud, timeout: timedelta = timedelta(seconds=5)
    ) -> None:
        self._transport = transport
        self._cloud = cloud
        self._endpoints = endpoints
        self._timeout = timeout

    def issuers(self, tenant_id: str) -> Sequence[str]:
        """Return what tokens of the tenant may name as their issuer: version 1.0, as of most resources, and 2.0."""
        tenant = tenant_id.lower()
        first = _FIRST_VERSION.get(self._cloud.name, _USUAL_FIRST_VERSION)
        second = dict.fromkeys((self._cloud.authority, self._endpoints.authority))
        return (f"{first}/{tenant}/", *(f"{authority}/{tenant}/v2.0" for authority in second))

    def signing_keys(self, tenant_id: str) -> HttpResponse:
        """Ask for the keys that tokens of the tenant are signed with. Raises TransportFailed."""
        url = f"{self._endpoints.authority}/{tenant_id.lower()}/discovery/v2.0/keys"
        return self._transport.send(HttpRequest("GET", url, {"accept": "application/json"}, timeout=self._timeout))
