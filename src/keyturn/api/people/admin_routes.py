"""Routes of what an admin does for other people, and of the one-time links that come of it."""

from keyturn.accounts.service import Access
from keyturn.api.people.admin_schemas import (
    Invite,
    LinkAnswer,
    PersonAnswer,
    RedeemLink,
    SessionList,
    SessionShown,
    SignInRules,
    TemporaryPassword,
)
from keyturn.api.people.schemas import Message, UserAnswer
from keyturn.api.people.views import origin_of, user_shown
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso
from keyturn.people.administration import PersonState
from keyturn.people.domain import Session
from keyturn.provisioning.invitations import Invitations, SentLink
from keyturn.web.ratelimit import Limiter
from keyturn.web.routes import Caller, Routes, delete, get, group, post, put

_ONE = "/api/v1/users/{user_id}"


def router(access: Access, invitations: Invitations, limiter: Limiter) -> Routes:
    """Return the routes. ``limiter`` counts the tries of one-time links by address."""
    return (*_invitations(invitations), *_helping(access, invitations), *_rules(access), *_links(access, limiter))


def _invitations(invitations: Invitations) -> Routes:
    @post("/api/v1/users/invitations")
    def invite_user(actor: Actor, data: Invite) -> LinkAnswer:
        """Add a user who sets their own password with a one-time link, and works in these projects from then on.

        The link is answered only now, and sent by e-mail where this server has a mail server in its settings.
        """
        return _link(invitations.invite(actor, data.command()))

    @post(f"{_ONE}/invitation")
    def renew_invitation(actor: Actor, user_id: str) -> LinkAnswer:
        """Make another link for a user who has not accepted yet. The one before ends."""
        return _link(invitations.renew(actor, user_id))

    @delete(f"{_ONE}/invitation")
    def withdraw_invitation(actor: Actor, user_id: str) -> UserAnswer:
        """End an invitation that was not accepted, and remove its user."""
        return UserAnswer(user_shown(invitations.withdraw(actor, user_id)))

    return group("Users", invite_user, renew_invitation, withdraw_invitation)


def _helping(access: Access, invitations: Invitations) -> Routes:
    administration = access.administration

    @get(_ONE)
    def get_user(actor: Actor, user_id: str) -> PersonAnswer:
        """Show a user: whether they can sign in, and how."""
        return _person(administration.person(actor, user_id))

    @post(f"{_ONE}/unlock")
    def unlock_user(actor: Actor, user_id: str) -> UserAnswer:
        """End the sign-in lock that too many failures have caused. Safe to repeat."""
        return UserAnswer(user_shown(administration.unlock(actor, user_id)))

    @post(f"{_ONE}/password-link")
    def make_password_link(actor: Actor, user_id: str) -> LinkAnswer:
        """Make a one-time link with which a user sets a new password. It works for a day; the old password until then."""
        return _link(invitations.send_password_link(actor, user_id))

    @post(f"{_ONE}/password")
    def set_temporary_password(actor: Actor, user_id: str, data: TemporaryPassword) -> UserAnswer:
        """Give a user a password that has to be changed at the next sign-in. Sessions, access tokens and the lock end."""
        return UserAnswer(user_shown(administration.set_temporary_password(actor, user_id, data.password)))

    @delete(f"{_ONE}/second-factor")
    def remove_second_factor(actor: Actor, user_id: str) -> UserAnswer:
        """Turn off the two-step sign-in of a user who has lost the phone. Sessions and access tokens of the user end."""
        return UserAnswer(user_shown(administration.remove_second_factor(actor, user_id)))

    @get(f"{_ONE}/sessions")
    def list_sessions(actor: Actor, user_id: str) -> SessionList:
        """List the browsers in which a user is signed in, the last used first."""
        return SessionList([_session(each) for each in administration.sessions(actor, user_id)])

    @delete(f"{_ONE}/sessions")
    def end_sessions(actor: Actor, user_id: str) -> UserAnswer:
        """End all sessions and all access tokens of a user. Safe to repeat."""
        return UserAnswer(user_shown(administration.end_sessions(actor, user_id)))

    @delete(f"{_ONE}/sessions/{{session_id}}")
    def end_session(actor: Actor, user_id: str, session_id: str) -> UserAnswer:
        """End one session of a user."""
        return UserAnswer(user_shown(administration.end_session(actor, user_id, session_id)))

    return group(
        "Users",
        get_user,
        unlock_user,
        make_password_link,
        set_temporary_password,
        remove_second_factor,
        list_sessions,
        end_sessions,
        end_session,
    )


def _rules(access: Access) -> Routes:
    policy = access.second_factor_policy

    @get("/api/v1/organization/sign-in-rules")
    def get_sign_in_rules(actor: Actor) -> SignInRules:
        """Say what is asked of everybody who signs in with a password."""
        return SignInRules(policy.required(actor))

    @put("/api/v1/organization/sign-in-rules")
    def change_sign_in_rules(actor: Actor, data: SignInRules) -> SignInRules:
        """Let everybody need a second factor, or nobody. Who has none sets one up right after the next sign-in.

        Machine identities, and access tokens that are there, are not concerned; nor are people whom Entra ID vouches for.
        """
        policy.change(actor, required=data.second_factor_required)
        return SignInRules(data.second_factor_required)

    return group("Users", get_sign_in_rules, change_sign_in_rules)


def _links(access: Access, limiter: Limiter) -> Routes:
    @post(
        "/api/v1/auth/password-links/redeem",
        public=True,
        guarded=True,
        also={
            403: "The user is disabled, or the request comes from another site",
            404: "There is no such link",
            415: "The body does not say that it is JSON",
        },
    )
    def redeem_link(caller: Caller, data: RedeemLink) -> Message:
        """Set a password with a one-time link: of an invitation, or of an admin's help. Then sign in with it."""
        limiter.take(f"{caller.ip} login")
        access.links.redeem(data.token, data.password, origin_of(caller))
        limiter.give_back(f"{caller.ip} login")
        return Message("The password was set. Sign in with it.")

    return group("Sign-in", redeem_link)


def _link(sent: SentLink) -> LinkAnswer:
    return LinkAnswer(
        user_shown(sent.user),
        sent.address.reveal(),
        iso(sent.link.expires_at),
        mailed=not sent.not_mailed,
        not_mailed_because=sent.not_mailed or None,
    )


def _person(state: PersonState) -> PersonAnswer:
    return PersonAnswer(
        user_shown(state.user),
        state=state.word,
        locked_until=iso(state.locked_until) if state.locked_until else None,
        second_factor=state.has_second_factor,
        has_password=state.user.has_password,
        through_entra=state.vouched,
        provisioned=state.provisioned,
        link_expires_at=iso(state.link.expires_at) if state.link else None,
    )


def _session(session: Session) -> SessionShown:
    return SessionShown(session.id, session.ip, session.user_agent, iso(session.created_at), iso(session.seen_at))
