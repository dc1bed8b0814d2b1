"""What the inventory asks of Graph, and how it reads what Graph's own documents show: lists, owners, changes, the audit log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from keyturn.errors import Permanent, Retryable
from keyturn.kit.clock import MovableClock
from keyturn.kit.ids import SeededIds
from keyturn.kit.secret import Plaintext
from keyturn.ports.http import HttpRequest, HttpResponse
from keyturn.ports.inventory import KeyKind, Listing, ObjectKind
from keyturn.ports.provider import AccessToken, Tenant
from keyturn.providers.azure.directory import AzureDirectory
from keyturn.providers.azure.provider import AzureProvider
from keyturn_simulation.emulated import HOST, emulated_clouds

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
HOME, ELSEWHERE = "11111111-2222-4333-8444-000000000001", "11111111-2222-4333-8444-000000000002"
ONE, TWO, THREE = (f"11111111-2222-4333-8444-00000000001{number}" for number in range(3))
TENANT = Tenant("global", HOME)
TOKEN = AccessToken(Plaintext("token"), NOW, roles=("Application.Read.All",), principal_id=THREE)


@dataclass
class Canned:
    """Answers as Graph does, by the beginning of a path."""

    answers: Mapping[str, tuple[int, object]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def send(self, request: HttpRequest) -> HttpResponse:
        path = unquote(request.url.removeprefix(f"{HOST}/v1.0"))
        self.asked.append(path)
        status, body = next((answer for start, answer in self.answers.items() if path.startswith(start)), (404, {}))
        return HttpResponse(status, {}, json.dumps(body).encode())


def directory(**answers: tuple[int, object]) -> tuple[AzureDirectory, Canned]:
    canned = Canned({path.replace("__", "/"): answer for path, answer in answers.items()})
    provider = AzureProvider(canned, MovableClock(NOW), emulated_clouds(), ids=SeededIds(1))
    return provider.directory, canned


def refused(status: int, code: str) -> tuple[int, object]:
    return status, {"error": {"code": code, "message": "No."}}


def test_a_blueprint_and_what_is_disabled_are_told_apart_from_other_applications() -> None:
    secret = {"keyId": TWO.upper(), "displayName": None, "hint": "abc", "endDateTime": "2027-01-01T00:00:00.1234567Z"}
    certificate = {"keyId": THREE, "customKeyIdentifier": None, "key": None, "startDateTime": "2026-01-01T00:00:00Z"}
    items = [
        {"id": ONE, "appId": TWO, "displayName": "Shop", "isDisabled": None, "passwordCredentials": [secret]},
        {
            "@odata.type": "#microsoft.graph.agentIdentityBlueprint",
            "id": TWO,
            "appId": THREE,
            "displayName": "Agent",
            "isDisabled": True,
            "keyCredentials": [certificate, "broken"],
        },
    ]
    link = f"{HOST}/v1.0/applications?$skiptoken=x"
    reader, canned = directory(__applications=(200, {"value": items, "@odata.nextLink": link}))
    page = reader.page(TENANT, TOKEN, Listing.APPLICATIONS, None, 999)
    assert page is not None
    shop, agent = page.objects
    assert (shop.kind, shop.disabled, agent.kind, agent.disabled) == (
        *(ObjectKind.APPLICATION, False),
        *(ObjectKind.BLUEPRINT, True),
    )
    assert [(key.kind, key.key_id, key.hint) for key in shop.keys] == [(KeyKind.SECRET, TWO, "abc")]
    assert [key.kind for key in agent.keys] == [KeyKind.CERTIFICATE]
    assert page.cursor == "/applications?$skiptoken=x"
    assert "$top=999" in canned.asked[0]
    assert "keyCredentials" in canned.asked[0]
    nowhere, _ = directory(__applications=(200, {"value": [], "@odata.nextLink": "https://evil.test/v1.0/x"}))
    with pytest.raises(Retryable):
        nowhere.page(TENANT, TOKEN, Listing.APPLICATIONS, None, 999)


@pytest.mark.parametrize(
    ("told", "made_at"),
    [
        ("2026-01-01T01:00:00.1234567+01:00", datetime(2026, 1, 1, 0, 0, 0, 123456, UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:00:00-14:00", None),
        ("soon", None),
        (7, None),
    ],
)
def test_when_an_application_was_made_is_a_moment_of_the_calendar(told: object, made_at: datetime | None) -> None:
    item = {"id": ONE, "appId": TWO, "displayName": "Shop", "createdDateTime": told}
    reader, _ = directory(__applications=(200, {"value": [item]}))
    page = reader.page(TENANT, TOKEN, Listing.APPLICATIONS, None, 999)
    assert page is not None
    assert [each.made_at for each in page.objects] == [made_at]


def test_a_cloud_without_blueprints_has_no_such_list() -> None:
    reader, _ = directory(__applications=refused(400, "BadRequest"))
    assert reader.page(TENANT, TOKEN, Listing.BLUEPRINTS, None, 999) is None
    with pytest.raises(Permanent):
        reader.page(TENANT, TOKEN, Listing.APPLICATIONS, None, 999)


def test_a_principal_tells_where_its_application_is_registered() -> None:
    secret = {"keyId": TWO, "displayName": "local"}
    item = {
        "id": ONE,
        "appId": THREE,
        "accountEnabled": False,
        "appOwnerOrganizationId": ELSEWHERE.upper(),
        "passwordCredentials": [secret],
    }
    reader, canned = directory(__servicePrincipals=(200, {"value": [item]}))
    page = reader.page(TENANT, TOKEN, Listing.PRINCIPALS, None, 999)
    assert page is not None
    (found,) = page.objects
    assert (found.kind, found.home_tenant, found.disabled) == (ObjectKind.PRINCIPAL, ELSEWHERE, True)
    assert "servicePrincipalType eq 'Application'" in canned.asked[0]


def test_owners_are_told_as_far_as_the_permission_shows_them() -> None:
    owners = [
        {"@odata.type": "#microsoft.graph.user", "id": ONE, "userPrincipalName": "ann@x.test", "accountEnabled": False},
        {"@odata.type": "#microsoft.graph.user", "id": TWO, "displayName": None},
        {
            "@odata.type": "#microsoft.graph.servicePrincipal",
            "id": THREE,
            "displayName": "robot",
            "accountEnabled": True,
        },
    ]
    reader, _ = directory(__applications=(200, {"value": owners}))
    found = reader.owners(TENANT, TOKEN, ObjectKind.APPLICATION, ONE)
    assert found is not None
    assert [(each.name, each.kind, each.disabled) for each in found] == [
        ("ann@x.test", "user", True),
        ("", "user", None),
        ("robot", "service-principal", False),
    ]
    reader, _ = directory(__applications=refused(403, "Authorization_RequestDenied"))
    assert reader.owners(TENANT, TOKEN, ObjectKind.APPLICATION, ONE) is None
    assert reader.federated(TENANT, TOKEN, ONE) is None


def test_changes_are_followed_by_their_links_until_the_token_is_too_old() -> None:
    removed = {"id": TWO, "@removed": {"reason": "deleted"}}
    later = f"{HOST}/v1.0/applications/delta?$deltatoken=later"
    body = {"value": [{"id": ONE}, removed, {"id": ONE}], "@odata.deltaLink": later}
    reader, canned = directory(__applications__delta=(200, body))
    found = reader.changes(TENANT, TOKEN, Listing.APPLICATIONS, None)
    assert (found.object_ids, found.cursor) == ((ONE, TWO), None)
    assert found.token == "/applications/delta?$deltatoken=later"
    assert "$deltatoken=latest" in canned.asked[0]
    reader, _ = directory(__applications__delta=refused(410, "Gone"))
    with pytest.raises(Permanent):
        reader.changes(TENANT, TOKEN, Listing.APPLICATIONS, found.token)


def test_who_changed_credentials_is_read_from_the_directorys_own_log() -> None:
    log = [
        {
            "activityDateTime": "2026-11-30T08:00:00.1234567Z",
            "activityDisplayName": "Update application – Certificates and secrets management ",
            "initiatedBy": {"app": None, "user": {"id": ONE, "userPrincipalName": "eve@x.test"}},
        },
        {"activityDateTime": "2026-11-30T08:30:00Z", "activityDisplayName": "Update application", "initiatedBy": {}},
        {
            "activityDateTime": "2026-11-30T08:10:00Z",
            "activityDisplayName": "Add service principal credentials",
            "initiatedBy": {"user": None, "app": {"displayName": "pipeline", "servicePrincipalId": TWO}},
        },
    ]
    reader, canned = directory(__auditLogs=(200, {"value": log}))
    found = reader.changed_by(TENANT, TOKEN, ONE, NOW)
    assert found is not None
    assert [(each.actor, each.actor_id) for each in found] == [("pipeline", TWO), ("eve@x.test", ONE)]
    assert f"t/id eq '{ONE}'" in canned.asked[0]
    for answer in (refused(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"), refused(400, "BadRequest")):
        reader, _ = directory(__auditLogs=answer)
        assert reader.changed_by(TENANT, TOKEN, ONE, NOW) is None
