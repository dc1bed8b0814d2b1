"""JSON of what the deletion of a secret rotation would do, or a rotation because of a leak."""

from typing import Literal

from keyturn.api.approvals.schemas import CredentialFateShown, fates
from keyturn.api.rotations.consumer_views import ConsumedSecretShown, consumed_secrets
from keyturn.api.rotations.views import KeptValueShown, SharingSecretRotation, kept_value, sharing
from keyturn.rotations.change_previews import RotationPreview
from keyturn.web.schema.wire import ApiModel


class PreviewRotationChange(ApiModel):
    """``change`` is what is looked ahead at; what follows is as with a deletion, and means nothing for a leak."""

    change: Literal["deletion", "leak"] = "deletion"
    delete_secrets: bool = False
    revoke_generated_credentials: bool = False


class RotationPreviewAnswer(ApiModel):
    """``credentials``: what becomes of each secret that signs in; ``consumers`` who uses it.

    ``sharedWith``: the other secret rotations of the application; of ``hidden`` ones only the number. ``keptValue``: what the
    two secrets keep, unless they are deleted. ``needsApproval``: another person has to approve it.
    """

    credentials: list[CredentialFateShown]
    consumers: list[ConsumedSecretShown]
    secret_keys: list[str]
    kept_value: KeptValueShown | None
    shared_with: list[SharingSecretRotation]
    hidden: int
    needs_approval: bool


def preview(found: RotationPreview) -> RotationPreviewAnswer:
    return RotationPreviewAnswer(
        fates(found.credentials),
        consumed_secrets(found.consumed),
        [found.view.names.client_id, found.view.names.client_secret],
        kept_value(found.kept),
        [sharing(ref) for ref in found.shared_with.seen],
        found.shared_with.hidden,
        found.needs_approval,
    )
