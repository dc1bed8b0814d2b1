"""Patterns of subjects, audiences and claims: against a translation into a regular expression, and without its price."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from keyturn.identities.bindings import matches

MEANING = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


def translated(pattern: str) -> str:
    parts = re.split(r"(\*\*+|\*|\?)", pattern)
    return "".join(MEANING.get("**" if part.startswith("**") else part) or re.escape(part) for part in parts)


@given(st.text("ab/*?", max_size=8), st.text("ab/*?\n", max_size=10))
def test_a_pattern_means_what_its_regular_expression_means(pattern: str, text: str) -> None:
    assert matches(pattern, text) == bool(re.fullmatch(translated(pattern), text, re.DOTALL))


@given(st.text(max_size=20))
def test_a_text_without_stars_stands_for_itself_alone(text: str) -> None:
    plain = text.replace("*", "+").replace("?", "+")
    assert matches(plain, plain)
    assert not matches(plain, f"{plain}x")
    assert matches("**", text)


def test_no_text_makes_a_pattern_slow() -> None:
    begun = time.process_time()
    assert not matches("*a" * 16 + "b", "a" * 4000)
    assert not matches("**a" * 16 + "b", "a" * 4000)
    assert time.process_time() - begun < 5
