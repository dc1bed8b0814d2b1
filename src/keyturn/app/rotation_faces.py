"""The faces of connections, rotations, freezes, approvals and secrets: their routes and pages, put together."""

from keyturn.api.approvals import routes as approvals_api
from keyturn.api.connections import routes as connections_api
from keyturn.api.freezes import routes as freezes_api
from keyturn.api.rotations import application_routes
from keyturn.api.rotations import routes as rotations_api
from keyturn.app.core import Core
from keyturn.app.services import Services
from keyturn.audit.service import AuditTrail
from keyturn.pages import approvals as approval_pages
from keyturn.pages import freezes as freeze_pages
from keyturn.pages import rotations as rotations_pages
from keyturn.pages import secrets as secrets_pages
from keyturn.pages.owner_choice import OwnerChoice
from keyturn.pages.project_header import ProjectHeaders
from keyturn.projects.service import Projects
from keyturn.rotations.secret_rotations.consumers import SecretConsumers
from keyturn.rotations.secret_rotations.search import SecretRotationSearch
from keyturn.secrets.comparison import Comparisons
from keyturn.secrets.dotenv_files import DotenvFiles
from keyturn.secrets.listing import SecretListing
from keyturn.secrets.service import Secrets
from keyturn.web.pages import Pages
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


def secret_pages(
    core: Core, secrets: Secrets, projects: Projects, consumers: SecretConsumers, heads: ProjectHeaders
) -> secrets_pages.SecretPages:
    return secrets_pages.SecretPages(
        secrets,
        SecretListing(core.database, core.sealer, core.clock),
        Comparisons(core.database, core.sealer),
        DotenvFiles(core.database, core.sealer, core.clock, secrets),
        projects,
        consumers,
        heads,
    )


def rotation_pages(
    core: Core, use_cases: Services, projects: Projects, trail: AuditTrail, heads: ProjectHeaders, owner: OwnerChoice
) -> rotations_pages.RotationPages:
    return rotations_pages.RotationPages(
        use_cases.secret_rotations,
        use_cases.secret_values,
        use_cases.secret_history,
        use_cases.secret_plans,
        use_cases.secret_consumers,
        use_cases.connections,
        use_cases.applications,
        projects,
        trail,
        heads,
        core.clock,
        core.providers,
        SecretRotationSearch(core.database, core.clock),
        owner,
        use_cases.approvals,
        use_cases.removals,
    )


def guard_pages(core: Core, use_cases: Services, heads: ProjectHeaders) -> list[Pages]:
    """Return the pages of what keeps changes back: freezes and approvals."""
    return [
        freeze_pages.router(use_cases.freezes, heads, core.clock),
        approval_pages.router(use_cases.approvals, use_cases.approved_changes, heads, core.clock),
    ]
