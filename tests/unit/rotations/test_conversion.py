"""When what is done on the way to no secret: whatever the clock does, the secret is not given up early."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keyturn.rotations.conversion.domain import (
    ABSENCES,
    LONGEST_PAUSE,
    LOOK_EVERY,
    PROOFS,
    UNDER_WAY,
    Conversion,
    ConversionState,
    Step,
    decide,
)
from keyturn.rotations.evidence.domain import LEAST_WINDOW

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SPACING = timedelta(seconds=2)
moments = st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda apart: NOW + apart)


def conversion(
    state: ConversionState, since: datetime, tries: int, tried_at: datetime | None, **moments: datetime | None
) -> Conversion:
    texts = dict.fromkeys(
        (
            "id",
            "connection_id",
            "org_id",
            "object_id",
            "source",
            "name",
            "issuer",
            "subject",
            "audience",
            "hash_before",
        ),
        "x",
    )
    return Conversion(
        state=state,
        method_before="client-secret",
        rotated_before=True,
        watch_seconds=86_400,
        since=since,
        created_at=since,
        tries=tries,
        tried_at=tried_at,
        **moments,
        **texts,
    )


@given(st.sampled_from(list(ConversionState)), moments, st.integers(0, 9), *[st.none() | moments] * 3)
def test_it_never_waits_long_and_never_ends_early(
    state: ConversionState,
    since: datetime,
    tries: int,
    tried_at: datetime | None,
    settles_at: datetime | None,
    used_at: datetime | None,
) -> None:
    told = conversion(state, since, tries, tried_at, settles_at=settles_at, used_at=used_at)
    due = decide(told, NOW, SPACING)
    assert (due is None) == (state not in UNDER_WAY)
    if due is None:
        return
    hourly = {ConversionState.WATCHING, ConversionState.WITHDRAWING}
    assert due.at <= NOW + (LOOK_EVERY if state in hourly else LONGEST_PAUSE)
    if due.step is Step.END:
        assert tries >= ABSENCES
    if due.step is Step.REMOVE and settles_at is not None and settles_at > NOW:
        assert due.at <= settles_at, "it is looked for as soon as all replicas know"
    if due.step is Step.FINISH:
        assert tries == 0
        assert tried_at is not None
        assert since + timedelta(days=1) <= tried_at <= NOW
        assert used_at is None or min(used_at, NOW) + LEAST_WINDOW <= tried_at, "somebody else uses the secret"
    assert (due.step is Step.PUBLISH) == (state is ConversionState.PROVING and tries >= PROOFS)
