"""Names that look like what they are: no control characters, no change of direction, nothing that cannot be seen."""

import re
import unicodedata

_JOINERS = "\u200c\u200d"
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
"""Letters and marks that show nothing."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_PRINTABLE_AND_HIDDEN = re.compile(f"[{''.join(sorted(_BLANK))}\U000e0000-\U000e0fff]")
"""What may count as printable in Python, and is not seen."""
_LINE_BREAK = re.compile(r"\r?\n")


def fault(name: str) -> str | None:
    """Say what keeps a text from being a name, None when nothing does."""
    for place, char in enumerate(name):
        if not _shows(name, place):
            what = (
                "a line break"
                if char in "\n\r\u2028\u2029"
                else f"the character U+{ord(char):04X}, which cannot be seen"
            )
            return f"must hold printable characters only: character {place + 1} is {what}. Type it anew"
    if name and not any(unicodedata.category(char)[0] in "LNPS" for char in name):
        return "must hold a letter, a digit or a sign that can be seen"
    return None


def visible(text: str) -> str:
    """Return a text with what cannot be seen in it written out, such as \\u202e. Line breaks and tabs stay.

    A return to the beginning of the line is written out, too: in a terminal what follows it covers what stands there.
    """
    if _is_seen(text):
        return text
    place, parts = 0, list[str]()
    for line_break in _LINE_BREAK.finditer(text):
        parts += [_written_out(text[place : line_break.start()], kept="\t"), line_break[0]]
        place = line_break.end()
    return "".join([*parts, _written_out(text[place:], kept="\t")])


def visible_line(text: str) -> str:
    """Return a text as :func:`visible`, on one line: its line breaks and tabs are written out as well."""
    return _written_out(text)


def _is_seen(text: str) -> bool:
    """Whether all of a text is seen, without a look at each character: long messages in any script are mostly so."""
    return text.isprintable() and not _PRINTABLE_AND_HIDDEN.search(text)


def _written_out(text: str, kept: str = "") -> str:
    if _is_seen(text):
        return text
    parts = (
        char if char in kept or _shows(text, place) else char.encode("unicode_escape").decode()
        for place, char in enumerate(text)
    )
    return "".join(parts)


def _shows(text: str, place: int) -> bool:
    char = text[place]
    if char.isascii():
        return char.isprintable()
    if char in _JOINERS:
        return _joins(text, place)
    return unicodedata.category(char) not in _HIDDEN and char not in _BLANK and not _is_ignorable(ord(char))


def _joins(text: str, place: int) -> bool:
    """Scripts and emoji need joiners, but only between two of their own characters."""
    around = text[place - 1 : place] + text[place + 1 : place + 2]
    return len(around) == 2 and not any(char.isascii() or char in _JOINERS or char.isspace() for char in around)


def _is_ignorable(code: int) -> bool:
    """Unassigned code points that Unicode reserves for what is not shown, and those that are no characters."""
    return 0xE0000 <= code <= 0xE0FFF or 0xFFF0 <= code <= 0xFFF8 or code == 0x2065 or code & 0xFFFE == 0xFFFE
