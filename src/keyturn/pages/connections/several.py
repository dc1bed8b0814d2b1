"""Something done with several connections of a list."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from keyturn.connections.flow import check_return_path
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ownership.domain import Owned
from keyturn.pages.choices import NO_CHOICE, Choice
from keyturn.pages.connections.urls import OF_ORGANIZATION, ConnectionPages, PageOfPlace, connection_path
from keyturn.pages.several import Outcome, Several, SeveralForm, done_with, named
from keyturn.rotations.commands import ConnectionChange
from keyturn.web.pages import PageRoute, get, post

SEVERAL = f"{OF_ORGANIZATION}/several"


@dataclass(frozen=True)
class SeveralPage(PageOfPlace):
    template: ClassVar[str] = "connections/several.html"

    several: Several


def routes(pages: ConnectionPages) -> list[PageRoute]:
    @get(SEVERAL)
    def confirm(actor: Actor, query: SeveralForm) -> SeveralPage:
        people = pages.owner.people(actor) if query.act == "owner" else NO_CHOICE
        return _page(pages, actor, query, _named(pages, actor, query), asked=True, people=people)

    @post(SEVERAL)
    def act(actor: Actor, form: SeveralForm) -> SeveralPage:
        found = _named(pages, actor, form)  # before the first is changed
        outcomes = [done_with(one, form.act, partial(_do, pages, actor, form, one.id)) for one in found]
        return _page(pages, actor, form, outcomes, asked=False)

    return [confirm, act]


def _named(pages: ConnectionPages, actor: Actor, form: SeveralForm) -> list[Outcome]:
    check_return_path(form.back)
    return [named(one, connection_path(one), lambda each: pages.connections.get(actor, each).name) for one in form.id]


def _do(pages: ConnectionPages, actor: Actor, form: SeveralForm, connection_id: str) -> None:
    if form.act == "rotate":
        pages.rotations.rotate_now(actor, connection_id, freeze_reason=form.freeze_reason or None)
    elif form.act == "owner":
        pages.owner.change(actor, Owned.CONNECTION, connection_id, form.owner)
    else:
        pages.rotations.update(actor, connection_id, ConnectionChange(enabled=form.act == "resume"))


def _page(
    pages: ConnectionPages,
    actor: Actor,
    form: SeveralForm,
    outcomes: Sequence[Outcome],
    *,
    asked: bool,
    people: Choice = NO_CHOICE,
) -> SeveralPage:
    several = Several(form.act, "connection", SEVERAL, form.back, outcomes, asked, people)
    return SeveralPage(pages.place(actor, None), several)
