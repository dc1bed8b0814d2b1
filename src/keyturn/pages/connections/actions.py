"""What can be done to a connection from its page or its line in the list, each a form of its own."""

from typing import Annotated, Literal

from msgspec import Meta

from keyturn.api.connections.schemas import Description
from keyturn.connections import trial
from keyturn.connections.flow import check_return_path
from keyturn.kit.actor import Actor
from keyturn.pages.connections.create import bound_to
from keyturn.pages.connections.one import show
from keyturn.pages.connections.places import ONE, Shelf, one_path
from keyturn.pages.connections.removed import left_to_remove, removal_path
from keyturn.rotations.changes import Change
from keyturn.web.html.forms import require_typed
from keyturn.web.pages import Outcome, Redirect, Route, Visitor, post
from keyturn.web.schema.validate import Slug, Trimmed
from keyturn.web.schema.wire import Wire


class Details(Wire, rename=None):
    name: Slug
    description: Description = ""


class Back(Wire, rename=None):
    """``back`` is the page to return to: a path of this server."""

    back: Annotated[Trimmed, Meta(max_length=2000)] = ""


class RotateForm(Wire, rename=None):
    reason: Literal["manual", "leaked"] = "manual"


class DeleteForm(Wire, rename=None):
    """``secrets``: what becomes of those that still sign in."""

    confirm: Trimmed = ""
    secrets: Literal["own", "all", "none"] = "own"


_REVOKE = {"own": None, "all": True, "none": False}


def routes(shelf: Shelf, page: Route) -> list[Route]:
    """``page`` is the connection's page, on which a refused form is shown again."""
    return [*_editing(shelf, page), *_rotating(shelf, page), *_testing(shelf, page)]


def _editing(shelf: Shelf, page: Route) -> list[Route]:
    @post(ONE + "/details", again=page)
    def change_details(actor: Actor, connection_id: str, form: Details) -> Redirect:
        change = Change(name=form.name, description=form.description or None, describe=True)
        changed = shelf.rotations.update(actor, connection_id, change)
        return Redirect(one_path(connection_id), toast=f"{changed.name} was saved.")

    @post(ONE + "/delete", again=page)
    def delete_connection(actor: Actor, connection_id: str, form: DeleteForm) -> Redirect:
        connection = shelf.connections.get(actor, connection_id)
        require_typed(form.confirm, connection.name)
        rotation = shelf.rotations.of([connection]).get(connection_id)
        _, kept = shelf.rotations.delete(actor, connection_id, revoke=_REVOKE[form.secrets])
        place = shelf.place(actor, connection.project_id)
        still = f" {len(kept)} of its secrets stay valid at Entra ID." if kept else ""
        to = place.list_path
        if rotation and left_to_remove(shelf, actor, rotation.id):
            to = removal_path(rotation.id)
            still += f" {'The others' if kept else 'Its secrets'} are being removed from Entra ID: watch it here."
        return Redirect(to, toast=f"{connection.name} was deleted.{still}")

    return [change_details, delete_connection]


def _rotating(shelf: Shelf, page: Route) -> list[Route]:
    @post(ONE + "/rotate", again=page)
    def rotate_now(actor: Actor, connection_id: str, form: RotateForm) -> Redirect:
        shelf.rotations.rotate_now(actor, connection_id, leaked=form.reason == "leaked")
        return Redirect(one_path(connection_id), toast="The rotation has begun.")

    @post(ONE + "/pause", again=page)
    def pause_rotation(actor: Actor, connection_id: str, form: Back) -> Redirect:
        changed = shelf.rotations.update(actor, connection_id, Change(enabled=False))
        return Redirect(
            _back(form, connection_id), toast=f"{changed.name} does not rotate any more, until it is resumed."
        )

    @post(ONE + "/resume", again=page)
    def resume_rotation(actor: Actor, connection_id: str, form: Back) -> Redirect:
        changed = shelf.rotations.update(actor, connection_id, Change(enabled=True))
        return Redirect(_back(form, connection_id), toast=f"{changed.name} rotates again.")

    return [rotate_now, pause_rotation, resume_rotation]


def _testing(shelf: Shelf, page: Route) -> list[Route]:
    @post(ONE + "/test", again=page)
    def test_connection(actor: Actor, connection_id: str, visitor: Visitor) -> Outcome:
        found = trial.test(shelf.connections, actor, connection_id)
        return show(shelf, actor, connection_id, visitor.zone, trial=found)

    @post(ONE + "/reconnect", again=page)
    def reconnect(actor: Actor, connection_id: str, visitor: Visitor) -> Redirect:
        shelf.require_site(visitor.origin, one_path(connection_id))
        form = shelf.sign_ins.form_of(actor, connection_id, None, one_path(connection_id))
        return Redirect(shelf.sign_ins.begin(actor, bound_to(visitor.session), form).url)

    return [test_connection, reconnect]


def _back(form: Back, connection_id: str) -> str:
    if not form.back:
        return one_path(connection_id)
    check_return_path(form.back)
    return form.back
