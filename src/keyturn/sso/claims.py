"""Who an ID token says signed in. Its signature and its times are proven before; what it says is judged here. Pure.

Sources: OpenID Connect Core 1.0, section 3.1.3.7; https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference.
A person is known by tenant and object id: addresses and names are given to other people in time.
"""

import hmac
from collections.abc import Collection, Mapping
from typing import Any

from keyturn.errors import Refused
from keyturn.identities.bindings import TokenRefusal
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.ids import is_uuid
from keyturn.people.users import checked_email

_LONGEST_NAME = 255


@dataclass(frozen=True)
class Expected:
    """What the token must say."""

    issuers: Collection[str]
    tenant_id: str
    client_id: str
    nonce: str


@dataclass(frozen=True)
class Person:
    """Somebody who signed in. ``groups`` None: the token does not tell them, or not all."""

    tenant_id: str
    object_id: str
    email: str
    first_name: str
    last_name: str
    groups: frozenset[str] | None

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


def person_of(claims: Mapping[str, Any], expected: Expected) -> Person:
    """Return who signed in. Raises TokenRefusal for a token that was made for something else, or says too little."""
    nonce, tenant, subject = (_said(claims, name) for name in ("nonce", "tid", "oid"))
    if claims.get("iss") not in expected.issuers:
        raise TokenRefusal("issuer", claims.get("iss"))
    if claims.get("aud") != expected.client_id or claims.get("azp", expected.client_id) != expected.client_id:
        raise TokenRefusal("audience", claims.get("aud"))
    if tenant.lower() != expected.tenant_id.lower():
        raise TokenRefusal("tenant", tenant)
    if not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenRefusal("nonce")
    if not is_uuid(subject):
        raise TokenRefusal("subject", subject)
    return Person(tenant.lower(), subject.lower(), _email(claims, subject, tenant), *_names(claims), groups_in(claims))


def groups_in(claims: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the groups that the token tells; None where it tells none, or that there are too many of them for it (overage)."""
    names, groups = claims.get("_claim_names"), claims.get("groups")
    overage = (isinstance(names, dict) and "groups" in names) or "hasgroups" in claims
    if overage or not isinstance(groups, list):
        return None
    return frozenset(one.lower() for one in groups if isinstance(one, str) and is_uuid(one))


def _email(claims: Mapping[str, Any], subject: str, tenant: str) -> str:
    """Return what the person is called here: an address of theirs, which nobody is known by."""
    for name in ("email", "preferred_username"):
        try:
            return checked_email(_said(claims, name))
        except Refused:
            continue
    return f"{subject}@{tenant}".lower()


def _names(claims: Mapping[str, Any]) -> tuple[str, str]:
    first, last = _shown(claims, "given_name"), _shown(claims, "family_name")
    if first or last:
        return first, last
    first, _, last = _shown(claims, "name").rpartition(" ")
    return first, last


def _said(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _shown(claims: Mapping[str, Any], name: str) -> str:
    return "".join(sign for sign in _said(claims, name) if sign.isprintable()).strip()[:_LONGEST_NAME]
