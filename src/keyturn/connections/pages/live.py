"""The progress of a rotation as server-sent events: the one asynchronous route of these pages.

Nothing of the rotation is in the stream, only that there is news: the page then asks for itself again, so that there is one
template and one check of permissions. Reading is done in the worker threads, as everywhere.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from keyturn.connections.pages.places import ONE, Shelf
from keyturn.errors import KeyturnError, Unavailable
from keyturn.rotations.history import progress
from keyturn.web.browser import Visitor, signed_in_by_cookie

LOOK_EVERY = timedelta(milliseconds=700)
LONGEST = timedelta(minutes=10)
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def handler(shelf: Shelf) -> HTTPRouteHandler:
    """Return the route. The stream ends when there is no work under way any more, and after ten minutes in any case."""

    async def watch_connection(request: Request[Any, Any, Any]) -> Stream:
        edge, visit = request.app.state.edge, request.scope["state"]["visit"]
        connection_id = str(request.path_params["connection_id"])
        visitor = Visitor.of(request.headers, visit, edge.site.session_cookie.name)

        def look() -> tuple[str, bool]:
            actor = signed_in_by_cookie(edge.site.recall, visitor.session, visit)
            return progress(shelf.connections, actor, connection_id)

        first = await edge.in_thread(look)
        return Stream(_news(edge, look, first), media_type="text/event-stream", headers=_HEADERS)

    path = ONE.replace("{connection_id}", "{connection_id:str}")
    return HTTPRouteHandler(f"{path}/events", http_method="GET", status_code=200)(watch_connection)


async def _news(edge: Any, look: Any, first: tuple[str, bool]) -> AsyncIterator[bytes]:
    mark, busy = first
    yield b"event: begun\ndata: 1\n\n"
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
