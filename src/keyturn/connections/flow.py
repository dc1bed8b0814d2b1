"""A sign-in by browser, from sending the browser away to its return: values and rules, pure.

``UnverifiedCallback`` is what anybody may have put into a URL. Only what :class:`PendingSignIn` remembers is believed.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, field
from datetime import datetime, timedelta

from keyturn.connections.domain import Connection
from keyturn.errors import KeyturnError, Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ownership.domain import OwnerChoice

FLOW_LIFE = timedelta(minutes=10)
FLOW_KEPT = timedelta(days=1)
"""An ended flow is remembered for so long, to distinguish a repeat from a forgery."""
CALLBACK_PATH = "/organization/app-connections/azure/oauth/callback"
# A path of this server: no scheme, no host, nothing that a browser takes for one, and no white space.
_PATH = re.compile(r"/(?![/\\])[A-Za-z0-9._~%!$&'()*+,;=:@/?#-]{0,2000}")
_WORDS = 2000


@dataclass(frozen=True)
class SignInRequest:
    """What the user filled in before going to sign in; with ``connection_id`` an existing connection is connected again.

    That one's name and place are taken from the connection then, and its tenant where none is given.
    """

    tenant_id: str = ""
    name: str | None = None
    description: str | None = None
    project_id: str | None = None
    connection_id: str | None = None
    return_to: str | None = None
    owner_id: str | None = None
    owner_contact: str | None = None

    @property
    def owner(self) -> OwnerChoice:
        return OwnerChoice(self.owner_id, self.owner_contact)


@dataclass(frozen=True)
class UnverifiedCallback:
    """The query of the callback URL. Nothing in it is believed before its state was found and ended."""

    state: Plaintext
    code: Plaintext | None
    said: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, state: Plaintext, code: Plaintext | None, answer: Mapping[str, str | None]) -> "UnverifiedCallback":
        """Take the parameters of a query without white space around them. Overlong words are cut, empty ones left out."""
        error_fields = {name: words[:_WORDS] for name, text in answer.items() if (words := (text or "").strip())}
        code_text = code.reveal().strip() if code else ""
        return cls(Plaintext(state.reveal().strip()), Plaintext(code_text) if code_text else None, error_fields)

    @property
    def is_empty(self) -> bool:
        """Whether the query had no parameters at all."""
        return not self.state and self.code is None and not self.said


@dataclass(frozen=True)
class PendingSignIn:
    """A sign-in under way. ``payload`` is sealed for :func:`flow_seal_context`, and forgotten when the flow ends."""

    id: str
    digest: str
    binding: str
    actor_kind: str
    actor_id: str
    org_id: str
    payload: Sealed | None
    expires_at: datetime
    created_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True)
class SignInContext:
    """What a flow remembers from its beginning to its end."""

    form: SignInRequest
    verifier: Plaintext
    nonce: str = field(repr=False)


@dataclass(frozen=True)
class SignInRedirect:
    """Where to send the browser, and until when it must be back."""

    url: str
    expires_at: datetime


@dataclass(frozen=True)
class SignInResult:
    """How a sign-in ended: with a connection, or with what went wrong. ``form`` is what the user had filled in."""

    form: SignInRequest
    connection: Connection | None = None
    failure: KeyturnError | None = None


def flow_seal_context(flow_id: str) -> SealContext:
    return SealContext("oauth_flows", flow_id, "payload")


def digest(text: Plaintext) -> str:
    return hashlib.sha256(text.reveal().encode()).hexdigest()


def challenge(verifier: Plaintext) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636, section 4.2)."""
    hashed = hashlib.sha256(verifier.reveal().encode()).digest()
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def pack_flow(context: SignInContext) -> Plaintext:
    data = {"form": asdict(context.form), "verifier": context.verifier.reveal(), "nonce": context.nonce}
    return Plaintext(json.dumps(data))


def unpack_flow(packed: Plaintext) -> SignInContext:
    data = json.loads(packed.reveal())
    return SignInContext(SignInRequest(**data["form"]), Plaintext(data["verifier"]), data["nonce"])


def check_return_path(text: str | None) -> None:
    """Raise Refused unless the text is a path of this server, so that nobody is sent elsewhere after signing in."""
    if text is not None and not _PATH.fullmatch(text):
        raise Refused(
            "The page to return to is not a path of this server.",
            code="connections.return_path",
            fix="Give a path that begins with one slash, such as /projects.",
        )


def check_flow(flow: PendingSignIn | None, actor: Actor, binding: str, now: datetime) -> PendingSignIn:
    """Return the flow if this user may end it now, in this browser session. Raises Refused, each reason in its own words."""
    again = "Start connecting again from this page."
    if flow is None:
        raise Refused(
            "This server did not start this sign-in.",
            code="connections.oauth_state_unknown",
            fix=f"{again} Nothing was connected.",
        )
    if (flow.actor_kind, flow.actor_id, flow.org_id) != (actor.kind.value, actor.id, actor.org_id):
        raise Refused(
            "Another user of this server started this sign-in.",
            code="connections.oauth_other_user",
            fix=f"{again} Do not open sign-in links that somebody sends you.",
        )
    if not hmac.compare_digest(flow.binding, binding):
        raise Refused(
            "This sign-in was started in another browser, or you have signed in to this server anew since.",
            code="connections.oauth_other_session",
            fix=f"{again} Keep to one browser until you are back.",
        )
    if flow.ended_at is not None:
        raise Refused(
            "This sign-in was completed before.",
            code="connections.oauth_state_used",
            fix="Look at the list of connections: it may be there. Otherwise connect again.",
        )
    if now >= flow.expires_at:
        raise Refused(
            f"The sign-in took longer than {FLOW_LIFE.total_seconds() // 60:.0f} minutes.",
            code="connections.oauth_state_expired",
            fix=again,
        )
    return flow
