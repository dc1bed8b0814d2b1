"""What is sealed in a version: opened in its own project only."""

from keyturn.kit.secret import Plaintext, SealContext, Sealed
from keyturn.ports.sealing import Sealer
from keyturn.secrets.domain import NO_DETAILS, Details, StoredSecret, bound, no_value, unbound

_TABLE = "secret_versions"


def seal_value(sealer: Sealer, project_id: str, version_id: str, value: Plaintext) -> Sealed:
    return sealer.seal(bound(project_id, value.reveal()), SealContext(_TABLE, version_id, "value"))


def seal_details(sealer: Sealer, project_id: str, version_id: str, details: Details) -> Sealed | None:
    """Seal them; there is nothing to seal where nothing is written."""
    if details == NO_DETAILS:
        return None
    return sealer.seal(bound(project_id, details.packed()), SealContext(_TABLE, version_id, "details"))


def value_of(sealer: Sealer, project_id: str, secret: StoredSecret) -> Plaintext:
    """Open the value. Raises Misconfigured when it does not belong there or was changed."""
    place = SealContext(_TABLE, secret.version_id, "value")
    if secret.value is None:
        raise no_value(place)
    return Plaintext(unbound(project_id, sealer.open(secret.value, place), place))


def details_of(sealer: Sealer, project_id: str, secret: StoredSecret) -> Details:
    """Open what is written about the secret. Raises Misconfigured likewise."""
    if secret.details is None:
        return NO_DETAILS
    place = SealContext(_TABLE, secret.version_id, "details")
    return Details.unpacked(unbound(project_id, sealer.open(secret.details, place), place))
