"""One user: what they answer for, and what becomes of it when they leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Leavers, Leaving
from keyturn.authz.domain import at_most
from keyturn.kit.actor import Actor
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed
from keyturn.web.schema.wire import ApiModel

MEMBERS = "/organization/members"
ONE = "/organization/members/{user_id}"


@dataclass(frozen=True)
class PersonPage(Page):
    """``heirs`` are ids and addresses of those who may answer for it instead."""

    template: ClassVar[str] = "people/person.html"
    section: ClassVar[str] = "members"

    leaving: Leaving
    heirs: Sequence[tuple[str, str]]
    own: bool
    manageable: bool
    form_state: FormState


class LeaveForm(ApiModel, rename=None):
    new_owner: Trimmed = ""


class DeleteUserForm(ApiModel, rename=None):
    confirm: Trimmed = ""
    new_owner: Trimmed = ""


def router(leavers: Leavers, access: Access) -> Pages:
    """Return the page of a user, for those who manage users."""

    @get(ONE)
    def show_person(actor: Actor, user_id: str, form_state: FormState) -> PersonPage:
        leaving = leavers.of(actor, user_id)
        heirs = [
            (user.id, user.email)
            for user in access.users.list(actor)
            if user.disabled_at is None and user.id != user_id
        ]
        manageable = at_most(actor.role, leaving.user.role)
        return PersonPage(leaving, heirs, leaving.user.id == actor.id, manageable, form_state)

    @post(f"{ONE}/disable", form_page=show_person)
    def disable(actor: Actor, user_id: str, form: LeaveForm) -> Redirect:
        left = leavers.disable(actor, user_id, form.new_owner or None)
        return Redirect(ONE.format(user_id=user_id), toast=f"{left.user.email} is disabled.{_handed_over(left)}")

    @post(f"{ONE}/enable", form_page=show_person)
    def enable(actor: Actor, user_id: str) -> Redirect:
        user = leavers.enable(actor, user_id)
        return Redirect(ONE.format(user_id=user_id), toast=f"{user.email} can sign in again.")

    @post(f"{ONE}/delete", form_page=show_person)
    def delete_user(actor: Actor, user_id: str, form: DeleteUserForm) -> Redirect:
        require_typed(form.confirm, leavers.of(actor, user_id).user.email)
        left = leavers.delete(actor, user_id, form.new_owner or None)
        return Redirect(MEMBERS, toast=f"{left.user.email} was deleted.{_handed_over(left)}")

    return group(show_person, disable, enable, delete_user)


def _handed_over(left: Leaving) -> str:
    count = len(left.owned)
    return f" {count} thing{'s' if count > 1 else ''} handed over." if count else ""
