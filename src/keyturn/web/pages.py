"""How a feature writes its ``pages.py``: ``get`` and ``post`` around functions, and ``group``. PAGES.md shows the conventions.

A page is served like the JSON beside it: same gate, same threads, same use cases. What differs is here: the caller is
known by a cookie, a body is a form, an answer is HTML, and a refused form is shown again with what is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from keyturn.errors import KeyturnError, Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.web.compression import compress
from keyturn.web.cookies import KEPT, TOAST, Cookie, SessionCookie
from keyturn.web.edge import Edge, Endpoint
from keyturn.web.html.browser import BrowserContext, signed_in_by_cookie
from keyturn.web.html.forms import EMPTY, FormState, form_after_refusal, read_form
from keyturn.web.html.keeping import Keeper
from keyturn.web.html.render import Page
from keyturn.web.html.site import Site
from keyturn.web.messages import Request, Response
from keyturn.web.origin import SAFE, require_host, require_ours
from keyturn.web.signature import Signature, Types, read
from keyturn.web.table import filled_in

__all__ = [
    "BrowserContext",
    "File",
    "FormState",
    "Keeper",
    "Page",
    "PageResponse",
    "Pages",
    "Redirect",
    "SessionCookie",
    "Site",
    "get",
    "group",
    "post",
]

Pages = tuple[Endpoint, ...]
"""What a feature's ``pages.router`` returns."""

SIGN_IN = "/sign-in"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action {}; frame-ancestors 'none'; base-uri 'none'"
)
_TOAST_SECONDS = 60


@dataclass(frozen=True)
class Redirect:
    """Go there with GET. The toast is a sentence shown once on the next page."""

    to: str
    toast: str | None = None
    cookies: tuple[Cookie, ...] = ()


@dataclass(frozen=True)
class PageResponse:
    """A page with more than HTML: cookies, or a status besides 200."""

    page: Page
    cookies: tuple[Cookie, ...] = ()
    status: int = 200


@dataclass(frozen=True)
class File:
    """Anything that is not a page, such as an image. Not stored by caches unless the headers say so."""

    content: bytes
    media_type: str = "image/svg+xml"
    headers: Mapping[str, str] = field(default_factory=lambda: {"cache-control": "no-store"})
    compressed: bool = False
    """May be compressed: it holds nothing that not everybody may know."""


Outcome = Page | PageResponse | Redirect | File


@dataclass(frozen=True)
class PageRoute:
    """One page route. ``form_page`` shows the form that was refused, with its faults."""

    is_page = True

    method: str
    path: str
    function: Callable[..., Outcome]
    public: bool
    signature: Signature
    form_page: "PageRoute | None"
    keeps_query: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)
    """Names in the form of what refusals call otherwise."""

    def field_of(self, error: KeyturnError) -> str:
        """Return the field of the form that the error is about, by its name there; empty where it is about none."""
        name = self.fields.get(error.field or "", error.field or "")
        return name if name in self.form_fields() else ""

    def form_fields(self) -> frozenset[str]:
        """Return the names of the fields of its form."""
        form = self.signature.kinds.get("form")
        return frozenset(each.encode_name for each in msgspec.structs.fields(form)) if form else frozenset()

    @property
    def has_body(self) -> bool:
        return self.method not in SAFE

    def __call__(self, *args: Any, **kwargs: Any) -> Outcome:
        return self.function(*args, **kwargs)

    async def serve(self, edge: Edge, request: Request) -> Response:
        """Answer a request. Raises what ``perform`` raises, and Unavailable when too many are being served."""
        return await edge.in_thread(partial(perform, self, request, edge.page_site()))


Decorator = Callable[[Callable[..., Outcome]], PageRoute]


def get(path: str, *, public: bool = False, keeps_query: bool = True, types: Types = None) -> Decorator:
    """Make a page of a function. Without a session a page that is not public redirects to the sign-in page, and back.

    With ``keeps_query`` False they come back without the query: it holds what must not stand in another address.
    """
    return lambda function: replace(_route("GET", path, function, public=public, types=types), keeps_query=keeps_query)


def post(
    path: str,
    *,
    form_page: PageRoute | None = None,
    public: bool = False,
    types: Types = None,
    fields: Mapping[str, str] | None = None,
) -> Decorator:
    """Take a form. When it is refused ``form_page`` is shown with the faults; without one, the error page.

    ``fields`` are the names in the form of what refusals call as the API does.
    """

    def decorate(function: Callable[..., Outcome]) -> PageRoute:
        route = _route("POST", path, function, public=public, form_page=form_page, types=types)
        unknown = set((fields or {}).values()) - route.form_fields()
        if unknown:
            raise TypeError(f"POST {path}: its form has no {', '.join(sorted(unknown))}")
        return replace(route, fields=fields or {})

    return decorate


def group(*routes: Endpoint) -> Pages:
    """Return the routes as the application takes them."""
    return routes


def _route(
    method: str,
    path: str,
    function: Callable[..., Outcome],
    *,
    public: bool,
    form_page: PageRoute | None = None,
    types: Types = None,
) -> PageRoute:
    signature = read(
        method, path, function, public=public, body="form", provided={"actor", "visitor", "form_state"}, types=types
    )
    if form_page is not None and "form_state" not in form_page.signature.names:
        raise TypeError(f"{method} {path}: the page shown again takes no 'form_state'")
    return PageRoute(method, path, function, public, signature, form_page)


# --- serving one ------------------------------------------------------------------------------------------------------


def perform(route: PageRoute, request: Request, site: Site) -> Response:
    """Serve one page, in a worker thread. Raises what the handler raises when there is no form to show again."""
    visitor = BrowserContext.of(request.headers, request.visit, site.session_cookie.name)
    require_host(request.headers, site.site_url)
    if route.method not in SAFE:
        require_ours(route.method, request.headers, site.site_url)
    arguments: dict[str, object] = {"visitor": visitor, "form_state": EMPTY}
    if not route.public:
        try:
            arguments["actor"] = signed_in_by_cookie(site.recall, visitor.session, request.visit)
        except Unauthenticated:
            return _to_sign_in(route, request, visitor, site.keeper)
    arguments |= route.signature.arguments(request)  # a wrong address has no form to show again
    view = View(site, visitor, request.visit.actor, request.path)
    if route.method in SAFE:
        return _shown(route, arguments, view, request.headers)
    fields = read_form(request.headers.get("content-type", ""), request.body)
    try:
        return view.answer(_call(route, arguments | route.signature.arguments(request, form=fields)))
    except KeyturnError as error:
        if route.form_page is None:
            raise
        request.visit.refusal = error.code
        again = (
            arguments
            | route.form_page.signature.arguments(request)
            | {"form_state": form_after_refusal(request.path, fields, error, route.field_of(error))}
        )
        outcome = _call(route.form_page, again)
        # The form may be out of date, e.g. a second tab of a sign-in that is over: then its page leads to where one is.
        return view.answer(
            outcome if isinstance(outcome, Redirect) else replace(page_response(outcome), status=error.status)
        )


def _shown(route: PageRoute, arguments: Mapping[str, object], view: "View", headers: Mapping[str, str]) -> Response:
    """Answer a page; with the form that its person had typed, when it was sent after their session had ended."""
    visitor, keeper = view.visitor, view.site.keeper
    form_state = (
        keeper.restore(visitor.saved_form, view.address) if keeper and visitor.saved_form and not route.public else None
    )
    if form_state is None or "form_state" not in route.signature.names:
        outcome = _call(route, arguments)
        answer = view.answer(outcome)
        return compress(answer, headers) if getattr(outcome, "compressed", False) else answer
    answer = view.answer(_call(route, {**arguments, "form_state": form_state}))
    return replace(answer, cookies=(*answer.cookies, Cookie(KEPT, "", timedelta(0))))


def _call(route: PageRoute, arguments: Mapping[str, object]) -> Outcome:
    return route.function(**{name: value for name, value in arguments.items() if name in route.signature.names})


def page_response(outcome: Outcome) -> PageResponse:
    """Return a page with its status. Raises TypeError for what is no page."""
    if isinstance(outcome, PageResponse):
        return outcome
    if isinstance(outcome, Page):
        return PageResponse(outcome)
    raise TypeError(f"{type(outcome).__name__} is no page")


def _to_sign_in(route: PageRoute, request: Request, visitor: BrowserContext, keeper: Keeper | None) -> Response:
    """Redirect to the sign-in page, with the way back. After an ended session the page says so, and the form typed is kept."""
    had_session = visitor.session is not None
    shown = route if route.method == "GET" else route.form_page
    queried = shown is not None and shown.keeps_query and (shown is route or "query" in shown.signature.names)
    asked_for = request.query.decode("latin-1") if queried else ""
    back, query = request.path, f"?{asked_for}" if asked_for else ""
    cookies: tuple[Cookie, ...] = ()
    if route.method != "GET":
        back = _page_of(route, request)
        if had_session and keeper and back != "/":
            fields = read_form(request.headers.get("content-type", ""), request.body)
            cookie = keeper.keep(request.path, back, fields)
            cookies = (cookie,) if cookie else ()
    asks = {"next": "" if back == "/" else back + query, "ended": "1" if had_session else ""}
    query_text = "&".join(f"{name}={quote(text, safe='/')}" for name, text in asks.items() if text)
    return _redirected(Redirect(f"{SIGN_IN}?{query_text}" if query_text else SIGN_IN, cookies=cookies), visitor)


def _page_of(route: PageRoute, request: Request) -> str:
    """Return the address of the page that shows the form which was sent there, ``/`` when none does."""
    if route.form_page is None:
        return "/"
    return filled_in(route.form_page.path, {name: quote(value, safe="") for name, value in request.path_params.items()})


# --- answering --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class View:
    """For whom, and where, a page is shown."""

    site: Site
    visitor: BrowserContext
    actor: Actor | None
    address: str

    def answer(self, outcome: Outcome) -> Response:
        """Return the response of what a handler answered."""
        if isinstance(outcome, Redirect):
            return _redirected(outcome, self.visitor)
        if isinstance(outcome, File):
            return Response(outcome.content, media_type=outcome.media_type, headers=dict(outcome.headers))
        response = page_response(outcome)
        spent_toast = () if self.visitor.toast is None else (Cookie(TOAST, "", timedelta(0)),)
        return html(
            self.render(response.page),
            response.status,
            type(response.page).leaves_by,
            (*response.cookies, *spent_toast),
        )

    def render(self, page: Page) -> str:
        shell = self.site.shell(self.actor) if self.actor else None
        chrome = self.visitor.chrome(self.site.renderer.clock.now(), self.address, page.section, shell)
        return self.site.renderer.html(page, chrome)


def html(text: str, status: int = 200, leaves_by: tuple[str, ...] = (), cookies: tuple[Cookie, ...] = ()) -> Response:
    """Return a page as a response. Nothing may store it, and it may load nothing but what this server gives."""
    headers = {
        "content-security-policy": POLICY.format(" ".join(("'self'", *leaves_by))),
        # With "no-referrer" browsers would hide the origin even of our own forms.
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "cross-origin-opener-policy": "same-origin",
    }
    return Response(text.encode(), status, "text/html", headers, cookies)


def _redirected(outcome: Redirect, visitor: BrowserContext) -> Response:
    cookies = outcome.cookies
    if outcome.toast:
        cookies = (*cookies, Cookie(TOAST, outcome.toast, timedelta(seconds=_TOAST_SECONDS)))
    # htmx would follow a redirect silently and take a whole page for a part of one.
    status, name = (200, "hx-redirect") if visitor.partial else (303, "location")
    headers = {"cache-control": "no-store", name: outcome.to}
    return Response(b"", status, "text/plain", headers, cookies)
