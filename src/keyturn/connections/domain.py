"""App connections: stored credentials that sign in to an identity provider, shared by id. Pure."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any

from keyturn.errors import NeedsAction
from keyturn.kit.counting import distance_in_words
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ends import WARNS_BEFORE_END
from keyturn.kit.moments import shift
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ownership.domain import WHO_MAKES_IT, OwnerChoice
from keyturn.ports.provider import Tenant
from keyturn.ports.sign_in import Credentials, SignInMethod

COULD_CHANGE = "couldChange"
"""In the result of a check: the credential was once seen to be allowed to change secrets."""


@dataclass(frozen=True)
class VerifiedCredentials:
    """Credentials that the provider accepted, and what they came from. ``accepted_at`` is by the provider's clock."""

    given: Credentials
    credentials: Credentials
    accepted_at: datetime


@dataclass(frozen=True)
class NewConnection:
    """A connection to be made."""

    name: str
    credentials: Credentials
    description: str | None = None
    project_id: str | None = None
    owner: OwnerChoice = WHO_MAKES_IT


# --- connections ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Connection:
    """A stored connection. ``secret`` is sealed for :meth:`seal_context`; see :class:`SealedContent`.

    ``credential_id`` is the row of the journal that keeps its credential, where that is not in ``secret``. ``salt``, sealed, is
    that of the hash; None while the row is as versions before 0012 of the tables wrote it.

    ``ends_at`` is when its certificate ends; ``facts`` may be shown: ``thumbprint``, or the ``account`` that consented.
    ``secret_ends_at`` is when its secret ends, as the provider listed it at the last look.
    ``fingerprint`` is that of the credential of version ``fingerprint_version``: see ``connections.fingerprints``.
    ``published_at``: since when it has its credential; ``refused_at`` and ``refusal``: since when the provider refuses it, and
    why; ``unreached_since``: since when that cannot be found out; ``look_at``: when it is looked at again.
    """

    id: str
    org_id: str
    project_id: str | None
    name: str
    description: str | None
    app: str
    method: str
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
    ends_at: datetime | None = None
    facts: dict[str, Any] | None = None
    fingerprint: str | None = field(default=None, repr=False)
    fingerprint_version: int = 0
    look_at: datetime | None = None
    published_at: datetime | None = None
    refused_at: datetime | None = None
    refusal: dict[str, Any] | None = None
    credential_id: str | None = None
    salt: Sealed | None = None
    secret_ends_at: datetime | None = None
    unreached_since: datetime | None = None

    @property
    def credential_ends_at(self) -> datetime | None:
        """When what it signs in with ends, as far as that is known; of one that rotates the journal knows it."""
        return self.ends_at or self.secret_ends_at

    @property
    def tenant(self) -> Tenant:
        return Tenant(self.cloud, self.tenant_id)

    @property
    def target(self) -> list[str]:
        """Where its credential may be sent, as it is sealed together with that."""
        return target_of(self.cloud, self.tenant_id, self.client_id)

    @property
    def seal_context(self) -> SealContext:
        return seal_context(self.id, self.secret_version)

    @property
    def needs_reconnect(self) -> bool:
        """Whether only a person who signs in can make it work again."""
        return bool(self.check_result and self.check_result.get("needsReconnect"))

    @property
    def could_change(self) -> bool:
        """Whether it was once seen that this credential may change secrets."""
        return bool(self.check_result and self.check_result.get(COULD_CHANGE))

    def warning(self, now: datetime) -> str | None:
        """Say in good time that the credentials will end by themselves."""
        if self.ends_at is None or now < shift(self.ends_at, -WARNS_BEFORE_END):
            return None
        if now >= self.ends_at:
            return f"The certificate expired on {self.ends_at:%Y-%m-%d}. Upload a new one, and enter it here."
        when = distance_in_words(self.ends_at, now)
        return f"The certificate expires {when}, on {self.ends_at:%Y-%m-%d}. Upload a new one, and enter it here."


def seal_context(connection_id: str, version: int) -> SealContext:
    return SealContext("app_connections", connection_id, "secret", version)


def salt_context(connection_id: str) -> SealContext:
    return SealContext("app_connections", connection_id, "salt")


# --- sealing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SealedContent:
    """What is sealed in a connection: where its credential may be sent, and its value or which row of the journal has that.

    Neither for a grant, whose refresh token lives in a row of its own. Rows as versions before 0012 of the tables wrote them
    hold the salt of the hash, too; the oldest of them no ``target``. In them each method had names of its own for its value:
    ``parts``, which only the method can read.
    """

    target: list[str] | None
    value: Plaintext | None = None
    credential_id: str | None = None
    salt: Plaintext | None = None
    parts: Mapping[str, Plaintext] = field(default_factory=dict)

    def packed(self) -> Plaintext:
        """Return the target and the value, or where it is, as the one text that is sealed."""
        value = self.value.reveal() if self.value else None
        told = {"for": self.target, "value": value, "credential": self.credential_id}
        return Plaintext(json.dumps({name: part for name, part in told.items() if part is not None}))

    @classmethod
    def unpacked(cls, text: Plaintext) -> "SealedContent":
        """Read what :meth:`packed` wrote, and what earlier versions did. Compares nothing: see :func:`unpack`."""
        data = json.loads(text.reveal())
        target, credential_id = data.pop("for", None), data.pop("credential", None)
        parts = {name: Plaintext(part) for name, part in data.items() if part}
        return cls(target, parts.pop("value", None), credential_id, parts.pop("salt", None), parts)


def target_of(cloud: str, tenant_id: str, client_id: str) -> list[str]:
    """Return where credentials may be sent, as it is sealed together with them."""
    return [cloud, tenant_id.lower(), client_id.lower()]


def unpack(packed: Plaintext, connection: Connection) -> SealedContent:
    """Read what is sealed. Raises NeedsAction when the connection names another cloud, tenant or application than it did."""
    content = SealedContent.unpacked(packed)
    if not is_target(content.target, connection.tenant, connection.client_id):
        raise target_changed(connection.name)
    return content


def is_target(sealed: list[str] | None, tenant: Tenant, client_id: str) -> bool:
    """Say whether credentials sealed for this target may be sent there. What was sealed before there were targets may."""
    return sealed is None or sealed == target_of(tenant.cloud, tenant.tenant_id, client_id)


def target_changed(name: str) -> NeedsAction:
    return NeedsAction(
        f"The cloud, the tenant or the client id of '{name}' was changed in the database by something else than this server. "
        "Its credentials are not sent there.",
        code="connections.target_changed",
        fix="Find out who writes to the database. Then enter the credentials of the connection again.",
    )


def credentials_hash(method: SignInMethod, credentials: Credentials, salt: Plaintext) -> str:
    """Return a hash of what the user supplied: equal input, equal hash, for this connection.

    It does not change when the server rotates the secret or refreshes a token, so clients that compare it see no drift; and
    it tells whether a client merely sent again what it sent before. Keyed with a salt that is stored sealed, so it reveals
    nothing.
    """
    text = json.dumps([credentials.tenant_id.lower(), *method.hashed(credentials)])
    return hmac.new(salt.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()
