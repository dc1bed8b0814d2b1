"""The providers of this server, asked by the app and the sign-in method of a connection."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from keyturn.errors import NeedsAction
from keyturn.ports.provider import CredentialKind
from keyturn.ports.sign_in import AppProvider, BrowserMethod, IdentityMethod, SignInMethod


class SignsIn(Protocol):
    """What names a sign-in method: a connection, or credentials."""

    @property
    def app(self) -> str: ...

    @property
    def method(self) -> str: ...


class Providers:
    """All providers. The keys of methods are unique among them: a rotation knows its kind of credential by it."""

    def __init__(self, providers: Sequence[AppProvider]) -> None:
        """Raises ValueError when two providers have an app or a method of the same key."""
        self.all = tuple(providers)
        self._by_app = {provider.manifest.app: provider for provider in self.all}
        self._methods = {method.key: method for provider in self.all for method in provider.methods}
        if len(self._by_app) < len(self.all) or len(self._methods) < sum(len(one.methods) for one in self.all):
            raise ValueError("two providers have an app or a method of the same key")

    def of(self, app: str) -> AppProvider:
        """Return the provider of this app. Raises NeedsAction for one that this server does not know."""
        return self._by_app.get(app) or _unknown("app", app)

    def method(self, app: str, key: str) -> SignInMethod:
        """Return the sign-in method of an app. Raises NeedsAction for one that this server does not know."""
        return self.find(self.of(app).manifest.app, key) or _unknown("method", key)

    def find(self, app: str, key: str) -> SignInMethod | None:
        """Return the sign-in method of an app; None for one that this server does not know."""
        provider = self._by_app.get(app)
        return next((method for method in provider.methods if method.key == key), None) if provider else None

    def for_display(self, connection: SignsIn) -> tuple[AppProvider, SignInMethod]:
        """Return the provider and the method of a connection; any for those that nobody knows: a list never fails of them."""
        provider = self._by_app.get(connection.app, self.all[0])
        method = next((one for one in provider.methods if one.key == connection.method), provider.methods[-1])
        return provider, method

    def method_of(self, connection: SignsIn) -> SignInMethod:
        """Return the sign-in method of a connection or of credentials. Raises as :meth:`method` does."""
        return self.method(connection.app, connection.method)

    def method_of_kind(self, name: str) -> SignInMethod:
        """Return the method of which this is the kind of credential. Raises NeedsAction for one that nobody knows."""
        return self._methods.get(name) or _unknown("method", name)

    def of_kind(self, name: str) -> AppProvider:
        """Return the provider of this kind of credential. Raises as :meth:`method_of_kind` does."""
        return self.of(self.method_of_kind(name).app)

    def kind(self, name: str, *, app_id: str | None = None) -> CredentialKind:
        """Return the kind of credential of this name, which is that of its method. Raises NeedsAction for another. Pure."""
        return self.method_of_kind(name).kind(app_id=app_id) or _unknown("kind of credential", name)

    @property
    def browser(self) -> BrowserMethod:
        """The method by which people sign in with a browser."""
        return next(provider.browser for provider in self.all if provider.browser is not None)

    def identity_of(self, app: str) -> IdentityMethod:
        """Return the method by which this server signs in as itself at this app. Raises NeedsAction where there is none."""
        return self.of(app).identity or _unknown("method", "of an identity of this server")

    def clock_ahead(self) -> timedelta | None:
        """Return how far our clock is ahead by the provider that differs most; None while that is unknown. No call."""
        known = [ahead for provider in self.all if (ahead := provider.clock_ahead()) is not None]
        return max(known, key=abs, default=None)

    def clock_confirmed_at(self) -> datetime | None:
        """Return when our clock was last found right by all providers that have answered; None while it is not. No call."""
        moments = [provider.clock_confirmed_at() for provider in self.all if provider.clock_ahead() is not None]
        known = [moment for moment in moments if moment is not None]
        return min(known, default=None) if len(known) == len(moments) else None


def _unknown(what: str, key: str) -> NoReturn:
    raise NeedsAction(
        f"This server knows no {what} '{key[:64]}'.",
        code="connections.unreadable",
        fix="Restore the connection's row from a backup, or delete the connection and make it anew.",
    )
