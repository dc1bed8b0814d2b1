"""What a .env file means, which of its lines are refused, and that writing and reading are each other's reverse."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.secrets.dotenv import LARGEST_FILE, MOST_ENTRIES, DotenvFile, parse, write

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NAMES = st.text(st.characters(categories=["L", "Nd"], include_characters="_-."), min_size=1, max_size=30)


def read(text: str) -> DotenvFile:
    return parse(Plaintext(text))


def values(text: str) -> dict[str, str]:
    file = read(text)
    assert not file.bad_lines
    return {entry.name: entry.value.reveal() for entry in file.entries}


def reasons(text: str) -> dict[int, str]:
    return {bad.line: bad.reason for bad in read(text).bad_lines}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("\texport\tA = b  ", "b"),
        ("A=", ""),
        ("A=''", ""),
        ("A=b=c==", "b=c=="),
        ("A=b # a comment", "b"),
        ("A=b#no-comment", "b#no-comment"),
        ("A= # nothing", ""),
        ("A=#b", "#b"),
        ("A='b # c' # a comment", "b # c"),
        ("A='\\n${B}'", "\\n${B}"),
        ('A=`it\'s "so"`', 'it\'s "so"'),
        ('A="b\\nc\\t\\"d\\" \\\\ \\$E \\q"', 'b\nc\t"d" \\ $E \\q'),
        (
            'A="-----BEGIN KEY-----\nabc\n\n# no comment\n-----END KEY-----\n"',
            "-----BEGIN KEY-----\nabc\n\n# no comment\n-----END KEY-----\n",
        ),
        ("A='b\r\nc'\r\n", "b\nc"),
        ("\ufeffA=b", "b"),
        ("# A=c\n\n  # more\nA=b", "b"),
        ("A=${B}", "${B}"),
        ("A= \u00a0\u2028b\u2028 ", "\u00a0\u2028b\u2028"),
    ],
)
def test_a_line_means(line: str, value: str) -> None:
    assert values(line) == {"A": value}


def test_names_of_every_script_are_read() -> None:
    text = "ключ=1\n名前=2\nמפתח=3\nexportiert=4\nA.b-c=5\n"
    assert values(text) == {"ключ": "1", "名前": "2", "מפתח": "3", "exportiert": "4", "A.b-c": "5"}


def test_a_line_that_cannot_be_read_has_a_reason_and_others_are_read_on() -> None:
    text = (
        "A=1\nno sign of it\n=2\nMY NAME=3\nA=4\nB='open\nC=5\n"
        'D="closed" and more\nexport =6\na/b=7\na:b=8\n' + "n" * 256 + "=9\nE=10"
    )
    assert reasons(text) == {
        2: "There is no equals sign.",
        3: "There is no name before the equals sign.",
        4: "A name in a .env file has no blanks, quotes, #, $ and backslashes.",
        5: "'A' stands in line 1 already.",
        6: "The quote (') that begins the value does not end.",
        8: 'After the closing quote (") stands more text.',
        9: "There is no name after export.",
        10: "A secret's name is not empty and has no colon, no slash and no control characters.",
        11: "A secret's name is not empty and has no colon, no slash and no control characters.",
        12: "A name has up to 255 characters.",
    }
    assert [entry.name for entry in read(text).entries] == ["A", "C", "E"]


def test_a_reason_never_repeats_a_value() -> None:
    text = 'canary-1\nX=\'canary-2\nY="canary-3" canary-4\ncanary 5=canary-6'
    assert not any("canary" in reason for reason in reasons(text).values())


def test_a_line_after_a_value_of_several_lines_has_its_number_in_the_file() -> None:
    file = read("A='1\n2\n3'\nB=4\nbad")
    assert [(entry.name, entry.line) for entry in file.entries] == [("A", 1), ("B", 4)]
    assert [bad.line for bad in file.bad_lines] == [5]


@given(st.dictionaries(NAMES.filter(lambda name: name != "export"), TEXT, max_size=8))
def test_what_is_written_reads_as_the_same(secrets: dict[str, str]) -> None:
    written = write((name, Plaintext(value)) for name, value in secrets.items())
    assert not written.left_out
    assert values(written.text.reveal()) == secrets


@given(TEXT)
def test_any_text_is_read_or_refused_line_by_line(text: str) -> None:
    file = read(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    numbers = [each.line for each in (*file.entries, *file.bad_lines)]
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= number <= lines for number in numbers)
    assert len({entry.name for entry in file.entries}) == len(file.entries)


@given(st.text(st.sampled_from("AB=\"'`\\ \n#$x"), max_size=60))
def test_what_was_read_is_written_and_read_again(text: str) -> None:
    first = read(text).entries
    written = write((entry.name, entry.value) for entry in first)
    assert values(written.text.reveal()) == {entry.name: entry.value.reveal() for entry in first}


def test_names_that_cannot_be_written_are_told_in_the_file() -> None:
    written = write([("A", Plaintext("1")), ("my name", Plaintext("2")), ("a=b", Plaintext("3"))])
    assert written.left_out == ["my name", "a=b"]
    first_line, rest = written.text.reveal().split("\n", 1)
    assert first_line == "# 2 secrets are left out, whose names cannot stand in a .env file: my name, a=b"
    assert rest == "A=1\n"


def test_what_is_too_much_is_refused_with_what_to_do() -> None:
    with pytest.raises(Refused, match="characters") as large:
        read("A=" + "x" * 10_000_000)
    assert (large.value.code, large.value.fix) == (
        "secrets.dotenv_too_large",
        "Split it, and keep what is no configuration elsewhere.",
    )
    with pytest.raises(Refused, match="more than 1000 entries"):
        read("".join(f"A{number}=x\n" for number in range(MOST_ENTRIES + 1)))
    with pytest.raises(Refused, match="no NAME=value") as no_dotenv:
        read("{\n" * 1000)
    assert no_dotenv.value.fix == "Choose a .env file. Its first line that is none is line 1."


@pytest.mark.parametrize("piece", ["A='\n", 'A="\n', 'A="\\"\n', "A=`", " ", "=", "A=1\n", "\\", "A=x #", "export "])
def test_no_text_takes_long(piece: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(Refused):
        read((piece * LARGEST_FILE)[:LARGEST_FILE])
    assert time.perf_counter() - began < 2.0
