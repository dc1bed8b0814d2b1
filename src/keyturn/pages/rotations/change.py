"""The page that changes a secret rotation: its name, when it rotates, through which connection, what its secrets are called."""

from collections.abc import Sequence
from typing import ClassVar

from keyturn.errors import Forbidden, KeyturnError
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.choices import MOST, Choice, choice_of
from keyturn.pages.rotations.create import APP
from keyturn.pages.rotations.forms import RotationForm, form_of, form_state_of, rotation_change
from keyturn.pages.rotations.urls import ONE, PageOfRotations, RotationPages, rotation_path
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.web.pages import FormState, Outcome, PageResponse, PageRoute, Redirect, get, post


@dataclass(frozen=True)
class EditPage(PageOfRotations):
    template: ClassVar[str] = "rotations/edit.html"

    view: SecretRotationView
    connections: Choice
    zones: Sequence[str]
    form_state: FormState


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(ONE + "/edit")
    def edit_rotation(actor: Actor, rotation_id: str, form_state: FormState) -> EditPage:
        return _page(pages, actor, rotation_id, form_state)

    @post(ONE + "/edit", form_page=edit_rotation)
    def change_rotation(actor: Actor, rotation_id: str, form: RotationForm) -> Outcome:
        try:
            view = pages.rotations.update(actor, rotation_id, rotation_change(form).command())
        except KeyturnError as error:
            form_state = form_state_of(rotation_path(rotation_id, "edit"), form, error)
            return PageResponse(_page(pages, actor, rotation_id, form_state), status=error.status)
        return Redirect(rotation_path(rotation_id), toast=f"{view.secret_rotation.name} was saved.")

    return [edit_rotation, change_rotation]


def _page(pages: RotationPages, actor: Actor, rotation_id: str, form_state: FormState) -> EditPage:
    view = pages.rotations.get(actor, rotation_id)
    project = pages.project(actor, view.secret_rotation.project_id)
    if "edit-secret-rotations" not in project.can:
        raise Forbidden(
            f"{actor.name} may not change rotations of {project.name}.",
            code="access.forbidden",
            fix="Ask an admin of the project for the role that may.",
        )
    path = rotation_path(rotation_id, "edit")
    found, _ = pages.connections.find_available(actor, project.id, APP, "", 1, MOST + 1)
    available = [(each.id, each.name) for each in found]
    if view.connection.id not in dict(available):
        available.insert(0, (view.connection.id, view.connection.name))
    return EditPage(
        project=project,
        view=view,
        connections=choice_of(available),
        zones=sorted(zones.names()),
        form_state=form_state if form_state.sent else form_state_of(path, form_of(view)),
    )
