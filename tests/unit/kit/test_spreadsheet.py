"""Files of comma-separated values are data, whatever people typed."""

import csv
import io

import pytest

from keyturn.kit.spreadsheet import rows_as_csv


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff201"]
)
def test_what_looks_like_a_formula_is_a_text(text: str) -> None:
    [row] = csv.reader(io.StringIO(rows_as_csv([[text, "plain", None, True, 7]]), newline=""))
    assert row == [f"'{text}", "plain", "", "true", "7"]


def test_quotes_and_line_breaks_come_back_as_they_were() -> None:
    cells = ['a "quoted" name', "two\nlines", "a,b"]
    assert list(csv.reader(io.StringIO(rows_as_csv([cells]), newline=""))) == [cells]
