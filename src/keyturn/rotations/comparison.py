"""The journal beside what the provider has: whether the current credentials are there, and what nobody here knows of.

For whoever looks once, beside the servers; these find the same by their looks. Changes nothing.
"""

from collections.abc import Mapping

from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, is_marker
from keyturn.db.unit import Database
from keyturn.errors import Misconfigured, NotYet, RefusalReason, Upstream
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.provider import AccessToken, CredentialKind, RemoteApplication, RemoteCredential
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations.domain import Rotation, RotationKind, Snapshot
from keyturn.rotations.store import policies
from keyturn.rotations.targets import RotationTarget


@dataclass(frozen=True)
class Comparison:
    """What was found of one rotation. ``gone`` is its current credential, where that is not at the provider any more.

    ``strays`` have names that a Keyturn server gives, and are in no row of the journal. ``error``: the application could not be
    looked at.
    """

    rotation: Rotation
    gone: Credential | None = None
    strays: tuple[RemoteCredential, ...] = ()
    error: Upstream | Misconfigured | None = None

    @property
    def heals(self) -> bool:
        """Whether a server makes a new credential by itself: what signs in for it is another one."""
        return self.rotation.kind is RotationKind.APPLICATION and self.rotation.enabled and self.error is None


@dataclass(frozen=True)
class JournalCheck:
    database: Database
    sealer: Sealer
    providers: Providers
    targets: Mapping[RotationKind, RotationTarget]

    def of(self, rotation_id: str) -> Comparison | None:
        """Compare one rotation; None when it is gone. Asks the provider."""
        with self.database.read() as tx:
            snapshot = policies.snapshot(tx, rotation_id)
        if snapshot is None or snapshot.unreadable:
            return None
        kind = self.providers.kind(snapshot.rotation.credential_kind, app_id=snapshot.rotation.app_id)
        try:
            application = self._look(snapshot, kind)
        except (Upstream, Misconfigured) as error:
            return Comparison(snapshot.rotation, self._gone(snapshot, kind, None), error=error)
        return Comparison(
            snapshot.rotation, self._gone(snapshot, kind, application), self._strays(snapshot.rotation, application)
        )

    def _look(self, snapshot: Snapshot, kind: CredentialKind) -> RemoteApplication:
        rotation, target = snapshot.rotation, self.targets[snapshot.rotation.kind]
        refused: Upstream | None = None
        for signer in target.signers(snapshot):
            try:
                token: AccessToken = target.sign_in(rotation, signer)
            except Upstream as error:
                refused = _final(error)
                if not refused.refuses_credential:
                    raise refused from None
            else:
                return kind.application(rotation.tenant, token, object_id=rotation.object_id)
        raise refused or Misconfigured(
            "There is no credential to sign in with.", code="rotation.no_secret", fix=target.describe().no_signer
        )

    def _gone(
        self, snapshot: Snapshot, kind: CredentialKind, application: RemoteApplication | None
    ) -> Credential | None:
        current = snapshot.current
        if current is None or current.value is None:
            return None
        if application and current.key_id in {each.key_id for each in application.credentials}:
            return None
        value = self.sealer.open(current.value, current.seal_context)
        return current if is_unknown(kind, snapshot.rotation, value) else None

    def _strays(self, rotation: Rotation, application: RemoteApplication) -> tuple[RemoteCredential, ...]:
        made_here = [each for each in application.credentials if is_marker(each.name)]
        with self.database.read() as tx:
            known = journal.of_application(
                tx, rotation.object_id, [each.key_id for each in made_here], [str(each.name) for each in made_here]
            )
        key_ids, markers = {row.key_id for row in known}, {row.marker for row in known}
        return tuple(each for each in made_here if each.key_id not in key_ids and each.name not in markers)


def is_unknown(kind: CredentialKind, rotation: Rotation, value: Plaintext) -> bool:
    """Sign in, and say whether the provider answers that it does not know the credential. Any other trouble says nothing."""
    try:
        kind.sign_in(rotation.tenant, rotation.app_id, value)
    except Upstream as error:
        return _final(error).reason is RefusalReason.CREDENTIAL_UNKNOWN
    return False


def _final(error: Upstream) -> Upstream:
    return error.judged(spreading=False) if isinstance(error, NotYet) else error
