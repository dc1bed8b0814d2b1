"""Routes of signing in, of the first start, and of users."""

from collections.abc import Sequence

from keyturn.accounts.service import Access
from keyturn.alarms.leavers import Held, Leavers, Leaving
from keyturn.api.people.schemas import (
    Bootstrap,
    BootstrapIdentity,
    Bootstrapped,
    BootstrapUser,
    ChangePassword,
    ChangeRole,
    CreateUser,
    Credentials,
    HeldShown,
    Leave,
    LeaverAnswer,
    MachineLogin,
    Message,
    OrganizationShown,
    OwnedAnswer,
    PersonLogin,
    Token,
    TokenBody,
    UserAnswer,
    UserList,
)
from keyturn.api.people.views import MACHINE_SIGN_INS, SIGN_IN_REFUSED, origin_of, token_answer, user_shown
from keyturn.kit.actor import Actor
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Caller, Routes, delete, get, group, patch, post
from keyturn.web.schema.paging import Window

TOKEN_REFUSED = {401: "A token that is unknown or revoked", 403: "A malformed or expired token"}


def login_router(access: Access, limiter: Limiter, identities: Limiter | None = None) -> Routes:
    """Routes that need no token. ``limiter`` counts failures by address, ``identities`` the sign-ins of each identity."""

    @post("/api/v1/auth/universal-auth/login", public=True, forms=True, also=SIGN_IN_REFUSED)
    def login_machine(caller: Caller, data: MachineLogin) -> Token:
        """Exchange a machine identity's client id and secret for an access token."""

        def admit(*, proven: bool) -> None:
            if not proven:
                limiter.take(f"{caller.ip} {MACHINE_SIGN_INS}")
            elif identities is not None:
                identities.take(f"{data.client_id} {MACHINE_SIGN_INS}")

        return token_answer(access.machines.login_machine(data.client_id, data.client_secret, origin_of(caller), admit))

    @post("/api/v1/auth/login", public=True, also=SIGN_IN_REFUSED)
    def login_person(caller: Caller, data: PersonLogin) -> Token:
        """Exchange e-mail address and password for an access token; users with two-step sign-in send a code as well.

        A first password, and one that the operator set, has to be changed: send the new one as `newPassword`.
        """
        limiter.take(f"{caller.ip} login")
        issued = access.signin.login_person(data.email, data.password, origin_of(caller), data.code, data.new_password)
        limiter.give_back(f"{caller.ip} login")
        limiter.trust(f"{caller.ip} login")
        return token_answer(issued)

    @post("/api/v1/auth/token/renew", public=True, also=TOKEN_REFUSED)
    def renew_token(caller: Caller, data: TokenBody) -> Token:
        """Let an access token live longer. The token stays the same."""
        return token_answer(access.tokens.renew(data.access_token, origin_of(caller)))

    @post("/api/v1/auth/token/revoke", public=True, also=TOKEN_REFUSED)
    def revoke_token(caller: Caller, data: TokenBody) -> Message:
        """End an access token. Ending it again changes nothing."""
        access.tokens.revoke(data.access_token, origin_of(caller))
        return Message("The access token was revoked.")

    @post(
        "/api/v1/admin/bootstrap",
        public=True,
        guarded=True,
        also={
            401: "The set-up code is missing, wrong or spent",
            403: "The request comes from another site, or to a name that is not this server's",
            415: "The body does not say that it is JSON",
        },
    )
    def bootstrap(caller: Caller, data: Bootstrap) -> Bootstrapped:
        """Set this server up: first organization, first admin, and an admin token. Works once.

        Needs the set-up code that the server printed when it started, as `setupCode` or in the header
        `X-Keyturn-Setup-Code`.
        """
        limiter.take(f"{caller.ip} bootstrap")
        code = data.setup_code or caller.setup_code
        first_start = access.set_up(code, data.email, data.password, data.organization)
        user, org = first_start.user, first_start.organization
        return Bootstrapped(
            "The server is set up. Keep the token: it is shown only now.",
            BootstrapIdentity(
                first_start.identity.id, first_start.identity.name, Credentials(first_start.token.reveal())
            ),
            OrganizationShown(org.id, org.name, org.slug),
            BootstrapUser(user.id, user.email, user.first_name, user.last_name, user.email, user.super_admin),
        )

    return group("Sign-in", login_machine, login_person, renew_token, revoke_token, bootstrap)


def users_router(access: Access, limiter: Limiter, leavers: Leavers) -> Routes:
    """Routes of people."""

    @get("/api/v1/users", compressed=True)
    def list_users(actor: Actor, query: Window) -> UserList:
        """List the users of the organization: all of them, or ``limit`` from ``offset`` on."""
        return UserList([user_shown(user) for user in query.part_of(access.users.list(actor))])

    @post("/api/v1/users")
    def create_user(actor: Actor, data: CreateUser) -> UserAnswer:
        """Add a user with a first password, which the user has to change at the first sign-in."""
        return UserAnswer(user_shown(access.users.create(actor, data.command())))

    @get("/api/v1/users/me")
    def get_me(actor: Actor) -> UserAnswer:
        """Show the signed-in user."""
        return UserAnswer(user_shown(access.users.me(actor)))

    @post("/api/v1/users/me/password")
    def change_password(actor: Actor, caller: Caller, data: ChangePassword) -> Message:
        """Change the own password. All access tokens of the user end, also the one in use."""
        limiter.take(f"{caller.ip} password")
        access.users.change_password(actor, data.old_password, data.new_password)
        return Message("The password was changed. Sign in again.")

    @patch("/api/v1/users/{user_id}")
    def change_role(actor: Actor, user_id: str, data: ChangeRole) -> UserAnswer:
        """Give a user another role in the organization."""
        return UserAnswer(user_shown(access.users.change_role(actor, user_id, data.role)))

    @get("/api/v1/users/{user_id}/owned")
    def list_owned(actor: Actor, user_id: str) -> OwnedAnswer:
        """Show what a user answers for, and which app connections work by what they granted with a browser."""
        leaving = leavers.of(actor, user_id)
        return OwnedAnswer(_held(leaving.owned), _held(leaving.signed_in))

    @post("/api/v1/users/{user_id}/disable")
    def disable_user(actor: Actor, user_id: str, data: Leave) -> LeaverAnswer:
        """End all that a user can do: sessions and access tokens end at once, and no sign-in succeeds. Safe to repeat.

        `newOwnerId` answers from then on for what the user answered for. Memberships stay, for the case that the user is
        enabled again.
        """
        return _left(leavers.disable(actor, user_id, data.new_owner_id))

    @post("/api/v1/users/{user_id}/enable")
    def enable_user(actor: Actor, user_id: str) -> UserAnswer:
        """Let a disabled user sign in again. Safe to repeat."""
        return UserAnswer(user_shown(leavers.enable(actor, user_id)))

    @delete("/api/v1/users/{user_id}")
    def delete_user(actor: Actor, user_id: str, query: Leave) -> LeaverAnswer:
        """Remove a user, with tokens and memberships. `newOwnerId` answers for what the user answered for."""
        return _left(leavers.delete(actor, user_id, query.new_owner_id))

    return group(
        "Users",
        list_users,
        create_user,
        get_me,
        change_password,
        change_role,
        list_owned,
        disable_user,
        enable_user,
        delete_user,
    )


def _left(leaving: Leaving) -> LeaverAnswer:
    return LeaverAnswer(user_shown(leaving.user), _held(leaving.owned), _held(leaving.signed_in))


def _held(things: Sequence[Held]) -> list[HeldShown]:
    return [HeldShown(one.kind.value, one.id, one.name, one.project_id) for one in things]
