"""Asking the provider about an application whose secret is to be rotated through a connection."""

from keyturn.connections.domain import Connection
from keyturn.connections.stored import Stored
from keyturn.errors import Refused
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.preflight import PolicyReport
from keyturn.ports.provider import Principal, RemoteApplication
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import CLIENT_SECRET
from keyturn.rotations.permitted import PermittedApplications
from keyturn.rotations.policy_check import usual_life
from keyturn.rotations.schedule import Schedule


@dataclass(frozen=True)
class CheckedApplication:
    """An application that may be rotated. ``listed``: the connection's list already has it.

    ``principal`` is None where that was not asked, or where the connection's permissions do not show it; ``policy`` where that
    was not asked.
    """

    application: RemoteApplication
    listed: bool
    principal: Principal | None = None
    policy: PolicyReport | None = None


@dataclass(frozen=True)
class ApplicationCheck:
    """Checks everything that rotating an application's secret needs. Outside of transactions; changes nothing."""

    stored: Stored
    providers: Providers
    permitted: PermittedApplications

    def check(
        self,
        connection: Connection,
        object_id: str,
        client_id: str,
        *,
        new: bool = True,
        schedule: Schedule | None = None,
    ) -> CheckedApplication:
        """Return the application that both ids name: the connection signs in and may write it, and a ``new`` one has a free slot
        and, as far as that can be seen, somebody can sign in as it.

        With a ``schedule`` it is asked whether policies let a secret be added for it; what they say refuses nothing here. Then a
        disabled application is refused, too. Raises Refused, or what the provider says.
        """
        kind = self.providers.kind(CLIENT_SECRET, app_id=client_id)
        connection, token = self.stored.sign_in(connection)
        application = kind.application(connection.tenant, token, object_id=object_id)
        if application.app_id.lower() != client_id.lower():
            raise Refused(
                f"The object id {object_id} is that of '{application.name}', whose client id is {application.app_id}, and not "
                f"{client_id}.",
                code="rotation.two_applications",
                fix="Take both from the same page: Entra ID > App registrations > the application > Overview.",
                field="parameters.clientId",
            )
        self.permitted.require_no_sign_in(connection, application)
        kind.check_may_write(connection.tenant, token, application)
        if new and application.slots is not None and len(application.credentials) >= application.slots:
            raise _no_slot(application, application.slots)
        principal = None
        if new or schedule:
            principal = self.permitted.require_enabled(connection, application, token)
        if new and principal is Principal.MISSING:
            fix = self.providers.of(connection.app).principal_fix(connection.tenant, principal, application)
            raise _no_principal(application, connection, fix)
        listed = self.permitted.covers(connection, application, token)
        policy = kind.policy(connection.tenant, token, application, usual_life(schedule)) if schedule else None
        return CheckedApplication(application, listed, principal, policy)


def _no_principal(application: RemoteApplication, connection: Connection, fix: str) -> Refused:
    return Refused(
        f"The application '{application.name}' has no service principal in tenant {connection.tenant_id}: no secret of it could "
        "ever sign in.",
        code="rotation.no_service_principal",
        fix=fix,
        field="parameters.clientId",
    )


def _no_slot(application: RemoteApplication, slots: int) -> Refused:
    names = ", ".join(f"'{credential.name or credential.key_id}'" for credential in application.credentials)
    return Refused(
        f"The application '{application.name}' may hold {slots} secrets and does: its audience includes personal accounts.",
        code="rotation.no_free_slot",
        fix=f"Remove a secret that is no longer used ({names}) under Certificates & secrets, then try again.",
    )
