"""Azure Auth: a managed identity signs in with the token that Entra ID gives it, against the local Entra ID.

POST   /api/v1/auth/azure-auth/login                     {identityId, jwt}      -> {accessToken, expiresIn, ...}
POST   /api/v1/auth/azure-auth/identities/:identityId    {tenantId, resource, allowedServicePrincipalIds, ...}
GET, PATCH, DELETE the same                              -> {identityAzureAuth: {...}}
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from entra_emulator import ApplicationHandle, Emulator, Request
from entra_emulator.directory.keys import SigningKey
from keyturn.accounts.service import Access
from keyturn.audit.service import AuditTrail
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database
from keyturn.errors import Unauthenticated
from keyturn.identities.azure import AzureProof
from keyturn.identities.domain import NewIdentity
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.identities.oidc import OidcProof
from keyturn.identities.token_auth import TokenAuthChanges
from keyturn.kit.actor import Role
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.providers.azure.clouds import CHINA, GLOBAL, USGOV_L4
from keyturn.providers.azure.tenant_keys import TenantKeys
from keyturn_simulation.emulated import HOST, EmulatedTransport, EmulatorTime, emulated_clouds
from tests.features.accounts.conftest import HOME, AccessFixture
from tests.features.accounts.issuer import Json
from tests.features.accounts.people import IDS
from tests.features.accounts.site import SiteFixture, site

METHOD = "azure-auth"
LOGIN = "/api/v1/auth/azure-auth/login"
RESOURCE = "api://keyturn.acme.test"
SIGNING = SigningKey()


class Tenant:
    """A tenant of the local Entra ID with a resource, and a service principal that gets tokens for it."""

    def __init__(self, clock: MovableClock) -> None:
        self.emulator = Emulator(EmulatorTime(clock), seed=7, signing_key=SIGNING)
        self.admin = self.emulator.admin
        self.id = self.admin.create_tenant()
        self.transport = EmulatedTransport(self.emulator)
        self.resource = self.admin.create_application(self.id, "Keyturn", identifier_uris=(RESOURCE,))
        self.second = self.admin.create_application(self.id, "Second version", token_version=2)
        self.worker = self.admin.create_application(self.id, "Worker")

    def token(
        self, resource: str = RESOURCE, worker: ApplicationHandle | None = None, tenant: str | None = None
    ) -> str:
        """Get a token as a managed identity gets one."""
        application = worker or self.worker
        body = {
            "grant_type": "client_credentials",
            "client_id": application.app_id,
            "client_secret": application.secrets[0].value,
            "scope": f"{resource}/.default",
        }
        url = f"https://login.microsoftonline.com/{tenant or self.id}/oauth2/v2.0/token"
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = self.emulator.handle(Request("POST", url, form, urlencode(body).encode()))
        assert answer.status == 200, answer.body
        token: str = json.loads(answer.body)["access_token"]
        return token

    def changed(self, **changes: object) -> str:
        """A token that Entra ID signed and that says something else."""
        return SIGNING.sign({name: value for name, value in (claims_of(self.token()) | changes).items() if value})

    def principal(self, worker: ApplicationHandle | None = None) -> str:
        return str(claims_of(self.token(worker=worker))["oid"])


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def _welcome() -> None:
    """Nobody is too many."""


@pytest.fixture
def tenant(clock: MovableClock) -> Tenant:
    return Tenant(clock)


@pytest.fixture
def access(database: Database, clock: MovableClock, tenant: Tenant) -> Access:
    tenants = TenantKeys(tenant.transport, GLOBAL, emulated_clouds().get("global"))
    proofs = {METHOD: AzureProof(IssuerKeys(clock, _welcome), tenants)}
    return Access(database, clock, IDS, Hasher(memory_kib=8, passes=1), proofs=proofs)


class Robot:
    def __init__(self, house: AccessFixture, tenant: Tenant, **binding: object) -> None:
        self.house = house
        self.id = house.access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER)).id
        usual = {"tenant_id": tenant.id, "resource": RESOURCE, "principals": tenant.principal()}
        house.access.token_auths.attach(house.admin, self.id, METHOD, TokenAuthChanges(usual | binding))

    def sign_in(self, token: str) -> Plaintext:
        return self.house.access.token_machines.login(METHOD, self.id, Plaintext(token), HOME, _welcome).token

    def refused(self, token: str) -> Json:
        self.house.clock.advance(60)  # one event a minute and reason
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials\.$"):
            self.sign_in(token)
        event = AuditTrail(self.house.database).page(self.house.admin, limit=1).events[0]
        assert (event.name, event.data["method"]) == ("refuse-identity-signed-token", METHOD)
        return dict(event.data)


@pytest.fixture
def robot(house: AccessFixture, tenant: Tenant) -> Robot:
    return Robot(house, tenant)


def test_a_service_principal_signs_in_with_its_token(house: AccessFixture, tenant: Tenant, robot: Robot) -> None:
    assert house.whoami(robot.sign_in(tenant.token())).id == robot.id
    assert house.access.identities.get(house.admin, robot.id).auth_methods == (METHOD,)
    event = AuditTrail(house.database).page(house.admin, limit=1).events[0]
    assert event.data == {"method": METHOD, "tokenSubject": tenant.principal(), "ip": HOME.ip}


def test_tokens_of_both_versions_are_taken(house: AccessFixture, tenant: Tenant) -> None:
    audience = f"api://{tenant.second.app_id}"
    token = tenant.token(audience)
    assert claims_of(token)["ver"] == "2.0"
    robot = Robot(house, tenant, resource=tenant.second.app_id)
    assert robot.sign_in(token)


def test_ids_count_in_either_case_and_the_resource_with_or_without_a_slash(
    house: AccessFixture, tenant: Tenant
) -> None:
    principals = f"{IDS.new()}, {tenant.principal().upper()}"
    robot = Robot(house, tenant, tenant_id=tenant.id.upper(), resource=f"{RESOURCE}/", principals=principals)
    assert robot.sign_in(tenant.token())


REFUSED: dict[str, tuple[Callable[[Tenant], str], str]] = {
    "another service principal": (
        lambda at: at.token(worker=at.admin.create_application(at.id, "Other")),
        "principal",
    ),
    "another resource": (lambda at: at.token(f"api://{at.resource.app_id}"), "audience"),
    "a list with the resource": (lambda at: at.changed(aud=[RESOURCE]), "audience"),
    "a person": (lambda at: at.changed(idtyp="user"), "person"),
    "a person, in a token that does not say so": (lambda at: at.changed(idtyp=None, sub="pairwise"), "person"),
    "nobody": (lambda at: at.changed(oid=None), "person"),
    "another tenant": (lambda at: at.changed(tid="11111111-2222-4333-8444-555555555555"), "tenant"),
    "another tenant's issuer": (
        lambda at: at.changed(iss="https://sts.windows.net/11111111-2222-4333-8444-555555555555/"),
        "issuer",
    ),
    "another cloud": (lambda at: at.changed(iss=f"https://sts.chinacloudapi.cn/{at.id}/"), "issuer"),
    "an issuer of nobody": (lambda at: at.changed(iss=None), "issuer"),
    "Graph's own form of signature": (
        lambda at: SIGNING.sign(claims_of(at.token()), nonce="AQABAAAAAAD"),
        "signature",
    ),
    "a signature of somebody else": (lambda at: SigningKey().sign(claims_of(at.token())), "key"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_token_is_refused(tenant: Tenant, robot: Robot, name: str) -> None:
    make, reason = REFUSED[name]
    assert robot.refused(make(tenant))["reason"] == reason
    assert robot.sign_in(tenant.token())


def test_an_old_token_is_refused(tenant: Tenant, robot: Robot, clock: MovableClock) -> None:
    token = tenant.token()
    clock.advance(claims_of(token)["exp"] - clock.now().timestamp() + 1)
    assert robot.refused(token)["reason"] == "expired"


def test_keys_come_from_the_tenant_and_are_kept(tenant: Tenant, robot: Robot) -> None:
    before = tenant.transport.requests
    for _ in range(3):
        robot.sign_in(tenant.token())
    assert tenant.transport.requests == before + 1


def test_an_entra_id_that_does_not_answer_lets_nobody_in(tenant: Tenant, robot: Robot) -> None:
    with tenant.transport.cut():
        refusal = robot.refused(tenant.token())
    assert (refusal["reason"], "the network is cut" in refusal["found"]) == ("keys", True)


class _Named:
    """The local Entra ID as a host that a user named."""

    def __init__(self, transport: EmulatedTransport) -> None:
        self._transport = transport

    def send(self, request: HttpRequest, *, ca: str = "") -> HttpResponse:
        assert not ca
        return self._transport.send(request)


def test_its_discovery_document_serves_oidc_auth_as_well(
    database: Database, clock: MovableClock, tenant: Tenant, house: AccessFixture
) -> None:
    keys = IssuerKeys(clock, _welcome)
    access = Access(database, clock, IDS, proofs={"oidc-auth": OidcProof(keys, _Named(tenant.transport))})
    robot = access.identities.create(house.admin, NewIdentity(name="robot", role=Role.MEMBER)).id
    binding = {
        "discovery_url": f"{HOST}/{tenant.id}/v2.0",
        "issuer": f"https://sts.windows.net/{tenant.id}/",
        "audiences": RESOURCE,
        "claims": {"oid": tenant.principal()},
    }
    access.token_auths.attach(house.admin, robot, "oidc-auth", TokenAuthChanges(binding))
    token = Plaintext(tenant.token())
    assert access.token_machines.login("oidc-auth", robot, token, HOME, _welcome).token


def test_each_cloud_has_issuers_of_its_own(tenant: Tenant) -> None:
    def issuers(cloud: Any) -> tuple[str, ...]:
        return tuple(TenantKeys(tenant.transport, cloud, cloud).issuers("T"))

    assert issuers(GLOBAL) == ("https://sts.windows.net/t/", "https://login.microsoftonline.com/t/v2.0")
    assert issuers(USGOV_L4) == ("https://sts.windows.net/t/", "https://login.microsoftonline.us/t/v2.0")
    assert issuers(CHINA) == ("https://sts.chinacloudapi.cn/t/", "https://login.partner.microsoftonline.cn/t/v2.0")


def test_over_http(
    database: Database, clock: MovableClock, house: AccessFixture, tenant: Tenant, tmp_path: Path
) -> None:
    with site(database, clock, house.access, tmp_path) as served:
        served.token = house.first.token.reveal()
        _walk(served, tenant)


def _walk(served: SiteFixture, tenant: Tenant) -> None:
    robot = served.ask("POST", "/api/v1/identities", {"name": "robot", "role": "viewer"})["identity"]["id"]
    path = f"/api/v1/auth/azure-auth/identities/{robot}"
    body = {"tenantId": tenant.id, "resource": RESOURCE, "allowedServicePrincipalIds": tenant.principal()}
    served.ask("GET", path, expect=404)
    for changes, status in (
        ({"allowedServicePrincipalIds": ""}, 400),
        ({"allowedServicePrincipalIds": "*"}, 400),
        ({"tenantId": "common"}, 400),
        ({"tenantId": f"{tenant.id}/../x"}, 400),
        ({"resource": ""}, 422),
        ({"tenantId": None}, 422),
    ):
        served.ask("POST", path, body | changes, expect=status)
    settings = served.ask("POST", path, body | {"identityId": robot, "accessTokenTTL": 600})["identityAzureAuth"]
    assert (
        settings.items() >= (body | {"identityId": robot, "accessTokenTTL": 600, "accessTokenMaxTTL": 2592000}).items()
    )
    served.ask("PATCH", path, {"allowedServicePrincipalIds": ""}, expect=400)
    assert served.ask("PATCH", path, {"accessTokenTTL": 60})["identityAzureAuth"]["accessTokenTTL"] == 60
    answer = served.ask("POST", LOGIN, {"identityId": robot, "jwt": tenant.token()})
    assert (answer["expiresIn"], answer["tokenType"]) == (60, "Bearer")
    assert served.ask("GET", f"/api/v1/identities/{robot}", token=answer["accessToken"])
    # The token of one method is none of another.
    served.ask("POST", "/api/v1/auth/oidc-auth/login", {"identityId": robot, "jwt": tenant.token()}, expect=401)
    served.ask("DELETE", path)
    served.ask("POST", LOGIN, {"identityId": robot, "jwt": tenant.token()}, expect=401)
    assert served.ask("GET", "/api/v1/identities/details", token=answer["accessToken"], expect=401)
