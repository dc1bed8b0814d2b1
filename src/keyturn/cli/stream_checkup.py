"""The check of ``keyturn doctor`` that looks at the receivers of all audit events."""

from collections.abc import Iterator

from keyturn.app import startup
from keyturn.app.audit_streams import receivers_of
from keyturn.audit import streams
from keyturn.cli.finding import CheckupFinding, ok
from keyturn.crypto.audit_keys import chain_key
from keyturn.crypto.keyring import Keyring, KeyringSealer
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError
from keyturn.kit.clock import iso
from keyturn.ports.clock import Clock
from keyturn.settings.model import Settings

_SUBJECT = "audit streams"


def examine_streams(db: Database, settings: Settings, clock: Clock) -> Iterator[CheckupFinding]:
    """Yield how it goes with each receiver that is set. Nothing where the keys do not open, which is a finding of its own."""
    receivers = receivers_of(settings.audit_streams)
    if not receivers:
        return
    try:
        keyring = Keyring(db, startup.root_key_source(settings, lambda _: None, db, clock), clock)
        keyring.reload()  # a vault is asked outside of transactions alone
        with db.read() as tx:
            key = chain_key(tx, KeyringSealer(keyring))
            states = [] if key is None else streams.states(tx, key, receivers)
    except KeyturnError:
        return
    for state in states:
        if state.failing_since is None:
            yield ok(_SUBJECT, f"The {state.id} receiver takes all events; {state.behind} wait.")
            continue
        message = f"The {state.id} receiver fails since {iso(state.failing_since)}: {state.reason}"
        fix = "Look at the receiver; events are kept and sent again. If somebody changed the database: keyturn audit verify"
        yield CheckupFinding("fail", _SUBJECT, message, fix)
