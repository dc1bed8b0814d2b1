"""Query options of Graph: heeded or refused on every route, dropped on none."""

from __future__ import annotations

import pytest

from entra_emulator import SigningKey
from entra_emulator.graph.service import routes
from tests.emulator.certificates import Certificate
from tests.emulator.full_tenant import FullTenant
from tests.emulator.scene import EmulatorFixture

WRONG = {
    "filter": ("nonsense eq 'x'", "displayName eq", "x" * 9_000),
    "orderby": ("nonsense",),
    "expand": ("nonsense",),
    "select": ("nonsense",),
    "top": ("0", "-1", "x", "1000000"),
    "skiptoken": ("nonsense",),
    "search": ('"nonsense:x"',),
    "deltatoken": ("nonsense",),
    "format": ("json",),
    "skip": ("1",),
    "apply": ("x",),
}
ALWAYS_EMPTY = ("policies", "appmanagementpolicies")


@pytest.fixture
def full(scene: EmulatorFixture, certificate: Certificate, signing_key: SigningKey) -> FullTenant:
    return FullTenant(scene, certificate)


def test_every_read_is_answered_and_refuses_query_options_that_make_no_sense(full: FullTenant) -> None:
    eventual, wrong = {"ConsistencyLevel": "eventual"}, list[tuple[str, ...]]()
    for pattern, methods in routes("beta").items():
        if "GET" not in methods:
            continue
        path = full.filled(pattern)
        plain = full.ask("GET", path, headers=eventual)
        assert plain.status == 200, (path, plain.body)
        rows = plain.json().get("value") if plain.body.startswith(b"{") else None
        for name, values in WRONG.items():
            for value in values:
                answer = full.ask("GET", f"{path}?${name}={value}", headers=eventual)
                nothing_to_tell = rows == [] and name in {"filter", "select", "expand", "search"}
                if answer.status != 400 and not nothing_to_tell:
                    wrong.append((pattern, name, value, str(answer.status)))
    assert wrong == []
