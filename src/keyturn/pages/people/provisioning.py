"""The page of tokens with which identity providers provision users and groups."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from msgspec import Meta

from keyturn.api.fields import Name
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.provisioning.scim.domain import ScimToken
from keyturn.provisioning.scim.tokens import ScimTokens
from keyturn.web.pages import FormState, Page, PageResponse, Pages, Redirect, get, group, post
from keyturn.web.schema.wire import ApiModel

HERE = "/organization/provisioning"


@dataclass(frozen=True)
class ProvisioningPage(Page):
    template: ClassVar[str] = "people/provisioning.html"
    section: ClassVar[str] = "members"

    tokens: Sequence[ScimToken]
    address: str
    now: datetime
    form_state: FormState


@dataclass(frozen=True)
class ScimTokenPage(Page):
    """A token in the clear: shown by the request that made it, and never again."""

    template: ClassVar[str] = "people/provisioning_token.html"
    section: ClassVar[str] = "members"

    token: ScimToken
    secret: str
    address: str


class NewTokenForm(ApiModel, rename=None):
    """``days`` 0: without an end."""

    name: Name
    days: Annotated[int, Meta(ge=0, le=3650)]


def router(tokens: ScimTokens, address: str, clock: Clock) -> Pages:
    """Return the page. ``address`` is that of the service, as a client is given it."""

    @get(HERE)
    def show_tokens(actor: Actor, form_state: FormState) -> ProvisioningPage:
        return ProvisioningPage(tokens.list(actor), address, clock.now(), form_state)

    @post(HERE, form_page=show_tokens)
    def create_token(actor: Actor, form: NewTokenForm) -> PageResponse:
        token, secret = tokens.create(actor, form.name, timedelta(days=form.days) if form.days else None)
        return PageResponse(ScimTokenPage(token, secret.reveal(), address))

    @post(f"{HERE}/{{token_id}}/revoke", form_page=show_tokens)
    def revoke_token(actor: Actor, token_id: str) -> Redirect:
        return Redirect(HERE, toast=f"The token '{tokens.revoke(actor, token_id).name}' was revoked.")

    return group(show_tokens, create_token, revoke_token)
