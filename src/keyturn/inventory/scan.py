"""Reads a tenant in pieces: each ends with a transaction that says where the next one begins. Changes nothing at the provider.

A piece that is done twice writes the same twice: who dies in the middle loses no more than one piece.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import structlog

from keyturn.connections.domain import Connection
from keyturn.connections.stored import Stored
from keyturn.db.unit import Database, Tx
from keyturn.errors import KeyturnError, NeedsAction, Permanent, Retryable
from keyturn.inventory import appeared, appeared_store, count_store, plan, readers, store
from keyturn.inventory.domain import is_shown
from keyturn.inventory.plan import Inventory, Phase
from keyturn.inventory.reading_tokens import ReadingTokens
from keyturn.inventory.scan_store import Holder, Keeper, NewKey, forget_old_uses, keep_uses, waiting
from keyturn.kit.dataclasses import dataclass
from keyturn.kit.moments import shift
from keyturn.ports.clock import Clock, Ids
from keyturn.ports.inventory import DirectoryReader, ListedObject, Listing, ObjectKind, ObjectPage, Policies
from keyturn.ports.provider import AccessToken
from keyturn.ports.use_reports import ReportTrouble, Unobservable
from keyturn.rotations.evidence.reading import BUDGET_WINDOW
from keyturn.rotations.store import evidence as reports

log = structlog.get_logger("keyturn.inventory")

_READ_ANEW = "Nothing has to be done: all of the tenant is read anew."
_MOST_CHANGES = 20
AT_ONCE = timedelta(0)
_KINDS = {Listing.APPLICATIONS: ObjectKind.APPLICATION, Listing.PRINCIPALS: ObjectKind.PRINCIPAL}


@dataclass(frozen=True)
class _Reading:
    """One piece of a scan: who reads what."""

    inventory: Inventory
    connection: Connection
    directory: DirectoryReader
    token: AccessToken


class _Overtaken(Exception):
    """The inventory is read through another connection by now, or not at all: what was read of it is not to be kept."""


@dataclass(frozen=True)
class Scans:
    """Reads the tenants of connections. ``directories`` are by the app of a connection. Outside transactions."""

    database: Database
    clock: Clock
    ids: Ids
    stored: Stored
    directories: Mapping[str, DirectoryReader]
    tokens: ReadingTokens

    def run(self, connection_id: str) -> None:
        """Read the next piece of the connection's tenant, if that is what reads it. Safe to repeat."""
        with self.database.write() as tx:
            taken = readers.take(tx, connection_id, self.clock.now())
        if taken is None:
            return
        inventory, connection = taken
        directory = self.directories.get(connection.app)
        if directory is None:
            return
        try:
            token = self.tokens.of(connection, self.clock.now(), lambda: self.stored.sign_in(connection)[1])
            pause = self._piece(_Reading(inventory, connection, directory, token))
        except KeyturnError as error:
            pause = self._failed(inventory, connection, error)
        except _Overtaken:
            return
        now = self.clock.now()
        with self.database.write() as tx:
            store.change_switch(tx, connection_id, next_at=now + pause)
            count_store.recount(tx, inventory.id)

    def _failed(self, inventory: Inventory, connection: Connection, error: KeyturnError) -> timedelta:
        """Write down why it does not go on, and return when it is tried again."""
        self.tokens.forget(connection.id)
        log.warning("inventory.read_failed", connection_id=connection.id, code=error.code, reason=error.message)
        with self.database.write() as tx:
            return readers.note_failure(tx, inventory, connection.id, error, self.clock.now())

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _piece(self, reading: _Reading) -> timedelta:
        """Read a piece; return when the next one is due."""
        match reading.inventory.phase:
            case Phase.BEGIN:
                return self._begin(reading)
            case Phase.POLICIES:
                return self._policies(reading)
            case Phase.DETAILS:
                return self._details(reading)
            case Phase.USES:
                return self._uses(reading)
            case Phase.REST:
                return self._look(reading)
            case _:
                return self._pages(reading)

    def _begin(self, reading: _Reading) -> timedelta:
        """Begin to read lists. What changes from now on is asked for afterwards: nothing falls between."""
        inventory, now = reading.inventory, self.clock.now()
        sees_all = reading.directory.sees_all(reading.token)
        tokens = [self._first_token(reading, listing) if sees_all else None for listing in _KINDS]
        with self._keeping(reading) as tx:
            store.change_switch(tx, reading.connection.id, sees_all=sees_all)
            store.change(
                tx,
                inventory.id,
                sees_all=sees_all,
                phase=(Phase.APPLICATIONS if sees_all else Phase.OWNED).value,
                cursor=None,
                page_size=plan.PAGE_SIZE,
                scan=inventory.scan + 1,
                full=plan.full_is_due(inventory, now),
                began_at=now,
                applications_token=tokens[0],
                principals_token=tokens[1],
                tokens_at=now if all(tokens) else None,
            )
        return AT_ONCE

    def _first_token(self, reading: _Reading, listing: Listing) -> str | None:
        """Return what later asks for changes; None where the directory tells none: then lists are read instead."""
        try:
            changes = reading.directory.changes(reading.connection.tenant, reading.token, listing, None)
        except (NeedsAction, Permanent):
            return None
        return changes.token

    def _pages(self, reading: _Reading) -> timedelta:
        inventory, phase = reading.inventory, reading.inventory.phase
        cursor: str | None = inventory.cursor
        for _ in range(plan.PAGES_AT_ONCE):
            page = reading.directory.page(
                reading.connection.tenant, reading.token, plan.LISTS[phase], cursor, inventory.page_size
            )
            cursor = page.cursor if page else None
            with self._keeping(reading) as tx:
                self._keep_page(tx, inventory, phase, page)
                self._read_well(tx, reading, cursor=cursor, phase=phase.value)
                if cursor is None:
                    self._end_list(tx, inventory, phase)
            if cursor is None:
                break
        return AT_ONCE

    def _keep_page(self, tx: Tx, inventory: Inventory, phase: Phase, page: ObjectPage | None) -> None:
        objects: Sequence[ListedObject] = page.objects if page else ()
        keeper = self._keeper(inventory)
        keeper.note_principals(tx, objects)
        shown = [each for each in objects if is_shown(each)]
        self._appeared(tx, inventory, keeper.keep(tx, shown, all_details=inventory.full))

    def _end_list(self, tx: Tx, inventory: Inventory, phase: Phase) -> None:
        following = plan.after_list(phase)
        store.change(tx, inventory.id, phase=following.value, cursor=None)
        if following not in plan.LISTS:
            self._keeper(inventory).remove_unseen(tx)
            store.change(tx, inventory.id, read_at=inventory.began_at)

    def _policies(self, reading: _Reading) -> timedelta:
        """Read the policies of the tenant: few requests. Where they are not to be had, why is kept instead."""
        try:
            found = reading.directory.policies(reading.connection.tenant, reading.token)
        except Retryable as error:
            if reading.inventory.failures < plan.POLICIES_TRIED:
                raise
            found = Policies(trouble=ReportTrouble(Unobservable.PROVIDER, error.message, error.fix))
        with self._keeping(reading) as tx:
            store.keep_policies(tx, reading.inventory.id, found)
            self._read_well(tx, reading, phase=Phase.DETAILS.value)
        return AT_ONCE

    def _details(self, reading: _Reading) -> timedelta:
        """Read owners and federated credentials of some objects, and the objects themselves where they changed."""
        inventory = reading.inventory
        with self.database.read() as tx:
            holders = waiting(tx, inventory.id, plan.OBJECTS_AT_ONCE)
        for holder in holders:
            self._detail(reading, holder)
        if len(holders) == plan.OBJECTS_AT_ONCE:
            with self._keeping(reading) as tx:
                self._read_well(tx, reading)
            return plan.DETAILS_EVERY
        now = self.clock.now()
        done = {"full_at": now, "full": False} if inventory.full else {}
        if not plan.uses_are_due(inventory, now):
            return self._rest(reading, **done)
        with self._keeping(reading) as tx:
            self._read_well(tx, reading, phase=Phase.USES.value, cursor=None, **done)
        return AT_ONCE

    def _rest(self, reading: _Reading, **changes: object) -> timedelta:
        with self._keeping(reading) as tx:
            self._read_well(tx, reading, phase=Phase.REST.value, cursor=None, **changes)
            untraced = appeared_store.untraced_credentials(tx, reading.inventory.id, 1)
        return plan.TRACE_AFTER if untraced else plan.LOOK_EVERY

    def _uses(self, reading: _Reading) -> timedelta:
        """Read a page of when credentials last signed in. Where that is not reported, why is kept instead.

        Reports have one budget for each tenant: who looks whether replaced credentials are used asks in turn with this.
        """
        inventory, began = reading.inventory, self.clock.now()
        with self.database.write() as tx:
            taken = reports.take_turn(tx, reading.connection.tenant, began, began + BUDGET_WINDOW / 2)
        if taken is not None:
            return taken - began
        page = reading.directory.uses(reading.connection.tenant, reading.token, inventory.cursor)
        trouble, now = page.trouble, self.clock.now()
        if trouble and trouble.retry_after:
            return trouble.retry_after
        if trouble:
            told = {"message": trouble.message, "fix": trouble.fix}
            return self._rest(reading, uses_at=now, uses_trouble=told)
        with self._keeping(reading) as tx:
            keep_uses(tx, inventory.id, page.used)
            forget_old_uses(tx, inventory.id, shift(now, -plan.USES_KEPT))
            self._read_well(tx, reading, cursor=page.cursor)
        return plan.DETAILS_EVERY if page.cursor else self._rest(reading, uses_at=now, uses_trouble=None)

    def _detail(self, reading: _Reading, holder: Holder) -> None:
        inventory, directory = reading.inventory, reading.directory
        tenant, token, kind = reading.connection.tenant, reading.token, holder.listed.kind
        keeper = self._keeper(inventory)
        if holder.unread or holder.pending:
            listed = directory.object(tenant, token, kind, holder.listed.object_id)
            with self._keeping(reading) as tx:
                keeper.note_principals(tx, [listed] if listed else [])
                if listed is None or not is_shown(listed):
                    keeper.remove(tx, [holder.listed.object_id])
                    return
                self._appeared(tx, inventory, keeper.keep(tx, [listed], all_details=True))
            holder, kind = replace(holder, listed=listed), listed.kind
        owners = directory.owners(tenant, token, kind, holder.listed.object_id)
        has_federated = kind is not ObjectKind.PRINCIPAL
        federated = directory.federated(tenant, token, holder.listed.object_id) if has_federated else ()
        with self._keeping(reading) as tx:
            self._appeared(tx, inventory, keeper.detail(tx, holder, owners, federated))

    def _look(self, reading: _Reading) -> timedelta:
        """Ask what changed since the last time, and who made what appeared."""
        inventory, now = reading.inventory, self.clock.now()
        self._trace(reading)
        if plan.lists_are_due(inventory, now):
            with self._keeping(reading) as tx:
                self._read_well(tx, reading, phase=Phase.BEGIN.value)
            return AT_ONCE
        try:
            found, tokens = self._changes(reading)
        except Permanent:
            # 410: nobody tells any more what changed since then.
            with self._keeping(reading) as tx:
                self._read_well(tx, reading, phase=Phase.BEGIN.value)
            return AT_ONCE
        keeper = self._keeper(inventory)
        with self._keeping(reading) as tx:
            for kind, ids in found:
                keeper.note_changed(tx, ids, kind)
            keeper.refresh(tx, plan.REFRESH_WITHIN, plan.REFRESH_AFTER)
            # No list of changes tells what a policy is assigned to.
            self._read_well(tx, reading, phase=Phase.POLICIES.value, read_at=now, tokens_at=now, **tokens)
        return AT_ONCE

    def _changes(self, reading: _Reading) -> tuple[list[tuple[ObjectKind, Sequence[str]]], dict[str, str]]:
        """Return the ids of what changed, by kind, and the tokens to ask with the next time."""
        inventory = reading.inventory
        found: list[tuple[ObjectKind, Sequence[str]]] = []
        tokens: dict[str, str] = {}
        for listing, name in ((Listing.APPLICATIONS, "applications_token"), (Listing.PRINCIPALS, "principals_token")):
            since: str | None = getattr(inventory, name)
            ids: dict[str, None] = {}
            for _ in range(_MOST_CHANGES):
                changes = reading.directory.changes(reading.connection.tenant, reading.token, listing, since)
                ids |= dict.fromkeys(changes.object_ids)
                since = changes.cursor or changes.token
                if changes.cursor is None:
                    break
            else:
                raise Permanent("More changed than can be followed.", code="inventory.too_many_changes", fix=_READ_ANEW)
            found.append((_KINDS[listing], list(ids)))
            if since:
                tokens[name] = since
        return found, tokens

    def _trace(self, reading: _Reading) -> None:
        inventory, now = reading.inventory, self.clock.now()
        with self.database.read() as tx:
            untraced = appeared_store.untraced_credentials(tx, inventory.id, plan.PAGES_AT_ONCE)
        for each in untraced:
            since = shift(each.starts_at or each.appeared_at, -appeared.ABOUT_THEN)
            changes = reading.directory.changed_by(
                reading.connection.tenant, reading.token, each.object_id, max(since, now - plan.FULL_EVERY)
            )
            is_last = now - each.appeared_at >= plan.TRACED_AT_LATEST
            trace = appeared.trace_change(each, changes, is_last=is_last)
            if trace is not None:
                with self._keeping(reading) as tx:
                    appeared.tell(tx, inventory, each, trace, now)

    # --- writing ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _keeping(self, reading: _Reading) -> Iterator[Tx]:
        """A transaction that keeps what was read. Raises :class:`_Overtaken` if it is not to be kept any more."""
        with self.database.write() as tx:
            switch = store.switch_of(tx, reading.connection.id, lock=True)  # first, as all do: see ``Database.write``
            current = store.get(tx, reading.inventory.id, lock=True)
            if switch is None or current is None or current.connection_id != reading.connection.id:
                raise _Overtaken
            yield tx

    def _keeper(self, inventory: Inventory) -> Keeper:
        return Keeper(self.ids, inventory.id, inventory.tenant_id, inventory.scan, self.clock.now())

    def _appeared(self, tx: Tx, inventory: Inventory, new: Sequence[NewKey]) -> None:
        if new:
            appeared.note(tx, inventory, new, self.clock.now())

    def _read_well(self, tx: Tx, reading: _Reading, **changes: object) -> None:
        """Write down how far it is; what was in the way is over."""
        store.change(tx, reading.inventory.id, failures=0, trouble=None, **changes)
        store.change_switch(tx, reading.connection.id, refused_at=None)
