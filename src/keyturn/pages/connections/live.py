"""The progress of a rotation, or of a removal, as server-sent events: the asynchronous routes of these pages.

Nothing of the rotation is in the stream, only that there is news: the page then asks for itself again, so that there is one
template and one check of permissions. Reading is done in the worker threads, as everywhere.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

from keyturn.errors import KeyturnError, Unavailable
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.connections.urls import ONE, REMOVAL, ConnectionPages
from keyturn.web.edge import Edge
from keyturn.web.html.browser import BrowserContext, signed_in_by_cookie
from keyturn.web.messages import EventStream, Request, Response

LOOK_EVERY = timedelta(milliseconds=700)
LONGEST = timedelta(minutes=10)

Progress = tuple[str, bool]
"""A mark that changes when there is news, and whether work is under way."""


def handlers(pages: ConnectionPages) -> "list[LiveRoute]":
    """Return the routes. A stream ends when there is no work under way any more, and after ten minutes in any case."""

    def removing(actor: Actor, rotation_id: str) -> Progress:
        removal = pages.removals.get(actor, rotation_id)
        return removal.mark, removal.left > 0

    return [LiveRoute(f"{ONE}/events", pages.history.progress), LiveRoute(f"{REMOVAL}/events", removing)]


@dataclass(frozen=True)
class LiveRoute:
    """A route that streams the news of what its path names, as long as the session that asks lives."""

    path: str
    progress_of: Callable[[Actor, str], Progress]
    method: str = "GET"
    is_page: bool = False
    has_body: bool = False

    async def serve(self, edge: Edge, request: Request) -> Response:
        """Raises as ``progress_of``."""
        site = edge.page_site()
        visitor = BrowserContext.of(request.headers, request.visit, site.session_cookie.name)
        (watched_id,) = request.path_params.values()

        def look() -> Progress:
            return self.progress_of(signed_in_by_cookie(site.recall, visitor.session, request.visit), watched_id)

        return EventStream(_news(edge, look, await edge.in_thread(look)))


async def _news(edge: Edge, look: Callable[[], Progress], first: Progress) -> AsyncGenerator[bytes, None]:
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
