"""Routes of secret rotations: the secret of an application, rotated into secrets of a project."""

from collections.abc import Callable

from keyturn.api.approvals.asking import ALSO_APPROVED, Asking
from keyturn.api.connections import history_views
from keyturn.api.connections.schemas import RunsPage
from keyturn.api.rotations import consumer_views, plan_views, preview_views, views
from keyturn.api.rotations.schemas import (
    CreateSecretRotation,
    DeleteSecretRotation,
    HandOverSecret,
    InFolder,
    OfProject,
    ReleaseSecret,
    RotateSecrets,
    UpdateSecretRotation,
)
from keyturn.approvals.service import Approvals
from keyturn.kit.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.rotations.change_previews import ChangePreviews
from keyturn.rotations.domain import Reason
from keyturn.rotations.secret_rotations.consumers import SecretConsumers
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.secret_rotations.history import SecretRotationHistory
from keyturn.rotations.secret_rotations.plan import SecretRotationPlans
from keyturn.rotations.secret_rotations.service import SecretRotations
from keyturn.rotations.secret_rotations.values import SecretRotationValues
from keyturn.secrets.domain import Address
from keyturn.web.routes import Operation, Routes, delete, get, group, patch, post
from keyturn.web.schema.validate import Uuid
from keyturn.web.waiting import Waiting

ALL = "/api/v2/secret-rotations"
ROOT = f"{ALL}/{views.TYPE}"
ONE = f"{ROOT}/{{rotation_id}}"


def router(
    rotations: SecretRotations,
    values: SecretRotationValues,
    history: SecretRotationHistory,
    plans: SecretRotationPlans,
    previews: ChangePreviews,
    consumers: SecretConsumers,
    approvals: Approvals,
    clock: Clock,
) -> Routes:
    """Return the routes."""
    asking = Asking(approvals, clock)
    return group(
        "Secret rotations",
        *_lists(rotations, clock),
        *_single(rotations, clock),
        *_changing(rotations, clock, asking),
        *_rotating(rotations, clock, asking),
        *_planning(plans, previews),
        *_made(values, clock, asking),
        *_values(values, clock),
        *_history(history, clock),
        *_consumers(consumers, clock),
    )


# --- reading ----------------------------------------------------------------------------------------------------------


def _lists(rotations: SecretRotations, clock: Clock) -> list[Operation]:
    @get(f"{ALL}/options")
    def list_secret_rotation_options(actor: Actor) -> views.SecretRotationOptions:  # noqa: ARG001 - for the signed-in only
        """List the kinds of secret rotations that this server knows."""
        return views.options()

    @get(ALL)
    def list_all_secret_rotations(actor: Actor, query: OfProject) -> views.SecretRotationList:
        """List the secret rotations of a project by name, of all kinds."""
        return views.present_rotations(rotations.list(actor, query.project_id), clock.now())

    @get(ROOT)
    def list_secret_rotations(actor: Actor, query: OfProject) -> views.SecretRotationList:
        """List the secret rotations of a project by name."""
        return views.present_rotations(rotations.list(actor, query.project_id), clock.now())

    return [list_secret_rotation_options, list_all_secret_rotations, list_secret_rotations]


def _single(rotations: SecretRotations, clock: Clock) -> list[Operation]:
    @get(ONE)
    def get_secret_rotation(actor: Actor, rotation_id: Uuid) -> views.SecretRotationAnswer:
        """Show a secret rotation. No secret is shown."""
        return views.answer(rotations.get(actor, rotation_id), clock.now())

    @get(f"{ROOT}/rotation-name/{{rotation_name}}")
    def get_secret_rotation_by_name(actor: Actor, rotation_name: str, query: InFolder) -> views.SecretRotationAnswer:
        """Show the secret rotation of this name in a folder."""
        address = Address(query.project_id, None, query.environment, query.secret_path)
        return views.answer(rotations.by_name(actor, address, rotation_name), clock.now())

    @get(f"{ONE}/shared-with")
    def get_sharing_secret_rotations(actor: Actor, rotation_id: Uuid) -> views.SharedWithAnswer:
        """List the other secret rotations that publish the same application's secrets, perhaps in other projects.

        With the reason ``leaked``, a rotation ends what was promised to their readers, too.
        """
        return views.shared_with(rotations.shared_with(actor, rotation_id))

    return [get_secret_rotation, get_secret_rotation_by_name, get_sharing_secret_rotations]


# --- changing ---------------------------------------------------------------------------------------------------------


def _changing(rotations: SecretRotations, clock: Clock, asking: Asking) -> list[Operation]:
    @post(ROOT, also=_ALSO)
    def create_secret_rotation(actor: Actor, data: CreateSecretRotation) -> Waiting[views.SecretRotationAnswer]:
        """Rotate an application's client secret into two secrets of a folder.

        A first secret is made at once and proved to sign in; then the two secrets appear, and this answers, usually after
        some ten seconds. When that fails nothing is left, here or at Entra ID. The same again while it is under way waits for
        it, too, and afterwards answers what there is.
        """
        awaited = rotations.create(actor, data.command())
        return _until(lambda: rotations.created(actor, awaited), clock)

    @patch(ONE)
    def update_secret_rotation(
        actor: Actor, rotation_id: Uuid, data: UpdateSecretRotation
    ) -> views.SecretRotationAnswer:
        """Change a secret rotation: all that is asked or, if anything is refused, nothing.

        Another mapping renames the two secrets.
        """
        return views.answer(rotations.update(actor, rotation_id, data.command()), clock.now())

    @delete(ONE, also=ALSO_APPROVED)
    def delete_secret_rotation(
        actor: Actor, rotation_id: Uuid, query: DeleteSecretRotation
    ) -> views.DeletedSecretRotationAnswer:
        """Delete a secret rotation. ``staysValid`` lists the secrets that will still sign in to Entra ID."""
        result = asking.done(
            actor,
            lambda consent: rotations.delete(
                actor,
                rotation_id,
                delete_secrets=query.delete_secrets,
                revoke=query.revoke_generated_credentials,
                consent=consent,
            ),
            reason=query.approval_reason,
        )
        return views.present_deletion(result, clock.now())

    return [create_secret_rotation, update_secret_rotation, delete_secret_rotation]


# --- rotating ---------------------------------------------------------------------------------------------------------


def _rotating(rotations: SecretRotations, clock: Clock, asking: Asking) -> list[Operation]:
    @post(f"{ONE}/rotate-secrets", also={500: "The rotation failed at Entra ID"} | ALSO_APPROVED)
    def rotate_secrets(
        actor: Actor, rotation_id: Uuid, query: RotateSecrets, data: RotateSecrets | None
    ) -> Waiting[views.SecretRotationAnswer]:
        """Rotate now, and answer when the new secret is current. A rotation under way is joined.

        When it is not over in time, the answer shows it as it is: ``activeRun`` tells. The reason ``leaked`` is refused to
        whoever may not rotate all that ``/shared-with`` lists.
        """
        leaked = Reason.LEAKED.value in {query.reason, data.reason if data else None}
        said = data or query
        why = query.freeze_reason or said.freeze_reason
        awaited = asking.done(
            actor,
            lambda consent: rotations.rotate(actor, rotation_id, leaked=leaked, freeze_reason=why, consent=consent),
            reason=query.approval_reason or said.approval_reason,
            emergency=query.emergency_reason or said.emergency_reason,
        )
        return _until(lambda: rotations.rotated(actor, awaited), clock)

    return [rotate_secrets]


def _until(look: Callable[[], SecretRotationView | None], clock: Clock) -> Waiting[views.SecretRotationAnswer]:
    """Wait for the end of a run. The use case itself gives up in time."""

    def answered() -> views.SecretRotationAnswer | None:
        view = look()
        return None if view is None else views.answer(view, clock.now())

    return Waiting(answered)


# --- looking ahead ----------------------------------------------------------------------------------------------------


def _planning(plans: SecretRotationPlans, previews: ChangePreviews) -> list[Operation]:
    @post(f"{ROOT}/plan")
    def plan_secret_rotation(actor: Actor, data: CreateSecretRotation) -> plan_views.PlanAnswer:
        """Say what creating the same would do: all its checks are made, at Entra ID too, and nothing is changed."""
        return plan_views.answer(plans.of_new(actor, data.command()))

    @get(f"{ONE}/plan")
    def plan_next_rotation(actor: Actor, rotation_id: Uuid) -> plan_views.PlanAnswer:
        """Say what rotating now would do: which secret is added, and which ones are kept, or removed when."""
        return plan_views.answer(plans.of(actor, rotation_id))

    @get(f"{ONE}/preview")
    def preview_change(
        actor: Actor, rotation_id: Uuid, query: preview_views.PreviewRotationChange
    ) -> preview_views.RotationPreviewAnswer:
        """Say what the deletion would do, or a rotation because of a leak: which secrets are removed, which stay valid, who uses
        them. Nothing is changed. Who may not do it is refused.
        """
        if query.change == "leak":
            return preview_views.preview(previews.leak_of_rotation(actor, rotation_id))
        delete_secrets, revoke = query.delete_secrets, query.revoke_generated_credentials
        found = previews.deletion_of_rotation(actor, rotation_id, delete_secrets=delete_secrets, revoke=revoke)
        return preview_views.preview(found)

    return [plan_secret_rotation, plan_next_rotation, preview_change]


# --- secrets that were made before ------------------------------------------------------------------------------------


def _made(values: SecretRotationValues, clock: Clock, asking: Asking) -> list[Operation]:
    @post(f"{ONE}/make-previous-current")
    def make_previous_secret_current(actor: Actor, rotation_id: Uuid) -> views.SecretRotationAnswer:
        """Publish the newest previous secret again, once it has signed in. For when a program does not work with the new one."""
        return views.answer(values.make_previous_current(actor, rotation_id), clock.now())

    @post(f"{ONE}/hand-over", also=ALSO_APPROVED)
    def hand_over_secret(actor: Actor, rotation_id: Uuid, data: HandOverSecret) -> views.SecretRotationAnswer:
        """Hand over a secret that was made by hand: it is kept until somebody confirms that nobody uses it."""
        view = asking.done(
            actor,
            lambda consent: values.hand_over(actor, rotation_id, data.command(), consent),
            reason=data.approval_reason,
        )
        return views.answer(view, clock.now())

    @post(f"{ONE}/release", also=ALSO_APPROVED)
    def release_secret(actor: Actor, rotation_id: Uuid, data: ReleaseSecret) -> views.SecretRotationAnswer:
        """Confirm that nobody uses a secret that was handed over, or that waits until it is not used (``until-unused``): it is
        removed from Entra ID, after its grace time.

        While consumers hold it, this is refused and names them, unless ``confirmed`` says that they may stop signing in.
        """
        view = asking.done(
            actor,
            lambda consent: values.release(actor, rotation_id, data.key_id, confirmed=data.confirmed, consent=consent),
            reason=data.approval_reason,
        )
        return views.answer(view, clock.now())

    return [make_previous_secret_current, hand_over_secret, release_secret]


# --- looking at values ------------------------------------------------------------------------------------------------


def _values(values: SecretRotationValues, clock: Clock) -> list[Operation]:
    @get(f"{ONE}/generated-credentials")
    def get_generated_credentials(actor: Actor, rotation_id: Uuid) -> views.GeneratedCredentialsAnswer:
        """Show the values of the current secret and of the newest previous one that still works."""
        return views.present_credentials(values.generated_credentials(actor, rotation_id), clock.now())

    @post(f"{ONE}/check-credentials", status=204)
    def check_generated_credentials(actor: Actor, rotation_id: Uuid) -> None:
        """Sign in to Entra ID with the current secret, and answer 400 with what it says when that is refused."""
        values.check_credentials(actor, rotation_id)

    return [get_generated_credentials, check_generated_credentials]


# --- what was done ----------------------------------------------------------------------------------------------------


def _history(history: SecretRotationHistory, clock: Clock) -> list[Operation]:
    @get(f"{ONE}/credentials")
    def list_rotation_credentials(actor: Actor, rotation_id: Uuid) -> views.RotationCredentials:
        """List every secret that the rotation ever made or was handed over, newest first. Never their values."""
        return views.credentials(*history.credentials(actor, rotation_id), clock.now())

    @get(f"{ONE}/rotation-runs", compressed=True)
    def list_secret_rotation_runs(actor: Actor, rotation_id: Uuid, query: RunsPage) -> history_views.RunList:
        """List the rotations that were tried, newest first, with their steps."""
        runs_and_steps = history.runs(actor, rotation_id, query.limit, query.before)
        return history_views.RunList([history_views.run(run, steps) for run, steps in runs_and_steps])

    return [list_rotation_credentials, list_secret_rotation_runs]


# --- who uses what ----------------------------------------------------------------------------------------------------


def _consumers(consumers: SecretConsumers, clock: Clock) -> list[Operation]:
    @get(f"{ONE}/consumers", compressed=True)
    def list_secret_consumers(actor: Actor, rotation_id: Uuid) -> consumer_views.Consumers:
        """List who reads which secret of the application: who holds a previous one, and who has switched when.

        These stop signing in when a leak is told. Access tokens that they have by then live on, see ``accessTokens``.
        """
        _, secrets = consumers.of(actor, rotation_id)
        return consumer_views.consumers(secrets, clock.now())

    return [list_secret_consumers]


_ALSO = {504: "It was not over in time; it was ended, and what was made is being removed"}
