"""JSON of signing in, users, identities and Universal Auth."""

from typing import Literal

from msgspec import field

from keyturn.api.fields import Email, Name, OneTimeCode, Secret, SetupCode, Text
from keyturn.kit.actor import Role
from keyturn.people.domain import NewUser
from keyturn.web.schema.validate import NonEmpty, Uuid
from keyturn.web.schema.wire import ApiModel, Timestamp

# --- signing in -------------------------------------------------------------------------------------------------------


class MachineLogin(ApiModel):
    client_id: NonEmpty
    client_secret: Secret


class PersonLogin(ApiModel):
    email: Email
    password: Secret
    code: OneTimeCode | None = None
    """The six digits of the authenticator app, or a recovery code, for users with two-step sign-in."""
    new_password: Secret | None = None
    """The user's own password, in the place of a first one that somebody else gave."""


class TokenBody(ApiModel):
    access_token: Secret


class Token(ApiModel):
    access_token: str
    expires_in: int
    access_token_max_ttl: int = field(name="accessTokenMaxTTL")
    token_type: Literal["Bearer"] = "Bearer"


class Message(ApiModel):
    message: str


# --- the first start --------------------------------------------------------------------------------------------------


class Bootstrap(ApiModel):
    email: Email
    password: Secret
    organization: Name
    setup_code: SetupCode | None = None
    """What the server printed when it started. The header `X-Keyturn-Setup-Code` may hold it instead."""


class Credentials(ApiModel):
    token: str


class BootstrapIdentity(ApiModel):
    id: str
    name: str
    credentials: Credentials


class OrganizationShown(ApiModel):
    id: str
    name: str
    slug: str


class BootstrapUser(ApiModel):
    id: str
    email: str
    first_name: str
    last_name: str
    username: str
    super_admin: bool


class Bootstrapped(ApiModel):
    message: str
    identity: BootstrapIdentity
    organization: OrganizationShown
    user: BootstrapUser


# --- users ------------------------------------------------------------------------------------------------------------


class CreateUser(ApiModel):
    email: Email
    password: Secret
    role: Role = Role.MEMBER
    first_name: Text = ""
    last_name: Text = ""

    def command(self) -> NewUser:
        return NewUser(self.email, self.password, self.role, self.first_name, self.last_name)


class ChangeRole(ApiModel):
    role: Role


class Leave(ApiModel):
    new_owner_id: Uuid | None = None
    """Who answers from then on for what the user answered for; null: nobody, so administrators are told."""


class ChangePassword(ApiModel):
    old_password: Secret
    new_password: Secret


class UserShown(ApiModel):
    id: str
    email: str
    username: str
    first_name: str
    last_name: str
    role: Role
    super_admin: bool
    org_id: str
    disabled_at: Timestamp | None
    """Since when the user can not sign in; null: they can."""
    last_signed_in_at: Timestamp | None
    """When the user signed in last, as far as it is known."""
    created_at: Timestamp
    updated_at: Timestamp


class UserAnswer(ApiModel):
    user: UserShown


class HeldShown(ApiModel):
    type: Literal["app-connection", "secret-rotation"]
    id: str
    name: str
    project_id: str | None


class LeaverAnswer(ApiModel):
    user: UserShown
    handed_over: list[HeldShown]
    """What the new owner answers for."""
    signed_in: list[HeldShown]
    """App connections that work by what the user granted with a browser: sign in again as somebody who stays."""


class OwnedAnswer(ApiModel):
    owned: list[HeldShown]
    signed_in: list[HeldShown]


class UserList(ApiModel):
    users: list[UserShown]
