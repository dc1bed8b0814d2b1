"""A token source of Azure: a managed identity, of a machine, App Service or Azure Arc, through Microsoft's own library."""

import urllib.parse
from collections.abc import Mapping
from typing import Any, NoReturn

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse, Transport, TransportFailed
from keyturn.providers.token_sources import TIMEOUT, read_token, source_refused, unreachable

_PASSING = frozenset({404, 410, 429})
"""The metadata service answers so while it is updated, for up to 70 seconds, and when it is asked too often.

Source: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#retry-guidance.
"""


@dataclass(frozen=True)
class ManagedIdentity:
    """A managed identity of the machine in Azure, or by Azure Arc: MSAL finds out which of their endpoints is there.

    Without ``client_id`` it is the machine's own. ``transport`` reaches addresses of the machine, without a proxy.
    """

    name: str
    client_id: str | None
    transport: Transport

    def token(self, audience: str) -> Plaintext:
        import msal  # noqa: PLC0415 - a fifth of a second, which only processes that sign in should pay

        http = _MachineHttp(self.transport)
        identity = (
            msal.UserAssignedManagedIdentity(client_id=self.client_id)
            if self.client_id
            else msal.SystemAssignedManagedIdentity()
        )
        try:
            client = msal.ManagedIdentityClient(identity, http_client=http)
            answer = client.acquire_token_for_client(resource=audience)
        except TransportFailed as failure:
            raise unreachable(self.name, str(failure)) from None
        except Exception as error:  # noqa: BLE001 - MSAL raises many kinds for answers that make no sense
            if http.failure is not None:
                raise unreachable(self.name, str(http.failure)) from None
            raise unreachable(self.name, type(error).__name__) from None
        value = answer.get("access_token")
        if isinstance(value, str) and value:
            return read_token(self.name, value.encode())
        if http.status in _PASSING or http.status >= 500:
            raise unreachable(self.name, f"status {http.status}")
        words = str(answer.get("error_description") or answer.get("error") or "no token")
        fix = "Assign the managed identity to this machine. Where it has several, name one in KEYTURN_TOKEN_SOURCES: "
        raise source_refused(
            self.name, " ".join(words.split())[:200], fix + "managed-identity:, followed by its client id."
        )


class _MachineResponse:
    def __init__(self, response: HttpResponse) -> None:
        self.status_code, self.headers = response.status, dict(response.headers)
        self.text = response.body.decode("utf-8", "replace")


class _MachineHttp:
    """The HTTP library of MSAL's managed identities: they only ever get."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.status = 0
        self.failure: TransportFailed | None = None

    def get(
        self, url: str, params: Mapping[str, str] | None = None, headers: Any = None, **_: object
    ) -> _MachineResponse:
        full = f"{url}?{urllib.parse.urlencode(params)}" if params else url
        try:
            response = self._transport.send(HttpRequest("GET", full, dict(headers or {}), timeout=TIMEOUT))
        except TransportFailed as failure:
            self.failure = failure
            raise
        self.status = response.status
        return _MachineResponse(response)

    def post(self, *_: object, **__: object) -> NoReturn:
        raise TransportFailed("managed identities are only asked by GET", sent=False)

    def close(self) -> None:
        """Do nothing: the transport is shared."""
