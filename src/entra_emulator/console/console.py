"""The page `/_emulator`: what is in the emulator, live, with the admin API's operations as forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from entra_emulator.admin.changes import Misfit
from entra_emulator.console.forms import Form, read
from entra_emulator.console.page import SCRIPT, STYLE, View, render
from entra_emulator.console.parts import source
from entra_emulator.core.wire import Request, Response, json_body
from entra_emulator.directory.world import World

_POLICY = (
    f"default-src 'none'; style-src {source(STYLE)}; script-src {source(SCRIPT)}; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_SAFE = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", _POLICY),
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),  # without any, browsers would hide the origin of the forms, too
)
_HTML = (("Content-Type", "text/html; charset=utf-8"), *_SAFE)
_MADE = {"tenant": "id", "demo": "tenant_id"}
"""The forms that make a tenant, and where the answer has its id."""

AdminHandler = Callable[[Request, str, Mapping[str, str]], Response]


class Console:
    """Answers the requests for the page. Holds no state; what a form asks for is done by the admin API, or refused by it."""

    def __init__(self, world: World, admin: AdminHandler) -> None:
        self._world = world
        self._admin = admin

    def handle(self, request: Request, query: Mapping[str, str]) -> Response:
        """The page; after a form that was done the way back to it, after one that was refused the page with the reason (400)."""
        view = View(query.get("tenant", ""), query.get("q", ""), query.get("show", ""))
        if request.method in {"GET", "HEAD"}:
            return self._page(200, view)
        if request.method != "POST":
            return Response(405, (*_HTML, ("Allow", "GET, POST")), b"use GET or POST")
        form: Form = {}
        try:
            form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50))
            asked = read(form, self._world.clock.now())
            path = f"/_emulator/{asked.path}"
            answer = self._admin(Request(asked.method, path, {}, json_body(asked.body)), path, {})
        except ValueError as error:
            reason = str(error) if isinstance(error, Misfit) else "the form cannot be read"
            return self._page(400, view, reason, form)
        if answer.status >= 400:
            return self._page(400, view, str(answer.json()["error"]), form)
        made = answer.json()
        tenant = made.get(_MADE[form["do"]]) if form["do"] in _MADE else view.tenant
        anchor = f"#app-{form['application']}" if "application" in form else ""
        location = f"/_emulator{view.url(tenant=tenant)}{anchor}"
        return Response(303, (*_HTML, ("Location", location)))

    def _page(self, status: int, view: View, error: str = "", typed: Form | None = None) -> Response:
        return Response(status, _HTML, render(self._world, view, error, typed).encode("utf-8", "replace"))
