"""Which credentials of another method a connection takes. Pure."""

from collections.abc import Iterable

from keyturn.errors import Refused
from keyturn.ports.sign_in import SignInMethod


def may_switch(before: SignInMethod, after: SignInMethod) -> bool:
    """Whether a connection of one method takes credentials of the other: a way back for who has lost the server's identity."""
    return before is after or (before.as_server and after.kind() is not None)


def method_named(key: str | None, own: SignInMethod, methods: Iterable[SignInMethod]) -> SignInMethod:
    """Return the method of this name, where a connection of its ``own`` method takes its credentials; else its own."""
    return next((one for one in methods if one.key == key and may_switch(own, one)), own)


def require_may_switch(before: SignInMethod, after: SignInMethod) -> None:
    """Raise Refused where :func:`may_switch` says no."""
    if not may_switch(before, after):
        raise method_fixed(before, after)


def method_fixed(before: SignInMethod, after: SignInMethod) -> Refused:
    """Build the refusal of credentials of another method than the connection's; what to do instead depends on both."""
    fix = "A connection's method cannot be changed: make another connection."
    if may_switch(before, after):
        fix = f"Send method: '{after.key}' as well, so that the connection signs in by it from then on."
    elif after.as_server and before.kind() is not None:
        fix = "Have it give its secret up step by step: POST /secretless below its path, or its page Sign In Without a Secret."
    return Refused(
        f"These are credentials of the method '{after.key}', but the connection's method is '{before.key}'.",
        code="connections.method_fixed",
        fix=fix,
    )
