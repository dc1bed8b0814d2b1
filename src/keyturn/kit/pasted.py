"""What people paste, made plain in one place before it is checked: pure functions of text to text.

Copying drags along what nobody sees (white space, zero-width and direction marks, a byte order mark) and what is seen but not
meant (quotes, braces, a label). What is taken away here could never belong to the value; all else is left byte for byte.
"""

import re
import unicodedata

SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
MARKS = "\xad\u061c\u180e\ufeff\ufff9\ufffa\ufffb" + "".join(
    chr(code)
    for first, last in ((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064), (0x2066, 0x206F))
    for code in range(first, last + 1)
)
"""Zero-width, direction and joining marks, and the byte order mark. None of them can be seen."""
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))
"""What else leaves no ink, but belongs to some scripts and pictures: nothing for the inside of an id."""
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
QUOTES = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\xab\xbb\u2039\u203a\u300c\u300d\uff02\uff07"
WRAPPING = QUOTES + "{}()[]<>" + SPACES

_NOT_SEEN = str.maketrans("", "", MARKS + FILLERS)
_HYPHENS = str.maketrans(dict.fromkeys(DASHES, "-"))
_LONGEST_ID = 400
_LABEL = r"[^\W\d_][\w .()/*\"'-]{0,60}?[\s:=]+"
_HEX = r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})"
_DRESS = f"[{re.escape(WRAPPING)}]*"
_ID = re.compile(rf"{_DRESS}(?:{_LABEL})?{_DRESS}(?:urn:uuid:)?{_HEX}[{re.escape(WRAPPING)},;.]*", re.IGNORECASE)
_USUAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENTRA_SECRET = re.compile(
    rf"{_DRESS}(?:{_LABEL})?{_DRESS}([A-Za-z0-9_.~-]{{3}}[0-9]Q~[A-Za-z0-9_.~-]{{20,}})[{re.escape(WRAPPING)},;]*"
)
_SPELT = re.compile(r"(?<!\\)\\{1,4}(?:r\\{1,4}n|[nrt])")
_LINE_END = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_QUOTED_MAIL = re.compile(r"^[ \t]*[>|][>| \t]*", re.MULTILINE)


def trim_blanks(text: str) -> str:
    """Return the text without white space, and marks that nobody sees, around it."""
    return text.strip(SPACES + MARKS)


def identifier(text: str) -> str:
    """Return a UUID in its usual form (lower case, with hyphens), whatever it was dressed in; other text merely undressed.

    Undressed: unseen marks, quotes, braces, ``urn:uuid:``, a label in front, other kinds of hyphens, missing hyphens.
    """
    short = trim_blanks(text)
    if len(short) > _LONGEST_ID:
        return short
    plain = unicodedata.normalize("NFKC", short).translate(_NOT_SEEN).translate(_HYPHENS)
    plain = " ".join(plain.split())[:_LONGEST_ID]
    match = _ID.fullmatch(plain)
    return "-".join(match.groups()).lower() if match else plain.strip(WRAPPING + ",;")


def id_or_text(text: str) -> str:
    """Return an id in its usual form, without what it is dressed in; any other text as it is."""
    undressed = identifier(text)
    return undressed if _USUAL.fullmatch(undressed) else text


def search_words(text: str) -> tuple[str, ...]:
    """Return the words that somebody looks for, as :func:`id_or_text` all of them, or each."""
    whole = id_or_text(text)
    return (whole,) if _USUAL.fullmatch(whole) else tuple(map(id_or_text, text.split()))


def secret(text: str) -> str:
    """Return a secret without what stands around it. Inside nothing is changed, however odd.

    Quotes and a label (``AZURE_CLIENT_SECRET="..."``) are taken away only from what has the form of a secret made by Entra ID,
    since others may begin with one.
    """
    plain = trim_blanks(text)
    match = _ENTRA_SECRET.fullmatch(plain) if len(plain) <= _LONGEST_ID else None
    return match[1] if match else plain


def block(text: str) -> str:
    r"""Return a pasted file as lines: ``\n`` spelt out becomes a line end, the ``>`` of quoted mail and marks go.

    UTF-16 that was read as something else has a NUL beside every letter; it is the same text without them.
    """
    if "\x00" in text:
        text = text.replace("\x00", "").lstrip("\ufffd\xff\xfe")
    plain = _LINE_END.sub("\n", text.translate(_NOT_SEEN))
    if "\\" in plain:
        plain = _SPELT.sub("\n", plain).replace("\\/", "/")
    if ">" in plain or "|" in plain:
        plain = _QUOTED_MAIL.sub("", plain)
    return plain.strip(QUOTES + SPACES + ",;")


def unseen(text: str) -> str | None:
    """Name the first character that cannot be seen, such as ``U+200B (zero width space)``; None when all can."""
    for char in text:
        if char in MARKS or char in FILLERS or not (char.isprintable() or char in "\t\n\r"):
            name = unicodedata.name(char, "control character").lower()
            return f"U+{ord(char):04X} ({name})"
    return None
