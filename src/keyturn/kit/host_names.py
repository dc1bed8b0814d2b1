"""Names of hosts, which may have letters beyond ASCII, as they stand on the wire."""

import unicodedata

_LONGEST_LABEL = 63
"""https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4; the library that looks up addresses raises UnicodeError beyond it."""
_ALIKE = {"CYRILLIC", "GREEK"}
"""Alphabets with letters that look as those of the Latin one."""


def ascii_host(name: str) -> str:
    """Return the name or address with each international label as ``xn--...``; ASCII stays as it is.

    Raises ValueError for what no address can be looked up for.

    By UTS 46 without its transitional forms, as the URL standard says: https://url.spec.whatwg.org/#concept-domain-to-ascii.
    The codec of Python's own library follows an older standard, in which ``ß`` is another name.
    """
    if name.isascii():
        if not all(0 < len(label) <= _LONGEST_LABEL for label in name.removesuffix(".").split(".")):
            raise ValueError("has no valid host name")
        return name
    for label in name.split("."):
        alphabets = {unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha()}
        if "LATIN" in alphabets and alphabets & _ALIKE:
            raise ValueError("has a host name that mixes letters which look alike")
    import idna  # noqa: PLC0415 - its tables are large, and such names are rare

    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError("has no valid host name") from None
