"""Continuous access evaluation: clients that can answer a challenge get long tokens, which end as soon as they are revoked.

Sources: https://learn.microsoft.com/entra/identity-platform/claims-challenge (how a client declares the capability),
.../entra/identity/conditional-access/concept-continuous-access-evaluation (people: disabled, deleted, another password, sessions
revoked; up to 28 hours) and .../concept-continuous-access-evaluation-workload (applications of this tenant alone, at Graph alone:
disabled, deleted; up to 24 hours). That what is enabled again still refuses tokens from before is assumed.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.wire import read_json
from entra_emulator.directory.directory import ServicePrincipal, User
from entra_emulator.directory.replicas import draw
from entra_emulator.directory.world import Call
from entra_emulator.tokens.sts_errors import StsError

BACKDATED = 300
"""By so much a token is dated back. Assumed."""
_LONGEST_OF_APPLICATIONS = 86_400
_CLAIM, _CAPABLE = "xms_cc", ["CP1"]


def declares_capability(call: Call, form: dict[str, str]) -> bool:
    """Whether a token request says that its client can answer claims challenges. Raises StsError 90100 for no JSON object."""
    text = form.get("claims")
    if not text:
        return False
    try:
        declared = _member(_member(_member(read_json(text), "access_token"), _CLAIM), "values")
        names = {str(name).upper() for name in declared or ()}
    except (ValueError, AttributeError, TypeError) as error:
        raise StsError(90100, "claims parameter is empty or not valid.") from error
    return call.settings.long_tokens and not names.isdisjoint(_CAPABLE)


def _member(value: Any, name: str) -> Any:
    """A member of an object that may be null or not there, as in OpenID Connect 1.0, section 5.5."""
    return None if value is None else value.get(name)


def capability_claims(*, capable: bool) -> dict[str, Any]:
    """What the token of a capable client says of it. Source: .../entra/identity-platform/access-token-claims-reference."""
    return {_CLAIM: _CAPABLE} if capable else {}


def token_lifetime(call: Call, *, capable: bool, application: bool = False) -> int:
    """How many seconds a token is good for."""
    settings = call.settings
    seconds = int(draw(settings.long_token_lifetime if capable else settings.token_lifetime, call.world.rng))
    return min(seconds, _LONGEST_OF_APPLICATIONS) if application else seconds


def revoked_since(call: Call, claims: dict[str, Any], holder: ServicePrincipal | User | None) -> float | None:
    """Since when the token of this holder, who may be deleted, is revoked; None for one that is good, or not evaluated.

    Tokens are dated to the second, so one of the same second counts as newer.
    """
    if _CLAIM not in claims:
        return None
    if holder is None:
        return call.local_now
    revoked = int(holder.revoked_at) > int(claims["iat"]) + BACKDATED
    return holder.revoked_at if revoked or not holder.enabled else None
