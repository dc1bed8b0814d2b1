"""Between the texts of forms and what secrets hold. Pure.

Browsers send every line break of a text as a carriage return and a line feed, so a form says beside a value which of them
its line breaks are.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from markupsafe import Markup, escape
from msgspec import Meta

from keyturn.errors import Invalid
from keyturn.kit.secret import Plaintext
from keyturn.secrets.domain import LARGEST_VALUE, Metadata, Tag

LineBreaks = Literal["lf", "crlf"]
Value = Annotated[Plaintext, Meta(max_length=LARGEST_VALUE)]
MOST_METADATA = 50
_LONGEST_KEY, _LONGEST_VALUE = 255, 1020


def value_of(text: Plaintext, line_breaks: LineBreaks) -> Plaintext:
    """Return the value that a form sent, in which every line break is a line feed."""
    return Plaintext(text.reveal().replace("\n", "\r\n")) if line_breaks == "crlf" else text


def line_breaks_of(value: Plaintext) -> LineBreaks | None:
    """Return which line breaks a value has; None when a form could not send it back as it is."""
    text = value.reveal()
    rest = text.replace("\r\n", "")
    if "\r" in rest or ("\n" in rest and rest != text):
        return None
    return "lf" if rest == text else "crlf"


def verbatim(value: Plaintext) -> Markup:
    """Return the value as HTML that a browser reads as exactly this text, but in a field for typing."""
    return Markup(str(escape(value.reveal())).replace("\r", "&#13;"))  # noqa: S704 - escaped just here


# --- metadata: one entry to a line ------------------------------------------------------------------------------------


def metadata_text(entries: Sequence[Metadata]) -> str:
    """Return the entries as ``key = value``, one to a line; a line break in one is written as a backslash and an n."""
    return "\n".join(f"{_line(entry.key).replace('=', chr(92) + '=')} = {_line(entry.value)}" for entry in entries)


def metadata_of(text: str, before: Sequence[Metadata] = ()) -> tuple[Metadata, ...] | None:
    """Read what :func:`metadata_text` writes; None when it is as it was. Raises Invalid at the field ``metadata``."""
    if text.rstrip("\n") == metadata_text(before).rstrip("\n"):
        return None
    encrypted = {entry.key: entry.encrypted for entry in before}
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        key, equals, value = _cut(line)
        if not equals or not key:
            raise _wrong(f"Line {number} is no key = value.")
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise _wrong(
                f"Line {number} is too long: a key has up to {_LONGEST_KEY} characters, a value {_LONGEST_VALUE}."
            )
        entries.append(Metadata(key, value, encrypted.get(key, False)))
    if len(entries) > MOST_METADATA:
        raise _wrong(f"A secret has up to {MOST_METADATA} entries.")
    return tuple(entries)


def _line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _cut(line: str) -> tuple[str, bool, str]:
    """Return key and value of a line, and whether there was an equals sign between them."""
    parts, at, key = [""], 0, ""
    found = False
    while at < len(line):
        char = line[at]
        if char == "\\" and at + 1 < len(line):
            at += 1
            parts.append({"n": "\n"}.get(line[at], line[at]))
        elif char == "=" and not found:
            key, parts, found = "".join(parts).strip(" \t"), [""], True
        else:
            parts.append(char)
        at += 1
    return key, found, "".join(parts).strip(" \t")


def _wrong(message: str) -> Invalid:
    return Invalid([{"code": "custom", "message": message, "path": ["metadata"]}])


# --- tags: their slugs ------------------------------------------------------------------------------------------------


def tag_ids(text: str, tags: Sequence[Tag], before: Sequence[Tag] = ()) -> tuple[str, ...] | None:
    """Return the ids of the tags whose slugs the text names, with blanks or commas between; None when they are as they were.

    Raises Invalid at the field ``tags`` for one that is not among ``tags``.
    """
    ids: Mapping[str, str] = {tag.slug: tag.id for tag in tags}
    wanted = list(dict.fromkeys(text.replace(",", " ").split()))
    if set(wanted) == {tag.slug for tag in before}:
        return None
    unknown = [slug for slug in wanted if slug not in ids]
    if unknown:
        message = f"There is no tag {unknown[0]} in this project. Add it on the page of tags first."
        raise Invalid([{"code": "custom", "message": message, "path": ["tags"]}])
    return tuple(ids[slug] for slug in wanted)
