"""The access room as one object: who calls, what they may do, and the first start."""

import re
import secrets
import unicodedata
from dataclasses import dataclass

from keyturn.access import identities_store, setup_store, store
from keyturn.access.client_secrets import ClientSecretDigests
from keyturn.access.domain import AccessEvent, TokenRules
from keyturn.access.identities import Identities
from keyturn.access.passwords import Hasher
from keyturn.access.records import Identity, Organization, User
from keyturn.access.sessions import Sessions
from keyturn.access.setup import SetupCodes
from keyturn.access.signin import SignIn
from keyturn.access.tokens import RandomBytes
from keyturn.access.totp import SecondFactors
from keyturn.access.universal import UniversalAuths
from keyturn.access.users import Users
from keyturn.audit.domain import Event
from keyturn.audit.store import append
from keyturn.config import USUAL_QUOTAS, Quotas
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.kit.actor import Actor, Role, platform
from keyturn.kit.secret import Plaintext
from keyturn.ports import Clock, Digests, Ids, Sealer

PERSON_RULES = TokenRules(ttl=12 * 3600, max_ttl=7 * 24 * 3600)
"""A person's token lives half a day, and up to a week when renewed."""


@dataclass(frozen=True)
class FirstStart:
    """What the first start made. ``token`` belongs to the machine identity and never expires; it is given once."""

    organization: Organization
    user: User
    identity: Identity
    token: Plaintext


class Access:
    """Users, machine identities, tokens and roles of one installation."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        hasher: Hasher | None = None,
        *,
        sealer: Sealer | None = None,
        digests: Digests | None = None,
        setup_code: Plaintext | None = None,
        random: RandomBytes = secrets.token_bytes,
        person_rules: TokenRules = PERSON_RULES,
        quotas: Quotas = USUAL_QUOTAS,
    ) -> None:
        hasher = hasher or Hasher()
        self._database = database
        self._clock = clock
        self._ids = ids
        self.factors = SecondFactors(database, clock, hasher, sealer, random)
        self.users = Users(database, clock, ids, hasher, self.factors.proofs, quotas)
        keeper = ClientSecretDigests(digests, hasher)
        self.signin = SignIn(
            database,
            clock,
            ids,
            hasher,
            random,
            self.factors,
            person_rules=person_rules,
            secrets=keeper,
            users=self.users,
        )
        self.sessions = Sessions(database, clock, ids, self.signin, self.users, random)
        self.identities = Identities(database, clock, ids, quotas)
        self.universal = UniversalAuths(database, clock, ids, keeper, random, self.identities)
        self.setup = SetupCodes(database, clock, digests, setup_code, random)

    def authenticate(self, token: str, ip: str) -> Actor:
        """Return whose token it is; see :meth:`SignIn.authenticate`."""
        return self.signin.authenticate(token, ip)

    def bootstrapped(self) -> bool:
        """Say whether the first start has happened."""
        with self._database.read() as tx:
            return store.any_organization(tx)

    def require_fresh(self) -> None:
        """Raise Refused when the first start has happened."""
        if self.bootstrapped():
            raise _bootstrapped_already()

    def set_up(self, code: Plaintext | None, email: str, password: Plaintext, organization: str) -> FirstStart:
        """Do as :meth:`bootstrap` for somebody who has the set-up code. Raises Unauthenticated without the right one."""
        self.require_fresh()
        self.setup.check(code)
        return self.bootstrap(email, password, organization)

    def bootstrap(self, email: str, password: Plaintext, organization: str) -> FirstStart:
        """Make the first organization, its first admin, and an admin identity with a token that never expires.

        For the operator at the machine itself; others come through :meth:`set_up`. Works once per installation, also when
        several ask at the same moment: the others get Refused. Raises Refused for a weak password, too. Nothing is made
        then.
        """
        self.require_fresh()
        org = Organization(self._ids.new(), organization.strip(), slug_of(organization))
        user = self.users.prepare(org.id, email, password, Role.ADMIN, super_admin=True)
        now = self._clock.now()
        identity = Identity(self._ids.new(), org.id, "Admin identity", Role.ADMIN, False, (), ("token-auth",), now, now)
        with self._database.write() as tx:
            store.lock_installation(tx)
            if store.any_organization(tx):
                raise _bootstrapped_already()
            setup_store.remove_setup_code(tx)
            store.add_organization(tx, org, now)
            store.add_user(tx, user)
            identities_store.add_identity(tx, identity)
            token = self.signin.issue_static(tx, identity).token
            data = {"userId": user.id, "email": user.email, "identityId": identity.id}
            event = Event(
                AccessEvent.BOOTSTRAPPED.value,
                platform(org.id),
                "organization",
                org.id,
                now,
                data=data,
                once="bootstrap",
            )
            append(tx, event)
        return FirstStart(org, user, identity, token)


def slug_of(name: str) -> str:
    """Return a name as lower-case letters, digits and single hyphens; never empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:64].strip("-") or "organization"


def _bootstrapped_already() -> Refused:
    return Refused(
        "This server has been set up already.",
        code="access.bootstrapped",
        fix="Sign in as its admin. A lost password is reset on the server itself: keyturn admin reset-password.",
    )
