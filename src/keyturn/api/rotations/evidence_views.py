"""JSON of whether a secret that was replaced is still used, and of what that is known from."""

from collections.abc import Sequence

from keyturn.kit.clock import iso, iso_or_none
from keyturn.ports.use_reports import ReportTrouble
from keyturn.rotations.evidence.domain import ObservedUse, Verdict
from keyturn.web.schema.wire import ApiModel, Timestamp


class ObservedUserShown(ApiModel):
    """An address that signed in with the secret, as the provider's log shows it, and what it signed in to."""

    address: str
    resource: str
    first_at: Timestamp
    last_at: Timestamp


class RefusedUserShown(ApiModel):
    """An address that was refused with the secret since its removal. ``isCertain``: the log names the secret itself; else the
    address is one that had used it.
    """

    address: str
    resource: str
    error_code: int
    first_at: Timestamp
    last_at: Timestamp
    is_certain: bool


class WhyUnknown(ApiModel):
    """Why nothing is known: ``licence``, ``permission``, ``cloud``, ``beta-off``, ``throttled``, ``lag``, ``sign-in`` or
    ``provider``; in words, and what to do.
    """

    reason: str
    message: str
    fix: str | None


class EvidenceShown(ApiModel):
    """Whether a secret that was replaced is still used.

    ``verdict``: ``in-use``; ``quiet``, when every source showed it unused for the window; ``acknowledged-elsewhere``, when every
    program that is known has switched; ``not-observable``, with ``reasons``, which is not to say that it is unused.

    ``since``: the last use; of a quiet one that was never seen used, when watching it began; of one acknowledged elsewhere, when
    the last program switched. ``sources``: ``sign-in-log``, ``credential-activity``. ``windowSeconds``: for so long it has to be
    quiet. ``quietFrom``: when it counts as quiet at the earliest, if nothing more is reported. ``isUnexplained``: it was used
    after every program that is known had switched.
    """

    verdict: str
    since: Timestamp | None
    sources: list[str]
    window_seconds: int
    quiet_from: Timestamp | None
    is_unexplained: bool
    used_by: list[ObservedUserShown]
    reasons: list[WhyUnknown]


class ReportedUse(ApiModel):
    """What the provider reported of a secret, whatever its state. ``lastUsedAt`` is null where no use was reported.

    ``credentialKind`` is what was presented at the last sign-in that the log shows: ``client-secret``, ``certificate``,
    ``client-assertion``, ``federated-credential`` or ``managed-identity``; null where it did not say. ``reasons``: why no use was
    reported, as far as that is known.
    """

    last_used_at: Timestamp | None
    credential_kind: str | None
    refused_since_removal: list[RefusedUserShown]
    reasons: list[WhyUnknown]


def evidence(verdict: Verdict) -> EvidenceShown:
    return EvidenceShown(
        verdict.kind.value,
        iso_or_none(verdict.since),
        [source.value for source in verdict.sources],
        round(verdict.window.total_seconds()),
        iso_or_none(verdict.until),
        verdict.unexplained,
        [
            ObservedUserShown(user.address, user.resource, iso(user.pace.first_at), iso(user.pace.last_at))
            for user in verdict.users
        ],
        [_why(trouble) for trouble in verdict.troubles],
    )


def present_reported_use(use: ObservedUse, why_silent: Sequence[ReportTrouble]) -> ReportedUse:
    refused = [
        RefusedUserShown(user.address, user.resource, user.error, iso(user.first_at), iso(user.last_at), user.certain)
        for user in use.refused
    ]
    return ReportedUse(
        iso_or_none(use.last_at), use.credential_kind or None, refused, [_why(each) for each in why_silent]
    )


def _why(trouble: ReportTrouble) -> WhyUnknown:
    return WhyUnknown(trouble.reason.value, trouble.message, trouble.fix)
