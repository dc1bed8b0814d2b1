"""Routes of deletions of projects, environments and folders: seen before, asked for, and taken back."""

from keyturn.api.deletions.schemas import (
    DeletePlace,
    DeletionAnswer,
    DeletionList,
    DeletionShown,
    EndingSecretRotation,
    OfDeletions,
    PreviewAnswer,
    PreviewPlace,
    RestorePlace,
    ValidCredential,
)
from keyturn.api.rotations.consumer_views import consumed_secrets
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso, iso_or_none
from keyturn.projects.deletions import Deletion
from keyturn.rotations.secret_rotations.place_deletion import DeletionPreview, PlaceDeletions
from keyturn.secrets.restoring import Restoring
from keyturn.web.routes import Routes, get, group, post

ROOT = "/api/v1/deletions"


def router(deletions: PlaceDeletions, restoring: Restoring) -> Routes:
    @get(f"{ROOT}/preview")
    def preview_deletion(actor: Actor, query: PreviewPlace) -> PreviewAnswer:
        """Say what the deletion of a project, or of an environment or a folder of it, would take and stop.

        Nothing is deleted. Who may not delete it is refused.
        """
        return _preview(deletions.preview(actor, query.project_id, query.environment_id, query.folder_id))

    @post(ROOT)
    def delete_place(actor: Actor, data: DeletePlace) -> DeletionAnswer:
        """Delete a project, or an environment or a folder of it, with the secret rotations that publish into it where asked."""
        deletion = deletions.delete(
            actor, data.project_id, data.environment_id, data.folder_id, end_rotations=data.end_secret_rotations
        )
        return DeletionAnswer(_shown(deletion))

    @get(ROOT)
    def list_deletions(actor: Actor, query: OfDeletions) -> DeletionList:
        """List what the caller may restore, the newest first: environments and folders of a project, or without one projects."""
        return DeletionList([_shown(each) for each in restoring.list(actor, query.project_id)])

    @post(f"{ROOT}/{{deletion_id}}/restore")
    def restore_deletion(actor: Actor, deletion_id: str, data: RestorePlace | None) -> DeletionAnswer:
        """Restore what a deletion took, within seven days, with all that was in it.

        Where its name was taken meanwhile this is refused, and ``name`` says how it is called from now on. Secret rotations that
        ended with the deletion stay ended: their secrets are ordinary ones.
        """
        return DeletionAnswer(_shown(restoring.restore(actor, deletion_id, data.name or None if data else None)))

    return group("Deletions", preview_deletion, delete_place, list_deletions, restore_deletion)


def _preview(preview: DeletionPreview) -> PreviewAnswer:
    ending = [
        EndingSecretRotation(
            each.view.secret_rotation.id,
            each.view.secret_rotation.name,
            each.view.rotation.application_name,
            each.view.place.environment,
            each.view.place.path,
            [ValidCredential(row.key_id, iso_or_none(row.ends_at)) for row in each.stays_valid],
            consumed_secrets(each.consumed),
        )
        for each in preview.rotations
    ]
    return PreviewAnswer(preview.folders, preview.secrets, ending, preview.hidden, iso(preview.restorable_until))


def _shown(deletion: Deletion) -> DeletionShown:
    return DeletionShown(
        deletion.id,
        deletion.kind.value,
        deletion.subject_id,
        deletion.project_id,
        deletion.name,
        deletion.environment,
        deletion.path,
        deletion.made_by_name,
        iso(deletion.deleted_at),
        iso(deletion.restorable_until),
    )
