"""App connections: stored credentials that sign in to an identity provider, shared by id."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from keyturn.kit.secret import Place, Plaintext, Sealed
from keyturn.ports import Tenant

APP = "azure-client-secrets"


class Method(StrEnum):
    OAUTH = "oauth"
    CLIENT_SECRET = "client-secret"
    CERTIFICATE = "certificate"


@dataclass(frozen=True)
class ClientSecret:
    """What a connection of the method ``client-secret`` signs in with, as a user types it."""

    tenant_id: str
    client_id: str
    secret: Plaintext
    key_id: str | None = None


@dataclass(frozen=True)
class Draft:
    """A connection to be made."""

    name: str
    credentials: ClientSecret
    description: str | None = None
    project_id: str | None = None


@dataclass(frozen=True)
class Home:
    """The project that a connection belongs to."""

    id: str
    name: str
    slug: str


@dataclass(frozen=True)
class Connection:
    """A stored connection. ``secret`` is sealed for :meth:`place`: a client secret and the salt of the hash."""

    id: str
    org_id: str
    project_id: str | None
    name: str
    description: str | None
    app: str
    method: Method
    cloud: str
    tenant_id: str
    client_id: str
    secret: Sealed
    secret_version: int
    credentials_hash: str
    version: int
    created_at: datetime
    updated_at: datetime
    checked_at: datetime | None = None
    check_result: dict[str, Any] | None = None

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.cloud, self.tenant_id)

    @property
    def place(self) -> Place:
        return place(self.id, self.secret_version)


def place(connection_id: str, version: int) -> Place:
    return Place("app_connections", connection_id, "secret", version)


def pack(secret: Plaintext, salt: str) -> Plaintext:
    """Put the secret and the salt of the credentials' hash into the one value that is sealed."""
    return Plaintext(json.dumps({"clientSecret": secret.reveal(), "salt": salt}))


def unpack(packed: Plaintext) -> tuple[Plaintext, str]:
    data = json.loads(packed.reveal())
    return Plaintext(data["clientSecret"]), data["salt"]


def credentials_hash(given: ClientSecret, salt: str) -> str:
    """Return a hash of what the user supplied: equal input, equal hash, for this connection.

    It does not change when the server rotates the secret, so clients that compare it see no drift; and it tells whether
    a client merely sent again what it sent before. Keyed with a salt that is stored sealed, so it reveals nothing.
    """
    text = json.dumps([given.tenant_id.lower(), given.client_id.lower(), given.secret.reveal()])
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()
