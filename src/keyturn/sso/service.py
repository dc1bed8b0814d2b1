"""Signing in through Entra ID: begin sends the browser away, finish takes it back and opens a session.

What protects it: the answer is worth something in the browser alone that asked, once, for ten minutes; PKCE binds the code to it
and the nonce the ID token, which must be signed by the tenant, for this application, about one of its people. Then the groups
of the person decide, each time anew, whether they come in and with which roles.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Any

from keyturn.audit import sso_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.events import USER_CREATED
from keyturn.audit.record import record
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, KeyturnError, NeedsAction, Refused, Unauthenticated
from keyturn.identities.bindings import TokenRefusal
from keyturn.identities.issuer_keys import IssuerKeys
from keyturn.identities.signed_tokens import Key, read, read_keys, verify_token
from keyturn.kit.actor import Actor, Role, platform
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.lockout.domain import Attempts
from keyturn.organizations import store as organization_store
from keyturn.organizations.quotas import require_room
from keyturn.people import external_store, leaving
from keyturn.people import store as people_store
from keyturn.people.domain import PROVISIONING, ExternalIdentity, User, person_actor
from keyturn.people.sessions import BrowserInfo, Sessions
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import TransportFailed
from keyturn.ports.people_sign_in import PeopleIssuer, Redeemed
from keyturn.ports.sealing import Digests
from keyturn.settings.model import USUAL_QUOTAS, Quotas
from keyturn.sso import rights, store
from keyturn.sso.claims import Expected, Person, person_of
from keyturn.sso.domain import Entitlement, entitlement
from keyturn.sso.flow import LIFE, Callback, Flow, require_current, require_own, unpack_flow
from keyturn.tokens.opaque import RandomBytes

_PLACE = SealContext("sign_ins", "browser", "flow")
_REMEMBERED = 2 * LIFE


@dataclass(frozen=True)
class Rules:
    """Who of the tenant may come in: members of one of the ``groups`` (none: all). ``default_role``: whom no group gives one."""

    groups: frozenset[str] = frozenset()
    default_role: Role | None = None


@dataclass(frozen=True)
class Departure:
    """Where to send the browser, and what it brings back as a cookie that lasts for :data:`flow.LIFE`."""

    url: str
    cookie: str = field(repr=False)


@dataclass(frozen=True)
class Arrival:
    """A session, given once, and where its person wanted to go."""

    session: Plaintext
    next: str


class EntraSignIn:
    """The use case. Safe to share between threads."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        issuer: PeopleIssuer,
        keys: IssuerKeys,
        sessions: Sessions,
        digests: Digests,
        rules: Rules,
        quotas: Quotas = USUAL_QUOTAS,
        random: RandomBytes = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._issuer = issuer
        self._keys = keys
        self._sessions = sessions
        self._digests = digests
        self._rules = rules
        self._quotas = quotas
        self._random = random

    def begin(self, next_page: str, *, choose: bool = False) -> Departure:
        """Begin a sign-in. With ``choose`` the person picks an account at Entra ID. Nothing is written."""
        flow = Flow(self._random(32).hex(), self._clock.now(), next_page)
        url = self._issuer.authorize_url(state=flow.state, nonce=flow.nonce, challenge=flow.challenge, choose=choose)
        body = flow.packed()
        return Departure(url, f"{body}~{self._digests.digest(Plaintext(body), _PLACE)}")

    def finish(self, callback: Callback, cookie: str | None, browser: BrowserInfo, before: Plaintext | None) -> Arrival:
        """Take the browser back; the session that it had ``before`` ends.

        Raises Unauthenticated for an answer that is not this browser's, or over; Forbidden for somebody who may not come in;
        Upstream for what Entra ID refuses. The audit trail has each refusal of a sign-in that this browser began; what strangers
        send to the address it has not, so that they cannot fill it.
        """
        person: Person | None = None
        flow = require_own(self._flow(cookie), callback)
        try:
            require_current(flow, callback, self._issuer.issuers(), self._clock.now())
            redeemed = self._redeem(flow, callback)
            person = self._person(redeemed, flow)
            person = replace(person, groups=self._groups(person, redeemed))
            session = self._let_in(flow, person, browser)
        except KeyturnError as error:
            self._record_refusal(error, person, browser)
            raise
        self._sessions.forget(before)
        return Arrival(session, flow.next)

    # --- whose answer it is -------------------------------------------------------------------------------------------

    def _flow(self, cookie: str | None) -> Flow | None:
        body, _, digest = (cookie or "").partition("~")
        try:
            genuine = self._digests.matches(digest, Plaintext(body), _PLACE)
        except KeyturnError:  # of a key that is gone, or nothing of ours
            return None
        return unpack_flow(body) if genuine else None

    def _redeem(self, flow: Flow, callback: Callback) -> Redeemed:
        if callback.said.get("error"):
            self._issuer.refuse(callback.said)
        if callback.code is None:
            raise Unauthenticated(
                "The browser was sent back without a code.",
                code="sso.code_missing",
                fix="Sign in again. If it happens again, check what stands between the browser and this server.",
            )
        return self._issuer.redeem(callback.code, flow.verifier)

    def _person(self, redeemed: Redeemed, flow: Flow) -> Person:
        issuer = self._issuer
        expected = Expected(issuer.issuers(), issuer.tenant_id, issuer.client_id, flow.nonce)
        try:
            return person_of(self._claims(redeemed.id_token, expected), expected)
        except TokenRefusal as error:
            refusal = error
        # Raised outside the handler: a traceback into it would lead to the token.
        raise _token_refused(refusal)

    def _claims(self, token: Plaintext, expected: Expected) -> Mapping[str, Any]:
        unproven = read(token)
        if unproven.issuer not in expected.issuers:  # before anybody is asked for keys
            raise TokenRefusal("issuer")
        key = self._keys.find(f"entra {expected.tenant_id}", unproven, self._fetch)
        return verify_token(unproven, key, self._clock.now())

    def _fetch(self) -> Sequence[Key]:
        try:
            response = self._issuer.signing_keys()
        except TransportFailed as error:
            raise TokenRefusal("keys", error) from None
        if response.status != 200:
            raise TokenRefusal("keys", f"Entra ID answered with status {response.status}")
        return read_keys(response.body)

    def _groups(self, person: Person, redeemed: Redeemed) -> frozenset[str]:
        """Return the groups of the person: those of the token, or of Graph where it has none or not all."""
        if person.groups is not None:
            return person.groups
        with self._database.read() as tx:
            needed = self._rules.groups or any(
                store.of_organization(tx, each.id) for each in organization_store.organizations_of_server(tx)
            )
        if not needed:
            return frozenset()
        if redeemed.token is None:
            raise _groups_unknown("Entra ID gave no token for Graph.")
        try:
            return self._issuer.groups(redeemed.token)
        except NeedsAction as error:
            raise _groups_unknown(error.message) from None

    # --- whether they come in -----------------------------------------------------------------------------------------

    def _let_in(self, flow: Flow, person: Person, browser: BrowserInfo) -> Plaintext:
        now = self._clock.now()
        with self._database.write() as tx:
            if not store.note_used(tx, flow.digest, now, now - _REMEMBERED):
                raise Unauthenticated("This sign-in was completed before.", code="sso.used", fix="Sign in again.")
            outcome = self._judge(tx, person, now)
            if isinstance(outcome, User):
                actor = replace(person_actor(outcome), request_id=browser.origin.request_id)
                facts = {"tenantId": person.tenant_id, "objectId": person.object_id, "groups": len(person.groups or ())}
                people_store.note_sign_in(tx, outcome.id, now)
                record(tx, actor, events.PERSON_VOUCHED, leaving.subject(outcome), now, ip=browser.origin.ip, **facts)
                return self._sessions.open_vouched(tx, outcome, browser)
        # Raised only now: what somebody lost must stay lost.
        raise outcome

    def _judge(self, tx: Tx, person: Person, now: datetime) -> User | KeyturnError:
        """Return the user, with the roles that the groups of the person give now; or why they do not come in."""
        organization = organization_store.organizations_of_server(tx)[0]
        # Before that of the user, as all do who manage users: else two of them wait for each other.
        organization_store.organization(tx, organization.id, lock=True)
        linked, user = self._user_of(tx, person)
        groups, default = person.groups or frozenset(), self._rules.default_role
        allowed = not self._rules.groups or bool(self._rules.groups & groups)
        rows = store.of_organization(tx, organization.id)
        given = entitlement(rows, groups if allowed else frozenset(), default if allowed else None)
        if user is not None and not linked:
            if not self._may_become(tx, person, user, given):
                return _link_needed(person, user)
            self._link(tx, user.id, person, now)
        if user is not None and (disabled := leaving.refusal(user)):
            return disabled
        known = user is not None and (linked or user.role is not Role.NO_ACCESS)
        role = given.role_for(user.role if user and known else None) if allowed else None
        if role is None:
            if user is not None:
                self._take_all(tx, user, given, now)
            return _not_in_group(self._rules) if not allowed else _no_role(person)
        outcome = user or self._new(tx, person, organization.id, role, now)
        if isinstance(outcome, User):
            outcome = rights.change_role(tx, outcome, role, now)
            rights.follow_groups(tx, self._ids, outcome, given.projects, now)
        return outcome

    @staticmethod
    def _user_of(tx: Tx, person: Person) -> tuple[bool, User | None]:
        """Return the user who is linked to the person, or else who was provisioned as them; with it, whether linked."""
        user_id = external_store.user_id_of(tx, person.tenant_id, person.object_id)
        linked = user_id is not None
        user_id = user_id or external_store.user_id_of(tx, PROVISIONING, person.object_id)
        return linked, people_store.user_by_id(tx, user_id, lock=True) if user_id else None

    @staticmethod
    def _may_become(tx: Tx, person: Person, user: User, given: Entitlement) -> bool:
        """Say whether provisioning alone makes the person this user: whoever has its token is no administrator by that.

        Not where somebody of the tenant signs in as the user already, nor an administrator whose role is not that of groups.
        """
        if any(each.issuer == person.tenant_id for each in external_store.of_user(tx, user.id)):
            return False
        return user.role is not Role.ADMIN or (given.decides and not user.password_hash)

    def _new(self, tx: Tx, person: Person, org_id: str, role: Role, now: datetime) -> User | KeyturnError:
        """Make a user of somebody who comes for the first time, who has no password. An address in use is nobody's proof."""
        if people_store.user_by_email(tx, person.email) is not None:
            return _email_taken(person)
        require_room(people_store.count_users(tx, org_id), self._quotas.users, "users", "KEYTURN_MAX_USERS")
        user = User(
            *(self._ids.new(), org_id, person.email, person.first_name, person.last_name, ""),
            *(role, False, Attempts(), now, now),
        )
        people_store.add_user(tx, user)
        self._link(tx, user.id, person, now)
        facts = {"email": user.email, "role": role.value}
        record(tx, platform(org_id), USER_CREATED, leaving.subject(user), now, **facts)
        return user

    def _link(self, tx: Tx, user_id: str, person: Person, now: datetime) -> None:
        external_store.link(tx, ExternalIdentity(self._ids.new(), user_id, person.tenant_id, person.object_id, now))

    def _take_all(self, tx: Tx, user: User, given: Entitlement, now: datetime) -> None:
        if given.decides:
            rights.change_role(tx, user, Role.NO_ACCESS, now)
        rights.follow_groups(tx, self._ids, user, {}, now)
        rights.end_access(tx, user, now)

    def _record_refusal(self, error: KeyturnError, person: Person | None, browser: BrowserInfo) -> None:
        now = self._clock.now()
        with self._database.write() as tx:
            organizations = organization_store.organizations_of_server(tx)
            if not organizations:
                return
            org_id = organizations[0].id
            actor: Actor = replace(platform(org_id), request_id=browser.origin.request_id)
            user_id = external_store.user_id_of(tx, person.tenant_id, person.object_id) if person else None
            subject = Subject(SubjectKind.USER, user_id) if user_id else Subject(SubjectKind.ORGANIZATION, org_id)
            facts: dict[str, object] = {"ip": browser.origin.ip, "reason": error.code}
            facts |= {"found": error.details[0].get("found")} if error.details else {}
            if person:
                known = {"tenantId": person.tenant_id, "objectId": person.object_id, "account": person.email}
                facts |= known
            minute = int(now.timestamp()) // 60
            once = f"{events.PERSON_REFUSED.name}:{error.code}:{person.object_id if person else ''}:{minute}"
            record(tx, actor, events.PERSON_REFUSED, subject, now, once, **facts)


def _token_refused(refusal: TokenRefusal) -> KeyturnError:
    return Unauthenticated(
        f"The ID token that Entra ID gave is not one that this server takes ({refusal.reason}).",
        code="sso.token_refused",
        fix="Sign in again. If it happens again: the audit log shows what did not match; `keyturn doctor` compares the clocks.",
        details=[{"found": f"{refusal.reason}: {refusal.shown}"}],
    )


def _groups_unknown(why: str) -> NeedsAction:
    return NeedsAction(
        f"Entra ID does not tell which groups this person is in: {why}",
        code="sso.groups_unreadable",
        fix="Let the application's tokens tell the groups: Portal: Entra ID > App registrations > the application > Token "
        "configuration > Add groups claim. For people in more than 200 it needs the delegated permission User.Read, too.",
    )


def _not_in_group(rules: Rules) -> Forbidden:
    return Forbidden(
        "None of your groups may sign in here.",
        code="sso.group_not_allowed",
        fix=f"Ask an administrator of Entra ID to add you to one of these groups: {', '.join(sorted(rules.groups))}.",
    )


def _no_role(person: Person) -> Forbidden:
    return Forbidden(
        f"'{person.email}' is in no group that has a role here.",
        code="sso.group_not_mapped",
        fix="An administrator of this server gives one of your groups a role, under Sign-in through Entra ID; or an operator sets"
        " KEYTURN_SSO_DEFAULT_ROLE.",
    )


def _link_needed(person: Person, user: User) -> Refused:
    return Refused(
        f"'{user.email}' was provisioned as you, but is an administrator, or somebody else signs in as them already.",
        code="sso.link_needed",
        fix="An administrator of this server links the user to your object id in Entra ID, under Sign-in through Entra:"
        f" {person.object_id}. Until then that user signs in as before.",
    )


def _email_taken(person: Person) -> Refused:
    return Refused(
        f"There is a user with the address '{person.email}' here already, whom nobody has linked to you.",
        code="sso.email_taken",
        fix="An administrator of this server links the user to your object id in Entra ID, under Sign-in through Entra ID:"
        f" {person.object_id}. Until then that user signs in as before.",
    )
