"""JSON of plans: what a rotation would do."""

from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.secret_rotations.plan import SecretRotationPlan
from keyturn.web.schema.wire import ApiModel, Timestamp


class PlannedSecretShown(ApiModel):
    """A secret that the application has now. ``removedAt``: when it will be removed; null: it stays. ``isOurs``: made or handed
    over here. ``probablyMadeBy``: what its name and dates tell of another one; anybody may give any name.
    """

    key_id: str
    name: str | None
    ends_at: Timestamp | None
    is_ours: bool
    removed_at: Timestamp | None
    probably_made_by: str | None


class PolicyShown(ApiModel):
    """Whether the tenant's app management policies let the new secret be added. ``verdict`` is ``allowed``, ``shorter-lifetime``,
    ``refused`` or ``unknown``; ``fix`` is how to have it allowed or known, ``instead`` what works without that.
    """

    verdict: str
    message: str
    fix: str | None
    instead: str | None


class PlanShown(ApiModel):
    """``addsSecret`` is false where the application is rotated already: what is current is published at once, too.

    ``endsAt`` is the end of the new secret, ``shorterEndsAt`` what is asked for when the tenant's policy refuses that.
    ``freeSlots``: how many more secrets the application may hold then; null: no small limit. ``isListed``: the application is on
    the connection's list already; else it is put there. ``isServicePrincipalUnseen``: the connection's permissions do not show
    whether the application has a service principal; without one its first secret cannot sign in, and nothing is left.
    ``policy`` is null where no secret is added.
    ``nextRunNotes`` say of each of ``nextRuns`` why it is not when the schedule asks for it. ``freeze``: now nothing is changed,
    and a rotation asks for ``freezeReason``.
    """

    application_name: str
    object_id: str
    client_id: str
    connection_name: str
    is_listed: bool
    adds_secret: bool
    ends_at: Timestamp
    shorter_ends_at: Timestamp
    secrets: list[PlannedSecretShown]
    free_slots: int | None
    next_runs: list[Timestamp]
    is_service_principal_unseen: bool
    policy: PolicyShown | None
    next_run_notes: list[str | None]
    freeze: str | None


class PlanAnswer(ApiModel):
    plan: PlanShown


def answer(plan: SecretRotationPlan) -> PlanAnswer:
    application, policy = plan.application, plan.policy
    secrets = [
        PlannedSecretShown(
            each.key_id,
            each.name,
            iso_or_none(each.ends_at),
            each.ours,
            iso_or_none(each.until),
            each.writer.name if each.writer else None,
        )
        for each in plan.secrets
    ]
    return PlanAnswer(
        PlanShown(
            application_name=application.name,
            object_id=application.object_id,
            client_id=application.app_id,
            connection_name=plan.connection.name,
            is_listed=plan.listed,
            adds_secret=plan.adds,
            ends_at=iso(plan.ends_at),
            shorter_ends_at=iso(plan.shorter_ends_at),
            secrets=secrets,
            free_slots=plan.free_slots,
            next_runs=[iso(run.at) for run in plan.runs],
            is_service_principal_unseen=plan.principal_unseen,
            policy=PolicyShown(policy.verdict.value, policy.message, policy.fix, policy.instead) if policy else None,
            next_run_notes=[run.note or None for run in plan.runs],
            freeze=plan.frozen.told() if plan.frozen else None,
        )
    )
