"""What programs say by themselves of the keys that they sign in with."""

from collections.abc import Sequence
from datetime import timedelta

from keyturn.authz.domain import Action
from keyturn.db.unit import Database
from keyturn.delivery import use, use_store
from keyturn.delivery.use_domain import Use
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock
from keyturn.secrets import access as places
from keyturn.secrets.domain import Address


@dataclass(frozen=True)
class KeysInUse:
    """That a program signs in with these keys. ``refresh_interval`` in seconds: after twice that it counts no more."""

    address: Address
    key_ids: Sequence[str]
    instance: str | None
    refresh_interval: int | None
    ip: str


class Acknowledgements:
    """Takes down which keys programs use."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def acknowledge(self, actor: Actor, keys: KeysInUse) -> None:
        """Write it down: all of it or, when one of them is no key of a secret in that folder, nothing. Repeatable.

        Raises NotFound and Forbidden for who may not read the values there, and Refused.
        """
        with self._database.write() as tx:
            place = places.locate(tx, actor, Action.READ_SECRET_VALUES, keys.address)
            folder = places.folder_at(tx, place)
            entries = use_store.entries_in_folder(tx, folder.id, keys.key_ids) if folder else []
            unknown = [key_id for key_id in keys.key_ids if key_id not in {entry.key_id for entry in entries}]
            if unknown:
                raise Refused(
                    f"No secret in this folder has or had the key {unknown[0]}.",
                    code="delivery.unknown_key",
                    fix="Send the key ids that came with the secrets of this folder, as X-Keyturn-Key-Id.",
                    field="keyIds",
                )
            refresh = None if keys.refresh_interval is None else timedelta(seconds=keys.refresh_interval)
            caller, now = use.caller_of(actor, keys.instance), self._clock.now()
            shown = [Use(entry.id, caller, now, None, now, refresh, keys.ip) for entry in entries]
            use.write(tx, shown, {entry.id: entry.rotation_id for entry in entries})
