"""Use cases of channels: set up, changed, tried and removed by administrators of the organization."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from keyturn.alarms import channel_store as store
from keyturn.alarms import message_store
from keyturn.alarms.channels.kind import ChannelKind
from keyturn.alarms.conditions.domain import Severity
from keyturn.alarms.delivery import Sender
from keyturn.alarms.domain import Attempt, Audience, Channel, Message
from keyturn.alarms.message_store import Delivery
from keyturn.alarms.notification import trial
from keyturn.alarms.people_store import administrators
from keyturn.alarms.routing import Persons, receivers
from keyturn.alarms.store import alone
from keyturn.audit import alarm_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz import authorize
from keyturn.authz.authorize import Scope
from keyturn.authz.domain import Action, require_admin
from keyturn.db.unit import Database, Tx
from keyturn.errors import NotFound, Refused
from keyturn.kit import zones
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext, Sealed
from keyturn.organizations.quotas import require_room
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer

MOST = 50
"""Channels of an organization."""
_MESSAGES = 50


@dataclass(frozen=True)
class ChannelDraft:
    """A channel as it is to be. ``secret`` None leaves the one that is there; a new channel that needs one has to have it."""

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    secret: Plaintext | None = None
    project_id: str | None = None
    least: Severity = Severity.NOTICE
    digest_hour: int = 8
    time_zone: str = "UTC"
    enabled: bool = True


class Channels:
    """All of it is for administrators of the organization, and audited; what a secret is, is never shown again."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        ids: Ids,
        kinds: Mapping[str, ChannelKind],
        site: str,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._site = site
        self._sender = Sender(sealer, kinds, clock)
        self.kinds = kinds

    def list(self, actor: Actor) -> Sequence[Channel]:
        """Return the channels, by name."""
        require_admin(actor)
        with self._database.read() as tx:
            return store.of_organization(tx, actor.org_id)

    def get(self, actor: Actor, channel_id: str) -> Channel:
        """Return a channel. Raises NotFound."""
        require_admin(actor)
        with self._database.read() as tx:
            return _found(tx, actor, channel_id)

    def messages(self, actor: Actor, channel_id: str) -> Sequence[Delivery]:
        """Return the newest messages of a channel, with each attempt. Raises NotFound."""
        require_admin(actor)
        with self._database.read() as tx:
            _found(tx, actor, channel_id)
            return message_store.of_channel(tx, channel_id, _MESSAGES)

    def create(self, actor: Actor, draft: ChannelDraft) -> Channel:
        """Add a channel. Raises Refused for what can not work, and then nothing is there."""
        require_admin(actor)
        kind, config = self._checked(draft, draft.secret)
        if kind.secret_needed and draft.secret is None:
            raise Refused(
                "The channel does not work without its secret.",
                code="alarms.channel_invalid",
                fix=f"Give it: {kind.secret}.",
                field="secret",
            )
        now, channel_id = self._clock.now(), self._ids.new()
        channel = Channel(
            id=channel_id,
            org_id=actor.org_id,
            project_id=draft.project_id,
            name=draft.name,
            kind=kind.key,
            config=config,
            secret=self._sealer.seal(draft.secret, store.place(channel_id)) if draft.secret else None,
            least=draft.least,
            digest_hour=draft.digest_hour,
            time_zone=draft.time_zone,
            enabled=draft.enabled,
            created_at=now,
            updated_at=now,
        )
        with self._database.write() as tx:
            _require_project(tx, actor, draft.project_id)
            require_room(len(store.of_organization(tx, actor.org_id)), MOST, "channels", "number of channels")
            if not store.add(tx, channel):
                raise _name_taken(draft.name)
            self._record(tx, actor, events.ALARM_CHANNEL_CREATED, channel, secret=draft.secret is not None)
        return channel

    def update(self, actor: Actor, channel_id: str, draft: ChannelDraft) -> Channel:
        """Change a channel to this. Its kind stays. Raises Refused and NotFound, and then it is as it was."""
        before = self.get(actor, channel_id)
        draft = replace(draft, kind=before.kind)
        stored = self._sealer.open(before.secret, store.place(channel_id)) if before.secret else None
        kind, config = self._checked(draft, draft.secret or stored)
        with self._database.write() as tx:
            channel = _found(tx, actor, channel_id, lock=True)
            kept = _kept_secret(kind, channel, config) if draft.secret is None else None
            _require_project(tx, actor, draft.project_id)
            same_name = store.channel_of_name(tx, actor.org_id, draft.name)
            if same_name is not None and same_name.id != channel_id:
                raise _name_taken(draft.name)
            secret = self._sealer.seal(draft.secret, store.place(channel_id)) if draft.secret else kept
            channel = replace(
                channel,
                project_id=draft.project_id,
                name=draft.name,
                config=config,
                secret=secret,
                least=draft.least,
                digest_hour=draft.digest_hour,
                time_zone=draft.time_zone,
                enabled=draft.enabled,
                updated_at=self._clock.now(),
                # Since it was switched off nobody knows how it does.
                failing_since=channel.failing_since if channel.enabled else None,
                failure=channel.failure if channel.enabled else None,
            )
            store.change(tx, channel)
            self._record(tx, actor, events.ALARM_CHANNEL_UPDATED, channel, secret=draft.secret is not None)
        return channel

    def delete(self, actor: Actor, channel_id: str) -> Channel:
        """Remove a channel, with its messages. Raises NotFound."""
        require_admin(actor)
        with self._database.write() as tx:
            alone(tx, actor.org_id)
            channel = _found(tx, actor, channel_id, lock=True)
            store.remove(tx, channel_id)
            self._record(tx, actor, events.ALARM_CHANNEL_DELETED, channel, secret=False)
        return channel

    def test(self, actor: Actor, channel_id: str) -> Sequence[Attempt]:
        """Send a real message now, to each receiver, and say how each went; the page of the channel shows it as well.

        Where all took it, what waits for its next attempt is sent at once: the channel was repaired.
        """
        channel, now = self.get(actor, channel_id), self._clock.now()
        with self._database.read() as tx:
            persons = Persons(None, tuple(administrators(tx, actor.org_id)[None]))
        tried = []
        for receiver in receivers(channel, Audience.ADMINISTRATORS, persons):
            message_id = self._ids.new()
            told = trial(message_id, receiver, now, channel.name, actor.name, self._site)
            message = Message(
                message_id, actor.org_id, channel_id, receiver, message_store.TEST, now, None, None, None, 0
            )
            tried.append((message, self._sender.send(channel, told)))
        with self._database.write() as tx:
            _found(tx, actor, channel_id, lock=True)
            for message, attempt in tried:
                message_store.add(tx, message, f"test:{message.id}")
                message_store.note_attempt(tx, self._ids.new(), message, attempt, None)
                if attempt.ok:
                    store.note_success(tx, channel_id)
                else:
                    store.note_failure(tx, channel_id, attempt.outcome, attempt.at)
                facts = {"name": channel.name, "ok": attempt.ok, "outcome": attempt.outcome}
                record(tx, actor, events.ALARM_CHANNEL_TESTED, _subject(channel), now, **facts)
            if tried and all(attempt.ok for _, attempt in tried):
                message_store.try_again(tx, channel_id, self._clock.now())
        return [attempt for _, attempt in tried]

    def _checked(self, draft: ChannelDraft, secret: Plaintext | None) -> tuple[ChannelKind, dict[str, Any]]:
        kind = self.kinds.get(draft.kind)
        if kind is None:
            raise Refused(
                "There is no such kind of channel.",
                code="alarms.channel_invalid",
                fix=f"Choose one of {', '.join(self.kinds)}.",
                field="kind",
            )
        if draft.time_zone not in zones.names():
            raise Refused(zones.refusal(draft.time_zone), code="alarms.channel_invalid", field="timeZone")
        return kind, kind.check(draft.config, secret)

    def _record(self, tx: Tx, actor: Actor, event: AuditEvent, channel: Channel, *, secret: bool) -> None:
        facts = {
            "name": channel.name,
            "kind": channel.kind,
            "projectId": channel.project_id,
            "config": channel.config,
            "secretChanged": secret,
            "enabled": channel.enabled,
        }
        record(tx, actor, event, _subject(channel), self._clock.now(), **facts)


def _found(tx: Tx, actor: Actor, channel_id: str, *, lock: bool = False) -> Channel:
    channel = store.get(tx, channel_id, lock=lock)
    if channel is None or channel.org_id != actor.org_id:
        raise NotFound(
            f"There is no channel '{channel_id}'.",
            code="alarms.channel_not_found",
            fix="GET /api/v1/alarm-channels lists them, as the page Channels does.",
        )
    return channel


def _require_project(tx: Tx, actor: Actor, project_id: str | None) -> None:
    if project_id is not None:
        try:
            authorize.require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project_id))
        except NotFound as error:
            raise Refused(error.message, code=error.code, fix="Check projectId.", field="projectId") from None


def _kept_secret(kind: ChannelKind, channel: Channel, config: Mapping[str, Any]) -> Sealed | None:
    """Return the secret that is there; None where it is told to nobody any more.

    Raises Refused where it would be told to somebody whom it was not entered for.
    """
    if channel.secret is None or all(channel.config.get(key) == config.get(key) for key in kind.secret_goes_to):
        return channel.secret
    if not all(config.get(key) for key in kind.secret_goes_to):
        return None
    raise Refused(
        f"{kind.secret}: the one that is there was entered for another place than it would be told to now.",
        code="alarms.channel_invalid",
        fix="Enter it again.",
        field="secret",
    )


def _name_taken(name: str) -> Refused:
    return Refused(
        f"There is a channel named '{name}' already.",
        code="alarms.channel_name_taken",
        fix="Choose another name.",
        field="name",
    )


def _subject(channel: Channel) -> Subject:
    return Subject(SubjectKind.ALARM_CHANNEL, channel.id, channel.project_id)
