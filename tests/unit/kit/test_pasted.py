"""Pasted text made plain: what is taken away could never belong to the value, and all else stays."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.kit import pasted
from keyturn.kit.ids import is_uuid

ID = "0b5e8f6a-1c2d-4e3f-8a9b-0c1d2e3f4a5b"
AROUND = st.text(st.sampled_from(pasted.SPACES + pasted.MARKS), max_size=4)
WRAPPED = st.text(st.sampled_from(pasted.WRAPPING + pasted.MARKS), max_size=4)


@given(AROUND, st.text(st.characters(codec="utf-8"), max_size=60), AROUND)
def test_trimming_takes_from_the_ends_only(before: str, text: str, after: str) -> None:
    result = pasted.trim_blanks(before + text + after)
    assert result in text
    assert pasted.trim_blanks(result) == result
    assert set(text) - set(result) <= set(pasted.SPACES + pasted.MARKS) or result == pasted.trim_blanks(text)


@given(WRAPPED, st.uuids(), WRAPPED, st.sampled_from(pasted.DASHES), st.booleans())
def test_an_id_is_found_in_whatever_is_around_it(
    before: str, identifier: uuid.UUID, after: str, dash: str, upper: bool
) -> None:
    written = str(identifier).replace("-", dash)
    assert pasted.identifier(before + (written.upper() if upper else written) + after) == str(identifier)


@pytest.mark.parametrize(
    "text",
    [
        f"Tenant ID: {ID}",
        f"tenant_id = '{ID}'",
        f'"tenantId": "{ID}",',
        f"Verzeichnis-ID (Mandant)\n{ID}",
        f"urn:uuid:{ID}",
        ID.replace("-", ""),
        ID.replace("-", "\xad"),
        ID[:20] + "\u200b" + ID[20:],
        ID.replace("0", "\uff10"),
        f"({ID}).",
    ],
)
def test_an_id_is_taken_out_of_its_dress(text: str) -> None:
    assert pasted.identifier(text) == ID
    assert pasted.search_words(text) == (ID,)


def test_words_that_are_looked_for_stay_as_they_were_typed_beside_an_id() -> None:
    assert pasted.search_words(f" 'prod'  {{{ID.upper()}}}, (old) ") == ("'prod'", ID, "(old)")


@pytest.mark.parametrize(
    "text",
    [
        f"{ID} {ID}",
        f"{ID}/",
        f"https://login.microsoftonline.com/{ID}/oauth2/token",
        f"{ID}0",
        f"0{ID}",
        ID[:-1],
        "contoso.onmicrosoft.com",
        "",
        "\u200b",
        "x" * 100_000,
        "(" * 100_000,
        " :" * 50_000 + ID,
    ],
)
def test_what_is_no_id_does_not_become_one(text: str) -> None:
    assert not is_uuid(pasted.identifier(text))


@given(st.text(max_size=200))
@settings(max_examples=300)
def test_making_plain_twice_changes_nothing_more(text: str) -> None:
    for make in (pasted.trim_blanks, pasted.identifier, pasted.secret):
        assert make(make(text)) == make(text)


def test_a_domain_keeps_its_letters_but_not_its_quotes() -> None:
    assert pasted.identifier(" 'Contoso.onmicrosoft.com', ") == "Contoso.onmicrosoft.com"


@given(
    st.text(
        st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_characters="\xad\xa0\x85"), min_size=1, max_size=60
    )
)
def test_no_letter_of_a_secret_is_lost(text: str) -> None:
    result = pasted.secret(f"\u200b {text}\r\n")
    assert result == text or result == text.strip(pasted.QUOTES)


def test_quotes_and_labels_are_taken_only_from_what_entra_made() -> None:
    secret = "abc8Q~0123456789.abcdefghijklmnopqrstuvwx"
    for dressed in (
        '"{}"',
        '"password": "{}",',
        "Value: {}",
        "export AZURE_CLIENT_SECRET='{}'",
        "\u201c{}\u201d",
        "{},",
    ):
        assert pasted.secret(dressed.format(secret)) == secret
    for chosen in ('"chosen by a person"', "Value: abc8Q~short", "pass=word,", f"{secret} {secret}"):
        assert pasted.secret(chosen) == chosen


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 100_000,
        "\\r" * 50_000,
        ">" * 100_000,
        " >" * 50_000,
        "|\n" * 50_000,
        "\x00" * 100_000,
        "\u200b" * 100_000,
    ],
)
def test_what_repeats_without_end_is_read_all_the_same(text: str) -> None:
    assert len(pasted.block(text)) <= len(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a\u200bb", "U+200B (zero width space)"),
        ("a\ufeffb", "U+FEFF (zero width no-break space)"),
        ("a\u202eb", "U+202E (right-to-left override)"),
        ("a\xadb", "U+00AD (soft hyphen)"),
        ("a\x07b", "U+0007 (control character)"),
        ("a\n\tb é 日本", None),
    ],
)
def test_what_cannot_be_seen_has_a_name(text: str, name: str | None) -> None:
    assert pasted.unseen(text) == name
