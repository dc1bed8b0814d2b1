"""Who answers for a connection or a secret rotation: shown and changed on a page of its own."""

from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership.domain import Owned, Owner
from keyturn.pages.choices import Choice
from keyturn.pages.owner_choice import OwnerChoice, value_of
from keyturn.web.pages import FormState, Page, Pages, Redirect, get, group, post
from keyturn.web.schema.validate import Trimmed, printable
from keyturn.web.schema.wire import ApiModel


@dataclass(frozen=True)
class OwnerPage(Page):
    template: ClassVar[str] = "alarms/owner.html"
    section: ClassVar[str] = "alarms"

    thing: str
    here: str
    back: str
    owner: Owner
    people: Choice
    chosen: str
    """Who is chosen of these."""
    form_state: FormState


class OwnerForm(ApiModel, rename=None):
    user_id: Trimmed = ""
    contact: Annotated[Trimmed, printable, Meta(max_length=200)] = ""


def router(choice: OwnerChoice) -> Pages:
    """Return the pages of owners."""
    owners = choice.owners

    def page(actor: Actor, kind: Owned, owned_id: str, form_state: FormState) -> OwnerPage:
        owner = owners.of(actor, kind, owned_id)
        thing, back = (
            ("app connection", f"/app-connections/{owned_id}")
            if kind is Owned.CONNECTION
            else ("secret rotation", f"/secret-rotations/{owned_id}")
        )
        people = choice.people(actor, owner)
        chosen = "" if owner.left or not owner.user_id else value_of(people, owner.user_id, owner.email)
        return OwnerPage(thing, f"/owners/{kind.value}s/{owned_id}", back, owner, people, chosen, form_state)

    def change(actor: Actor, kind: Owned, owned_id: str, form: OwnerForm) -> Redirect:
        owner = owners.change(actor, kind, owned_id, choice.user_id(actor, form.user_id) or None, form.contact or None)
        toast = f"{owner.email} answers for it now." if owner.email else "Administrators answer for it now."
        return Redirect(f"/owners/{kind.value}s/{owned_id}", toast=toast)

    @get("/owners/app-connections/{connection_id}")
    def show_connection_owner(actor: Actor, connection_id: str, form_state: FormState) -> OwnerPage:
        return page(actor, Owned.CONNECTION, connection_id, form_state)

    @post("/owners/app-connections/{connection_id}", form_page=show_connection_owner)
    def change_connection_owner(actor: Actor, connection_id: str, form: OwnerForm) -> Redirect:
        return change(actor, Owned.CONNECTION, connection_id, form)

    @get("/owners/secret-rotations/{rotation_id}")
    def show_rotation_owner(actor: Actor, rotation_id: str, form_state: FormState) -> OwnerPage:
        return page(actor, Owned.SECRET_ROTATION, rotation_id, form_state)

    @post("/owners/secret-rotations/{rotation_id}", form_page=show_rotation_owner)
    def change_rotation_owner(actor: Actor, rotation_id: str, form: OwnerForm) -> Redirect:
        return change(actor, Owned.SECRET_ROTATION, rotation_id, form)

    return group(show_connection_owner, change_connection_owner, show_rotation_owner, change_rotation_owner)
