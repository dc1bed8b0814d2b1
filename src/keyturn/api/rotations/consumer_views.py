"""JSON of who uses the secrets of an application."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.api.rotations.evidence_views import EvidenceShown, ReportedUse, evidence, present_reported_use
from keyturn.kit.clock import iso, iso_or_none
from keyturn.rotations.secret_rotations.consumers import (
    LONGEST_CONTINUOUS_TOKEN,
    LONGEST_TOKEN,
    SHORTEST_TOKEN,
    ConsumedSecret,
    SecretConsumer,
)
from keyturn.web.schema.wire import ApiModel, Timestamp


class ConsumerShown(ApiModel):
    """``kind``: *identity*, *user*, or *unknown* for who may have read it before reads were written down.

    ``id``, ``name``, ``instance`` and ``address`` are null for who may not see them. ``status``: *holds*, *switched* to a newer
    secret at ``switchedAt``, or *silent*: it announced to come every ``refreshInterval`` seconds and stayed away.
    ``countsUntil``: how long it counts as holding the secret if it shows nothing new; null: as long as that is kept.
    """

    kind: str
    id: str | None
    name: str | None
    instance: str | None
    address: str | None
    status: str
    since: Timestamp
    last_read_at: Timestamp | None
    last_acknowledged_at: Timestamp | None
    refresh_interval: int | None
    counts_until: Timestamp | None
    switched_at: Timestamp | None


class ConsumedSecretShown(ApiModel):
    """A secret that may work. ``holding`` of ``total`` consumers count as holding it, of whom the first are in ``consumers``.

    ``removedAt``: when it is removed if nobody shows anything new; null where that is not planned. ``waitsForConsumers``: it is
    removed earlier once none holds it. No consumers at all: nobody is known to have read it, so anybody may hold it.

    ``keptUntil``: of one that is removed only once it is not used any more, until when it is kept in any case. ``evidence``:
    whether one that was replaced is still used; null for the current one. ``reported``: what the provider reported of its use;
    null where that was never asked for.
    """

    key_id: str | None
    generation: int
    state: str
    hint: str | None
    ends_at: Timestamp | None
    removed_at: Timestamp | None
    waits_for_consumers: bool
    holding: int
    total: int
    consumers: list[ConsumerShown]
    kept_until: Timestamp | None
    evidence: EvidenceShown | None
    reported: ReportedUse | None


class AccessTokens(ApiModel):
    """How long an access token works that was obtained at this moment: removing the secret does not end it.

    It ends between ``earliest`` and ``latest``; with continuous access evaluation as late as ``latestWithCae``.
    """

    earliest: Timestamp
    latest: Timestamp
    latest_with_cae: Timestamp


class Consumers(ApiModel):
    """``secrets``: the newest first. After a leak whoever holds one of them stops signing in, until it reads the new one."""

    secrets: list[ConsumedSecretShown]
    access_tokens: AccessTokens


def consumers(secrets: Sequence[ConsumedSecret], now: datetime) -> Consumers:
    tokens = (iso(now + life) for life in (SHORTEST_TOKEN, LONGEST_TOKEN, LONGEST_CONTINUOUS_TOKEN))
    return Consumers(consumed_secrets(secrets), AccessTokens(*tokens))


def consumed_secrets(secrets: Sequence[ConsumedSecret]) -> list[ConsumedSecretShown]:
    return [_secret(each) for each in secrets]


def _secret(each: ConsumedSecret) -> ConsumedSecretShown:
    row = each.credential
    return ConsumedSecretShown(
        row.key_id,
        row.generation,
        row.state.value,
        row.hint,
        iso_or_none(row.ends_at),
        iso_or_none(each.goes_at),
        each.waits,
        each.holding,
        each.total,
        [_consumer(consumer) for consumer in each.consumers],
        iso_or_none(row.grace_ends_at),
        evidence(each.verdict) if each.verdict else None,
        present_reported_use(each.observed, each.why_silent) if each.observed else None,
    )


def _consumer(each: SecretConsumer) -> ConsumerShown:
    use, seen = each.holder.use, each.visible
    return ConsumerShown(
        use.caller.kind,
        (use.caller.id or None) if seen else None,
        each.name,
        (use.caller.instance or None) if seen else None,
        use.address if seen else None,
        each.holder.standing.value,
        iso(use.first_at),
        iso_or_none(use.read_at),
        iso_or_none(use.acknowledged_at),
        round(use.refresh.total_seconds()) if use.refresh else None,
        iso_or_none(each.holder.until),
        iso_or_none(each.holder.switched_at),
    )
