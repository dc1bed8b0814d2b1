"""The set-up code: who sets a new server up has to show that they can read what it printed, or what was given to it.

There is one code per database. It is derived from a random salt under a data key, so every process of the installation
prints the same one, and the database alone does not tell it: only digests are there.
"""

import base64
import secrets

from keyturn.accounts import store
from keyturn.accounts.store import StoredCode
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, Misconfigured, Unauthenticated
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, SealContext
from keyturn.organizations.store import any_organization, lock_installation
from keyturn.ports.clock import Clock
from keyturn.ports.sealing import Digests
from keyturn.tokens.opaque import RandomBytes

MOST_TRIES = 20
"""So many wrong codes end a code. It has 80 random bits: nobody guesses it within them."""
_SIGNS = 16
_SALT_BYTES = 20
_HOW = (
    "The server printed it when it started, beside 'Nobody can sign in yet'; `keyturn admin setup-code` on the server"
    " prints a fresh one."
)


@dataclass
class SetupCodes:
    """``own_code`` is the operator's own code. ``digests`` is needed for all but the end of a code."""

    database: Database
    clock: Clock
    digests: Digests | None
    own_code: Plaintext | None = None
    random: RandomBytes = secrets.token_bytes

    def announce(self) -> Plaintext | None:
        """Make sure that there is a code, and return it to be printed.

        Nothing is returned for a code that the operator gave, and when the server is set up already. Repeatable, also in
        several processes at once: all return the same.
        """
        with self.database.write() as tx:
            lock_installation(tx)
            if any_organization(tx):
                return None
            if self.own_code is not None:
                self._put(tx, self.own_code)
                return None
            stored_code = store.setup_code(tx, lock=True)
            if stored_code is None or stored_code.failures >= MOST_TRIES:
                return self._renewed(tx)
            if stored_code.salt is None:  # another process was given it
                return None
            try:
                return self._derived(stored_code.salt, stored_code.derived)
            except Misconfigured:  # its data key is gone
                return self._renewed(tx)

    def renew(self) -> Plaintext:
        """Put a fresh code in the place of the one before, which is worth nothing from now on."""
        with self.database.write() as tx:
            lock_installation(tx)
            return self._renewed(tx)

    def check(self, code: Plaintext | None) -> None:
        """Return when the code is right. Raises Unauthenticated; each wrong one counts, and too many end the code."""
        if code is None or not _plain(code).reveal():
            raise Unauthenticated(
                "The set-up code is missing.", code="access.setup_code_missing", field="setupCode", fix=_fix()
            )
        with self.database.write() as tx:
            refusal = self._refusal(tx, code)
        # Raised only now: a try that was counted must stay counted.
        if refusal is not None:
            raise refusal

    def _refusal(self, tx: Tx, code: Plaintext) -> KeyturnError | None:
        stored_code = store.setup_code(tx, lock=True)
        if stored_code is None or stored_code.failures >= MOST_TRIES:
            return _spent(stored_code)
        if self._digests().matches(stored_code.digest, _plain(code), _CODE):
            return None
        store.count_failure(tx)
        return Unauthenticated(
            "This is not the set-up code of this server.", code="access.setup_code_wrong", field="setupCode", fix=_HOW
        )

    def _renewed(self, tx: Tx) -> Plaintext:
        salt = self.random(_SALT_BYTES).hex()
        derived = self._digests().digest(Plaintext(salt), _SALT)
        code = _code_of(derived)
        self._put(tx, code, salt, derived)
        return code

    def _put(self, tx: Tx, code: Plaintext, salt: str | None = None, derived: str | None = None) -> None:
        digest = self._digests().digest(_plain(code), _CODE)
        # Of what is derived only the key's name is kept: the rest would be the code itself.
        prefix = None if derived is None else derived.rpartition(".")[0] + "."
        store.put_setup_code(tx, StoredCode(salt, prefix, digest), self.clock.now())

    def _derived(self, salt: str, prefix: str | None) -> Plaintext:
        return _code_of(self._digests().digest(Plaintext(salt), _SALT, under=prefix))

    def _digests(self) -> Digests:
        if self.digests is None:
            raise Misconfigured("This process has no keyring for the set-up code.", code="access.no_keyring")
        return self.digests


_SALT = SealContext("setup_codes", "setup", "salt")
_CODE = SealContext("setup_codes", "setup", "digest")


def _code_of(derived: str) -> Plaintext:
    signs = base64.b32encode(bytes.fromhex(derived.rpartition(".")[2])).decode().lower()[:_SIGNS]
    return Plaintext("-".join(signs[start : start + 4] for start in range(0, _SIGNS, 4)))


def _plain(code: Plaintext) -> Plaintext:
    """Return the code without what people change when they copy it: capitals, spaces, hyphens."""
    return Plaintext("".join(sign for sign in code.reveal().casefold() if sign.isalnum()))


def _fix() -> str:
    return f"Send it as `setupCode`, or in the header X-Keyturn-Setup-Code. {_HOW}"


def _spent(stored_code: StoredCode | None) -> Unauthenticated:
    why = "This server has no set-up code." if stored_code is None else "Too many wrong set-up codes were tried."
    return Unauthenticated(
        why,
        code="access.setup_code_spent",
        fix="On the server, `keyturn admin setup-code` prints a fresh one; `keyturn admin bootstrap` needs none.",
    )
