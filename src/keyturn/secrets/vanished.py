"""Values that are credentials which the provider does not have any more: nobody is given what works nowhere."""

from collections.abc import Iterable
from datetime import timedelta

from keyturn.credentials import store as journal
from keyturn.db.unit import Tx
from keyturn.errors import Unavailable
from keyturn.secrets.domain import StoredSecret
from keyturn.secrets.store import secrets

CODE = "secrets.credential_gone"
_AGAIN = timedelta(seconds=30)


def require_there(tx: Tx, rows: Iterable[StoredSecret]) -> None:
    """Raise Unavailable when one of these secrets is a credential that is known to be gone."""
    require_values_there(tx, {row.credential_id: row.id for row in rows if row.credential_id})


def require_values_there(tx: Tx, secret_ids: dict[str, str]) -> None:
    """Raise likewise for these secrets, by the ids of the credentials that they are."""
    gone = journal.vanished_among(tx, list(secret_ids)) if secret_ids else []
    if not gone:
        return
    names = ", ".join(f"'{name}'" for name in secrets.names(tx, [secret_ids[each] for each in gone[:5]]))
    raise Unavailable(
        f"The client secret that {names} holds is not at Entra ID any more, so it works nowhere: somebody removed it, or an older"
        " copy of this server's database was put back.",
        code=CODE,
        retry_after=_AGAIN,
        fix="Go on with the value that you have. Its rotation makes a new one; the page of it says if it cannot.",
    )
