"""Whether a secret is still used: what reports show, what they cannot show, and what may be removed because of it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.credentials.domain import Credential, State
from keyturn.delivery.use_domain import Caller, Use
from keyturn.ports.use_reports import ActivityReport, ReportTrouble, SignIn, SignInReport, Unobservable
from keyturn.rotations import waits
from keyturn.rotations.domain import Snapshot
from keyturn.rotations.evidence import documents
from keyturn.rotations.evidence.domain import Coverage, Evidence, ObservedUse, Pace, VerdictKind, judge
from keyturn.rotations.evidence.merge import Ask, merge_reports, next_ask
from keyturn.rotations.evidence.timetable import ask_again_at
from keyturn.rotations.overlap import grace_until, longest, promised_until, require_overlap
from tests.unit.rotations.model import NOW, ROTATION

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OLD, NEW = "old", "new"
REFUSED = frozenset({7000215, 7000222})


def watched(
    last: timedelta | None, gap: timedelta = HOUR, *, since: timedelta = 30 * DAY, reported: timedelta | None = None
) -> Evidence:
    """An application that was watched without trouble until now; the old secret was used last so long ago."""
    pace = Pace(NOW - 29 * DAY, NOW - last, gap) if last else None
    used = ObservedUse(OLD, pace, NOW - reported if reported else None)
    uses = (used, ObservedUse(NEW, Pace(NOW - 5 * DAY, NOW - MINUTE)))
    return Evidence(Coverage(NOW - since, NOW - MINUTE, activity_at=NOW - HOUR), uses)


def kind(evidence: Evidence, switched: timedelta | None = None) -> VerdictKind:
    return judge(evidence, OLD, [NEW], NOW - switched if switched else None, NOW).kind


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (watched(10 * MINUTE), VerdictKind.IN_USE),
        (watched(28 * HOUR), VerdictKind.IN_USE),  # the activity lags by a day
        (watched(54 * HOUR), VerdictKind.QUIET),
        (watched(54 * HOUR, gap=7 * DAY), VerdictKind.IN_USE),  # a weekly job
        (watched(9 * DAY, gap=7 * DAY), VerdictKind.QUIET),
        (watched(None), VerdictKind.QUIET),
        (watched(None, since=50 * HOUR), VerdictKind.NOT_OBSERVABLE),  # not watched for long enough
        (watched(54 * HOUR, reported=3 * HOUR), VerdictKind.IN_USE),  # by a flow that the log does not show
        (Evidence(), VerdictKind.NOT_OBSERVABLE),
    ],
)
def test_only_what_every_source_showed_unused_for_long_enough_is_quiet(
    evidence: Evidence, expected: VerdictKind
) -> None:
    assert kind(evidence) is expected


@pytest.mark.parametrize(
    ("coverage", "reason"),
    [
        ({"until": NOW - 3 * HOUR, "log_trouble": ReportTrouble(Unobservable.LICENCE, "none")}, Unobservable.LICENCE),
        ({"activity_at": None, "activity_trouble": ReportTrouble(Unobservable.CLOUD, "none")}, Unobservable.CLOUD),
        ({"until": NOW + DAY}, Unobservable.LAG),  # dated by a wrong clock
        ({"activity_at": NOW - 2 * DAY}, Unobservable.LAG),
    ],
)
def test_what_is_not_observed_says_why_and_is_never_called_unused(
    coverage: dict[str, object], reason: Unobservable
) -> None:
    evidence = watched(None)
    found = judge(replace(evidence, coverage=replace(evidence.coverage, **coverage)), OLD, [NEW], None, NOW)  # type: ignore[arg-type]
    assert found.kind is VerdictKind.NOT_OBSERVABLE
    assert reason in {trouble.reason for trouble in found.troubles}
    assert not found.releases


def test_a_log_that_does_not_show_our_own_sign_ins_is_not_believed() -> None:
    evidence = watched(None)
    silent = replace(evidence, uses=evidence.uses[:1])
    assert kind(silent) is VerdictKind.NOT_OBSERVABLE


def test_programs_that_all_switched_release_it_unless_somebody_else_uses_it_after_that() -> None:
    assert kind(Evidence(), switched=HOUR) is VerdictKind.ACKNOWLEDGED
    assert kind(watched(2 * HOUR), switched=HOUR) is VerdictKind.ACKNOWLEDGED
    found = judge(watched(10 * MINUTE), OLD, [NEW], NOW - HOUR, NOW)
    assert (found.kind, found.unexplained, found.releases) == (VerdictKind.IN_USE, True, False)


def test_in_use_says_when_it_would_count_as_quiet() -> None:
    found = judge(watched(10 * MINUTE), OLD, [NEW], None, NOW)
    assert found.until == NOW - 10 * MINUTE + 52 * HOUR


# --- reading ----------------------------------------------------------------------------------------------------------


def row(name: str, state: State, **moments: datetime | None) -> Credential:
    published = NOW - (20 if name == OLD else 5) * DAY
    return Credential(
        name, "rotation", "org", "object", 1, state, "m", key_id=f"key-{name}", published_at=published, **moments
    )  # type: ignore[arg-type]


ROWS = (row(OLD, State.RETIRING, retired_at=NOW - 5 * DAY), row(NEW, State.CURRENT))


def sign_in(ago: timedelta, name: str = OLD, address: str = "10.0.0.1", error: int = 0) -> SignIn:
    return SignIn(NOW - ago, f"key-{name}" if name else "", error, address, "Microsoft Graph", "client-secret")


def read(
    known: Evidence, *found: SignIn, complete: bool = True, ask: Ask | None = None, at: datetime = NOW
) -> Evidence:
    report = SignInReport(tuple(found), complete, 1)
    return merge_reports(known, ROWS, ask or next_ask(known.coverage, at), report, None, None, REFUSED, at)


def test_doubled_late_and_unordered_sign_ins_change_nothing_that_is_known() -> None:
    found = [sign_in(3 * DAY), sign_in(2 * DAY), sign_in(9 * DAY, NEW)]
    once = read(Evidence(), *found)
    assert read(once, *found, *reversed(found)).uses == once.uses
    assert once.of(OLD).longest_gap == DAY
    assert once.of(OLD).last_at == NOW - 2 * DAY
    assert once.coverage.since == NOW - 9 * DAY, (
        "it is not known that the log was kept before the first sign-in it shows"
    )


def test_what_was_presented_is_that_of_the_last_sign_in() -> None:
    once = read(Evidence(), sign_in(3 * DAY))
    assert once.of(OLD).credential_kind == "client-secret"
    older = replace(sign_in(4 * DAY), credential_kind="certificate")
    assert read(once, older).of(OLD).credential_kind == "client-secret"
    assert read(once, replace(older, at=NOW - DAY)).of(OLD).credential_kind == "certificate"


def test_who_is_refused_for_another_reason_still_holds_the_secret() -> None:
    blocked = read(Evidence(), sign_in(9 * DAY, NEW), sign_in(2 * HOUR, error=53003))
    assert judge(blocked, OLD, [NEW], None, NOW).kind is VerdictKind.IN_USE
    removed = read(Evidence(), sign_in(9 * DAY, NEW), sign_in(2 * HOUR, error=7000215))
    assert removed.of(OLD).last_at is None, "it was not accepted"


def test_what_was_not_read_for_too_long_leaves_no_hole_behind() -> None:
    early = read(Evidence(), sign_in(20 * DAY, NEW), at=NOW - 10 * DAY)
    full = read(early, sign_in(DAY), complete=False)  # older ones did not fit
    assert full.coverage.since == NOW - DAY
    assert full.coverage.more_before
    assert next_ask(full.coverage, NOW + HOUR).older_before == NOW - DAY


def test_a_weekly_job_among_busy_programs_has_a_pause_of_its_own() -> None:
    busy = [sign_in(n * HOUR) for n in range(1, 400)]
    job = [sign_in(n * 7 * DAY + DAY, address="10.0.0.9") for n in range(3)]
    assert read(Evidence(), *busy, *job).of(OLD).longest_gap == 7 * DAY


def test_who_is_refused_after_a_removal_is_named() -> None:
    gone = (row(OLD, State.REVOKED, removed_at=NOW - 3 * HOUR), ROWS[1])
    known = read(Evidence(), sign_in(4 * DAY))
    refusals = (
        sign_in(HOUR, error=7000215),
        sign_in(2 * HOUR, "", error=7000215),
        sign_in(HOUR, "", "10.9.9.9", 7000215),  # nobody knows what that one signed in with
        sign_in(4 * HOUR, error=7000222),  # before the removal
        sign_in(HOUR, NEW, "10.0.0.7", 7000215),
    )
    after = merge_reports(known, gone, Ask(NOW - DAY), SignInReport(refusals, True, 1), None, None, REFUSED, NOW)
    (victim,) = after.of(OLD).refused
    assert (victim.address, victim.certain, victim.first_at) == ("10.0.0.1", True, NOW - 2 * HOUR)
    assert not after.of(NEW).refused


def test_what_is_known_survives_being_stored_and_nonsense_is_nothing() -> None:
    activity = ActivityReport({"key-old": NOW - HOUR}, 1)
    known = merge_reports(
        read(Evidence(), sign_in(4 * DAY)), ROWS, Ask(NOW), SignInReport((), True, 1), None, activity, REFUSED, NOW
    )
    assert documents.use(OLD, documents.of_use(known.of(OLD))) == known.of(OLD)
    of_older_version = {
        name: value for name, value in documents.of_use(known.of(OLD)).items() if name != "credentialKind"
    }
    assert documents.use(OLD, of_older_version) == replace(known.of(OLD), credential_kind="")
    assert documents.coverage(documents.of_coverage(known.coverage)) == known.coverage
    for nonsense in (None, "x", {"pace": 3}, {"since": "yesterday"}, {"pace": {"firstAt": None}}):
        assert documents.use(OLD, nonsense) == ObservedUse(OLD)
        assert documents.coverage(nonsense) == Coverage()


def test_reports_are_read_only_while_there_is_a_reason() -> None:
    waiting = replace(ROWS[0], revoke_after=NOW + 20 * DAY, grace_ends_at=NOW + DAY)
    plain = replace(ROWS[0], revoke_after=NOW + 20 * DAY)
    refused = Evidence(Coverage(log_trouble=ReportTrouble(Unobservable.PERMISSION, "no")))
    assert ask_again_at(Evidence(), [waiting, ROWS[1]], NOW) == NOW + timedelta(minutes=30)
    assert ask_again_at(Evidence(), [replace(waiting, retired_at=NOW), ROWS[1]], NOW) == NOW + timedelta(minutes=10)
    assert ask_again_at(Evidence(), [plain], NOW) == NOW + 18 * DAY
    assert ask_again_at(Evidence(), [ROWS[1]], NOW) is None
    assert ask_again_at(refused, [plain], NOW) is None
    assert ask_again_at(refused, [waiting], NOW) == NOW + 6 * HOUR
    assert ask_again_at(Evidence(), [replace(plain, state=State.REVOKED, removed_at=NOW - 27 * HOUR)], NOW) is None


# --- what may be removed ----------------------------------------------------------------------------------------------


def test_a_removal_waits_for_its_grace_and_goes_only_when_that_is_shown() -> None:
    end = NOW + 20 * DAY
    old = replace(ROWS[0], revoke_after=end, wait_ends_at=end, grace_ends_at=NOW + HOUR)
    snapshot = Snapshot(ROTATION, (old, ROWS[1]))
    quiet, unknown = replace(snapshot, evidence=watched(54 * HOUR)), replace(snapshot, evidence=None)
    assert waits.over(old, quiet, NOW) == NOW + HOUR
    assert waits.over(replace(old, grace_ends_at=NOW - HOUR), quiet, NOW) == NOW
    assert waits.over(old, unknown, NOW) == end
    assert waits.over(old, replace(snapshot, evidence=watched(HOUR)), NOW) == end
    leaked = replace(old, revoke_after=old.retired_at)
    assert waits.over(leaked, replace(snapshot, evidence=watched(HOUR)), NOW) <= NOW


def test_who_is_seen_after_all_have_switched_holds_a_secret_that_waits_for_consumers() -> None:
    old = replace(ROWS[0], revoke_after=NOW + 9 * DAY, wait_ends_at=NOW + 3 * DAY)
    shop = Caller("identity", "shop", "pod-1")
    uses = (
        Use(OLD, shop, NOW - 20 * DAY, NOW - 5 * DAY, NOW - 6 * DAY, HOUR),
        Use(NEW, shop, NOW - 4 * DAY, NOW - MINUTE, NOW - MINUTE, HOUR),
    )
    snapshot = replace(Snapshot(ROTATION, (old, ROWS[1])), uses=uses)
    assert waits.over(old, snapshot, NOW) <= NOW
    assert waits.over(old, replace(snapshot, evidence=watched(HOUR)), NOW) == NOW + 3 * DAY


@given(st.integers(-1000, 1000), st.integers(1, 8000))
def test_nothing_is_removed_before_the_grace_ends(days: int, hours: int) -> None:
    now = NOW + days * DAY
    grace = grace_until(f"until-unused:{hours}h", now)
    old = replace(
        ROWS[0], retired_at=now, revoke_after=now + 365 * DAY, wait_ends_at=now + 365 * DAY, grace_ends_at=grace
    )
    snapshot = replace(Snapshot(ROTATION, (old, ROWS[1])), evidence=watched(None))
    assert grace is not None
    assert waits.over(old, snapshot, now, waits.kept_until) >= grace


def test_the_promise_is_said_in_words_and_shared_ones_keep_the_longest() -> None:
    for text in ("until-unused", "until-unused:3d"):
        require_overlap(text)
    assert promised_until("until-unused", NOW, NOW + DAY, NOW + 9 * DAY) == NOW + 9 * DAY
    assert promised_until("until-unused", NOW, NOW + DAY) == NOW + DAY, "the next run needs the slot"
    assert longest(["until-unused", "until-unused:3d"]) == "until-unused:3d"
    assert longest(["until-unused:3d", "7d"]) == "until-next-rotation"
    assert grace_until("until-unused", NOW) == NOW + 28 * HOUR
