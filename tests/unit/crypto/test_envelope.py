"""A sealed value opens in its place and nowhere else."""

import base64
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.crypto.envelope import DataKey, key_id_of
from keyturn.errors import Misconfigured
from keyturn.kit.secret import Plaintext, SealContext, Sealed

CANARY = "xyz8Q~CanaryCanaryCanaryCanaryCanary"
PLACE = SealContext("app_connections", "4a6f", "secret", 3)
KEY = DataKey("abcd2345", bytes(range(32)))

any_text = st.text(st.characters(codec=None), max_size=400)
name = st.text(st.characters(exclude_characters="\x1f", codec="utf-8"), min_size=1, max_size=40)
places = st.builds(SealContext, name, name, name, st.integers(1, 10**9))


def refused(sealed: Sealed, place: SealContext = PLACE) -> Misconfigured:
    with pytest.raises(Misconfigured) as caught:
        KEY.open(sealed, place)
    return caught.value


@given(any_text, places)
def test_what_is_sealed_opens_to_the_same_text(text: str, place: SealContext) -> None:
    sealed = KEY.seal(Plaintext(text), place)
    assert KEY.open(sealed, place).reveal() == text
    assert key_id_of(sealed) == "abcd2345"


@settings(max_examples=300)
@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    raw = bytearray(KEY.seal(Plaintext(CANARY), PLACE).text, "ascii")
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << (at % 8)
    refused(Sealed(raw.decode("latin-1")))


@given(places, places)
def test_a_value_moved_to_another_place_is_refused(place: SealContext, other: SealContext) -> None:
    sealed = KEY.seal(Plaintext(CANARY), place)
    if place != other:
        refused(sealed, other)


@pytest.mark.parametrize(
    "other",
    [
        SealContext("credentials", "4a6f", "secret", 3),
        SealContext("app_connections", "4a70", "secret", 3),
        SealContext("app_connections", "4a6f", "value", 3),
        SealContext("app_connections", "4a6f", "secret", 2),
    ],
    ids=["other table", "other row", "other column", "older version"],
)
def test_each_part_of_the_place_counts(other: SealContext) -> None:
    refused(KEY.seal(Plaintext(CANARY), PLACE), other)


@given(st.integers(0, 80))
def test_a_truncated_value_is_refused(length: int) -> None:
    refused(Sealed(KEY.seal(Plaintext(CANARY), PLACE).text[:length]))


@given(any_text)
def test_garbage_is_refused_and_never_crashes(text: str) -> None:
    refused(Sealed(text))
    refused(Sealed(f"k1.abcd2345.{text}"))


def test_the_same_key_id_with_another_key_is_refused() -> None:
    sealed = DataKey("abcd2345", os.urandom(32)).seal(Plaintext(CANARY), PLACE)
    refused(sealed)


def test_a_value_relabelled_to_another_key_id_is_refused() -> None:
    sealed = DataKey("zzzz2345", bytes(range(32))).seal(Plaintext(CANARY), PLACE)
    refused(Sealed(sealed.text.replace("zzzz2345", "abcd2345")))


def test_two_seals_of_one_value_have_nothing_in_common() -> None:
    first, second = (KEY.seal(Plaintext(CANARY), PLACE).text.rpartition(".")[2] for _ in range(2))
    assert first[:16] != second[:16]
    assert first[16:] != second[16:]


def test_the_error_names_the_place_and_holds_nothing_of_the_value() -> None:
    text = KEY.seal(Plaintext(CANARY), PLACE).text
    error = refused(Sealed(text[:-2] + ("AA" if text[-2:] != "AA" else "BB")))
    report = f"{error!r} {error.diagnostics()} {error.__cause__!r} {error.__context__!r}"
    assert "app_connections.secret of row 4a6f" in report
    assert error.fix is not None
    assert "Canary" not in report
    assert text.rpartition(".")[2][:12] not in report
    assert base64.b64encode(CANARY.encode()).decode()[:12] not in report


def test_the_clear_text_is_not_in_the_sealed_text() -> None:
    text = KEY.seal(Plaintext(CANARY), PLACE).text
    assert CANARY.encode() not in base64.urlsafe_b64decode(text.rpartition(".")[2] + "==")


def test_neither_key_nor_value_shows_in_a_repr() -> None:
    assert repr(KEY) == "DataKey(abcd2345)"
    assert repr(KEY.seal(Plaintext(CANARY), PLACE)) == "Sealed(***)"
