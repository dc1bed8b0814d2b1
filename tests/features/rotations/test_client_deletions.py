"""What commands say before they delete or revoke something, and that nothing is done until it is confirmed."""

import io
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from keyturn.cli.main import main
from tests.databases import sqlite_database
from tests.features.rotations.secret_desk import RotationClient, desk
from tests.in_process import InProcess

NO = "Nothing was done"
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")
"""A line of the server in this process."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Operator:
    """Types commands as the administrator, at a terminal where something is typed."""

    def __init__(self, web: RotationClient, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.web, self.capture, self.patch = web, capture, patch
        patch.setattr("keyturn.client.opening.Http", lambda *_: InProcess(web.client))

    def types(self, *words: str, status: int = 0, answer: str | None = None, who: str = "admin") -> str:
        """Return what was printed; with ``answer`` there is a terminal, on which it is typed."""
        self.patch.setattr("sys.stdin", io.StringIO() if answer is None else Terminal(answer))
        environ = {
            "HOME": "/nonexistent",
            "KEYTURN_URL": "http://localhost",
            "KEYTURN_TOKEN": who,
            "KEYTURN_PROJECT": "payments",
            "KEYTURN_ENVIRONMENT": "prod",
            "KEYTURN_SECRET_PATH": "/billing",
        }
        found, printed = main(words, environ), self.capture.readouterr()
        self.web.world.collect_values()
        assert found == status, printed
        return "".join(
            line for line in (printed.out + printed.err).splitlines(keepends=True) if not _LOGGED.match(line)
        )

    def looks(self, *words: str) -> Any:
        """Return as JSON what would be done, and make sure that nothing was."""
        before = self.web.remains()
        shown = json.loads(self.types(*words, "--dry-run", "--json"))
        assert shown["dryRun"]
        assert shown["answer"] is None
        assert self.web.remains() == before
        return shown["preview"]


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    with sqlite_database(tmp_path) as database, desk(database, tmp_path) as web:
        yield Operator(web, capsys, monkeypatch)


def test_a_rotation_is_deleted_once_it_is_said_what_goes_and_confirmed(operator: Operator) -> None:
    web = operator.web
    rotation = web.create()
    web.days(31)  # now there are two secrets that sign in
    web.ask(
        "GET", "/api/v3/secrets/raw", who="robot", workspaceId=web.project, environment="prod", secretPath="/billing"
    )
    told = operator.types("delete", "rotation", "billing-app", "--dry-run")
    assert told.count("stays valid until") == len(web.keys()) == 2
    assert "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET stay as ordinary ones, with a value that works until 2" in told
    assert "is held by robot" in told
    seen = operator.looks("delete", "rotation", rotation["id"], "--revoke", "--delete-secrets")
    assert [each["removedAt"] is None for each in seen["credentials"]] == [False, False]
    assert seen["keptValue"] is None

    before = web.remains()
    assert "no terminal" in operator.types("delete", "rotation", "billing-app", status=2)
    assert NO in operator.types("delete", "rotation", "billing-app", status=1, answer="billing-app\n")
    assert NO in operator.types("delete", "rotation", "billing-app", status=1, answer="")
    assert "There is: billing-app" in operator.types("delete", "rotation", "other", "--yes", status=1)
    operator.types("delete", "rotation", "billing-app", "--dry-run", status=77, who="viewer")
    assert "no secret rotation" in operator.types(
        "delete", "rotation", rotation["id"], "--yes", status=1, who="stranger"
    )
    assert web.remains() == before

    warned = operator.types("delete", "rotation", "billing-app", "--revoke", answer="yes\n")
    assert "WARNING: It stops signing in: it is removed from Entra ID" in warned
    web.ask("GET", rotation["id"], expect=404)
    web.days(1)
    assert web.keys() == {}
    gone = operator.looks("delete", "secret", "AZURE_CLIENT_ID")
    assert gone["isRotatedSecret"] is False


def test_a_value_that_does_not_sign_in_is_kept_with_a_warning(operator: Operator) -> None:
    web = operator.web
    rotation = web.create()
    assert operator.looks("delete", "rotation", "billing-app")["keptValue"]["warning"] is None
    second = web.create("second", secretPath="/", secretsMapping={"clientId": "ID", "clientSecret": "SECRET"})
    seen = operator.looks("delete", "rotation", "billing-app")
    assert "other secret rotations of the application replace it" in seen["keptValue"]["warning"]
    assert [each["name"] for each in seen["sharedWith"]] == ["second"]
    web.ask("DELETE", second["id"])
    web.change(rotation, isAutoRotationEnabled=False)
    life = datetime.fromisoformat(rotation["expiresAt"]) - web.world.clock.now()
    web.days(life.days - 6)
    assert "nobody replaces it any more" in operator.looks("delete", "rotation", "billing-app")["keptValue"]["warning"]
    web.days(10)
    assert "it has ended on" in operator.looks("delete", "rotation", "billing-app")["keptValue"]["warning"]
    answer = web.ask("DELETE", rotation["id"])
    assert "It does not sign in" in answer["keptValue"]["warning"]


def test_places_and_connections_are_refused_with_what_stands_in_the_way(operator: Operator) -> None:
    web = operator.web
    web.create()
    told = operator.types("delete", "folder", "/billing", "--yes", status=1)
    assert "ends the secret rotation 'billing-app'" in told
    assert "--end-secret-rotations" in told
    refused = operator.types("delete", "connection", "prod-entra", "--dry-run", status=1)
    assert "rotated through it: 'billing-app'" in refused
    assert "There is: prod-entra" in operator.types("delete", "connection", "other", "--yes", status=1)
    there = operator.looks("delete", "environment", "prod", "--end-secret-rotations")
    assert (there["secrets"], len(there["secretRotations"])) == (2, 1)
    done = operator.types("delete", "folder", "/billing", "--end-secret-rotations", "--yes", "--json")
    assert json.loads(done.partition("\nDeleted")[0])["answer"]["deletion"]["kind"] == "folder"
    assert "takes 0 secrets and" in operator.types("delete", "project", "payments", "--dry-run")
    operator.types("delete", "connection", "prod-entra", "--yes")
    assert web.ask("GET", "/api/v1/app-connections")["appConnections"] == []
    operator.types("delete", "project", "payments", "--yes")
    assert "There is no project 'payments'" in operator.types("delete", "project", "payments", "--yes", status=1)


def test_what_leaked_is_replaced_and_what_was_handed_over_is_released_once_confirmed(operator: Operator) -> None:
    web = operator.web
    rotation = web.create()
    by_hand = web.world.emulator.admin.add_secret(web.application.object_id)
    (first,) = set(web.keys()) - {by_hand.key_id}
    web.ask("POST", f"{rotation['id']}/hand-over", {"keyId": by_hand.key_id, "clientSecret": by_hand.value})
    refused = operator.types("release", "billing-app", "nothing", "--yes", status=1)
    assert "The secret rotation 'billing-app' has no secret with the id 'nothing'." in refused
    assert first in refused
    assert "removed from Entra ID" in operator.types("release", "billing-app", by_hand.key_id, "--dry-run")
    operator.types("release", "billing-app", by_hand.key_id, "--yes")
    web.days(1)
    assert set(web.keys()) == {first}
    seen = operator.looks("leaked", "rotation", "billing-app")
    assert [each["keyId"] for each in seen["credentials"] if each["removedAt"]] == [first]
    operator.types("leaked", "rotation", "billing-app", "--yes")
    web.days(1)
    assert first not in set(web.keys())
    assert "not set up" in operator.types("leaked", "connection", "prod-entra", "--yes", status=1)


def test_a_secret_with_the_name_of_a_route_is_set_changed_and_deleted(operator: Operator, tmp_path: Path) -> None:
    file = tmp_path / "value"
    for name in ("batch", "id"):
        for value, told in (("one", "Added"), ("two", "Changed")):
            file.write_text(value)
            assert told in operator.types("secrets", "set", name, "--value-file", str(file))
        assert operator.types("secrets", "get", name) == "two"
        operator.types("delete", "secret", name, "--yes")
        assert "There is no secret" in operator.types("secrets", "get", name, status=1)
