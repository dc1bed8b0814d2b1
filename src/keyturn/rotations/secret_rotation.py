"""Use cases of secret rotations: the secret of an application, rotated through a connection into secrets of a project.

All checks and all network calls come first; then one transaction writes everything. The rotation itself is done by the
workflow; whoever waits for it asks again and again.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from keyturn.authz.domain import Action
from keyturn.db.unit import Database
from keyturn.errors import NotFound
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.providers.registry import Providers
from keyturn.rotations import secret_access
from keyturn.rotations.commands import HandedOver, NewSecretRotation, SecretRotationChange
from keyturn.rotations.secret_domain import (
    Awaited,
    DeletedSecretRotation,
    GeneratedCredentials,
    SecretRotationView,
)
from keyturn.rotations.store import secret_rotations as store
from keyturn.secrets import access as places
from keyturn.secrets.domain import Address
from keyturn.secrets.store import folders


class SecretRotationWrites(Protocol):
    """What changes them, and what looks at values."""

    # --- creating -----------------------------------------------------------------------------------------------------

    def create(self, actor: Actor, new: NewSecretRotation) -> Awaited:
        """Begin to rotate an application's secret into two secrets, which appear with the end of its first run.

        The same again joins the first run while that is under way, and afterwards answers what there is. Ask :meth:`created`
        for the end of it. Raises Refused, Forbidden, NotFound, or what the provider says; then nothing was written.
        """

    def created(self, actor: Actor, awaited: Awaited) -> SecretRotationView | None:
        """Return it once its first run has published; None as long as that is under way. Repeatable.

        Raises Refused with the provider's words when the run has failed, and TimedOut past ``awaited.until``: then it is
        deleted, and what was made at the provider is removed.
        """

    # --- rotating now -------------------------------------------------------------------------------------------------

    def rotate(self, actor: Actor, secret_rotation_id: str, *, leaked: bool = False) -> Awaited:
        """Ask for a rotation at once; while one is under way, join it. Ask :meth:`rotated` for the end of it.

        ``leaked`` ends all promises to readers: once the new secret is published, all older ones are removed.
        """

    def rotated(self, actor: Actor, awaited: Awaited) -> SecretRotationView | None:
        """Return it once the run has published, or is still not over past ``awaited.until``; None before. Repeatable.

        Raises RunFailed with the provider's words when the run has failed.
        """

    # --- changing -----------------------------------------------------------------------------------------------------

    def update(self, actor: Actor, secret_rotation_id: str, change: SecretRotationChange) -> SecretRotationView:
        """Change what is given: all of it or nothing. Other names rename the secrets. Raises as :meth:`create` does."""

    def make_previous_current(self, actor: Actor, secret_rotation_id: str) -> SecretRotationView:
        """Publish the newest previous secret again, once it has signed in. Raises Refused without one that still works."""

    def hand_over(self, actor: Actor, secret_rotation_id: str, secret: HandedOver) -> SecretRotationView:
        """Keep a secret that was made by hand as a previous one: it is removed only after :meth:`release`.

        Raises Refused unless it is a secret of the application and signs in.
        """

    def release(self, actor: Actor, secret_rotation_id: str, key_id: str) -> SecretRotationView:
        """Confirm that nobody uses a secret any more that was handed over: it is removed."""

    def delete(
        self, actor: Actor, secret_rotation_id: str, *, delete_secrets: bool = False, revoke: bool = False
    ) -> DeletedSecretRotation:
        """Delete it. The mapped secrets stay as ordinary ones, unless ``delete_secrets``.

        With ``revoke`` what was made at the provider is removed, after this returns; else what was published stays there. The
        application's rotation goes on for its other mappings, and then none of its secrets is removed because of this.
        """

    # --- looking at values --------------------------------------------------------------------------------------------

    def generated_credentials(self, actor: Actor, secret_rotation_id: str) -> GeneratedCredentials:
        """Return the values that work: the current one and the newest previous one. Written down as a read of values."""

    def check_credentials(self, actor: Actor, secret_rotation_id: str) -> None:
        """Sign in with the current secret. Raises what the provider says."""


class SecretRotations:
    """Secret rotations: created, changed, rotated and deleted.

    ``nudge`` tells the finder of due work to look at once.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        providers: Providers,
        clock: Clock,
        ids: Ids,
        *,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._providers = providers
        self._clock = clock
        self._ids = ids
        self._nudge = nudge

    # --- reading ------------------------------------------------------------------------------------------------------

    def list(self, actor: Actor, project_id: str) -> Sequence[SecretRotationView]:
        """Return those of the project by name. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            secret_access.require(tx, actor, Action.DESCRIBE_SECRETS, project_id)
            return store.views(tx, project_id)

    def get(self, actor: Actor, secret_rotation_id: str) -> SecretRotationView:
        """Return one that the actor may see. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            return secret_access.found(tx, actor, Action.DESCRIBE_SECRETS, secret_rotation_id)

    def by_name(self, actor: Actor, address: Address, name: str) -> SecretRotationView:
        """Return the one of this name in the folder at the address. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            place = places.locate(tx, actor, Action.DESCRIBE_SECRETS, address)
            folder = folders.at(tx, place.environment_id, place.path)
            mapping = store.named(tx, folder.id, name) if folder else None
            if mapping is None:
                raise NotFound(
                    f"There is no secret rotation named '{name}' in that folder.", code="secret_rotations.not_found"
                )
            return secret_access.found(tx, actor, Action.DESCRIBE_SECRETS, mapping.id)
