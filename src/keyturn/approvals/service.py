"""Use cases of approvals: requests are listed, asked, rejected and withdrawn; the rules are changed.

Approving one is done by ``rotations.approved_changes``, which carries it out.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

from keyturn.approvals import gate, store
from keyturn.approvals.domain import (
    NO_CONSENT,
    ApprovalNeed,
    ApprovalRequest,
    ApprovalSettings,
    ChangeKind,
    Consent,
    ProposedChange,
    RequestState,
)
from keyturn.audit import approval_events as events
from keyturn.audit.domain import Subject, SubjectKind
from keyturn.audit.record import record
from keyturn.authz import authorize
from keyturn.authz.authorize import Grants, Scope
from keyturn.authz.domain import Action, require_admin
from keyturn.db.unit import Database, Tx
from keyturn.errors import Forbidden, NotFound, Refused
from keyturn.kit.actor import Actor, ActorKind, Role
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer

MOST_SHOWN = 200
MOST_PENDING = 500
LEAST_ADMINISTRATORS = 2
"""Fewer could not approve anything for each other."""


class Approvals:
    """Requests for approval, and the rules that ask for them."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, sealer: Sealer) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._sealer = sealer

    # --- requests -----------------------------------------------------------------------------------------------------

    def list(self, actor: Actor, *, pending: bool = True) -> Sequence[ApprovalRequest]:
        """Return those that wait, or the newest of all, as far as the actor asked for them or may do the same."""
        now = self._clock.now()
        with self._database.read() as tx:
            found = store.pending(tx, actor.org_id, now) if pending else store.newest(tx, actor.org_id, MOST_SHOWN)
            return _seen(tx, actor, found)

    def get(self, actor: Actor, request_id: str) -> ApprovalRequest:
        """Return one that the actor may see. Raises NotFound."""
        with self._database.read() as tx:
            request = store.get(tx, actor.org_id, request_id)
            if request is None or not _seen(tx, actor, [request]):
                raise gate.missing(request_id)
            return request

    def to_decide(self, actor: Actor) -> int:
        """Count those that wait for somebody like the actor."""
        if actor.kind is not ActorKind.USER:
            return 0
        with self._database.read() as tx:
            found = store.pending(tx, actor.org_id, self._clock.now())
            return sum(not request.asked_by(actor) for request in _seen(tx, actor, found)) if found else 0

    def may_decide(self, actor: Actor, request: ApprovalRequest) -> bool:
        """Say whether the actor may approve or reject it."""
        with self._database.read() as tx:
            try:
                gate.require_decider(tx, actor, request)
            except (Forbidden, NotFound):
                return False
        return request.state_at(self._clock.now()) is RequestState.PENDING

    def needed(self, actor: Actor, project_id: str | None) -> ApprovalNeed:
        """Say whether what the actor does there needs a second person, for forms. The use case asks again."""
        with self._database.read() as tx:
            of_organization, of_project = store.settings_of(tx, actor.org_id, project_id)
        administrator = actor.kind is ActorKind.USER and actor.role is Role.ADMIN
        required = of_organization.required or of_project.required
        return ApprovalNeed(required, required and administrator and of_organization.emergency)

    def submit(self, actor: Actor, change: ProposedChange, reason: str) -> ApprovalRequest:
        """Ask for a change that needs another person. The same again returns the request that waits already.

        Not one whose subject has changed since: that cannot be approved any more.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            authorize.require(tx, actor, change.action, change.scope)
            waiting = store.pending(tx, actor.org_id, now)
            mine = [each for each in waiting if change.same_as(each) and each.asked_by(actor)]
            same = next((each for each in mine if each.seen == change.seen), None)
            if same and change.secret is None:
                return same
            if len(waiting) >= MOST_PENDING:
                raise Refused(
                    f"{MOST_PENDING} requests wait already.",
                    code="approvals.too_many",
                    fix="Have them decided under Approvals first.",
                )
            patience = store.settings_of(tx, actor.org_id, None)[0].patience
            request = gate.request_of(actor, change, self._ids.new(), reason, now, now + patience)
            if change.secret is not None:
                request = replace(request, value=self._sealer.seal(change.secret, store.place_of(request.id)))
            store.insert(tx, request)
            gate.tell(tx, actor, events.APPROVAL_REQUESTED, request, now)
        return request

    def reject(self, actor: Actor, request_id: str, note: str) -> ApprovalRequest:
        """Say no, and why. Raises NotFound, Forbidden for who may not decide it, Refused for one that was decided."""
        now = self._clock.now()
        with self._database.write() as tx:
            request = gate.open_request(tx, actor, request_id, now)
            gate.require_decider(tx, actor, request)
            store.decide(tx, request, RequestState.REJECTED, actor, now, note or None)
            gate.tell(tx, actor, events.APPROVAL_REJECTED, request, now, note=note)
        return self.get(actor, request_id)

    def withdraw(self, actor: Actor, request_id: str) -> ApprovalRequest:
        """Take back what the actor asked for. Raises NotFound, Forbidden or Refused."""
        now = self._clock.now()
        with self._database.write() as tx:
            request = gate.open_request(tx, actor, request_id, now)
            if not request.asked_by(actor):
                raise Forbidden(
                    "Only who asked for it takes it back.", code="approvals.not_asker", fix="Reject it instead."
                )
            store.decide(tx, request, RequestState.WITHDRAWN, actor, now, None)
            gate.tell(tx, actor, events.APPROVAL_WITHDRAWN, request, now)
        return self.get(actor, request_id)

    # --- rules --------------------------------------------------------------------------------------------------------

    def rules(self, actor: Actor, project_id: str | None) -> ApprovalSettings:
        """Return the rules of the organization, or of one of its projects. Raises NotFound or Forbidden."""
        with self._database.read() as tx:
            if project_id:
                authorize.require(tx, actor, Action.READ_PROJECT, Scope(actor.org_id, project_id))
            return store.settings_of(tx, actor.org_id, project_id)[1 if project_id else 0]

    def change_rules(
        self, actor: Actor, project_id: str | None, after: ApprovalSettings, consent: Consent = NO_CONSENT
    ) -> ApprovalSettings:
        """Change the rules. What loosens them needs an approval itself. Raises Refused where nobody could approve."""
        now = self._clock.now()
        with self._database.write() as tx:
            _require_editor(tx, actor, project_id)
            before = store.settings_of(tx, actor.org_id, project_id)[1 if project_id else 0]
            if before.loosened_by(after):
                gate.require(tx, actor, _loosening(actor, project_id, before, after), consent, now, self._ids)
            elif after.required and not before.required:
                _require_administrators(tx, actor.org_id)
            if after != before:
                store.save_settings(tx, actor.org_id, project_id, after, now)
                kind = SubjectKind.PROJECT if project_id else SubjectKind.ORGANIZATION
                subject = Subject(kind, project_id or actor.org_id, project_id)
                facts = {"before": asdict(before), "after": asdict(after)}
                record(tx, actor, events.APPROVAL_RULES_CHANGED, subject, now, **facts)
        return after


def _loosening(
    actor: Actor, project_id: str | None, before: ApprovalSettings, after: ApprovalSettings
) -> ProposedChange:
    action = Action.EDIT_PROJECT if project_id else Action.MANAGE_USERS  # an administrator of the organization
    name = "the project" if project_id else "the organization"
    scope = Scope(actor.org_id, project_id)
    return ProposedChange(
        ChangeKind.LOOSEN, project_id or actor.org_id, name, action, scope, asdict(after), str(asdict(before))
    )


def _require_editor(tx: Tx, actor: Actor, project_id: str | None) -> None:
    if project_id:
        authorize.require(tx, actor, Action.EDIT_PROJECT, Scope(actor.org_id, project_id))
    else:
        require_admin(actor)


def _require_administrators(tx: Tx, org_id: str) -> None:
    if store.administrators(tx, org_id) < LEAST_ADMINISTRATORS:
        raise Refused(
            "There is only one administrator: nobody could approve what they ask for.",
            code="approvals.nobody_else",
            fix="Make somebody else an administrator of the organization first.",
        )


def _seen(tx: Tx, actor: Actor, requests: Sequence[ApprovalRequest]) -> Sequence[ApprovalRequest]:
    """Return those that the actor asked for or may do: a statement for each project."""
    grants: dict[str | None, Grants] = {}
    for project_id in {request.project_id for request in requests}:
        try:
            grants[project_id] = authorize.grants_of(tx, actor, Scope(actor.org_id, project_id))
        except NotFound:  # the project was deleted since
            continue
    return [
        request
        for request in requests
        if request.asked_by(actor)
        or (request.project_id in grants and grants[request.project_id].allow(request.action, request.scope))
    ]
