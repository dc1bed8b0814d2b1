"""An endpoint of SCIM: its own media type, its own token, and errors in the shape of RFC 7644, section 3.12."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.provisioning.scim.domain import Expected, any_version
from keyturn.web.auth import bearer
from keyturn.web.edge import Edge
from keyturn.web.etags import matches
from keyturn.web.messages import Request, Response
from keyturn.web.routes import read_json, require_plain
from keyturn.web.schema.wire import encode

MEDIA_TYPE = "application/scim+json"
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_KINDS = {
    "scim.filter": "invalidFilter",
    "scim.value": "invalidValue",
    "scim.path": "invalidPath",
    "scim.target": "noTarget",
    "scim.uniqueness": "uniqueness",
    "access.email_invalid": "invalidValue",
    "access.email_taken": "uniqueness",
    "request.malformed": "invalidSyntax",
}
"""The ``scimType`` of errors that have one: RFC 7644, section 3.12."""
_FORBIDDEN = frozenset({"access.last_admin"})
_STATUSES = {"access.email_taken": 409, "scim.version": 412}


@dataclass(frozen=True)
class Call:
    """One request of a client: who it is, what it asks for and with what body; the versions that it expects, and has."""

    client: Actor
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    if_match: str | None = None
    if_none_match: str | None = None

    @property
    def expected(self) -> Expected:
        """What the client would change, and nothing else."""
        return any_version if self.if_match is None else partial(_is_among, self.if_match)


@dataclass(frozen=True)
class Answer:
    """``version`` is that of the one resource in it."""

    content: object | None
    status: int = 200
    location: str = ""
    version: str = ""


Authenticate = Callable[[Plaintext | None, str], Actor]
"""Returns the client whose token it is, which comes from this address."""


@dataclass(frozen=True)
class ScimEndpoint:
    """One method of one path."""

    is_page = False
    public = False

    method: str
    path: str
    function: Callable[[Call], Answer]
    authenticate: Authenticate

    @property
    def has_body(self) -> bool:
        return self.method in {"POST", "PUT", "PATCH"}

    async def serve(self, edge: Edge, request: Request) -> Response:
        return await edge.in_thread(partial(self._answer, request))

    def _answer(self, request: Request) -> Response:
        token = bearer(request.headers)
        client = self.authenticate(Plaintext(token) if token else None, request.visit.ip)
        request.visit.actor = client
        if not all(
            each.isprintable() for each in request.path_params.values()
        ):  # no id is: databases refuse some of it
            raise NotFound("There is nothing at this address.", code="scim.not_found")
        body = None
        if self.has_body:
            require_plain(request.headers, request.body)
            body = read_json(request.body)
        query = dict(parse_qsl(request.query.decode("utf-8", "replace"), max_num_fields=100))
        tags = (request.headers.get("if-match"), request.headers.get("if-none-match"))
        call = Call(client, request.path_params, query, body, *tags)
        answer = self.function(call)
        named = {"location": answer.location, "etag": answer.version}
        headers = {name: value for name, value in named.items() if value}
        if self.method == "GET" and answer.version and _is_among(call.if_none_match or "", answer.version):
            return Response(status=304, headers=headers)
        if answer.content is None:
            return Response(status=204)
        return Response(encode(answer.content), answer.status, MEDIA_TYPE, headers)

    def shaped_error(self, status: int, shape: Mapping[str, object], headers: Mapping[str, str]) -> Response:
        """Return an error as clients of SCIM read it."""
        code, message, fix = (str(shape.get(key) or "") for key in ("code", "message", "fix"))
        status = _STATUSES.get(code, 403 if code in _FORBIDDEN else status)
        kind = _KINDS.get(code)
        body = {
            "schemas": [_ERROR],
            "status": str(status),
            **({"scimType": kind} if kind else {}),
            "detail": message if fix in message else f"{message} {fix}",
        }
        more = {"www-authenticate": "Bearer"} if status == 401 else {}
        return Response(encode(body), status, MEDIA_TYPE, {**headers, **more})


def _is_among(tags: str, version: str) -> bool:
    """Say whether these tags name the version. Weakly compared, as it is with versions: RFC 7644, section 3.14."""
    return matches(version.removeprefix("W/"), [tags])
