"""Tokens that others sign (JWT, RFC 7519): read with limits, proven with a key, looked at by the clock. Pure.

What a header says is never followed: it names a key of the issuer's own list and one of a few algorithms, and that is
all. RFC 8725 is the list of what goes wrong otherwise.
"""

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from keyturn.identities.bindings import TokenRefusal
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext

LONGEST = 16_384
"""The largest token, in characters. GitHub's have 2,000; those of Entra ID with 200 groups 10,000."""
LEEWAY = timedelta(seconds=60)
MOST_KEYS = 100
_LONGEST_KEY_ID = 512
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 8192
_LARGEST_MOMENT = 2**40

# Signatures by public keys only. With "none" and HS256 anybody could sign: the key list of an issuer is public.
ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The algorithms that are taken, and the type of key that goes with each."""

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

Key = Mapping[str, Any]
"""One entry of an issuer's key list, as it stands there."""


@dataclass(frozen=True)
class UnprovenToken:
    """A token that can be read. Nobody vouches for what it says: ``issuer`` may only spare the look at the rest."""

    text: Plaintext
    algorithm: str
    key_id: str | None
    issuer: object
    claims: Mapping[str, Any] = field(repr=False)


def read(text: Plaintext) -> UnprovenToken:
    """Read a token. Raises TokenRefusal for anything that is not a signed one, and for algorithms that are not taken."""
    token = text.reveal()
    if len(token) > LONGEST:
        raise TokenRefusal("too-long")
    if not _SHAPE.fullmatch(token):
        raise TokenRefusal("malformed")
    head, body, _ = token.split(".")
    header, claims = _object(head), _object(body)
    if header.get("alg") not in ALGORITHMS:
        raise TokenRefusal("algorithm")
    key_id = header.get("kid")
    if "crit" in header or "b64" in header:  # extensions that change what is signed
        raise TokenRefusal("malformed")
    if not (key_id is None or (isinstance(key_id, str) and len(key_id) <= _LONGEST_KEY_ID)):
        raise TokenRefusal("malformed")
    return UnprovenToken(text, header["alg"], key_id, claims.get("iss"), claims)


def key_for(token: UnprovenToken, keys: Sequence[Key]) -> Key | None:
    """Return the one key of the list that the token may be signed with; None when there is none, or more than one."""
    candidates = [key for key in keys if _fits(key, token)]
    return candidates[0] if len(candidates) == 1 else None


def verify_token(token: UnprovenToken, key: Key, now: datetime) -> Mapping[str, Any]:
    """Return what the token says, once its signature and its times are right. Raises TokenRefusal."""
    _check_signature(token, key)
    _check_times(token.claims, now)
    return token.claims


def read_keys(document: bytes) -> Sequence[Key]:
    """Return the entries of a key list (RFC 7517, section 5). Raises TokenRefusal for a list that is none, or too long."""
    entries = _parsed(document).get("keys")
    if not isinstance(entries, list):
        raise TokenRefusal("keys", "the list of keys has no `keys`")
    if len(entries) > MOST_KEYS:
        raise TokenRefusal("keys", f"the list has {len(entries)} keys, of which {MOST_KEYS} are taken at most")
    return [entry for entry in entries if isinstance(entry, dict)]


def read_document(document: bytes) -> Mapping[str, Any]:
    """Return a JSON object that an issuer publishes. Raises TokenRefusal for anything else."""
    return _parsed(document)


def _parsed(document: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(document)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise TokenRefusal("keys", "the issuer did not answer with JSON")
    return parsed


def _object(segment: str) -> dict[str, Any]:
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        parsed = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise TokenRefusal("malformed")
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says something twice: two readers might each believe another one (RFC 8725, section 2.4)."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is there twice")
    return members


def _no_number(name: str) -> None:
    raise ValueError(name)


def _fits(key: Key, token: UnprovenToken) -> bool:
    return (
        (token.key_id is None or key.get("kid") == token.key_id)
        and key.get("kty") == ALGORITHMS[token.algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", token.algorithm) == token.algorithm
    )


def _check_signature(token: UnprovenToken, key: Key) -> None:
    import jwt  # noqa: PLC0415 - a tenth of a second, which only processes that sign somebody in should pay

    try:
        public = jwt.PyJWK(dict(key), algorithm=token.algorithm)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise TokenRefusal("key", "the key of the issuer cannot be used") from error
    bits = getattr(public.key, "key_size", _LEAST_RSA_BITS)
    if key.get("kty") == "RSA" and not _LEAST_RSA_BITS <= bits <= _MOST_RSA_BITS:
        raise TokenRefusal("key", f"the key of the issuer has {bits} bits")
    if "d" in key or hasattr(public.key, "private_bytes"):
        raise TokenRefusal("key", "the issuer publishes its private key")
    try:
        jwt.PyJWS().decode_complete(token.text.reveal(), public, algorithms=[token.algorithm])
    except (jwt.PyJWTError, ValueError, TypeError):
        failure = TokenRefusal("signature")
    else:
        return
    # Raised outside the handler: a traceback into the library would lead to the token.
    raise failure


def require_not_ended(claims: Mapping[str, Any], now: datetime) -> None:
    """Raise TokenRefusal for a token that says that it has ended. Some of Kubernetes never do."""
    if "exp" in claims and now.timestamp() >= _moment(claims, "exp") + LEEWAY.total_seconds():
        raise TokenRefusal("expired")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    moment = now.timestamp()
    if moment >= _moment(claims, "exp") + LEEWAY.total_seconds():
        raise TokenRefusal("expired")
    for name in ("nbf", "iat"):
        if name in claims and _moment(claims, name) > moment + LEEWAY.total_seconds():
            raise TokenRefusal("early", name)


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefusal("times", f"{name} is missing or no number")
    if not math.isfinite(value) or not 0 <= value <= _LARGEST_MOMENT:
        raise TokenRefusal("times", f"{name} is out of all bounds")
    return value
