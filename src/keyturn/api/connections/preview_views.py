"""JSON of what the deletion of an app connection would do, or a rotation because of a leak."""

from typing import Literal

from keyturn.api.approvals.schemas import CredentialFateShown, fates
from keyturn.rotations.change_previews import ConnectionPreview
from keyturn.web.schema.wire import ApiModel


class PreviewConnectionChange(ApiModel):
    """``change`` is what is looked ahead at; ``revokeCredentials`` is as with a deletion, and means nothing for a leak."""

    change: Literal["deletion", "leak"] = "deletion"
    revoke_credentials: bool | None = None


class RotatedThroughConnection(ApiModel):
    id: str
    name: str
    application_name: str
    project_id: str


class ConnectionPreviewAnswer(ApiModel):
    """``credentials``: what becomes of each secret that signs in. As long as there are ``secretRotations`` through it, or
    ``hidden`` ones, a connection is not deleted. ``others``: how many connections sign in with the same credential, which
    stays for them. ``needsApproval``: another person has to approve it.
    """

    credentials: list[CredentialFateShown]
    secret_rotations: list[RotatedThroughConnection]
    hidden: int
    others: int
    needs_approval: bool


def preview(found: ConnectionPreview) -> ConnectionPreviewAnswer:
    rotated = [
        RotatedThroughConnection(ref.id, ref.name, ref.application_name, ref.place.project_id)
        for ref in found.rotated.seen
    ]
    return ConnectionPreviewAnswer(
        fates(found.credentials), rotated, found.rotated.hidden, found.others, found.needs_approval
    )
