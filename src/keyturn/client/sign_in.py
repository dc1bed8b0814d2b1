"""How the client signs in: a token it was given, a client secret, or a token that its platform signs."""

import json
import os
from collections.abc import Mapping
from dataclasses import field
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from keyturn.client.domain import Outage
from keyturn.client.settings import METHODS, SERVICE_ACCOUNT_TOKEN, Settings
from keyturn.client.transport import Http
from keyturn.errors import Misconfigured
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

AZURE_RESOURCE = "https://management.azure.com/"
_METADATA = "http://169.254.169.254"


class SignIn(Protocol):
    """One way to sign in."""

    @property
    def method(self) -> str:
        """The name that the method has in the API."""

    @property
    def identity(self) -> str:
        """Who signs in, as far as that can be said without asking: what one identity read is not shown to another."""

    def body(self) -> dict[str, str] | None:
        """Return what is sent to sign in; None for a token that needs no sign-in. Raises Misconfigured or Outage."""


@dataclass(frozen=True)
class GivenToken:
    """An access token that somebody else got."""

    token: Plaintext
    method = "token"

    @property
    def identity(self) -> str:
        return sha256(self.token.reveal().encode()).hexdigest()

    def body(self) -> None:
        return None


@dataclass(frozen=True)
class UniversalAuth:
    client_id: str
    client_secret: Plaintext
    method = "universal-auth"

    @property
    def identity(self) -> str:
        return self.client_id

    def body(self) -> dict[str, str]:
        return {"clientId": self.client_id, "clientSecret": self.client_secret.reveal()}


@dataclass(frozen=True)
class TokenFile:
    """A token that the platform keeps fresh in a file (Kubernetes, SPIRE), read anew for each sign-in, or one that is given."""

    method: str
    identity: str
    file: Path | None
    token: Plaintext | None = None

    def body(self) -> dict[str, str]:
        return {"identityId": self.identity, "jwt": self._token()}

    def _token(self) -> str:
        if self.token is not None:
            return self.token.reveal()
        try:
            text = self.file.read_text("ascii").strip() if self.file else ""
        except (OSError, ValueError) as error:
            raise Misconfigured(
                f"The token in {self.file} cannot be read: {type(error).__name__}.",
                code="client.jwt_file",
                fix="Set KEYTURN_JWT_FILE to the file in which the platform puts the token.",
            ) from None
        if not text:
            raise Misconfigured(
                "There is no token to sign in with.", code="client.no_jwt", fix="Set KEYTURN_JWT_FILE or KEYTURN_JWT."
            )
        return text


@dataclass(frozen=True)
class ManagedIdentity:
    """A token of the managed identity of an Azure machine, App Service or container.

    Source: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token and, where
    IDENTITY_ENDPOINT is set, https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
    """

    identity: str
    resource: str
    environ: Mapping[str, str] = field(repr=False)
    method = "azure-auth"

    def body(self) -> dict[str, str]:
        endpoint, header = self.environ.get("IDENTITY_ENDPOINT"), self.environ.get("IDENTITY_HEADER")
        if endpoint and header:
            url, headers = endpoint, {"x-identity-header": header}
            query = {"api-version": "2019-08-01", "resource": self.resource}
        else:
            host = self.environ.get("AZURE_POD_IDENTITY_AUTHORITY_HOST", _METADATA).rstrip("/")
            url, headers = f"{host}/metadata/identity/oauth2/token", {"metadata": "true"}
            query = {"api-version": "2018-02-01", "resource": self.resource}
        metadata = Http(url, seconds=5.0)
        try:
            answer = metadata.send("GET", f"{url}?{urlencode(query)}", headers=headers)
        finally:
            metadata.close()
        try:
            token = json.loads(answer.body)["access_token"] if answer.status == 200 else None
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str):
            raise Outage(f"the managed identity of this machine gave no token (status {answer.status})")
        return {"identityId": self.identity, "jwt": token}


def sign_in_of(settings: Settings, environ: Mapping[str, str] | None = None) -> SignIn:
    """Return how to sign in. Raises Misconfigured when that is not known, naming what to set."""
    method, secrets = settings.get("method"), settings.secrets
    if "token" in secrets and method is None:
        return GivenToken(secrets["token"])
    if method is None and settings.get("client_id"):
        method = "universal-auth"
    if method is None:
        raise Misconfigured(
            "The client does not know how to sign in.",
            code="client.no_credentials",
            fix="Set KEYTURN_CLIENT_ID and KEYTURN_CLIENT_SECRET, KEYTURN_TOKEN, or KEYTURN_AUTH_METHOD.",
        )
    if method not in METHODS:
        raise Misconfigured(
            f"There is no way to sign in that is called '{method[:64]}'.",
            code="client.method",
            fix=f"Use one of {', '.join(METHODS)}.",
        )
    if method == "universal-auth":
        return UniversalAuth(settings.need("client_id", "--client-id"), _client_secret(settings))
    identity = settings.need("identity_id", "--identity-id")
    if method == "azure-auth" and not ("jwt" in secrets or settings.get("jwt_file")):
        resource = settings.get("azure_resource") or AZURE_RESOURCE
        return ManagedIdentity(identity, resource, os.environ if environ is None else environ)
    usual = SERVICE_ACCOUNT_TOKEN if method == "kubernetes-auth" else None
    return TokenFile(method, identity, settings.file("jwt_file") or usual, secrets.get("jwt"))


def _client_secret(settings: Settings) -> Plaintext:
    """Return the client secret from its variable, or from a file as systemd and containers hand it over."""
    if "client_secret" in settings.secrets:
        return settings.secrets["client_secret"]
    path = settings.file("client_secret_file")
    if path is None:
        raise Misconfigured(
            "The client secret is not known.",
            code="client.no_client_secret",
            fix="Set KEYTURN_CLIENT_SECRET_FILE to a file that holds it, or KEYTURN_CLIENT_SECRET.",
        )
    try:
        return Plaintext(path.read_text("utf-8").strip())
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"The client secret in {path} cannot be read: {type(error).__name__}.",
            code="client.client_secret_file",
            fix="Make the file readable for the user that runs this program.",
        ) from None
