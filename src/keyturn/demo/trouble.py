"""What needs somebody when the demonstration stays, so that the overview has something to say and an alarm arrives.

A secret that ends in five hours, a connection whose application was disabled, a removal that a program holds up, and whatever
the inventory of the tenant finds, which is read through a connection that may do nothing else.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from keyturn.demo.application import MAPPING, ROTATIONS, WEBSHOP
from keyturn.demo.line import CONNECTIONS, DemoClient
from keyturn.errors import Permanent

PATIENCE_SECONDS = 60.0
HOURS_LEFT = 5
PATH = "/orders"
READER = "night-batch"
WRITES_OWNED = ("Application.ReadWrite.OwnedBy",)
READS = ("Application.Read.All", "AuditLog.Read.All", "Directory.Read.All")
EXPECTED = frozenset({"credential-ends", "connection-refused", "old-credential-used"})


class DemoTrouble:
    """``furnish`` once; then the overview has all of :data:`EXPECTED`, and mail is on its way."""

    def __init__(self, line: DemoClient, connection_id: str, project_id: str) -> None:
        """``connection_id`` may rotate the application *Orders worker*; what is made lives in the project."""
        self._line = line
        self._connection_id = connection_id
        self._project_id = project_id

    def furnish(self) -> None:
        """Make it so. Raises Permanent when it does not come to be."""
        body = {"name": "mail", "kind": "email", "timeZone": "Europe/Oslo"}
        self._line.api("POST", "/api/v1/alarm-channels", body)
        ending = self._connect("billing-entra", "Billing", hours=HOURS_LEFT)
        dead = self._connect("reports-entra", "Reports")
        # A secret that was deleted would do as well, half an hour later: until then replicas explain the refusal.
        self._line.entra("PATCH", f"applications/{dead['object_id']}", {"disabled": True})
        reader = self._connect("tenant-reader", "Directory reader", permissions=READS)
        self._line.api("PUT", f"{CONNECTIONS}/{reader['connection']}/inventory", {"enabled": True})
        self._hold_up_a_removal()
        until = time.monotonic() + PATIENCE_SECONDS
        while self._missing([ending["connection"], dead["connection"]]):
            if time.monotonic() > until:
                raise Permanent("The overview does not say what it should.", code="demo.stuck")
            time.sleep(0.5)

    def _missing(self, connection_ids: list[str]) -> frozenset[str]:
        """Try the connections, and return which conditions are not there yet: replicas lag."""
        for connection_id in connection_ids:
            self._line.api("POST", f"{CONNECTIONS}/{connection_id}/test")
        return EXPECTED - {one["kind"] for one in self._line.api("GET", "/api/v1/overview")["conditions"]}

    def _connect(
        self, name: str, application: str, hours: float | None = None, permissions: Sequence[str] = WRITES_OWNED
    ) -> Mapping[str, str]:
        """Make an application with a secret, which ends in so many hours, and a connection that does not rotate it."""
        tenant = self._line.stage.entra["demo"]["tenant_id"]
        now = float(self._line.entra("GET", "clock")["now"])
        new = {
            "name": application,
            "permissions": permissions,
            "owns_itself": True,
            "secrets": 0,
        }
        app = self._line.entra("POST", f"tenants/{tenant}/applications", new)
        # Half an hour more, so that it ends in as many hours as the guide says for as long as one looks around.
        dates = {} if hours is None else {"start": now - 180 * 86400, "end": now + (hours + 0.5) * 3600}
        secret = self._line.entra("POST", f"applications/{app['object_id']}/secrets", dates)
        body: dict[str, Any] = {
            "name": name,
            "projectId": self._project_id,
            "method": "client-secret",
            "credentials": {"tenantId": tenant, "clientId": app["app_id"], "clientSecret": secret["value"]},
        }
        connection = self._line.api("POST", CONNECTIONS, body)["appConnection"]["id"]
        return {"object_id": app["object_id"], "connection": connection}

    def _hold_up_a_removal(self) -> None:
        """Rotate an application daily of which a program has read the secret, and does not come again."""
        webshop = self._line.api("GET", f"/api/v1/projects/slug/{WEBSHOP}")["id"]
        where = {"projectId": webshop, "environment": "prod", "path": "/", "name": PATH.strip("/")}
        self._line.api("POST", "/api/v2/folders", where)
        application = self._line.stage.entra["demo"]["others"][1]
        body = {
            "name": "orders-worker",
            "projectId": webshop,
            "connectionId": self._connection_id,
            "environment": "prod",
            "secretPath": PATH,
            "rotationInterval": 1,
            "rotateAt": {"time": "03:00", "timeZone": "Europe/Oslo"},
            "parameters": {"objectId": application["object_id"], "clientId": application["app_id"]},
            "secretsMapping": {name: f"ORDERS_{text}" for name, text in MAPPING.items()},
        }
        rotation = self._line.api("POST", ROTATIONS, body)["secretRotation"]["id"]
        reader = DemoClient(self._line.stage, self._line.machine(READER, webshop)["accessToken"])
        query = f"workspaceId={webshop}&environment=prod&secretPath={PATH}"
        reader.api("GET", f"/api/v3/secrets/raw?{query}")
        self._line.api("POST", f"{ROTATIONS}/{rotation}/rotate-secrets")
