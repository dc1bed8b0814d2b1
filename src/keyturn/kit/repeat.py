"""Whether a text that was refused may be shown again, or quoted: only what cannot be a secret, judged by its field's grammar.

A secret may be pasted into any field. So the question is not whether a text looks like a secret, but whether it looks like what
the field is for, though it may be misspelt. What does not is neither shown nor quoted; free text is judged by its shapes alone.
"""

import re
from collections.abc import Mapping

from keyturn.kit.pasted import WRAPPING, identifier, trim_blanks
from keyturn.kit.redact import looks_secret, redact_text

NEVER = frozenset({"code", "state"})
"""Fields of single use: what was in them is used up, or still good for somebody else."""
_LONGEST = 300
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_RANDOM_FROM = 6
_LEAST_WORD = 2.7

_ID = re.compile(
    r"(?:[A-Za-z][A-Za-z ()_-]{0,40}[\s:=]+)?[0-9A-Fa-f\W]{0,120}"
    r"|[0-9A-Za-z]{6,10}(?:-[0-9A-Za-z]{3,5}){3}-[0-9A-Za-z]{9,14}"
)
_TENANT = re.compile(r"[a-z-]{1,30}|[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,20}")
_WHOLE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[\w .,&'()-]{1,255}")
_ZONE = re.compile(
    r"(?:[A-Za-z_]{1,12}(?:-[A-Za-z]{1,12})?|[A-Z]{3,4}[+-]?\d{1,2}(?:[A-Z]{3,4})?|(?:UTC|GMT)?\s?[+-]\d{1,2}(?::?\d\d)?"
    r"|[A-Za-z.() ]{1,60} [A-Za-z.() ]{1,40}(?: \d{1,2})?|[A-Za-z_]{1,14}(?:/[A-Za-z_-]{1,30}){1,3}(?:[+-]\d{1,2})?)"
)
_TIME = re.compile(r"[0-9]{0,2}[:.h ]{0,2}[0-9]{0,4}[:.]?[0-9]{0,2} ?(?:[AaPp]\.?[Mm]\.?)?")
_NUMBER = re.compile(r"[+-]?[0-9.,]{0,12}(?:e[0-9]{1,3})? ?(?:d|days?)?")
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")
_SECRET_NAME = re.compile(r"[^=\x00-\x1f\x7f]{1,255}")
_GRAMMARS: Mapping[str, re.Pattern[str]] = {
    "clientId": _ID,
    "clientSecretKeyId": _ID,
    "tenantId": re.compile(f"{_ID.pattern}|{_TENANT.pattern}"),
    "name": _NAME,
    "slug": _NAME,
    "secret_name": _SECRET_NAME,
    "timeZone": _ZONE,
    "rotateAt": _TIME,
    "rotationInterval": _NUMBER,
    "method": _WORD,
    "choice": _WORD,
}


def may_repeat(field: str, text: str) -> bool:
    """Say whether this text, given in the field of that name, may be shown again. Pure."""
    if looks_secret(field) or field in NEVER:
        return False
    plain = trim_blanks(text)
    if not plain:
        return True
    if "-----BEGIN" in plain:
        return "PRIVATE KEY" not in plain and field == "certificateBody"
    if redact_text(plain) != plain:
        return False
    grammar = _GRAMMARS.get(field)
    if grammar is None:
        return field != "certificateBody" or len(plain) < _LONGEST
    if len(plain) > _LONGEST or not grammar.fullmatch(plain.strip(WRAPPING)):
        return False
    return (
        field not in {"name", "slug", "secret_name", "tenantId"}
        or not _random(plain)
        or bool(_WHOLE_ID.fullmatch(identifier(plain)))
    )


def _random(text: str) -> bool:
    """Whether letters and digits alternate as they do in no word: ``Prod-Entra-2026`` does not, ``kD83jfK2Lm`` does."""
    for piece in re.split(r"[\W_]+", text):
        words = _WORDS.findall(piece)
        if len(piece) >= _RANDOM_FROM and len(piece) / max(1, len(words)) < _LEAST_WORD:
            return True
    return False
