"""The tenant itself: the organization and its domains.

Sources: https://learn.microsoft.com/graph/api/resources/organization and .../resources/domain.
"""

from __future__ import annotations

from typing import Any

from entra_emulator.core.clock import graph_time
from entra_emulator.core.wire import Response
from entra_emulator.directory.directory import Tenant
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import not_found
from entra_emulator.graph.lookup import Key
from entra_emulator.graph.odata import collection, entity
from entra_emulator.graph.permissions import may_read_domains, may_read_organization


def _organizations(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_organization(call)
    return collection(call, [_organization(call.home())], "organization")


def _one_organization(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_organization(call)
    if keys[0][1] != call.home().id:
        raise not_found(keys[0][1][:100])
    return entity(call, _organization(call.home()), "organization")


def _organization(tenant: Tenant) -> dict[str, Any]:
    return {
        "id": tenant.id,
        "deletedDateTime": None,
        "countryLetterCode": None,
        "createdDateTime": graph_time(tenant.created_at),
        "displayName": tenant.name,
        "tenantType": "AAD",
        "verifiedDomains": [
            {
                "capabilities": "Email, OfficeCommunicationsOnline",
                "isDefault": number == 0,
                "isInitial": name.endswith(".onmicrosoft.com"),
                "name": name,
                "type": "Managed",
            }
            for number, name in enumerate(tenant.domains)
        ],
    }


def _domains(call: Call, _keys: tuple[Key, ...]) -> Response:
    may_read_domains(call)
    tenant = call.home()
    return collection(call, [_domain(tenant, number) for number in range(len(tenant.domains))], "domains")


def _one_domain(call: Call, keys: tuple[Key, ...]) -> Response:
    may_read_domains(call)
    tenant, name = call.home(), keys[0][1].lower()
    number = next((number for number, item in enumerate(tenant.domains) if item.lower() == name), None)
    if number is None:
        raise not_found(keys[0][1][:100])
    return entity(call, _domain(tenant, number), "domains")


def _domain(tenant: Tenant, number: int) -> dict[str, Any]:
    name = tenant.domains[number]
    return {
        "id": name,
        "authenticationType": "Managed",
        "isAdminManaged": True,
        "isDefault": number == 0,
        "isInitial": name.endswith(".onmicrosoft.com"),
        "isRoot": True,
        "isVerified": True,
        "supportedServices": ["Email", "OfficeCommunicationsOnline"],
    }


ROUTES = (
    ("GET", "organization", "getOrganization", _organizations),
    ("GET", "organization/{}", "getOrganization", _one_organization),
    ("GET", "domains", "listDomains", _domains),
    ("GET", "domains/{}", "getDomain", _one_domain),
)
