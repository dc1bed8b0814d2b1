"""A house with an admin in it: what most tests of this folder begin with."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from keyturn.accounts.service import Access, FirstStart
from keyturn.crypto.hashing import Hasher
from keyturn.crypto.keyring import Keyring, KeyringDigests, KeyringSealer
from keyturn.crypto.root import GivenRoot, RootKey, RootKeys
from keyturn.db.unit import Database
from keyturn.kit.actor import Actor
from keyturn.kit.clock import MovableClock
from keyturn.kit.secret import Plaintext
from keyturn.tokens.domain import Origin
from tests.features.accounts.people import IDS, START
from tests.log_state import everything_logged

HOME = Origin("192.0.2.7")
GOOD_PASSWORD = "vellum-orbit-pickle-94"


@dataclass
class AccessFixture:
    database: Database
    clock: MovableClock
    access: Access
    first: FirstStart
    admin: Actor

    def machine_login(self, client_id: str, secret: Plaintext, origin: Origin = HOME) -> Plaintext:
        return self.access.machines.login_machine(client_id, secret, origin).token

    def whoami(self, token: Plaintext, ip: str = HOME.ip) -> Actor:
        return self.access.authenticate(token.reveal(), ip)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START)


@pytest.fixture
def access(database: Database, clock: MovableClock) -> Access:
    """The accounts of a server that was not set up yet; its hashes are quick."""
    keyring = Keyring.open(database, GivenRoot(RootKeys(RootKey(bytes(32)))), clock)
    hasher = Hasher(memory_kib=8, passes=1)
    return Access(database, clock, IDS, hasher, sealer=KeyringSealer(keyring), digests=KeyringDigests(keyring))


@pytest.fixture
def house(database: Database, clock: MovableClock, access: Access) -> AccessFixture:
    first = access.bootstrap("ann@acme.test", Plaintext(GOOD_PASSWORD), "Acme GmbH")
    admin = access.authenticate(first.token.reveal(), HOME.ip)
    return AccessFixture(database, clock, access, first, admin)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with everything_logged() as stream:
        yield stream
