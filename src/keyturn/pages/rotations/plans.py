"""A plan in words, and the page that shows what a rotation would do now."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.pages.rotations.urls import ONE, PageOfRotations, RotationPages
from keyturn.ports.preflight import PolicyReport, PolicyVerdict
from keyturn.rotations.freezes.domain import Freeze
from keyturn.rotations.run_schedule import ComingRun
from keyturn.rotations.secret_rotations.domain import SecretRotationView
from keyturn.rotations.secret_rotations.plan import SecretRotationPlan
from keyturn.secrets.mapped import SecretNames
from keyturn.web.pages import PageRoute, get


@dataclass(frozen=True)
class KeyLine:
    """A secret of the application, and what becomes of it."""

    name: str
    key_id: str
    fate: str
    tone: str
    at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True)
class PlanInWords:
    application: str
    steps: Sequence[str]
    keys: Sequence[KeyLine]
    warnings: Sequence[str]
    runs: Sequence[ComingRun]
    frozen: Freeze | None
    unknown: PolicyReport | None = None
    """That policies could not be read, which need not mean anything."""


@dataclass(frozen=True)
class PlanPage(PageOfRotations):
    template: ClassVar[str] = "rotations/plan.html"

    view: SecretRotationView
    plan: PlanInWords
    schedule_zone: ZoneInfo


def routes(pages: RotationPages) -> list[PageRoute]:
    @get(ONE + "/plan")
    def show_plan(actor: Actor, rotation_id: str) -> PlanPage:
        view = pages.rotations.get(actor, rotation_id)
        plan = pages.plans.of(actor, rotation_id)
        project = pages.project(actor, view.secret_rotation.project_id)
        steps = [
            f"`{view.names.client_secret}` in {folder(view.place.environment_name, view.place.path)} gets the new secret.",
            "Programs that hold the previous one can go on with it until it is removed.",
        ]
        zone = zones.display_zone(view.rotation.schedule.time_zone)
        return PlanPage(project, view, in_words(plan, steps), zone)

    return [show_plan]


def of_new(plan: SecretRotationPlan, names: SecretNames, place: str, again: str) -> PlanInWords:
    """Say what creating a secret rotation would do. ``again`` is the sentence on what comes afterwards."""
    what = "the new secret" if plan.adds else "the secret that is current"
    appear = f"`{names.client_id}` and `{names.client_secret}` appear in {place}, with the client id and {what}."
    return in_words(plan, [appear, again])


def in_words(plan: SecretRotationPlan, outcome: Sequence[str]) -> PlanInWords:
    return PlanInWords(
        plan.application.name,
        [*_before(plan), *outcome],
        [*_added(plan), *_there(plan)],
        list(_warnings(plan)),
        plan.runs,
        plan.frozen,
        plan.policy if plan.policy and _unread(plan.policy) else None,
    )


def folder(environment: str, path: str) -> str:
    return environment if path == "/" else f"{environment} {path}"


def _before(plan: SecretRotationPlan) -> list[str]:
    name, through = plan.application.name, plan.connection.name
    steps = [] if plan.listed else [f"{name} is put on the list of applications that may be rotated through {through}."]
    if not plan.adds:
        return [*steps, f"{name} is rotated already through {through}: no new secret is made."]
    return [
        *steps,
        f"The connection {through} asks Microsoft Graph for a new client secret of {name}.",
        "The new secret is tried at Entra ID until every replica accepts it.",
    ]


def _added(plan: SecretRotationPlan) -> list[KeyLine]:
    return [KeyLine("New secret", "", "Added", "good", None, plan.ends_at)] if plan.adds else []


def _there(plan: SecretRotationPlan) -> list[KeyLine]:
    return [
        KeyLine(
            each.name or "No name",
            each.key_id,
            "Removed" if each.until else "Kept",
            "warn" if each.until else "neutral",
            each.until,
            each.ends_at,
        )
        for each in plan.secrets
    ]


def _unread(policy: PolicyReport) -> bool:
    return policy.verdict is PolicyVerdict.UNKNOWN and not policy.code


def _warnings(plan: SecretRotationPlan) -> Sequence[str]:
    others = [each.name or each.key_id for each in plan.secrets if not each.ours]
    frozen = [f"Nothing is to be changed now: {plan.frozen.told()}."] if plan.frozen else []
    texts = frozen + [
        f"'{each.name or each.key_id}' was probably made by {each.writer.name}. {each.writer.danger} ".rstrip()
        + " Let one tool alone rotate this application."
        for each in plan.secrets
        if each.writer
    ]
    if plan.free_slots is not None and plan.free_slots < 1 and others:
        names = ", ".join(f"'{name}'" for name in others)
        texts.append(
            "The application can hold no more secrets after this one, since it is open to personal accounts. The next rotation "
            f"needs a free place: remove {names} until then."
        )
    if plan.principal_unseen:
        texts.append(
            f"The connection may not see whether {plan.application.name} has a service principal. Without one the first secret "
            "cannot sign in, and all is undone: create it before with "
            f"`az ad sp create --id {plan.application.app_id}`."
        )
    policy = plan.policy
    if policy and policy.verdict is not PolicyVerdict.ALLOWED and not _unread(policy):
        texts.append(" ".join(text for text in (policy.message, policy.fix, policy.instead) if text))
    return texts
