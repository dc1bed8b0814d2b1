"""Which names are printable, and how others are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.kit.printable import fault, visible, visible_line


@pytest.mark.parametrize(
    "name",
    [
        "Payments",
        "Größe & Co.",
        "支払い　全体",
        "Наука",
        "مشروع",
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d💻 team",
        "€ <b>",
        "e\u0301",
        "",
    ],
)
def test_names_of_all_scripts_are_taken(name: str) -> None:
    assert fault(name) is None
    assert visible(name) == name


@pytest.mark.parametrize(
    ("name", "says", "expected"),
    [
        ("a\x1b[31m", "U+001B", "a\\x1b[31m"),
        ("a\nb", "a line break", "a\nb"),
        ("a\r\nb", "a line break", "a\r\nb"),
        ("a\rb", "a line break", "a\\rb"),
        ("a\tb", "U+0009", "a\tb"),
        ("pay\u202estnem", "U+202E", "pay\\u202estnem"),
        ("a\u2066b", "U+2066", "a\\u2066b"),
        ("a\u200eb", "U+200E", "a\\u200eb"),
        ("\u200b", "U+200B", "\\u200b"),
        ("ad\u200bmin", "U+200B", "ad\\u200bmin"),
        ("ad\u200dmin", "U+200D", "ad\\u200dmin"),
        ("admin\u200d", "U+200D", "admin\\u200d"),
        ("a\xadb", "U+00AD", "a\\xadb"),
        ("\ufeffa", "U+FEFF", "\\ufeffa"),
        ("\u3164", "U+3164", "\\u3164"),
        ("a\u2028b", "a line break", "a\\u2028b"),
        ("a\ue000", "U+E000", "a\\ue000"),
        ("a\U000e0041", "U+E0041", "a\\U000e0041"),
        ("a\U000e0100", "U+E0100", "a\\U000e0100"),
        ("a\x7f", "U+007F", "a\\x7f"),
        ("a\x85", "U+0085", "a\\x85"),
    ],
)
def test_what_deceives_is_refused_and_shown_written_out(name: str, says: str, expected: str) -> None:
    assert says in (fault(name) or "")
    assert visible(name) == expected


def test_on_one_line_nothing_begins_another() -> None:
    assert visible_line("Größe\t\r\n\x1b[2K\u2028b") == "Größe\\t\\r\\n\\x1b[2K\\u2028b"


def test_a_name_can_be_seen() -> None:
    assert fault(" ") is not None
    assert fault("\u0301") is not None


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_shown_holds_nothing_hidden(text: str) -> None:
    result = visible(text)
    assert visible(result) == result
    assert fault(result.replace("\n", "").replace("\r", "").replace("\t", "") + "x") is None
