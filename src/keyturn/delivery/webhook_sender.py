"""Tells a webhook what is new: changes into the journal first, then message by message, until each was taken.

At least once: a message is sent, and then noted. Whoever is killed between the two sends it again, under the same id.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from standardwebhooks.webhooks import Webhook as Signer

from keyturn.audit import webhook_events as events
from keyturn.audit.record import record
from keyturn.authz.authorize import Grants, Scope, granted_to_each
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.db.unit import Database, Tx
from keyturn.delivery import webhook_store as store
from keyturn.delivery.event_views import Interest, visible_change
from keyturn.delivery.webhook_rules import (
    GONE,
    LONGEST_REASON,
    PAUSES,
    TRIED_FOR,
    Attempt,
    Delivery,
    State,
    Webhook,
    body_of,
    delivery_id,
    next_try,
    why_not,
)
from keyturn.delivery.webhooks import facts_of, subject_of
from keyturn.kit.actor import Actor, platform
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.retry_after import retry_after
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.http import HttpRequest, NamedHostTransport, TransportFailed
from keyturn.ports.sealing import Sealer
from keyturn.secrets.domain import owner_of

TIMEOUT = timedelta(seconds=10)
LONGEST_ROUND = 60.0
AT_ONCE = 50
_CHANGES_AT_ONCE = 500
_ALL = (Interest(),)
_TOO_BUSY = frozenset({408, 425, 429})


@dataclass(frozen=True)
class _Owner:
    """Whom a webhook acts for, with what they may do in its project at this moment."""

    actor: Actor
    grants: Grants


class WebhookSender:
    """``round`` is one piece of work. Safe to repeat; not to be run twice at once for one webhook."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        ids: Ids,
        transport: NamedHostTransport,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids
        self._transport = transport
        self._monotonic = monotonic

    def round(self, webhook_id: str) -> None:
        """Take what is new into the journal, and send what is due. Ends after a minute, or with a receiver that fails."""
        while self._take_in(webhook_id):
            pass
        self._send_due(webhook_id)

    # --- into the journal ---------------------------------------------------------------------------------------------

    def _take_in(self, webhook_id: str) -> bool:
        """Take some changes in, each once; say whether there may be more."""
        with self._database.write() as tx:
            webhook = store.get(tx, webhook_id, lock=True)
            if webhook is None or not webhook.enabled:
                return False
            now = self._clock.now()
            owner = self._owner(tx, webhook, now)
            if owner is None:
                self._disable(tx, webhook, "Whom it acted for is not there any more.", now)
                return False
            floor = feed.floor(tx, webhook.project_id)
            if webhook.position < floor:
                body = body_of("reset", webhook.project_id, now, floor, None)
                self._add(tx, webhook, floor, "reset", body, now)
                return store.advance(tx, webhook.id, webhook.position, floor)
            changes = feed.since(tx, webhook.project_id, webhook.position, _CHANGES_AT_ONCE)
            for number, change in changes:
                told = visible_change(
                    change, owner.grants, owner.actor.org_id, webhook.project_id, owner_of(owner.actor), _ALL
                )
                if told is not None and webhook.wants(told):
                    body = body_of(told.kind.value, webhook.project_id, now, number, told)
                    self._add(tx, webhook, number, told.kind.value, body, now)
            if changes:
                store.advance(tx, webhook.id, webhook.position, changes[-1][0])
            return len(changes) == _CHANGES_AT_ONCE

    def _add(self, tx: Tx, webhook: Webhook, number: int, kind: str, body: str, now: datetime) -> None:
        message_id = delivery_id(webhook.id, number)
        store.add_delivery(tx, Delivery(message_id, webhook.id, number, kind, body, now, now, State.WAITING, 0))

    def _owner(self, tx: Tx, webhook: Webhook, now: datetime) -> _Owner | None:
        actor = store.owner(tx, webhook.acts_for_kind, webhook.acts_for_id, now)
        if actor is None:
            return None
        [(grants, _)] = granted_to_each(tx, [actor], webhook.project_id)
        return _Owner(actor, grants)

    # --- to the receiver ----------------------------------------------------------------------------------------------

    def _send_due(self, webhook_id: str) -> None:
        began = self._monotonic()
        with self._database.read() as tx:
            webhook = store.get(tx, webhook_id)
            due = store.due_deliveries(tx, webhook_id, self._clock.now(), AT_ONCE)
            owner = self._owner(tx, webhook, self._clock.now()) if webhook else None
            sealed = store.secrets_of(tx, webhook_id, self._clock.now())
        if webhook is None or owner is None:
            return
        secrets = [self._sealer.open(each, context).reveal() for context, each in sealed]
        for delivery in due:
            if not webhook.enabled or self._monotonic() - began > LONGEST_ROUND:
                break
            if not _may_be_told(delivery, owner, webhook):
                attempt = Attempt(
                    delivery.attempts + 1, self._clock.now(), None, "Whom it acts for may not know it.", 0
                )
                with self._database.write() as tx:
                    store.note_attempt(tx, delivery, attempt, State.FAILED, None)
                continue
            attempt, wait = self._attempt(webhook, delivery, [Signer(secret) for secret in secrets])
            webhook = self._note(webhook, delivery, attempt, wait)
            busy = attempt.status is None or attempt.status >= 500 or attempt.status in _TOO_BUSY
            if not attempt.taken and busy:
                break
        self._sleep(webhook)

    def _attempt(self, webhook: Webhook, delivery: Delivery, signers: list[Signer]) -> tuple[Attempt, timedelta | None]:
        """Send once. Returns how it went, and how long the receiver asks to be left alone."""
        now, began = self._clock.now(), self._monotonic()
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(delivery.id, now, delivery.body) for signer in signers),
        }
        status, reason, wait = None, None, None
        try:
            request = HttpRequest("POST", webhook.url, headers, delivery.body.encode(), TIMEOUT, status_only=True)
            answer = self._transport.send(request, ca=webhook.ca)
        except TransportFailed as error:
            reason = f"No answer: {error}."[:LONGEST_REASON]
        else:
            status = answer.status
            if not 200 <= status < 300:
                reason = why_not(status)
                wait = retry_after(answer.headers, now)
        took = round((self._monotonic() - began) * 1000)
        return Attempt(delivery.attempts + 1, now, status, reason, took), wait

    def _note(self, webhook: Webhook, delivery: Delivery, attempt: Attempt, wait: timedelta | None) -> Webhook:
        """Write down how an attempt went, and what follows from it."""
        now = self._clock.now()
        with self._database.write() as tx:
            present = store.get(tx, webhook.id, lock=True)
            if present is None:
                return replace(webhook, enabled=False)
            present = replace(present, last_at=attempt.at, last_status=attempt.status, last_reason=attempt.reason)
            if attempt.taken:
                store.note_attempt(tx, delivery, attempt, State.DELIVERED, None)
                after = replace(present, failing_since=None, failures=0)
                store.save(tx, after)
                return after
            again = next_try(delivery, now, self._ids.jitter())
            if again is not None and wait is not None:
                again = max(again, now + wait)
            store.note_attempt(tx, delivery, attempt, State.WAITING if again else State.FAILED, again)
            since = present.failing_since or now
            after = replace(present, failing_since=since, failures=present.failures + 1)
            store.save(tx, after)
            if attempt.status == GONE:
                return self._disable(tx, after, "The receiver answered that it is gone for good (410).", now)
            if now - since >= TRIED_FOR:
                reason = f"Nothing was taken for {TRIED_FOR.days} days. The last time: {attempt.reason}"
                return self._disable(tx, after, reason, now)
            return after

    def _disable(self, tx: Tx, webhook: Webhook, reason: str, now: datetime) -> Webhook:
        after = replace(webhook, enabled=False, disabled_reason=reason, updated_at=now)
        store.save(tx, after)
        store.give_up(tx, webhook.id)
        store.set_wake(tx, webhook.id, None)
        by = platform(store.organization_of(tx, webhook.project_id))
        record(tx, by, events.WEBHOOK_DISABLED, subject_of(after), now, **facts_of(after), reason=reason)
        return after

    def _sleep(self, webhook: Webhook) -> None:
        """Say when there is something to send again. A receiver that fails is left alone for longer each time."""
        now = self._clock.now()
        with self._database.write() as tx:
            due = store.next_due(tx, webhook.id)
            if due is not None and webhook.failures:
                due = max(due, now + PAUSES[min(webhook.failures - 1, 3)])
            store.set_wake(tx, webhook.id, due if webhook.enabled else None)


def _may_be_told(delivery: Delivery, owner: _Owner, webhook: Webhook) -> bool:
    """Say whether the owner may know of it still: it may have waited for days."""
    data = json.loads(delivery.body)["data"]
    if data.get("path") is None:
        return True
    scope = Scope(owner.actor.org_id, webhook.project_id, data.get("environment"), data["path"])
    folder = delivery.kind.startswith("folder:")
    return owner.grants.allow(Action.READ_FOLDERS if folder else Action.DESCRIBE_SECRETS, scope)
