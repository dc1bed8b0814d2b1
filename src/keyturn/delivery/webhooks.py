"""Use cases of webhooks: the changes of a project are told to an address, as far as whom it acts for may know of them."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from keyturn.audit import webhook_events as events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz.authorize import Scope, grants_of, require
from keyturn.authz.domain import Action
from keyturn.authz.globs import require_glob
from keyturn.changes import store as feed
from keyturn.db.unit import Database, Tx
from keyturn.delivery import webhook_store as store
from keyturn.delivery.webhook_rules import (
    OVERLAP,
    Attempt,
    Delivery,
    NewWebhook,
    State,
    Webhook,
    WebhookChange,
    body_of,
)
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.secret import Plaintext
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.projects import store as projects

MOST = 50
"""Webhooks of one project."""
LONGEST_URL = 2000
PREFIX = "whsec_"
TEST = "test"
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Told:
    """A message of the journal, with its attempts. ``body`` is None for who may not know what it tells of."""

    delivery: Delivery
    body: str | None
    attempts: Sequence[Attempt]


class Webhooks:
    """All of it is for those who may edit the project, and audited. A secret is shown once, when it is made."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids

    def list(self, actor: Actor, project_id: str) -> Sequence[Webhook]:
        """Return the webhooks of a project, the oldest first."""
        with self._database.read() as tx:
            _require(tx, actor, project_id)
            return store.of_project(tx, project_id)

    def get(self, actor: Actor, webhook_id: str) -> Webhook:
        """Return a webhook. Raises NotFound."""
        with self._database.read() as tx:
            return _found(tx, actor, webhook_id)

    def create(self, actor: Actor, project_id: str, new: NewWebhook) -> tuple[Webhook, Plaintext]:
        """Add a webhook, which tells of what changes from now on; return it with its secret, which is not shown again.

        It acts for who makes it; for a machine identity where an administrator of the organization says so. Raises Refused for
        an address, a pattern, a secret or certificates that are none.
        """
        _check(new.url, new.path, new.ca)
        secret = _checked(new.secret) if new.secret else _new_secret()
        now, webhook_id = self._clock.now(), self._ids.new()
        with self._database.write() as tx:
            _require(tx, actor, project_id)
            _check_environment(tx, actor, project_id, new.environment)
            if len(store.of_project(tx, project_id)) >= MOST:
                raise Refused(
                    f"This project has {MOST} webhooks, as many as one may have.",
                    code="webhooks.too_many",
                    fix="Delete what nobody needs.",
                )
            kind, acts_for_id = self._acts_for(tx, actor, new.identity_id)
            webhook = Webhook(
                webhook_id,
                project_id,
                new.url,
                new.environment,
                new.path,
                new.kinds,
                kind,
                acts_for_id,
                new.ca,
                enabled=True,
                disabled_reason=None,
                position=feed.revision(tx, project_id),
                failing_since=None,
                failures=0,
                last_at=None,
                last_status=None,
                last_reason=None,
                previous_until=None,
                created_at=now,
                updated_at=now,
            )
            store.add(tx, webhook, self._sealer.seal(secret, store.place(webhook_id)))
            self._record(tx, actor, events.WEBHOOK_CREATED, webhook)
        return webhook, secret

    def update(self, actor: Actor, webhook_id: str, change: WebhookChange) -> Webhook:
        """Change what is given. One that was switched off begins with what changes from then on."""
        with self._database.write() as tx:
            before = _found(tx, actor, webhook_id, lock=True)
            if change != WebhookChange(enabled=False):
                _require_own(actor, before)
            after = replace(
                before,
                url=before.url if change.url is None else change.url,
                path=before.path if change.path is None else change.path,
                kinds=before.kinds if change.kinds is None else change.kinds,
                ca=before.ca if change.ca is None else change.ca,
                enabled=before.enabled if change.enabled is None else change.enabled,
            )
            _check(after.url, after.path, after.ca)
            if after.enabled and not before.enabled:
                position = feed.revision(tx, before.project_id)
                after = replace(after, disabled_reason=None, failing_since=None, failures=0, position=position)
            if after != before:
                after = replace(after, updated_at=self._clock.now())
                store.save(tx, after)
                self._record(tx, actor, events.WEBHOOK_UPDATED, after, enabled=after.enabled)
        return after

    def delete(self, actor: Actor, webhook_id: str) -> Webhook:
        """Remove a webhook with its journal."""
        with self._database.write() as tx:
            webhook = _found(tx, actor, webhook_id, lock=True)
            store.remove(tx, webhook_id)
            self._record(tx, actor, events.WEBHOOK_DELETED, webhook)
        return webhook

    def rotate_secret(self, actor: Actor, webhook_id: str) -> tuple[Webhook, Plaintext]:
        """Give it a new secret, and return that once. For a day messages carry the signatures of both."""
        secret, now = _new_secret(), self._clock.now()
        with self._database.write() as tx:
            webhook = _found(tx, actor, webhook_id, lock=True)
            _require_own(actor, webhook)
            context, sealed = store.secrets_of(tx, webhook_id, now)[0]
            previous = self._sealer.seal(self._sealer.open(sealed, context), store.place(webhook_id, "previous_secret"))
            store.replace_secret(
                tx, webhook_id, self._sealer.seal(secret, store.place(webhook_id)), previous, now + OVERLAP
            )
            self._record(tx, actor, events.WEBHOOK_SECRET_ROTATED, webhook)
        return replace(webhook, previous_until=now + OVERLAP), secret

    def test(self, actor: Actor, webhook_id: str) -> Delivery:
        """Have a message sent that tells of nothing; the journal shows what became of it."""
        now = self._clock.now()
        with self._database.write() as tx:
            webhook = _found(tx, actor, webhook_id, lock=True)
            _require_enabled(webhook)
            body = body_of(TEST, webhook.project_id, now, None, None)
            delivery_id = f"msg_test_{self._ids.new().replace('-', '')}"
            delivery = Delivery(delivery_id, webhook_id, None, TEST, body, now, now, State.WAITING, 0)
            store.add_delivery(tx, delivery)
            store.set_wake(tx, webhook_id, now)
            self._record(tx, actor, events.WEBHOOK_TESTED, webhook)
        return delivery

    def replay(self, actor: Actor, webhook_id: str, delivery_id: str) -> Delivery:
        """Have a message sent again, under the same id: a receiver that took it knows that it did. Raises NotFound."""
        now = self._clock.now()
        with self._database.write() as tx:
            webhook = _found(tx, actor, webhook_id, lock=True)
            _require_enabled(webhook)
            before = store.delivery(tx, webhook_id, delivery_id)
            if before is None:
                raise NotFound(
                    f"There is no message '{delivery_id}'.",
                    code="webhooks.message_not_found",
                    fix="GET /api/v1/webhooks/{id}/messages lists them, as long as they are kept.",
                )
            after = replace(before, state=State.WAITING, next_at=now)
            store.save_delivery(tx, after)
            store.set_wake(tx, webhook_id, now)
            self._record(tx, actor, events.WEBHOOK_REPLAYED, webhook, message=delivery_id)
        return after

    def journal(self, actor: Actor, webhook_id: str, limit: int = 50, offset: int = 0) -> Sequence[Told]:
        """Return messages with their attempts, the newest first."""
        with self._database.read() as tx:
            webhook = _found(tx, actor, webhook_id)
            scope = Scope(actor.org_id, webhook.project_id)
            may_know = actor.id == webhook.acts_for_id or grants_of(tx, actor, scope).everywhere(
                Action.DESCRIBE_SECRETS
            )
            found = store.journal(tx, webhook_id, limit, offset)
        return [Told(each, each.body if may_know else None, attempts) for each, attempts in found]

    # --- parts --------------------------------------------------------------------------------------------------------

    def _acts_for(self, tx: Tx, actor: Actor, identity_id: str | None) -> tuple[ActorKind, str]:
        if identity_id is None or identity_id == actor.id:
            if actor.id is None:
                raise Refused(
                    "A webhook acts for somebody.",
                    code="webhooks.nobody",
                    fix="Send identityId: the machine identity it acts for.",
                )
            return actor.kind, actor.id
        if actor.role is not Role.ADMIN:
            raise Forbidden(
                "A webhook acts for who makes it: for another one, only an administrator of the organization may say so.",
                code="webhooks.acts_for_other",
                fix="Leave out identityId, or ask an administrator of the organization.",
            )
        owner = store.owner(tx, ActorKind.IDENTITY, identity_id, self._clock.now())
        if owner is None or owner.org_id != actor.org_id:
            raise NotFound(
                f"There is no machine identity '{identity_id}'.",
                code="access.identity_not_found",
                fix="GET /api/v1/identities lists them, as the page Machine identities does.",
            )
        return ActorKind.IDENTITY, identity_id

    def _record(self, tx: Tx, actor: Actor, event: AuditEvent, webhook: Webhook, **more: object) -> None:
        record(tx, actor, event, subject_of(webhook), self._clock.now(), **facts_of(webhook), **more)


def _check(url: str, path: str, ca: str) -> None:
    host_of(url)
    require_glob(path)
    if not path.startswith(("/", "**")):
        raise Refused(
            f"The pattern '{path}' fits no folder: their paths begin with a slash.",
            code="webhooks.path",
            fix="Write it with a slash, e.g. /billing/**, or leave it out for all folders.",
            field="secretPath",
        )
    if not ca:
        return
    from cryptography import x509  # noqa: PLC0415 - only for those who give certificates

    try:
        x509.load_pem_x509_certificates(ca.encode())
    except ValueError as error:
        raise Refused(
            "The CA certificate is not a certificate in PEM form.",
            code="webhooks.ca",
            fix="Paste it whole, from BEGIN to END CERTIFICATE.",
            field="caCert",
        ) from error


def _check_environment(tx: Tx, actor: Actor, project_id: str, slug: str | None) -> None:
    project = projects.project(tx, actor.org_id, project_id)
    slugs = [each.slug for each in project.environments] if project else []
    if slug is not None and slug not in slugs:
        raise Refused(
            f"The project has no environment '{slug}', so nothing would ever be told.",
            code="webhooks.environment",
            fix=f"Give one of {', '.join(slugs[:20])}; or leave it out for all of them.",
            field="environment",
        )


def subject_of(webhook: Webhook) -> Subject:
    return Subject(SubjectKind.WEBHOOK, webhook.id, webhook.project_id)


def facts_of(webhook: Webhook) -> dict[str, object]:
    return {
        "host": host_of(webhook.url),
        "environment": webhook.environment,
        "secretPath": webhook.path,
        "actsFor": webhook.acts_for_id,
    }


def host_of(url: str) -> str:
    """Return the host of an https address. Raises Refused for anything else; what was typed is not repeated."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    plain = url.isascii() and url.isprintable() and " " not in url and "@" not in parts.netloc
    if parts.scheme != "https" or not host or not plain or not port > 0 or len(url) > LONGEST_URL:
        raise Refused(
            "The address of a webhook begins with https:// and the name of a host.",
            code="webhooks.address",
            fix="Enter it whole, without a name and password before the host.",
            field="webhookUrl",
        )
    return host


def _new_secret() -> Plaintext:
    return Plaintext(PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode())


def _checked(secret: Plaintext) -> Plaintext:
    text = secret.reveal().strip()
    try:
        length = len(base64.b64decode(text.removeprefix(PREFIX), validate=True))
    except ValueError:
        length = 0
    if not text.startswith(PREFIX) or not 24 <= length <= 64:
        raise Refused(
            "The signing secret is none of Standard Webhooks: whsec_ and the base64 of 24 to 64 bytes.",
            code="webhooks.secret",
            fix='Leave it out, or make one with: echo "whsec_$(openssl rand -base64 32)"',
            field="webhookSecretKey",
        )
    return Plaintext(text)


def _require(tx: Tx, actor: Actor, project_id: str) -> None:
    require(tx, actor, Action.EDIT_PROJECT, Scope(actor.org_id, project_id))


def _require_own(actor: Actor, webhook: Webhook) -> None:
    """Raise Forbidden where somebody would have told to themselves what only another one may know."""
    if actor.id != webhook.acts_for_id and actor.role is not Role.ADMIN:
        raise Forbidden(
            "This webhook acts for another one: they alone, or an administrator of the organization, may change it.",
            code="webhooks.of_other",
            fix="Switch it off or delete it, and make one of your own.",
        )


def _require_enabled(webhook: Webhook) -> None:
    if not webhook.enabled:
        raise Refused("This webhook is switched off.", code="webhooks.disabled", fix="Switch it on first.")


def _found(tx: Tx, actor: Actor, webhook_id: str, *, lock: bool = False) -> Webhook:
    webhook = store.get(tx, webhook_id, lock=lock)
    missing = NotFound(
        f"There is no webhook '{webhook_id}'.",
        code="webhooks.not_found",
        fix="GET /api/v1/webhooks?projectId={id} lists those of a project.",
    )
    if webhook is None:
        raise missing
    try:
        _require(tx, actor, webhook.project_id)
    except NotFound:
        raise missing from None
    return webhook
