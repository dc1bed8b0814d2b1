"""Conditions of people, machine identities and the server itself: of what nobody sees who looks at connections alone. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from keyturn.alarms.conditions.domain import (
    Condition,
    ConditionKind,
    ConditionSubject,
    Severity,
    days_before_end,
    severity_of_end,
    told_end,
)
from keyturn.audit.domain import StreamState, SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.backup.domain import BackupFolder
from keyturn.kit.counting import counted
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.lockout.domain import Attempts
from keyturn.ports.people_sign_in import SignInCertificate
from keyturn.provisioning.scim.domain import ScimToken

_SSO_PAGE = "/organization/entra"
NO_WORKER_AFTER = timedelta(minutes=5)
"""A process that works says so every few seconds."""
DATA_KEY_LATE = timedelta(days=7)
"""By so much a data key may be older than it should get: a server may have been switched off."""
STREAM_FAILS_FOR = timedelta(minutes=15)
"""A receiver that takes events again by then needs nobody."""
_PROVISIONING_PAGE = "/organization/provisioning"
_AUDIT_PAGE = "/organization/audit-log"


@dataclass(frozen=True)
class IdentityState:
    """A machine identity with its failed sign-ins."""

    org_id: str
    id: str
    name: str
    attempts: Attempts


@dataclass(frozen=True)
class EndingClientSecret:
    """A client secret of a machine identity that ends by itself."""

    id: str
    description: str
    ends_at: datetime


@dataclass(frozen=True)
class LostOwner:
    """Somebody who was named to answer for something and is no user any more, or (``disabled``) can not sign in.

    ``signed_in``: the subject is a connection that works by what they granted with a browser.
    """

    email: str
    disabled: bool
    subject: ConditionSubject
    place: Scope
    path: str
    signed_in: bool = False


@dataclass(frozen=True)
class ServerState:
    """When a process that works was last seen; since when the newest data key is used, and for how long one should be.

    ``backups`` are the folders that backups are made in, ``streams`` the receivers of audit events that take none now.
    """

    worker_seen_at: datetime | None
    data_key_at: datetime | None
    data_key_life: timedelta
    backups: Sequence[BackupFolder] = ()
    streams: Sequence[StreamState] = ()


def of_identity(identity: IdentityState, now: datetime) -> Iterator[Condition]:
    """Yield that sign-ins of a machine identity are locked."""
    until = identity.attempts.locked_until
    if until and identity.attempts.locked(now):
        yield _of_identity(
            identity,
            ConditionKind.IDENTITY_LOCKED,
            Severity.WARNING,
            f"Sign-ins of '{identity.name}' are locked until {until:%Y-%m-%d %H:%M:%S} UTC, after wrong client secrets.",
            "Find the program that sends a wrong client secret; clear the lock here once it does not.",
            since=identity.attempts.last_failure_at,
        )


def of_client_secret(identity: IdentityState, secret: EndingClientSecret, now: datetime) -> Iterator[Condition]:
    """Yield that a client secret of a machine identity ends, or has ended."""
    if days_before_end(secret.ends_at, now) is None:
        return
    which = f" '{secret.description}'" if secret.description else f" {secret.id}"
    yield _of_identity(
        identity,
        ConditionKind.IDENTITY_SECRET_ENDS,
        severity_of_end(secret.ends_at, now),
        f"The client secret{which} of '{identity.name}' {told_end(secret.ends_at, now)}.",
        "Make a new one, give it to the programs that use this one, and revoke this one.",
        of=secret.id,
        ends_at=secret.ends_at,
    )


def of_provisioning_token(token: ScimToken, now: datetime) -> Iterator[Condition]:
    """Yield that a token with which users are provisioned ends, or has ended: whoever leaves then stays a user here."""
    if token.expires_at is None or days_before_end(token.expires_at, now) is None:
        return
    yield _of_server(
        token.org_id,
        ConditionKind.PROVISIONING_TOKEN_ENDS,
        f"The token '{token.name}', with which users and groups are provisioned, {told_end(token.expires_at, now)}.",
        "Make a new one, give it to the identity provider, and revoke this one.",
        None,
        of=token.id,
        severity=severity_of_end(token.expires_at, now),
        path=_PROVISIONING_PAGE,
        ends_at=token.expires_at,
    )


def of_leaver(lost: LostOwner) -> Condition:
    """Return that nobody answers for something any more, or that what they granted will end with their account."""
    subject = lost.subject
    kind = ConditionKind.SIGN_IN_OF_LEAVER if lost.signed_in else ConditionKind.OWNER_LEFT
    state = "is disabled here" if lost.disabled else "is no user any more"
    if lost.signed_in:
        cause = (
            f"'{subject.name}' works by what {lost.email} granted at a sign-in, who {state}: it stops when their account"
            " at Entra ID is closed."
        )
        fix = "Sign in again as somebody who stays."
    else:
        cause = f"{lost.email}, who answered for '{subject.name}', {state}."
        fix = "Name another owner."
    return Condition(
        kind,
        f"{kind.value}:{subject.kind.value}:{subject.id}",
        Severity.CRITICAL if lost.signed_in else Severity.WARNING,
        subject,
        lost.place,
        cause,
        fix,
        lost.path,
    )


def of_server(org_id: str, server: ServerState, now: datetime) -> Iterator[Condition]:
    """Yield what is wrong with the server itself."""
    seen = server.worker_seen_at
    if seen is None or shift(seen, NO_WORKER_AFTER) < now:
        last = f"since {seen:%Y-%m-%d %H:%M:%S} UTC" if seen else "since this server was set up"
        yield _of_server(
            org_id,
            ConditionKind.NO_WORKER,
            f"No process has done any work {last}: nothing is rotated, tried or removed.",
            "Start keyturn serve or keyturn worker, and look at its log.",
            seen,
        )
    made = server.data_key_at
    if made and shift(made, server.data_key_life + DATA_KEY_LATE) < now:
        yield _of_server(
            org_id,
            ConditionKind.DATA_KEY_OVERDUE,
            f"The newest data key was made on {made:%Y-%m-%d}: there should be another after "
            f"{counted(server.data_key_life.days, 'day')}.",
            "See in the log of the worker why it was not; make one with: keyturn keys rotate",
            shift(made, server.data_key_life),
        )
    for folder in server.backups:
        yield from _of_backups(org_id, folder, now)
    for stream in server.streams:
        if stream.failing_since and shift(stream.failing_since, STREAM_FAILS_FOR) <= now:
            yield _of_server(
                org_id,
                ConditionKind.AUDIT_STREAM_FAILING,
                f"Audit events do not get to the receiver '{stream.id}' since {stream.failing_since:%Y-%m-%d %H:%M} UTC: "
                f"{stream.reason or 'it does not take them.'}",
                "Repair the receiver, or its setting (KEYTURN_AUDIT_...). No event is lost: all are sent once it takes them.",
                stream.failing_since,
                of=stream.id,
                path=_AUDIT_PAGE,
            )


def _of_backups(org_id: str, folder: BackupFolder, now: datetime) -> Iterator[Condition]:
    """Yield that backups are too old: by twice the time in which there should be one."""
    newest = folder.made_at or folder.since
    if shift(newest, 2 * timedelta(hours=folder.hours)) >= now:
        return
    if folder.made_at:
        what = f"The newest backup in {folder.folder} is of {newest:%Y-%m-%d %H:%M} UTC"
    else:
        what = f"There is no backup in {folder.folder}, though backups were switched on at {newest:%Y-%m-%d %H:%M} UTC"
    often = "hour" if folder.hours == 1 else f"{folder.hours} hours"
    yield _of_server(
        org_id,
        ConditionKind.BACKUP_OVERDUE,
        f"{what}: there should be one every {often}. {folder.failure or ''}".rstrip(),
        "See in the log of servers and workers a line with backup.upkeep_failed, or what the job printed that makes them, and "
        "whether it runs; "
        "make one now with: keyturn backup create",
        shift(newest, timedelta(hours=folder.hours)),
        of=folder.folder,
    )


def of_sign_in_certificate(org_id: str, certificate: SignInCertificate, now: datetime) -> Iterator[Condition]:
    """Yield that the certificate with which people are signed in ends, or that what its file holds cannot be used."""
    ends_at = certificate.ends_at
    works = ends_at is not None and now < ends_at
    what = f"The certificate {certificate.thumbprint} with which this server signs people in through Entra ID"
    if certificate.fault:
        cause = f"{what} was replaced by one that cannot be used. {certificate.fault}"
        if not works:
            cause = f"Nobody can sign in through Entra ID: this server has no certificate for it. {certificate.fault}"
        yield _of_server(
            org_id,
            ConditionKind.SSO_CERTIFICATE_UNUSABLE,
            cause,
            "Renew the file of KEYTURN_SSO_CERTIFICATE_FILE, and look at: keyturn doctor",
            None,
            severity=Severity.WARNING if works else Severity.CRITICAL,
            path=_SSO_PAGE,
        )
    if ends_at is not None and days_before_end(ends_at, now) is not None and (works or not certificate.fault):
        yield _of_server(
            org_id,
            ConditionKind.SSO_CERTIFICATE_ENDS,
            f"{what} {told_end(ends_at, now)}.",
            "Make a new one, upload it to the application, and write it into the file of KEYTURN_SSO_CERTIFICATE_FILE: it counts"
            " at once.",
            None,
            severity=severity_of_end(ends_at, now),
            path=_SSO_PAGE,
            ends_at=ends_at,
        )


def _of_identity(
    identity: IdentityState,
    kind: ConditionKind,
    severity: Severity,
    cause: str,
    fix: str,
    *,
    of: str = "",
    since: datetime | None = None,
    ends_at: datetime | None = None,
) -> Condition:
    subject = ConditionSubject(SubjectKind.IDENTITY, identity.id, identity.name)
    key = ":".join(part for part in (kind.value, subject.kind.value, identity.id, of) if part)
    path = f"/organization/identities/{identity.id}"
    return Condition(kind, key, severity, subject, Scope(identity.org_id), cause, fix, path, since, ends_at)


def _of_server(
    org_id: str,
    kind: ConditionKind,
    cause: str,
    fix: str,
    since: datetime | None,
    *,
    of: str = "",
    severity: Severity = Severity.CRITICAL,
    path: str = "/settings/server",
    ends_at: datetime | None = None,
) -> Condition:
    subject = ConditionSubject(SubjectKind.ORGANIZATION, org_id, "This server")
    key = ":".join(part for part in (kind.value, org_id, of) if part)
    return Condition(kind, key, severity, subject, Scope(org_id), cause, fix, path, since, ends_at)
