"""Second protection: removes secrets from what is about to be logged.

The first is that secrets are Plaintext and never reach a log call. This one catches what a library logs, what an
exception repeats, and what somebody will get wrong one day. It works by the names of keys and by the shapes of values.
"""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise

MASK = "***"
_DEEPEST = 12
_LONGEST = 32_768

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {
        *("secret", "secrets", "password", "passwd", "passphrase", "pwd", "token", "tokens", "jwt", "authorization"),
        *("cookie", "cookies", "assertion", "credential", "credentials", "pepper", "signature", "apikey", "privatekey"),
        *("clientsecret", "accesstoken", "refreshtoken", "secretvalue", "secrettext"),
    }
)
_SECRET_PAIRS = frozenset({("private", "key"), ("api", "key"), ("encryption", "key"), ("root", "key"), ("data", "key")})
_HARMLESS_ENDS = frozenset(
    {
        *("id", "ids", "name", "names", "hint", "at", "type", "count", "path", "version", "hash", "kind", "status"),
        *("expiry", "expires", "days", "number", "ttl", "uses"),
    }
)


def _keep_name(match: re.Match[str]) -> str:
    return f"{match[1]}{MASK}"


_NAMED = (
    r"client_?secret|client_?assertion|secret_?text|secret_?value|access_?token|refresh_?token|id_?token|password|passwd"
    r"|private_?key|encryption_?key|auth_?secret|api_?key|code_verifier"
)
_SHAPES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?(?:-----END \1-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{6,}"), _keep_name),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,8192}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)*"), MASK),
    (re.compile(r"\b(ktn_)[a-z2-7]{20,}"), _keep_name),
    (re.compile(r"[A-Za-z0-9_.~-]{3}[0-9]Q~[A-Za-z0-9_.~-]{20,}"), MASK),
    (re.compile(rf"(?i)((?:{_NAMED})[\\\"']*\s*[=:]\s*[bru]?[\\\"']*)(?!\*\*\*)[^\s\"'\\&,;)}}\]]+"), _keep_name),
    (re.compile(r"(?i)([?&](?:code|state|token|sig)=)[^&\s\"']+"), _keep_name),
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,256}:)[^\s@/]+(?=@)"), _keep_name),
)


def looks_secret(key: str) -> bool:
    """Say whether a value under this name should be hidden: ``clientSecret`` yes, ``secret_name`` no."""
    words = [word.lower() for word in _WORDS.findall(key)]
    if not words or (len(words) > 1 and words[-1] in _HARMLESS_ENDS):
        return False
    pairs = set(pairwise(words))
    return bool(_SECRET_WORDS & set(words) or _SECRET_PAIRS & pairs)


def redact_text(text: str) -> str:
    """Mask what has the shape of a secret: PEM blocks, bearer tokens, JWTs, Entra client secrets, ``password=...``.

    A text of more than 32 768 characters loses its middle, so that nobody can make logging slow.
    """
    if len(text) > _LONGEST:
        half = _LONGEST // 2
        text = f"{text[:half]} ... {len(text) - _LONGEST} characters left out ... {text[-half:]}"
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


def redact(value: object, depth: int = 0) -> object:
    """Return a copy that may be logged. Objects of unknown types become their masked ``repr``."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray):
        return redact_text(bytes(value).decode("utf-8", "backslashreplace"))
    if depth >= _DEEPEST:
        return MASK
    if isinstance(value, Mapping):
        return {str(key): redact_item(str(key), inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(inner, depth + 1) for inner in value]
    return redact_text(repr(value))


def redact_item(key: str, value: object, depth: int = 0) -> object:
    """Return the value of this key as it may be logged: masked if the name alone says that it is secret."""
    hides = value is not None and not isinstance(value, bool)
    return MASK if hides and looks_secret(key) else redact(value, depth)
