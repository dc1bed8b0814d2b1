"""Routes of sign-in with tokens that others sign: the same for each method, with types of its own.

The GitHub action of existing users sends its login as a form (github.com/Infisical/secrets-action, ``src/infisical.js``),
all other clients send JSON.
"""

from collections.abc import Callable

from keyturn.accounts.service import Access
from keyturn.api.people.schemas import Token
from keyturn.api.people.views import MACHINE_SIGN_INS, SIGN_IN_REFUSED, origin_of, token_answer
from keyturn.api.token_auths.methods import ALL, MethodApi
from keyturn.api.token_auths.schemas import TokenAuthBody, TokenLogin
from keyturn.kit.actor import Actor
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Caller, Operation, Routes, delete, get, group, patch, post
from keyturn.web.schema.wire import ApiModel


def login_router(access: Access, limiter: Limiter, identities: Limiter) -> Routes:
    """Routes that need no token. ``limiter`` counts failures by address, ``identities`` the sign-ins of each identity."""
    return group("Sign-in", *(_login(access, limiter, identities, api) for api in ALL))


def _login(access: Access, limiter: Limiter, identities: Limiter, api: MethodApi) -> Operation:
    @post(f"{api.path}/login", public=True, forms=True, also=SIGN_IN_REFUSED)
    @_described(f"login_by_{api.name}", api.login_help)
    def sign_in(caller: Caller, data: TokenLogin) -> Token:
        key = f"{caller.ip} {MACHINE_SIGN_INS}"
        # Taken before the token is looked at, which may ask an issuer, and given back when it was right.
        limiter.take(key)
        issued = access.token_machines.login(
            api.method,
            data.identity_id,
            data.jwt,
            origin_of(caller),
            lambda: identities.take(f"{data.identity_id} {MACHINE_SIGN_INS}"),
        )
        limiter.give_back(key)
        limiter.trust(key)
        return token_answer(issued)

    return sign_in


def method_routers(access: Access) -> list[Routes]:
    """Return for each method the routes by which it is set up for an identity."""
    return [_method_router(access, api) for api in ALL]


def _method_router(access: Access, api: MethodApi) -> Routes:
    auths, method, one = access.token_auths, api.method, f"{api.path}/identities/{{identity_id}}"

    @post(one, types={"data": api.attach, "return": api.answer})
    @_described(f"attach_{api.name}", api.attach_help)
    def attach(actor: Actor, identity_id: str, data: TokenAuthBody) -> ApiModel:
        return api.show(auths.attach(actor, identity_id, method, data.command()))

    @get(one, types={"return": api.answer})
    @_described(f"get_{api.name}", api.get_help)
    def show(actor: Actor, identity_id: str) -> ApiModel:
        return api.show(auths.get(actor, identity_id, method))

    @patch(one, types={"data": api.update, "return": api.answer})
    @_described(f"update_{api.name}", api.update_help)
    def update(actor: Actor, identity_id: str, data: TokenAuthBody) -> ApiModel:
        return api.show(auths.update(actor, identity_id, method, data.command()))

    @delete(one, types={"return": api.answer})
    @_described(f"detach_{api.name}", f"Take {api.binding.title} away: the access tokens got by it end.")
    def detach(actor: Actor, identity_id: str) -> ApiModel:
        return api.show(auths.detach(actor, identity_id, method))

    return group(api.binding.title, attach, show, update, detach)


def _described(name: str, text: str) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Give a handler the name and the text by which the API's reference shows it."""

    def around(function: Callable[..., object]) -> Callable[..., object]:
        function.__name__, function.__doc__ = name, text
        return function

    return around
