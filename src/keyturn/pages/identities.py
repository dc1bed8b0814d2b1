"""Machine identities: programs that call this server, and how they sign in."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.accounts.service import Access
from keyturn.api.fields import Name
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, at_most, permits
from keyturn.errors import NotFound
from keyturn.identities.bindings import METHODS, OidcBinding
from keyturn.identities.domain import (
    LONGEST_TTL,
    Identity,
    IdentityChange,
    IdentityClientSecret,
    NewClientSecret,
    NewIdentity,
    UniversalAuth,
    UniversalAuthChanges,
)
from keyturn.identities.token_auth import TokenAuth
from keyturn.kit.actor import Actor, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.list_address import ListAddress, Pager
from keyturn.pages.token_auths import method_routes
from keyturn.ports.clock import Clock
from keyturn.projects.domain import GivenRole, ProjectRef
from keyturn.projects.service import Projects
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import NonEmpty, Trimmed
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/identities"
ONE = f"{HERE}/{{identity_id}}"
DAY = 86_400
ON_A_PAGE = 50
MOST_JOINABLE = 200
"""Projects to choose from; others are found on their own pages."""


@dataclass(frozen=True)
class IdentitiesPage(Page):
    template: ClassVar[str] = "identities/identities.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "identities"

    identities: Sequence[Identity]
    query: "ListQuery"
    filtered: bool
    pager: Pager
    may_manage: bool
    own_role: Role
    form_state: FormState

    def ways(self, identity: Identity) -> Sequence[str]:
        """Return how the identity signs in, in the words of its page."""
        return [_TITLES.get(method, method) for method in identity.auth_methods]


class ListQuery(ApiModel, rename=None):
    """What the address of the list says."""

    q: Annotated[Trimmed, Meta(max_length=200)] = ""
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


_PLAIN = ListQuery()
_TITLES = {"universal-auth": "Universal Auth", "token-auth": "Token"} | {
    method: binding.title for method, binding in METHODS.items()
}


@dataclass(frozen=True)
class SecretShown:
    id: str
    description: str
    prefix: str
    uses: int
    uses_limit: int
    created_at: datetime
    ends_at: datetime | None
    ended: bool


@dataclass(frozen=True)
class IdentityPage(Page):
    """``auth`` is its Universal Auth; ``token_auths`` are by method. All these are shown to those who may manage it."""

    template: ClassVar[str] = "identities/identity.html"
    section: ClassVar[str] = "identities"

    identity: Identity
    auth: UniversalAuth | None
    locked: bool
    secrets: Sequence[SecretShown]
    token_auths: Mapping[str, TokenAuth]
    joinable: Sequence[ProjectRef]
    """Projects that it may be added to by whoever looks; not those that it works in already."""
    project_id: str | None
    """A project for an example of a request."""
    manageable: bool
    own_role: Role
    site_url: str
    form_state: FormState

    @property
    def claims(self) -> str:
        """The claims that OIDC Auth looks at, as its form takes them."""
        auth = self.token_auths.get(OidcBinding.method)
        return "\n".join(f"{name} = {value}" for name, value in auth.binding.claims.items()) if auth else ""


@dataclass(frozen=True)
class SecretPage(Page):
    """A client secret in the clear: shown by the request that made it, and never again."""

    template: ClassVar[str] = "identities/identity_secret.html"
    section: ClassVar[str] = "identities"

    identity: Identity
    client_id: str
    secret: str


class NewIdentityForm(ApiModel, rename=None):
    name: Name
    role: Role


class IdentityForm(ApiModel, rename=None):
    name: Name
    role: Role
    protected: bool = False


class UniversalAuthForm(ApiModel, rename=None):
    """Seconds; 0: without limit. Addresses one to a line."""

    ttl: Annotated[int, Meta(ge=0, le=LONGEST_TTL)]
    max_ttl: Annotated[int, Meta(ge=0, le=LONGEST_TTL)]
    uses_limit: Annotated[int, Meta(ge=0, le=2_000_000_000)]
    secret_addresses: NonEmpty
    token_addresses: NonEmpty
    lockout_threshold: Annotated[int, Meta(ge=1, le=30)]
    lockout_seconds: Annotated[int, Meta(ge=30, le=DAY)]
    lockout: bool = False

    def command(self) -> UniversalAuthChanges:
        return UniversalAuthChanges(
            access_token_ttl=self.ttl,
            access_token_max_ttl=self.max_ttl,
            access_token_uses_limit=self.uses_limit,
            client_secret_trusted_ips=tuple(self.secret_addresses.split()),
            access_token_trusted_ips=tuple(self.token_addresses.split()),
            lockout_enabled=self.lockout,
            lockout_threshold=self.lockout_threshold,
            lockout_seconds=self.lockout_seconds,
        )


_FIELDS = {
    "accessTokenTTL": "ttl",
    "clientSecretTrustedIps": "secret_addresses",
    "accessTokenTrustedIps": "token_addresses",
}


class NewClientSecretForm(ApiModel, rename=None):
    description: Annotated[Trimmed, Meta(max_length=1024)] = ""
    days: Annotated[int, Meta(ge=0, le=3650)] = 0
    uses_limit: Annotated[int, Meta(ge=0, le=2_000_000_000)] = 0

    def command(self) -> NewClientSecret:
        return NewClientSecret(self.description, self.uses_limit, ttl=self.days * DAY)


class JoinProjectForm(ApiModel, rename=None):
    project: NonEmpty
    role: Annotated[NonEmpty, Meta(max_length=64)]


class DeleteIdentityForm(ApiModel, rename=None):
    confirm: Trimmed = ""


def router(access: Access, projects: Projects, clock: Clock, site_url: str) -> Pages:
    """Return the pages of machine identities. ``site_url`` is the address that examples show."""
    pages = IdentityPages(access, projects, clock, site_url)
    show_one = _page(pages)
    return group(
        *_list(pages),
        show_one,
        *_changes(pages, show_one),
        *_joining(pages, show_one),
        *_signing_in(pages, show_one),
        *method_routes(access, show_one),
    )


@dataclass(frozen=True)
class IdentityPages:
    access: Access
    projects: Projects
    clock: Clock
    site_url: str

    def page(self, actor: Actor, identity_id: str, form_state: FormState) -> IdentityPage:
        identity = self.access.identities.get(actor, identity_id)
        may = permits(ORGANIZATION_ROLES, actor.role, Action.MANAGE_IDENTITIES) and at_most(actor.role, identity.role)
        auth = self._auth(actor, identity_id) if may else None
        now = self.clock.now()
        client_secrets = self.access.universal.list_secrets(actor, identity_id) if auth else ()
        locked = auth is not None and auth.attempts.locked(now)
        secrets = [_shown(each, now) for each in client_secrets]
        token_auths = self.access.token_auths.list(actor, identity_id) if may else ()
        ways = {each.method: each for each in token_auths}
        works_in, joinable = self.projects.members.projects_of_identity(actor, identity_id, MOST_JOINABLE)
        return IdentityPage(
            identity,
            auth,
            locked,
            secrets,
            ways,
            joinable,
            works_in,
            may,
            actor.role,
            self.site_url,
            form_state,
        )

    def _auth(self, actor: Actor, identity_id: str) -> UniversalAuth | None:
        try:
            return self.access.universal.get(actor, identity_id)
        except NotFound:
            return None


def _list(pages: IdentityPages) -> list[PageRoute]:
    @get(HERE)
    def show_identities(actor: Actor, query: ListQuery, form_state: FormState) -> IdentitiesPage:
        may = permits(ORGANIZATION_ROLES, actor.role, Action.MANAGE_IDENTITIES)
        found, total = pages.access.identities.page(actor, query.q, query.page, ON_A_PAGE)
        address = ListAddress(HERE, query, _PLAIN)
        pager = address.pager(query.page, -(-total // ON_A_PAGE), ON_A_PAGE, len(found), total)
        return IdentitiesPage(found, query, bool(query.q or query.page > 1), pager, may, actor.role, form_state)

    @post(HERE, form_page=show_identities)
    def create_identity(actor: Actor, form: NewIdentityForm) -> Redirect:
        identity = pages.access.identities.create(actor, NewIdentity(form.name, form.role))
        return Redirect(f"{HERE}/{identity.id}", toast=f"{identity.name} was created. Now give it a way to sign in.")

    return [show_identities, create_identity]


def _page(pages: IdentityPages) -> PageRoute:
    @get(ONE)
    def show_identity(actor: Actor, identity_id: str, form_state: FormState) -> IdentityPage:
        return pages.page(actor, identity_id, form_state)

    return show_identity


def _joining(pages: IdentityPages, page: PageRoute) -> list[PageRoute]:
    members = pages.projects.members

    @post(f"{ONE}/projects", form_page=page)
    def join_project(actor: Actor, identity_id: str, form: JoinProjectForm) -> Redirect:
        member = members.add_identity(actor, form.project, identity_id, [GivenRole(form.role)])
        return _back(identity_id, f"{member.name} works in the project now.")

    return [join_project]


def _changes(pages: IdentityPages, page: PageRoute) -> list[PageRoute]:
    identities = pages.access.identities

    @post(ONE, form_page=page)
    def change_identity(actor: Actor, identity_id: str, form: IdentityForm) -> Redirect:
        identities.update(actor, identity_id, IdentityChange(form.name, form.role, form.protected))
        return _back(identity_id, "The identity was saved.")

    @post(f"{ONE}/delete", form_page=page)
    def delete_identity(actor: Actor, identity_id: str, form: DeleteIdentityForm) -> Redirect:
        require_typed(form.confirm, identities.get(actor, identity_id).name)
        identity = identities.delete(actor, identity_id)
        return Redirect(HERE, toast=f"{identity.name} was deleted.")

    return [change_identity, delete_identity]


def _signing_in(pages: IdentityPages, page: PageRoute) -> list[PageRoute]:
    access, universal = pages.access, pages.access.universal

    @post(f"{ONE}/universal-auth/add", form_page=page)
    def add_auth(actor: Actor, identity_id: str) -> Redirect:
        universal.attach(actor, identity_id, UniversalAuthChanges())
        return _back(identity_id, "Universal Auth was added. Make a client secret next.")

    @post(f"{ONE}/universal-auth", form_page=page, fields=_FIELDS)
    def change_auth(actor: Actor, identity_id: str, form: UniversalAuthForm) -> Redirect:
        universal.update(actor, identity_id, form.command())
        return _back(identity_id, "The settings were saved.")

    @post(f"{ONE}/universal-auth/unlock", form_page=page)
    def unlock(actor: Actor, identity_id: str) -> Redirect:
        universal.clear_lockouts(actor, identity_id)
        return _back(identity_id, "The identity may sign in again.")

    @post(f"{ONE}/universal-auth/remove", form_page=page)
    def remove_auth(actor: Actor, identity_id: str, form: DeleteIdentityForm) -> Redirect:
        require_typed(form.confirm, access.identities.get(actor, identity_id).name)
        universal.detach(actor, identity_id)
        return _back(identity_id, "Universal Auth was removed.")

    @post(f"{ONE}/client-secrets", form_page=page)
    def create_secret(actor: Actor, identity_id: str, form: NewClientSecretForm) -> SecretPage:
        secret, _ = universal.create_secret(actor, identity_id, form.command())
        auth = universal.get(actor, identity_id)
        return SecretPage(access.identities.get(actor, identity_id), auth.client_id, secret.reveal())

    @post(f"{ONE}/client-secrets/{{secret_id}}/revoke", form_page=page)
    def revoke_secret(actor: Actor, identity_id: str, secret_id: str) -> Redirect:
        universal.revoke_secret(actor, identity_id, secret_id)
        return _back(identity_id, "The client secret was revoked.")

    return [add_auth, change_auth, unlock, remove_auth, create_secret, revoke_secret]


def _back(identity_id: str, toast: str) -> Redirect:
    return Redirect(f"{HERE}/{identity_id}", toast=toast)


def _shown(secret: IdentityClientSecret, now: datetime) -> SecretShown:
    ends_at = secret.created_at + timedelta(seconds=secret.ttl) if secret.ttl else None
    ended = (ends_at is not None and now >= ends_at) or bool(secret.uses_limit and secret.uses >= secret.uses_limit)
    return SecretShown(
        secret.id,
        secret.description,
        secret.prefix,
        secret.uses,
        secret.uses_limit,
        secret.created_at,
        ends_at,
        ended,
    )
