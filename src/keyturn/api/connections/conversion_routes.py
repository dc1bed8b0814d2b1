"""Routes by which a connection is made to sign in without a secret."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from keyturn.api.approvals.asking import ALSO_APPROVED, Asking
from keyturn.api.approvals.schemas import ApprovalReason
from keyturn.kit.actor import Actor
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.conversion.domain import Conversion
from keyturn.rotations.conversion.service import ConversionPlan, Conversions
from keyturn.web.routes import Operation, get, post
from keyturn.web.schema.validate import Sentence, Uuid
from keyturn.web.schema.wire import ApiModel, Timestamp

Source = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,39}$",
        description="Name of a token source of the server (KEYTURN_TOKEN_SOURCES).",
    ),
    Sentence("must be the name of a token source of this server: lower-case letters, digits and -"),
]


class PlanConversion(ApiModel):
    token_source: Source


class BeginConversion(ApiModel):
    """For ``watchHours``, 24 by default, the secret of before is kept and the connection can go back.

    ``approvalReason``: where another person has to approve it, why it is to be done.
    """

    token_source: Source
    watch_hours: Annotated[int, Meta(ge=1, le=336)] = 24
    approval_reason: ApprovalReason | None = None


class TakeBackConversion(ApiModel):
    """``leave``: what the application was made to trust, and cannot be removed, is left there."""

    leave: bool = False


class ConversionPlanShown(ApiModel):
    """What would be done. ``command`` is what a person would type instead.

    ``sharedWith`` counts other connections with the same secret, which is not removed as long as there are any.
    """

    issuer: str
    subject: str
    audience: str
    already_trusted: bool
    federated_credentials: int
    most_federated_credentials: int
    command: str
    shared_with: int


class ConversionShown(ApiModel):
    """``state`` is trusting, proving, watching, done, withdrawing or withdrawn.

    ``message`` says what is in the way, or why it went back. ``watchedUntil`` is put off by who is seen to sign in with the
    secret of before: ``usedBy``, at ``usedAt``. By ``removedBy``, while it is withdrawing, the federated credential is gone.
    """

    id: str
    state: str
    token_source: str
    issuer: str
    subject: str
    federated_credential: str
    since: Timestamp
    watched_until: Timestamp | None
    used_at: Timestamp | None
    used_by: str | None
    removed_by: Timestamp | None
    created_at: Timestamp
    ended_at: Timestamp | None
    code: str | None
    message: str | None
    fix: str | None


class ConversionAnswer(ApiModel):
    conversion: ConversionShown | None


def routes(conversions: Conversions, root: str, asking: Asking) -> list[Operation]:
    """Return the routes of connections below this root."""
    one = f"{root}/{{connection_id}}/secretless"

    @get(one)
    def get_app_connection_conversion(actor: Actor, connection_id: Uuid) -> ConversionAnswer:
        """Show how far the connection is on its way to sign in without a secret; null if nobody asked for that."""
        conversion = conversions.newest(actor, connection_id)
        return ConversionAnswer(present_conversion(conversion) if conversion else None)

    @post(f"{one}/plan")
    def plan_app_connection_conversion(actor: Actor, connection_id: Uuid, data: PlanConversion) -> ConversionPlanShown:
        """Check all that must be so for the connection to sign in without a secret. Changes nothing."""
        return plan(conversions.plan(actor, connection_id, data.token_source))

    @post(one, also=ALSO_APPROVED)
    def begin_app_connection_conversion(actor: Actor, connection_id: Uuid, data: BeginConversion) -> ConversionAnswer:
        """Make the connection sign in without a secret: its application is made to trust this server's identity.

        It is proven, then the connection is switched and watched; after that the secret is removed. Answers at once.
        """
        watch = timedelta(hours=data.watch_hours)
        _, conversion = asking.done(
            actor,
            lambda consent: conversions.begin(actor, connection_id, data.token_source, watch, consent),
            reason=data.approval_reason,
        )
        return ConversionAnswer(present_conversion(conversion))

    @post(f"{one}/back")
    def take_back_app_connection_conversion(
        actor: Actor, connection_id: Uuid, data: TakeBackConversion | None
    ) -> ConversionAnswer:
        """Go back to the secret, as long as the connection is watched. Answers before that is done. Repeatable."""
        _, conversion = conversions.go_back(actor, connection_id, leave=bool(data and data.leave))
        return ConversionAnswer(present_conversion(conversion))

    return [
        get_app_connection_conversion,
        plan_app_connection_conversion,
        begin_app_connection_conversion,
        take_back_app_connection_conversion,
    ]


def plan(found: ConversionPlan) -> ConversionPlanShown:
    return ConversionPlanShown(
        found.trust.issuer,
        found.trust.subject,
        found.trust.audience,
        found.trusted,
        found.trusts,
        found.most_trusts,
        found.command,
        found.shared_with,
    )


def present_conversion(conversion: Conversion) -> ConversionShown:
    reason = conversion.reason or {}
    return ConversionShown(
        id=conversion.id,
        state=conversion.state.value,
        token_source=conversion.source,
        issuer=conversion.issuer,
        subject=conversion.subject,
        federated_credential=conversion.name,
        since=iso(conversion.since),
        watched_until=iso_or_none(conversion.watched_until),
        used_at=iso_or_none(conversion.used_at),
        used_by=conversion.used_by,
        removed_by=iso_or_none(conversion.trust_removed_by(conversion.tried_at or conversion.since)),
        created_at=iso(conversion.created_at),
        ended_at=iso_or_none(conversion.ended_at),
        code=_text(reason.get("code")),
        message=_text(reason.get("message")),
        fix=_text(reason.get("fix")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
