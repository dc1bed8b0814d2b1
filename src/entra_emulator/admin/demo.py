"""The demo tenant: one connection that can rotate itself, and neighbours in every usual state."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from entra_emulator.admin.admin import Admin, ApplicationHandle
from entra_emulator.core.clock import DAY

TENANT_ID = "de300000-0000-4000-8000-000000000001"
TENANT_NAME = "Keyturn Demo"
DOMAIN = "keyturndemo.onmicrosoft.com"
_CONNECTION_APP_ID = "de300000-0000-4000-8000-0000000000a1"
_WIDE_APP_ID = "de300000-0000-4000-8000-0000000000a2"
_POWERLESS_APP_ID = "de300000-0000-4000-8000-0000000000a3"
_SIGN_IN_APP_ID = "de300000-0000-4000-8000-0000000000a4"
_WORKER_APP_ID = "de300000-0000-4000-8000-0000000000a5"
_BATCH_APP_ID = "de300000-0000-4000-8000-0000000000a6"
_PEOPLE_APP_ID = "de300000-0000-4000-8000-0000000000a7"


@dataclass(frozen=True, slots=True)
class Demo:
    """What was made. `connection` owns itself and the first two of `others`; the values of its secrets are included.

    `worker` and `batch` own themselves, too; `batch` has no secret, and waits for a certificate.

    People sign in through `sign_in`, which is configured to ask for the delegated permission to manage applications:
    `ada` is an Application Administrator, `uri` has no directory role; `operators` is a group that has `ada` as its member, as
    tokens for `people` tell, an application through which people sign in to a program. All three are object ids.
    """

    tenant_id: str
    tenant_name: str
    domain: str
    connection: ApplicationHandle
    wide: ApplicationHandle
    powerless: ApplicationHandle
    worker: ApplicationHandle
    batch: ApplicationHandle
    others: tuple[ApplicationHandle, ...]
    sign_in: ApplicationHandle
    ada: str
    uri: str
    operators: str
    people: ApplicationHandle

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def seed_demo(admin: Admin, now: float, redirect_uris: tuple[str, ...] = ()) -> Demo:
    """Makes the demo tenant, in which people sign in through these redirect URIs. Raises ValueError if it is there."""
    tenant = admin.create_tenant(TENANT_NAME, DOMAIN, tenant_id=TENANT_ID)
    connection = _owner_of_itself(admin, tenant, "Keyturn connection", _CONNECTION_APP_ID)
    wide = admin.create_application(
        tenant, "Platform automation", permissions=("Application.ReadWrite.All",), app_id=_WIDE_APP_ID
    )
    powerless = admin.create_application(tenant, "Forgotten consent", app_id=_POWERLESS_APP_ID)
    worker = _owner_of_itself(admin, tenant, "Orders connection", _WORKER_APP_ID)
    batch = _owner_of_itself(admin, tenant, "Nightly batch", _BATCH_APP_ID, secrets=0)
    others = tuple(
        _neighbour(admin, tenant, name, owners, ends, now)
        for name, owners, ends in (
            ("Payments API", (connection.principal_id,), (30.0,)),
            ("Orders worker", (connection.principal_id,), (400.0, 45.0)),
            ("Analytics", (), (3.0,)),
            ("Legacy import", (), (-20.0,)),
            ("Mixed secrets", (), (-200.0, 120.0)),
        )
    )
    sign_in = admin.create_application(
        tenant,
        "Keyturn sign-in",
        app_id=_SIGN_IN_APP_ID,
        redirect_uris=redirect_uris,
        scopes=("Application.ReadWrite.All", "User.Read"),
    )
    ada = admin.create_user(tenant, "Ada Admin", roles=("Application Administrator",))
    uri = admin.create_user(tenant, "Uri User")
    operators = admin.create_group(tenant, "Operators", members=(ada,))
    # Not the one that asks for more: who has agreed to its part would not be asked for the rest, as in Entra ID.
    people = admin.create_application(
        tenant, "Keyturn people", app_id=_PEOPLE_APP_ID, redirect_uris=redirect_uris, scopes=("User.Read",)
    )
    admin.set_group_claims(people.object_id, "SecurityGroup")
    return Demo(
        *(tenant, TENANT_NAME, DOMAIN, connection, wide, powerless, worker, batch, others, sign_in, ada, uri),
        *(operators, people),
    )


def _owner_of_itself(admin: Admin, tenant: str, name: str, app_id: str, secrets: int = 1) -> ApplicationHandle:
    return admin.create_application(
        tenant, name, permissions=("Application.ReadWrite.OwnedBy",), owns_itself=True, app_id=app_id, secrets=secrets
    )


def _neighbour(
    admin: Admin, tenant: str, name: str, owners: tuple[str, ...], ends_in_days: tuple[float, ...], now: float
) -> ApplicationHandle:
    """An application whose secrets end so many days from now (negative: in the past); each lived 180 days or more."""
    application = admin.create_application(tenant, name, owners=owners, secrets=0)
    for number, days in enumerate(ends_in_days, 1):
        end = now + days * DAY
        admin.add_secret(application.object_id, f"created by hand {number}", start=min(now, end) - 180 * DAY, end=end)
    return application
