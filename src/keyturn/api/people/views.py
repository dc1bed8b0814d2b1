"""What all sign-ins have in common: where a request comes from, what they answer, what they are counted under."""

from keyturn.api.people.schemas import Token
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
