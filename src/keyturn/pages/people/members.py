"""The users of the organization."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.api.fields import Email, Secret, Text
from keyturn.authz.domain import ORGANIZATION_ROLES, Action, at_most, permits
from keyturn.kit.actor import Actor, Role
from keyturn.people.domain import NewUser
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/members"


@dataclass(frozen=True)
class UserRow:
    """``manageable``: the viewer may change this user."""

    id: str
    email: str
    name: str
    role: Role
    two_step: bool
    own: bool
    manageable: bool
    disabled_at: datetime | None
    fault: str


@dataclass(frozen=True)
class UsersPage(Page):
    template: ClassVar[str] = "people/members.html"
    compressed: ClassVar[bool] = True
    section: ClassVar[str] = "members"

    users: Sequence[UserRow]
    may_manage: bool
    own_role: Role
    form_state: FormState


class NewUserForm(ApiModel, rename=None):
    email: Email
    password: Secret
    role: Role
    first_name: Text = ""
    last_name: Text = ""

    def command(self) -> NewUser:
        return NewUser(self.email, self.password, self.role, self.first_name, self.last_name)


class UserRoleForm(ApiModel, rename=None):
    role: Role


def router(access: Access) -> Pages:
    """Return the page of the organization's users, and what can be done on it."""

    @get(HERE)
    def show_users(actor: Actor, form_state: FormState) -> UsersPage:
        may = permits(ORGANIZATION_ROLES, actor.role, Action.MANAGE_USERS)
        holders = access.factors.holders(actor)
        users = [
            UserRow(
                user.id,
                user.email,
                f"{user.first_name} {user.last_name}".strip(),
                user.role,
                user.id in holders,
                user.id == actor.id,
                may and at_most(actor.role, user.role),
                user.disabled_at,
                user.fault,
            )
            for user in access.users.list(actor)
        ]
        return UsersPage(users, may, actor.role, form_state)

    @post(HERE, form_page=show_users)
    def add_user(actor: Actor, form: NewUserForm) -> Redirect:
        user = access.users.create(actor, form.command())
        return Redirect(HERE, toast=f"{user.email} was added.")

    @post(f"{HERE}/{{user_id}}/role", form_page=show_users)
    def change_role(actor: Actor, user_id: str, form: UserRoleForm) -> Redirect:
        changed = access.users.change_role(actor, user_id, form.role)
        return Redirect(HERE, toast=f"The role of {changed.email} is {changed.role} now.")

    @post(f"{HERE}/{{user_id}}/two-step", form_page=show_users)
    def remove_second_factor(actor: Actor, user_id: str) -> Redirect:
        changed = access.factors.remove_of(actor, user_id)
        return Redirect(HERE, toast=f"Two-step sign-in of {changed.email} is off.")

    return group(show_users, add_user, change_role, remove_second_factor)
