"""How an identity signs in with a token that others sign, as a value. No secret is part of a repr."""

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import Any, Protocol

from keyturn.identities.domain import MONTH, or_kept
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.tokens.addresses import EVERYWHERE, take_apart
from keyturn.tokens.domain import TokenRules

USUAL_RULES = TokenRules(MONTH, MONTH)


@dataclass(frozen=True)
class TokenAuth:
    """One method of one identity. ``binding`` is of the kind that ``bindings.METHODS`` has for the method.

    ``trusted_ips`` are where the identity may sign in from and use its access tokens.
    """

    id: str
    identity_id: str
    binding: Any
    created_at: datetime
    updated_at: datetime
    rules: TokenRules = USUAL_RULES
    trusted_ips: tuple[str, ...] = EVERYWHERE
    reviewer_token: Sealed | None = None
    """With which an API server is asked about tokens; None: with the token itself."""

    @property
    def reviewer_place(self) -> SealContext:
        return SealContext("token_auths", self.id, "reviewer_token")

    @property
    def method(self) -> str:
        return str(self.binding.method)


@dataclass(frozen=True)
class TokenAuthChanges:
    """What to change; None leaves a value as it is. ``binding`` has the fields of the method's binding that change.

    Seconds; 0 means without limit.
    """

    binding: Mapping[str, Any] = field(default_factory=dict)
    access_token_ttl: int | None = None
    access_token_max_ttl: int | None = None
    access_token_uses_limit: int | None = None
    access_token_trusted_ips: tuple[str, ...] | None = None
    reviewer_token: Plaintext | None = None
    """An empty one takes away what is there."""

    def applied_to(self, auth: TokenAuth, now: datetime) -> TokenAuth:
        """Return the changed one. Raises Refused when its parts do not fit together, or it would let in everybody."""
        rules = TokenRules(
            or_kept(self.access_token_ttl, auth.rules.ttl),
            or_kept(self.access_token_max_ttl, auth.rules.max_ttl),
            or_kept(self.access_token_uses_limit, auth.rules.uses_limit),
        )
        after = replace(
            auth,
            binding=replace(auth.binding, **self.binding),
            rules=rules.checked(),
            trusted_ips=self.access_token_trusted_ips or auth.trusted_ips,
            updated_at=now,
        )
        for entry in after.trusted_ips:
            take_apart(entry, "accessTokenTrustedIps")
        after.binding.check()
        return after

    def facts(self) -> dict[str, object]:
        """Return what changes, for the audit trail."""
        rest = {
            "access_token_ttl": self.access_token_ttl,
            "access_token_max_ttl": self.access_token_max_ttl,
            "access_token_uses_limit": self.access_token_uses_limit,
            "access_token_trusted_ips": self.access_token_trusted_ips,
        }
        facts = {name: value for name, value in (dict(self.binding) | rest).items() if value is not None}
        if self.reviewer_token is not None:
            facts["reviewer_token"] = "given" if self.reviewer_token.reveal() else "none"
        return facts


class TokenProof(Protocol):
    """How tokens of one method are proven."""

    def prove(self, auth: TokenAuth, token: Plaintext, now: datetime) -> str:
        """Return the subject of a token that meets the binding. Raises TokenRefusal for any other.

        May call the network, so never inside a transaction.
        """
        ...
