"""Everybody who may sign in to one installation, as one object, and the first start."""

import secrets
from collections.abc import Mapping

from keyturn.accounts import store
from keyturn.accounts.setup import SetupCodes
from keyturn.audit import events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.crypto.hashing import Hasher
from keyturn.db.unit import Database
from keyturn.errors import Refused
from keyturn.identities import store as identity_store
from keyturn.identities.client_secrets import ClientSecretDigests
from keyturn.identities.domain import Identity, machine_actor
from keyturn.identities.service import Identities
from keyturn.identities.sign_in import MachineSignIn
from keyturn.identities.token_auth import TokenProof
from keyturn.identities.token_auths import TokenAuths
from keyturn.identities.token_sign_in import TokenSignIn
from keyturn.identities.universal_auth import UniversalAuths
from keyturn.kit.actor import Actor, Role, platform
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.kit.slugs import slug_of
from keyturn.organizations import store as organization_store
from keyturn.organizations.domain import Organization
from keyturn.people import store as people_store
from keyturn.people.administration import Administration
from keyturn.people.domain import User, person_actor
from keyturn.people.links import PasswordLinks
from keyturn.people.password_policy import PasswordPolicy
from keyturn.people.second_factor import SecondFactors
from keyturn.people.second_factor_policy import SecondFactorPolicy
from keyturn.people.sessions import Sessions
from keyturn.people.sign_in import SignIn
from keyturn.people.users import Users
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Digests, Sealer
from keyturn.settings.model import USUAL_QUOTAS, Quotas
from keyturn.tokens.domain import TokenRules
from keyturn.tokens.opaque import RandomBytes
from keyturn.tokens.service import AccessTokens

PERSON_RULES = TokenRules(ttl=12 * 3600, max_ttl=7 * 24 * 3600)
"""A person's token lives half a day, and up to a week when renewed."""
_NO_PROOFS: Mapping[str, TokenProof] = {}
_EVERYBODY = PasswordPolicy()


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
        proofs: Mapping[str, TokenProof] = _NO_PROOFS,
        passwords: PasswordPolicy = _EVERYBODY,
    ) -> None:
        """``proofs`` are the methods by which machine identities sign in with tokens that others sign.

        ``passwords`` says who of the people may sign in with a password.
        """
        hasher = hasher or Hasher()
        self._database = database
        self._clock = clock
        self._ids = ids
        self.factors = SecondFactors(database, clock, hasher, sealer, random)
        self.users = Users(database, clock, ids, hasher, self.factors.proofs, quotas)
        keeper = ClientSecretDigests(digests, hasher)
        self.tokens = AccessTokens(database, clock, ids, random, passwords.ends_tokens)
        self.machines = MachineSignIn(database, clock, keeper, self.tokens)
        self.signin = SignIn(database, clock, hasher, self.factors, self.users, self.tokens, person_rules, passwords)
        self.sessions = Sessions(database, clock, ids, self.signin, self.users, random, passwords)
        self.links = PasswordLinks(database, clock, ids, hasher, random)
        self.second_factor_policy = SecondFactorPolicy(database, clock)
        self.administration = Administration(database, clock, hasher, self.factors, self.links)
        self.identities = Identities(database, clock, ids, quotas)
        self.universal = UniversalAuths(database, clock, ids, keeper, random, self.identities)
        self.token_auths = TokenAuths(database, clock, ids, self.identities, sealer)
        self.token_machines = TokenSignIn(database, clock, self.tokens, proofs)
        self.setup = SetupCodes(database, clock, digests, setup_code, random)

    def authenticate(self, token: str, ip: str) -> Actor:
        """Return whose token it is; see :meth:`AccessTokens.authenticate`."""
        return self.tokens.authenticate(token, ip)

    def bootstrapped(self) -> bool:
        """Say whether the first start has happened."""
        with self._database.read() as tx:
            return organization_store.any_organization(tx)

    def only_organization(self) -> Organization:
        """Return the organization of this server. For the operator's command line only. Raises Refused before the first start."""
        with self._database.read() as tx:
            found = organization_store.organizations_of_server(tx)
        if not found:
            raise Refused(
                "This server is not set up yet.", code="access.not_set_up", fix="Begin with keyturn admin bootstrap."
            )
        return found[0]

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
            organization_store.lock_installation(tx)
            if organization_store.any_organization(tx):
                raise _bootstrapped_already()
            store.remove_setup_code(tx)
            organization_store.add_organization(tx, org, now)
            people_store.add_user(tx, user)
            identity_store.add_identity(tx, identity)
            identity_store.note_maker(tx, identity.id, person_actor(user))
            token = self.tokens.issue(tx, machine_actor(identity), TokenRules(0, 0), now).token
            facts = {"userId": user.id, "email": user.email, "identityId": identity.id}
            subject = Subject(SubjectKind.ORGANIZATION, org.id)
            record(tx, platform(org.id), events.BOOTSTRAPPED, subject, now, "bootstrap", **facts)
        return FirstStart(org, user, identity, token)


def _bootstrapped_already() -> Refused:
    return Refused(
        "This server has been set up already.",
        code="access.bootstrapped",
        fix="Sign in as its admin. A lost password is reset on the server itself: keyturn admin reset-password.",
    )
