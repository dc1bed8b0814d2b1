"""Identifiers and secrets: from the system's random source, or the same again for a seed."""

import re

import pytest

from keyturn.kit.ids import SeededIds, SystemIds


@pytest.mark.parametrize("ids", [SystemIds(), SeededIds(7)])
def test_a_secret_has_256_bits_and_needs_no_escaping_in_an_address(ids: SystemIds | SeededIds) -> None:
    values = {ids.secret() for _ in range(50)}
    assert len(values) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in values)


def test_a_seed_gives_the_same_secrets_again() -> None:
    first, again = SeededIds(7), SeededIds(7)
    assert [first.secret(), first.new(), first.secret()] == [again.secret(), again.new(), again.secret()]
    assert SeededIds(8).secret() != SeededIds(7).secret()
