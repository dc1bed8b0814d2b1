"""Comma-separated values (RFC 4180) that a spreadsheet opens without running anything in them. Pure.

Whoever may name an application, a secret or a person could otherwise run something on the machine of who opens the file
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms of the first, which spreadsheets of East Asian languages take for them."""


def rows_as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Return the rows. None is an empty cell, a truth value ``true`` or ``false``; a formula gets a quote before it."""
    text = io.StringIO()
    csv.writer(text).writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
