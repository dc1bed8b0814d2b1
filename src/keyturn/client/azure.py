"""Credentials for Microsoft's libraries that follow the rotation of their client secret: the program needs no other change.

    from keyturn.client.azure import KeyturnCredential
    client = SecretClient(vault_url, KeyturnCredential(tenant_id="..."))

Needs azure-identity: ``pip install keyturn[azure]``. Source of the protocols: https://learn.microsoft.com/python/api/azure-core/
azure.core.credentials.tokencredential and .supportstokeninfo; of the codes: https://learn.microsoft.com/entra/identity-platform/
reference-error-codes.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, CredentialUnavailableError
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential

from keyturn.client.followed import ClientCredential, FollowedCredential
from keyturn.client.instance import new_instance
from keyturn.client.opening import open_client
from keyturn.errors import KeyturnError

ID_NAME, SECRET_NAME = "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"
_REPLACED = ("AADSTS7000215", "AADSTS7000222")
"""The secret is wrong, or has ended."""

_log = logging.getLogger("keyturn.client")
Inner = TypeVar("Inner")
Result = TypeVar("Result")


class _Following(Generic[Inner]):
    """The credential of azure-identity for the current secret, and the one before as long as it may be needed."""

    def __init__(self, followed: FollowedCredential, build: Callable[[ClientCredential], Inner]) -> None:
        self._followed = followed
        self._build = build
        self._lock = threading.Lock()
        self._built: list[tuple[ClientCredential, Inner]] = []
        self._used: ClientCredential | None = None

    @property
    def is_known(self) -> bool:
        return self._followed.is_known

    def current(self) -> tuple[ClientCredential, Inner]:
        """Raises CredentialUnavailableError when no secret is known and none can be read."""
        try:
            return self._for(self._followed.current())
        except KeyturnError as error:
            raise CredentialUnavailableError(message=error.diagnostics()) from None

    def used(self, credential: ClientCredential) -> None:
        """Note that Entra ID accepted it: at the first time the server is told that it is in use."""
        if self._used != credential:
            self._used = credential
            self._followed.used(credential)

    def instead_of(
        self, refused: ClientCredential, error: ClientAuthenticationError
    ) -> tuple[ClientCredential, Inner] | None:
        """Return what to try when this one was refused with the error; None when there is nothing.

        It is what took its place, or, where a replica of Entra ID does not know the newest yet, the one before.
        """
        if not any(code in str(error) for code in _REPLACED):
            return None
        newer = self._followed.newer_than(refused)
        if newer is not None:
            return self._for(newer)
        with self._lock:
            return next((built for built in self._built if built[0] != refused), None)

    def close(self) -> list[Inner]:
        """Close the connections to the server, and return what is for the caller to close."""
        self._followed.close()
        with self._lock:
            return [inner for _, inner in self._built]

    def _for(self, credential: ClientCredential) -> tuple[ClientCredential, Inner]:
        with self._lock:
            for known in self._built:
                if known[0] == credential:
                    return known
            fresh = credential, self._build(credential)
            # Tokens are kept in these; of two secrets both may be good for a while, of three one is gone.
            self._built = [fresh, *self._built[:1]]
            return fresh


class KeyturnCredential:
    """A ``TokenCredential``. Safe to share between threads.

    The folder is the one that the environment names, unless ``secrets`` says another: see :func:`followed`. ``options`` are
    those of ``azure.identity.ClientSecretCredential``, such as ``authority``.
    """

    def __init__(self, tenant_id: str, *, secrets: FollowedCredential | None = None, **options: Any) -> None:
        """Ask nobody yet. Raises Misconfigured when the environment does not say whom to ask, or for what."""
        self._following = _Following(
            secrets or followed(),
            lambda known: ClientSecretCredential(tenant_id, known.client_id, known.client_secret.reveal(), **options),
        )

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token. Raises ClientAuthenticationError when Entra ID refuses every secret that is known."""
        return self._ask(lambda inner: inner.get_token(*scopes, **options))

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token with what libraries of today want to know of it. Raises as :meth:`get_token`."""
        return self._ask(lambda inner: inner.get_token_info(*scopes, options=options))

    def _ask(self, ask: Callable[[ClientSecretCredential], Result]) -> Result:
        credential, inner = self._following.current()
        try:
            result = ask(inner)
        except ClientAuthenticationError as error:
            other = self._following.instead_of(credential, error)
            if other is None:
                raise
            credential, inner = other
            result = ask(inner)
        self._following.used(credential)
        return result

    def close(self) -> None:
        for inner in self._following.close():
            inner.close()

    def __enter__(self) -> "KeyturnCredential":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncKeyturnCredential:
    """The same as an ``AsyncTokenCredential``: secrets are read in a thread, so that the loop never waits for them.

    ``options`` are those of ``azure.identity.aio.ClientSecretCredential``.
    """

    def __init__(self, tenant_id: str, *, secrets: FollowedCredential | None = None, **options: Any) -> None:
        """As :class:`KeyturnCredential`."""
        self._following = _Following(
            secrets or followed(),
            lambda known: AsyncClientSecretCredential(
                tenant_id, known.client_id, known.client_secret.reveal(), **options
            ),
        )

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token. Raises ClientAuthenticationError when Entra ID refuses every secret that is known."""
        return await self._ask(lambda inner: inner.get_token(*scopes, **options))

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token with what libraries of today want to know of it. Raises as :meth:`get_token`."""
        return await self._ask(lambda inner: inner.get_token_info(*scopes, options=options))

    async def _ask(self, ask: Callable[[AsyncClientSecretCredential], Awaitable[Result]]) -> Result:
        current = self._following.current
        credential, inner = current() if self._following.is_known else await asyncio.to_thread(current)
        try:
            result = await ask(inner)
        except ClientAuthenticationError as error:
            other = await asyncio.to_thread(self._following.instead_of, credential, error)
            if other is None:
                raise
            credential, inner = other
            result = await ask(inner)
        self._following.used(credential)
        return result

    async def close(self) -> None:
        for inner in self._following.close():
            await inner.close()

    async def __aenter__(self) -> "AsyncKeyturnCredential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def followed(
    *,
    project: str | None = None,
    environment: str | None = None,
    path: str | None = None,
    client_id_name: str = ID_NAME,
    client_secret_name: str = SECRET_NAME,
    interval: float = 60.0,
    environ: Mapping[str, str] | None = None,
) -> FollowedCredential:
    """Return what follows the two secrets of these names in a folder; what is not given, the environment says.

    A newer secret is known as soon as the server tells of it; where requests may not wait for that, it is looked for every
    ``interval`` seconds. It is read at once whenever Entra ID refuses the known one. Raises Misconfigured.
    """
    variables = os.environ if environ is None else environ
    given = {"project": project, "environment": environment, "path": path}
    client = open_client(variables, given, _log.warning)
    reader = client.reader(client.source(), interval=interval, instance=new_instance())
    return FollowedCredential(reader, client_id_name, client_secret_name, client.server.close)
