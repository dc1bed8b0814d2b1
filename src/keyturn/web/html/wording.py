"""Cuts a message into what a page shows of it: prose, words in code, links, and commands that stand alone. Pure."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from keyturn.kit.dataclasses import dataclass

_QUOTED = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"https://[A-Za-z0-9][^\s<>\"'`\\]*")
_WHOLE = re.compile(r"\(?\b(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\d{4}-\d\d-\d\d)\b[).,;:]*")
_AFTER_LINK = ".,;:!?)]"
_JOINS = re.compile(r"\s*(?:[.,;]|,?\s*\band\b|,?\s*\bor\b)?\s*")
_CLOSES = re.compile(r"^\s*[.,;]\s*")


@dataclass(frozen=True)
class Part:
    """A piece of a sentence. A link's text is its address, which begins with ``https://``. Ids and days are whole:
    they stand on one line, with the signs beside them."""

    kind: Literal["text", "code", "link", "whole"]
    text: str


@dataclass(frozen=True)
class Block:
    """Either a paragraph or one command, to be copied as it is."""

    parts: Sequence[Part] = ()
    command: str = ""


def inline(text: str) -> list[Part]:
    """Return a sentence in parts: what is between backticks is code, an https address is a link."""
    parts: list[Part] = []
    for at, piece in enumerate(_QUOTED.split(text)):
        parts += [Part("code", piece)] if at % 2 else _linked(piece)
    return parts


def blocks(text: str) -> list[Block]:
    """Return a message as paragraphs and commands, in its order.

    A command is what stands between backticks and has more than one word. What only joined it to its neighbours (a comma,
    the full stop, "and") is left out.
    """
    blocks_read: list[Block] = []
    prose = ""
    for at, piece in enumerate(_QUOTED.split(text)):
        if at % 2 and " " in piece.strip():
            blocks_read += [*_paragraph(prose, after=blocks_read), Block(command=piece.strip())]
            prose = ""
        else:
            prose += f"`{piece}`" if at % 2 else piece
    return [*blocks_read, *_paragraph(prose, after=blocks_read)]


def _paragraph(prose: str, after: Sequence[Block]) -> Iterator[Block]:
    if after:
        if _JOINS.fullmatch(prose):
            return
        prose = _CLOSES.sub("", prose)
    if prose.strip():
        yield Block(inline(prose.strip()))


def _linked(text: str) -> Iterator[Part]:
    rest = 0
    for match in _LINK.finditer(text):
        address = match.group().rstrip(_AFTER_LINK)
        yield from _wrapped(text[rest : match.start()])
        yield Part("link", address)
        rest = match.start() + len(address)
    yield from _wrapped(text[rest:])


def _wrapped(text: str) -> Iterator[Part]:
    rest = 0
    for match in _WHOLE.finditer(text):
        if match.start() > rest:
            yield Part("text", text[rest : match.start()])
        yield Part("whole", match.group())
        rest = match.end()
    if rest < len(text):
        yield Part("text", text[rest:])
