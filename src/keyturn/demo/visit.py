"""What visitors find when the demonstration stays: a furnished project, and what to type to connect in three of the four ways."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from keyturn.demo.application import PATH, WEBSHOP
from keyturn.demo.line import CONNECTIONS, DemoClient
from keyturn.demo.trouble import HOURS_LEFT, READER, DemoTrouble
from keyturn.kit.clock import SystemClock
from keyturn.kit.counting import counted
from keyturn.providers.azure.key_pairs import new_key, new_pair

PROJECT = "Payments"
FILES = ("certificate.pem", "private-key.pem")


class DemoTour:
    """``furnish`` once, then ``guide`` says what there is."""

    def __init__(self, line: DemoClient, connection_id: str) -> None:
        """``connection_id`` is that of ``prod-entra``."""
        self._line = line
        self._connection_id = connection_id
        self._demo: dict[str, Any] = line.stage.entra["demo"]
        self._project = ""

    def furnish(self) -> None:
        """Make a project with a connection that rotates weekly, and a certificate to connect with."""
        project = self._line.api("POST", "/api/v1/projects", {"projectName": PROJECT})["project"]
        self._project = project["id"]
        body = {
            "name": "orders-entra",
            "description": "The worker that fills orders.",
            "projectId": self._project,
            "method": "client-secret",
            "isAutoRotationEnabled": True,
            "rotation": {"rotationInterval": 7, "rotateAt": {"time": "03:30", "timeZone": "America/New_York"}},
            "credentials": self._secret(self._demo["worker"]),
        }
        self._line.api("POST", CONNECTIONS, body)
        self._upload()
        DemoTrouble(self._line, self._connection_id, self._project).furnish()

    def _upload(self) -> None:
        now, app = SystemClock().now(), self._demo["batch"]
        signing = new_pair(new_key(), "nightly batch", now, now + timedelta(days=365))
        for path, text in zip(self._files(), (signing.chain, signing.private_key.reveal()), strict=True):
            path.touch(0o600)
            path.write_text(text)
        self._line.entra("POST", f"applications/{app['object_id']}/certificates", {"certificate": signing.chain})

    def _files(self) -> list[Path]:
        return [self._line.stage.folder / name for name in FILES]

    def _secret(self, app: dict[str, Any]) -> dict[str, str]:
        first = app["secrets"][0]
        return {
            "tenantId": self._demo["tenant_id"],
            "clientId": app["app_id"],
            "clientSecret": first["value"],
            "clientSecretKeyId": first["key_id"],
        }

    def guide(self, email: str, password: str) -> str:
        """Return the text for visitors. It holds secrets of the demonstration's own tenant, which ends with it."""
        stage, demo = self._line.stage, self._demo
        webshop = self._line.api("GET", f"/api/v1/projects/slug/{WEBSHOP}")["id"]
        wide, (certificate, private_key) = self._secret(demo["wide"]), self._files()
        return f"""
Still running (Ctrl-C ends it). Alarms come by e-mail within a minute, and are printed here. Sign in:
  Overview       {stage.url}/overview   a secret ends in {HOURS_LEFT} h, an application is disabled, {READER} holds up a removal
                 {email} / {password}
                 or through Entra ID: Ada Admin is a member by her group Operators; Uri User is refused, and told why
  Keyturn        {stage.url}/projects/{self._project}/integrations/app-connections
  A rotation     {stage.url}/projects/{webshop}/integrations/secret-rotations   its two secrets are in prod, {PATH}
  Inventory      {stage.url}/inventory   every credential of the tenant: who owns it, when it ends, what is wrong with it
  API reference  {stage.url}/api/docs   token {self._line.token}
  Metrics        curl -H "Authorization: Bearer {stage.metrics_token}" {stage.url}/metrics
  Entra ID       {stage.entra["authority"]}   trust {stage.ca_file}; a browser warns once

Add Connection > Azure Client Secrets. Tenant ID {demo["tenant_id"]}
  OAuth          choose Ada Admin, who may change every application, or Uri User, who may not
  Client Secret  Client ID {wide["clientId"]}   ({demo["wide"]["display_name"]}: may change every application)
                 Client Secret {wide["clientSecret"]}   Key ID {wide["clientSecretKeyId"]}
  Certificate    Client ID {demo["batch"]["app_id"]}   ({demo["batch"]["display_name"]}: may change itself)
                 Certificate {certificate}
                 Private Key {private_key}
{self._applications()}"""

    def _applications(self) -> str:
        owned = self._demo["connection"]["principal_id"]
        lines = ["Also in the tenant, to be looked at:"]
        for app in (*self._demo["others"], self._demo["powerless"]):
            application = self._line.entra("GET", f"applications/{app['object_id']}")
            whose = "owned by prod-entra" if owned in application["owners"] else "foreign"
            count = len(application["secrets"])
            lines.append(f"  {app['display_name']:30} {whose}, {counted(count, 'secret')}")
        return "\n".join(lines)
