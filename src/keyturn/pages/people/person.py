"""One user: whether and how they sign in, what an admin does about it, and what becomes of what they leave."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers, Leaving
from keyturn.api.fields import Secret
from keyturn.authz.domain import at_most
from keyturn.kit.actor import Actor, Role
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.choices import Choice
from keyturn.pages.owner_choice import people_of, user_id_of, value_of
from keyturn.pages.people.members import link_page
from keyturn.pages.people.settings import SessionShown, session_shown
from keyturn.people.administration import PersonState
from keyturn.provisioning.invitations import Invitations
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, PageResponse, PageRoute, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

MEMBERS = "/organization/members"
ONE = "/organization/members/{user_id}"


@dataclass(frozen=True)
class PersonPage(Page):
    """``heirs`` are ids and addresses of those who may answer for it instead."""

    template: ClassVar[str] = "people/person.html"
    section: ClassVar[str] = "members"

    state: PersonState
    leaving: Leaving
    sessions: Sequence[SessionShown]
    heirs: Choice
    own: bool
    manageable: bool
    own_role: Role
    form_state: FormState


class LeaveForm(ApiModel, rename=None):
    new_owner: Trimmed = ""


class DeleteUserForm(ApiModel, rename=None):
    confirm: Trimmed = ""
    new_owner: Trimmed = ""


class UserRoleForm(ApiModel, rename=None):
    role: Role


class TemporaryPasswordForm(ApiModel, rename=None):
    password: Secret


def router(leavers: Leavers, access: Access, invitations: Invitations) -> Pages:
    """Return the page of a user, for those who manage users."""
    page = _page(leavers, access)
    return group(
        page,
        *_signing_in(access, page),
        *_links(invitations, page),
        *_sessions(access, page),
        *_leaving(leavers, access, page),
    )


def _page(leavers: Leavers, access: Access) -> PageRoute:
    @get(ONE)
    def show_person(actor: Actor, user_id: str, form_state: FormState) -> PersonPage:
        leaving = leavers.of(actor, user_id)
        people = people_of(access, actor)
        own = value_of(people, user_id, leaving.user.email)
        heirs = replace(people, options=[each for each in people.options if each[0] != own])
        return PersonPage(
            access.administration.person(actor, user_id),
            leaving,
            [session_shown(each, None) for each in access.administration.sessions(actor, user_id)],
            heirs,
            leaving.user.id == actor.id,
            at_most(actor.role, leaving.user.role),
            actor.role,
            form_state,
        )

    return show_person


def _signing_in(access: Access, page: PageRoute) -> list[PageRoute]:
    administration = access.administration

    @post(f"{ONE}/role", form_page=page)
    def change_role(actor: Actor, user_id: str, form: UserRoleForm) -> Redirect:
        changed = access.users.change_role(actor, user_id, form.role)
        return _back(user_id, f"The role of {changed.email} is {changed.role} now.")

    @post(f"{ONE}/unlock", form_page=page)
    def unlock(actor: Actor, user_id: str) -> Redirect:
        return _back(user_id, f"{administration.unlock(actor, user_id).email} may try to sign in again.")

    @post(f"{ONE}/password", form_page=page, fields={"newPassword": "password"})
    def set_temporary_password(actor: Actor, user_id: str, form: TemporaryPasswordForm) -> Redirect:
        user = administration.set_temporary_password(actor, user_id, form.password)
        return _back(user_id, f"{user.email} signs in with this password once, and then chooses another.")

    @post(f"{ONE}/two-step", form_page=page)
    def remove_second_factor(actor: Actor, user_id: str) -> Redirect:
        changed = administration.remove_second_factor(actor, user_id)
        return _back(user_id, f"Two-step sign-in of {changed.email} is off.")

    return [change_role, unlock, set_temporary_password, remove_second_factor]


def _links(invitations: Invitations, page: PageRoute) -> list[PageRoute]:
    @post(f"{ONE}/password-link", form_page=page)
    def make_password_link(actor: Actor, user_id: str) -> PageResponse:
        return link_page(invitations.send_password_link(actor, user_id), invited=False)

    @post(f"{ONE}/invitation", form_page=page)
    def renew_invitation(actor: Actor, user_id: str) -> PageResponse:
        return link_page(invitations.renew(actor, user_id), invited=True)

    @post(f"{ONE}/invitation/withdraw", form_page=page)
    def withdraw_invitation(actor: Actor, user_id: str) -> Redirect:
        return Redirect(MEMBERS, toast=f"The invitation of {invitations.withdraw(actor, user_id).email} was withdrawn.")

    return [make_password_link, renew_invitation, withdraw_invitation]


def _sessions(access: Access, page: PageRoute) -> list[PageRoute]:
    @post(f"{ONE}/sessions/end-all", form_page=page)
    def end_sessions(actor: Actor, user_id: str) -> Redirect:
        user = access.administration.end_sessions(actor, user_id)
        return _back(user_id, f"{user.email} is signed out everywhere.")

    @post(f"{ONE}/sessions/{{session_id}}/end", form_page=page)
    def end_session(actor: Actor, user_id: str, session_id: str) -> Redirect:
        access.administration.end_session(actor, user_id, session_id)
        return _back(user_id, "The session was ended.")

    return [end_sessions, end_session]


def _leaving(leavers: Leavers, access: Access, page: PageRoute) -> list[PageRoute]:
    @post(f"{ONE}/disable", form_page=page)
    def disable(actor: Actor, user_id: str, form: LeaveForm) -> Redirect:
        left = leavers.disable(actor, user_id, user_id_of(access, actor, form.new_owner) or None)
        return _back(user_id, f"{left.user.email} is disabled.{_handed_over(left)}")

    @post(f"{ONE}/enable", form_page=page)
    def enable(actor: Actor, user_id: str) -> Redirect:
        user = leavers.enable(actor, user_id)
        return _back(user_id, f"{user.email} can sign in again.")

    @post(f"{ONE}/delete", form_page=page)
    def delete_user(actor: Actor, user_id: str, form: DeleteUserForm) -> Redirect:
        require_typed(form.confirm, leavers.of(actor, user_id).user.email)
        left = leavers.delete(actor, user_id, user_id_of(access, actor, form.new_owner) or None)
        return Redirect(MEMBERS, toast=f"{left.user.email} was deleted.{_handed_over(left)}")

    return [disable, enable, delete_user]


def _back(user_id: str, toast: str) -> Redirect:
    return Redirect(ONE.format(user_id=user_id), toast=toast)


def _handed_over(left: Leaving) -> str:
    count = len(left.owned)
    return f" {counted(count, 'thing')} handed over." if count else ""
