"""The check of ``keyturn doctor`` that looks at the key vault."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from keyturn.app.key_vault import vault_keys, vault_roots
from keyturn.cli.finding import CheckupFinding, from_error, ok
from keyturn.crypto import store
from keyturn.db.unit import Database
from keyturn.errors import KeyturnError
from keyturn.ports.clock import Clock
from keyturn.ports.key_vault import KeyVault, VaultKeyFacts
from keyturn.settings.model import Settings

_SUBJECT = "key vault"
_SOON = timedelta(days=30)


def examine_vault(db: Database, settings: Settings, clock: Clock) -> Iterator[CheckupFinding]:
    """Yield whether the vault's key can be used and is safe from deletion, and whether the root key in use is wrapped by it."""
    vault, roots = settings.key_vault, vault_roots(settings, db, clock)
    if vault is None or roots is None:
        return
    try:
        key = vault_keys(settings, vault, clock)[0]
        facts = key.look()
    except KeyturnError as error:
        yield from_error(_SUBJECT, error)
        return
    yield _state(key, facts)
    if not facts.recoverable or not facts.purge_protected:
        vault_name = (urlsplit(key.name).hostname or "").partition(".")[0]
        fix = f"Turn purge protection on: az keyvault update --name {vault_name} --enable-purge-protection true"
        yield CheckupFinding(
            "warn", _SUBJECT, "Whoever deletes the key can make that final: all secrets would be lost.", fix
        )
    if facts.expires_at is not None and facts.expires_at - clock.now() < _SOON:
        fix = "Give the key a later end, or make a new version and run: keyturn keys rotate --to vault"
        yield CheckupFinding("warn", _SUBJECT, f"The version ends on {facts.expires_at:%Y-%m-%d}.", fix)
    with db.read() as tx:
        live = {row.root_key_id for row in store.load(tx) if row.retired_at is None}
        wrapped = {row.id: row.vault_key_id for row in store.load_roots(tx)}
    yield _use(live, wrapped, facts)


def _state(key: KeyVault, facts: VaultKeyFacts) -> CheckupFinding:
    if not facts.enabled:
        fix = "Enable it: a server that starts could not unwrap the root key."
        return CheckupFinding("fail", _SUBJECT, f"The newest version of {key.name} is disabled.", fix)
    return ok(_SUBJECT, f"{key.name} answers; its newest version is {facts.key_id.rpartition('/')[2]}.")


def _use(live: set[str], wrapped: dict[str, str], facts: VaultKeyFacts) -> CheckupFinding:
    if not live:
        return ok(_SUBJECT, "It wraps the root key that the first start makes.")
    if not live <= wrapped.keys():
        message = "The root key in use, or one of them, is not wrapped by it."
        return CheckupFinding("warn", _SUBJECT, message, "Run: keyturn keys rotate --to vault")
    if any(wrapped[root] != facts.key_id for root in live):
        message = "The root key in use is wrapped by an older version of the key."
        return CheckupFinding("warn", _SUBJECT, message, "Run: keyturn keys rotate --to vault")
    return ok(_SUBJECT, f"The newest version wraps the root key in use: {', '.join(sorted(live))}.")
