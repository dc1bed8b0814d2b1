"""JSON of signing in by browser: what is asked."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, field

from keyturn.api.connections.schemas import Description
from keyturn.api.owners.schemas import FirstOwner
from keyturn.connections.flow import SignInRequest, UnverifiedCallback
from keyturn.kit.secret import Plaintext
from keyturn.web.schema.validate import Fault, NonEmpty, Slug, Uuid
from keyturn.web.schema.wire import ApiModel


class StartSignIn(ApiModel):
    """For a new connection ``name`` and ``tenantId`` are needed; with ``connectionId`` that connection is connected again."""

    tenant_id: str | None = None
    name: Annotated[Slug | None, Meta(examples=["contoso"])] = None
    description: Description | None = None
    project_id: Uuid | None = None
    connection_id: Uuid | None = None
    return_to: NonEmpty | None = None
    owner: FirstOwner | None = None

    def check(self) -> Iterator[Fault]:
        if self.connection_id is None and self.name is None:
            yield Fault("Required", path=("name",))
        if self.connection_id is None and self.tenant_id is None:
            yield Fault("Required", path=("tenantId",))

    def command(self) -> SignInRequest:
        return SignInRequest(
            self.tenant_id or "",
            self.name,
            self.description or None,
            self.project_id,
            self.connection_id,
            self.return_to,
            self.owner.user_id if self.owner else None,
            self.owner.contact if self.owner else None,
        )


class FinishSignIn(ApiModel):
    """The query of the callback, as it came: ``state``, and ``code`` or ``error`` with its companions."""

    state: Plaintext
    code: Plaintext | None = None
    error: str | None = None
    error_subcode: str | None = field(default=None, name="error_subcode")
    error_description: str | None = field(default=None, name="error_description")

    def command(self) -> UnverifiedCallback:
        error = {
            "error": self.error,
            "error_subcode": self.error_subcode,
            "error_description": self.error_description,
        }
        return UnverifiedCallback.of(self.state, self.code, error)
