"""Words that people look for in columns of text."""

from typing import Any

import sqlalchemy as sa


def has_word(column: sa.ColumnElement[Any], word: str) -> sa.ColumnElement[bool]:
    """Whether the word is somewhere in the text, in capitals or not."""
    # SQLite knows capitals of ASCII alone: names have other letters, too.
    written = {word} if word.isascii() else {word, word.lower(), word.upper(), word.title()}
    return sa.or_(*(column.icontains(each, autoescape=True) for each in sorted(written)))
