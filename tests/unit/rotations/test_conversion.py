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

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SPACING, SETTLE = timedelta(seconds=2), timedelta(minutes=15)
moments = st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda apart: NOW + apart)


def conversion(state: ConversionState, since: datetime, tries: int, tried_at: datetime | None) -> Conversion:
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
        **texts,
    )


@given(st.sampled_from(list(ConversionState)), moments, st.integers(0, 9), st.none() | moments)
def test_it_never_waits_long_and_never_ends_early(
    state: ConversionState, since: datetime, tries: int, tried_at: datetime | None
) -> None:
    due = decide(conversion(state, since, tries, tried_at), NOW, SPACING, SETTLE)
    assert (due is None) == (state not in UNDER_WAY)
    if due is None:
        return
    longest = {ConversionState.WATCHING: LOOK_EVERY, ConversionState.WITHDRAWING: SETTLE}.get(state, LONGEST_PAUSE)
    assert due.at <= NOW + longest
    if due.step is Step.END:
        assert tries > ABSENCES
    if state is ConversionState.WITHDRAWING and tries == ABSENCES and tried_at is not None and tried_at <= NOW:
        assert due.at >= tried_at + SETTLE, "what was written last shows by then"
    if due.step is Step.FINISH:
        assert tries == 0
        assert tried_at is not None
        assert since + timedelta(days=1) <= tried_at <= NOW
    assert (due.step is Step.PUBLISH) == (state is ConversionState.PROVING and tries >= PROOFS)
