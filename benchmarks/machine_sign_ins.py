"""How many sign-ins of machines one process answers, as External Secrets signs in for every reconciliation.

The rate is that of processor time: the whole use case with its transactions, by four threads, for ten identities. Beside it
stands the rate that the clock shows, which depends on how fast the machine makes a commit last, and what it would be if each
sign-in had to compute one Argon2id hash.
"""

import os
import secrets
import tempfile
import threading
import time
from dataclasses import dataclass

from benchmarks.measured import Measured
from benchmarks.pages import database
from keyturn.accounts.service import Access
from keyturn.app.core import open_core
from keyturn.app.web import open_access
from keyturn.crypto.hashing import Hasher
from keyturn.identities.domain import NewClientSecret, NewIdentity, UniversalAuthChanges
from keyturn.kit.actor import Role
from keyturn.kit.secret import Plaintext
from keyturn.settings.reader import read_settings
from keyturn.tokens.domain import Origin

IDENTITIES, THREADS, SECONDS, LIMIT = 10, 4, 4.0, 500
_HOME = Origin("127.0.0.1")
_HASHES = 20


@dataclass(frozen=True)
class Robot:
    client_id: str
    secret: Plaintext


def measure(kind: str) -> Measured:
    """Sign in for a few seconds; return one line with the rates."""
    with tempfile.TemporaryDirectory() as folder, database(kind) as where:
        variables = {"KEYTURN_DATA_DIR": folder, "ENCRYPTION_KEY": secrets.token_hex(32)}
        core = open_core(read_settings(variables | where), lambda _notice: None)
        try:
            access = open_access(core)
            robots = _robots(access)
            count, took, used = _sign_in(access, robots)
        finally:
            core.close()
    hashes = _hashes_per_second()
    rate = count / used
    line = (
        f"machine sign-ins on {kind}: {rate:.0f} per second of processor time (limit {LIMIT}), {count / took:.0f} per second of"
        f" the clock with {THREADS} threads; one core computes {hashes:.0f} Argon2id hashes per second"
        f" ({os.cpu_count()} processors, load {os.getloadavg()[0]:.1f})"
    )
    return Measured(line, rate >= LIMIT)


def _robots(access: Access) -> list[Robot]:
    first = access.bootstrap("ada@example.com", Plaintext("vellum-orbit-pickle-97"), "Contoso")
    admin = access.authenticate(first.token.reveal(), _HOME.ip)
    made = []
    for number in range(IDENTITIES):
        identity = access.identities.create(admin, NewIdentity(name=f"robot {number}", role=Role.NO_ACCESS))
        auth = access.universal.attach(admin, identity.id, UniversalAuthChanges(access_token_ttl=600))
        secret, _ = access.universal.create_secret(admin, identity.id, NewClientSecret())
        made.append(Robot(auth.client_id, secret))
    return made


def _sign_in(access: Access, robots: list[Robot]) -> tuple[int, float, float]:
    """Return how many sign-ins, in how many seconds of the clock and of processor time."""
    counts: list[int] = []
    over = time.perf_counter() + SECONDS

    def work(offset: int) -> None:
        count = 0
        while time.perf_counter() < over:
            robot = robots[(offset + count) % len(robots)]
            access.machines.login_machine(robot.client_id, robot.secret, _HOME)
            count += 1
        counts.append(count)

    began, used = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts), time.perf_counter() - began, time.process_time() - used


def _hashes_per_second() -> float:
    hasher, secret = Hasher(), Plaintext(secrets.token_hex(32))
    hashed = hasher.hash(secret)
    began = time.process_time()
    for _ in range(_HASHES):
        hasher.verify(hashed, secret)
    return _HASHES / (time.process_time() - began)
