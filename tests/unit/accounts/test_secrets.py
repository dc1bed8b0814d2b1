"""Tokens, passwords and trusted addresses."""

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.crypto.hashing import Hasher
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext
from keyturn.people.passwords import check_password
from keyturn.tokens.addresses import EVERYWHERE, is_trusted, take_apart
from keyturn.tokens.opaque import new_client_secret, new_token, well_formed

# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_recognisable_and_carries_256_random_bits() -> None:
    token = new_token(secrets.token_bytes).reveal()
    assert re.fullmatch(r"ktn_[a-z2-7]{59}", token)
    assert well_formed(token)
    assert new_token(secrets.token_bytes).reveal() != token
    assert re.fullmatch(r"[a-z2-7]{52}", new_client_secret(secrets.token_bytes).reveal())


@given(position=st.integers(4, 62), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_changed_letter_is_noticed(position: int, letter: str) -> None:
    token = new_token(lambda count: bytes(range(count))).reveal()
    changed = token[:position] + letter + token[position + 1 :]
    assert well_formed(changed) == (changed == token)


@given(st.text(max_size=80))
def test_any_other_text_is_no_token(text: str) -> None:
    assert not well_formed(text)


# --- passwords --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        "short-1",
        "x" * 257,
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "123456789012",
        "12345678901234567890",
        "qwertyuiop123456",
        "abcdefghijklmnop",
        "1qaz2wsx3edc4rfv",
        "Password1234!",
        "passwordpassword",
        "P@ssw0rd!P@ssw0rd!",
        "Welcome2026!!",
        "changeme-changeme",
        "adminadminadmin",
        "letmein!letmein!",
        "correcthorsebatterystaple",
        "iloveyou123456",
        "Keyturn2026!!!",
        "ann.smith@acme.test",
        "Annsmith12345",
    ],
)
def test_passwords_that_attackers_try_first_are_refused_with_the_reason(password: str) -> None:
    with pytest.raises(Refused, match="too easy to guess") as caught:
        check_password(Plaintext(password), "annsmith@acme.test", "Ann", "Smith")
    assert password not in caught.value.diagnostics()


@pytest.mark.parametrize(
    "password",
    [
        "vellum-orbit-pickle-94",
        "tr4nsient Mango Ladder",
        "Zq8!vR2#kLp0",
        "пароль-не-простой-совсем",
        "the password of my neighbour's cat",
        "x7mq-annsmith-02kd-vv",
    ],
)
def test_unusual_passwords_are_accepted(password: str) -> None:
    check_password(Plaintext(password), "annsmith@acme.test", "Ann", "Smith")


def test_a_hash_proves_its_secret_alone_in_either_unicode_form() -> None:
    hasher = Hasher(memory_kib=8, passes=1)
    stored = hasher.hash(Plaintext("crème brûlée crème"))
    assert stored.startswith("$argon2id$")
    assert hasher.verify(stored, Plaintext("cre\u0300me bru\u0302le\u0301e cre\u0300me"))
    assert not hasher.verify(stored, Plaintext("creme brulee creme"))
    assert hasher.hash(Plaintext("crème brûlée crème")) != stored


@pytest.mark.parametrize("stored", [None, "", "none", "$argon2id$broken"])
def test_without_a_usable_hash_nothing_is_proven(stored: str | None) -> None:
    assert not Hasher(memory_kib=8, passes=1).verify(stored, Plaintext("nobody has this password"))


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "address", "expected"),
    [
        (EVERYWHERE, "203.0.113.9", True),
        (EVERYWHERE, "unknown", True),
        (("0.0.0.0/0",), "203.0.113.9", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("192.0.2.7",), "192.0.2.8", False),
        (("192.0.2.200/24",), "192.0.2.8", True),
        (("192.0.2.0/24",), "::ffff:192.0.2.8", True),
        (("2001:db8::/32",), "2001:db8:1::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("192.0.2.0/24",), "", False),
        ((), "192.0.2.8", False),
    ],
)
def test_an_address_is_trusted_when_an_entry_covers_it(
    entries: tuple[str, ...], address: str, *, expected: bool
) -> None:
    assert is_trusted(entries, address) is expected


def test_an_entry_is_shown_as_it_was_written() -> None:
    ranged, single = take_apart("10.1.2.3/8"), take_apart("2001:db8::1")
    assert (ranged.address, ranged.kind, ranged.prefix) == ("10.1.2.3", "ipv4", 8)
    assert (single.address, single.kind, single.prefix) == ("2001:db8::1", "ipv6", None)


@pytest.mark.parametrize(
    "text", ["", "x", "300.1.1.1", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/255.0.0.0", "10.0.0.0/8/8"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(Refused, match="neither an IP address"):
        take_apart(text)


@pytest.mark.parametrize(
    "password",
    [
        *(
            "samsung12345",
            "liverpool123",
            "superstar123",
            "computer1234",
            "Samsung2026!!",
            "123liverpool123",
            "Computer-1234",
        ),
        *("5upers7ar1234", "liverpoolliverpool", "butterfly!!!!", "mailcreated5240", "LEAVEMEALONE", "finalfantasy99"),
    ],
)
def test_passwords_that_most_people_choose_are_refused(password: str) -> None:
    with pytest.raises(Refused, match="too easy"):
        check_password(Plaintext(password))


@pytest.mark.parametrize(
    "password", ["samsung violin teapot", "liverpool-granite-7", "computer says maybe", "zk4-Quorb-Tine"]
)
def test_passwords_that_only_contain_such_a_word_are_taken(password: str) -> None:
    check_password(Plaintext(password))
