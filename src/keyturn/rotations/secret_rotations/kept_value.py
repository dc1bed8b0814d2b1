"""The value that the two secrets keep when their rotation ends: whether it signs in, and for how long. Reads only."""

from datetime import datetime, timedelta

from keyturn.credentials.domain import Credential
from keyturn.db.unit import Tx
from keyturn.kit.dataclasses import dataclass
from keyturn.rotations.domain import Rotation
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.secret_rotations.history import usable_until
from keyturn.rotations.store import secret_rotations as store

SOON = timedelta(days=7)


@dataclass(frozen=True)
class KeptValue:
    """``works_until``: until when it signs in; None: its end is not known. ``warning``: why it does not, or not for long."""

    works_until: datetime | None
    warning: str | None = None


def kept_value(tx: Tx, view: SecretRotationView, now: datetime, *, revoke: bool) -> KeptValue | None:
    """Return what becomes of the value if the secret rotation ends now and its secrets stay; None: they have none."""
    goes_on = len(store.of_rotation(tx, view.rotation.id)) > 1
    return value_after(view.current, view.rotation, now, revoked=revoke and not goes_on, goes_on=goes_on)


def value_after(
    current: Credential | None, rotation: Rotation, now: datetime, *, revoked: bool, goes_on: bool
) -> KeptValue | None:
    """Decide it. ``revoked``: it is removed with the rotation; ``goes_on``: other secret rotations replace it. Pure."""
    if current is None:
        return None
    ends = current.ends_at
    if current.removed_at is not None:
        return KeptValue(
            current.removed_at, f"It does not sign in: it is gone from Entra ID since {_day(current.removed_at)}."
        )
    if ends is not None and ends <= now:
        return KeptValue(ends, f"It does not sign in: it has ended on {_day(ends)}.")
    if revoked and not current.used_elsewhere:
        return KeptValue(now, "It stops signing in: it is removed from Entra ID with the rotation.")
    if goes_on:
        until = usable_until(current, rotation, now)
        when = f", on {_day(until)} at the earliest" if until else ""
        return KeptValue(until, f"It stops signing in: other secret rotations of the application replace it{when}.")
    if ends is not None and ends - now <= SOON:
        return KeptValue(ends, f"It ends on {_day(ends)}, and nobody replaces it any more.")
    return KeptValue(ends)


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
