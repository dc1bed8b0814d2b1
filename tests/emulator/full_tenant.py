"""A tenant with one of everything that a path of Graph can name, so that every route can be asked for something that is there."""

from __future__ import annotations

import base64
from typing import Any

from entra_emulator import ApplicationHandle, Response, Settings
from entra_emulator.directory.catalogue import ROLE_IDS
from tests.emulator.certificates import Certificate
from tests.emulator.people import People, people_in
from tests.emulator.scene import GRAPH, EmulatorFixture

LOGS_AT_ONCE = Settings(
    sign_in_delay=(0, 0), sign_in_tail=(0, 0), audit_delay=(0, 0), summary_delay=(0, 0), delta_delay=(0, 0),
    sign_in_drops=0, sign_in_doubles=0, reports_budget=None,
)  # fmt: skip
READER_ROLE = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
ROLE = "22222222-2222-4222-8222-222222222222"
GRAPH_APP = "00000003-0000-0000-c000-000000000000"


class FullTenant:
    """The tenant, the application that may do everything in it, and the keys of what is there."""

    def __init__(self, scene: EmulatorFixture, certificate: Certificate) -> None:
        self.scene = scene
        admin = scene.emulator.admin
        admin.configure(scene.tenant, **{name: getattr(LOGS_AT_ONCE, name) for name in (
            "sign_in_delay", "sign_in_tail", "audit_delay", "summary_delay", "delta_delay", "sign_in_drops",
            "sign_in_doubles", "reports_budget",
        )})  # fmt: skip
        self.people: People = people_in(scene)
        self.director: ApplicationHandle = scene.application("director", permissions=tuple(ROLE_IDS))
        self.certificate = base64.b64encode(certificate.der).decode()
        self.app = scene.application("target", owners=(self.people.ada,))
        self.keys: dict[str, str] = {}
        self._fill()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Response:
        """Asks as the director, or for `me` as a person."""
        if path.startswith("me"):
            return self.people.graph(self.token, method, path, body, headers)
        root = GRAPH.replace("v1.0", "beta") if path.startswith("reports") else GRAPH
        return self.scene.graph(self.director, method, f"{root}/{path}", body, headers)

    def filled(self, pattern: str) -> str:
        """The path of a pattern, with keys of what is there."""
        parts = pattern.split("/")
        for number, part in enumerate(parts):
            if part in {"application", "serviceprincipal", "user", "group", "directoryrole"}:
                parts[number] = f"microsoft.graph.{part}"
            if part == "{}":
                before = "/".join(pattern.split("/")[:number]).replace("{}", "*")
                parts[number] = self.keys.get(before) or self.keys[parts[number - 1]]
        return "/".join(parts)

    def _made(self, path: str, body: Any) -> dict[str, Any]:
        response = self.ask("POST", path, body)
        assert response.status in {200, 201}, (path, response.body)
        made: dict[str, Any] = response.json()
        return made

    def _done(self, method: str, path: str, body: Any = None) -> None:
        response = self.ask(method, path, body)
        assert response.status == 204, (path, response.body)

    def _fill(self) -> None:
        people, app, admin = self.people, self.app, self.scene.emulator.admin
        admin.consent(people.web.object_id, "User.Read", "Directory.AccessAsUser.All", "openid")
        scope = "https://graph.microsoft.com/User.Read https://graph.microsoft.com/Directory.AccessAsUser.All openid"
        self.token = people.tokens(people.ada, scope=scope)["access_token"]
        fields = {"mailNickname": "team", "mailEnabled": False, "securityEnabled": True, "isAssignableToRole": True}
        group = self._made("groups", {"displayName": "Team", **fields})["id"]
        outer = self.outer = self._made("groups", {"displayName": "Outer", **fields})["id"]
        for member, of in ((people.ada, group), (app.principal_id, group), (group, outer)):
            self._done("POST", f"groups/{of}/members/$ref", {"@odata.id": member})
        self._done("POST", f"groups/{group}/owners/$ref", {"@odata.id": people.ada})
        self._done("PUT", f"users/{people.ada}/manager/$ref", {"@odata.id": people.uri})
        self._done("POST", f"servicePrincipals/{app.principal_id}/owners/$ref", {"@odata.id": people.ada})
        fic = {
            "name": "ci-1",
            "issuer": "https://ci.example",
            "subject": "s",
            "audiences": ["api://AzureADTokenExchange"],
        }
        federated = self._made(f"applications/{app.object_id}/federatedIdentityCredentials", fic)["id"]
        lifetime = {"restrictionType": "passwordLifetime", "maxLifetime": "P90D"}
        policy = self._made(
            "policies/appManagementPolicies",
            {"displayName": "p", "description": "d", "restrictions": {"passwordCredentials": [lifetime]}},
        )["id"]
        for path in (f"applications/{app.object_id}", f"servicePrincipals/{app.principal_id}"):
            self._done("POST", f"{path}/appManagementPolicies/$ref", {"@odata.id": f"{GRAPH}/x/{policy}"})
        role = {"displayName": "Reader", "description": "reads", "value": "Things.Read", "isEnabled": True}
        who = {"allowedMemberTypes": ["Application", "User"]}
        self._done("PATCH", f"applications/{app.object_id}", {"appRoles": [{"id": ROLE} | role | who]})
        given = {
            kind: self._made(f"{kind}/{whom}/appRoleAssignments", self.assignment(whom))["id"]
            for kind, whom in (("users", people.ada), ("groups", group), ("servicePrincipals", app.principal_id))
        }
        assigned = self._made(
            "roleManagement/directory/roleAssignments",
            {"principalId": group, "roleDefinitionId": READER_ROLE, "directoryScopeId": "/"},
        )["id"]
        gone = self.scene.application("gone")
        self._done("DELETE", f"applications/{gone.object_id}")
        leaver = admin.create_user(self.scene.tenant, "Lea Leaver")
        self._done("DELETE", f"users/{leaver}")
        unified = {"groupTypes": ["Unified"], "displayName": "Old team", **fields}
        self._done("DELETE", f"groups/{self._made('groups', unified)['id']}")
        self.scene.token(app)
        self.keys = {
            "applications": app.object_id,
            "applicationtemplates": "8adf8e6e-67b2-4cf2-a259-e3dc5476c621",
            "serviceprincipals": app.principal_id,
            "users": people.ada,
            "groups": group,
            "applications/*/owners": people.ada,
            "serviceprincipals/*/owners": people.ada,
            "groups/*/owners": people.ada,
            "groups/*/members": people.ada,
            "directoryobjects": app.principal_id,
            "federatedidentitycredentials": federated,
            "appmanagementpolicies": policy,
            "users/*/approleassignments": given["users"],
            "groups/*/approleassignments": given["groups"],
            "approleassignments": given["servicePrincipals"],
            "approleassignedto": given["users"],
            "roleassignments": assigned,
            "roledefinitions": READER_ROLE,
            "directoryroletemplates": READER_ROLE,
            "directoryroles": f"roleTemplateId={READER_ROLE}",
            "directoryroles/*/members": group,
            "deleteditems": gone.object_id,
            "organization": self.scene.tenant,
            "domains": "contoso.onmicrosoft.com",
        }
        for name, path in (
            ("oauth2permissiongrants", "oauth2PermissionGrants"),
            ("directoryaudits", "auditLogs/directoryAudits"),
            ("signins", "auditLogs/signIns"),
            ("appcredentialsigninactivities", "reports/appCredentialSignInActivities"),
            ("serviceprincipalsigninactivities", "reports/servicePrincipalSignInActivities"),
        ):
            self.keys[name] = self.ask("GET", path).json()["value"][0]["id"]

    def assignment(self, whom: str) -> dict[str, Any]:
        """The body that gives the role of the application to somebody."""
        return {"principalId": whom, "resourceId": self.app.principal_id, "appRoleId": ROLE}

    def lonely(self, kind: str = "Application") -> str:
        """The app id of an application of this kind without a service principal."""
        body = {"displayName": "lonely", "@odata.type": f"#microsoft.graph.{kind}"}
        app_id: str = self._made("applications", body)["appId"]
        return app_id

    def principal_secret(self) -> str:
        """The key id of a secret of the service principal."""
        key_id: str = self._made(f"servicePrincipals/{self.app.principal_id}/addPassword", {})["keyId"]
        return key_id

    def graph_principal(self) -> str:
        """The object id of Graph's own service principal."""
        found: str = self.ask("GET", f"servicePrincipals(appId='{GRAPH_APP}')").json()["id"]
        return found
