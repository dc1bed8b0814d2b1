"""How to set this server up for sign-in with Microsoft: what to register in Entra, what to set here, and a check of both."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from keyturn.authz.domain import require_admin
from keyturn.connections.flow import CALLBACK_PATH
from keyturn.errors import KeyturnError
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.manifest import Permission
from keyturn.web.pages import FormState, Page, Pages, get, group, post
from keyturn.web.schema.validate import Uuid
from keyturn.web.schema.wire import ApiModel

HERE = "/help/azure"
CLIENT_ID = "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_ID"
CLIENT_SECRET = "INF_APP_CONNECTION_AZURE_CLIENT_SECRETS_CLIENT_SECRET"

SignInAs = Callable[[str, str, Plaintext], object]
"""Given a tenant, a client id and a secret: returns when Entra accepts them, raises a KeyturnError when not."""


@dataclass(frozen=True)
class Installation:
    """What this server was given for OAuth."""

    site_url: str | None
    client_id: str | None
    client_secret: Plaintext | None
    permissions: Sequence[Permission]


@dataclass(frozen=True)
class Variable:
    name: str
    meaning: str
    is_set: bool


@dataclass(frozen=True)
class InputFinding:
    """One line of the check."""

    ok: bool
    text: str
    fix: str = ""


@dataclass(frozen=True)
class AzureHelpPage(Page):
    template: ClassVar[str] = "help/azure.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "help"

    redirect_uri: str
    site_url: str
    variables: Sequence[Variable]
    permissions: Sequence[Permission]
    findings: Sequence[InputFinding]
    may_check: bool
    form_state: FormState


class WhichTenant(ApiModel, rename=None):
    tenant: Uuid


def router(installation: Installation, sign_in_as: SignInAs) -> Pages:
    """Return the help page with its check."""

    @get(HERE)
    def show_help(actor: Actor, form_state: FormState) -> AzureHelpPage:
        return _page(actor, installation, (), form_state)

    @post(HERE, form_page=show_help)
    def check(actor: Actor, form: WhichTenant) -> AzureHelpPage:
        require_admin(actor)
        form_state = FormState(HERE, {"tenant": form.tenant})
        return _page(actor, installation, _findings(installation, form.tenant, sign_in_as), form_state)

    return group(show_help, check)


def _page(
    actor: Actor, installation: Installation, findings: Sequence[InputFinding], form_state: FormState
) -> AzureHelpPage:
    site = installation.site_url
    return AzureHelpPage(
        f"{site or 'https://your-domain.com'}{CALLBACK_PATH}",
        site or "",
        (
            Variable("SITE_URL", "The public address of this server, as browsers see it.", bool(site)),
            Variable(CLIENT_ID, "Application (client) ID of the application.", bool(installation.client_id)),
            Variable(CLIENT_SECRET, "Value of a client secret of it.", bool(installation.client_secret)),
        ),
        installation.permissions,
        findings,
        actor.role is Role.ADMIN,
        form_state,
    )


def _findings(installation: Installation, tenant: str, sign_in_as: SignInAs) -> list[InputFinding]:
    site, client_id, secret = installation.site_url, installation.client_id, installation.client_secret
    findings = [_site(site)]
    if client_id is None or secret is None:
        missing = " and ".join(
            name for name, value in ((CLIENT_ID, client_id), (CLIENT_SECRET, secret)) if value is None
        )
        return [
            *findings,
            InputFinding(False, "The application's credentials are not set.", f"Set {missing} and restart."),
        ]
    try:
        sign_in_as(tenant, client_id, secret)
    except KeyturnError as error:
        return [*findings, InputFinding(False, error.message, error.fix or "")]
    return [*findings, InputFinding(True, f"Entra ID accepts the client ID and the client secret in tenant {tenant}.")]


def _site(site: str | None) -> InputFinding:
    if site is None:
        return InputFinding(
            False, "SITE_URL is not set.", "Set it to the address in your browser's address bar, and restart."
        )
    if not site.startswith("https://") and "//localhost" not in site:
        return InputFinding(False, f"SITE_URL is {site}.", "Entra ID takes redirect addresses with https:// only.")
    return InputFinding(True, f"SITE_URL is {site}. The redirect URI must be registered exactly as shown above.")
