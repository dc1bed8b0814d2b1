"""Whether the simulation would notice: defects are planted into the product, and some seed must name the invariant they break."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from keyturn.changes import store as feed
from keyturn.connections import claims, health, sealed
from keyturn.credentials import store as journal
from keyturn.credentials.domain import Credential, State
from keyturn.delivery import use_domain
from keyturn.engine import lease_store as leases
from keyturn.providers.azure.provider import AzureProvider
from keyturn.rotations import clock, failure, protocol, run_schedule, schedule, waits
from keyturn.rotations.domain import Rotation, StepName
from keyturn.rotations.store import policies
from keyturn.rotations.timings import ProofPlan
from keyturn.rotations.work import issue, publish, removal, run_outcome, steps, sweep
from keyturn.rotations.work.along import Along
from keyturn.rotations.work.attempt import StepAttempt
from keyturn.secrets.writes import MappingWriter
from keyturn_simulation.scenario import play
from tests.simulation.seeds import share

Plant = Callable[[pytest.MonkeyPatch], None]
MOST_SEEDS = 60


def publishes_without_proof(plant: pytest.MonkeyPatch) -> None:
    def prove(attempt: StepAttempt, row: Credential) -> None:
        with attempt.write() as tx:
            journal.move(tx, row, State.PROVEN, proven_at=attempt.now())

    plant.setitem(steps.WITH_CREDENTIAL, StepName.PROVE, prove)


def ignores_that_its_lease_was_taken_over(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(leases, "keep_lease", lambda *_args: True)


def breaks_its_promise_to_readers(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(publish, "_promise", lambda _rotation, _run, now, _slot, _new, _older: now)


def removes_the_current_secret(plant: pytest.MonkeyPatch) -> None:
    original = AzureProvider.remove_password

    def remove(self: AzureProvider, tenant: Any, token: Any, object_id: str, key_id: str, **_named: Any) -> None:
        for credential in self.application(tenant, token, object_id=object_id).credentials:
            original(self, tenant, token, object_id, credential.key_id)

    plant.setattr(AzureProvider, "remove_password", remove)


def forgets_secrets_whose_answer_was_lost(plant: pytest.MonkeyPatch) -> None:
    def resolve(attempt: StepAttempt, row: Credential) -> None:
        with attempt.write() as tx:
            journal.move(tx, row, State.ABANDONED, ended_at=attempt.now())

    plant.setitem(steps.WITH_CREDENTIAL, StepName.RESOLVE, resolve)
    plant.setattr(sweep, "_bring_back", lambda *_args: None)


def runs_an_hour_early(plant: pytest.MonkeyPatch) -> None:
    original = schedule.next_slot
    plant.setattr(run_schedule, "next_slot", lambda *args: original(*args) - timedelta(hours=1))


def ends_runs_silently(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(run_outcome, "record_rotation_event", lambda *_args, **_facts: None)


def writes_a_secret_down(plant: pytest.MonkeyPatch) -> None:
    original = AzureProvider.add_password

    def add(self: AzureProvider, *args: Any, **named: Any) -> Any:
        issued = original(self, *args, **named)
        return replace(issued, hint=issued.value.reveal())

    plant.setattr(AzureProvider, "add_password", add)


def asks_for_ever(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(failure, "may_retry", lambda *_args: True)
    plant.setattr(failure, "backoff", lambda *_args: timedelta(0))


def gives_up_after_a_failure(plant: pytest.MonkeyPatch) -> None:
    original = waits.due

    def never_again(rotation: Rotation, now: datetime, works_since: datetime | None = None) -> datetime | None:
        return None if rotation.failures else original(rotation, now, works_since)

    plant.setattr(waits, "due", never_again)


def wakes_at_once_for_ever(plant: pytest.MonkeyPatch) -> None:
    original, past = policies.set_wake, timedelta(days=3650)
    plant.setattr(
        policies, "set_wake", lambda tx, rotation_id, at, now: original(tx, rotation_id, at and at - past, now)
    )


def leaves_other_holders_behind(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(Along, "holders", lambda *_args: [])


def keeps_a_second_copy(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(sealed, "refer", lambda *_args: None)


def forgets_a_value_that_is_pointed_to(plant: pytest.MonkeyPatch) -> None:
    original = journal.move

    def move(tx: Any, row: Credential, to: State | None = None, **changes: Any) -> Credential:
        return original(tx, row, to, **changes | ({"value": None} if to is State.CURRENT else {}))

    plant.setattr(journal, "move", move)


def asks_fast_replicas_only(plant: pytest.MonkeyPatch) -> None:
    for module in (protocol, issue):
        plant.setattr(module, "proof_plan", lambda _row, timings: ProofPlan(timings.proof_count, timings.proof_spacing))


def swallows_what_a_look_found(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(health, "note_refused", lambda *_args: None)


def takes_trouble_for_a_refusal(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(health, "note_accepted", lambda *_args, **_more: None)
    plant.setattr(health, "note_trouble", health.note_refused)


def asks_while_its_clock_is_wrong(plant: pytest.MonkeyPatch) -> None:
    original = clock.require_right
    plant.setattr(clock, "require_right", lambda of, so: None if so == clock.NOTHING_NEW else original(of, so))


def believes_moments_of_the_future(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(waits, "bound_delay", lambda moment, _now, _spacing: moment)


def ends_promises_by_its_own_clock(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(removal, "_kept", lambda *_args: True)


def publishes_without_telling_the_feed(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(feed, "append", lambda *_args: 0)


def moves_no_pointer(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(MappingWriter, "publish", lambda *_args: None)


def claims_no_application(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(claims, "take", lambda *_args: None)


def forgets_which_application_is_claimed(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(claims, "leave_target", lambda *_args: None)


def removes_what_programs_still_use(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(waits, "held_until", lambda _uses, _id, _newer, now: now)


def takes_programs_for_dead_too_early(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(use_domain, "_last_end", lambda at, _refresh: at)


PLANTED: dict[Plant, tuple[str, int]] = {
    publishes_without_proof: ("1:", 0),
    breaks_its_promise_to_readers: ("2:", 0),
    removes_the_current_secret: ("3:", 0),
    forgets_secrets_whose_answer_was_lost: ("4:", 38),
    leaves_other_holders_behind: ("5:", 19),
    ends_runs_silently: ("7:", 0),
    writes_a_secret_down: ("8:", 0),
    ignores_that_its_lease_was_taken_over: ("9:", 1),
    asks_for_ever: ("10:", 5),
    wakes_at_once_for_ever: ("10:", 0),
    runs_an_hour_early: ("schedule:", 5),
    gives_up_after_a_failure: ("liveness:", 0),
    asks_fast_replicas_only: ("1:", 3),
    swallows_what_a_look_found: ("health:", 9),
    takes_trouble_for_a_refusal: ("health:", 11),
    asks_while_its_clock_is_wrong: ("life:", 16),
    believes_moments_of_the_future: ("liveness:", 21),
    ends_promises_by_its_own_clock: ("2:", 16),
    publishes_without_telling_the_feed: ("12:", 6),
    moves_no_pointer: ("12:", 6),
    claims_no_application: ("claims:", 2),
    forgets_which_application_is_claimed: ("claims:", 26),
    removes_what_programs_still_use: ("13:", 178),
    takes_programs_for_dead_too_early: ("13:", 178),
    keeps_a_second_copy: ("11:", 0),
    forgets_a_value_that_is_pointed_to: ("11:", 6),
}
"""Each with the invariant that it breaks and a seed known to show it, which is tried first. A sixth of them in each run."""


@pytest.mark.parametrize("defect", share(list(PLANTED), 6), ids=lambda defect: defect.__name__)
def test_a_planted_defect_is_found(defect: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)
    invariant, first_seed = PLANTED[defect]
    broken_invariants = []
    for seed in (first_seed, *range(MOST_SEEDS)):
        broken = play(seed).broken
        if broken and broken.startswith(f"Broken: {invariant}"):
            return
        broken_invariants.append(broken)
    raise AssertionError(f"not found by {MOST_SEEDS} seeds, which said {set(broken_invariants)}")
