"""JSON of signing in, users, identities and Universal Auth."""

from typing import Literal

from msgspec import field

from keyturn.api.fields import Email, Name, OneTimeCode, Secret, SetupCode, Text
from keyturn.kit.actor import Role
from keyturn.web.schema.validate import NonEmpty
from keyturn.web.schema.wire import Timestamp, Wire

# --- signing in -------------------------------------------------------------------------------------------------------


class MachineLogin(Wire):
    client_id: NonEmpty
    client_secret: Secret


class PersonLogin(Wire):
    email: Email
    password: Secret
    code: OneTimeCode | None = None
    """The six digits of the authenticator app, or a recovery code, for users with two-step sign-in."""
    new_password: Secret | None = None
    """The user's own password, in the place of a first one that somebody else gave."""


class TokenBody(Wire):
    access_token: Secret


class Token(Wire):
    access_token: str
    expires_in: int
    access_token_max_ttl: int = field(name="accessTokenMaxTTL")
    token_type: Literal["Bearer"] = "Bearer"


class Message(Wire):
    message: str


# --- the first start --------------------------------------------------------------------------------------------------


class Bootstrap(Wire):
    email: Email
    password: Secret
    organization: Name
    setup_code: SetupCode | None = None
    """What the server printed when it started. The header `X-Keyturn-Setup-Code` may hold it instead."""


class Credentials(Wire):
    token: str


class BootstrapIdentity(Wire):
    id: str
    name: str
    credentials: Credentials


class OrganizationShown(Wire):
    id: str
    name: str
    slug: str


class BootstrapUser(Wire):
    id: str
    email: str
    first_name: str
    last_name: str
    username: str
    super_admin: bool


class Bootstrapped(Wire):
    message: str
    identity: BootstrapIdentity
    organization: OrganizationShown
    user: BootstrapUser


# --- users ------------------------------------------------------------------------------------------------------------


class CreateUser(Wire):
    email: Email
    password: Secret
    role: Role = Role.MEMBER
    first_name: Text = ""
    last_name: Text = ""


class ChangeRole(Wire):
    role: Role


class ChangePassword(Wire):
    old_password: Secret
    new_password: Secret


class UserShown(Wire):
    id: str
    email: str
    username: str
    first_name: str
    last_name: str
    role: Role
    super_admin: bool
    org_id: str
    created_at: Timestamp
    updated_at: Timestamp


class UserAnswer(Wire):
    user: UserShown


class UserList(Wire):
    users: list[UserShown]
