"""What the marks of a connection say of a refusal, of trouble that passes, and of a rotation that was paused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from keyturn.connections.domain import Connection
from keyturn.errors import RefusalReason
from keyturn.kit.secret import Sealed
from keyturn.pages.connections.badges import badges, credential_refused, refusal_title, sign_in_refused
from keyturn.pages.connections.runs import run_line
from keyturn.pages.connections.timeline import Secret, draw, refuse_current
from keyturn.rotations.domain import Reason, Run, RunState
from keyturn.rotations.store.runs import StepRecord

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
IDS = ("id", "org", None, "prod", None, "azure-client-secrets", "client-secret", "global", "tenant", "client")
PLAIN = Connection(*IDS, Sealed("k1.a.b"), 1, "hash", 1, NOW, NOW, NOW, {"ok": True})


def refused_with(code: str, reason: RefusalReason | None = None) -> Connection:
    refusal = {"code": code, "message": "Entra ID does not accept it.", "fix": "Make another.", "reason": reason}
    return replace(PLAIN, refused_at=NOW, refusal=refusal, check_result={"ok": False, **refusal})


def test_a_credential_that_is_gone_says_so_with_its_moment() -> None:
    vanished = refused_with("azure.secret_invalid", RefusalReason.CREDENTIAL_UNKNOWN)
    (badge,) = badges(vanished, "Toy Land", None, NOW)
    assert (badge.text, badge.tone, badge.at) == ("Removed or changed in Toy Land", "bad", NOW)
    assert credential_refused(vanished)


def test_another_refusal_is_one_of_entra() -> None:
    gone = refused_with("azure.application_disabled")
    assert refusal_title(gone, "Toy Land") == "Refused by Toy Land"
    assert not credential_refused(gone)
    assert sign_in_refused(gone)
    assert not sign_in_refused(refused_with("azure.permission_missing", RefusalReason.PERMISSION))


def test_trouble_that_passes_is_not_red() -> None:
    check_result = {"ok": False, "transient": True, "message": "No answer."}
    (badge,) = badges(replace(PLAIN, check_result=check_result), "Toy Land", None, NOW)
    assert (badge.text, badge.tone) == ("Could not be checked", "warn")


def test_what_entra_refuses_is_not_said_to_sign_in() -> None:
    year = timedelta(days=300)
    current = Secret("Generation 1", "key", "abc", "Current", "current", NOW, NOW + year, None, 1)
    zone = ZoneInfo("UTC")
    assert draw([current], NOW, zone).summary.startswith("1 secret signs in now.")
    assert draw(refuse_current([current]), NOW, zone).summary == "0 secrets sign in now."


def test_a_proof_that_waits_for_replicas_is_no_failure() -> None:
    run = Run("run", "rotation", Reason.MANUAL, RunState.SUCCEEDED, NOW, finished_at=NOW)
    (line,) = run_line(
        run, [StepRecord("prove", "failed", NOW, NOW, repeats=2, message="AADSTS7000215")], "Toy Land", NOW
    ).steps
    assert (line.tone, line.message) == ("neutral", "not everywhere yet, 2 tries")


def test_a_proof_that_was_refused_in_a_run_that_failed_says_what_was_answered() -> None:
    run = Run("run", "rotation", Reason.MANUAL, RunState.FAILED, NOW, finished_at=NOW)
    refused = StepRecord("prove", "failed", NOW, NOW, repeats=2, message="The application is disabled.")
    (line,) = run_line(run, [refused], "Toy Land", NOW).steps
    assert (line.outcome, line.message) == ("failed", "The application is disabled.")
