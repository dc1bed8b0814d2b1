"""Each kind of condition: what brings it about, how urgent it is, what it says, and where it is repaired."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from keyturn.alarms.conditions.approval_rules import of_request
from keyturn.alarms.conditions.channel_rules import ChannelState, of_channels
from keyturn.alarms.conditions.conversion_rules import of_outside_use, of_return
from keyturn.alarms.conditions.credential_rules import (
    CredentialPlace,
    ForeignCredential,
    of_foreign,
    of_refused,
    of_removal,
)
from keyturn.alarms.conditions.domain import Condition, ConditionKind, ConditionSubject, Severity, days_before_end
from keyturn.alarms.conditions.freeze_rules import of_freeze
from keyturn.alarms.conditions.inventory_rules import InventoryState, of_inventory
from keyturn.alarms.conditions.rules import (
    ConnectionState,
    about_connection,
    about_secret_rotation,
    of_connection,
    of_secret_rotation,
)
from keyturn.alarms.conditions.server_rules import (
    EndingClientSecret,
    IdentityState,
    LostOwner,
    ServerState,
    of_client_secret,
    of_identity,
    of_leaver,
    of_provisioning_token,
    of_server,
    of_sign_in_certificate,
)
from keyturn.alarms.conditions.sign_in_rules import of_sign_in
from keyturn.alarms.conditions.use_rules import of_slot_wait, of_use
from keyturn.approvals.domain import ApprovalRequest, ChangeKind, RequestState
from keyturn.audit.domain import StreamState, SubjectKind
from keyturn.authz.domain import Action
from keyturn.authz.permissions import Scope
from keyturn.backup.domain import BackupFolder
from keyturn.connections.domain import Connection
from keyturn.credentials.domain import USED_ELSEWHERE, Credential, State
from keyturn.inventory.domain import Ending
from keyturn.inventory.plan import Inventory
from keyturn.kit.actor import ActorKind
from keyturn.kit.redact import redact_text
from keyturn.kit.secret import Sealed
from keyturn.lockout.domain import Attempts
from keyturn.pages import approvals, audit, identities, inventory, overview
from keyturn.pages.alarms import channels as channel_pages
from keyturn.pages.connections import urls as connections
from keyturn.pages.people import provisioning as provisioning_pages
from keyturn.pages.rotations import urls as rotations
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.ports.provider import Tenant
from keyturn.provisioning.scim.domain import ScimToken
from keyturn.rotations.conversion.domain import Conversion, ConversionState
from keyturn.rotations.domain import Reason, Rotation, RotationKind, RotationState, Run, RunState
from keyturn.rotations.evidence.domain import ObservedUse, RefusedUser
from keyturn.rotations.freezes.domain import FreezeWindow
from keyturn.rotations.schedule import Schedule
from keyturn.rotations.secret_rotations.domain import SecretRotation, SecretRotationView
from keyturn.secrets.domain import Place
from keyturn.secrets.mapped import SecretNames

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
IDS = ("c1", "org", "p1", "billing", None, "azure-client-secrets", "client-secret", "global", "tenant", "app-1")
SECRET = Sealed("k1.a.b")
CONNECTION = Connection(*IDS, SECRET, 1, "hash", 1, NOW - 9 * DAY, NOW - 9 * DAY, NOW - HOUR, {"ok": True})
MONTHLY = Schedule(30, 2, 15)
ROTATION = Rotation(
    "r1", RotationKind.CONNECTION, "org", "p1", "c1", "billing", Tenant("global", "tenant"), "app-1", "object", "Billing",
    MONTHLY, next_run_at=NOW + 20 * DAY, last_rotated_at=NOW - 10 * DAY, created_at=NOW - 90 * DAY,
)  # fmt: skip
CURRENT = Credential(
    "k1", "r1", "org", "object", 3, State.CURRENT, "keyturn billing g3", key_id="key-3", value=SECRET,
    published_at=NOW - 10 * DAY, ends_at=NOW + 80 * DAY,
)  # fmt: skip
RUN = Run("run", "r1", Reason.SCHEDULED, RunState.SUCCEEDED, NOW - 10 * DAY, finished_at=NOW - 10 * DAY)
FAILED = replace(
    RUN, state=RunState.FAILED, finished_at=NOW - HOUR, failure={"message": "A policy forbids it.", "fix": "Ask."}
)
VIEW = SecretRotationView(
    SecretRotation("s1", "r1", "org", "p1", "e1", "f1", "c1", "billing-app", None, MONTHLY, True, "3d", NOW, NOW),
    SecretNames("ID", "SECRET"), replace(ROTATION, kind=RotationKind.APPLICATION), CONNECTION,
    Place("p1", "e1", "prod", "Production", "/billing"), RUN, CURRENT,
)  # fmt: skip
WHERE = CredentialPlace(
    ConditionSubject(SubjectKind.CONNECTION, "c1", "billing"),
    Scope("org", "p1"),
    "/app-connections/c1",
    "application app-1",
)
OLD = replace(CURRENT, id="k0", key_id="key-0", state=State.RETIRING, retired_at=NOW - 3 * DAY)
SEEN = ForeignCredential("key-9", "by hand", "3pl", NOW - DAY, None, is_current=False)
LOST = LostOwner("bob@contoso.test", False, WHERE.subject, WHERE.place, WHERE.path)
LOCKED = Attempts(0, NOW - timedelta(seconds=9), NOW + timedelta(seconds=291))
IDENTITY = IdentityState("org", "i1", "ci", Attempts())


def connection(
    *, rotating: RotationState | None = None, refreshed_at: datetime | None = None, **changes: Any
) -> list[Condition]:
    state = ConnectionState(replace(CONNECTION, **changes), "client secret", rotating, refreshed_at)
    sign_in = of_sign_in(state.connection, state.noun, NOW)
    return [*([sign_in] if sign_in else []), *of_connection(state, NOW)]


def returned(**changes: Any) -> list[Condition]:
    reason = {"code": "azure.x", "message": "A policy forbids it.", "fix": "Ask."} | changes
    return list(of_return(about_connection(CONNECTION, "client secret"), reason, NOW - HOUR))


def used_outside() -> list[Condition]:
    watched = Conversion(
        *(
            "v1",
            "c1",
            "org",
            "o1",
            ConversionState.WATCHING,
            "aks",
            "keyturn-c1",
            "https://issuer.test",
            "system",
            "api",
        ),
        *("client-secret", "hash", True, 86_400, NOW - DAY, NOW - DAY),
        used_at=NOW - HOUR,
        used_by="203.0.113.9",
    )
    return list(of_outside_use(about_connection(CONNECTION, "client secret"), watched, "client secret", NOW))


def rotating(current: Credential | None = CURRENT, run: Run | None = RUN, **changes: Any) -> list[Condition]:
    return connection(rotating=RotationState(replace(ROTATION, **changes), current, run))


def converting() -> list[Condition]:
    """Nobody can resume its rotation."""
    paused = RotationState(replace(ROTATION, enabled=False), replace(CURRENT, ends_at=NOW + 25 * DAY), RUN)
    return list(of_connection(ConnectionState(CONNECTION, "client secret", paused, converting=True), NOW))


def removal(refusal: str = "", **changes: Any) -> list[Condition]:
    return list(of_removal(replace(OLD, **changes), WHERE, refusal, NOW))


def refused(*, certain: bool) -> list[Condition]:
    user = RefusedUser("203.0.113.9", "Graph", 7000215, NOW - HOUR, NOW, certain)
    return list(of_refused(replace(OLD, state=State.REVOKED), WHERE, ObservedUse("k0", refused=(user,)), NOW))


def foreign(**changes: Any) -> list[Condition]:
    return list(of_foreign(replace(SEEN, **changes), WHERE, NOW))


def client_secret(ends_at: datetime) -> list[Condition]:
    return list(of_client_secret(IDENTITY, EndingClientSecret("cs1", "for the pipeline", ends_at), NOW))


def server(seen: datetime | None = NOW, key: datetime | None = NOW, **more: Any) -> list[Condition]:
    return list(of_server("org", ServerState(seen, key, 90 * DAY, **more), NOW))


def backups(newest: datetime | None, failure: str | None = None, since: datetime = NOW - 9 * DAY) -> list[Condition]:
    return server(backups=[BackupFolder("/backups", 24, since, NOW, newest, failure)])


def stream(failing_since: datetime) -> list[Condition]:
    return server(streams=[StreamState("syslog", None, failing_since, 9, "No answer.")])


def signs_in(ends_at: datetime, fault: str = "") -> list[Condition]:
    return list(of_sign_in_certificate("org", SignInCertificate("AB12", ends_at, fault), NOW))


def provisioning(ends_at: datetime | None) -> list[Condition]:
    return list(of_provisioning_token(ScimToken("t1", "org", "Entra ID", NOW - DAY, ends_at), NOW))


REFUSAL = {"code": "azure.secret_invalid", "message": "Entra ID does not accept app-1.", "fix": "Enter another."}
Refusal = dict[str, Any]
REFUSED: Refusal = {"refused_at": NOW - HOUR, "refusal": REFUSAL, "check_result": {"ok": False, **REFUSAL}}
UNREADABLE: Refusal = {
    "check_result": {"ok": False, "message": "The stored connection cannot be read.", "fix": "Restore."}
}
TROUBLE: Refusal = {"check_result": {"ok": False, "transient": True, "message": "No answer.", "fix": None}}
LEAKED = replace(RUN, reason=Reason.LEAKED, state=RunState.ACTIVE, finished_at=None)
K, C, W, N = ConditionKind, Severity.CRITICAL, Severity.WARNING, Severity.NOTICE


NEEDS_RECONNECT: Refusal = {"check_result": {"ok": False, "needsReconnect": True, "message": "Gone."}}
PIPELINE, SERVER, MAPPED = "/organization/identities/i1", "/settings/server", "/secret-rotations/s1"
SSO, SECRETLESS = "/organization/entra", "/app-connections/c1/secretless"
TOKENS = provisioning_pages.HERE


def mapped(run: Run) -> list[Condition]:
    return list(of_secret_rotation(replace(VIEW, last_run=run), "client secret", NOW))


APPLICATION = about_secret_rotation(VIEW, "client secret")


def used(*, gone: bool = False, row: Credential = OLD) -> list[Condition]:
    return list(of_use(APPLICATION, row, 2, NOW + DAY, gone=gone, now=NOW))


def identity(attempts: Attempts) -> list[Condition]:
    return list(of_identity(replace(IDENTITY, attempts=attempts), NOW))


def channels(*failing: tuple[str, datetime | None]) -> Iterable[Condition]:
    states = [ChannelState(f"id-{name}", name, None, since, "No.") for name, since in failing]
    return of_channels("org", states, NOW)


def tenant(read_at: datetime | None = NOW, ending: Ending | None = None, **changes: Any) -> list[Condition]:
    row = Inventory("i1", "org", "global", "tenant-1", "c1", NOW - 2 * DAY, read_at=read_at, **changes)
    return list(of_inventory(InventoryState(row, "billing", "p1", ending), NOW))


@dataclass(frozen=True)
class Case:
    found: Callable[[], Iterable[Condition]]
    kind: ConditionKind
    severity: Severity
    words: str
    path: str = "/app-connections/c1"


CHANNELS = channel_pages.HERE
TENANT = inventory.ONE.format(inventory_id="i1")
ENDING, ENDED = f"{TENANT}?within=60&rotated=no", f"{TENANT}?ended=yes&rotated=no"
SALE = FreezeWindow("f", "Sale", "", date(2026, 12, 1), date(2026, 12, 7))
ASKED = ApprovalRequest(
    *(
        "q1",
        "org",
        ChangeKind.CONNECTION_LEAKED,
        "c1",
        "billing",
        Action.ROTATE_CREDENTIALS,
        Scope("org"),
        {},
        "",
        "It leaked.",
    ),
    *(RequestState.PENDING, ActorKind.USER, "u1", "eve@contoso.test", NOW, NOW + DAY),
)
BYPASSED = replace(ASKED, state=RequestState.BYPASSED)


def frozen(current: Credential) -> list[Condition]:
    state = RotationState(replace(ROTATION, next_run_at=NOW + 2 * DAY), current, windows=(SALE,))
    return list(of_freeze(about_connection(CONNECTION, "client secret"), state, NOW))


CASES = [
    Case(lambda: connection(**REFUSED), K.CONNECTION_REFUSED, C, "does not accept app-1"),
    Case(lambda: connection(**NEEDS_RECONNECT), K.CONNECTION_REFUSED, C, "Gone."),
    Case(lambda: connection(**UNREADABLE), K.CONNECTION_FAILED, C, "cannot be read"),
    Case(lambda: connection(**TROUBLE), K.CONNECTION_UNCHECKED, N, "No answer."),
    Case(lambda: connection(**TROUBLE, unreached_since=NOW - DAY / 2), K.CONNECTION_UNCHECKED, N, "No answer."),
    Case(lambda: connection(**TROUBLE, unreached_since=NOW - DAY), K.CONNECTION_UNCHECKED, W, "No answer."),
    Case(lambda: connection(checked_at=NOW - 3 * DAY), K.CONNECTION_UNCHECKED, W, "not tried since 2026-11-27"),
    Case(lambda: connection(checked_at=None), K.CONNECTION_UNCHECKED, W, "not tried since it was made"),
    Case(lambda: connection(ends_at=NOW + 5 * DAY), K.CREDENTIAL_ENDS, C, "application app-1 ends in 5 days, on 2026-12-05"),
    Case(lambda: connection(ends_at=NOW + 29 * DAY), K.CREDENTIAL_ENDS, W, "client secret of application app-1"),
    Case(lambda: connection(ends_at=NOW + 59 * DAY), K.CREDENTIAL_ENDS, N, "ends in 59 days"),
    Case(lambda: connection(ends_at=NOW - HOUR), K.CREDENTIAL_ENDS, C, "ended on 2026-11-30 at 11:00 UTC"),
    Case(lambda: connection(refreshed_at=NOW - 85 * DAY), K.SIGN_IN_ENDS, C, "ends in 5 days"),
    Case(lambda: rotating(run=FAILED, status="failed", paused_until=NOW + HOUR), K.ROTATION_FAILED, C, "A policy forbids it."),
    Case(lambda: rotating(run=FAILED, status="failed", next_run_at=None), K.ROTATION_HALTED, C, "A policy forbids it."),
    Case(lambda: rotating(next_run_at=NOW - 2 * HOUR), K.ROTATION_OVERDUE, C, "due since 2026-11-30 10:00"),
    Case(lambda: rotating(replace(CURRENT, published_at=NOW - 40 * DAY)), K.ROTATION_OVERDUE, C, "is 40 days old"),
    Case(lambda: rotating(next_run_at=NOW + 5 * HOUR), K.ROTATION_DUE, N, "replaced on 2026-11-30 at 17:00"),
    Case(lambda: rotating(run=LEAKED), K.LEAK_OPEN, C, "reported as leaked"),
    Case(lambda: rotating(replace(CURRENT, ends_at=NOW + 9 * DAY), enabled=False), K.PAUSED_CREDENTIAL_ENDS, W, "is paused"),
    Case(lambda: rotating(replace(CURRENT, ends_at=NOW + 9 * DAY)), K.CREDENTIAL_ENDS, W, "Key ID key-3"),
    Case(lambda: mapped(LEAKED), K.LEAK_OPEN, C, "'Billing' (app-1)", MAPPED),
    Case(lambda: removal(note=USED_ELSEWHERE), K.REMOVAL_UNCONFIRMED, W, "Key ID key-0"),
    Case(lambda: removal(revoke_after=NOW - 2 * DAY), K.REMOVAL_LATE, W, "should have been removed on 2026-11-28"),
    Case(lambda: removal("Entra ID forbids it.", state=State.REVOKING, tries=2), K.REMOVAL_LATE, W, "Entra ID forbids it."),
    Case(lambda: removal(state=State.LOST, key_id=None), K.REMOVAL_LATE, W, "keyturn billing g3"),
    Case(foreign, K.CREDENTIAL_APPEARED, W, "'by hand', Key ID key-9"),
    Case(lambda: foreign(is_current=True, gone_at=NOW - HOUR), K.CREDENTIAL_VANISHED, C, "removed the current credential"),
    Case(lambda: identity(LOCKED), K.IDENTITY_LOCKED, W, "'ci' are locked until", PIPELINE),
    Case(lambda: client_secret(NOW + 2 * DAY), K.IDENTITY_SECRET_ENDS, C, "'for the pipeline' of 'ci' ends in 2 days", PIPELINE),
    Case(lambda: used(gone=True), K.OLD_CREDENTIAL_USED, C, "2 programs still use the previous client secret", MAPPED),
    Case(used_outside, K.OLD_CREDENTIAL_USED, W, "cannot give its client secret up yet. 203.0.113.9 signs in", SECRETLESS),
    Case(used, K.OLD_CREDENTIAL_USED, W, "Key ID key-0, which is removed on 2026-12-01", MAPPED),
    Case(lambda: refused(certain=True), K.REMOVED_CREDENTIAL_USED, C, "203.0.113.9 still signs in to Graph as"),
    Case(lambda: refused(certain=False), K.REMOVED_CREDENTIAL_USED, C, "as far as its address tells"),
    Case(lambda: [of_slot_wait(APPLICATION, OLD, NOW + DAY)], K.REMOVAL_BLOCKS_ROTATION, W, "finds no room", MAPPED),
    Case(lambda: [of_leaver(LOST)], K.OWNER_LEFT, W, "bob@contoso.test, who answered for 'billing', is no user"),
    Case(lambda: [of_leaver(replace(LOST, disabled=True))], K.OWNER_LEFT, W, "'billing', is disabled here"),
    Case(lambda: [of_leaver(replace(LOST, signed_in=True))], K.SIGN_IN_OF_LEAVER, C, "stops when their account at Entra ID"),
    Case(lambda: server(seen=NOW - HOUR), K.NO_WORKER, C, "since 2026-11-30 11:00", SERVER),
    Case(lambda: server(seen=None), K.NO_WORKER, C, "since this server was set up", SERVER),
    Case(lambda: channels(("ops", NOW - HOUR), ("mail", None)), K.CHANNEL_FAILING, C, "through the channel 'ops': No.", CHANNELS),
    Case(channels, K.NOBODY_TOLD, N, "there is no channel", CHANNELS),
    Case(lambda: tenant(NOW - 27 * HOUR, trouble=REFUSAL), K.INVENTORY_STALE, W, "2026-11-29 09:00 UTC: Entra ID", TENANT),
    Case(returned, K.CONVERSION_WITHDRAWN, W, "went back to its client secret. A policy forbids it.", SECRETLESS),
    Case(lambda: tenant(None), K.INVENTORY_STALE, W, "of tenant tenant-1 was never read to its end", TENANT),
    Case(lambda: tenant(ending=Ending(9, NOW + 3 * DAY)), K.TENANT_CREDENTIAL_ENDS, C, "9 credentials of tenant", ENDING),
    Case(lambda: tenant(ending=Ending(2, NOW - HOUR)), K.TENANT_CREDENTIAL_ENDS, C, "ended or will end soon: the first", ENDED),
    Case(lambda: tenant(ending=Ending(1, NOW + 50 * DAY)), K.TENANT_CREDENTIAL_ENDS, N, "A credential of tenant", ENDING),
    Case(lambda: frozen(CURRENT), K.FREEZE_OVERRIDDEN, W, "on 2026-12-02 at 12:00 UTC, within the freeze Sale (1 Dec to 7 Dec)"),
    Case(lambda: [of_request(ASKED)], K.APPROVAL_WAITS, C, "another person than eve@contoso.test: It leaked.", "/approvals/q1"),
    Case(lambda: [of_request(BYPASSED)], K.APPROVAL_BYPASSED, W, "at once by eve@contoso.test", "/approvals/q1"),
    Case(lambda: signs_in(NOW + 20 * DAY), K.SSO_CERTIFICATE_ENDS, W, "The certificate AB12 with which this server", SSO),
    Case(lambda: signs_in(NOW - DAY), K.SSO_CERTIFICATE_ENDS, C, "ended on 2026-11-29 at 12:00 UTC", SSO),
    Case(lambda: signs_in(NOW + 90 * DAY, "No key."), K.SSO_CERTIFICATE_UNUSABLE, W, "that cannot be used. No key.", SSO),
    Case(lambda: signs_in(NOW - DAY, "No key."), K.SSO_CERTIFICATE_UNUSABLE, C, "Nobody can sign in", SSO),
    Case(lambda: provisioning(NOW + 20 * DAY), K.PROVISIONING_TOKEN_ENDS, W, "'Entra ID', with which users and groups", TOKENS),
    Case(lambda: provisioning(NOW - DAY), K.PROVISIONING_TOKEN_ENDS, C, "ended on 2026-11-29 at 12:00 UTC", TOKENS),
    Case(lambda: backups(NOW - 3 * DAY), K.BACKUP_OVERDUE, C, "in /backups is of 2026-11-27 12:00 UTC: there", SERVER),
    Case(lambda: backups(None, "It failed."), K.BACKUP_OVERDUE, C, "no backup in /backups, though", SERVER),
    Case(lambda: stream(NOW - HOUR), K.AUDIT_STREAM_FAILING, C, "'syslog' since 2026-11-30 11:00 UTC: No answer.", audit.HERE),
    Case(lambda: server(key=NOW - 100 * DAY), K.DATA_KEY_OVERDUE, C, "made on 2026-08-22", SERVER),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.severity}")
def test_a_condition(case: Case) -> None:
    (one,) = case.found()
    assert (one.kind, one.severity, one.path) == (case.kind, case.severity, case.path)
    assert case.words in one.cause
    assert one.key.startswith(f"{one.kind}:{one.subject.kind}:") or one.subject.kind is SubjectKind.ORGANIZATION
    assert one.cause.strip()
    assert one.fix.strip()
    assert one.organization == "org"
    assert "<" not in one.cause + one.fix, "a placeholder"
    assert "None" not in one.cause + one.fix
    assert redact_text(one.cause + one.fix) == one.cause + one.fix, "what has the shape of a secret"


def test_there_is_a_case_of_each_kind() -> None:
    assert {case.kind for case in CASES} == set(ConditionKind)


def test_each_kind_has_its_place_on_the_overview_and_leads_to_a_page() -> None:
    assert set(overview.LINES) == set(ConditionKind)
    pages = [connections.ONE.format(connection_id="c1"), rotations.ONE.format(rotation_id="s1")]
    pages += [approvals.ONE.format(request_id="q1")]
    pages += [
        identities.ONE.format(identity_id="i1"),
        "/settings/server",
        SSO,
        channel_pages.HERE,
        TENANT,
        ENDING,
        ENDED,
    ]
    pages += [audit.HERE, SECRETLESS, TOKENS]
    assert {case.path for case in CASES} == set(pages)


WELL: list[Callable[[], Iterable[Condition]]] = [
    connection,
    rotating,
    lambda: connection(ends_at=NOW + 61 * DAY),
    lambda: returned(asked=True),
    converting,
    lambda: rotating(replace(CURRENT, ends_at=NOW + 25 * DAY)),  # replaced before, by itself
    lambda: rotating(status="failed", run=replace(RUN, state=RunState.ACTIVE, finished_at=None)),  # is being repaired
    lambda: rotating(retired=True, status="failed", enabled=False),
    lambda: mapped(RUN),
    lambda: removal(revoke_after=NOW + DAY),
    lambda: used(row=CURRENT),
    lambda: foreign(gone_at=NOW),
    lambda: foreign(first_seen_at=NOW - 31 * DAY),
    lambda: identity(Attempts(2, NOW, None)),
    lambda: client_secret(NOW + 61 * DAY),
    lambda: provisioning(NOW + 61 * DAY),
    lambda: provisioning(None),
    server,
    lambda: backups(NOW - 2 * DAY),
    lambda: backups(None, since=NOW - DAY),  # was switched on just now
    lambda: stream(NOW - HOUR / 6),
    tenant,
    lambda: tenant(NOW - 25 * HOUR),
    lambda: channels(("ops", None)),
    lambda: channels(("ops", NOW - HOUR / 12)),  # works again at the next try, most likely
]


@pytest.mark.parametrize("found", WELL)
def test_what_is_well_needs_nobody(found: Callable[[], Iterable[Condition]]) -> None:
    assert list(found()) == []


def test_a_failure_is_told_once_where_the_connection_is_refused_for_the_same_reason() -> None:
    run = replace(FAILED, failure=REFUSAL)
    state = RotationState(replace(ROTATION, status="failed", paused_until=NOW + HOUR), CURRENT, run)
    (one,) = connection(rotating=state, **REFUSED)
    assert one.kind is ConditionKind.CONNECTION_REFUSED


def test_the_key_stays_while_the_end_comes_nearer() -> None:
    keys = {one.key for days in (59, 20, 2, -3) for one in connection(ends_at=NOW + days * DAY)}
    assert len(keys) == 1


def test_each_threshold_is_reached_once() -> None:
    end = NOW + 61 * DAY
    reached = [days_before_end(end, NOW + hours * HOUR) for hours in range(62 * 24)]
    assert list(dict.fromkeys(reached)) == [None, 60, 30, 14, 7, 3, 1, 0]
