"""A browser without a screen: opens pages, presses buttons, keeps cookies. For walking the sign-in pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

from entra_emulator.core.wire import Request, Response
from entra_emulator.directory.hosts import LOGIN


class SignInStopped(Exception):
    """A sign-in ended on a page instead of at the client. The text is the page's; `status` its HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, its hidden fields, its boxes and its buttons (name, value)."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """What one step shows. `location` is where a redirect leads; it is not followed."""

    url: str
    status: int
    text: str
    forms: tuple[Form, ...]
    location: str | None

    def button(self, name: str, value: str) -> Form | None:
        """The form that has this button."""
        return next((form for form in self.forms if (name, value) in form.buttons), None)


class Browser:
    """Walks pages through any function that answers requests, such as `Emulator.handle`. One browser, one session."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self._answer = answer
        self._cookies: dict[str, str] = {}

    def open(self, url: str) -> Page:
        """Goes to an address."""
        return self._go("GET", url, b"")

    def press(self, page: Page, form: Form, name: str = "", value: str = "", *, tick: tuple[str, ...] = ()) -> Page:
        """Presses a button of a form, after ticking some of its boxes."""
        ticked = {box: form.boxes[box] for box in tick if box in form.boxes}
        body = urlencode(form.fields | ticked | ({name: value} if name else {}))
        return self._go(form.method, urljoin(page.url, form.action), body.encode())

    def sign_in(
        self, url: str, user: str, *, decline: bool = False, cancel: bool = False, everyone: bool = False
    ) -> str:
        """Walks a sign-in as the user with that object id would, and gives the address the client is called back at.

        `decline` declines what consent is asked for, `cancel` goes back at the first page, `everyone` consents for the
        whole organization. For `form_post` the posted fields are shown as the address's query. Raises SignInStopped
        where the emulator shows an error, or asks for an administrator and `decline` does not return from there.
        """
        page = self.open(url)
        for _ in range(4):
            if page.location is not None:
                return page.location
            page = self._step(page, user, decline=decline, cancel=cancel, everyone=everyone)
        return _arrived(page)

    def approve_device(self, user_code: str, user: str, *, decline: bool = False) -> None:
        """Signs in on behalf of another device that shows this code, or declines. Raises SignInStopped where it cannot."""
        page = self.open(f"{LOGIN}/common/oauth2/deviceauth?{urlencode({'user_code': user_code})}")
        for _ in range(2):
            if page.button("user", user) or page.button("answer", "accept"):
                page = self._step(page, user, decline=decline, cancel=decline, everyone=False)
        if page.forms or page.status >= 400:
            raise SignInStopped(page.status, page.text)

    def _step(self, page: Page, user: str, *, decline: bool, cancel: bool, everyone: bool) -> Page:
        refusing = [("answer", value) for value in ("decline", "return") if decline]
        leaving = [("answer", "cancel")] if cancel else []
        for name, value in (*leaving, ("user", user), *refusing, ("answer", "accept")):
            form = page.button(name, value)
            if form is not None:
                return self.press(page, form, name, value, tick=("everyone",) if everyone else ())
        posted = next((form for form in page.forms if not form.buttons), None)
        if posted is None:
            raise SignInStopped(page.status, page.text)
        return Page(page.url, page.status, page.text, (), f"{posted.action}?{urlencode(posted.fields)}")

    def _go(self, method: str, url: str, body: bytes) -> Page:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        response = self._answer(Request(method, url, headers, body))
        for name, value in response.headers:
            if name.lower() == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self._cookies[cookie] = content
        reader = _Reader()
        reader.feed(response.body.decode("utf-8", "replace"))
        text = " ".join(" ".join(reader.words).split())
        return Page(url, response.status, text, tuple(reader.forms), response.header("Location"))


def _arrived(page: Page) -> str:
    if page.location is None:
        raise SignInStopped(page.status, page.text)
    return page.location


class _Reader(HTMLParser):
    """Collects the forms and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "style":
            self._hidden = True
        elif tag == "form":
            self.forms.append(Form(values.get("method", "get").upper(), values.get("action", "")))
        elif tag == "input" and self.forms:
            box = values.get("type") == "checkbox"
            target = self.forms[-1].boxes if box else self.forms[-1].fields
            target[values.get("name", "")] = values.get("value", "on")
        elif tag == "button" and self.forms and "name" in values:
            self.forms[-1].buttons.append((values["name"], values.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
