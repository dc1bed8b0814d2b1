"""The page on which administrators see how people sign in through Entra ID, and decide what groups give."""

from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.api.sso.schemas import CreateGroupRole, SetEntraIdentity
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.projects.service import Projects
from keyturn.settings.model import SingleSignOn
from keyturn.sso.domain import GroupRole
from keyturn.sso.group_roles import GroupRoles, LinkedUser
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed, parse
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/entra"
_MOST_PROJECTS = 500
_MOST_USERS = 100


@dataclass(frozen=True)
class EntraPage(Page):
    """``settings`` None: nobody signs in so. ``users`` are those who can come in while Entra ID vouches for nobody, then those
    for whom it does, of whom there are ``more``.
    """

    template: ClassVar[str] = "people/entra.html"
    section: ClassVar[str] = "entra"

    settings: SingleSignOn | None
    redirect_uri: str
    certificate: SignInCertificate | None
    administrators_only: bool
    rows: Sequence[GroupRole]
    users: Sequence[LinkedUser]
    places: Sequence[tuple[str, str]]
    form_state: FormState

    more: int

    @property
    def break_glass(self) -> Sequence[LinkedUser]:
        return [user for user in self.users if user.break_glass]


class GroupRoleForm(ApiModel):
    """Names as in the JSON API. The slug of a project's own role takes the place of the chosen one."""

    group_id: Trimmed = ""
    group_name: Trimmed = ""
    project_id: Trimmed = ""
    role: Annotated[Trimmed, Meta(max_length=64)] = ""
    own_role: Annotated[Trimmed, Meta(max_length=64)] = ""

    def body(self) -> CreateGroupRole:
        raw = {
            "groupId": self.group_id,
            "groupName": self.group_name,
            "projectId": self.project_id or None,
            "role": self.own_role or self.role,
        }
        body: CreateGroupRole = parse(CreateGroupRole, raw)
        return body


class LinkForm(ApiModel):
    email: Trimmed = ""
    object_id: Trimmed = ""


def router(
    group_roles: GroupRoles,
    projects: Projects,
    settings: SingleSignOn | None,
    redirect_uri: str,
    certificate: Callable[[], SignInCertificate | None],
    *,
    administrators_only: bool,
) -> Pages:
    """Return the page, and what can be done on it."""

    @get(HERE)
    def show_entra(actor: Actor, form_state: FormState) -> EntraPage:
        rows, (shown, more) = group_roles.list(actor), group_roles.users(actor, _MOST_USERS)
        some, _ = projects.page(actor, "", _MOST_PROJECTS)
        places = [("", "Organization"), *((project.id, project.name) for project in some)]
        used = certificate()
        return EntraPage(settings, redirect_uri, used, administrators_only, rows, shown, places, form_state, more)

    @post(HERE, form_page=show_entra)
    def add_group_role(actor: Actor, form: GroupRoleForm) -> Redirect:
        row = group_roles.add(actor, form.body().command())
        return Redirect(
            HERE, toast=f"Members of {row.group_name or row.group_id} are {row.role} from their next sign-in on."
        )

    @post(f"{HERE}/{{group_role_id}}/delete", form_page=show_entra)
    def delete_group_role(actor: Actor, group_role_id: str) -> Redirect:
        row = group_roles.remove(actor, group_role_id)
        return Redirect(HERE, toast=f"{row.group_name or row.group_id} gives the role {row.role} no longer.")

    @post(f"{HERE}/links", form_page=show_entra)
    def link_user(actor: Actor, form: LinkForm) -> Redirect:
        body: SetEntraIdentity = parse(SetEntraIdentity, {"objectId": form.object_id})
        user = group_roles.link(actor, _user_id(group_roles, actor, form.email), body.object_id)
        return Redirect(HERE, toast=f"That person signs in as {user.email} from now on.")

    @post(f"{HERE}/links/{{user_id}}/delete", form_page=show_entra)
    def unlink_user(actor: Actor, user_id: str) -> Redirect:
        user = group_roles.unlink(actor, user_id)
        return Redirect(HERE, toast=f"Nobody of Entra ID signs in as {user.email} any more.")

    return group(show_entra, add_group_role, delete_group_role, link_user, unlink_user)


def _user_id(group_roles: GroupRoles, actor: Actor, email: str) -> str:
    """Return the id of the user with this address. Raises NotFound."""
    user_id = group_roles.user_id(actor, email)
    if user_id is None:
        raise NotFound(
            f"There is no user '{email}'.",
            code="access.user_not_found",
            field="email",
            fix="GET /api/v1/users lists them, as the page Members does.",
        )
    return user_id
