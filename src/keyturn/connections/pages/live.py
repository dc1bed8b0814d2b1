"""The progress of a rotation, or of a removal, as server-sent events: the asynchronous routes of these pages.

Nothing of the rotation is in the stream, only that there is news: the page then asks for itself again, so that there is one
template and one check of permissions. Reading is done in the worker threads, as everywhere.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from keyturn.connections.pages.places import ONE, REMOVAL, Shelf
from keyturn.errors import KeyturnError, Unavailable
from keyturn.kit.actor import Actor
from keyturn.rotations import removals
from keyturn.rotations.history import progress
from keyturn.web.browser import Visitor, signed_in_by_cookie

LOOK_EVERY = timedelta(milliseconds=700)
LONGEST = timedelta(minutes=10)
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def handlers(shelf: Shelf) -> list[HTTPRouteHandler]:
    """Return the routes. A stream ends when there is no work under way any more, and after ten minutes in any case."""

    async def watch_connection(request: Request[Any, Any, Any]) -> Stream:
        return await _stream(request, "connection_id", partial(progress, shelf.connections))

    def removing(actor: Actor, rotation_id: str) -> tuple[str, bool]:
        found = removals.one(shelf.connections.database, actor, rotation_id)
        return found.mark, found.left > 0

    async def watch_removal(request: Request[Any, Any, Any]) -> Stream:
        return await _stream(request, "rotation_id", removing)

    watched = (
        (ONE.replace("{connection_id}", "{connection_id:str}"), watch_connection),
        (REMOVAL.replace("{rotation_id}", "{rotation_id:str}"), watch_removal),
    )
    return [HTTPRouteHandler(f"{path}/events", http_method="GET", status_code=200)(watch) for path, watch in watched]


async def _stream(
    request: Request[Any, Any, Any], name: str, progress_of: Callable[[Actor, str], tuple[str, bool]]
) -> Stream:
    """Return news of what the path names, as long as the session that asks lives. Raises as ``progress_of``."""
    edge, visit = request.app.state.edge, request.scope["state"]["visit"]
    visitor = Visitor.of(request.headers, visit, edge.site.session_cookie.name)
    watched_id = str(request.path_params[name])

    def look() -> tuple[str, bool]:
        return progress_of(signed_in_by_cookie(edge.site.recall, visitor.session, visit), watched_id)

    first = await edge.in_thread(look)
    return Stream(_news(edge, look, first), media_type="text/event-stream", headers=_HEADERS)


async def _news(edge: Any, look: Any, first: tuple[str, bool]) -> AsyncIterator[bytes]:
    mark, busy = first
    yield b"event: begun\ndata: 1\n\n"
    # What happened between the page and its stream is in neither: the page asks once more.
    yield b"event: news\ndata: 1\n\n"
    for _ in range(LONGEST // LOOK_EVERY):
        if not busy:
            yield b"event: done\ndata: 1\n\n"
            return
        await asyncio.sleep(LOOK_EVERY.total_seconds())
        before = mark
        try:
            mark, busy = await edge.in_thread(look)
        except Unavailable:
            pass  # all threads are busy: nothing is known to be new
        except KeyturnError:
            # The session ended, or the connection is gone. The page asks once more for itself, and is told so.
            yield b"event: done\ndata: 1\n\n"
            return
        # A comment keeps the line open, and shows at once when nobody listens any more.
        yield b"event: news\ndata: 1\n\n" if mark != before else b": quiet\n\n"
