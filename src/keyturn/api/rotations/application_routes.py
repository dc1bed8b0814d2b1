"""Routes of the applications that may be rotated through a connection: found, allowed, and taken off the list."""

from keyturn.api.rotations.application_schemas import (
    AllowedApplicationsShown,
    ChangeAllowedApplications,
    FindApplications,
    FoundApplicationsShown,
    present_allowed_applications,
    present_found_applications,
)
from keyturn.connections.allowed import RotatableApplications
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.web.routes import Routes, delete, get, group, patch, put
from keyturn.web.schema.validate import Uuid

ALL = "/api/v1/app-connections/azure-client-secrets/{connection_id}/applications"
ALLOWED = "/api/v1/app-connections/azure-client-secrets/{connection_id}/allowed-applications"


def router(applications: RotatableApplications, clock: Clock) -> Routes:
    """Return the routes."""

    @get(ALL)
    def find_applications(actor: Actor, connection_id: Uuid, query: FindApplications) -> FoundApplicationsShown:
        """Find applications that the connection can see, a page at a time. Entra ID itself searches.

        ``search`` are words of a name, or a client id or object id. ``cursor`` is that of the page before.
        """
        result = applications.find(actor, connection_id, query.search, query.cursor)
        return present_found_applications(result, clock.now())

    @get(ALLOWED)
    def list_allowed_applications(actor: Actor, connection_id: Uuid) -> AllowedApplicationsShown:
        """List the applications that may be rotated through the connection."""
        return present_allowed_applications(applications.allowed(actor, connection_id))

    @patch(ALLOWED)
    def change_allowed_applications(
        actor: Actor, connection_id: Uuid, data: ChangeAllowedApplications
    ) -> AllowedApplicationsShown:
        """Say whether, beside those listed, every application that the connection's principal owns may be rotated through it."""
        return present_allowed_applications(applications.allow_all_owned(actor, connection_id, on=data.all_owned))

    @put(f"{ALLOWED}/{{object_id}}")
    def allow_application(actor: Actor, connection_id: Uuid, object_id: Uuid) -> AllowedApplicationsShown:
        """Let an application be rotated through the connection."""
        return present_allowed_applications(applications.allow(actor, connection_id, object_id))

    @delete(f"{ALLOWED}/{{object_id}}")
    def disallow_application(actor: Actor, connection_id: Uuid, object_id: Uuid) -> AllowedApplicationsShown:
        """Let an application not be rotated through the connection any more: its rotations fail from now on."""
        return present_allowed_applications(applications.disallow(actor, connection_id, object_id))

    return group(
        "App connections",
        find_applications,
        list_allowed_applications,
        change_allowed_applications,
        allow_application,
        disallow_application,
    )
