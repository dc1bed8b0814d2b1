"""Everything that can go wrong, as one small tree.

KeyturnError
 ├─ Refused 400        a rule of the product says no          ├─ Unauthenticated 401   who are you
 ├─ Invalid 422        the request has the wrong shape        ├─ TokenRefused 403      the token is malformed or past its end
 ├─ NotFound 404       no such thing, or not for you          ├─ Forbidden 403         you may not
 ├─ Conflict 409       something else has this already
 ├─ Untyped 415        the body does not say that it is JSON
 ├─ TooMany 429        slow down                              ├─ Misconfigured 500     this server is set up wrongly
 ├─ NotBuilt 501       known to clients, not built here
 ├─ Unavailable 503    not now; the same request works later (nothing was done)
 ├─ TimedOut 504       it took too long, and was ended        ├─ RunFailed 500         a rotation that was asked for has failed
 └─ Upstream 400       the identity provider said no, or nothing
     ├─ Retryable      the same call may work later           (Unanswered: and nobody knows whether it was carried out)
     ├─ NeedsAction    somebody has to change something       (SignInAgain: a person has to sign in again)
     └─ Permanent      the same call will never work

Each carries a stable ``code`` for programs, a message for people, and where it helps ``fix``: what to do or type.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum


class KeyturnError(Exception):
    """Base of all errors that users see."""

    status = 500
    error = "InternalServerError"
    exit_status = 1
    """Of a command that fails with it."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        fix: str | None = None,
        details: Sequence[Mapping[str, object]] = (),
        field: str | None = None,
    ) -> None:
        """``field`` is that of the request that it is about, by its name in JSON, where it is about one."""
        super().__init__(message)
        self.field = field
        self.message = message
        self.code = code
        self.fix = fix
        self.details = tuple(details)

    def diagnostics(self) -> str:
        """Return the sentence for people: what happened and, where known, what to do."""
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{self.message}{stop} {self.fix}" if self.fix else self.message


class Refused(KeyturnError):
    """A rule of the product says no; nothing was changed."""

    status = 400
    error = "BadRequest"


class Invalid(KeyturnError):
    """The request has the wrong shape. ``issues`` name each fault with its path."""

    status = 422
    error = "ValidationFailure"

    def __init__(self, issues: Sequence[Mapping[str, object]]) -> None:
        super().__init__("the request is not valid", code="request.invalid")
        self.issues = tuple(issues)


class Unauthenticated(KeyturnError):
    status = 401
    error = "UnauthorizedError"


class TokenRefused(KeyturnError):
    status = 403
    error = "TokenError"


class Forbidden(KeyturnError):
    status = 403
    error = "PermissionDenied"


class NotFound(KeyturnError):
    status = 404
    error = "NotFound"


class Conflict(KeyturnError):
    """Something else has already what it asks for; nothing was changed."""

    status = 409
    error = "Conflict"


class NotBuilt(KeyturnError):
    """A route that clients know and that this server does not have yet: never to be taken for a missing thing."""

    status = 501
    error = "NotImplemented"


class Untyped(KeyturnError):
    """The body does not say what it is."""

    status = 415
    error = "UnsupportedMediaType"


class TooMany(KeyturnError):
    """Too many requests; ``retry_after`` says how long to wait."""

    status = 429
    error = "RateLimitExceeded"

    def __init__(self, message: str, *, code: str, retry_after: timedelta, fix: str | None = None) -> None:
        super().__init__(message, code=code, fix=fix)
        self.retry_after = retry_after


class Unavailable(KeyturnError):
    """This server cannot do it now and has done nothing; ``retry_after`` says when to try again."""

    status = 503
    error = "ServiceUnavailable"

    def __init__(self, message: str, *, code: str, retry_after: timedelta, fix: str | None = None) -> None:
        super().__init__(message, code=code, fix=fix)
        self.retry_after = retry_after


class TimedOut(KeyturnError):
    """What was begun took too long; it was ended, and what it had made is being removed."""

    status = 504
    error = "GatewayTimeout"


class RunFailed(KeyturnError):
    """A rotation that was asked for has failed: why, in the words of its run. The current secret is untouched."""

    status = 500
    error = "InternalServerError"


def busy(doing: str) -> Unavailable:
    """Return the refusal of a server that is busy ``doing`` something for others, e.g. ``checking passwords``."""
    return Unavailable(
        f"This server is busy {doing} for others and takes no more of that for the moment.",
        code="server.busy",
        retry_after=timedelta(seconds=2),
        fix="Try again in a few seconds.",
    )


class Misconfigured(KeyturnError):
    """This server is set up wrongly. At start it is one clear sentence and exit status 2."""

    exit_status = 2


class RefusalReason(StrEnum):
    """What a provider refuses, where that decides what happens next. Kept with a connection that is refused."""

    CREDENTIAL_UNKNOWN = "credential-unknown"
    """The credential that signs in does not exist: not yet, or not any more."""
    CREDENTIAL_EXPIRED = "credential-expired"
    PERMISSION = "permission"
    """It signs in, and may not do what a connection is for."""
    LIFETIME = "lifetime"
    """A new credential may not live as long as was asked for."""


class Upstream(KeyturnError):
    """The identity provider refused or did not answer.

    ``request_id`` is the provider's own id of the failed call, to quote to its support. ``field`` is what to look at again in
    the request that gave the credentials.
    """

    status = 400
    error = "BadRequest"

    def __init__(
        self,
        message: str,
        *,
        code: str,
        fix: str | None = None,
        request_id: str | None = None,
        reason: RefusalReason | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message, code=code, fix=fix, field=field)
        self.request_id = request_id
        self.reason = reason

    @property
    def refuses_credential(self) -> bool:
        """Whether it is the credential itself that is refused, and not what it is used for."""
        return self.reason in {RefusalReason.CREDENTIAL_UNKNOWN, RefusalReason.CREDENTIAL_EXPIRED}


class Retryable(Upstream):
    """The same call may work later, not before ``retry_after`` if that is given."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        fix: str | None = None,
        request_id: str | None = None,
        retry_after: timedelta | None = None,
        reason: RefusalReason | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message, code=code, fix=fix, request_id=request_id, reason=reason, field=field)
        self.retry_after = retry_after


class Unanswered(Retryable):
    """No answer, or one that says nothing: the call may or may not have been carried out."""


class NotYet(Retryable):
    """Refused in a way that is normal while a recent change spreads through the provider's replicas."""

    def judged(self, *, spreading: bool) -> Upstream:
        """Return what it means: later is soon enough while a change may still be spreading, and final when none is."""
        kind = Retryable if spreading else NeedsAction
        return kind(
            self.message,
            code=self.code,
            fix=self.fix,
            request_id=self.request_id,
            reason=self.reason,
            field=self.field,
        )


class NeedsAction(Upstream):
    """Somebody has to change something at the provider or here; ``fix`` says what."""


class SignInAgain(NeedsAction):
    """What a person once consented to does not hold any more: the connection waits for a person to sign in again."""


class Permanent(Upstream):
    """The same call will never work."""
