"""What is sealed in a version: opened in its own project only."""

from keyturn.credentials.domain import seal_context
from keyturn.errors import Refused
from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.sealing import Sealer
from keyturn.secrets.domain import NO_DETAILS, Details, StoredSecret, bound, no_value, unbound

_TABLE = "secret_versions"


def seal_value(sealer: Sealer, project_id: str, version_id: str, value: Plaintext) -> Sealed:
    """Seal the value; or, where a row of the journal has it, the id of that row.

    So whoever can only write to the database can publish no other credential by it.
    """
    return sealer.seal(bound(project_id, value.reveal()), SealContext(_TABLE, version_id, "value"))


def seal_details(sealer: Sealer, project_id: str, version_id: str, details: Details) -> Sealed | None:
    """Seal them; there is nothing to seal where nothing is written."""
    if details == NO_DETAILS:
        return None
    return sealer.seal(bound(project_id, details.packed()), SealContext(_TABLE, version_id, "details"))


def value_of(sealer: Sealer, project_id: str, secret: StoredSecret) -> Plaintext:
    """Open the value. Raises Misconfigured when it does not belong there or was changed, Refused when it is gone by now."""
    place = SealContext(_TABLE, secret.version_id, "value")
    if secret.value is None:
        raise no_value(place)
    text = unbound(project_id, sealer.open(secret.value, place), place)
    if secret.credential_id is None:
        return Plaintext(text)
    if text != secret.credential_id:  # the column names another row of the journal than was published
        raise no_value(place)
    if secret.credential_value is None:
        raise Refused(
            f"Version {secret.version} of '{secret.name}' was a client secret that has been removed since.",
            code="secrets.version_removed",
            fix="Read the current version.",
        )
    return sealer.open(secret.credential_value, seal_context(secret.credential_id))


def details_of(sealer: Sealer, project_id: str, secret: StoredSecret) -> Details:
    """Open what is written about the secret. Raises Misconfigured likewise."""
    if secret.details is None:
        return NO_DETAILS
    place = SealContext(_TABLE, secret.version_id, "details")
    return Details.unpacked(unbound(project_id, sealer.open(secret.details, place), place))
