"""Outside issuers whose tokens federated credentials trust: their keys, as this service has them at hand.

Entra fetches an issuer's discovery document and key set itself and keeps them for a while, so a new key is unknown at first.
Sources: https://github.com/Azure/azure-workload-identity/issues/1232 (7000272 although the key is published);
https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations (100 keys, RS256).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from entra_emulator.core.outside import Document
from entra_emulator.directory.keys import un_b64
from entra_emulator.directory.table import Table

_KEYS_KEPT = 100
_MOST_ISSUERS = 1000
_LONGEST_KEY = 8192
_PAUSE = 15.0  # seconds between two tries to fetch what could not be had; assumed
UNREACHABLE, REFUSED, NOT_METADATA, NOT_KEYS = 90061, 50166, 501661, 900612
"""Codes of the token endpoint for an issuer whose keys cannot be had; which is which, apart from the last, is assumed."""


class IssuerError(Exception):
    """The keys of an issuer could not be had, for the reason that this code names."""

    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(slots=True)
class IssuerKeys:
    """What is known of one issuer. Times are POSIX seconds."""

    keys: dict[str, RSAPublicKey] = field(default_factory=dict)
    usable_from: float = float("-inf")
    fetch_after: float = float("-inf")
    failure: int = 0
    """Why the last try to fetch found nothing; 0 if it found keys."""


@dataclass(slots=True)
class KeptIssuers:
    """All keys by issuer: those that were given, and those that were fetched."""

    given: Table[dict[str, RSAPublicKey]] = field(default_factory=Table)
    fetched: Table[IssuerKeys] = field(default_factory=Table)


class Issuers:
    """The keys of all outside issuers. `changes` counts how often something was fetched, or could not be."""

    def __init__(self) -> None:
        self.kept = KeptIssuers()
        self.changes = 0

    def give(self, issuer: str, key_id: str, public_key_pem: bytes) -> None:
        """Makes a key known without asking the issuer. Raises ValueError for what is not an RSA key in PEM form."""
        try:
            key = load_pem_public_key(public_key_pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ValueError("not a public key in PEM form") from error
        if not isinstance(key, RSAPublicKey):
            raise ValueError("not an RSA key")  # noqa: TRY004 - bad input, like the case above
        self.kept.given.setdefault(issuer, {})[key_id] = key

    def clear(self) -> None:
        """Forgets all keys, so that they are fetched anew."""
        self.kept.given.clear()
        self.kept.fetched.clear()

    def due(self, issuer: str, now: float) -> bool:
        """Whether the issuer has to be asked before its tokens can be judged."""
        if issuer in self.kept.given:
            return False
        known = self.kept.fetched.get(issuer)
        return known is None or now >= known.fetch_after

    def keep(
        self, issuer: str, outcome: dict[str, RSAPublicKey] | IssuerError, now: float, kept: float, first: float
    ) -> None:
        """Notes what was fetched: `kept` seconds it is not fetched again; the first keys are used after `first` seconds.

        Keys that are known stay in use while the issuer cannot be asked (assumed).
        """
        self.changes += 1
        known = self.kept.fetched.get(issuer)
        if known is None:
            if len(self.kept.fetched) >= _MOST_ISSUERS:
                del self.kept.fetched[next(iter(self.kept.fetched))]
            known = self.kept.fetched[issuer] = IssuerKeys()
        if isinstance(outcome, IssuerError):
            known.failure, known.fetch_after = outcome.code, now + _PAUSE
            return
        if not known.keys:
            known.usable_from = now + first
        known.keys, known.failure, known.fetch_after = outcome, 0, now + kept

    def key(self, issuer: str, key_id: str, now: float) -> RSAPublicKey | None:
        """The key, if it is known by now. Raises IssuerError where nothing is known since the issuer cannot be asked."""
        given = self.kept.given.get(issuer)
        if given is not None:
            return given.get(key_id)
        known = self.kept.fetched.get(issuer)
        if known is None:
            raise IssuerError(UNREACHABLE)
        if not known.keys:
            raise IssuerError(known.failure or NOT_KEYS)
        return known.keys.get(key_id) if now >= known.usable_from else None

    def as_json(self) -> list[dict[str, Any]]:
        """What is known, for those who set the scene."""
        given = [{"issuer": name, "keys": sorted(keys), "given": True} for name, keys in self.kept.given.items()]
        fetched = [
            {
                "issuer": name,
                "keys": sorted(known.keys),
                "given": False,
                "fetch_after": known.fetch_after,
                "usable_from": known.usable_from if known.keys else None,
                "failure": known.failure or None,
            }
            for name, known in self.kept.fetched.items()
        ]
        return given + fetched


def ask(issuer: str, fetch: Callable[[str], Document]) -> dict[str, RSAPublicKey]:
    """Fetches the keys of an issuer by its discovery document. Raises IssuerError.

    Source: OpenID Connect Discovery 1.0, section 4 (path, and that the document names the very issuer); RFC 7517, section 5.
    """
    document = _json_object(_body(fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")), NOT_METADATA)
    address = document.get("jwks_uri")
    if document.get("issuer") != issuer or not isinstance(address, str):
        raise IssuerError(NOT_METADATA)
    entries = _json_object(_body(fetch(address)), NOT_KEYS).get("keys")
    if not isinstance(entries, list):
        raise IssuerError(NOT_KEYS)
    keys = {}
    for entry in entries[:_KEYS_KEPT]:
        if isinstance(entry, dict) and entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig":
            keys[str(entry.get("kid", ""))] = _rsa_key(entry)
    if not keys:
        raise IssuerError(NOT_KEYS)
    return keys


def _body(document: Document) -> bytes:
    if document.failure:
        raise IssuerError(UNREACHABLE if document.failure == "unreachable" else REFUSED)
    return document.body


def _json_object(body: bytes, code: int) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IssuerError(code) from error
    if not isinstance(value, dict):
        raise IssuerError(code)
    return value


def _rsa_key(entry: dict[str, Any]) -> RSAPublicKey:
    try:
        n, e = (int.from_bytes(un_b64(str(entry[name])), "big") for name in ("n", "e"))
        key = RSAPublicNumbers(e, n).public_key()
    except (KeyError, ValueError) as error:
        raise IssuerError(NOT_KEYS) from error
    if key.key_size > _LONGEST_KEY:  # checking its signatures would take long
        raise IssuerError(NOT_KEYS)
    return key
