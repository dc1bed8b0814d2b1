"""The use cases of the past of a folder: its secrets as they were at a moment or a revision, and putting them back."""

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime

from keyturn.audit import events
from keyturn.audit.domain import AuditEvent, Subject, SubjectKind
from keyturn.audit.record import is_recorded, record
from keyturn.authz.domain import Action
from keyturn.changes import store as feed
from keyturn.changes.domain import ChangeKind
from keyturn.db.unit import Database, Tx
from keyturn.errors import Refused
from keyturn.kit.actor import Actor
from keyturn.kit.dataclasses import dataclass
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.sealing import Sealer
from keyturn.projects.store import lock_project
from keyturn.secrets import access
from keyturn.secrets.domain import Maker, Place, Secret, StoredSecret, no_folder_id
from keyturn.secrets.links import Links
from keyturn.secrets.read_audit import once
from keyturn.secrets.reading import removed_meanwhile
from keyturn.secrets.sealed import details_of, seal_details, seal_value, value_of
from keyturn.secrets.selection import Group
from keyturn.secrets.store import folders, mapped, past, secrets
from keyturn.secrets.store.heads import heads, of_versions
from keyturn.secrets.writes import record_change

MOST_AT_ONCE = 2000
"""Secrets that one rollback writes: it is one transaction, and others wait for it."""


MOST_SEALED = 32 * 1024 * 1024
"""Bytes of what is sealed in these, as they were and as they are."""


@dataclass(frozen=True)
class When:
    """The moment or the revision at which a folder is looked at: one of them."""

    at: datetime | None = None
    revision: int | None = None


@dataclass(frozen=True)
class PastFolder:
    """What a folder had, still sealed."""

    folder_id: str
    place: Place
    revision: int
    view: bool
    """Whether values are handed out."""
    group: Group


@dataclass
class Difference:
    """What a rollback does, by the names that secrets have then: all of it, or nothing."""

    revision: int
    added: list[str] = field(default_factory=list)
    """They were removed since and are made again, as new secrets."""
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    """They have been added since."""
    kept: list[str] = field(default_factory=list)
    """Their values come from secret rotations, which alone change them."""


class Past:
    """The use cases of the past. Each look at values is audited; what a rollback writes is audited and in the feed."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._ids = ids

    # --- looking ------------------------------------------------------------------------------------------------------

    def look(self, actor: Actor, folder_id: str, when: When, *, view: bool = True) -> PastFolder:
        """Look for the secrets that a folder had. Raises Refused for a time of which not all is kept, and NotFound.

        Those of a folder that was removed went with it. Tags are as of now, so they are not told.
        """
        with self._database.read() as tx:
            place = _place(tx, actor, Action.DESCRIBE_SECRETS, folder_id)
            view = view and access.may_read_values(tx, actor, place)
            revision, group = _revision(tx, place.project_id, when), Group(folder_id, place)
            for head in _kept(past.heads_at(tx, folder_id, revision)):
                group.add(head.version_id or "", head.size)
        return PastFolder(folder_id, place, revision, view, group)

    def opened(self, actor: Actor, found: PastFolder) -> Iterator[Sequence[Secret]]:
        """Yield the secrets by name, one part at a time; the value of a client secret that is gone by now is not there."""
        if found.view and found.group.version_ids:
            self._note(actor, found)
        for version_ids in found.group.parts():
            with self._database.read() as tx:
                rows = past.of_versions_as_they_were(tx, version_ids)
            if len(rows) < len(version_ids):
                raise removed_meanwhile()
            yield [self._opened(found, rows[version_id]) for version_id in version_ids]

    def _opened(self, found: PastFolder, row: StoredSecret) -> Secret:
        project_id, there = found.place.project_id, row.credential_id is None or row.credential_value is not None
        value = value_of(self._sealer, project_id, row) if found.view and there else None
        return Secret(row, found.place, value, details_of(self._sealer, project_id, row))

    def _note(self, actor: Actor, found: PastFolder) -> None:
        now, place = self._clock.now(), found.place
        key = once(f"read-past:{actor.id}:{found.folder_id}:{found.revision}", now)
        facts = {
            "environment": place.environment,
            "secretPath": place.path,
            "numberOfSecrets": len(found.group.version_ids),
            "revision": found.revision,
        }
        subject = Subject(SubjectKind.FOLDER, found.folder_id, place.project_id)
        with self._database.read() as tx:
            if is_recorded(tx, key):
                return
        with self._database.write() as tx:
            record(tx, actor, events.SECRETS_READ, subject, now, key, **facts)

    # --- putting back -------------------------------------------------------------------------------------------------

    def difference(self, actor: Actor, folder_id: str, when: When) -> Difference:
        """Say what a rollback would do. Raises as :meth:`rollback` does, but for what only the writing shows.

        Which values are the same is told to those alone who may read them: for others each later version is a change.
        """
        with self._database.read() as tx:
            place = _place(tx, actor, Action.DESCRIBE_SECRETS, folder_id)
            reads = access.may_read_values(tx, actor, place)
            return self._plan(tx, place, folder_id, when, compared=reads).difference

    def rollback(self, actor: Actor, folder_id: str, when: When) -> Difference:
        """Put everybody's secrets of a folder back to what they were, by new versions and new secrets; all, or none.

        What is the same already stays as it is, so a repeat is safe. Raises Refused for a time of which not all is kept,
        and for too much at once; Forbidden without the right to change secrets, and to add and remove them where that is needed.
        """
        with self._database.write() as tx:
            lock_project(tx, _place(tx, actor, Action.EDIT_SECRETS, folder_id).project_id)
            place = _place(tx, actor, Action.EDIT_SECRETS, folder_id)
            access.require_there(tx, actor, Action.DESCRIBE_SECRETS, place)  # it is told which ones
            plan = self._plan(tx, place, folder_id, when)
            for needed, action in ((plan.added, Action.CREATE_SECRETS), (plan.removed, Action.DELETE_SECRETS)):
                if needed:
                    access.require_there(tx, actor, action, place)
            writer = _Writer(tx, self._sealer, self._ids, actor, place, self._clock.now())
            writer.write(plan)
        return plan.difference

    def _plan(self, tx: Tx, place: Place, folder_id: str, when: When, *, compared: bool = True) -> "_Plan":
        """Compare the folder now and then. Values are opened to see whether a later version says the same, if ``compared``."""
        difference = Difference(_revision(tx, place.project_id, when))
        then = {head.secret_id: head for head in _kept(past.heads_at(tx, folder_id, difference.revision))}
        now = {head.secret_id: head for head in heads(tx, [folder_id], None)}
        reserved = {each.name for each in mapped.in_folders(tx, [folder_id])}
        added, changed, removed, kept, size = [], [], [], set[str](), 0
        since = {head.name: head for secret_id, head in now.items() if secret_id not in then}
        for secret_id, head in then.items():
            # One that was removed may have been made again since: it stays the secret that it is.
            present = now.get(secret_id) or since.get(head.name or "")
            taken = head.name in reserved if present is None else present.secret_rotation_id is not None
            if head.is_mapped or taken:
                kept.add(head.name or "")
            elif present is None:
                added.append(head.version_id or "")
                size += head.size
            elif present.version_id != head.version_id:
                changed.append((present.version_id, head.version_id or ""))
                size += head.size + present.size
        names_then = {head.name for secret_id, head in then.items() if secret_id not in now}
        for present in since.values():
            if present.secret_rotation_id is not None:
                kept.add(present.name)
            elif present.name not in names_then:
                removed.append(present.version_id)
        _require_few(len(added) + len(changed) + len(removed), size)
        rows = of_versions(tx, [*removed, *(version_id for version_id, _ in changed)])
        old = past.of_versions_as_they_were(tx, [*added, *(version_id for _, version_id in changed)])
        plan = _Plan(difference, [old[each] for each in added], [], [rows[each] for each in removed])
        for present_id, version_id in changed:
            if not compared or not self._same(place, rows[present_id], old[version_id]):
                plan.changed.append((rows[present_id], old[version_id]))
        difference.kept = sorted(kept)
        difference.added = [row.name for row in plan.added]
        difference.changed = [row.name for _, row in plan.changed]
        difference.removed = [row.name for row in plan.removed]
        return plan

    def _same(self, place: Place, one: StoredSecret, other: StoredSecret) -> bool:
        return (
            one.name == other.name
            and one.skip_multiline_encoding == other.skip_multiline_encoding
            and details_of(self._sealer, place.project_id, one) == details_of(self._sealer, place.project_id, other)
            and value_of(self._sealer, place.project_id, one) == value_of(self._sealer, place.project_id, other)
        )


@dataclass(frozen=True)
class _Plan:
    difference: Difference
    added: Sequence[StoredSecret]
    changed: list[tuple[StoredSecret, StoredSecret]]
    """Pairs of what is and what was."""
    removed: Sequence[StoredSecret]


@dataclass(frozen=True)
class _Writer:
    """Writes a rollback, in one transaction that has locked the project's row."""

    tx: Tx
    sealer: Sealer
    ids: Ids
    actor: Actor
    place: Place
    now: datetime

    def write(self, plan: _Plan) -> None:
        for row in plan.removed:
            self._remove(row)
        changed = self._change(plan.changed)
        added = [self._add(row) for row in plan.added]
        if not (changed or added or plan.removed):
            return
        self._require_no_circle([*changed, *added])
        place, difference = self.place, plan.difference
        facts = {
            "environment": place.environment,
            "secretPath": place.path,
            "revision": difference.revision,
            "added": len(added),
            "changed": len(changed),
            "removed": len(plan.removed),
        }
        folder_id = next(row.folder_id for row in [*changed, *added, *plan.removed])
        subject = Subject(SubjectKind.FOLDER, folder_id, place.project_id)
        record(self.tx, self.actor, events.FOLDER_ROLLED_BACK, subject, self.now, **facts)

    def _remove(self, row: StoredSecret) -> None:
        for each in (row, *secrets.personal(self.tx, row.folder_id, row.name)):
            revision = self._note(events.SECRET_DELETED, ChangeKind.SECRET_DELETED, each)
            secrets.remove(self.tx, each.id, revision)

    def _change(self, pairs: Sequence[tuple[StoredSecret, StoredSecret]]) -> Sequence[StoredSecret]:
        """Give each its older version as a new one, where names were changed in an order in which each name is free."""
        waiting, changed = list(pairs), []
        taken = {present.name for present, old in pairs if present.name != old.name}
        while waiting:
            ready = [(present, old) for present, old in waiting if present.name == old.name or old.name not in taken]
            if not ready:
                raise Refused(
                    "Secrets have exchanged their names since.",
                    code="secrets.past_names_exchanged",
                    fix=f"Give '{waiting[0][0].name}' another name first.",
                )
            for present, old in ready:
                changed.append(self._publish(present, old))
                taken.discard(present.name)
            waiting = [pair for pair in waiting if pair not in ready]
        return changed

    def _publish(self, present: StoredSecret, old: StoredSecret) -> StoredSecret:
        row = self._as_it_was(replace(present, name=old.name, version=present.version + 1), old)
        more = {}
        if present.name != old.name:
            more["previousSecretKey"] = present.name
            for override in secrets.personal(self.tx, present.folder_id, present.name):
                secrets.rename(self.tx, override.id, old.name, self.now)
        secrets.publish(self.tx, row, self._note(events.SECRET_UPDATED, ChangeKind.SECRET_UPDATED, row, **more))
        return row

    def _add(self, old: StoredSecret) -> StoredSecret:
        row = self._as_it_was(replace(old, id=self.ids.new(), version=1, created_at=self.now), old)
        secrets.add(self.tx, row, self._note(events.SECRET_CREATED, ChangeKind.SECRET_CREATED, row))
        return row

    def _as_it_was(self, row: StoredSecret, old: StoredSecret) -> StoredSecret:
        """Return the row with all that the older version says, sealed anew."""
        project_id, version_id = self.place.project_id, self.ids.new()
        return replace(
            row,
            version_id=version_id,
            value=seal_value(self.sealer, project_id, version_id, value_of(self.sealer, project_id, old)),
            details=seal_details(self.sealer, project_id, version_id, details_of(self.sealer, project_id, old)),
            skip_multiline_encoding=old.skip_multiline_encoding,
            has_references=old.has_references,
            maker=Maker(self.actor.kind.value, self.actor.id, self.actor.name),
            updated_at=self.now,
        )

    def _note(self, event: AuditEvent, kind: ChangeKind, row: StoredSecret, **more: str) -> int:
        return record_change(self.tx, self.actor, event, kind, self.place, row, self.now, **more)

    def _require_no_circle(self, written: Sequence[StoredSecret]) -> None:
        """Raise Refused when references of what was written lead back to it, by what has changed elsewhere since."""
        links = Links(self.tx, self.sealer, self.actor, self.place.project_id)
        for row in written:
            value = value_of(self.sealer, self.place.project_id, row) if row.has_references else None
            if value and links.closes_circle(self.place, row.name, value):
                raise Refused(
                    f"The references in the value that '{row.name}' had lead back to it now.",
                    code="secrets.reference_circle",
                    fix="Change what refers to it first.",
                )


def _place(tx: Tx, actor: Actor, action: Action, folder_id: str) -> Place:
    """Return where the folder is, when the actor may do this there. Raises NotFound and Forbidden."""
    folder_and_place = folders.by_id(tx, actor.org_id, folder_id)
    if folder_and_place is None:
        raise no_folder_id(folder_id)
    access.require_there(tx, actor, action, folder_and_place[1])
    return folder_and_place[1]


def _revision(tx: Tx, project_id: str, when: When) -> int:
    """Return the revision that is meant. Raises Refused for one of which not all is kept, and one that is still to come."""
    last, floor = feed.revision(tx, project_id), feed.floor(tx, project_id)
    revision = feed.revision_at(tx, project_id, when.at) if when.at else when.revision
    if revision is None or revision < floor:
        raise Refused(
            f"The changes of this project are kept from revision {floor} on.",
            code="secrets.past_removed",
            fix="Look at a later time.",
        )
    if revision > last:
        raise Refused(
            f"This project has revision {last}; there is no {revision} yet.",
            code="secrets.no_such_revision",
            fix="Look at an earlier one.",
        )
    return revision


def _kept(past_heads: Iterator[past.PastHead]) -> Iterator[past.PastHead]:
    """Yield the heads. Raises Refused when the version that one had is not kept any more."""
    for head in past_heads:
        if head.version_id is None:
            raise Refused(
                "Some versions that the secrets of this folder had then are not kept any more.",
                code="secrets.past_versions_removed",
                fix="Look at a later time.",
            )
        yield head


def _require_few(count: int, size: int) -> None:
    if count > MOST_AT_ONCE or size > MOST_SEALED:
        raise Refused(
            f"{count} secrets differ from what they were; {MOST_AT_ONCE}, of {MOST_SEALED} bytes, are put back at once.",
            code="secrets.too_much_to_roll_back",
            fix="Go back in several steps, to later revisions first.",
        )
