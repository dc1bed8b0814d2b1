"""Lines of an inventory as they are shown, with all that belongs to them."""

from collections.abc import Sequence
from datetime import datetime

from keyturn.db.unit import Tx
from keyturn.inventory import list_store
from keyturn.inventory.domain import REPORT, Entry, LastUse, NotObservable, Observed, Origin, Row
from keyturn.inventory.filter_store import Selection
from keyturn.inventory.list_store import HolderFacts, StoredEntry
from keyturn.inventory.plan import Inventory
from keyturn.inventory.policies import AppliedPolicy, PolicyState, apply_policy, policy_in_force
from keyturn.ports.inventory import KeyKind
from keyturn.rotations.store import evidence, policies
from keyturn.rotations.store.evidence import ReportedUse

_NO_KEY = NotObservable("It has no credential.")


def rows_of(tx: Tx, selection: Selection, entries: Sequence[StoredEntry]) -> list[Row]:
    """Return entries with what belongs to them: eight statements."""
    inventory = selection.inventory
    keys = [each.entry.key_id for each in entries if each.entry.key_id]
    apps = sorted({each.entry.app_id for each in entries})
    facts = list_store.facts_of(tx, sorted({each.holder_id for each in entries}))
    origins = list_store.origins(tx, inventory, keys)
    rotations = list_store.rotations_of(tx, inventory, apps)
    states = policies.states_of_keys(tx, inventory.org_id, keys)
    reported = evidence.last_uses(tx, inventory.org_id, keys)
    uses = list_store.uses_of(tx, inventory, keys)
    application_uses = list_store.uses_of_applications(tx, inventory, apps)
    sign_ins = list_store.sign_ins(tx, inventory, selection.sight, apps)
    rows = []
    for each in entries:
        entry, of = each.entry, facts.get(each.holder_id, HolderFacts())
        key_id = entry.key_id or ""
        origin = origins.get((entry.object_id, key_id))  # without one another credential has the key id
        row = Row(
            entry,
            of.owners,
            of.read_at,
            (origin or Origin.FOREIGN) if entry.key_kind else None,
            rotation.id if (rotation := rotations.get(entry.app_id)) else None,
            _last_use(inventory, entry, uses.get(key_id), reported.get(key_id) if origin else None),
            _policy(selection, entry, of),
            application_uses.get(entry.app_id),
            sign_ins.get(entry.app_id),
            states.get(key_id) if origin else None,
        )
        rows.append(row)
    return rows


def _policy(selection: Selection, entry: Entry, of: HolderFacts) -> AppliedPolicy:
    if selection.policies is None:
        trouble = selection.inventory.policies_trouble or {}
        unknown = str(trouble.get("message") or "Policies were not read yet.")
        return AppliedPolicy(PolicyState.NOT_KNOWN, unknown=unknown)
    policy = policy_in_force(selection.policies, entry.object_kind, of.policy_id)
    if policy is None:
        return AppliedPolicy(PolicyState.UNRESTRICTED)
    return apply_policy(policy, entry.key_kind, of.made_at)


def _last_use(inventory: Inventory, entry: Entry, used_at: datetime | None, reported: ReportedUse | None) -> LastUse:
    """Say when a credential last signed in, by the newest of what was reported; or why that is not known."""
    if entry.key_kind is None:
        return _NO_KEY
    seen = [Observed(used_at, REPORT)] if used_at else []
    if reported and reported.used and reported.used.last_at:
        seen.append(Observed(reported.used.last_at, reported.used.source.value.replace("-", " ")))
    return max(seen, key=lambda each: each.at) if seen else NotObservable(_unseen(inventory, entry))


def _unseen(inventory: Inventory, entry: Entry) -> str:
    if inventory.uses_trouble:
        return str(inventory.uses_trouble.get("message") or "It is not reported.")
    if inventory.uses_at is None:
        return f"{REPORT} was not read yet."
    if entry.key_kind is KeyKind.FEDERATED:
        return f"{REPORT} says nothing of federated credentials."
    return f"No sign-in with it is in {REPORT}, which lags by a day."
