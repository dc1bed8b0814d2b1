"""Something done with several secret rotations of a list."""

from functools import partial
from typing import ClassVar

from keyturn.connections.flow import check_return_path
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership.domain import Owned
from keyturn.pages.choices import NO_CHOICE, Choice
from keyturn.pages.rotations.urls import OF_PROJECT, PageOfRotations, RotationPages, rotation_path
from keyturn.pages.several import Outcome, Several, SeveralForm, done_with, named
from keyturn.rotations.commands import SecretRotationChange
from keyturn.web.pages import PageRoute, get, post

SEVERAL = f"{OF_PROJECT}/several"


@dataclass(frozen=True)
class SeveralRotationsPage(PageOfRotations):
    template: ClassVar[str] = "rotations/several.html"

    several: Several


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(SEVERAL)
    def confirm_several(actor: Actor, project_id: str, query: SeveralForm) -> SeveralRotationsPage:
        people = pages.owner.people(actor) if query.act == "owner" else NO_CHOICE
        return _page(pages, actor, project_id, query, _named(pages, actor, query), asked=True, people=people)

    @post(SEVERAL)
    def act_on_several(actor: Actor, project_id: str, form: SeveralForm) -> SeveralRotationsPage:
        found = _named(pages, actor, form)  # before the first is changed
        outcomes = [done_with(one, form.act, partial(_do, pages, actor, form, one.id)) for one in found]
        return _page(pages, actor, project_id, form, outcomes, asked=False)

    return [confirm_several, act_on_several]


def _named(pages: RotationPages, actor: Actor, form: SeveralForm) -> list[Outcome]:
    check_return_path(form.back)
    return [
        named(one, rotation_path(one), lambda each: pages.rotations.get(actor, each).secret_rotation.name)
        for one in form.id
    ]


def _do(pages: RotationPages, actor: Actor, form: SeveralForm, rotation_id: str) -> None:
    if form.act == "rotate":
        pages.rotations.rotate(actor, rotation_id, freeze_reason=form.freeze_reason or None)
    elif form.act == "owner":
        pages.owner.change(actor, Owned.SECRET_ROTATION, rotation_id, form.owner)
    else:
        pages.rotations.update(actor, rotation_id, SecretRotationChange(enabled=form.act == "resume"))


def _page(
    pages: RotationPages,
    actor: Actor,
    project_id: str,
    form: SeveralForm,
    outcomes: list[Outcome],
    *,
    asked: bool,
    people: Choice = NO_CHOICE,
) -> SeveralRotationsPage:
    several = Several(form.act, "rotation", SEVERAL.format(project_id=project_id), form.back, outcomes, asked, people)
    return SeveralRotationsPage(pages.project(actor, project_id), several)
