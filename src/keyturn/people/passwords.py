"""Which passwords are good enough."""

import re

from keyturn.crypto.hashing import normal
from keyturn.errors import Refused
from keyturn.kit.common import common_passwords
from keyturn.kit.secret import Plaintext

MIN_LENGTH = 12
MAX_LENGTH = 256
_FEW_DISTINCT = 5
_REST = 5
_SHORTEST_NAME = 3

_LEET = str.maketrans("013457@$", "oieastas")
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertzuiop",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1q2w3e4r5t6z7u8i9o0p",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb",
)
_TRIVIAL = (
    "password passwort passw pass secret geheim hallo hello welcome willkommen admin administrator root user test"
    " testing demo default changeme change me letmein login master access azure microsoft entra keyturn server company"
    " summer winter spring autumn january monday iloveyou love you dragon monkey football baseball sunshine princess"
    " shadow superman batman trustno michael charlie correct horse battery staple correcthorsebatterystaple the my is this"
)  # fmt: skip
_DIGITS_AT_END = re.compile(r"[\W\d_]+$")
_ENDS = re.compile(r"^[\W\d_]+|[\W\d_]+$")
_WORDS = tuple(sorted(_TRIVIAL.split(), key=len, reverse=True))


def check_password(password: Plaintext, *personal: str) -> None:
    """Return when the password is acceptable for somebody with these names.

    Raises Refused with the reason: length, few different characters, a well-known password, one of the 3,000 commonest or a
    keyboard run, or little more than a name.
    """
    text = normal(password)
    if not MIN_LENGTH <= len(text) <= MAX_LENGTH:
        raise _weak(f"It has {len(text)} characters; a password has {MIN_LENGTH} to {MAX_LENGTH}.")
    folded = text.casefold()
    if len(set(folded)) < _FEW_DISTINCT:
        raise _weak("It repeats a few characters.")
    if len(_without_runs(folded)) < _REST:
        raise _weak("It is a run of neighbouring keys or letters.")
    if _only_names(folded, personal):
        raise _weak("It is little more than a name.")
    if _is_common(folded):
        raise _weak("It is one of the passwords that most people choose, with or without something at its ends.")
    for letters in (re.sub(r"[^a-z]", "", folded), re.sub(r"[^a-z]", "", folded.translate(_LEET))):
        if letters and _only_trivial_words(letters):
            raise _weak("It is made of well-known words that every attacker tries first.")


def _weak(reason: str) -> Refused:
    return Refused(
        f"This password is too easy to guess. {reason}",
        code="access.password_weak",
        field="newPassword",
        fix="Choose a longer one: four unrelated words, or a password manager's suggestion.",
    )


def _without_runs(text: str) -> str:
    for run in _RUNS:
        for direction in (run, run[::-1]):
            for size in range(len(direction), 3, -1):
                for start in range(len(direction) - size + 1):
                    text = text.replace(direction[start : start + size], "")
    return text


def _only_names(text: str, names: tuple[str, ...]) -> bool:
    parts = {part for name in names for part in re.split(r"[^\w]+", name.casefold()) if len(part) >= _SHORTEST_NAME}
    rest = text
    for part in sorted(parts, key=len, reverse=True):
        rest = rest.replace(part, "")
    return rest != text and len(_without_runs(re.sub(r"[\W_]", "", rest))) < _REST


def _is_common(folded: str) -> bool:
    """Say whether it is on the list, apart from digits and signs at its ends, written twice, or with digits for letters."""
    common = common_passwords()
    forms = {folded, _DIGITS_AT_END.sub("", folded), _ENDS.sub("", folded)}
    forms |= {form.translate(_LEET) for form in forms}
    forms |= {form[: len(form) // 2] for form in forms if form[: len(form) // 2] * 2 == form}
    return not forms.isdisjoint(common)


def _only_trivial_words(letters: str) -> bool:
    for word in _WORDS:
        letters = letters.replace(word, " ")
    return len(letters.replace(" ", "")) <= 1
