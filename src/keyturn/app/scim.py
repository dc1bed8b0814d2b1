"""Provisioning of users and groups by SCIM, put together."""

import secrets
from collections.abc import Sequence

from keyturn.accounts.service import Access
from keyturn.api.scim import routes
from keyturn.app.alarms import site
from keyturn.app.core import Core
from keyturn.errors import Unauthenticated
from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.provisioning.scim.groups import ScimGroups
from keyturn.provisioning.scim.tokens import ScimTokens
from keyturn.provisioning.scim.users import ScimUsers
from keyturn.web.edge import Endpoint
from keyturn.web.ratelimit import Limiter

_COUNTED_AS = "scim"


def scim_tokens(core: Core) -> ScimTokens:
    return ScimTokens(core.database, core.clock, core.ids, secrets.token_bytes)


def scim_address(core: Core) -> str:
    return f"{site(core).rstrip('/')}{routes.ROOT}"


def scim_routes(core: Core, access: Access, limiter: Limiter, per_client: Limiter) -> Sequence[Endpoint]:
    """Return the routes. ``limiter`` counts wrong tokens by address, ``per_client`` the requests of each token."""
    base, tokens = scim_address(core), scim_tokens(core)

    def authenticate(token: Plaintext | None, ip: str) -> Actor:
        try:
            client = tokens.authenticate(token)
        except Unauthenticated:
            limiter.take(f"{ip} {_COUNTED_AS}")
            raise
        per_client.take(f"{client.via} {_COUNTED_AS}")
        return client

    users = ScimUsers(core.database, core.clock, core.ids, access.users, base)
    return routes.router(users, ScimGroups(core.database, core.clock, core.ids, base), authenticate)
