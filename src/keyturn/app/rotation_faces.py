"""The faces of connections, rotations, freezes, approvals and secrets: their routes and pages, put together."""

from keyturn.api.approvals import routes as approvals_api
from keyturn.api.connections import routes as connections_api
from keyturn.api.freezes import routes as freezes_api
from keyturn.api.rotations import application_routes
from keyturn.api.rotations import routes as rotations_api
from keyturn.app.core import Core
from keyturn.app.services import Services
from keyturn.web.routes import Routes


def connection_routes(core: Core, use_cases: Services, oauth_client_id: str | None) -> Routes:
    return connections_api.router(
        use_cases.connections,
        use_cases.rotations,
        use_cases.sign_ins,
        use_cases.tests,
        use_cases.history,
        use_cases.removals,
        use_cases.overviews,
        core.providers,
        use_cases.approvals,
        use_cases.conversions,
        use_cases.change_previews,
        oauth_client_id=oauth_client_id,
        clock=core.clock,
    )


def rotation_routers(core: Core, use_cases: Services) -> list[Routes]:
    of_secrets = rotations_api.router(
        use_cases.secret_rotations,
        use_cases.secret_values,
        use_cases.secret_history,
        use_cases.secret_plans,
        use_cases.change_previews,
        use_cases.secret_consumers,
        use_cases.approvals,
        core.clock,
    )
    return [
        of_secrets,
        application_routes.router(use_cases.applications, core.clock),
        freezes_api.router(use_cases.freezes, core.clock),
        approvals_api.router(use_cases.approvals, use_cases.approved_changes, core.clock),
    ]
