"""Microsoft's own clients, which every tenant knows without having made them, and to which everybody has consented.

Source of the id: azure-cli-core 2.91.0 (auth/constants.py), which signs people in through it, with a loopback address or a device
code.
"""

from __future__ import annotations

import uuid

from entra_emulator.directory.directory import Application, Directory, ServicePrincipal, Tenant
from entra_emulator.directory.replicas import everywhere

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
_MICROSOFT = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
CLIENTS = {AZURE_CLI: "Microsoft Azure CLI"}


def introduce(directory: Directory) -> None:
    """Makes the clients known to the token endpoint."""
    for app_id, name in CLIENTS.items():
        directory.know(
            Application(
                str(uuid.uuid5(uuid.UUID(_MICROSOFT), app_id)),
                app_id,
                _MICROSOFT,
                name,
                0.0,
                everywhere(float("-inf")),
                audience="AzureADandPersonalMicrosoftAccount",
                properties={"publicClient": {"redirectUris": ["http://localhost"]}, "isFallbackPublicClient": True},
            )
        )


def principals(tenant: Tenant, now: float) -> list[ServicePrincipal]:
    """Their service principals in a new tenant."""
    return [
        ServicePrincipal(str(uuid.uuid5(uuid.UUID(tenant.id), app_id)), app_id, tenant.id, name, now, everywhere(now))
        for app_id, name in CLIENTS.items()
    ]
