"""Which time zones may be chosen, and what is advised instead of another name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.kit import zones
from keyturn.kit.zone_names import ABBREVIATIONS, WINDOWS


@pytest.mark.parametrize(
    "name", ["localtime", "Factory", "posixrules", "posix/Europe/Oslo", "right/UTC", "Europe", "", "../x"]
)
def test_what_only_a_machine_calls_a_zone_is_not_offered(name: str) -> None:
    assert name not in zones.names()


def test_the_names_of_the_database_are_offered_and_can_be_loaded() -> None:
    assert {
        "UTC",
        "Europe/Oslo",
        "America/Argentina/Buenos_Aires",
        "Asia/Calcutta",
        "CET",
        "Etc/GMT-14",
    } <= zones.names()
    assert all(zones.load(name) for name in zones.names())


def test_all_that_is_suggested_may_be_chosen() -> None:
    assert {zone for names in ABBREVIATIONS.values() for zone in names} | set(WINDOWS.values()) <= zones.names()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CEST", "Europe/Berlin, Europe/Oslo or Europe/Paris"),
        ("edt", "America/New_York or America/Toronto"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("GMT Standard Time", "Europe/London"),
        ("posix/Europe/Oslo", "Europe/Oslo"),
        ("europe/oslo", "Europe/Oslo"),
        ("New York", "America/New_York"),
        ("Berlin", "Europe/Berlin"),
        ("Europe/Olso", "Europe/Oslo"),
        ("UTC+2", "Etc/GMT-2"),
        ("GMT+2", "Etc/GMT-2"),
        ("GMT-11", "Etc/GMT+11"),
    ],
)
def test_what_may_have_been_meant_is_suggested(name: str, meant: str) -> None:
    assert f"'{name}'. Did you mean {meant}?" in zones.refusal(name)


@pytest.mark.parametrize("name", ["localtime", "Factory", "XQZT", "Mars/Base", "+05:30"])
def test_no_zone_is_suggested_for_what_can_be_anywhere(name: str) -> None:
    assert "mean" not in zones.refusal(name)
    assert zones.ADVICE in zones.refusal(name)


def test_a_secret_that_was_typed_here_is_not_repeated() -> None:
    secret = "abc8Q~" + "x" * 34
    assert secret not in zones.refusal(secret)


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z_+\-/: 0-9.]{0,70}", fullmatch=True))
def test_any_text_is_a_zone_or_is_refused_in_words(text: str) -> None:
    if text in zones.names():
        assert zones.load(text)
    else:
        assert zones.refusal(text).startswith("There is no")
    try:
        zones.load(text)
    except zones.UnknownZone:
        assert zones.display_zone(text).key == "UTC"
