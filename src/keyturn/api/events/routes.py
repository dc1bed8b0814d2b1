"""Streams of changes as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from keyturn.api.events.schemas import EndTold, EventsPlace, SubscribeToProject, event_of_project, present_change
from keyturn.delivery.event_views import Interest
from keyturn.delivery.events import Event, EventStreams, Subscription
from keyturn.delivery.watch import place_in_line
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.secrets.domain import Address
from keyturn.web.messages import EventStream
from keyturn.web.routes import Caller, Routes, get, group, post
from keyturn.web.schema.wire import encode


def router(streams: EventStreams) -> Routes:
    def subscribed(
        actor: Actor, caller: Caller, address: Address, interests: Sequence[Interest], form: Callable[[Event], bytes]
    ) -> EventStream:
        if caller.token is None:
            raise Refused(
                "Events are streamed to those who have an access token.",
                code="delivery.events_without_token",
                fix="Send one in the header Authorization, after the word Bearer.",
            )
        place = place_in_line(actor.id, caller.instance or caller.request_id)
        subscription = streams.subscribe(
            actor, caller.token, caller.ip, address, interests, caller.last_event_id, place
        )
        return EventStream(_formed(streams, subscription, form))

    def watch_changes(actor: Actor, caller: Caller, query: EventsPlace) -> EventStream:
        """Stream what changes in a project, as server-sent events: names and reasons, never a value.

        ``change`` has the JSON of one change, and its id is the project's revision; ``heartbeat`` comes every 15 seconds in
        which nothing else does; ``reset`` says that some changes since ``Last-Event-ID`` are not known any more, so that all has
        to be read anew; ``end`` says why the stream ends. What one may not read one is not told.
        """
        return subscribed(actor, caller, query.address(), [query.interest()], _own_form)

    def subscribe(actor: Actor, caller: Caller, data: SubscribeToProject) -> EventStream:
        """Stream what changes in a project to existing clients: the data of an event is one JSON, comments keep the line open."""
        return subscribed(actor, caller, Address(data.project_id, None, None), data.interests(), _other_form)

    return group(
        "Events",
        get("/api/v1/delivery/events")(watch_changes),
        post("/api/v1/events/subscribe/project-events")(subscribe),
    )


async def _formed(
    streams: EventStreams, subscription: Subscription, form: Callable[[Event], bytes]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(streams.events(subscription)) as events:
        async for event in events:
            yield form(event)


def _own_form(event: Event) -> bytes:
    data = b"{}"
    if event.change is not None:
        data = encode(present_change(event.change))
    elif event.refusal is not None:
        data = encode(EndTold(event.refusal.error, event.refusal.code, event.refusal.diagnostics()))
    return b"event: %s\nid: %d\ndata: %s\n\n" % (event.kind.encode(), event.number, data)


def _other_form(event: Event) -> bytes:
    """Existing clients take every event for a change: signs of life are comments to them."""
    if event.change is not None:
        return b"id: %d\ndata: %s\n\n" % (event.number, encode(event_of_project(event.change)))
    return b": %s\n\n" % event.kind.encode()
