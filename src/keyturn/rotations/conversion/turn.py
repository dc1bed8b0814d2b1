"""What each step of a conversion is given."""

from keyturn.connections.domain import Connection
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.sign_in import Credentials, IdentityMethod
from keyturn.rotations.conversion.domain import Conversion


@dataclass(frozen=True)
class Turn:
    """One step of one conversion, with what it is about."""

    conversion: Conversion
    connection: Connection
    identity: IdentityMethod

    @property
    def by_identity(self) -> Credentials:
        connection, told = self.connection, self.conversion
        return self.identity.credentials(connection.tenant_id, connection.client_id, told.source, told.trust)
