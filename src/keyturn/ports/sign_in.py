"""How an app connection signs in with a provider: the one place where methods differ. The adapters live in ``providers``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.fields import Field, FieldFault
from keyturn.ports.manifest import Manifest
from keyturn.ports.provider import (
    AccessToken,
    ApplicationPage,
    ApplicationSummary,
    Capability,
    CredentialKind,
    Grant,
    Principal,
    RemoteApplication,
    RemoteCredential,
    Tenant,
    Trust,
)
from keyturn.ports.use_reports import UseReports


class Credentials(Protocol):
    """What signs in by a method: as a user supplied it, or as it is stored. Only its method looks inside."""

    @property
    def app(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def tenant_id(self) -> str: ...

    @property
    def client_id(self) -> str:
        """Empty as long as that is unknown: of a code which is still to be exchanged."""

    @property
    def key_id(self) -> str | None:
        """What the provider calls the credential, where the user said so."""


@dataclass(frozen=True)
class PermissionReport:
    """What credentials that sign in may do, in a sentence; ``fix`` is advice."""

    message: str
    fix: str | None = None


@dataclass(frozen=True)
class CredentialWords:
    """What the credential of a method is called in sentences."""

    noun: str
    """``client secret``"""
    short: str
    """``secret``"""
    new: str
    """What a rotation makes, after "A new"."""
    confidential: str
    """What of it nobody else may know."""
    others_use_it: bool = True
    """Programs may sign in with it as well: they stop when it is replaced."""


class SignInMethod(Protocol):
    """One way to sign in. Credentials that are handed in are of this method; network calls raise as a provider's do."""

    app: str
    key: str
    """Its name in JSON and in rows: one that no method of another provider has."""
    label: str
    help: str
    words: CredentialWords
    signed_in: str
    """What to say of credentials that sign in."""
    credential_field: str
    """The field that holds the credential itself: what is wrong with it in the light of others stands there."""
    browser: bool
    """A person signs in with a browser, and what they grant is refreshed: it belongs to one connection alone."""
    as_server: bool
    """It signs in as this server itself, to whatever trusts it: only who may add connections to the organization sets one up."""
    fields: Sequence[Field]
    rotation_fields: Sequence[Field]
    """What is asked beside a schedule: what the provider calls the credential that is to be taken over."""
    schema_name: str
    """What its types in the API are called after; no other method's are."""
    schema_help: str

    @property
    def unavailable(self) -> str | None:
        """Why nobody can set up a connection of this method on this server, in a sentence; None where that is possible. Pure."""

    def faults(self, value: Callable[[str], Any]) -> Iterable[FieldFault]:
        """Say what is wrong with fields together. ``value`` gives that of a field by name, None if it is absent. Pure."""

    def supplied(self, values: Mapping[str, Any]) -> Credentials:
        """Put together what a user typed: by field, secrets as Plaintext, each right by itself. Pure."""

    def read(self, credentials: Any, now: datetime | None) -> Credentials:
        """Check what needs no network. Raises Refused, naming the field. Dates count only with ``now``. Repeatable."""

    def accept(self, cloud: str, credentials: Any) -> Credentials:
        """Have the provider accept what was read, and return what is to be stored. NOT repeatable for what is used once."""

    def locate(self, cloud: str, credentials: Any) -> Credentials:
        """Return the credentials with the id of their tenant, if they name it otherwise. Repeatable."""

    def sign_in(self, tenant: Tenant, credentials: Any) -> AccessToken:
        """Get a fresh token: no cache of any kind, so success proves the credentials. Repeatable."""

    def hashed(self, credentials: Any) -> Sequence[str]:
        """Return what was supplied, less the tenant, as it counts for whether the same was sent again. Pure."""

    def value(self, credentials: Any) -> Plaintext:
        """Return what signs in as one text, which the credential's kind reads, too. Pure."""

    def of_value(self, tenant_id: str, client_id: str, value: Plaintext) -> Credentials:
        """Return the credentials with this value, as :meth:`value` wrote it. Pure."""

    def value_of_parts(
        self, parts: Mapping[str, Plaintext], facts: Mapping[str, Any], ends_at: datetime | None
    ) -> Plaintext | None:
        """Return as :meth:`value` does what an early version of this server sealed by names of this method's own.

        None of a method that is younger. Raises NeedsAction where a part cannot be read. Pure.
        """

    def fingerprint(self, value: Plaintext) -> str | None:
        """Return what equal credentials have in common, however they were written; None for what nobody shares. Pure."""

    def facts(self, credentials: Any) -> dict[str, Any] | None:
        """Return what lists may show of stored credentials. Pure."""

    def ends_at(self, credentials: Any) -> datetime | None:
        """Return when stored credentials end, where they say so themselves. Pure."""

    def kind(self, *, app_id: str | None = None) -> CredentialKind | None:
        """Return the kind of credential that a connection of this method can rotate; None where there is none. Pure."""

    def match(
        self,
        listed: Sequence[RemoteCredential],
        credentials: Any,
        now: datetime,
        key_id: str | None,
        *,
        confirmed: bool,
    ) -> RemoteCredential:
        """Return the listed credential that was given. Raises Refused, with the candidates, unless it is there and unexpired.

        ``key_id`` is the one that was said beside the credentials. One of which the list does not tell whether it is the one
        given is taken by its key id, if that is ``confirmed``. Pure.
        """

    def application(self, tenant: Tenant, token: AccessToken, client_id: str) -> RemoteApplication | None:
        """Read the application that signed in; None where it need not be seen. Repeatable."""

    def permission(
        self, tenant: Tenant, token: AccessToken, application: Any, may: Sequence[Capability]
    ) -> PermissionReport:
        """Say what the token may do with credentials. Raises NeedsAction when it may not what a connection is for."""


class BrowserMethod(SignInMethod, Protocol):
    """A way to sign in with a browser, through this server's own application. Raises Misconfigured on a server without one."""

    @property
    def configured(self) -> bool:
        """Whether this server has such an application."""

    @property
    def client_id(self) -> str:
        """That of the application."""

    def authorize_url(self, tenant: Tenant, *, state: str, nonce: str, challenge: str) -> str:
        """Return where to send the browser. Raises NeedsAction for what is not one existing tenant. Repeatable."""

    def code(self, tenant_id: str, code: Plaintext, verifier: Plaintext | None, nonce: str | None) -> Credentials:
        """Return as credentials what the browser brought. Pure."""

    def refresh(self, tenant: Tenant, refresh_token: Plaintext) -> Grant:
        """Get a fresh token. Raises SignInAgain when only the person can help. Repeatable."""

    def refuse(self, tenant: Tenant, answer: Mapping[str, str]) -> NoReturn:
        """Raise what the callback says instead of bringing a code: NeedsAction, Retryable or Permanent."""


class IdentityMethod(SignInMethod, Protocol):
    """A way to sign in as this server itself, for applications that trust it. Raises as a provider does."""

    most_trusts: int
    """How many identities an application can trust."""

    def credentials(self, tenant_id: str, client_id: str, source: str, trust: Trust) -> Credentials:
        """Return what a connection of this method is stored with. Pure."""

    def trust_of(self, tenant: Tenant, source: str) -> Trust:
        """Return what an application has to trust for this token source to sign in to it. Asks the source. Repeatable."""

    def trusts(self, tenant: Tenant, token: AccessToken, object_id: str) -> Mapping[str, Trust]:
        """List what the application trusts, by name. Repeatable."""

    def add_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str, trust: Trust) -> None:
        """Have the application trust it under this name. Raises Unanswered when that may have been done: look before a repeat."""

    def remove_trust(self, tenant: Tenant, token: AccessToken, object_id: str, name: str) -> None:
        """End that trust. Repeatable. Returns also when the provider says it has none of that name: a hint, not proof."""

    def how_to_trust(self, client_id: str, trust: Trust) -> str:
        """Return the command by which a person has the application trust it. Pure."""

    def how_to_change(self, client_id: str, name: str, trust: Trust) -> str:
        """Return the command by which a person makes this of what the application trusts under the name. Pure."""

    def how_to_list(self, client_id: str) -> str:
        """Return the command that lists what the application trusts. Pure."""


class AppProvider(Protocol):
    """One provider: what it is called, how connections sign in with it, and what all methods have in common."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def methods(self) -> Sequence[SignInMethod]: ...

    @property
    def browser(self) -> BrowserMethod | None:
        """The one of its methods by which people sign in with a browser, if there is one."""

    @property
    def use_reports(self) -> UseReports | None:
        """What reports when credentials sign in; None where the provider has nothing of the kind."""

    @property
    def identity(self) -> IdentityMethod | None:
        """The one of its methods by which this server signs in as itself, if there is one."""

    def clock_ahead(self) -> timedelta | None:
        """Return how far our clock is ahead of the provider's by the newest answer; None while that is unknown. No call."""

    def clock_confirmed_at(self) -> datetime | None:
        """Return when our clock was last found right; None when the newest answer found it wrong, or there was none. No call."""

    def applications(self, tenant: Tenant, token: AccessToken) -> Sequence[ApplicationSummary]:
        """List the applications the token can see, all pages. Repeatable."""

    def find_applications(self, tenant: Tenant, token: AccessToken, text: str, cursor: str | None) -> ApplicationPage:
        """Return a page of the applications whose name has these words, or whose id this is; all without a text. Repeatable.

        ``cursor`` is that of the page before, for the same text. Raises Refused for any other.
        """

    def owns(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> bool:
        """Say whether who signed in owns the application; False where the token does not tell who that is. Repeatable."""

    def principal(self, tenant: Tenant, token: AccessToken, application: RemoteApplication) -> Principal | None:
        """Say whether the tenant lets anybody sign in as the application; None where the token does not show that. Repeatable."""

    def principal_fix(self, tenant: Tenant, principal: Principal, application: RemoteApplication) -> str:
        """Say how to make or enable what signs in as the application, where it is missing or disabled. Pure."""

    def capabilities(self, token: AccessToken, app_id: str) -> Sequence[Capability]:
        """Say what the token may do for the application that signed in, what is missing, and how to grant it. Pure."""
