"""A small feature, written as the README of the edge says, and an application around it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

from msgspec import UNSET, Meta, UnsetType

from keyturn import errors
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.clock import SystemClock
from keyturn.kit.ids import SystemIds
from keyturn.kit.secret import Plaintext
from keyturn.settings.model import Settings
from keyturn.web.cookies import SessionCookie
from keyturn.web.html.render import Renderer
from keyturn.web.html.site import Site
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Caller, Routes, delete, get, group, patch, post
from keyturn.web.schema.validate import Fault, Sentence, Slug, Uuid, coerced, trimmed
from keyturn.web.schema.wire import ApiModel
from keyturn.web.server.app import Application, build
from keyturn.web.subpath import AT_ROOT, SubPath
from tests.client import Client

TOKEN = "good-token"
AUTH = {"authorization": f"Bearer {TOKEN}"}
UUID = "0d9b5a52-8d0e-4d53-9a7e-1f0c6f3c1a10"


class Secret(ApiModel, tag_field="method", tag="client-secret"):
    client_id: Uuid
    client_secret: Annotated[str, trimmed, Meta(min_length=1, max_length=50), Sentence("must not be empty")]


class OAuth(ApiModel, tag_field="method", tag="oauth"):
    code: Annotated[str, Meta(min_length=1)]


class CreateThing(ApiModel):
    name: Slug
    owner_id: Uuid
    credentials: Secret | OAuth
    description: Annotated[str, trimmed, Meta(max_length=10)] | None = None
    size: Annotated[int, Meta(ge=1, le=100)] = 10
    enabled: Annotated[bool, coerced] = False
    interval: int | None = None
    labels: Annotated[list[Slug], Meta(max_length=3)] | None = None
    short: Annotated[Slug, Meta(max_length=8)] | None = None

    def check(self) -> Iterator[Fault]:
        if self.enabled and self.interval is None:
            yield Fault("Say how often", path=("interval",))


class UpdateThing(ApiModel):
    description: Annotated[str, trimmed, Meta(max_length=10)] | UnsetType | None = UNSET


class ListThings(ApiModel):
    project_id: Uuid | None = None
    recursive: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    tag: list[str] | None = None


class Shown(ApiModel):
    what: dict[str, Any]


class Login(ApiModel):
    name: Annotated[str, Meta(max_length=100)]


FAULTS: dict[str, Exception] = {
    "refused": errors.Refused("no", code="x.no", fix="do this"),
    "unauthenticated": errors.Unauthenticated("who", code="token.unknown"),
    "token": errors.TokenRefused("expired", code="token.expired"),
    "forbidden": errors.Forbidden("may not", code="x.forbidden", details=[{"action": "edit", "inverted": False}]),
    "not-found": errors.NotFound("gone", code="x.missing"),
    "invalid": errors.Invalid([{"code": "custom", "message": "bad", "path": ["x"]}]),
    "too-many": errors.TooMany("slow down", code="x.many", retry_after=timedelta(seconds=2.2)),
    "needs-action": errors.NeedsAction("AADSTS7000215: bad secret.", code="azure.secret", fix="Make a new one."),
    "misconfigured": errors.Misconfigured("SITE_URL is not set", code="config.site_url"),
    "bug": RuntimeError("password=hunter2 leaked"),
    "group": ExceptionGroup("several", [ValueError("one")]),
    "recursion": RecursionError("deep"),
}


def router(limiter: Limiter) -> Routes:
    @get("/api/v1/things")
    def list_things(actor: Actor, query: ListThings) -> Shown:
        """List things."""
        return Shown({"actor": actor.id, "requestId": actor.request_id, **_as_dict(query)})

    @post("/api/v1/things")
    def create_thing(actor: Actor, data: CreateThing) -> Shown:
        """Create a thing.

        With all that ``belongs`` to it.
        """
        return Shown(_as_dict(data))

    @patch("/api/v1/things/{thing_id}")
    def update_thing(actor: Actor, thing_id: Uuid, data: UpdateThing) -> Shown:
        """Change a thing."""
        return Shown({"id": thing_id, "sent": data.description is not UNSET, "description": _plain(data.description)})

    @delete("/api/v1/things/{thing_id}")
    def delete_thing(actor: Actor, thing_id: Uuid, data: dict[str, object] | None) -> Shown:
        """Delete a thing."""
        return Shown({"id": thing_id, "data": data})

    @get("/api/v1/things/{thing_id}/{rest:path}")
    def read_below(actor: Actor, thing_id: Uuid, rest: str) -> Shown:
        """Read below a thing."""
        return Shown({"id": thing_id, "rest": rest})

    @post("/api/v1/faults/{name}", public=True)
    def fail(name: str) -> Shown:
        """Fail on purpose."""
        raise FAULTS[name]

    @post("/api/v1/login", public=True)
    def log_in(caller: Caller, data: Login) -> Shown:
        """Sign in."""
        limiter.take(f"{caller.ip} login")
        return Shown({"ip": caller.ip, "token": caller.token is not None, "agent": caller.user_agent})

    @post("/api/v1/quiet", public=True, status=204)
    def stay_quiet() -> None:
        """Answer nothing."""

    @post("/api/v1/anything", public=True)
    def take_anything(data: dict[str, object] | None) -> Shown:
        """Take any JSON object."""
        return Shown({"data": data})

    return group(
        "Things",
        *(list_things, create_thing, update_thing, delete_thing, read_below),
        *(fail, log_in, stay_quiet, take_anything),
    )


def authenticate(token: str, ip: str) -> Actor:
    if token != TOKEN:
        raise errors.TokenRefused("not a token of this server", code="token.malformed")
    return Actor(ActorKind.USER, "user-1", "Ada", "org-1", Role.ADMIN)


def application(limiter: Limiter | None = None, **more: Any) -> Application:
    return build(
        [router(limiter or Limiter(SystemClock(), per_minute=60))],
        authenticate=authenticate,
        clock=SystemClock(),
        ids=SystemIds(),
        **{"settings": Settings(Path("nowhere"), "sqlite://"), **more},
    )


def _stranger(_session: Plaintext) -> NoReturn:
    raise errors.Unauthenticated("Nobody has signed in here.", code="auth.session")


def _no_shell(_actor: Actor) -> NoReturn:
    raise AssertionError("what surrounds a page is shown to nobody here")


def site(below: SubPath = AT_ROOT) -> Site:
    """What public pages need."""
    return Site(Renderer(SystemClock(), below), _stranger, _no_shell, SessionCookie(secure=False))


def client(**more: Any) -> Client:
    return Client(application(**more))


def good_body(**changes: Any) -> dict[str, Any]:
    credentials = {"method": "client-secret", "clientId": UUID, "clientSecret": "s3cret"}
    return {"name": "prod-entra", "ownerId": UUID, "credentials": credentials, **changes}


def _as_dict(wire: ApiModel) -> dict[str, Any]:
    return {name: _plain(getattr(wire, name)) for name in wire.__struct_fields__}


def _plain(value: Any) -> Any:
    if value is UNSET:
        return None
    return _as_dict(value) if isinstance(value, ApiModel) else value
