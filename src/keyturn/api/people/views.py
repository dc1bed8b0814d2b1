"""What sign-ins have in common: where a request comes from, what they answer, what they are counted under. And people."""

from keyturn.api.people.schemas import Token, UserShown
from keyturn.kit.clock import iso
from keyturn.people.domain import User
from keyturn.tokens.domain import IssuedToken, Origin
from keyturn.web.auth import Caller

SIGN_IN_REFUSED = {
    401: "Nobody signs in with this: unknown, wrong, or locked after too many tries",
    403: "Not from this address",
}
MACHINE_SIGN_INS = "universal-auth"
"""What sign-ins of machines are counted under, by whatever method."""


def origin_of(caller: Caller) -> Origin:
    return Origin(caller.ip, caller.request_id)


def token_answer(issued: IssuedToken) -> Token:
    return Token(issued.token.reveal(), issued.expires_in, issued.max_ttl)


def user_shown(user: User) -> UserShown:
    return UserShown(
        id=user.id,
        email=user.email,
        username=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        role=user.role,
        super_admin=user.super_admin,
        org_id=user.org_id,
        disabled_at=iso(user.disabled_at) if user.disabled_at else None,
        last_signed_in_at=iso(user.last_signed_in_at) if user.last_signed_in_at else None,
        created_at=iso(user.created_at),
        updated_at=iso(user.updated_at),
    )
