"""What can be done to a connection from its page or its line in the list, each a form of its own."""

from typing import Annotated, Literal

from msgspec import Meta

from keyturn.api.connections.schemas import Description
from keyturn.approvals.domain import Consent
from keyturn.connections.flow import SignInRequest, check_return_path
from keyturn.credentials.domain import Credential
from keyturn.kit.actor import Actor
from keyturn.pages.approval_forms import ApprovalFields, asked_instead
from keyturn.pages.connections.detail import show
from keyturn.pages.connections.removed import left_to_remove, removal_path
from keyturn.pages.connections.urls import ONE, ConnectionPages, connection_path
from keyturn.rotations.commands import ConnectionChange
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import BrowserContext, Outcome, PageRoute, Redirect, post
from keyturn.web.schema.validate import Slug, Trimmed
from keyturn.web.schema.wire import ApiModel


class Details(ApiModel, rename=None):
    name: Slug
    description: Description = ""


class Back(ApiModel, rename=None):
    """``back`` is the page to return to: a path of this server."""

    back: Annotated[Trimmed, Meta(max_length=2000)] = ""


class InventoryForm(ApiModel, rename=None):
    """``on``: whether all credentials of the tenant are read through the connection, and listed."""

    on: bool


class RotateForm(ApprovalFields):
    reason: Literal["manual", "leaked"] = "manual"
    freeze_reason: Annotated[Trimmed, Meta(max_length=500)] = ""


class DeleteForm(ApprovalFields):
    """``secrets``: what becomes of those that still sign in."""

    confirm: Trimmed = ""
    secrets: Literal["own", "all", "none"] = "own"


_REVOKE = {"own": None, "all": True, "none": False}


def routes(pages: ConnectionPages, page: PageRoute) -> list[PageRoute]:
    """``page`` is the connection's page, on which a refused form is shown again."""
    return [*_editing(pages, page), *_rotating(pages, page), *_testing(pages, page)]


def _editing(pages: ConnectionPages, page: PageRoute) -> list[PageRoute]:
    @post(ONE + "/inventory", form_page=page)
    def switch_inventory_of(actor: Actor, connection_id: str, form: InventoryForm) -> Redirect:
        pages.inventories.switch(actor, connection_id, on=form.on)
        toast = "The tenant is being read." if form.on else "Switched off. What was read through it was removed."
        return Redirect(connection_path(connection_id), toast=toast)

    @post(ONE + "/details", form_page=page)
    def change_details(actor: Actor, connection_id: str, form: Details) -> Redirect:
        change = ConnectionChange(name=form.name, description=form.description or None, describe=True)
        connection = pages.rotations.update(actor, connection_id, change)
        return Redirect(connection_path(connection_id), toast=f"{connection.name} was saved.")

    @post(ONE + "/delete", form_page=page)
    def delete_connection(actor: Actor, connection_id: str, form: DeleteForm) -> Redirect:
        connection = pages.connections.get(actor, connection_id)
        require_typed(form.confirm, connection.name)
        rotation = pages.history.rotations([connection]).get(connection_id)
        revoke = _REVOKE[form.secrets]
        kept: list[Credential] = []

        def delete(consent: Consent) -> None:
            kept.extend(pages.rotations.delete(actor, connection_id, revoke=revoke, consent=consent)[1])

        if asked := asked_instead(pages.approvals, actor, form, delete):
            return asked
        scope = pages.place(actor, connection.project_id)
        service = pages.providers.for_display(connection)[0].manifest.service
        still = f" {len(kept)} of its secrets stay valid at {service}." if kept else ""
        to = scope.list_path
        if rotation and left_to_remove(pages.removals, actor, rotation.id):
            to = removal_path(rotation.id)
            still += f" {'The others' if kept else 'Its secrets'} are being removed from {service}: watch it here."
        return Redirect(to, toast=f"{connection.name} was deleted.{still}")

    return [switch_inventory_of, change_details, delete_connection]


def _rotating(pages: ConnectionPages, page: PageRoute) -> list[PageRoute]:
    @post(ONE + "/rotate", form_page=page)
    def rotate_now(actor: Actor, connection_id: str, form: RotateForm) -> Redirect:
        why = form.freeze_reason or None
        leaked = form.reason == "leaked"
        asked = asked_instead(
            pages.approvals,
            actor,
            form,
            lambda consent: pages.rotations.rotate_now(
                actor, connection_id, leaked=leaked, freeze_reason=why, consent=consent
            ),
        )
        return asked or Redirect(connection_path(connection_id), toast="The rotation has begun.")

    @post(ONE + "/pause", form_page=page)
    def pause_rotation(actor: Actor, connection_id: str, form: Back) -> Redirect:
        connection = pages.rotations.update(actor, connection_id, ConnectionChange(enabled=False))
        return Redirect(
            _back(form, connection_id), toast=f"{connection.name} does not rotate any more, until it is resumed."
        )

    @post(ONE + "/resume", form_page=page)
    def resume_rotation(actor: Actor, connection_id: str, form: Back) -> Redirect:
        connection = pages.rotations.update(actor, connection_id, ConnectionChange(enabled=True))
        return Redirect(_back(form, connection_id), toast=f"{connection.name} rotates again.")

    return [rotate_now, pause_rotation, resume_rotation]


def _testing(pages: ConnectionPages, page: PageRoute) -> list[PageRoute]:
    @post(ONE + "/test", form_page=page)
    def test_connection(actor: Actor, connection_id: str, visitor: BrowserContext) -> Outcome:
        test_result = pages.tests.run(actor, connection_id)
        return show(pages, actor, connection_id, visitor.zone, trial=test_result)

    @post(ONE + "/reconnect", form_page=page)
    def reconnect(actor: Actor, connection_id: str, visitor: BrowserContext) -> Redirect:
        pages.require_site(visitor.origin, connection_path(connection_id))
        again = SignInRequest(connection_id=connection_id, return_to=connection_path(connection_id))
        return Redirect(pages.sign_ins.begin(actor, visitor.session, again).url)

    return [test_connection, reconnect]


def _back(form: Back, connection_id: str) -> str:
    if not form.back:
        return connection_path(connection_id)
    check_return_path(form.back)
    return form.back
