"""What is sealed in a version: opened in its own project only."""

from collections.abc import Callable

from keyturn.credentials.domain import seal_context
from keyturn.errors import Misconfigured, Refused
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.sealing import Sealer
from keyturn.secrets.domain import NO_DETAILS, Details, StoredSecret

_TABLE = "secret_versions"


def seal_value(sealer: Sealer, project_id: str, version_id: str, value: Plaintext) -> Sealed:
    """Seal the value; or, where a row of the journal has it, the id of that row.

    So whoever can only write to the database can publish no other credential by it.
    """
    return sealer.seal(_bound(project_id, value.reveal()), SealContext(_TABLE, version_id, "value"))


def seal_details(sealer: Sealer, project_id: str, version_id: str, details: Details) -> Sealed | None:
    """Seal them; there is nothing to seal where nothing is written."""
    if details == NO_DETAILS:
        return None
    return sealer.seal(_bound(project_id, details.packed()), SealContext(_TABLE, version_id, "details"))


def value_of(sealer: Sealer, project_id: str, secret: StoredSecret) -> Plaintext:
    """Open the value. Raises Misconfigured when it does not belong there or was changed, Refused when it is gone by now."""
    return value_opener(sealer, project_id, secret)()


def value_opener(sealer: Sealer, project_id: str, secret: StoredSecret) -> Callable[[], Plaintext]:
    """Return what opens the value, however often. Both raise as :func:`value_of` does."""
    place = SealContext(_TABLE, secret.version_id, "value")
    if secret.value is None:
        raise _no_value(place)
    bound = sealer.opener(secret.value, place)
    if secret.credential_id is None:
        return lambda: Plaintext(_unbound(project_id, bound(), place))
    if (
        _unbound(project_id, bound(), place) != secret.credential_id
    ):  # the column names another row of the journal than was published
        raise _no_value(place)
    if secret.credential_value is None:
        raise Refused(
            f"Version {secret.version} of '{secret.name}' was a client secret that has been removed since.",
            code="secrets.version_removed",
            fix="Read the current version.",
        )
    return sealer.opener(secret.credential_value, seal_context(secret.credential_id))


def details_of(sealer: Sealer, project_id: str, secret: StoredSecret) -> Details:
    """Open what is written about the secret. Raises Misconfigured likewise."""
    if secret.details is None:
        return NO_DETAILS
    place = SealContext(_TABLE, secret.version_id, "details")
    return Details.unpacked(_unbound(project_id, sealer.open(secret.details, place), place))


# A row that somebody moves to another project in the database must not open there: whoever may read that one would read it.


def _bound(project_id: str, text: str) -> Plaintext:
    """Return what is sealed of a text: it opens in this project only."""
    return Plaintext(f"{project_id}\n{text}")


def _unbound(project_id: str, opened: Plaintext, place: SealContext) -> str:
    """Return the text again. Raises Misconfigured when it was sealed for another project."""
    home, _, text = opened.reveal().partition("\n")
    if home != project_id:
        raise Misconfigured(
            f"The sealed value in {place.table}.{place.column} of row {place.row} belongs to another project.",
            code="secrets.value_moved",
            fix="Restore this row from a backup of the same database, or enter the secret again.",
        )
    return text


def _no_value(place: SealContext) -> Misconfigured:
    return Misconfigured(
        f"There is no value in {place.table}.{place.column} of row {place.row}.",
        code="secrets.value_missing",
        fix="Restore this row from a backup of the same database, or enter the secret again.",
    )
