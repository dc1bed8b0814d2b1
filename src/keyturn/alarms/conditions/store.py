"""SQL that finds what may need somebody: ids of connections and secret rotations, and rows that say it all by themselves.

Each statement names what is worth a look, and the rules judge it: what is well is not loaded. Nothing is opened.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from keyturn.alarms.conditions.credential_rules import (
    NEWS_FOR,
    REFUSED_FOR,
    REMOVED_IN_TIME,
    CredentialPlace,
    ForeignCredential,
)
from keyturn.alarms.conditions.domain import DAYS_BEFORE_END, ConditionSubject
from keyturn.alarms.conditions.rules import DUE_WITHIN, SLACK
from keyturn.alarms.conditions.server_rules import EndingClientSecret, IdentityState, ServerState
from keyturn.audit import streams
from keyturn.audit.domain import SubjectKind
from keyturn.authz.permissions import Scope
from keyturn.backup import store as backups
from keyturn.credentials import store as journal
from keyturn.credentials.domain import USED_ELSEWHERE, Credential
from keyturn.crypto.keyring import LIFE
from keyturn.db import unread
from keyturn.db.tables.views import (
    app_connections,
    client_secrets,
    data_keys,
    environments,
    identities,
    oauth_tokens,
    observed_keys,
    observed_uses,
    processes,
    rotations,
    run_steps,
    runs,
    secret_folders,
    secret_rotations,
    universal_auths,
)
from keyturn.db.unit import Tx
from keyturn.kit.moments import FIRST, shift
from keyturn.lockout.domain import Attempts
from keyturn.rotations.evidence import documents
from keyturn.rotations.evidence.domain import ObservedUse

_FIRST_TOLD = timedelta(days=DAYS_BEFORE_END[0])
_GRANTS_AFTER = timedelta(days=30)
"""A refresh token that was used within that time is not near its end."""
_USED_AGAIN = timedelta(minutes=65)
"""A use that failed is repeated within the hour, so the next one is no further ahead."""
_entries = journal.ENTRIES


def _param(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(name)


def _literal(text: str) -> sa.ColumnElement[str]:
    """A constant that stands in the statement itself, as in the condition of an index."""
    return sa.literal_column(f"'{text}'")


_IS_CURRENT = _entries.c.state == _literal("current")


# --- connections and secret rotations ---------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _rotations(*, postgres: bool) -> sa.CompoundSelect[Any]:
    """Rotations that do not simply wait for their next run. Each part has an index."""
    own = (rotations.c.org_id == _param("org"), rotations.c.retired.is_(False))
    ending = sa.select(_entries.c.rotation_id).where(
        _entries.c.org_id == _param("org"), _IS_CURRENT, _entries.c.ends_at <= _param("soon")
    )
    aged = rotations.alias("aged")  # by itself it is read from an index alone
    days = aged.c.interval_days + SLACK.days
    now = sa.bindparam("now", type_=rotations.c.next_run_at.type)
    if postgres:
        oldest: sa.ColumnElement[Any] = now - sa.func.make_interval(0, 0, 0, days)
    else:
        oldest = sa.func.strftime("%Y-%m-%d %H:%M:%f", now, "-" + sa.cast(days, sa.Text) + " days")
    overdue = sa.select(aged.c.id).where(
        aged.c.org_id == _param("org"), aged.c.enabled.is_(True), aged.c.last_rotated_at < oldest
    )
    leaked = sa.select(runs.c.rotation_id).where(runs.c.finished_at.is_(None), runs.c.reason == "leaked")
    parts = (
        rotations.c.status == _literal("failed"),
        sa.and_(rotations.c.next_run_at <= _param("due_by"), rotations.c.enabled.is_(True)),
        rotations.c.id.in_(overdue),
        rotations.c.id.in_(ending),
        rotations.c.id.in_(leaked),
    )
    columns = (rotations.c.id, rotations.c.kind, rotations.c.connection_id)
    return sa.union(*(sa.select(*columns).where(*own, part) for part in parts))


def rotations_to_judge(tx: Tx, org_id: str, now: datetime) -> tuple[list[str], list[str]]:
    """Return whose rotations may need somebody: ids of connections, and ids of rotations of other applications."""
    moments = {"soon": shift(now, _FIRST_TOLD), "due_by": shift(now, DUE_WITHIN), "now": now}
    rows = tx.rows(_rotations(postgres=tx.postgres), org=org_id, **moments)
    own = [str(row["connection_id"]) for row in rows if row["kind"] == "connection" and row["connection_id"]]
    return own, [str(row["id"]) for row in rows if row["kind"] != "connection"]


_UNUSED = sa.select(oauth_tokens.c.connection_id).where(
    oauth_tokens.c.refresh_due_at <= _param("used_by"), oauth_tokens.c.refreshed_at <= _param("used_before")
)
_ENDING_CONNECTIONS = sa.union(
    *(
        sa.select(app_connections.c.id).where(app_connections.c.org_id == _param("org"), part)
        for part in (
            app_connections.c.ends_at <= _param("soon"),
            app_connections.c.secret_ends_at <= _param("soon"),
            app_connections.c.id.in_(_UNUSED),
        )
    )
)


def connections_to_judge(tx: Tx, org_id: str, now: datetime) -> list[str]:
    """Return the ids of connections of which what they sign in with may end, whatever their rotation."""
    moments = {
        "soon": shift(now, _FIRST_TOLD),
        "used_by": shift(now, _USED_AGAIN),
        "used_before": shift(now, -_GRANTS_AFTER),
    }
    return [str(row["id"]) for row in tx.rows(_ENDING_CONNECTIONS, org=org_id, **moments)]


_AT_ONCE = 10_000
_REFRESHED = sa.select(oauth_tokens.c.connection_id, oauth_tokens.c.refreshed_at)
_MAPPINGS = sa.select(secret_rotations.c.id)


def refreshed_at(tx: Tx, ids: Sequence[str]) -> dict[str, datetime]:
    """Return when what people granted to these connections was used last, by connection id."""
    queries = [
        _REFRESHED.where(oauth_tokens.c.connection_id.in_(ids[start : start + _AT_ONCE]))
        for start in range(0, len(ids), _AT_ONCE)
    ]
    return {row["connection_id"]: row["refreshed_at"] for query in queries for row in tx.rows(query)}


def mappings_of(tx: Tx, rotation_ids: Sequence[str]) -> list[str]:
    """Return the ids of all secret rotations that share these rotations."""
    queries = [
        _MAPPINGS.where(secret_rotations.c.rotation_id.in_(rotation_ids[start : start + _AT_ONCE]))
        for start in range(0, len(rotation_ids), _AT_ONCE)
    ]
    return [str(row["id"]) for query in queries for row in tx.rows(query)]


# --- single credentials -----------------------------------------------------------------------------------------------

_PLACED = (
    rotations.c.id.label("of_rotation"),
    *(rotations.c[name] for name in ("org_id", "project_id", "name", "retired", "connection_id")),
    rotations.c.app_id,
    rotations.c.application_name,
    app_connections.c.name.label("connection_name"),
    secret_rotations.c.id.label("mapping_id"),
    secret_rotations.c.name.label("mapping_name"),
    secret_rotations.c.project_id.label("mapping_project"),
    secret_rotations.c.connection_id.label("mapping_connection"),
    environments.c.slug.label("environment"),
    secret_folders.c.path.label("folder"),
)


def _with_places(found: sa.FromClause) -> sa.FromClause:
    """What is found of rotations, with where each is shown. It stands first: SQLite finds no index behind outer joins."""
    return (
        found.outerjoin(app_connections, app_connections.c.id == rotations.c.connection_id)
        .outerjoin(secret_rotations, secret_rotations.c.rotation_id == rotations.c.id)
        .outerjoin(secret_folders, secret_folders.c.id == secret_rotations.c.folder_id)
        .outerjoin(environments, environments.c.id == secret_rotations.c.environment_id)
    )


def _place(row: Mapping[str, Any]) -> CredentialPlace:
    """Return where the rotation of a row is shown: at its connection, in a project, or where its removal is watched."""
    org_id, application = row["org_id"], f"'{row['application_name']}' ({row['app_id']})"
    if row["mapping_id"]:
        subject = ConditionSubject(SubjectKind.SECRET_ROTATION, row["mapping_id"], row["mapping_name"])
        place = Scope(org_id, row["mapping_project"], row["environment"], row["folder"], row["mapping_connection"])
        return CredentialPlace(subject, place, f"/secret-rotations/{row['mapping_id']}", application)
    place = Scope(org_id, row["project_id"], connection_id=row["connection_id"])
    if row["retired"] or not row["connection_name"]:
        subject = ConditionSubject(SubjectKind.ROTATION, row["of_rotation"], row["name"])
        return CredentialPlace(subject, place, f"/removals/{row['of_rotation']}", application)
    subject = ConditionSubject(SubjectKind.CONNECTION, row["connection_id"], row["connection_name"])
    return CredentialPlace(subject, place, f"/app-connections/{row['connection_id']}", application)


_REFUSAL = (
    sa.select(run_steps.c.message)
    .where(
        run_steps.c.rotation_id == _entries.c.rotation_id,
        run_steps.c.credential_id == _entries.c.id,
        run_steps.c.outcome == "failed",
    )
    .order_by(run_steps.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_REMOVALS = (
    sa.select(*journal.JOINED, _REFUSAL.label("refusal"), *_PLACED)
    .select_from(_with_places(_entries.join(rotations, rotations.c.id == _entries.c.rotation_id)))
    .where(
        _entries.c.org_id == _param("org"),
        _entries.c.state.in_([_literal("retiring"), _literal("revoking"), _literal("lost")]),
        sa.or_(
            _entries.c.note == USED_ELSEWHERE,
            _entries.c.tries > 0,
            sa.func.coalesce(_entries.c.revoke_after, _entries.c.retired_at) < _param("late"),
        ),
    )
)


def removals(tx: Tx, org_id: str, now: datetime) -> Iterator[tuple[Credential, CredentialPlace, str]]:
    """Yield credentials that were replaced and may be waited for too long, with why a removal was refused last."""
    for row in tx.rows(_REMOVALS, org=org_id, late=shift(now, -REMOVED_IN_TIME)):
        yield journal.joined(row), _place(row), str(row["refusal"] or "")


_REFUSED = (
    sa.select(*journal.JOINED, observed_uses.c.observed.label("use_observed"), *_PLACED)
    .select_from(
        _with_places(
            observed_uses.join(_entries, _entries.c.id == observed_uses.c.credential_id).join(
                rotations, rotations.c.id == observed_uses.c.rotation_id
            )
        )
    )
    .where(_entries.c.org_id == _param("org"), observed_uses.c.refused_at > _param("since"))
)


def refused_uses(tx: Tx, org_id: str, now: datetime) -> Iterator[tuple[Credential, CredentialPlace, ObservedUse]]:
    """Yield credentials that are gone and that somebody was refused with since, with who that was."""
    for row in tx.rows(_REFUSED, org=org_id, since=shift(now, -REFUSED_FOR)):
        credential = journal.joined(row)
        yield credential, _place(row), documents.use(credential.id, row["use_observed"])


_siblings = observed_keys.alias("siblings")
_FIRST_LOOK = (
    sa.select(sa.func.min(_siblings.c.first_seen_at))
    .where(_siblings.c.rotation_id == observed_keys.c.rotation_id)
    .scalar_subquery()
)
_SEEN = ("key_id", "name", "hint", "first_seen_at", "gone_at")
_OBSERVED = tuple(observed_keys.c[name].label(f"seen_{name}") for name in _SEEN)
_APPEARED = (
    sa.select(*_OBSERVED, *_PLACED)
    .select_from(_with_places(observed_keys.join(rotations, rotations.c.id == observed_keys.c.rotation_id)))
    .where(
        rotations.c.org_id == _param("org"),
        rotations.c.retired.is_(False),
        observed_keys.c.ours.is_(False),
        observed_keys.c.gone_at.is_(None),
        observed_keys.c.first_seen_at > _param("since"),
        # What was there when the application was first looked at is no news.
        observed_keys.c.first_seen_at > _FIRST_LOOK,
    )
)
_VANISHED = (
    sa.select(*_OBSERVED, *_PLACED)
    .select_from(
        _with_places(
            _entries.join(
                observed_keys,
                sa.and_(
                    observed_keys.c.rotation_id == _entries.c.rotation_id, observed_keys.c.key_id == _entries.c.key_id
                ),
            ).join(rotations, rotations.c.id == _entries.c.rotation_id)
        )
    )
    .where(
        _entries.c.org_id == _param("org"),
        _IS_CURRENT,
        rotations.c.retired.is_(False),
        observed_keys.c.ours.is_(True),
        observed_keys.c.gone_at.is_not(None),
        observed_keys.c.gone_at <= _param("confirmed_by"),
    )
)
_CONFIRMED_AFTER = timedelta(minutes=2)
"""A credential that a list lacks is looked for again within that time: replicas lag."""


def foreign(tx: Tx, org_id: str, now: datetime) -> Iterator[tuple[ForeignCredential, CredentialPlace]]:
    """Yield credentials that others added to applications which rotate, and current ones that others removed."""
    appeared = tx.rows(_APPEARED, org=org_id, since=shift(now, -NEWS_FOR))
    vanished = tx.rows(_VANISHED, org=org_id, confirmed_by=shift(now, -_CONFIRMED_AFTER))
    for rows, is_current in ((appeared, False), (vanished, True)):
        for row in rows:
            seen, _ = unread.values(row, _SEEN, "seen_")
            first = seen.pop("first_seen_at") or FIRST
            yield ForeignCredential(**seen, first_seen_at=first, is_current=is_current), _place(row)


# --- identities and the server ----------------------------------------------------------------------------------------

_IDENTITY = (
    identities.c.id,
    identities.c.name,
    universal_auths.c.failures,
    universal_auths.c.last_failure_at,
    universal_auths.c.locked_until,
)
_SIGNED_IN_BY_SECRET = identities.join(universal_auths, universal_auths.c.identity_id == identities.c.id)
_LOCKED = (
    sa.select(*_IDENTITY)
    .select_from(_SIGNED_IN_BY_SECRET)
    .where(identities.c.org_id == _param("org"), universal_auths.c.locked_until > _param("now"))
)
_ENDING = (
    sa.select(
        *_IDENTITY,
        *(client_secrets.c[name].label(f"secret_{name}") for name in ("id", "description", "ttl", "created_at")),
    )
    .select_from(_SIGNED_IN_BY_SECRET.join(client_secrets, client_secrets.c.universal_auth_id == universal_auths.c.id))
    .where(identities.c.org_id == _param("org"), client_secrets.c.revoked.is_(False), client_secrets.c.ttl > 0)
)


def _identity(row: Mapping[str, Any], org_id: str) -> IdentityState:
    attempts = Attempts(row["failures"], row["last_failure_at"], row["locked_until"])
    return IdentityState(org_id, row["id"], row["name"], attempts)


def locked_identities(tx: Tx, org_id: str, now: datetime) -> Iterator[IdentityState]:
    """Yield machine identities whose sign-ins are locked."""
    for row in tx.rows(_LOCKED, org=org_id, now=now):
        yield _identity(row, org_id)


def ending_client_secrets(tx: Tx, org_id: str) -> Iterator[tuple[IdentityState, EndingClientSecret]]:
    """Yield all client secrets of machine identities that end by themselves."""
    for row in tx.rows(_ENDING, org=org_id):
        ends_at = shift(row["secret_created_at"], timedelta(seconds=row["secret_ttl"]))
        yield _identity(row, org_id), EndingClientSecret(row["secret_id"], row["secret_description"], ends_at)


_LAST_SEEN = sa.select(sa.func.max(processes.c.seen_at).label("at"))
_NEWEST_KEY = sa.select(sa.func.max(data_keys.c.created_at).label("at")).where(data_keys.c.retired_at.is_(None))


def server(tx: Tx, now: datetime) -> ServerState:
    """Return what the server says of itself: of its workers, keys, backups and receivers of audit events."""
    seen, made = tx.one(_LAST_SEEN), tx.one(_NEWEST_KEY)
    of_workers, of_keys = seen["at"] if seen else None, made["at"] if made else None
    return ServerState(of_workers, of_keys, LIFE, backups.looked_into(tx, now), streams.failing(tx, now))
