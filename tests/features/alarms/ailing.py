"""An organization in which everything is the matter that needs somebody, as rows."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from keyturn.credentials.domain import USED_ELSEWHERE
from keyturn.db import tables
from keyturn.db.unit import Database, Tx
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Sealed
from tests.features.accounts.people import organization, project

IDS = SystemIds()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_SEALED = Sealed("k1.a.b")
REFUSAL = {"code": "azure.secret_invalid", "message": "Entra ID does not accept it.", "fix": "Enter another."}


@dataclass(frozen=True)
class Named:
    id: str
    client_id: str
    key_id: str | None


class Ailing:
    """Adds rows to one organization, all of the moment ``now``. What it adds is well but for what is said."""

    def __init__(self, database: Database, now: datetime, org_id: str = "", project_id: str = "") -> None:
        self.org_id, self.now = org_id or organization(database), now
        self.project_id = project_id or project(database, self.org_id)
        self._database = database
        self._names = 0

    def all_of_it(self) -> None:
        """Add one of each kind of condition."""
        now = self.now
        with self._database.write() as tx:
            self.connection(tx, refused_at=now, refusal=REFUSAL, check_result={"ok": False, **REFUSAL})
            self.connection(tx, check_result={"ok": False, "message": "It is broken.", "fix": None}, look_at=now + HOUR)
            self.connection(tx, checked_at=now - 3 * DAY)
            self.connection(tx, ends_at=now + 5 * DAY)
            self._granted(tx)
            self.rotating(tx, status="failed", last_message="A policy forbids it.", paused_until=now + HOUR)
            self.rotating(tx, status="failed", last_message="The zone is unknown.", next_run_at=None)
            self.rotating(tx, last_rotated_at=now - 40 * DAY, current={"published_at": now - 40 * DAY})
            self.rotating(tx, next_run_at=now + HOUR, current={"ends_at": now + 4 * DAY})  # every day, and all is well
            self.rotating(tx, enabled=False, current={"ends_at": now + 9 * DAY})
            self._leaked(tx)
            self._removals_and_others(tx)
            self._machines(tx)
            self._failing_channel(tx)

    def _failing_channel(self, tx: Tx) -> None:
        self._names += 1
        values = {
            "id": IDS.new(), "org_id": self.org_id, "name": f"h{self._names}", "kind": "webhook", "config": {}, "least": "notice",
            "time_zone": "UTC", "failing_since": self.now - HOUR, "failure": "No answer.", "created_at": self.now,
            "updated_at": self.now,
        }  # fmt: skip
        tx.run(sa.insert(tables.alarm_channels).values(values))

    def owned(self, tx: Tx, user_id: str, **changes: Any) -> None:
        """Add a connection for which this person answers."""
        owned = self.connection(tx, **changes)
        row = {"id": owned, "connection_id": owned, "org_id": self.org_id, "user_id": user_id, "email": "a@acme.test"}
        tx.run(sa.insert(tables.owners).values(row | {"updated_at": self.now}))

    def connection(self, tx: Tx, **changes: Any) -> str:
        self._names += 1
        connection_id, name = IDS.new(), f"c{self._names}"
        values = {
            "id": connection_id, "org_id": self.org_id, "project_id": self.project_id, "scope": self.project_id, "name": name,
            "app": "azure-client-secrets", "method": "client-secret", "cloud": "global", "tenant_id": IDS.new(),
            "client_id": IDS.new(), "secret": _SEALED, "salt": _SEALED, "credentials_hash": "0" * 64, "created_at": self.now,
            "updated_at": self.now, "checked_at": self.now, "check_result": {"ok": True}, "look_at": self.now + DAY,
        }  # fmt: skip
        tx.run(sa.insert(tables.app_connections).values(values | changes))
        return connection_id

    def rotating(self, tx: Tx, current: dict[str, Any] | None = None, **changes: Any) -> str:
        """Add a connection whose own secret rotates; return the id of the rotation."""
        connection_id, rotation_id = self.connection(tx), IDS.new()
        values = {
            "id": rotation_id, "kind": "connection", "connection_id": connection_id, "org_id": self.org_id,
            "project_id": self.project_id, "name": "r", "cloud": "global", "tenant_id": "t", "app_id": "a",
            "object_id": IDS.new(), "application_name": "A", "time_zone": "UTC", "credential_kind": "client-secret",
            "overlap": "until-proven", "generation": 3, "next_run_at": self.now + 20 * DAY,
            "last_rotated_at": self.now - 9 * DAY, "status": "success",
            "created_at": self.now - 90 * DAY, "updated_at": self.now,
        }  # fmt: skip
        tx.run(sa.insert(tables.rotations).values(values | changes))
        self.credential(tx, rotation_id, **(current or {}))
        return rotation_id

    def credential(self, tx: Tx, rotation_id: str, **changes: Any) -> str:
        values = {
            "id": IDS.new(), "rotation_id": rotation_id, "org_id": self.org_id, "object_id": "o", "generation": 3,
            "state": "current", "marker": "keyturn r g3", "key_id": IDS.new(), "ends_at": self.now + 80 * DAY,
            "published_at": self.now - 9 * DAY, "planned_at": self.now - 9 * DAY,
        }  # fmt: skip
        tx.run(sa.insert(tables.credentials).values(values | changes))
        return str((values | changes)["key_id"])

    def reading(self) -> AbstractContextManager[Tx]:
        return self._database.read()

    def ids_of(self, tx: Tx, name: str) -> "Named":
        """Return the ids of a connection, and of its current credential where it rotates."""
        own = sa.and_(tables.rotations.c.connection_id == tables.app_connections.c.id)
        current = sa.and_(
            tables.credentials.c.rotation_id == tables.rotations.c.id, tables.credentials.c.state == "current"
        )
        query = sa.select(tables.app_connections.c.id, tables.app_connections.c.client_id, tables.credentials.c.key_id)
        joined = tables.app_connections.outerjoin(tables.rotations, own).outerjoin(tables.credentials, current)
        row = tx.one(query.select_from(joined).where(tables.app_connections.c.name == name))
        assert row is not None
        return Named(**row)

    def _granted(self, tx: Tx) -> None:
        used = self.now - 85 * DAY
        row = {"connection_id": self.connection(tx, method="oauth"), "refresh_token": _SEALED}
        row |= {"signed_in_by": IDS.new(), "signed_in_email": "gone@acme.test"}
        tx.run(sa.insert(tables.oauth_tokens).values(row | {"refreshed_at": used, "refresh_due_at": used + 30 * DAY}))

    def _leaked(self, tx: Tx) -> None:
        run = {
            "id": IDS.new(),
            "rotation_id": self.rotating(tx),
            "reason": "leaked",
            "state": "active",
            "created_at": self.now,
        }
        tx.run(sa.insert(tables.runs).values(run))

    def _removals_and_others(self, tx: Tx) -> None:
        rotation_id, before = self.rotating(tx, application_name="Salaries"), self.now - 3 * DAY
        self.credential(tx, rotation_id, state="retiring", note=USED_ELSEWHERE, retired_at=before)
        self.credential(tx, rotation_id, state="retiring", retired_at=before - DAY, revoke_after=before)
        self.credential(
            tx, rotation_id, state="retiring", retired_at=before, revoke_after=self.now + DAY
        )  # in good time
        gone = self.credential(tx, self.rotating(tx, status="success"), state="revoked")
        seen = {"first_seen_at": self.now - 60 * DAY}
        self._observed(tx, rotation_id, IDS.new(), **seen)  # was there from the beginning
        self._observed(tx, rotation_id, IDS.new(), first_seen_at=self.now - DAY, name="by hand")
        self._observed(tx, rotation_id, gone, **seen, ours=True, gone_at=before)
        vanished = self.rotating(tx, current={"key_id": "vanished"})
        self._observed(tx, vanished, "vanished", **seen, ours=True, gone_at=self.now - HOUR)

    def _observed(self, tx: Tx, rotation_id: str, key_id: str, **changes: Any) -> None:
        row = {"id": IDS.new(), "rotation_id": rotation_id, "key_id": key_id}
        tx.run(sa.insert(tables.observed_keys).values(row | changes))

    def _machines(self, tx: Tx) -> None:
        stamps = {"created_at": self.now - 10 * DAY, "updated_at": self.now}
        identity, auth = IDS.new(), IDS.new()
        named = {"id": identity, "org_id": self.org_id, "name": "ci", "role": "member"}
        tx.run(sa.insert(tables.identities).values(named | stamps))
        locked = {"last_failure_at": self.now, "locked_until": self.now + timedelta(minutes=5)}
        of_auth = {"id": auth, "identity_id": identity, "client_id": IDS.new()}
        tx.run(sa.insert(tables.universal_auths).values(of_auth | locked | stamps))
        secret = {"id": IDS.new(), "universal_auth_id": auth, "description": "ci", "prefix": "abcd", "hash": "h"}
        tx.run(sa.insert(tables.client_secrets).values(secret | {"ttl": 12 * 86400} | stamps))
        token = {
            "id": IDS.new(),
            "org_id": self.org_id,
            "name": "Entra ID",
            "digest": IDS.new(),
            "created_at": self.now,
        }
        tx.run(sa.insert(tables.scim_tokens).values(token | {"expires_at": self.now + 5 * DAY}))
        self.owned(tx, IDS.new())
        tx.run(sa.update(tables.data_keys).values(created_at=self.now - 100 * DAY))
        self._server(tx)

    def _server(self, tx: Tx) -> None:
        before = self.now - 3 * DAY
        of_folder = {"hours": 24, "since": before, "looked_at": self.now, "made_at": before}
        tx.add_new(tables.backup_folders, folder="/var/backups/keyturn", **of_folder)
        failing = {"failing_since": before, "failures": 9, "reason": "No answer.", "wake_at": self.now}
        tx.add_new(tables.audit_streams, id="syslog", **failing)
