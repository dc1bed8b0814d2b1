"""``keyturn doctor`` names the connections that Entra refuses."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from keyturn.cli.checkup import CheckupFinding, examine
from keyturn.cli.context import CommandContext
from keyturn.db.tables import app_connections, organizations
from keyturn.errors import RefusalReason
from keyturn.kit.secret import Sealed
from keyturn.ports.http import HttpRequest, HttpResponse, TransportFailed
from tests.features.boot.starting import CLOCK, started


class Nowhere:
    """No network."""

    def send(self, request: HttpRequest) -> HttpResponse:
        raise TransportFailed("no network", sent=False)


def connections_finding(environ: dict[str, str]) -> CheckupFinding:
    findings = examine(CommandContext(environ, CLOCK), lambda _: Nowhere())
    return next(finding for finding in findings if finding.subject == "connections")


def refuse(environ: dict[str, str], name: str, code: str, days: int, reason: RefusalReason | None = None) -> None:
    now = CLOCK.now()
    values = {
        "id": name, "org_id": "o", "scope": "o", "name": name, "app": "azure-client-secrets", "method": "client-secret",
        "cloud": "global", "tenant_id": "t", "client_id": "c", "secret": Sealed("x"), "secret_version": 1,
        "credentials_hash": "h", "version": 1, "created_at": now, "updated_at": now, "fingerprint_version": 0,
        "refused_at": now - timedelta(days=days), "refusal": {"code": code, "message": "no", "fix": "x", "reason": reason},
    }  # fmt: skip
    with started(environ, []) as (database, _), database.write() as tx:
        if tx.one(sa.select(organizations.c.id)) is None:
            tx.run(
                sa.insert(organizations).values(id="o", name="Example", slug="example", created_at=now, updated_at=now)
            )
        tx.run(sa.insert(app_connections).values(**values))


def test_refused_connections_are_named_with_the_oldest_and_the_fix(tmp_path: Path) -> None:
    environ = {"KEYTURN_DATA_DIR": str(tmp_path / "data"), "PORT": "0"}
    with started(environ, []):
        pass
    assert connections_finding(environ).level == "ok"
    refuse(environ, "young", "azure.secret_invalid", 1, RefusalReason.CREDENTIAL_UNKNOWN)
    finding = connections_finding(environ)
    assert (finding.level, "restored" in finding.fix) == ("warn", False)
    assert "2026-02-28T00:00:00" in finding.message
    refuse(environ, "old", "azure.app_disabled", 9)
    assert "restored" not in connections_finding(environ).fix
    refuse(environ, "middle", "azure.secret_invalid", 3, RefusalReason.CREDENTIAL_UNKNOWN)
    three = connections_finding(environ)
    assert three.message.startswith("3 refused by Entra now, the oldest since 2026-02-20T00:00:00")
    assert three.message.endswith(": old, middle, young.")
    assert "older copy of the database may have been restored" in three.fix
