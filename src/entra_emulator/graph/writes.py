"""What every write to the directory has in common: it may meet another one, and it is in the ledger and in the audit."""

from __future__ import annotations

import json
from collections.abc import Mapping

from entra_emulator.directory.audit_log import AuditRecord
from entra_emulator.directory.directory import Application, Holder, KeyCredential, PasswordCredential, User
from entra_emulator.directory.groups import Group
from entra_emulator.directory.world import Call
from entra_emulator.graph.errors import concurrent

Changed = tuple[tuple[str, str | None, str | None], ...]
Others = tuple[tuple[str, str, str], ...]


def check_quiet(call: Call, holder: Holder) -> None:
    """Raises Directory_ConcurrencyViolation while an earlier write to the object is not settled."""
    settings = call.settings
    if call.now >= holder.last_write + settings.conflict_window:
        return
    if settings.conflict_probability >= 1.0 or call.world.rng.random() < settings.conflict_probability:
        raise concurrent(settings.conflict_status)


def committed(call: Call, holder: Holder, key_id: str = "", *, linked: bool = False) -> None:
    """Notes that the write to this application or service principal took effect; `key_id` is the credential it is about.

    `linked`: only what stands beside the object changed (owners, federated credentials, policies), which is no change of it in a
    delta query (https://learn.microsoft.com/graph/delta-query-overview).
    """
    holder.last_write = call.now
    if not linked and (not key_id or call.settings.delta_shows_credentials):
        holder.changed_at = call.now
    kind = "Application" if isinstance(holder, Application) else "ServicePrincipal"
    changed = _keys_changed(holder, key_id) if key_id else ()
    note_change(call, holder.object_id, holder.display_name, kind, changed)
    call.entry.key_id = key_id


def committed_to(call: Call, item: User | Group) -> None:
    """Notes that the write to this user or group took effect."""
    item.changed_at = call.now
    note_change(call, item.object_id, item.display_name, type(item).__name__)


def committed_membership(call: Call, group: Group, object_id: str, *, added: bool) -> None:
    """Notes that a member or an owner of this group came or went: the audit tells it of them, with the group."""
    group.changed_at = call.now
    item = call.home().directory_object(object_id)
    name, kind = (item.display_name, type(item).__name__) if item else ("", "Other")
    values = {"Group.ObjectID": group.object_id, "Group.DisplayName": group.display_name}
    beside = ((group.object_id, group.display_name, "Group"),)
    note_change(call, object_id, name, kind, values_changed(values, added=added), beside)


def values_changed(values: Mapping[str, str | None], *, added: bool) -> Changed:
    """These properties as they came, or went: each value is JSON in text."""
    return tuple(
        (name, None, json.dumps(value)) if added else (name, json.dumps(value), None) for name, value in values.items()
    )


def note_change(call: Call, target_id: str, name: str, kind: str, changed: Changed = (), beside: Others = ()) -> None:
    """Writes a change that took effect into the ledger and the tenant's audit."""
    call.entry.committed = True
    record = AuditRecord(
        id=call.request_id,
        at=call.now,
        operation=call.entry.operation,
        by_user=call.user.object_id if call.user else "",
        by_app="" if call.user else call.entry.caller,
        address=call.entry.address,
        target_id=target_id,
        target_name=name,
        target_type=kind,
        changed=changed,
        beside=beside,
    )
    call.world.audits.add(call.home().id, record)


def _keys_changed(holder: Holder, key_id: str) -> Changed:
    """The property that shows which credential came or went.

    Source: https://github.com/Azure/Azure-Sentinel (the rules on credentials of applications read KeyDescription so).
    """
    every: list[PasswordCredential | KeyCredential] = [*holder.passwords, *holder.keys]
    subject = next((item for item in every if item.key_id == key_id), None)
    if subject is None:
        return ()
    after = [_described(item) for item in holder.credentials_held()]
    others = [_described(item) for item in holder.credentials_held() if item is not subject]
    before = [*others, _described(subject)] if subject.presence.removed else others
    return (("KeyDescription", json.dumps(before), json.dumps(after)),)


def _described(item: PasswordCredential | KeyCredential) -> str:
    kind = "Password" if isinstance(item, PasswordCredential) else "AsymmetricX509Cert"
    return f"[KeyIdentifier={item.key_id},KeyType={kind},KeyUsage=Verify,DisplayName={item.display_name or ''}]"
