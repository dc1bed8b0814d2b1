"""``wait``: an answer that says that nothing is new comes when something is, or when the time is over.

The rights are looked at first and again whenever they may be others, so a 304 that waited is as good as one that did not.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from keyturn.delivery.concerns import Concern
from keyturn.delivery.watch import ChangeWatch, place_in_line
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.secrets.domain import Address, Place, clean_path, owner_of
from keyturn.secrets.reading import Found
from keyturn.secrets.selection import Selection
from keyturn.web.auth import Caller
from keyturn.web.messages import Response
from keyturn.web.waiting import UntilNews

Seen = tuple[Response, Concern]
"""An answer, and what it was made of."""
_UNCHANGED = 304


class Waits:
    """Answers now, or when there is news."""

    def __init__(self, watch: ChangeWatch) -> None:
        self._watch = watch

    def answer(
        self, actor: Actor, caller: Caller, wait: int | None, where: Address, look: Callable[[Actor], Seen]
    ) -> Response | UntilNews[Response]:
        """Return what ``look`` answers, or where it is that nothing is new, and ``wait`` says so, that it is waited for.

        Raises as ``look``, and Refused for a caller without an access token who wants to wait.
        """
        if wait is None or not caller.if_none_match:
            return look(actor)[0]
        return self._held(actor, caller, max(wait - caller.waited, 0.0), where, look)

    def _held(
        self, actor: Actor, caller: Caller, wait: float, where: Address, look: Callable[[Actor], Seen]
    ) -> Response | UntilNews[Response]:
        if caller.token is None:
            raise Refused(
                "Only a request with an access token may wait.",
                code="delivery.wait_without_token",
                fix="Send one in the header Authorization, after the word Bearer, or leave out wait.",
            )
        # First what it came with, then the answer: whatever is written in between is news.
        claim = self._watch.claims.of(caller.token, caller.ip, actor, where)
        present = replace(claim.standing.actor, request_id=actor.request_id)
        response, concern = look(present)
        if response.status != _UNCHANGED:
            return response
        place = place_in_line(actor.id, caller.instance or caller.request_id)
        again = partial(self._held, present, caller, wait, where, look)
        news = partial(self._watch.news, claim, concern, place)
        if caller.waited:  # on the short way, where its place is kept
            return UntilNews(wait, response, news, again, _nothing, _nothing)
        return UntilNews(wait, response, news, again, self._watch.enter, self._watch.leave)


def _nothing() -> None: ...


def concern_of_list(actor: Actor, selection: Selection) -> Concern:
    """Return what a list was made of."""
    place, owner_id = selection.place, owner_of(actor)
    if len(selection.groups) > 1 or selection.referring_ids or selection.reading.recursive:
        return Concern(owner_id=owner_id)
    return Concern(place.environment, place.path, owner_id)


def concern_of_one(actor: Actor, where: Address, found: Found) -> Concern:
    """Return what the answer with one secret was made of."""
    place, owner_id = found.place, owner_of(actor)
    imported = clean_path(where.path) != place.path
    if found.expand or imported or where.environment not in {None, place.environment}:
        return Concern(owner_id=owner_id)
    return Concern(place.environment, place.path, owner_id)


def address_of(place: Place) -> Address:
    return Address(place.project_id, None, place.environment, place.path)
